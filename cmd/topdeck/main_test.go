package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain makes the test binary the program itself when asked, so that the tests below run the real one as a process.
func TestMain(m *testing.M) {
	if os.Getenv("TOPDECK_AS_PROGRAM") != "" {
		main()
	}
	os.Exit(m.Run())
}

// program is topdeck with args; it sees no environment but PATH and what a test adds.
func program(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = []string{"TOPDECK_AS_PROGRAM=1", "PATH=" + os.Getenv("PATH"), "HOME=/nonexistent"}
	return cmd
}

// served is a running topdeck serve.
type served struct {
	cmd    *exec.Cmd
	url    string
	client *http.Client
	stderr childLog
	ended  chan error
}

// serve starts topdeck serve on a free port and waits until it answers.
func serve(t *testing.T, dir string, args ...string) *served {
	t.Helper()
	return serveWith(t, http.DefaultClient, "http", dir, args...)
}

func serveWith(t *testing.T, client *http.Client, scheme, dir string, args ...string) *served {
	t.Helper()
	port := freePort(t)
	s := &served{url: fmt.Sprintf("%s://127.0.0.1:%d", scheme, port), client: client, stderr: newChildLog(t), ended: make(chan error, 1)}
	s.cmd = program(context.Background(), append([]string{"serve", "--listen", fmt.Sprintf("127.0.0.1:%d", port), "--data", dir}, args...)...)
	s.cmd.Stderr = s.stderr.File
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	t.Cleanup(func() { s.cmd.Process.Kill() })
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if r, err := client.Get(s.url + "/healthz"); err == nil {
			r.Body.Close()
			return s
		}
	}
	t.Fatalf("the server did not come up: %s", s.stderr)
	return nil
}

// stop ends the server with SIGTERM and returns how long it took.
func (s *served) stop(t *testing.T) time.Duration {
	t.Helper()
	start := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("ended with %v: %s", err, s.stderr)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("still running 20 s after SIGTERM: %s", s.stderr)
	}
	return time.Since(start)
}

func freePort(t testing.TB) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// outcome runs topdeck to its end.
func outcome(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := program(ctx, args...)
	var out, err bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &err
	_ = cmd.Run() // the exit code is what counts
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}

