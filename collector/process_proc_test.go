package collector

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openStats counts the descriptors of this program that stand for a process's stat.
func openStats(t *testing.T) (n int) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && filepath.Base(target) == "stat" {
			n++
		}
	}
	return n
}

func TestDescriptorsStayOpenUpToABound(t *testing.T) {
	sleepers(t, 20)
	s := newProcSource("/proc")
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	check(t, "the soft limit, which the runtime raises", limit.Cur, limit.Max)
	check(t, "the bound", s.maxOpen, int(limit.Cur/2))
	scan := func() (n int) {
		t.Helper()
		if err := s.scan(func(*counts) { n++ }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, bound := range []int{5, 15} {
		s.maxOpen = bound
		for range 3 {
			if n := scan(); n < 20 {
				t.Errorf("with %d descriptors only %d processes are read", bound, n)
			}
			check(t, "descriptors kept", s.open, bound)
			check(t, "descriptors open", openStats(t), bound)
		}
	}
	s.rest()
	check(t, "descriptors kept at rest", s.open+openStats(t), 0)
	scan()
	check(t, "descriptors kept again", openStats(t), 15)
	s.close()
	check(t, "descriptors kept at the end", s.open+openStats(t), 0)
	if s := newProcSource(newStage(t).path("proc")); s.maxOpen != 0 {
		t.Error("descriptors of files that never say ESRCH are kept")
	}
}

// A descriptor is of one process: when that has ended, another with its PID is read anew.
func TestPIDThatIsUsedAgainIsAnotherProcess(t *testing.T) {
	s := newProcSource("/proc")
	defer s.close()
	first := startHelper(t, "wait")
	first.line()
	var c counts
	s.kept.begin()
	e := s.kept.of(first.pid)
	if err := s.read(e, &c); err != nil {
		t.Fatal(err)
	}
	kept := e.file
	if err := s.read(e, &c); err != nil || e.file != kept || kept < 0 {
		t.Fatalf("a second look opens %d, %v", e.file, err)
	}
	second := startHelper(t, "wait")
	second.line()
	_ = first.cmd.Process.Kill()
	_ = first.cmd.Wait()
	if err := s.read(e, &c); err != errGone || e.file >= 0 {
		t.Errorf("of an ended process: %v, descriptor %d", err, e.file)
	}
	// As if the kernel had given its PID to the second one.
	if err := s.read(e, &c); err != errGone {
		t.Errorf("of an ended process, again: %v", err)
	}
	e.file, s.open, e.pid = openEnded(t), s.open+1, second.pid
	want, err := s.counts(second.pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.read(e, &c); err != nil || c.start != want.start || c.pid != second.pid {
		t.Errorf("of the next process with that PID: %+v, %v", c, err)
	}
}

// openEnded is a descriptor for the stat of a process that has ended since.
func openEnded(t *testing.T) int {
	t.Helper()
	h := startHelper(t, "wait")
	h.line()
	f := newFiles("/proc", 0)
	file, err := f.open(h.pid, "stat")
	if err != nil {
		t.Fatal(err)
	}
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
	return file
}

// Allocations a process would show as thousands.
func TestScansAllocateNothingForAProcess(t *testing.T) {
	const n = 1000
	parent := sleepers(t, n)
	for _, which := range []string{"proc", "bpf"} {
		t.Run(which, func(t *testing.T) {
			if which == "bpf" {
				kernel(t)
			}
			s, err := openSources(which, "/proc", slog.Default())
			if err != nil {
				t.Fatal(err)
			}
			defer s.close()
			children := childrenOf(t, s.processes, parent, n)
			table := newTable(chosenSource{s.processes, children}, newUsers("/etc"), uptimeClock)
			now := time.Now()
			scan := func() {
				now = now.Add(time.Second)
				if _, err := table.scan(now, 0); err != nil {
					t.Error(err)
				}
			}
			for range 2 * lookEvery {
				scan()
			}
			least := float64(n)
			for range 5 { // others begin and end meanwhile, and those do cost
				least = min(least, testing.AllocsPerRun(lookEvery, scan))
			}
			if least > n/10 {
				t.Errorf("a scan of %d processes allocates %v times", n, least)
			}
			check(t, "processes", len(table.order), n)
		})
	}
}

// chosenSource tells only of some processes.
type chosenSource struct {
	processSource
	pids []int
}

func (s chosenSource) scan(visit func(*counts)) error {
	return s.processSource.scan(func(c *counts) {
		if _, chosen := slices.BinarySearch(s.pids, c.pid); chosen {
			visit(c)
		}
	})
}

func childrenOf(t *testing.T, s processSource, parent, n int) (pids []int) {
	t.Helper()
	if err := s.scan(func(c *counts) {
		if c.ppid == parent {
			pids = append(pids, c.pid)
		}
	}); err != nil || len(pids) != n {
		t.Fatalf("%d children, %v", len(pids), err)
	}
	slices.Sort(pids)
	return pids
}

func TestRollKeepsEntriesFromScanToScan(t *testing.T) {
	var r roll
	scan := func(pids ...int) (entries []*entry, lost []int) {
		r.begin()
		for _, pid := range pids {
			entries = append(entries, r.of(pid))
		}
		for _, e := range r.end() {
			lost = append(lost, e.pid)
		}
		return entries, lost
	}
	first, lost := scan(1, 5, 9)
	check(t, "lost", len(lost), 0)
	second, lost := scan(0, 5, 7, 9)
	check(t, "entry of 5", second[1], first[1])
	check(t, "entry of 9", second[3], first[2])
	if !slices.Equal(lost, []int{1}) {
		t.Errorf("lost %v, want 1", lost)
	}
	if _, lost = scan(7); !slices.Equal(lost, []int{0, 5, 9}) {
		t.Errorf("lost %v, want 0 5 9", lost)
	}
	r.begin()
	r.of(7)
	r.drop()
	if lost := r.end(); len(lost)+len(r.entries) != 0 {
		t.Errorf("after a drop %v are lost and %v kept", lost, r.entries)
	}
}
