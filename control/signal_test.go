package control

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"topdeck/control/sdhost"
)

// sleeper is a process that sleeps, with its start time.
func sleeper(t *testing.T, m *Manager) (*exec.Cmd, uint64) {
	t.Helper()
	cmd := exec.Command("env", "--default-signal", "sleep", "1000") // who runs the tests may ignore some, as nohup(1) does
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	var start uint64
	until(t, "it sleeps", func() bool {
		var comm string
		var err error
		if start, comm, err = m.processStart(cmd.Process.Pid); err != nil {
			t.Fatal(err)
		}
		return comm == "sleep" && m.processLine(cmd.Process.Pid) == "sleep 1000" // it gets its name a little before
	})
	return cmd, start
}

func TestSignals(t *testing.T) {
	l := openLog(t, LogConfig{})
	m := NewManager(Config{Log: l})
	defer m.Close()
	me := must[*user.User](t)(user.Current())
	for name, want := range signals {
		cmd, start := sleeper(t, m)
		pid := cmd.Process.Pid
		op, err := m.Signal(ann, pid, start, name)
		if want := "user: " + me.Username + "\ncommand line: sleep 1000\n"; op.Detail != want {
			t.Errorf("%s: what is known of the process is %q, want %q", name, op.Detail, want)
		}
		if err != nil || op.RetStatus != Succeeded || op.Target != strconv.Itoa(pid)+":"+strconv.FormatUint(start, 10) || op.Actor != "ann" {
			t.Errorf("%s: %+v, %v", name, op, err)
		}
		switch name {
		case "CONT":
		case "STOP":
			until(t, "it is stopped", func() bool {
				b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
				return strings.Contains(string(b), ") T ")
			})
		default:
			cmd.Wait()
			if got := cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(); got != want {
				t.Errorf("%s: it was ended by %v", name, got)
			}
		}
	}
}

// TestWhatIsToldOfASignalledProcess: anybody writes the command line of a process, and it may not answer at all.
func TestWhatIsToldOfASignalledProcess(t *testing.T) {
	const status = "Name:\tx\nUid:\t0\t4294967\t0\t0\n"
	for _, test := range []struct{ name, status, cmdline, want string }{
		{"of no account", status, "x\x00-y\x00", "user: 4294967\ncommand line: x -y\n"},
		{"a thread of the kernel", status, "", "user: 4294967\n"},
		{"control characters and more", status, "a\nuser: b\x1b[31m\u202e\xff\x00", "user: 4294967\ncommand line: a user: b [31m \ufffd\n"},
		{"long", status, strings.Repeat("x", 1<<20), "user: 4294967\ncommand line: " + strings.Repeat("x", maxTarget-len("…")) + "…\n"},
		{"no user", "Name:\tx\n", "x\x00", "command line: x\n"},
	} {
		root := t.TempDir()
		write(t, filepath.Join(root, "proc/7/status"), test.status, 0o644)
		write(t, filepath.Join(root, "proc/7/cmdline"), test.cmdline, 0o644)
		if got := (&Manager{root: root}).described(7); got != test.want {
			t.Errorf("%s: %.200q, want %.200q", test.name, got, test.want)
		}
	}

	root := t.TempDir()
	hangs := filepath.Join(root, "proc/7/cmdline")
	write(t, filepath.Join(root, "proc/7/status"), status, 0o644)
	if err := syscall.Mkfifo(hangs, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := (&Manager{root: root}).described(7); got != "user: 4294967\n" {
		t.Errorf("of a process that does not answer: %q", got)
	}
	if f, err := os.OpenFile(hangs, os.O_RDWR, 0); err == nil { // who reads it is let go
		f.Close()
	}
}

func TestNoOtherProcessIsSignalled(t *testing.T) {
	l := openLog(t, LogConfig{})
	m := NewManager(Config{Log: l})
	defer m.Close()
	cmd, start := sleeper(t, m)
	gone, goneStart := sleeper(t, m)
	gone.Process.Kill()
	gone.Wait()
	for _, test := range []struct {
		name   string
		pid    int
		start  uint64
		signal string
		want   error
	}{
		{"another process has its PID", cmd.Process.Pid, start - 1, "KILL", ErrConflict},
		{"no process has its PID", gone.Process.Pid, goneStart, "KILL", ErrNotFound},
		{"an unknown signal", cmd.Process.Pid, start, "SEGV", ErrInvalid},
		{"a number", cmd.Process.Pid, start, "9", ErrInvalid},
		{"its whole group", 0, 0, "KILL", ErrInvalid},
		{"every process", -1, 0, "KILL", ErrInvalid},
		{"process 1", 1, 0, "TERM", ErrConflict},
		{"ourselves", os.Getpid(), 0, "TERM", ErrConflict},
	} {
		if op, err := m.Signal(ann, test.pid, test.start, test.signal); !errors.Is(err, test.want) {
			t.Errorf("%s: %+v, %v, want %v", test.name, op, err, test.want)
		}
	}
	if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the other process was hit: %v", err)
	}
	if page := must[Page](t)(l.List(t.Context(), Filter{})); page.Total != 0 {
		t.Errorf("%d records of what was refused", page.Total)
	}
}