func TestRefusalsAreOneLineThatSaysWhatToDo(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	file := func(text string) string {
		name := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	data := func() string { return filepath.Join(t.TempDir(), "data") }
	for _, test := range []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"unknown flag", []string{"serve", "--nosuch"}, 2, []string{"--nosuch"}},
		{"unknown command", []string{"explode"}, 2, []string{"explode"}},
		{"interval too short", []string{"serve", "--data", data(), "--interval", "5ms"}, 2, []string{"100ms"}},
		{"an age that is none", []string{"serve", "--data", data(), "--log-max-age", "soon"}, 2, []string{"--log-max-age", "400d"}},
		{"an age of no time", []string{"serve", "--data", data(), "--log-max-age", "5m"}, 2, []string{"--log-max-age", "at least 1h"}},
		{"an age below zero", []string{"serve", "--data", data(), "--log-max-age=-1d"}, 2, []string{"--log-max-age", "at least 1h"}},
		{"an age below zero as a word", []string{"serve", "--data", data(), "--log-max-age", "-5d"}, 2, []string{"--log-max-age", "400d", "0 to keep all"}},
		{"an age that is missing", []string{"serve", "--data", data(), "--log-max-age"}, 2, []string{"--log-max-age", "400d"}},
		{"an age beyond all", []string{"serve", "--data", data(), "--log-max-age", "99999999999999999999d"}, 2, []string{"--log-max-age"}},
		{"hardly any records", []string{"serve", "--data", data(), "--log-max-count", "5"}, 2, []string{"--log-max-count", "at least 1000"}},
		{"configuration of an age that is none", []string{"serve", "--config", file(`{"log-max-age":"1y"}`)}, 2, []string{"log-max-age", "400d"}},
		{"no port", []string{"serve", "--data", data(), "--listen", "127.0.0.1"}, 2, []string{"--listen", "ADDRESS:PORT"}},
		{"port in use", []string{"serve", "--data", data(), "--listen", busy.Addr().String()}, 1, []string{"address already in use", "--listen"}},
		{"key without certificate", []string{"serve", "--data", data(), "--tls-key", "x"}, 2, []string{"--tls-cert"}},
		{"certificate that is none", []string{"serve", "--data", data(), "--tls-key", plain, "--tls-cert", plain}, 1, []string{"cannot use the TLS certificate"}},
		{"commands on demand", []string{"serve", "--data", data(), "--commands", "some"}, 2, []string{"--commands", "off"}},
		{"a second factor for a role that is none", []string{"serve", "--data", data(), "--second-factor", "admin,root"}, 2, []string{"--second-factor", "role must be"}},
		{"configuration of a second factor for nobody", []string{"serve", "--config", file(`{"second-factor":"admin,"}`)}, 2, []string{"second-factor", "role must be"}},
		{"public URL with a path", []string{"serve", "--data", data(), "--public-url", "https://a.example/deck"}, 2, []string{"--public-url"}},
		{"data folder that is a file", []string{"serve", "--data", plain}, 1, []string{plain}},
		{"data folder that cannot be made", []string{"serve", "--data", "/proc/topdeck"}, 1, []string{"/proc/topdeck"}},
		{"configuration that is no JSON", []string{"serve", "--config", file("listen = 1")}, 2, []string{"config.json", "JSON object"}},
		{"configuration with a brace too many", []string{"serve", "--config", file(`{"listen":"x"}}`)}, 2, []string{"one JSON object"}},
		{"configuration that is null", []string{"serve", "--config", file(`null`)}, 2, []string{"one JSON object"}},
		{"configuration with an unknown key", []string{"serve", "--config", file(`{"lisen":"x"}`)}, 2, []string{"lisen", "listen"}},
		{"configuration with a list", []string{"serve", "--config", file(`{"listen":["x"]}`)}, 2, []string{"listen"}},
		{"configuration that is not there", []string{"serve", "--config", "/nonexistent/c.json"}, 2, []string{"/nonexistent/c.json"}},
		{"unknown part", []string{"sample", "--part", "weather"}, 2, []string{"weather"}},
		{"negative count", []string{"sample", "--count", "-1"}, 2, []string{"--count"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := outcome(t, "", test.args...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if stdout != "" || strings.Count(stderr, "\n") != 1 {
				t.Errorf("want one line on standard error, got %q and on standard output %q", stderr, stdout)
			}
			for _, words := range test.says {
				if !strings.Contains(stderr, words) {
					t.Errorf("%q does not say %q", stderr, words)
				}
			}
		})
	}
}

