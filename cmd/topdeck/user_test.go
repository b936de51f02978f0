package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const userPassword = "correct horse battery"

func TestUserCommands(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for _, c := range []struct {
		args, in string
		exit     int
		stderr   string // part of it
	}{
		{"add ann --role admin", userPassword + "\n", exitDone, ""},
		{"add bob --role viewer", userPassword, exitDone, ""},
		{"add bob --role viewer", userPassword, exitFailed, "already a user bob"},
		{"add cid --role viewer", "short\n", exitFailed, "12 to 256 characters"},
		{"add cid --role viewer", "", exitFailed, "standard input is empty"},
		{"add cid --role root", userPassword, exitUsage, "admin, operator or viewer"},
		{"add cid", userPassword, exitUsage, "--role"},
		{"add Cid --role viewer", userPassword, exitUsage, "user name"},
		{"add --role viewer", userPassword, exitUsage, "name"},
		{"role bob operator", "", exitDone, ""},
		{"role bob root", "", exitUsage, "admin, operator or viewer"},
		{"role cid viewer", "", exitFailed, `no user "cid"`},
		{"role ann viewer", "", exitFailed, "last administrator"},
		{"passwd bob", "another horse battery\r\n", exitDone, ""},
		{"passwd cid", "another horse battery\n", exitFailed, `no user "cid"`},
		{"remove ann", "", exitFailed, "last administrator"},
		{"remove Ann", "", exitUsage, "user name"},
		{"remove-second-factor bob", "", exitFailed, "bob has no second factor"},
		{"remove-second-factor cid", "", exitFailed, `no user "cid"`},
		{"remove-second-factor Bob", "", exitUsage, "user name"},
		{"nothing", "", exitUsage, "nothing"},
		{"list", "", exitDone, ""},
	} {
		var out, stderr bytes.Buffer
		exit := run(append(append([]string{"user"}, strings.Fields(c.args)...), "--data", dir), streams{strings.NewReader(c.in), &out, &stderr})
		if exit != c.exit || !strings.Contains(stderr.String(), c.stderr) || c.exit != exitDone && strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("user %s: exit %d, %q; want %d and one line with %q", c.args, exit, stderr.String(), c.exit, c.stderr)
		}
		if strings.Contains(out.String()+stderr.String(), "horse") {
			t.Errorf("user %s tells a password: %s%s", c.args, out.String(), stderr.String())
		}
		if c.args != "list" {
			if out.Len() > 0 {
				t.Errorf("user %s prints %q", c.args, out.String())
			}
			continue
		}
		const when = `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`
		want := regexp.MustCompile(`^NAME  ROLE      SECOND FACTOR  CREATED              PASSWORD CHANGED     LAST LOGIN\n` +
			`ann   admin     no             ` + when + `  ` + when + `  never\nbob   operator  no             ` + when + `  ` + when + `  never\n$`)
		if !want.MatchString(out.String()) {
			t.Errorf("got\n%s", out.String())
		}
	}
}

func TestUserOnAFolderThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, stderr bytes.Buffer
	exit := run([]string{"user", "list", "--data", filepath.Join(file, "data")}, streams{strings.NewReader(""), &out, &stderr})
	if exit != exitFailed || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), "--data") {
		t.Errorf("exit %d, %q", exit, stderr.String())
	}
}

// openTerminal makes a pseudo-terminal: what is written to keyboard is read from terminal, and what is echoed is read from
// keyboard. Source: pty(7).
func openTerminal(t *testing.T) (keyboard, terminal *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return keyboard, terminal
}

func TestPasswordIsAskedForOnATerminal(t *testing.T) {
	for name, c := range map[string]struct{ first, second, want string }{
		"twice the same": {userPassword, userPassword, ""},
		"two":            {userPassword, userPassword + "!", "the two differ"},
		"too short":      {"short", "", "12 to 256 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			keyboard, terminal := openTerminal(t)
			read, written := io.Pipe()
			type result struct {
				password string
				err      error
			}
			results := make(chan result, 1)
			go func() {
				password, err := newPassword(streams{terminal, io.Discard, written})
				written.Close()
				results <- result{password, err}
			}()
			// Each is typed when it is asked for: the terminal does not echo from then on.
			prompts := make([]byte, 1000)
			for _, typed := range []string{c.first, c.second} {
				if typed == "" {
					break
				}
				if n, err := read.Read(prompts); err != nil || !strings.HasSuffix(string(prompts[:n]), ": ") {
					t.Fatalf("got %q %v", prompts[:n], err)
				}
				waitNoEcho(t, terminal)
				if _, err := keyboard.WriteString(typed + "\n"); err != nil {
					t.Fatal(err)
				}
				if _, err := read.Read(prompts); err != nil { // the end of the line
					t.Fatal(err)
				}
			}
			go io.Copy(io.Discard, read)
			got := <-results
			if c.want == "" && (got.err != nil || got.password != userPassword) || c.want != "" && (got.err == nil || !strings.Contains(got.err.Error(), c.want)) {
				t.Errorf("got %+v, want %q", got, c.want)
			}
			// Everything that the terminal showed is there by now.
			if _, err := terminal.WriteString("END"); err != nil {
				t.Fatal(err)
			}
			shown := make([]byte, 0, 1000)
			for !bytes.Contains(shown, []byte("END")) {
				chunk := make([]byte, 100)
				n, err := keyboard.Read(chunk)
				if err != nil {
					t.Fatal(err)
				}
				shown = append(shown, chunk[:n]...)
			}
			if bytes.Contains(shown, []byte("horse")) || bytes.Contains(shown, []byte("short")) {
				t.Errorf("the terminal showed %q", shown)
			}
		})
	}
}

// waitNoEcho waits until the terminal does not show what is typed.
func waitNoEcho(t *testing.T, terminal *os.File) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		if state.Lflag&unix.ECHO == 0 {
			return
		}
	}
	t.Fatal("the terminal still echoes")
}