// TestSignalsThatAreIgnored: that one was sent does not say that anything comes of it.
func TestSignalsThatAreIgnored(t *testing.T) {
	l := openLog(t, LogConfig{})
	m := NewManager(Config{Log: l})
	defer m.Close()
	cmd := exec.Command("env", "--default-signal", "--ignore-signal=TERM", "sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	until(t, "it sleeps", func() bool { return m.processLine(cmd.Process.Pid) == "sleep 1000" })
	const ignored = "; it ignores that signal"
	for _, test := range []struct {
		pid    int
		signal string
		want   bool
	}{{2, "TERM", true}, {cmd.Process.Pid, "TERM", true}, {cmd.Process.Pid, "CONT", false}, {cmd.Process.Pid, "KILL", false}} {
		start, comm, err := m.processStart(test.pid)
		if test.pid == 2 && (err != nil || comm != "kthreadd") {
			continue // in a PID namespace of its own, or in a container
		}
		if op := must[Operation](t)(m.Signal(ann, test.pid, start, test.signal)); strings.HasSuffix(op.Message, ignored) != test.want {
			t.Errorf("SIG%s to %s: %q", test.signal, comm, op.Message)
		}
	}
}

// TestAPIDThatIsUsedAgain signals processes while they end and others get their PIDs, 2,000 times, and 10,000 with
// TOPDECK_SOAK=1. That is done in a PID namespace of its own, where nobody else takes the next PID.
func TestAPIDThatIsUsedAgain(t *testing.T) { // not beside others: it takes all processors
	if os.Geteuid() != 0 {
		t.Skip("needs root, for a namespace of its own")
	}
	cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
		os.Args[0], "-test.run=^TestAPIDThatIsUsedAgainWithin$", "-test.v")
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestAPIDThatIsUsedAgainWithin") {
		t.Errorf("%v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, " tries") {
			t.Log(strings.TrimSpace(line))
		}
	}
}

// TestAPIDThatIsUsedAgainWithin is not a test of its own: TestAPIDThatIsUsedAgain runs it within its namespace.
func TestAPIDThatIsUsedAgainWithin(t *testing.T) {
	if os.Getenv(insideEnv) == "" {
		t.Skip("runs only as a part of TestAPIDThatIsUsedAgain")
	}
	const atOnce = 16 // most of a try is waiting
	tries := 2000
	if os.Getenv("TOPDECK_SOAK") != "" {
		tries = 10_000
	}
	l := openLog(t, LogConfig{MaxCount: 1000})
	m := NewManager(Config{Log: l})
	defer m.Close()
	var starting sync.Mutex // the next PID is chosen, and then used
	// sleeper starts a process that sleeps, with that PID, or one of the next if a thread of ours just took it.
	sleeper := func(pid int) *exec.Cmd {
		starting.Lock()
		defer starting.Unlock()
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0o644); err != nil {
			t.Error(err)
		}
		cmd := exec.Command("sleep", "1000")
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return nil
		}
		return cmd
	}
	// try tells whether the PID was used again. Each has PIDs to itself: what others start must not take one at once.
	try := func(n int) bool {
		victim := sleeper(1000 + 20*(n%1500))
		if victim == nil {
			return false
		}
		pid := victim.Process.Pid
		start, _, err := m.processStart(pid)
		if err != nil {
			t.Error(err)
		}
		stop, done := make(chan struct{}), make(chan struct{})
		go func() { // never KILL or TERM before its end: what is hit after it must be somebody else
			defer close(done)
			for {
				select {
				case <-stop:
					return
				default:
					m.Signal(ann, pid, start, "USR1")
					time.Sleep(time.Millisecond)
				}
			}
		}()
		victim.Wait()                     // USR1 ends it
		time.Sleep(30 * time.Millisecond) // two ticks, and one for rounding
		other := sleeper(pid)
		if other == nil {
			return false
		}
		_, err = m.Signal(ann, pid, start, "USR1")
		close(stop)
		<-done
		reused := other.Process.Pid == pid
		if reused && !errors.Is(err, ErrConflict) {
			t.Errorf("another process has PID %d: %v, want ErrConflict", pid, err)
		}
		if err := other.Process.Kill(); err != nil {
			t.Error(err)
		}
		other.Wait()
		if got := other.ProcessState.Sys().(syscall.WaitStatus).Signal(); got != syscall.SIGKILL {
			t.Errorf("the other process was ended by %v", got)
		}
		return reused
	}
	var next, reused atomic.Int64
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for n := next.Add(1); n <= int64(tries) && !t.Failed(); n = next.Add(1) {
				if try(int(n)) {
					reused.Add(1)
				}
			}
		})
	}
	workers.Wait()
	if n := reused.Load(); n < int64(tries)*9/10 {
		t.Errorf("only %d of %d PIDs were used again", n, tries)
	}
	t.Logf("row 12: %d tries, %d PIDs used again, no wrong process signalled", tries, reused.Load())
}

