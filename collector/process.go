package collector

import (
	"errors"
	"time"
)

// hertz is the unit of times in /proc: USER_HZ, 100 on every architecture that Go runs on.
const hertz = 100

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
	// review reads the details of those of these processes that have changed since the last look at them, and tells them with the
	// sign for the next: much cheaper than the details where nothing has. Processes that have ended are left out.
	review(looks []look, visit func(i int, sign uint64, d *details))
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
