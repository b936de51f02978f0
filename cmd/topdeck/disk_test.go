package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"topdeck/control"
)

// needsRoot skips a test, unless CI=true: then it fails.
func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("needs root")
	}
	t.Skip("needs root")
}

// mountTmpfs makes a small disk.
func mountTmpfs(t *testing.T, size string) string {
	t.Helper()
	needsRoot(t)
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "mode=0700,size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v %s", err, out)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// fillDisk leaves no byte free in dir; removing the file it returns ends that.
func fillDisk(t *testing.T, dir string) string {
	t.Helper()
	name := filepath.Join(dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 4096); ; {
		if _, err := f.Write(chunk); err != nil {
			return name
		}
	}
}

// asCaller is a signed-in account on a server that runs as a process.
func asCaller(t *testing.T, s *served, cookie string) *caller {
	return &caller{deck: &deck{t: t, url: s.url, client: s.client, logged: func() []byte { return []byte(s.stderr.String()) }}, cookie: cookie}
}

// refusedActs has acts tried until one is refused: pages that are free inside of the data file are used first. It returns
// how many were not, and the refusal.
func refusedActs(t *testing.T, act func() (status int, text string)) (done int, text string) {
	t.Helper()
	for done = 0; done < 2000; done++ {
		status, text := act()
		if status == http.StatusAccepted {
			continue
		}
		var e struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal([]byte(text), &e); err != nil || status != http.StatusServiceUnavailable || e.Error.Code != "unavailable" {
			t.Fatalf("the act answers %d %s, want 503 unavailable", status, text)
		}
		return done, e.Error.Message
	}
	t.Fatal("no act was refused")
	return 0, ""
}

// readsGoOn checks what must go on while nothing can be written.
func readsGoOn(t *testing.T, admin *caller, paths ...string) {
	t.Helper()
	for _, path := range paths {
		until(t, path+" is answered", func() bool {
			status, _ := admin.call("GET", path, nil, nil)
			return status == http.StatusOK
		})
	}
}

// signInLate signs in while nothing can be written, or not much: then the answer says so.
func signInLate(t *testing.T, admin *caller, account string, nothing bool) *caller {
	t.Helper()
	late := &caller{deck: admin.deck}
	var session struct{ Warning string }
	if status, text := late.call("POST", "/session", map[string]string{"username": account, "password": testPassword}, &session); status != http.StatusOK {
		t.Fatalf("sign-in answers %d %s", status, text)
	}
	if nothing && !strings.Contains(session.Warning, "in memory only") {
		t.Errorf("the answer to the sign-in warns %q", session.Warning)
	}
	if status, text := late.call("GET", "/operations", nil, nil); status != http.StatusOK {
		t.Errorf("a session in memory answers %d %s", status, text)
	}
	if status, text := late.call("POST", "/session/confirm", map[string]string{"password": testPassword}, nil); status != http.StatusNoContent {
		t.Errorf("the password given again answers %d %s", status, text)
	}
	status, text := late.call("POST", "/users", map[string]string{"username": "newcomer", "password": testPassword, "role": "viewer"}, nil)
	if nothing && (status != http.StatusServiceUnavailable || !strings.Contains(text, "nothing was changed")) {
		t.Errorf("a new account answers %d %s", status, text)
	}
	return late
}

