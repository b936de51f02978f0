package collector

import (
	"bytes"
	"cmp"
	"fmt"
	"math/bits"
	"os"
	"slices"
	"time"
	"unsafe"
)

// bpfSource reads every process with one BPF iterator over the kernel's tasks: some 150 of them a read(2), 0.6 µs each,
// where one /proc/PID/stat costs 5 µs through a descriptor that is open already and 11 µs through one that is not. What
// the tasks do not hold (the command line), or only roughly (the resident set), comes from /proc, and that only for those
// processes whose figures show a change, and now and then.
//
// The figures are those of /proc, with these differences. Processor time is what the scheduler has measured, in
// nanoseconds; /proc scales utime and stime to the same sum and cuts each off at a clock tick, so that it tells up to two
// ticks less. The name of a kernel's worker is for what it did when its details were last read.
type bpfSource struct {
	*procSource // reads what the iterator leaves out, and all when that fails
	iterator    records
	trust       *trust
	groups      []group // of this scan, by PID
	early       []taskRecord
	roll        roll
	look        []int
}

// group is a process: the record of its first thread, with the sums of all others.
type group struct {
	taskRecord
	at   time.Time
	seen uint32 // threads
	torn bool   // a thread ended meanwhile, so that its time is in the sum twice or not at all
}

// listing is how many scans apart the folder is looked through for processes that the iterator has never told.
const listing = 32

