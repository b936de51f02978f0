package collector

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf/asm"
)

// The two sources side by side on this machine, with processes of every kind. Each process is read from /proc before and
// after the iterator, and what the iterator tells must be one of the two or lie between them, with this tolerance:
//
//	processor time   2 ticks either way: /proc cuts utime and stime off at a tick each, and brings the reader's own up to date
//	state            any of those that a process that is awake changes between by itself
//	name             for a thread of the kernel its first 15 bytes; the rest is in its details
//	memory, faults,  those of a process that runs meanwhile lie between only if they move one way; so only processes that
//	threads          have not run are compared; both read the exact resident set, so it may be as old as the last change
//
// PID, start, parent, nice, user have none.
func TestSourcesTellTheSame(t *testing.T) {
	k := kernel(t)
	crowd(t)
	startHelper(t, "threads", "300").line()
	startHelper(t, "spin", "2").line()
	startHelper(t, "headless", "0")
	stop := shortLived(t)
	defer stop()

	bpf, err := newBPFSource(k, "/proc", &trust{log: slog.Default()})
	if err != nil {
		t.Fatal(err)
	}
	defer bpf.close()
	proc := newProcSource("/proc")
	defer proc.close()
	scan := func(s processSource) map[int]counts {
		t.Helper()
		list := make(map[int]counts)
		if err := s.scan(func(c *counts) {
			if _, twice := list[c.pid]; twice {
				t.Errorf("process %d is told twice", c.pid)
			}
			list[c.pid] = *c
		}); err != nil {
			t.Fatal(err)
		}
		return list
	}
	var seen map[string]int
	agree(t, func() (differences []string) {
		before := scan(proc)
		ours := scan(bpf)
		after := scan(proc)
		seen = make(map[string]int)
		for pid, b := range before {
			a, stays := after[pid]
			c, told := ours[pid]
			switch {
			case !stays || a.start != b.start:
				continue
			case !told:
				differences = append(differences, fmt.Sprintf("process %d (%s) is missing", pid, b.comm))
				continue
			}
			for _, d := range unlike(t, bpf, &b, &c, &a) {
				differences = append(differences, fmt.Sprintf("process %d (%s): %s: /proc says %+v and then %+v, BPF %+v", pid, b.comm, d, b, a, c))
			}
			seen[c.state]++
			seen[fmt.Sprint("nice ", c.nice)]++
			seen[fmt.Sprint("user ", c.traces.uid)]++
			if c.threads >= 300 {
				seen["many threads"]++
			}
			if c.state == "Z" && c.threads > 1 {
				seen["headless"]++
			}
			if c.vsize == 0 && c.ppid == 2 {
				seen["kernel"]++
			}
		}
		for pid, c := range ours {
			_, b := before[pid]
			_, a := after[pid]
			if !a && !b && uptimeClock()-time.Duration(c.start*nanosecondsPerTick) > 10*time.Second {
				differences = append(differences, fmt.Sprintf("process %d (%s) is only in BPF", pid, c.comm))
			}
		}
		return differences
	})
	for what, least := range map[string]int{"T": 19, "Z": 3, "S": 100, "nice 7": 19, "user 65534": 19, "many threads": 1, "headless": 1, "kernel": 1} {
		if seen[what] < least {
			t.Errorf("%d processes are %s, want at least %d: %v", seen[what], what, least, seen)
		}
	}
}

// unlike names the figures of c that are not those of /proc.
func unlike(t *testing.T, bpf *bpfSource, b, c, a *counts) (names []string) {
	t.Helper()
	say := func(name string, ok bool) {
		if !ok {
			names = append(names, name)
		}
	}
	const awake = "RSDI"
	say("start", c.start == b.start)
	say("parent", c.ppid == b.ppid || c.ppid == a.ppid)
	say("nice", c.nice == b.nice || c.nice == a.nice)
	say("state", c.state == b.state || c.state == a.state || strings.Contains(awake, c.state) && (strings.Contains(awake, a.state) || strings.Contains(awake, b.state)))
	say("time", between(b.used, c.used, a.used, 2*nanosecondsPerTick))
	if name := b.comm; b.vsize == 0 && b.state != "Z" {
		say("name", strings.HasPrefix(name, c.comm) || strings.HasPrefix(a.comm, c.comm))
	} else {
		say("name", c.comm == name || c.comm == a.comm)
	}
	if b.used == a.used && b.faults == a.faults && c.still {
		say("faults", c.faults == b.faults)
		say("threads", c.threads == b.threads || c.threads == a.threads)
		say("virtual size", c.vsize == b.vsize || c.vsize == a.vsize)
		say("resident set", between(b.rss, c.rss, a.rss, 0) || c.rss == a.rss)
	}
	if c.traces.groups != 0 { // else it is from /proc itself
		if d, err := bpf.details(c.pid); err == nil {
			say("user", d.uid == c.traces.uid)
		}
	}
	return names
}

