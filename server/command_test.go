package server

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"topdeck/collector"
	"topdeck/control"
)

func TestSignals(t *testing.T) {
	s := startActing(t, "")
	detailer, err := collector.NewDetailer("", "")
	if err != nil {
		t.Skip(err)
	}
	admin := s.signedIn("ann", Admin)
	// sleeper is a process, where signals to it are sent, and its start time.
	sleeper := func() (child *exec.Cmd, path string, start uint64) {
		t.Helper()
		child = exec.Command("sleep", "1000.5")
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { child.Process.Kill(); child.Wait() })
		d, err := detailer.Detail(t.Context(), child.Process.Pid, false)
		if err != nil {
			t.Fatal(err)
		}
		return child, fmt.Sprintf("/processes/%d/signals", child.Process.Pid), d.Process.StartTime
	}
	for _, name := range []string{"SIGTERM", "TERM", "KILL", "SIGKILL", "USR1"} {
		child, path, start := sleeper()
		op := into[OperationReply](t, admin.want(202, "POST", path, map[string]any{"signal": name, "startTime": start})).Operation
		if op.RetStatus != control.Succeeded || op.LogType != "process.signal" || op.Target != fmt.Sprintf("%d:%d", child.Process.Pid, start) || op.Actor != "ann" {
			t.Errorf("%s: %+v", name, op)
		}
		if strings.Contains(op.Message, ".5") || !strings.Contains(op.Message, "(sleep)") { // the name alone: everybody may read it
			t.Errorf("%s: it is told as %q", name, op.Message)
		}
		_ = child.Wait()
		if got := child.ProcessState.Sys().(syscall.WaitStatus).Signal(); !strings.HasSuffix(name, map[syscall.Signal]string{15: "TERM", 9: "KILL", 10: "USR1"}[got]) {
			t.Errorf("%s: it ended by %v", name, got)
		}
	}

	child, path, start := sleeper()
	before := s.acts()
	for body, code := range map[string]string{
		fmt.Sprintf(`{"signal":"TERM","startTime":%d}`, start+1):     codeConflict,
		fmt.Sprintf(`{"signal":"SEGV","startTime":%d}`, start):       codeInvalid,
		fmt.Sprintf(`{"signal":"term","startTime":%d}`, start):       codeInvalid,
		fmt.Sprintf(`{"signal":"SIGSIGTERM","startTime":%d}`, start): codeInvalid,
		fmt.Sprintf(`{"signal":15,"startTime":%d}`, start):           codeInvalid,
		fmt.Sprintf(`{"signal":"TERM","startTime":"%d"}`, start):     codeInvalid,
		fmt.Sprintf(`{"signal":"TERM","startTime":%d,"x":1}`, start): codeInvalid,
		`{"signal":"TERM"}`: codeInvalid, `{"signal":"TERM","startTime":-1}`: codeInvalid, `{"signal":"TERM","startTime":null}`: codeInvalid, `{}`: codeInvalid,
	} {
		if a := admin.send("POST", path, body); a.code() != code {
			t.Errorf("%s: %s", body, a.body)
		}
	}
	for pid, code := range map[string]string{"1": codeConflict, fmt.Sprint(os.Getpid()): codeConflict, "0": codeNotFound, "-5": codeNotFound, "x": codeNotFound, "2147483647": codeNotFound} {
		if a := admin.send("POST", "/processes/"+pid+"/signals", `{"signal":"TERM","startTime":1}`); a.code() != code {
			t.Errorf("PID %s: %s", pid, a.body)
		}
	}
	// KILL asks for the password again, TERM does not.
	s.clock.add(confirmFor + time.Second)
	for _, name := range []string{"KILL", "SIGKILL"} {
		if a := admin.send("POST", path, map[string]any{"signal": name, "startTime": start}); a.code() != codeReauthenticate {
			t.Errorf("%s with an old password: %s", name, a.body)
		}
	}
	if after := s.acts(); after != before {
		t.Errorf("refused signals left %d records", after-before)
	}
	if err := child.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("a refused signal was sent: %v", err)
	}
	admin.want(202, "POST", path, map[string]any{"signal": "TERM", "startTime": start})
	admin.want(204, "POST", "/session/confirm", map[string]string{"password": testPassword})
	s.signedIn("oda", Operator).want(403, "POST", path, map[string]any{"signal": "TERM", "startTime": start})
}

