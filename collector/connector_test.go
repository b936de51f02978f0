package collector

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// connected says that this machine tells births and deaths.
func connected(t *testing.T) {
	t.Helper()
	c, err := connect("/proc", newFakeSource())
	if err == nil {
		c.close()
	}
	needs(t, fmt.Sprintf("the proc connector (%v)", err), err == nil)
}

// find returns the end of a process.
func find(s *Sample, pid int) *Ended {
	for i := range s.Ended {
		if s.Ended[i].Process.PID == pid {
			return &s.Ended[i]
		}
	}
	return nil
}

func listed(s *Sample, pid int) bool {
	return slices.ContainsFunc(s.Processes, func(p *Process) bool { return p.PID == pid })
}

func TestShortLivedProcessesAreSeen(t *testing.T) {
	connected(t)
	_, samples := realCollector(t, 500*time.Millisecond, PartProcesses)
	await(t, samples, "processes", func(s *Sample) bool { return len(s.Processes) > 0 })
	for _, c := range []struct {
		script string
		code   int
		signal syscall.Signal
	}{
		{"sleep 0.05", 0, 0},
		{"sleep 0.05; exit 7", 7, 0},
		{"kill -KILL $$", 0, syscall.SIGKILL},
		{"kill -TERM $$", 0, syscall.SIGTERM},
	} {
		var before time.Time
		var e *Ended
		// Of those that sleep something is known besides their end, if they are looked at before. On a busy machine that may be too late for one.
		for try := 0; try == 0 || try < 20 && strings.HasPrefix(c.script, "sleep") && e.Process.Comm == ""; try++ {
			cmd := exec.Command("/bin/sh", "-c", c.script)
			before = time.Now()
			_ = cmd.Run() // how it ends is what the sample has to tell
			pid := cmd.Process.Pid
			await(t, samples, "the end of "+c.script, func(s *Sample) bool { e = find(s, pid); return e != nil })
		}
		switch {
		case c.signal != 0 && (e.Signal == nil || *e.Signal != int(c.signal) || e.ExitCode != nil):
			t.Errorf("%s: ended with the signal %v, want %d", c.script, e.Signal, c.signal)
		case c.signal == 0 && (e.ExitCode == nil || *e.ExitCode != c.code || e.Signal != nil):
			t.Errorf("%s: ended with the code %v, want %d", c.script, e.ExitCode, c.code)
		}
		p := e.Process
		if age := p.StartedAt.Sub(before); age < -2*time.Second || age > time.Since(before)+2*time.Second {
			t.Errorf("%s: started %v after it was started", c.script, age)
		}
		if p.PPID != os.Getpid() {
			t.Errorf("%s: its parent is %d", c.script, p.PPID)
		}
		if strings.HasPrefix(c.script, "sleep") {
			check(t, "name", p.Comm, "sh")
			check(t, "command line", p.Cmdline, "/bin/sh -c "+c.script)
		}
	}
}

func TestListedProcessEndsWithItsCode(t *testing.T) {
	connected(t)
	_, samples := realCollector(t, 200*time.Millisecond, PartProcesses)
	h := startHelper(t, "wait")
	h.line()
	await(t, samples, "the helper", func(s *Sample) bool { return listed(s, h.pid) })
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = h.cmd.Wait()
	var e *Ended
	await(t, samples, "its end", func(s *Sample) bool { e = find(s, h.pid); return e != nil })
	if e.Signal == nil || *e.Signal != int(syscall.SIGTERM) || !e.Listed {
		t.Errorf("ended is %+v", e)
	}
}