func TestConfigurationOrder(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(config, []byte(`{"interval":"1ms"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	// 1 ms, 2 ms and 3 ms are all refused, and the refusal tells which one was taken.
	for _, test := range []struct {
		name string
		env  string
		args []string
		want string
	}{
		{"the file", "", nil, "1ms"},
		{"the environment wins over the file", "2ms", nil, "2ms"},
		{"the command line wins over both", "2ms", []string{"--interval", "3ms"}, "3ms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd := program(t.Context(), append([]string{"serve", "--data", data, "--config", config}, test.args...)...)
			if test.env != "" {
				cmd.Env = append(cmd.Env, "TOPDECK_INTERVAL="+test.env)
			}
			out, _ := cmd.CombinedOutput()
			if !strings.Contains(string(out), test.want) {
				t.Errorf("got %q, want a refusal of %s", out, test.want)
			}
		})
	}
}

func TestSecondServerNamesTheHolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first := serve(t, dir)
	code, _, stderr := outcome(t, "", "serve", "--listen", "127.0.0.1:0", "--data", dir)
	if code != 1 || !strings.Contains(stderr, fmt.Sprint(first.cmd.Process.Pid)) {
		t.Errorf("exit code %d and %q; want 1 and PID %d named", code, stderr, first.cmd.Process.Pid)
	}
	first.stop(t)
	t.Log("row 9: a second server on one data folder is refused, and told who has it")
}

func TestFirstStartWritesTheSetupURL(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := serve(t, dir)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data folder: %v %v", info.Mode(), err)
	}
	file := filepath.Join(dir, "setup-url")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("set-up URL: %v %v", info, err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	setupURL, token, ok := strings.Cut(strings.TrimSpace(string(text)), "#token=")
	if !ok || setupURL != s.url+"/setup" || len(token) < 22 {
		t.Errorf("set-up URL %q", text)
	}
	if strings.Contains(s.stderr.String(), token) || !strings.Contains(s.stderr.String(), file) {
		t.Errorf("the log must name the file and not hold the token: %s", s.stderr)
	}

	// An account made while the server runs ends set-up.
	if code, _, stderr := outcome(t, "correct horse battery\n", "user", "add", "ada", "--role", "admin", "--data", dir); code != 0 {
		t.Fatalf("user add: %d %s", code, stderr)
	}
	r, err := s.post("/api/v1/setup", map[string]string{"token": token, "username": "eve", "password": "correct horse battery"})
	if err != nil || r.StatusCode != http.StatusGone {
		t.Errorf("set-up after an account was made answers %v %v", r.Status, err)
	}
	if r, err := s.post("/api/v1/session", map[string]string{"username": "ada", "password": "correct horse battery"}); err != nil || r.StatusCode != http.StatusOK {
		t.Errorf("sign-in answers %v %v", r.Status, err)
	}
	if took := s.stop(t); took > 5*time.Second {
		t.Errorf("SIGTERM took %v", took)
	}
	s = serve(t, dir)
	if _, err := os.Stat(file); err == nil {
		t.Error("the set-up URL outlived set-up")
	}
	s.stop(t)
}

func TestUserCommandsWithoutServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	for _, step := range []struct {
		name  string
		stdin string
		args  []string
		code  int
		says  string
	}{
		{"add", "correct horse battery\n", []string{"add", "ada", "--role", "admin"}, 0, ""},
		{"add again", "correct horse battery\n", []string{"add", "ada", "--role", "admin"}, 1, "ada"},
		{"short password", "short\n", []string{"add", "bob", "--role", "viewer"}, 1, "12"},
		{"bad name", "correct horse battery\n", []string{"add", "Bob!", "--role", "viewer"}, 2, "user name must"},
		{"bad role", "correct horse battery\n", []string{"add", "bob", "--role", "king"}, 2, "role must be"},
		{"add an operator", "correct horse battery\n", []string{"add", "bob", "--role", "operator"}, 0, ""},
		{"list", "", []string{"list"}, 0, "operator"},
		{"change the role", "", []string{"role", "bob", "viewer"}, 0, ""},
		{"change the password", "another horse battery\n", []string{"passwd", "bob"}, 0, ""},
		{"remove", "", []string{"remove", "bob"}, 0, ""},
		{"remove nobody", "", []string{"remove", "bob"}, 1, "bob"},
		{"the last administrator stays", "", []string{"remove", "ada"}, 1, "last"},
		{"and stays one", "", []string{"role", "ada", "viewer"}, 1, "last"},
	} {
		code, stdout, stderr := outcome(t, step.stdin, append(append([]string{"user"}, step.args...), "--data", dir)...)
		if code != step.code || !strings.Contains(stdout+stderr, step.says) {
			t.Errorf("%s: exit code %d, output %q %q; want %d and %q", step.name, code, stdout, stderr, step.code, step.says)
		}
	}
}

func TestSample(t *testing.T) {
	code, stdout, stderr := outcome(t, "", "sample", "--part", "host,summary,processes,sockets,services", "--count", "2", "--interval", "200ms")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want 2", len(lines))
	}
	for _, text := range lines {
		var line sampleLine
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatal(err)
		}
		if line.Host == nil || line.Summary == nil || line.Summary.Tasks == nil || line.Processes == nil || len(*line.Processes) == 0 || line.Sockets == nil || line.Services == nil {
			t.Errorf("a part is missing: %.300s", text)
		}
	}
}

func TestVersionAndHelpAreFoundByEitherName(t *testing.T) {
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"version"}, "topdeck "}, {[]string{"--version"}, "topdeck "},
		{[]string{"--help"}, "Usage: topdeck <command>"}, {[]string{"help"}, "Usage: topdeck <command>"}, {[]string{"help", "user", "add"}, "Usage: topdeck user add"},
	} {
		if code, stdout, stderr := outcome(t, "", test.args...); code != 0 || !strings.HasPrefix(stdout, test.says) || stderr != "" {
			t.Errorf("%v: exit code %d, %q, %q", test.args, code, stdout, stderr)
		}
	}
}

// post sends a JSON body as our own page would.
func (s *served) post(path string, body any) (*http.Response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequest("POST", s.url+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", s.url)
	r, err := s.client.Do(req)
	if err == nil {
		r.Body.Close()
	}
	return r, err
}
