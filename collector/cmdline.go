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
	if c.isSilent(pid) {
		return "", "", errSilent
	}
	type answer struct {
		cmdline, argv0 string
		err            error
	}
	answers := make(chan answer, 1)
	go func() {
		cmdline, argv0, err := readCmdline(path)
		answers <- answer{cmdline, argv0, err}
		c.speaks(pid)
	}()
	patience := time.NewTimer(cmdlinePatience)
	defer patience.Stop()
	select {
	case a := <-answers:
		return a.cmdline, a.argv0, a.err
	case <-patience.C:
	}
	if c.hush(pid, func() bool { return len(answers) == 0 }) {
		return "", "", errSilent
	}
	a := <-answers
	return a.cmdline, a.argv0, a.err
}

// isSilent tells whether a process is not to be asked now.
func (c *cmdlines) isSilent(pid int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.silent[pid] || len(c.silent) >= maxSilent
}

// hush notes that a process has not answered, unless it has by now.
func (c *cmdlines) hush(pid int, still func() bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !still() {
		return false
	}
	if c.silent == nil {
		c.silent = make(map[int]bool)
	}
	c.silent[pid] = true
	return true
}

// speaks notes that a process has answered; to be called when the answer is there.
func (c *cmdlines) speaks(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.silent, pid)
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