func TestZombieStaysUntilItIsReaped(t *testing.T) {
	connected(t)
	_, samples := realCollector(t, 200*time.Millisecond, PartProcesses)
	h := startHelper(t, "zombie", "5")
	pid, err := strconv.Atoi(strings.TrimPrefix(h.line(), "child "))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		s := await(t, samples, "the zombie", func(s *Sample) bool {
			return slices.ContainsFunc(s.Processes, func(p *Process) bool { return p.PID == pid && p.State == "Z" })
		})
		if e := find(s, pid); e != nil {
			t.Errorf("the zombie is told to have ended: %+v", e)
		}
	}
	h.input.Close()
	var e *Ended
	s := await(t, samples, "its end", func(s *Sample) bool { e = find(s, pid); return e != nil })
	if e.ExitCode == nil || *e.ExitCode != 5 || !e.Listed || listed(s, pid) {
		t.Errorf("ended is %+v", e)
	}
}

// A process whose first thread has ended goes on, and ends with the code of the whole.
func TestFirstThreadThatEndsIsNotTheProcess(t *testing.T) {
	connected(t)
	_, samples := realCollector(t, 200*time.Millisecond, PartProcesses)
	h := startHelper(t, "headless", "9")
	for range 3 {
		s := await(t, samples, "it without its first thread", func(s *Sample) bool {
			return slices.ContainsFunc(s.Processes, func(p *Process) bool { return p.PID == h.pid && p.State == "Z" && p.Threads > 1 })
		})
		if e := find(s, h.pid); e != nil {
			t.Errorf("it is told to have ended: %+v", e)
		}
	}
	h.input.Close()
	_ = h.cmd.Wait()
	var e *Ended
	await(t, samples, "its end", func(s *Sample) bool { e = find(s, h.pid); return e != nil })
	if e.ExitCode == nil || *e.ExitCode != 9 || !e.Listed {
		t.Errorf("ended is %+v", e)
	}
}

// When a thread that is not the first executes a program, the kernel tells the end of the first, and the process goes on.
func TestThreadThatExecutesAProgramIsNotAnEnd(t *testing.T) {
	connected(t)
	_, samples := realCollector(t, 200*time.Millisecond, PartProcesses)
	h := startHelper(t, "exec")
	check(t, "output", h.line(), "ready")
	for range 3 {
		s := await(t, samples, "the program", func(s *Sample) bool {
			return slices.ContainsFunc(s.Processes, func(p *Process) bool { return p.PID == h.pid && p.Cmdline == "executed" })
		})
		if e := find(s, h.pid); e != nil {
			t.Errorf("it is told to have ended: %+v", e)
		}
	}
	h.input.Close()
	_ = h.cmd.Wait()
	var e *Ended
	await(t, samples, "its end", func(s *Sample) bool { e = find(s, h.pid); return e != nil })
	if e.ExitCode == nil || *e.ExitCode != 0 {
		t.Errorf("ended is %+v", e)
	}
}

// Every one of a thousand processes that come and go is told, once, and with its code.
func TestThousandShortProcesses(t *testing.T) {
	connected(t)
	_, samples := realCollector(t, 200*time.Millisecond, PartProcesses)
	await(t, samples, "processes", func(s *Sample) bool { return len(s.Processes) > 0 })
	const n = 1000
	done := make(chan map[int]int, 1)
	go func() {
		codes := make(map[int]int)
		for i := range n {
			cmd := exec.Command("/bin/sh", "-c", fmt.Sprint("exit ", i%250))
			_ = cmd.Run()
			codes[cmd.Process.Pid] = i % 250
		}
		done <- codes
	}()
	told := make(map[int]Ended)
	take := func(s *Sample) {
		if reason, ok := s.Errors["events"]; ok {
			t.Logf("events: %s", reason)
		}
		for _, e := range s.Ended {
			if other, twice := told[e.Process.PID]; twice && other.Process.StartTime == e.Process.StartTime {
				t.Errorf("process %d is told twice: %+v, %+v", e.Process.PID, other, e)
			}
			told[e.Process.PID] = e
		}
	}
	var codes map[int]int
	timeout := time.After(2 * patience)
	for codes == nil {
		select {
		case s := <-samples:
			take(s)
		case codes = <-done:
		case <-timeout:
			t.Fatal("the processes take too long")
		}
	}
	take(<-samples)
	take(<-samples)
	for pid, code := range codes {
		e, ok := told[pid]
		switch {
		case !ok:
			t.Errorf("process %d is missing", pid)
		case e.ExitCode == nil || *e.ExitCode != code:
			t.Errorf("process %d ended with %v, want %d", pid, e.ExitCode, code)
		case e.Process.PPID != os.Getpid():
			t.Errorf("process %d has the parent %d", pid, e.Process.PPID)
		}
	}
}

