package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"topdeck/control"
)

// fakeControl stands for what acts on the host, where the test is of what reaches it. Without an answer of its own it knows nothing.
type fakeControl struct {
	mu     sync.Mutex
	asked  []string
	err    error // nil: not found
	detail control.ServiceDetail
	lines  []control.JournalLine
	come   chan []control.JournalLine // to who follows a journal, until it is closed
}

func (f *fakeControl) ask(what ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf("%q", what))
	if f.err != nil {
		return f.err
	}
	return control.ErrNotFound
}

// last is what was asked last, and nothing when nothing was since.
func (f *fakeControl) last() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := strings.Join(f.asked, "; ")
	f.asked = nil
	return all
}

func (f *fakeControl) ServiceAction(_ context.Context, who control.Who, name, action, confirm string) (control.Operation, error) {
	return control.Operation{}, f.ask("act", who.Actor, who.Source, name, action, confirm)
}

func (f *fakeControl) Detail(_ context.Context, name string) (control.ServiceDetail, error) {
	err := f.ask("detail", name)
	if f.detail.Service.Name != "" {
		return f.detail, nil
	}
	return control.ServiceDetail{}, err
}

func (f *fakeControl) Journal(_ context.Context, name string, lines int) ([]control.JournalLine, error) {
	err := f.ask("journal", name, lines)
	if f.lines != nil {
		return f.lines, nil
	}
	return nil, err
}

func (f *fakeControl) Signal(who control.Who, pid int, startTime uint64, signal string) (control.Operation, error) {
	return control.Operation{}, f.ask("signal", who.Actor, pid, startTime, signal)
}

func (f *fakeControl) RunCommand(who control.Who, line string, timeout time.Duration) (control.Operation, error) {
	return control.Operation{}, f.ask("run", who.Actor, line, timeout.String())
}

func (f *fakeControl) Cancel(who control.Who, id string) error { return f.ask("cancel", who, id) }

func (f *fakeControl) Output(id string) (string, string, error) { return "", "", f.ask("output", id) }

func (f *fakeControl) Follow(id string, _ func([]byte)) (func(), error) {
	return nil, f.ask("follow", id)
}

