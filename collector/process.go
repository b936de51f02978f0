package collector

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// hertz is the unit of times in /proc: USER_HZ, 100 on every architecture that Go runs on.
const hertz = 100

// maxGroups bounds how much of a list of control groups is read, in bytes.
const maxGroups = 64 << 10

// processSource is where processes are read from. It is the one seam of the per-process hot path: what calls it knows
// nothing of files. A process that ends while it is read is no error; it is left out, or errGone.
type processSource interface {
	// scan calls visit for every process, with counters that visit must not keep. It returns an error when processes, all
	// or some, could not be read.
	scan(visit func(*counts)) error
	// counts reads one process's counters.
	counts(pid int) (counts, error)
	// details reads what costs more files than the counters and seldom changes.
	details(pid int) (details, error)
}

// errGone says that a process has ended.
var errGone = errors.New("the process has ended")

// counts is one reading of a process's counters, proc_pid_stat(5). The command is as the kernel gives it: any bytes.
type counts struct {
	at          time.Time // when these were read
	pid, ppid   int
	start       uint64 // ticks since boot
	state       string
	comm        string
	ticks       uint64 // processor time, user and system
	faults      uint64 // of pages, minor and major
	nice        int
	threads     int
	rss, vsize  uint64 // bytes
	code, stack uint64 // addresses, which change with exec; 0 where we may not see them
}

// details of a process, with clean texts.
type details struct {
	uid      uint32 // effective
	cmdline  string
	argv0    string
	silent   bool // it does not show its command line at this time
	unit     string
	userUnit bool
}

// procSource reads /proc. Counts and details may be called from any goroutine, scan from one.
type procSource struct {
	fs       procfs.FS
	root     string
	page     uint64
	init     groups // below which the control groups of units are
	cmdlines cmdlines
	resident map[int]*resident
	scans    uint64
}

// resident remembers the exact resident set of a process. What stands among its counters lags behind by some pages for
// each processor (Linux 6.2 and later), and the file that has it right costs as much as all the others; so that is read
// only when something shows that the process has done something, and now and then.
type resident struct {
	counts counts // when bytes was read
	bytes  uint64
	seen   uint64 // the last scan that found the process
	age    int    // scans since bytes was read
}

func newProcSource(fs procfs.FS, root string) *procSource {
	s := &procSource{fs: fs, root: root, page: uint64(os.Getpagesize()), resident: make(map[int]*resident)}
	if file, err := readBounded(filepath.Join(root, "1/cgroup"), maxGroups); err == nil {
		s.init = parseGroups(string(file)).roots()
	}
	return s
}

func (s *procSource) scan(visit func(*counts)) error {
	list, err := s.fs.AllProcs()
	if err != nil {
		return fmt.Errorf("cannot list processes: %w", err)
	}
	var c counts
	failed := 0
	var reason error
	s.scans++
	for _, p := range list {
		switch err := s.read(p, &c); {
		case err == nil:
			s.recall(p, &c)
			visit(&c)
		case !errors.Is(err, errGone):
			failed++
			reason = err
		}
	}
	for pid, r := range s.resident {
		if r.seen != s.scans {
			delete(s.resident, pid)
		}
	}
	if failed > 0 {
		return fmt.Errorf("cannot read %d of %d processes: %w", failed, len(list), reason)
	}
	return nil
}

func (s *procSource) counts(pid int) (c counts, err error) {
	p, err := s.fs.Proc(pid)
	if err != nil {
		return counts{}, gone(err)
	}
	if err = s.read(p, &c); err == nil {
		s.weigh(p, &c)
	}
	return c, err
}

// recall puts the exact resident set in, as it was last read where nothing has happened since.
func (s *procSource) recall(p procfs.Proc, c *counts) {
	r := s.resident[p.PID]
	if r == nil {
		r = &resident{}
		s.resident[p.PID] = r
	}
	r.seen = s.scans
	r.age++
	if old := &r.counts; old.start == c.start && old.faults == c.faults && old.ticks == c.ticks && old.vsize == c.vsize &&
		old.rss == c.rss && (r.age+p.PID)%16 != 0 {
		c.rss = r.bytes
		return
	}
	r.counts, r.age = *c, 0
	s.weigh(p, c)
	r.bytes = c.rss
}

// weigh reads the exact resident set. A process without memory (a zombie, a thread of the kernel) has none.
func (s *procSource) weigh(p procfs.Proc, c *counts) {
	if c.vsize == 0 {
		return
	}
	if m, err := p.Statm(); err == nil {
		c.rss = m.Resident * s.page
	}
}

func (s *procSource) read(p procfs.Proc, c *counts) error {
	stat, err := p.Stat()
	if err != nil {
		return gone(err)
	}
	*c = counts{
		at: time.Now(), pid: p.PID, ppid: stat.PPID, start: stat.Starttime, state: stat.State, comm: stat.Comm,
		ticks: uint64(stat.UTime) + uint64(stat.STime), faults: uint64(stat.MinFlt) + uint64(stat.MajFlt), nice: stat.Nice, threads: stat.NumThreads,
		rss: uint64(max(0, stat.RSS)) * s.page, vsize: uint64(stat.VSize), code: stat.StartCode, stack: stat.StartStack,
	}
	return nil
}

func (s *procSource) details(pid int) (d details, err error) {
	folder := filepath.Join(s.root, strconv.Itoa(pid))
	var info unix.Stat_t
	// The folder belongs to the effective user, even where the process hides from others (proc_pid(5)).
	if err := unix.Stat(folder, &info); err != nil {
		return details{}, gone(err)
	}
	d.uid = info.Uid
	d.cmdline, d.argv0, err = s.cmdlines.read(pid, filepath.Join(folder, "cmdline"))
	if d.silent = err == errSilent; gone(err) == errGone {
		return details{}, errGone
	}
	// A command line or a control group that may not be seen, or that this kernel has not, is empty.
	if group, err := readBounded(filepath.Join(folder, "cgroup"), maxGroups); err == nil {
		d.unit, d.userUnit = parseGroups(string(group)).unit(s.init)
	}
	return d, nil
}

func readBounded(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, limit))
}

// gone turns the errors of a process that has ended into errGone.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, io.EOF) {
		return errGone
	}
	return err
}