func TestRestarts(t *testing.T) {
	for policy, want := range map[string]string{ // by which signals, in the order of the names
		"no": "", "": "", "on-watchdog": "", "always": "HUP INT KILL TERM USR1 USR2", "on-success": "HUP INT TERM",
		"on-failure": "KILL USR1 USR2", "on-abnormal": "KILL USR1 USR2", "on-abort": "KILL USR1 USR2",
	} {
		var got []string
		for _, name := range slices.Sorted(maps.Keys(signals)) {
			if restarts(policy, name) {
				got = append(got, name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", policy, got, want)
		}
	}
}

func TestSignalsToServices(t *testing.T) {
	t.Parallel()
	h := sdhost.Boot(t, map[string]string{
		"td-back.service": "[Service]\nExecStart=/bin/sleep 1000\nRestart=always\nRestartSec=100ms\nStartLimitIntervalSec=0\n",
		"td-fail.service": "[Service]\nExecStart=/bin/sleep 1000\nRestart=on-failure\n",
		"td-once.service": "[Service]\nExecStart=/bin/sleep 1000\n",
	})
	self := must[[]byte](t)(os.ReadFile(os.Args[0]))
	write(t, filepath.Join(h.Root, "td/control.test"), string(self), 0o755)
	out, err := h.Command("env", insideEnv+"=1", "/td/control.test", "-test.run=^TestSignalsWithin$", "-test.v").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestSignalsWithin") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestSignalsWithin is not a test of its own: TestSignalsToServices runs it within a host, where PIDs are those that systemd tells.
func TestSignalsWithin(t *testing.T) {
	if os.Getenv(insideEnv) == "" {
		t.Skip("runs only as a part of TestSignalsToServices")
	}
	l := openLog(t, LogConfig{})
	m := NewManager(Config{Log: l})
	defer m.Close()
	for _, test := range []struct{ service, signal, want string }{
		{"td-back.service", "KILL", "; td-back.service starts it again: stop the service instead"},
		{"td-back.service", "TERM", "; if that ends it, td-back.service starts it again: stop the service instead"},
		{"td-back.service", "STOP", ""},
		{"td-fail.service", "TERM", ""},
		{"td-fail.service", "KILL", "; td-fail.service starts it again: stop the service instead"},
		{"td-once.service", "KILL", ""},
	} {
		// A start would find the last signal's process active still.
		if out, err := exec.Command("systemctl", "restart", test.service).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		var pid int
		until(t, test.service+" runs", func() bool {
			services, _ := m.Services(t.Context())
			i := slices.IndexFunc(services, func(s Service) bool { return s.Name == test.service })
			if i < 0 || services[i].SubState != "running" {
				return false
			}
			pid = services[i].MainPID
			_, err := os.Stat("/proc/" + strconv.Itoa(pid))
			return pid > 0 && err == nil
		})
		start, comm, err := m.processStart(pid)
		if err != nil {
			t.Fatal(err)
		}
		op, err := m.Signal(ann, pid, start, test.signal)
		if want := "sent SIG" + test.signal + " to process " + strconv.Itoa(pid) + " (" + comm + ")" + test.want; err != nil || op.Message != want {
			t.Errorf("%s to %s: %q, %v, want %q", test.signal, test.service, op.Message, err, want)
		}
	}
	cmd, start := sleeper(t, m) // of no service
	if op := must[Operation](t)(m.Signal(ann, cmd.Process.Pid, start, "KILL")); strings.Contains(op.Message, "again") {
		t.Errorf("%+v", op)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("7 (a b) c) S 1 1 1 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 1 0 12345 1 1")
	f.Add("7 (")
	f.Add(") (")
	f.Fuzz(func(t *testing.T, stat string) {
		if _, comm, err := parseStat(stat); err == nil && strings.ContainsAny(comm, "\n\r\x00") {
			t.Errorf("%q: %q", stat, comm)
		}
	})
}

func TestParseStat(t *testing.T) {
	start, comm, err := parseStat("7 (a b) c\n) S 1 1 1 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 1 0 12345 1 1")
	if start != 12345 || comm != "a b) c" || err != nil {
		t.Errorf("%d, %q, %v", start, comm, err)
	}
}