func (f *fakeControl) FollowJournal(ctx context.Context, name string, lines int, give func([]control.JournalLine)) error {
	err := f.ask("follow journal", name, lines)
	f.mu.Lock()
	come := f.come
	f.mu.Unlock()
	if come == nil {
		return err
	}
	for {
		select {
		case lines, open := <-come:
			if !open {
				return err
			}
			give(lines)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// startActing starts a server that acts on the host; its services are the scripts below root, unless that is empty.
func startActing(t *testing.T, root string, edit ...func(*Config)) *testServer {
	t.Helper()
	var m *control.Manager
	s := startServer(t, append(edit, func(cfg *Config) {
		m = control.NewManager(control.Config{Log: cfg.Log, Root: root, Logger: cfg.Logger})
		cfg.Control, cfg.Services = m, m
	})...)
	t.Cleanup(m.Close)
	m.Subscribe(s.ServicesChanged)
	return s
}

// scripts is a file system with scripts of services: what each does is told for each action.
func scripts(t *testing.T, services map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	folder := filepath.Join(root, "etc/init.d")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, branches := range services {
		text := "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: " + name + "\n# Short-Description: " + name + "\n### END INIT INFO\ncase \"$1\" in\n" + branches + "\nesac\n"
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// outcome waits for the end of an operation.
func (s *testServer) outcome(a answer) control.Operation {
	s.t.Helper()
	op := into[OperationReply](s.t, a).Operation
	s.wait("the end of "+op.LogType, func() bool {
		var err error
		if op, err = s.log.Get(op.ID); err != nil {
			s.t.Fatal(err)
		}
		return op.RetStatus != control.Running
	})
	return op
}

// acts counts the records of acts on the host.
func (s *testServer) acts() (n int) {
	for _, line := range s.operations() {
		if strings.HasPrefix(line, "service.") || strings.HasPrefix(line, "process.") || strings.HasPrefix(line, "command.") {
			n++
		}
	}
	return n
}

// A real service manager, and everybody who looks on.
func TestActOnService(t *testing.T) {
	s := startActing(t, scripts(t, map[string]string{
		"good": "start) echo fine;;\nstatus) exit 0;;",
		"bad":  "start) echo 'no such port' >&2; exit 7;;\nstatus) exit 3;;",
		"ssh":  "stop) exit 0;;\nstatus) exit 0;;",
	}))
	operator, viewer := s.signedIn("oda", Operator), s.signedIn("vic", Viewer)
	socket := viewer.live()
	socket.until("hello", func(f *follower) bool { return f.hello != nil })

	a := operator.want(202, "POST", "/services/good/actions", map[string]string{"action": "start"})
	if op := into[OperationReply](t, a).Operation; op.LogType != "service.start" || op.Target != "good" || op.Actor != "oda" || op.Source != "127.0.0.1" || op.ID == "" {
		t.Errorf("the answer is %+v", op)
	}
	if op := s.outcome(a); op.RetStatus != control.Succeeded {
		t.Errorf("it became %+v", op)
	}
	id := into[OperationReply](t, a).Operation.ID
	socket.until("the act and its end, elsewhere", func(f *follower) bool {
		states := ""
		for _, e := range f.events {
			if e.Operation.ID == id {
				states += " " + string(e.Operation.RetStatus)
			}
		}
		return states == " running succeeded"
	})
	op := s.outcome(operator.want(202, "POST", "/services/sysv:bad/actions", map[string]string{"action": "start", "confirm": ""}))
	if op.RetStatus != control.Failed || *op.ExitCode != 7 || !strings.Contains(op.Message, "no such port") {
		t.Errorf("a script that fails is told as %+v", op)
	}
	if op := s.outcome(operator.want(202, "POST", "/services/ssh/actions", `{"action":"stop","confirm":"ssh"}`)); op.RetStatus != control.Succeeded {
		t.Errorf("a guarded service whose name was repeated: %+v", op)
	}

	before := s.acts()
	for request, code := range map[string]string{
		`ssh {"action":"stop"}`: codeConflict, `ssh {"action":"stop","confirm":"good"}`: codeConflict,
		`good {"action":"explode"}`: codeInvalid, `good {"action":""}`: codeInvalid, `good {}`: codeInvalid, `good {"action":"start","x":1}`: codeInvalid, `good []`: codeInvalid,
		`goo {"action":"start"}`: codeNotFound, `* {"action":"start"}`: codeNotFound, `GOOD {"action":"start"}`: codeNotFound,
		`..%2Finit.d%2Fgood {"action":"start"}`: codeNotFound, `%2e%2e {"action":"start"}`: codeNotFound, `%67ood%00 {"action":"start"}`: codeNotFound,
		`a%255Cx2db%2540 {"action":"start"}`: codeNotFound, `a-b@ {"action":"start"}`: codeNotFound, `systemd:good {"action":"start"}`: codeNotFound,
		`%FF {"action":"start"}`: codeNotFound, `%zz {"action":"start"}`: codeInvalid, strings.Repeat("x", 2000) + ` {"action":"start"}`: codeNotFound,
	} {
		name, body, _ := strings.Cut(request, " ")
		if strings.Contains(name, "%zz") {
			a := s.raw("POST /api/v1/services/"+name+"/actions HTTP/1.1\nHost: "+s.address+"\nOrigin: http://"+s.address+
				"\nContent-Type: application/json\nCookie: "+operator.cookie+fmt.Sprintf("\nContent-Length: %d", len(body)), body)
			if a.code() != code {
				t.Errorf("%s: %s %s", request, a.Status, a.body)
			}
			continue
		}
		if a := operator.send("POST", "/services/"+name+"/actions", body); a.code() != code || a.message() == "" {
			t.Errorf("%.60s: got %s %s, want %s", request, a.Status, a.body, code)
		}
	}
	viewer.want(403, "POST", "/services/good/actions", `{"action":"start"}`)
	if after := s.acts(); after != before {
		t.Errorf("refused acts left %d records", after-before)
	}
}

// The name gets to the manager as it is, decoded once.
func TestServiceNamesAreDecodedOnce(t *testing.T) {
	fake := &fakeControl{}
	s := startServer(t, func(cfg *Config) { cfg.Control = fake })
	b := s.signedIn("oda", Operator)
	for path, name := range map[string]string{
		"nginx":                       "nginx",
		"systemd:nginx.service":       "systemd:nginx.service",
		"systemd%3Anginx.service":     "systemd:nginx.service",
		"a%20b":                       "a b",
		"a+b":                         "a+b",
		"getty@tty1.service":          "getty@tty1.service",
		`dev-disk%5Cx2dby.swap`:       `dev-disk\x2dby.swap`,
		"%2Fetc%2Finit.d%2Fx":         "/etc/init.d/x",
		"..%2F..":                     "../..",
		"%2e%2e":                      "..",
		"%252F":                       "%2F",
		"*%3F%5B":                     "*?[",
		"%E2%80%AE%E6%97%A5%E6%9C%AC": "\u202e日本",
		"x%0A":                        "x\n",
		"x%3Ay%23z":                   "x:y#z",
	} {
		for _, request := range []struct{ method, path, want string }{
			{"GET", "/services/" + path, fmt.Sprintf("%q", []any{"detail", name})},
			{"GET", "/services/" + path + "/journal", fmt.Sprintf("%q", []any{"journal", name, 200})},
			{"POST", "/services/" + path + "/actions", fmt.Sprintf("%q", []any{"act", "oda", "127.0.0.1", name, "stop", "c"})},
		} {
			var body any
			if request.method == "POST" {
				body = `{"action":"stop","confirm":"c"}`
			}
			if a := b.want(404, request.method, request.path, body); a.code() != codeNotFound {
				t.Errorf("%s: %s", request.path, a.body)
			}
			if got := fake.last(); got != request.want {
				t.Errorf("%s %s asks for %s, want %s", request.method, request.path, got, request.want)
			}
		}
	}
	for _, path := range []string{"/services/a/b", "/services/a/b/actions", "/services/", "/services//actions", "/services/a/actions/"} {
		b.want(404, "POST", path, `{"action":"stop"}`)
		if got := fake.last(); got != "" {
			t.Errorf("%s asks for %s", path, got)
		}
	}
}

// What package control refuses gets the contract's code, and its own words.
func TestControlErrors(t *testing.T) {
	fake := &fakeControl{}
	s := startServer(t, func(cfg *Config) { cfg.Control = fake })
	b := s.signedIn("ann", Admin)
	for err, want := range map[error]struct {
		status int
		code   string
	}{
		control.ErrInvalid: {400, codeInvalid}, control.ErrNotFound: {404, codeNotFound}, control.ErrConflict: {409, codeConflict},
		control.ErrTooMany: {429, codeTooMany}, control.ErrUnavailable: {503, codeUnavailable},
		fmt.Errorf("cannot write the log: %w", syscall.ENOSPC): {503, codeUnavailable},
	} {
		fake.err = err
		for path, body := range map[string]string{
			"/services/x/actions": `{"action":"stop"}`, "/processes/5/signals": `{"signal":"TERM","startTime":1}`, "/commands": `{"command":"x"}`,
		} {
			if a := b.want(want.status, "POST", path, body); a.code() != want.code || !strings.Contains(a.message(), err.Error()) {
				t.Errorf("%s: %v is told as %s", path, err, a.body)
			} else if later := a.Header.Get("Retry-After"); want.status == 429 && later != "1" || want.status != 429 && later != "" {
				t.Errorf("%s: %v says to come back after %q", path, err, later)
			}
		}
	}
	fake.err = errors.New("a secret of the server")
	for _, path := range []string{"/services/x", "/services/x/journal", "/operations/1/output"} {
		if a := b.want(500, "GET", path, nil); strings.Contains(string(a.body), "secret") {
			t.Errorf("%s tells %s", path, a.body)
		}
	}
	if s.acts() != 0 {
		t.Errorf("there are records: %v", s.operations())
	}
}