func TestConnectorIsClosedWhenNobodyWatches(t *testing.T) {
	connected(t)
	c, samples := realCollector(t, 100*time.Millisecond, 0)
	<-samples
	before := descriptors(t)
	for range 5 {
		release := c.Watch(PartProcesses)
		await(t, samples, "processes", func(s *Sample) bool { return s.Processes != nil })
		release()
		await(t, samples, "none", func(s *Sample) bool { return s.Processes == nil })
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors are open, %d before", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestConnectorSaysWhyItIsSilent(t *testing.T) {
	f := newStage(t)
	for _, c := range []struct{ pid, user, want string }{
		{"", "", "cannot tell the PID namespace"},
		{"pid:[4026532001]", "user:[4026531837]", "not the initial PID namespace"},
		{"pid:[4026531836]", "user:[4026532001]", "not the initial user namespace"},
	} {
		f.remove("proc/self/ns")
		if c.pid != "" {
			if err := os.Mkdir(f.path("proc/self/ns"), 0o755); err != nil {
				t.Fatal(err)
			}
			for name, target := range map[string]string{"pid": c.pid, "user": c.user} {
				if err := os.Symlink(target, f.path("proc/self/ns/"+name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := connect(f.path("proc"), newFakeSource()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("the reason is %v, want one with %q", err, c.want)
		}
	}
}

func TestConnectorTellsWhatItMisses(t *testing.T) {
	source := newFakeSource()
	c := &connector{source: source, done: make(chan struct{}), news: make(chan struct{}, 1), lives: newLives()}
	drain := func() (whole bool, trouble string) {
		_, _, whole, trouble = c.drain()
		return whole, trouble
	}
	c.take([]event{fork(1, 10, 100), executed(10)}, false)
	check(t, "looks at a process with two events in a batch", source.looks[10], 0) // it is not there
	source.counted[11] = counts{pid: 11, start: 100}
	c.take([]event{{what: eventFork, parent: 1, pid: 11, tgid: 11, at: less(100*nanosecondsPerTick, suspendedTime())}, executed(11)}, false)
	check(t, "looks at a process with two events in a batch", source.looks[11], 1)
	if whole, trouble := drain(); !whole || trouble != "" {
		t.Errorf("without trouble: %v, %q", whole, trouble)
	}
	c.take(nil, true)
	if whole, trouble := drain(); whole || !strings.Contains(trouble, "more happened") {
		t.Errorf("after a gap: %v, %q", whole, trouble)
	}
	c.lives.dropped = 3
	if whole, trouble := drain(); whole || !strings.Contains(trouble, "3 are left out") {
		t.Errorf("after a storm: %v, %q", whole, trouble)
	}
	c.lives.unseen = 4
	if whole, trouble := drain(); !whole || !strings.Contains(trouble, "4 were not looked at") {
		t.Errorf("after many: %v, %q", whole, trouble)
	}
	if whole, trouble := drain(); !whole || trouble != "" {
		t.Errorf("afterwards: %v, %q", whole, trouble)
	}
	c.fail(os.ErrDeadlineExceeded)
	for range 2 {
		if whole, trouble := drain(); whole || !strings.Contains(trouble, "failed") {
			t.Errorf("after a failure: %v, %q", whole, trouble)
		}
	}
	if late := c.await(func([]*life) bool { return false }); late != nil {
		t.Errorf("awaited are %v", late)
	}
}
