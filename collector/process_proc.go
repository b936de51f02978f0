package collector

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// procSource reads every process from /proc/PID/stat, through descriptors that stay open from scan to scan: opening and
// closing the file is half of what it costs to read it (11 µs a process with open, read and close in C, 5 to 6 µs with
// pread alone), and whoever opens it through a library of Go pays 23 µs and 29 allocations. So the bytes are parsed here,
// in place, and nothing is allocated for a process that goes on.
//
// A descriptor stands for one process and no other: once that has ended it answers ESRCH, also when its PID is given
// away again. It costs the kernel 4 KiB, and counts against RLIMIT_NOFILE (whose soft limit the Go runtime has raised to
// the hard one), so at most half of that are kept, for whom comes first; the files of all others are opened each time.
type procSource struct {
	*detailReader
	page    uint64
	files   files // of the goroutine that scans
	pids    []int // of the last listing
	kept    roll
	open    int // descriptors kept
	maxOpen int
	scans   int
}

// exactly is how many scans an exact resident set is good for when nothing shows that it has changed: of a process that does
// nothing the kernel may still take pages away, and its rough count tells that only when they are many.
const exactly = 256

// yieldEvery is how many processes are read, some 2 ms, before the goroutine yields. After 10 ms Go's scheduler would take it for one that
// runs too long: it takes the processor from it within a system call, and goes on looking at it each 20 µs, which makes a process 4 % dearer.
const yieldEvery = 256

// procSuper is the magic number of a proc file system, statfs(2). A copy of one has files that never say ESRCH.
const procSuper = 0x9fa0

func newProcSource(root string) *procSource {
	s := &procSource{detailReader: newDetailReader(root), page: uint64(os.Getpagesize()), files: newFiles(root, 32<<10)}
	var system unix.Statfs_t
	var limit unix.Rlimit
	if unix.Statfs(root, &system) == nil && system.Type == procSuper && unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		s.maxOpen = int(min(limit.Cur/2, 1<<20))
	}
	return s
}

func (s *procSource) scan(visit func(*counts)) error {
	if err := s.list(); err != nil {
		return fmt.Errorf("cannot list processes: %w", err)
	}
	return s.visit(s.pids, visit)
}

// list reads the PIDs of all processes, in ascending order.
func (s *procSource) list() error {
	dir, err := unix.Open(s.root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	s.pids = s.pids[:0]
	err = eachEntry(dir, s.files.data, func(name []byte) {
		if pid, ok := decimal(name); ok {
			s.pids = append(s.pids, int(pid))
		}
	})
	if !slices.IsSorted(s.pids) { // not a proc file system
		slices.Sort(s.pids)
	}
	return err
}

// visit reads these processes, whose PIDs ascend, and keeps what is remembered of them and of no others.
func (s *procSource) visit(pids []int, visit func(*counts)) error {
	var c counts
	failed := 0
	var reason error
	s.scans++
	s.kept.begin()
	for i, pid := range pids {
		if i%yieldEvery == yieldEvery-1 {
			runtime.Gosched()
		}
		e := s.kept.of(pid)
		switch err := s.read(e, &c); {
		case err == nil:
			s.weigh(e, &c)
			visit(&c)
		case err == errGone:
			s.shut(e)
			s.kept.drop()
		default:
			failed++
			reason = err
		}
	}
	for _, e := range s.kept.end() {
		s.shut(e)
	}
	if failed > 0 {
		return fmt.Errorf("cannot read %d of %d processes: %w", failed, len(pids), reason)
	}
	return nil
}

// read reads the counters of a process; the resident set is as the kernel counts it roughly.
func (s *procSource) read(e *entry, c *counts) error {
	kept := e.file >= 0
	if !kept {
		file, err := s.files.open(e.pid, "stat")
		if err != nil {
			return gone(err)
		}
		e.file = file
		s.open++
	}
	n, err := unix.Pread(e.file, s.files.data, 0)
	c.at = time.Now()
	if err != nil || s.open > s.maxOpen {
		s.shut(e)
	}
	if err == unix.ESRCH && kept {
		return s.read(e, c) // it has ended; another may have its PID by now
	}
	if err != nil {
		return gone(err)
	}
	return s.parse(e, s.files.data[:n], c)
}

func (s *procSource) parse(e *entry, stat []byte, c *counts) error {
	if len(stat) == 0 {
		return errGone
	}
	comm, ok := parseStat(stat, c)
	if !ok {
		return fmt.Errorf("process %d: not a stat file: %.100q", e.pid, stat)
	}
	c.pid = e.pid
	c.rss *= s.page
	c.comm = e.name(comm)
	return nil
}

func (s *procSource) shut(e *entry) {
	if e.file >= 0 {
		unix.Close(e.file)
		e.file = -1
		s.open--
	}
}

// weigh puts the exact resident set in the place of the rough one. What stands among the counters lags behind by some
// pages for each processor (Linux 6.2 and later), and the file that has it right costs as much as all the others; so that
// is read only when something shows that the process has done something, and now and then. A process without memory (a
// zombie, a thread of the kernel) has none.
func (s *procSource) weigh(e *entry, c *counts) {
	if c.vsize == 0 {
		return
	}
	now := weight{c.start, c.faults, c.used / nanosecondsPerTick, c.vsize, c.rss}
	if e.weight != now || (s.scans+e.pid)%exactly == 0 { // not all in one scan
		e.weight = now
		e.exact = s.resident(&s.files, c)
	}
	c.rss = e.exact
}

// resident reads the exact resident set of a process, in bytes, proc_pid_statm(5); the rough one where that fails.
func (s *procSource) resident(f *files, c *counts) uint64 {
	statm, err := f.read(c.pid, "statm")
	if err != nil {
		return c.rss
	}
	pages, _, _ := takeNumber(statm, max(0, bytes.IndexByte(statm, ' '))) // behind the size
	return pages * s.page
}

func (s *procSource) counts(pid int) (c counts, err error) {
	f := newFiles(s.root, 4<<10)
	stat, err := f.read(pid, "stat")
	if err != nil {
		return counts{}, gone(err)
	}
	c.at = time.Now()
	if err := s.parse(&entry{pid: pid}, stat, &c); err != nil {
		return counts{}, err
	}
	if c.vsize != 0 {
		c.rss = s.resident(&f, &c)
	}
	return c, nil
}

func (s *procSource) rest() {
	for _, e := range s.kept.entries {
		s.shut(e)
	}
}

func (s *procSource) close() { s.rest() }