// shortLived goes on starting processes that end at once, until stop is called.
func shortLived(t *testing.T) (stop func()) {
	t.Helper()
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stopped:
				return
			default:
				_ = exec.Command("/bin/true").Run()
			}
		}
	}()
	return func() {
		close(stopped)
		<-done
	}
}

// Time that a thread leaves behind when it ends, while its process is read, is neither counted twice nor lost.
func TestThreadThatEndsMeanwhile(t *testing.T) {
	bpf, err := newBPFSource(kernel(t), "/proc", &trust{log: slog.Default()})
	if err != nil {
		t.Fatal(err)
	}
	defer bpf.close()
	self := uint32(os.Getpid())
	want, err := bpf.counts(int(self))
	if err != nil {
		t.Fatal(err)
	}
	first := taskRecord{tgid: self, pid: self, threads: 2, sequence: 4, again: 4, used: 1, usedEnded: 10, start: want.start * nanosecondsPerTick}
	other := taskRecord{tgid: self, pid: self + 1, sequence: 4, again: 4, used: 100}
	for name, c := range map[string]struct {
		change func(first, other *taskRecord)
		first  int // where the first thread stands; -1 when the other is not told at all
		torn   bool
	}{
		"whole":                   {func(*taskRecord, *taskRecord) {}, 0, false},
		"whole, PIDs gone round":  {func(*taskRecord, *taskRecord) {}, 1, false},
		"one ended between them":  {func(_, o *taskRecord) { o.sequence, o.again = 6, 6 }, 0, true},
		"one ended before first":  {func(f, _ *taskRecord) { f.sequence, f.again = 6, 6 }, 1, true},
		"one ended during first":  {func(f, _ *taskRecord) { f.again = 6 }, 0, true},
		"one ended during other":  {func(_, o *taskRecord) { o.again = 6 }, 0, true},
		"one is about to":         {func(f, o *taskRecord) { f.sequence, f.again, o.sequence, o.again = 5, 5, 5, 5 }, 0, true},
		"one ended and not told":  {func(*taskRecord, *taskRecord) {}, -1, true},
		"one began and was told":  {func(f, _ *taskRecord) { f.threads = 1 }, 0, true},
		"of another process only": {func(f, o *taskRecord) { f.threads, o.tgid = 1, self+1 }, 0, false},
	} {
		f, o := first, other
		c.change(&f, &o)
		bpf.groups, bpf.early = nil, nil
		switch c.first {
		case -1:
			bpf.take(&f, time.Now())
		case 0:
			bpf.take(&f, time.Now())
			bpf.take(&o, time.Now())
		case 1:
			bpf.take(&o, time.Now())
			bpf.take(&f, time.Now())
		}
		bpf.joinEarly()
		var got counts
		bpf.count(&bpf.groups[0], &entry{}, &got)
		sum := f.used + f.usedEnded
		if o.tgid == self {
			sum += o.used
		}
		if torn := got.used != sum; torn != c.torn || torn && got.used < want.used {
			t.Errorf("%s: the time is %d, from /proc %v, want from /proc %v", name, got.used, torn, c.torn)
		}
	}
}

func TestStatesAreThoseOfProc(t *testing.T) {
	for _, c := range []struct {
		state, exit uint32
		want        string
	}{
		{0, 0, "R"}, {1, 0, "S"}, {2, 0, "D"}, {4, 0, "T"}, {8, 0, "t"}, {0x80, 0x10, "X"}, {0x80, 0x20, "Z"}, {0x40, 0, "P"}, {0x402, 0, "I"},
		{0x102, 0, "D"}, {0x2001, 0, "S"}, {0x1000, 0, "D"}, {0x8000, 0, "D"}, {0x200, 0, "R"}, {0x104, 0, "T"},
	} {
		check(t, fmt.Sprintf("state %x %x", c.state, c.exit), taskState(c.state, c.exit), c.want)
	}
}