// recovered waits until acts are done again, and checks the log.
func recovered(t *testing.T, late *caller, act func() (status int, text string)) {
	t.Helper()
	until(t, "acts are done again", func() bool {
		status, _ := act()
		return status == http.StatusAccepted
	})
	until(t, "the sign-in on a full disk is recorded, and its session stored", func() bool {
		var page struct{ Operations []control.Operation }
		late.call("GET", "/operations?logType=session.login&limit=200", nil, &page)
		var session struct{ Warning string }
		late.call("GET", "/session", nil, &session)
		return len(page.Operations) >= 2 && session.Warning == ""
	})
	until(t, "nothing is left running", func() bool {
		var page struct{ Total int }
		late.call("GET", "/operations?retStatus=running", nil, &page)
		return page.Total == 0
	})
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func TestAFullDiskUnderTheProgram(t *testing.T) {
	dir := mountTmpfs(t, "2m")
	s := serve(t, dir)
	admin := asCaller(t, s, signIn(t, s, dir, "ann", "admin"))
	live := open(t, s, admin.cookie)
	live.watch("p", "processes", "pid:1")
	done := filepath.Join(t.TempDir(), "done")
	n := 0
	act := func() (int, string) {
		n++
		return admin.call("POST", "/commands", map[string]string{"command": fmt.Sprintf("touch %s%d", done, n)}, nil)
	}
	if status, text := act(); status != http.StatusAccepted {
		t.Fatal(text)
	}
	filler := fillDisk(t, dir)
	_, why := refusedActs(t, act)
	refused := fmt.Sprintf("%s%d", done, n)
	if !strings.Contains(why, "nothing was done") || !strings.Contains(why, "no space left on device") {
		t.Errorf("the refusal says %q", why)
	}
	readsGoOn(t, admin, "/operations", "/summary", "/processes?limit=3", "/services", "/sessions", "/host")
	readsGoOn(t, admin, "/operations/export?format=ndjson", fmt.Sprintf("/processes/%d?environment=true", os.Getpid())) // though they are recorded
	late := signInLate(t, admin, "ann", false)
	for f := (follower{}); f.seq < 3; { // the live connection goes on
		m, err := live.next()
		if err != nil {
			t.Fatal(err)
		}
		f.apply(t, m)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	recovered(t, late, act)
	if _, err := os.Stat(refused); err == nil {
		t.Error("the act that was refused was done")
	}
	s.stop(t)
	if _, err := os.Stat(refused); err == nil {
		t.Error("the act that was refused was done later")
	}
	if code, _, stderr := outcome(t, "", "log", "verify", "--data", dir); code != exitDone {
		t.Error(stderr)
	}
	for _, says := range []string{"cannot write to the operation log", "can be written again"} {
		if !strings.Contains(s.stderr.String(), says) {
			t.Errorf("the log does not say %q: %s", says, s.stderr)
		}
	}
	t.Log("row 8: a full disk: an act is refused and never done, reading and signing in go on, it recovers")
}

// TestADiskThatFails has system calls fail under a running program: all writes, as when a file system becomes read-only
// after a fault (it cannot be remounted so while a file on it is open for writing); each fdatasync(2), as on a disk that
// breaks; and only that of a commit's last step, which leaves the record in the file.
func TestADiskThatFails(t *testing.T) {
	needsRoot(t)
	for name, test := range map[string]struct{ call, fault, says string }{
		"read-only":     {"pwrite64", "error=EROFS:when=1+", "read-only file system"},
		"each step":     {"fdatasync", "error=EIO:when=1+", "input/output error"},
		"the last step": {"fdatasync", "error=EIO:when=2+2", "input/output error"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			s := serve(t, dir)
			admin := asCaller(t, s, signIn(t, s, dir, "ann", "admin"))
			done := filepath.Join(t.TempDir(), "done")
			n := 0
			act := func() (int, string) {
				n++
				return admin.call("POST", "/commands", map[string]string{"command": fmt.Sprintf("touch %s%d", done, n)}, nil)
			}
			heal := breakDisk(t, s.cmd.Process.Pid, test.call, test.fault)
			accepted, why := refusedActs(t, act)
			if accepted != 0 || !strings.Contains(why, "nothing was done") || !strings.Contains(why, test.says) {
				t.Errorf("after %d that were done the refusal says %q", accepted, why)
			}
			told := ", and the record says that it was refused"
			if name != "the last step" {
				told = "; reading and signing in go on meanwhile"
				readsGoOn(t, admin, "/operations", "/sessions") // the host's own figures take long under strace
				late := signInLate(t, admin, "ann", true)
				heal()
				recovered(t, late, act)
				for _, says := range []string{"kept in memory", "stored again"} {
					if !strings.Contains(s.stderr.String(), says) {
						t.Errorf("the log does not say %q: %s", says, s.stderr)
					}
				}
			} else {
				heal()
				until(t, "acts are done again", func() bool { status, _ := act(); return status == http.StatusAccepted })
				until(t, "nothing is left running, and what was refused says so", func() bool {
					var running struct{ Total int }
					var failed struct{ Operations []control.Operation }
					admin.call("GET", "/operations?retStatus=running", nil, &running)
					admin.call("GET", "/operations?retStatus=failed", nil, &failed)
					return running.Total == 0 && len(failed.Operations) == 1 && strings.Contains(failed.Operations[0].Message, "nothing was done")
				})
			}
			if _, err := os.Stat(done + "1"); err == nil {
				t.Error("the act that was refused was done")
			}
			s.stop(t)
			if code, _, stderr := outcome(t, "", "log", "verify", "--data", dir); code != exitDone {
				t.Error(stderr)
			}
			t.Logf("row 8: %s (%s fails with %s): an act is refused and never done, it recovers%s", name, test.call, test.says, told)
		})
	}
}

// breakDisk has strace(1) make a system call of a process fail, until the function it returns is called.
func breakDisk(t *testing.T, pid int, call, fault string) (heal func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	trace := exec.CommandContext(ctx, "strace", "-f", "-p", fmt.Sprint(pid), "-e", "trace="+call, "-e", "inject="+call+":"+fault)
	said := newChildLog(t)
	trace.Stderr = said.File
	trace.Cancel = func() error { return trace.Process.Signal(syscall.SIGTERM) } // which detaches
	if err := trace.Start(); err != nil {
		t.Fatal(err)
	}
	healed := false
	heal = func() {
		if !healed {
			healed = true
			cancel()
			_ = trace.Wait() // ends with the signal
		}
	}
	t.Cleanup(heal)
	until(t, "strace is attached", func() bool { return strings.Contains(said.String(), "attached") })
	return heal
}

// TestAFullDiskUnderTheUnit fills the disk under topdeck as a unit of a real systemd: what is refused never reaches it.
func TestAFullDiskUnderTheUnit(t *testing.T) {
	host := install(t, map[string]string{
		"var-lib-topdeck.mount":          "[Mount]\nWhat=tmpfs\nWhere=/var/lib/topdeck\nType=tmpfs\nOptions=size=2m,mode=0700\n",
		"topdeck.service.d/storage.conf": "[Unit]\nRequiresMountsFor=/var/lib/topdeck\n",
		"ok.service":                     "[Service]\nExecStart=/bin/sleep 1000\n",
	})
	admin := host.as("admin")
	if op := admin.act("ok.service", "start"); op.RetStatus != control.Succeeded {
		t.Fatal(op.Message)
	}
	invocation := func() string { return host.run("systemctl", "show", "-P", "InvocationID", "ok.service") }
	act := func() (int, string) {
		return admin.call("POST", "/services/ok.service/actions", map[string]string{"action": "restart"}, nil)
	}
	filler := fillDisk(t, filepath.Join(host.Root, "var/lib/topdeck"))
	var before string
	_, why := refusedActs(t, func() (int, string) {
		until(t, "the act before this one has ended", func() bool {
			var page struct{ Total int }
			admin.call("GET", "/operations?retStatus=running", nil, &page)
			return page.Total == 0 || strings.Contains(string(host.logged()), "cannot write")
		})
		before = invocation()
		return act()
	})
	if !strings.Contains(why, "nothing was done") || !strings.Contains(why, "no space left on device") {
		t.Errorf("the refusal says %q", why)
	}
	readsGoOn(t, admin, "/operations", "/summary", "/services?q=ok.service")
	late := signInLate(t, admin, "admin", false)
	if after := invocation(); after != before {
		t.Errorf("a restart that was refused reached systemd: invocation %s, before %s", after, before)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	recovered(t, late, act)
	until(t, "the restart was done", func() bool { return invocation() != before })
	if out := host.run("/usr/local/bin/topdeck", "log", "verify", "--data", "/var/lib/topdeck"); !strings.Contains(out, "is whole") {
		t.Error(out)
	}
	t.Log("row 8: a full disk under the unit: what is refused never reaches systemd")
}
