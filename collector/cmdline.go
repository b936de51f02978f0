package collector

import (
	"bytes"
	"errors"
	"sync"
	"time"
)

const (
	// cmdlinePatience is how long a process may take to show its command line.
	cmdlinePatience = 100 * time.Millisecond
	// maxSilent bounds how many processes are waited for at once that do not show it.
	maxSilent = 32
)

// cmdlines reads command lines, proc_pid_cmdline(5). They are in the memory of the process, and one whose memory is
// locked (it waits for a disk or a server that does not answer, say) holds up whoever reads them, for as long as it
// lasts; so each is read by a goroutine of its own. One that is held up ends with the process's wait; until then the
// process is not asked again. It is safe for concurrent use.
type cmdlines struct {
	mu     sync.Mutex
	silent map[int]bool // processes that have not answered yet
}

// errSilent says that a process does not show its command line at this time.
var errSilent = errors.New("the process does not show its command line")

// read returns the command line and its first word, or errSilent.
func (c *cmdlines) read(pid int, path string) (cmdline, argv0 string, err error) {
	c.mu.Lock()
	if c.silent[pid] || len(c.silent) >= maxSilent {
		c.mu.Unlock()
		return "", "", errSilent
	}
	c.mu.Unlock()

	type answer struct {
		cmdline, argv0 string
		err            error
	}
	answers := make(chan answer, 1)
	go func() {
		cmdline, argv0, err := readCmdline(path)
		answers <- answer{cmdline, argv0, err}
		c.mu.Lock()
		delete(c.silent, pid)
		c.mu.Unlock()
	}()
	patience := time.NewTimer(cmdlinePatience)
	defer patience.Stop()
	select {
	case a := <-answers:
		return a.cmdline, a.argv0, a.err
	case <-patience.C:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case a := <-answers:
		return a.cmdline, a.argv0, a.err
	default:
	}
	if c.silent == nil {
		c.silent = make(map[int]bool)
	}
	c.silent[pid] = true
	return "", "", errSilent
}

// readCmdline reads no more than is shown: arguments can be megabytes long, and anybody can make them so.
func readCmdline(path string) (cmdline, argv0 string, err error) {
	data, err := readBounded(path, maxCmdline+1)
	if err != nil {
		return "", "", err
	}
	data = bytes.TrimRight(data, "\x00")
	first, _, _ := bytes.Cut(data, []byte{0})
	argv0 = clean(string(first), maxCmdline)
	return clean(string(bytes.ReplaceAll(data, []byte{0}, []byte{' '})), maxCmdline), argv0, nil
}
