package collector

import (
	"errors"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// hertz is the unit of times in /proc: USER_HZ, 100 on every architecture that Go runs on.
const hertz = 100

// maxGroups bounds how much of a list of control groups is read, in bytes.
const maxGroups = 64 << 10

// processSource is where processes are read from. It is the one seam of the per-process hot path: what calls it knows
// nothing of files. A process that ends while it is read is no error; it is left out, or errGone. Counts and details may
// be called from any goroutine, the rest from one at a time.
type processSource interface {
	// scan calls visit for every process, with counters that visit must not keep. It returns an error when processes, all
	// or some, could not be read.
	scan(visit func(*counts)) error
	// counts reads one process's counters.
	counts(pid int) (counts, error)
	// details reads what costs more files than the counters and seldom changes.
	details(pid int) (details, error)
	// signs tells a number for each of these processes that is another when its details have changed without a trace in
	// its counters: much cheaper than the details. Processes that have ended, or do not answer, are left out.
	signs(pids []int, visit func(i int, sign uint64))
	// rest gives back what is held from scan to scan; the next will take it again.
	rest()
	// close ends the use of the source.
	close()
}

// errGone says that a process has ended.
var errGone = errors.New("the process has ended")

// counts is one reading of a process's counters, proc_pid_stat(5). The command is as the kernel gives it: any bytes.
type counts struct {
	at         time.Time // when these were read
	pid, ppid  int
	start      uint64 // ticks since boot
	state      string
	comm       string
	used       uint64 // processor time, user and system, in nanoseconds
	faults     uint64 // of pages, minor and major
	nice       int
	threads    int
	rss, vsize uint64 // bytes
	traces     traces
	still      bool // it has certainly not run since the last scan, so that it cannot have changed its own title
}

// traces are what changes with a process's details and is read with its counters. Each source knows some of them; what it
// does not know stays 0.
type traces struct {
	code, stack uint64 // addresses, which change with exec, where we may see them
	executions  uint64 // of a program
	uid         uint32 // effective
	groups      uint64 // the set of control groups
}

// details of a process, with clean texts.
type details struct {
	uid      uint32 // effective
	comm     string // its whole name, where the counters tell only its start; else empty
	cmdline  string
	argv0    string
	silent   bool // it does not show its command line at this time
	unit     string
	slice    string
	userUnit bool
}

// detailReader reads the details of processes from /proc. It is safe for concurrent use.
type detailReader struct {
	root     string
	init     groups // below which the control groups of units are
	cmdlines cmdlines
	seed     maphash.Seed // of signs
}

func newDetailReader(root string) *detailReader {
	r := &detailReader{root: root, seed: maphash.MakeSeed()}
	if file, err := readBounded(filepath.Join(root, "1/cgroup"), maxGroups); err == nil {
		r.init = parseGroups(string(file)).roots()
	}
	return r
}

func (r *detailReader) details(pid int) (d details, err error) {
	folder := filepath.Join(r.root, strconv.Itoa(pid))
	var info unix.Stat_t
	// The folder belongs to the effective user, even where the process hides from others (proc_pid(5)).
	if err := unix.Stat(folder, &info); err != nil {
		return details{}, gone(err)
	}
	d.uid = info.Uid
	d.cmdline, d.argv0, err = r.cmdlines.read(pid, filepath.Join(folder, "cmdline"))
	if d.silent = err == errSilent; gone(err) == errGone {
		return details{}, errGone
	}
	// A command line or a control group that may not be seen, or that this kernel has not, is empty.
	if group, err := readBounded(filepath.Join(folder, "cgroup"), maxGroups); err == nil {
		groups := parseGroups(string(group))
		d.unit, d.userUnit = groups.unit(r.init)
		d.slice = groups.slice(r.init)
	}
	return d, nil
}

// name is the whole name of a thread of the kernel, which can be longer than comm in its counters.
func (r *detailReader) name(pid int) string {
	name, err := readBounded(filepath.Join(r.root, strconv.Itoa(pid), "comm"), maxName)
	if err != nil {
		return ""
	}
	return clean(strings.TrimSuffix(string(name), "\n"), maxName)
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