func TestCommands(t *testing.T) {
	s := startActing(t, t.TempDir())
	admin, viewer := s.signedIn("ann", Admin), s.signedIn("vic", Viewer)
	one, two := admin.live(), viewer.live()
	one.until("hello", func(f *follower) bool { return f.hello != nil && f.hello.Commands })
	two.until("hello", func(f *follower) bool { return f.hello != nil })

	a := admin.want(202, "POST", "/commands", map[string]any{"command": "sh -c 'echo topsecret; echo $HOME; exit 3'", "timeout": 20})
	op := s.outcome(a)
	if op.RetStatus != control.Failed || *op.ExitCode != 3 || op.LogType != "command.run" || op.Actor != "ann" {
		t.Errorf("it became %+v", op)
	}
	output := into[OutputReply](t, admin.want(200, "GET", "/operations/"+op.ID+"/output", nil))
	if !strings.HasPrefix(output.Text, "topsecret\n/") || output.Truncated {
		t.Errorf("its output is %+v", output)
	}
	// Everybody hears of it; a viewer of no more than the program.
	for _, c := range []*dialled{one, two} {
		c.until("the end of the command", func(f *follower) bool {
			for _, e := range f.events {
				if e.Operation.ID != op.ID {
					continue
				}
				if told := fmt.Sprintf("%+v", e.Operation); strings.Contains(told, "topsecret") != (c == one) || !strings.HasPrefix(e.Operation.Target, "sh") {
					t.Errorf("it is told as %s", told)
				}
				if e.Operation.RetStatus == control.Failed {
					return true
				}
			}
			return false
		})
	}

	// A command that runs can be cancelled, with all that it started.
	a = admin.want(202, "POST", "/commands", map[string]any{"command": "sh -c 'sleep 1000 & echo begun; wait'"})
	id := into[OperationReply](t, a).Operation.ID
	s.wait("it runs", func() bool {
		return into[OutputReply](t, admin.want(200, "GET", "/operations/"+id+"/output", nil)).Text == "begun\n"
	})
	if op := into[OperationReply](t, admin.want(202, "POST", "/operations/"+id+"/cancel", `{}`)).Operation; op.ID != id {
		t.Errorf("cancelled is %+v", op)
	}
	if op := s.outcome(a); op.RetStatus != control.Failed || !strings.Contains(op.Message, "cancel") {
		t.Errorf("it became %+v", op)
	}
	if a := admin.send("POST", "/operations/"+id+"/cancel", `{}`); a.code() != codeConflict {
		t.Errorf("cancelled again: %s", a.body)
	}
	a = admin.want(202, "POST", "/commands", map[string]any{"command": "sleep 1000", "timeout": 1})
	if op := s.outcome(a); op.RetStatus != control.Failed || !strings.Contains(op.Message, " 1 second ") {
		t.Errorf("a command that takes too long became %+v", op)
	}

	before := s.acts()
	for body, code := range map[string]string{
		`{}`: codeInvalid, `{"command":""}`: codeInvalid, `{"command":"ls | cat"}`: codeInvalid, `{"command":"ls","timeout":-1}`: codeInvalid,
		`{"command":"ls","timeout":1e300}`: codeInvalid, `{"command":"ls","timeout":"5"}`: codeInvalid, `{"command":"ls","shell":true}`: codeInvalid,
		`{"command":"no-such-program-here"}`: codeNotFound,
	} {
		if a := admin.send("POST", "/commands", body); a.code() != code || a.message() == "" {
			t.Errorf("%s: %s", body, a.body)
		}
	}
	for _, id := range []string{"0", "x", "99999"} {
		admin.want(404, "GET", "/operations/"+id+"/output", nil)
		admin.want(404, "POST", "/operations/"+id+"/cancel", `{}`)
	}
	s.clock.add(confirmFor + time.Second)
	if a := admin.send("POST", "/commands", `{"command":"ls"}`); a.code() != codeReauthenticate {
		t.Errorf("with an old password: %s", a.body)
	}
	if after := s.acts(); after != before {
		t.Errorf("refused commands left %d records", after-before)
	}
}

func TestCommandsOff(t *testing.T) {
	fake := &fakeControl{}
	s := startServer(t, func(cfg *Config) { cfg.Control, cfg.Commands = fake, false })
	admin := s.signedIn("ann", Admin)
	if a := admin.want(403, "POST", "/commands", `{"command":"ls"}`); a.code() != codeForbidden || !strings.Contains(a.message(), "--commands off") {
		t.Errorf("got %s", a.body)
	}
	if got := fake.last(); got != "" {
		t.Errorf("and yet it asks for %s", got)
	}
	socket := admin.live()
	socket.until("hello", func(f *follower) bool { return f.hello != nil })
	if socket.follower.hello.Commands {
		t.Error("hello tells that commands are run")
	}
}
