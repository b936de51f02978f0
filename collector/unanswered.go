package collector

import (
	"sync"
	"time"
)

const (
	// cmdlinePatience is how long a process may take at least to show its command line.
	cmdlinePatience = 100 * time.Millisecond
	// maxSilent bounds how many processes are waited for at once that do not show it.
	maxSilent = 32
)

// unanswered knows the processes that have been asked for their command line and have not answered yet. It is safe for concurrent
// use.
type unanswered struct {
	mu   sync.Mutex
	pids map[int]bool
}

// holds tells whether a process is not to be asked now.
func (u *unanswered) holds(pid int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.pids[pid] || len(u.pids) >= maxSilent
}

// begin notes that a process has not answered, unless it has by now.
func (u *unanswered) begin(pid int, still func() bool) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !still() {
		return false
	}
	if u.pids == nil {
		u.pids = make(map[int]bool)
	}
	u.pids[pid] = true
	return true
}

// end notes that a process has answered; to be called when the answer is there.
func (u *unanswered) end(pid int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.pids, pid)
}