// What the iterator leaves out is read from /proc, as long as it is there.
func TestProcessThatTheIteratorLeavesOut(t *testing.T) {
	bpf, err := newBPFSource(kernel(t), "/proc", &trust{log: slog.Default()})
	if err != nil {
		t.Fatal(err)
	}
	defer bpf.close()
	h := startHelper(t, "wait")
	h.line()
	tells := func() (times int) {
		t.Helper()
		if err := bpf.scan(func(c *counts) {
			if c.pid == h.pid {
				times++
			}
		}); err != nil {
			t.Fatal(err)
		}
		return times
	}
	check(t, "times it is told", tells(), 1)
	i, _ := bpf.find(h.pid)
	bpf.groups = slices.Delete(bpf.groups, i, i+1)
	bpf.roll.entries = append([]*entry(nil), bpf.roll.entries...)
	bpf.roll.begin()
	for i := range bpf.groups {
		bpf.roll.of(int(bpf.groups[i].tgid))
	}
	if err := bpf.missing(); err != nil || !slices.Contains(bpf.look, h.pid) {
		t.Errorf("a process that the iterator leaves out is not among %v, %v", bpf.look, err)
	}
	bpf.scans = listing
	bpf.roll = roll{} // it was never told
	if err := bpf.missing(); err != nil || !slices.Contains(bpf.look, h.pid) {
		t.Errorf("a process that the iterator never told is not among %v, %v", bpf.look, err)
	}
	told := 0
	if err := bpf.visit(bpf.look, func(c *counts) {
		if c.pid == h.pid {
			told++
		}
	}); err != nil || told != 1 {
		t.Errorf("it is told %d times, %v", told, err)
	}
	check(t, "times it is told when the iterator has it again", tells(), 1)
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
	check(t, "times it is told when it has ended", tells(), 0)
}

// A source of another kernel's data would tell nonsense; it is found out at the start.
func TestSourceMustTellThisProcessRight(t *testing.T) {
	k := kernel(t)
	bpf, err := newBPFSource(k, "/proc", &trust{log: slog.Default()})
	if err != nil {
		t.Fatal(err)
	}
	defer bpf.close()
	code := taskProgram(k)
	for i := range code { // takes another field for the start
		if code[i].Offset == k.offset("task_struct", "start_boottime", 8) && code[i].Src == asm.R6 {
			code[i].Offset = k.offset("task_struct", "se.sum_exec_runtime", 8)
		}
	}
	wrong := bpfSource{procSource: bpf.procSource, iterator: must[*iterator](t)(newIterator("task", code))}
	defer wrong.iterator.close()
	if err := wrong.prove(); err == nil || !strings.HasPrefix(err.Error(), "this kernel's tasks are not understood: the start ") {
		t.Errorf("a program that tells nonsense is taken: %v", err)
	}
}

func TestSourceIsChosen(t *testing.T) {
	kernel(t)
	folder := newStage(t).path("proc")
	for _, c := range []struct{ wanted, root, name, reason, err string }{
		{"auto", "/proc", "bpf", "", ""},
		{"", "/proc", "bpf", "", ""},
		{"bpf", "/proc", "bpf", "", ""},
		{"proc", "/proc", "proc", "", ""},
		{"auto", folder, "proc", "BPF tells of the running kernel, not of", ""},
		{"bpf", folder, "", "", "cannot read processes by BPF: BPF tells of the running kernel, not of"},
		{"top", "/proc", "", "", `cannot read processes from "top"`},
	} {
		s, err := openSources(c.wanted, c.root, slog.Default())
		switch {
		case c.err != "":
			if err == nil || !strings.HasPrefix(err.Error(), c.err) {
				t.Errorf("%s of %s: %v, want %s", c.wanted, c.root, err, c.err)
			}
		case err != nil:
			t.Errorf("%s of %s: %v", c.wanted, c.root, err)
		default:
			if got := s.source(); got.Name != c.name || !strings.HasPrefix(got.Reason, c.reason) || (got.Reason == "") != (c.reason == "") {
				t.Errorf("%s of %s is %+v, want %s (%s)", c.wanted, c.root, got, c.name, c.reason)
			}
			s.close()
		}
	}

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ command, want string }{
		{self + " 65534", "proc (the kernel lets only root use BPF"},
		{"unshare --pid --fork --mount-proc " + self + " 0", "proc (this is not the initial PID namespace"},
	} {
		args := strings.Fields(c.command)
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env = append(os.Environ(), helperVariable+"=source")
		if said, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(said), c.want) {
			t.Errorf("%s: the source is %s, %v, want %s", c.command, said, err, c.want)
		}
	}
}