// newBPFSource returns a source that has told this very process right, or the reason why there is none.
func newBPFSource(kernel *kernelTypes, root string, trust *trust) (*bpfSource, error) {
	iterator, err := newTaskIterator(kernel)
	if err != nil {
		return nil, err
	}
	s := &bpfSource{procSource: newProcSource(root), iterator: iterator, trust: trust}
	if err := s.prove(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// prove compares what the kernel's data and /proc tell of this process: a kernel whose fields have their old names and
// sizes and mean something else would show here.
func (s *bpfSource) prove() error {
	want, err := s.counts(os.Getpid())
	if err != nil {
		return err
	}
	d, err := s.details(os.Getpid())
	if err != nil {
		return err
	}
	if err := s.read(); err != nil {
		return err
	}
	got := counts{}
	if err := s.tell(func(c *counts) {
		if c.pid == want.pid {
			got = *c
		}
	}); err != nil {
		return err
	}
	for _, f := range []struct {
		name      string
		got, want any
	}{
		{"PID", got.pid, want.pid}, {"parent", got.ppid, want.ppid}, {"start", got.start, want.start},
		{"name", got.comm, want.comm}, {"nice", got.nice, want.nice}, {"user", got.traces.uid, d.uid},
		{"memory", got.vsize != 0 && got.vsize/16 <= want.vsize && want.vsize/16 <= got.vsize, true}, // it grows meanwhile
		{"time", got.used != 0 && got.used+2*nanosecondsPerTick >= want.used, true},
	} {
		if f.got != f.want {
			return fmt.Errorf("this kernel's tasks are not understood: the %s of this process is %v, /proc says %v", f.name, f.got, f.want)
		}
	}
	return nil
}

func (s *bpfSource) scan(visit func(*counts)) error {
	if s.trust.holds() {
		err := s.read()
		if err == nil {
			return s.tell(visit)
		}
		s.trust.lose(err)
	}
	return s.procSource.scan(visit)
}

// tell visits what has been read.
func (s *bpfSource) tell(visit func(*counts)) error {
	var c counts
	s.roll.begin()
	for i := range s.groups {
		g := &s.groups[i]
		e := s.roll.of(int(g.tgid))
		s.count(g, e, &c)
		s.weigh(e, &c)
		visit(&c)
	}
	if err := s.missing(); err != nil {
		return err
	}
	return s.visit(s.look, visit)
}

// read runs the iterator, and sums up the threads of each process.
func (s *bpfSource) read() error {
	s.groups, s.early = s.groups[:0], s.early[:0]
	err := s.iterator.read(recordSize, func(records []byte) {
		now := time.Now()
		for ; len(records) > 0; records = records[recordSize:] {
			s.take((*taskRecord)(unsafe.Pointer(unsafe.SliceData(records))), now)
		}
	})
	s.joinEarly()
	if err != nil {
		return fmt.Errorf("cannot read the kernel's tasks: %w", err)
	}
	return nil
}

func (s *bpfSource) joinEarly() {
	for i := range s.early {
		s.join(&s.early[i])
	}
}

// take notes the record of a task.
func (s *bpfSource) take(r *taskRecord, now time.Time) {
	if r.pid == r.tgid {
		s.groups = append(s.groups, group{*r, now, 1, r.again != r.sequence || r.sequence%2 == 1})
	} else if !s.join(r) {
		s.early = append(s.early, *r) // PIDs have gone round, so that it stands before its process
	}
}

// join adds a thread to its process, if that is there.
func (s *bpfSource) join(r *taskRecord) bool {
	i := len(s.groups) - 1 // most often the last
	if i < 0 || s.groups[i].tgid != r.tgid {
		var ok bool
		if i, ok = s.find(int(r.tgid)); !ok {
			return false
		}
	}
	g := &s.groups[i]
	g.used += r.used
	g.faults[0] += r.faults[0]
	g.faults[1] += r.faults[1]
	g.seen++
	g.torn = g.torn || r.sequence != g.sequence || r.again != g.sequence
	return true
}

func (s *bpfSource) find(pid int) (int, bool) {
	return slices.BinarySearchFunc(s.groups, pid, func(g group, pid int) int { return cmp.Compare(int(g.tgid), pid) })
}

// count turns a process's record into counters, by the rules of do_task_stat in the kernel's fs/proc/array.c.
func (s *bpfSource) count(g *group, e *entry, c *counts) {
	comm, _, _ := bytes.Cut(g.comm[:], []byte{0})
	*c = counts{
		at: g.at, pid: int(g.tgid), ppid: int(g.parent), start: g.start / nanosecondsPerTick, state: taskState(g.state, g.exitState),
		comm: e.name(comm), used: g.used + g.usedEnded, faults: g.faults[0] + g.faults[1] + g.lost[0] + g.lost[1],
		nice: int(g.priority) - 120, threads: int(g.threads),
		traces: traces{executions: g.exec, uid: g.uid, groups: g.groups ^ bits.RotateLeft64(g.cgroup, 32)},
	}
	if g.flags&kernelThread == 0 {
		c.vsize = g.vsize * s.page
		for _, pages := range g.pages {
			c.rss += uint64(max(0, pages)) * s.page
		}
	}
	if g.torn || g.seen != g.threads {
		if whole, err := s.counts(c.pid); err == nil && whole.start == c.start {
			c.at, c.used, c.faults, c.threads = whole.at, whole.used, whole.faults, whole.threads
		}
	}
	c.still = c.used == e.used
	e.used = c.used
}

// missing finds the processes that the iterator has not told, though they are there: none, on most hosts. It looks at those
// that were missing in the last scan, those that it told then and not now, and now and then at all in the folder.
func (s *bpfSource) missing() error {
	s.look = s.look[:0]
	for _, e := range s.kept.entries {
		s.look = append(s.look, e.pid)
	}
	for _, e := range s.roll.end() {
		s.look = append(s.look, e.pid)
	}
	if s.scans%listing == 0 {
		if err := s.list(); err != nil {
			return fmt.Errorf("cannot list processes: %w", err)
		}
		s.look = append(s.look, s.pids...)
	}
	slices.Sort(s.look)
	s.look = slices.DeleteFunc(slices.Compact(s.look), func(pid int) bool {
		_, told := s.find(pid)
		return told
	})
	return nil
}

func (s *bpfSource) close() {
	s.procSource.close()
	s.iterator.close()
}

// taskState is the letter of a task's state, as /proc tells it, by task_state_index of the kernel's linux/sched.h.
func taskState(state, exit uint32) string {
	const (
		letters   = "RSDTtXZPI"
		reported  = 0x7f
		sleeping  = 0x02   // TASK_UNINTERRUPTIBLE
		idle      = 0x402  // TASK_IDLE
		lockWait  = 0x1000 // TASK_RTLOCK_WAIT
		frozen    = 0x8000 // TASK_FROZEN
		idleIndex = 8
	)
	i := bits.Len32((state | exit) & reported)
	switch {
	case state&(lockWait|frozen) != 0:
		i = bits.Len32(sleeping)
	case state&idle == idle:
		i = idleIndex
	}
	return letters[i : i+1]
}
