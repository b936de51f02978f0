package collector

import (
	"fmt"
	"hash/maphash"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestProcessesOfAFixture(t *testing.T) {
	f := newStage(t)
	self := "ann"
	if uid := os.Getuid(); uid == 0 {
		self = "root"
	} else if uid != 1000 {
		self = strconv.Itoa(uid)
	}
	table := newTable(newProcSource(f.path("proc")), newUsers(f.path("etc")), func() time.Duration { return booted })
	if _, err := table.scan(time.Now(), 1700000000); err != nil {
		t.Fatal(err)
	}
	at := func(ticks int64) time.Time { return time.UnixMilli(1700000000000 + ticks*10).UTC() }
	page := uint64(os.Getpagesize())
	want := []Process{
		{
			PID: 1, StartTime: 1, StartedAt: at(1), User: self, State: "S", Comm: "systemd",
			Cmdline: "/sbin/init splash", Argv0: "/sbin/init", RSS: 100 * page, VSize: 4096000, Threads: 1, Unit: "init.scope",
		},
		{PID: 2, StartTime: 1, StartedAt: at(1), User: self, State: "S", Comm: "kthreadd", Threads: 1},
		{PID: 40, StartTime: 2, StartedAt: at(2), PPID: 2, User: self, State: "I", Nice: -20, Comm: "kworker/0:1H-kblockd", Threads: 1},
		{
			PID: 300, StartTime: 1000, StartedAt: at(1000), PPID: 1, User: self, State: "S", Comm: "nginx",
			Cmdline: "nginx: master process /usr/sbin/nginx", Argv0: "nginx: master process /usr/sbin/nginx",
			RSS: 100 * page, VSize: 4096000, Threads: 1, Unit: "nginx.service", Slice: "system.slice",
		},
		{
			PID: 301, StartTime: 1001, StartedAt: at(1001), PPID: 300, User: self, State: "S", Nice: 5, Comm: "a) R 1 (b",
			Cmdline: `/opt/odd \x1b]0;x\x07 --name \xff`, Argv0: `/opt/odd \x1b]0;x\x07`,
			RSS: 100 * page, VSize: 4096000, Threads: 4, Unit: "odd.service", Slice: "user-1000.slice", UserUnit: true,
		},
		{PID: 302, StartTime: 1002, StartedAt: at(1002), PPID: 301, User: self, State: "Z", Comm: "defunct", Threads: 1},
		{
			PID: 303, StartTime: 1003, StartedAt: at(1003), PPID: 1, User: self, State: "T", Comm: "stopped",
			Cmdline: "vi", Argv0: "vi", RSS: 100 * page, VSize: 4096000, Threads: 1, Unit: "session-2.scope", Slice: "user-1000.slice",
		},
	}
	got := table.list(true)
	if len(got) != len(want) {
		t.Fatalf("%d processes, want %d", len(got), len(want))
	}
	for i := range want {
		if *got[i] != want[i] {
			t.Errorf("process %d is\n%+v, want\n%+v", want[i].PID, *got[i], want[i])
		}
	}
	check(t, "tasks", *table.tasks(), Tasks{Total: 7, Sleeping: 5, Stopped: 1, Zombie: 1})
}

func TestTasksAreCountedAsTopCounts(t *testing.T) {
	var n Tasks
	for _, state := range strings.Split("RRSDITtZWPKX", "") {
		n.count(state)
	}
	check(t, "tasks", n, Tasks{Total: 12, Running: 2, Sleeping: 7, Stopped: 2, Zombie: 1})
}

// fakeSource is processes in memory, with a count of how often details were read.
type fakeSource struct {
	counted map[int]counts
	told    map[int]details
	looks   map[int]int
	err     error // of a scan
	hidden  map[int]bool
}

func newFakeSource() *fakeSource {
	return &fakeSource{make(map[int]counts), make(map[int]details), make(map[int]int), nil, make(map[int]bool)}
}

func (s *fakeSource) scan(visit func(*counts)) error {
	for pid, c := range s.counted {
		if !s.hidden[pid] {
			visit(&c)
		}
	}
	return s.err
}

func (s *fakeSource) counts(pid int) (counts, error) {
	if s.hidden[pid] {
		return counts{}, os.ErrPermission
	}
	c, ok := s.counted[pid]
	if !ok {
		return counts{}, errGone
	}
	return c, nil
}

func (s *fakeSource) details(pid int) (details, error) {
	s.looks[pid]++
	if _, ok := s.counted[pid]; !ok {
		return details{}, errGone
	}
	return s.told[pid], nil
}

func (s *fakeSource) review(looks []look, visit func(i int, sign uint64, d *details)) {
	for i, l := range looks {
		d, err := s.details(l.pid)
		if sign := maphash.Comparable(fakeSeed, d); err == nil && sign != l.sign {
			visit(i, sign, &d)
		}
	}
}

var fakeSeed = maphash.MakeSeed()

func (s *fakeSource) rest() {}

func (s *fakeSource) close() {}

// newFakeTable is a table on the source whose scans are a second apart.
func newFakeTable(t *testing.T, source *fakeSource) (table *table, scan func() []*process) {
	now, up := time.Now(), booted
	table = newTable(source, newUsers(t.TempDir()), func() time.Duration { return up })
	return table, func() []*process {
		now, up = now.Add(time.Second), up+time.Second
		for pid, c := range source.counted {
			c.at = now
			source.counted[pid] = c
		}
		vanished, err := table.scan(now, 1700000000)
		if err != source.err {
			t.Errorf("the scan's error is %v", err)
		}
		return vanished
	}
}

func TestDetailsAreReadSeldom(t *testing.T) {
	source := newFakeSource()
	for pid := range 160 {
		source.counted[pid] = counts{pid: pid, start: uint64(booted / time.Second * hertz), comm: "sh", traces: traces{code: 1, stack: 1}}
	}
	const old = 8
	source.counted[old] = counts{pid: old, start: 1, comm: "sh", traces: traces{code: 1, stack: 1}}
	table, scan := newFakeTable(t, source)
	reads := map[int][]int{} // at which scans the details of two processes were read
	for n := range 128 {
		before := map[int]int{7: source.looks[7], old: source.looks[old]}
		scan()
		for pid, looks := range before {
			if source.looks[pid] != looks {
				reads[pid] = append(reads[pid], n)
			}
		}
	}
	for pid, want := range map[int]string{7: "0 1 2 4 8 16 56 120", old: "0 55 119"} {
		if got := strings.Trim(fmt.Sprint(reads[pid]), "[]"); got != want {
			t.Errorf("details of process %d were read at the scans %s, want %s", pid, got, want)
		}
	}
	source.told[7] = details{cmdline: "another title"}
	for n := 0; table.rows[7].row.Cmdline != "another title"; n++ {
		if scan(); n > lookEvery {
			t.Fatal("a change without a trace in the counters is not noticed")
		}
	}

	for _, change := range []struct {
		name  string
		make  func(*counts)
		looks int
	}{
		{"another code", func(c *counts) { c.traces.code++ }, 1},
		{"another stack", func(c *counts) { c.traces.stack++ }, 1},
		{"another name", func(c *counts) { c.comm, c.vsize = "env", 1 }, 0},
		{"no traces any more", func(c *counts) { c.traces = traces{} }, 1},
		{"another name without traces", func(c *counts) { c.comm = "ls" }, 1},
	} {
		table.rows[7].ran = false
		before := source.looks[7]
		c := source.counted[7]
		change.make(&c)
		source.counted[7] = c
		scan()
		if looks := source.looks[7] - before; looks != change.looks {
			t.Errorf("%s: %d looks at the details, want %d", change.name, looks, change.looks)
		}
		check(t, "name", table.rows[7].row.Comm, c.comm)
		table.rows[7].age = 100
	}
	before := source.looks[7]
	table.changed[7] = true
	scan()
	if source.looks[7] != before+1 {
		t.Error("details are not read again when an event tells of a change")
	}
}

// A process that cannot be read for a moment (out of descriptors, say) has not ended.
func TestProcessThatCannotBeReadStays(t *testing.T) {
	source := newFakeSource()
	source.counted[1] = counts{pid: 1, start: 1}
	source.counted[2] = counts{pid: 2, start: 2}
	table, scan := newFakeTable(t, source)
	scan()
	source.err = os.ErrPermission
	source.hidden[1] = true
	delete(source.counted, 2)
	vanished := scan()
	if len(vanished) != 1 || vanished[0].row.PID != 2 {
		t.Errorf("%d vanished, want only process 2", len(vanished))
	}
	if list := table.list(true); len(list) != 1 || list[0].PID != 1 {
		t.Errorf("the list is %v, want only process 1", list)
	}
	source.err = nil
	if vanished = scan(); len(vanished) != 1 || vanished[0].row.PID != 1 {
		t.Errorf("%d vanished, want process 1", len(vanished))
	}
}

func TestRowsFollowTheUserDatabaseAndTheClock(t *testing.T) {
	source := newFakeSource()
	source.counted[1] = counts{pid: 1, start: 100}
	source.told[1] = details{uid: 5}
	table, scan := newFakeTable(t, source)
	scan()
	check(t, "user", table.rows[1].row.User, "5")
	if err := os.WriteFile(table.users.path, []byte("eve:x:5:5:::\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	table.rows[1].age = 3
	scan()
	check(t, "user", table.rows[1].row.User, "eve")

	for _, c := range []struct{ boot, want uint64 }{{1700000001, 1700000001}, {1700000003, 1700000004}, {0, 1700000004}} {
		if _, err := table.scan(time.Now(), c.boot); err != nil {
			t.Fatal(err)
		}
		check(t, "start", table.rows[1].row.StartedAt.Unix(), int64(c.want))
	}
	table.boot = 1700000000
	check(t, "start, ten years after boot", table.startedAt(10*365*86400*hertz).Unix(), 1700000000+10*365*86400)
}

func TestZombieKeepsWhatItWas(t *testing.T) {
	source := newFakeSource()
	source.counted[1] = counts{pid: 1, start: 1, comm: "sh", state: "S", traces: traces{code: 1}}
	source.told[1] = details{cmdline: "sh -c true", argv0: "sh"}
	table, scan := newFakeTable(t, source)
	scan()
	source.counted[1] = counts{pid: 1, start: 1, comm: "sh", state: "Z"}
	source.told[1] = details{}
	scan()
	row := table.rows[1].row
	check(t, "state", row.State, "Z")
	check(t, "command line", row.Cmdline, "sh -c true")
	check(t, "its first word", row.Argv0, "sh")
}

// The exact resident set is read where something has happened, and otherwise now and then.
func TestResidentSetIsExact(t *testing.T) {
	f := newStage(t)
	source := newProcSource(f.path("proc"))
	page := uint64(os.Getpagesize())
	scan := func() (rss uint64) {
		t.Helper()
		if err := source.scan(func(c *counts) {
			if c.pid == 300 {
				rss = c.rss / page
			}
		}); err != nil {
			t.Fatal(err)
		}
		return rss
	}
	f.write("proc/300/statm", "1000 117 50 20 0 30 0\n")
	check(t, "pages", scan(), 117)
	f.write("proc/300/statm", "1000 118 50 20 0 30 0\n")
	check(t, "pages of one that does nothing", scan(), 117)
	f.replace("proc/300/stat", "4194304 100 ", "4194304 101 ")
	check(t, "pages after a fault", scan(), 118)
	f.write("proc/300/statm", "1000 119 50 20 0 30 0\n")
	scans := 1
	for ; scan() != 119; scans++ {
		if scans > exactly {
			t.Fatal("pages of one that does nothing are never read again")
		}
	}
	if scans < 2 {
		t.Error("pages of one that does nothing are read at each scan")
	}
	f.write("proc/300/statm", "1000 120 50 20 0 30 0\n")
	if c, err := source.counts(300); err != nil || c.rss != 120*page {
		t.Errorf("a single look tells %d pages, %v", c.rss/page, err)
	}
	f.remove("proc/300")
	scan()
	for _, e := range source.kept.entries {
		if e.pid == 300 {
			t.Error("what is known of a process that ended is kept")
		}
	}
}

// A process that has not changed keeps its row, and what is in a sample stays as it is.
func TestUnchangedProcessesKeepTheirRows(t *testing.T) {
	f := newStage(t)
	f.process(400, 0, 1000)
	f.process(401, 0, 1000)
	table := newTable(newProcSource(f.path("proc")), newUsers(f.path("etc")), func() time.Duration { return booted })
	scan := func() []*Process {
		t.Helper()
		if _, err := table.scan(time.Now(), 0); err != nil {
			t.Fatal(err)
		}
		return table.list(true)
	}
	first := scan()
	f.replace("proc/401/stat", "(worker) R", "(worker) S")
	second := scan()
	for i := range first {
		if changed := first[i].PID == 401; (first[i] != second[i]) != changed || changed && (first[i].State != "R" || second[i].State != "S") {
			t.Errorf("%+v, then %+v", first[i], second[i])
		}
	}
}
