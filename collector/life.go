package collector

import "time"

const (
	// maxUnlisted is how many processes are remembered that began and ended between two samples.
	maxUnlisted = 2000
	// maxLives bounds everything that is remembered between two samples.
	maxLives = 32768
	// maxLooks is how many processes are looked at a second, as soon as they execute a program, or begin: half of it may go
	// to those that only began, which until then are copies of their parents.
	maxLooks = 1000
)

// nanosecondsPerTick turns the kernel's event times into its start times.
const nanosecondsPerTick = uint64(time.Second) / hertz

// life is what the kernel told of one process since the last reading.
type life struct {
	pid, ppid int
	born      bool   // it began since
	began     uint64 // nanoseconds since boot; with born
	executed  bool   // it runs another program since
	altered   bool   // its user changed since
	ended     *exit
	counts    *counts // as seen when it began or executed
	details   *details
	due       bool // about to be looked at
	taken     bool // handed to the collector's goroutine, which owns it now
}

// lives is the record of births, changes and deaths between two readings. It is not safe for concurrent use.
type lives struct {
	current  map[int]*life // by PID, those that have not ended
	ended    []*life       // in the order of their end
	last     map[int]*life // by PID, the newest of ended
	headless map[int]bool  // PIDs of processes whose first thread has ended and others live on
	unlisted int           // of ended, those that were born since
	dropped  int           // lives that found no room
	unseen   int           // that executed a program, with no time to look at it
	looks    int           // in the second that began at since
	since    time.Time
}

func newLives() lives {
	return lives{current: make(map[int]*life), last: make(map[int]*life), headless: make(map[int]bool)}
}

// apply notes one event. It returns the life that is worth a look now, or nil.
func (l *lives) apply(e *event) *life {
	switch e.what {
	case eventFork:
		if e.pid != e.tgid || !l.room() { // a thread
			return nil
		}
		born := &life{pid: e.pid, ppid: e.parent, born: true, began: e.at}
		l.current[e.pid] = born
		return born
	case eventExec:
		if p := l.last[e.tgid]; p != nil && l.current[e.tgid] == nil {
			// Another thread than the first executed a program: the first ended, and the other goes on in its place.
			l.revive(p)
		}
		p := l.life(e.tgid)
		if p != nil {
			p.executed = true
		}
		return p
	case eventUser:
		if p := l.life(e.tgid); p != nil {
			p.altered = true
		}
	case eventExit:
		l.exit(e)
	}
	return nil
}

// life is the current life of a PID, a new one where nothing was told of it yet, or nil where there is no room.
func (l *lives) life(pid int) *life {
	p := l.current[pid]
	if p == nil && l.room() {
		p = &life{pid: pid}
		l.current[pid] = p
	}
	return p
}

func (l *lives) room() bool {
	if len(l.current)+len(l.ended) >= maxLives {
		l.dropped++
		return false
	}
	return true
}

// exit notes the end of a thread. A process ends with its last thread; as a rule all end together and tell the same status.
// The first thread's end stands for the process's, unless the process is still there at the next reading.
func (l *lives) exit(e *event) {
	if e.pid != e.tgid {
		if p := l.last[e.tgid]; p != nil && l.current[e.tgid] == nil {
			*p.ended = exit{e.status, e.at}
		} else if l.headless[e.tgid] {
			l.end(&life{pid: e.tgid}, e)
		}
		return
	}
	p := l.current[e.pid]
	if p == nil {
		p = &life{pid: e.pid}
	}
	delete(l.current, e.pid)
	l.end(p, e)
}

func (l *lives) end(p *life, e *event) {
	if p.born && l.unlisted >= maxUnlisted || len(l.current)+len(l.ended) >= maxLives {
		l.dropped++
		return
	}
	if p.born {
		l.unlisted++
	}
	p.ended = &exit{e.status, e.at}
	l.ended = append(l.ended, p)
	l.last[p.pid] = p
}

func (l *lives) revive(p *life) {
	for i := len(l.ended) - 1; i >= 0; i-- {
		if l.ended[i] == p {
			l.ended = append(l.ended[:i], l.ended[i+1:]...)
			break
		}
	}
	if p.born {
		l.unlisted--
	}
	p.ended = nil
	delete(l.last, p.pid)
	l.current[p.pid] = p
}

// mayLook tells whether there is time in this second to look at one more process.
func (l *lives) mayLook(p *life, now time.Time) bool {
	if now.Sub(l.since) >= time.Second {
		l.since, l.looks = now, 0
	}
	switch {
	case l.looks < maxLooks/2 || p.executed && l.looks < maxLooks:
		l.looks++
		return true
	case p.executed:
		l.unseen++
	}
	return false
}

// see takes over what was read of the process, unless it is another by now, or its life was handed over meanwhile.
func (l *life) see(c *counts, d *details) {
	if l.taken || l.born && !l.within(c.start) {
		return
	}
	l.counts = c
	if d != nil {
		l.details = d
	}
}

// within tells whether a process that started at this time, in ticks since boot, is the one that was born; the kernel tells
// the birth a moment later.
func (l *life) within(start uint64) bool {
	return l.began/nanosecondsPerTick-start <= 2 // unsigned: a later start is never within
}

// takeEnded hands over the lives that have ended.
func (l *lives) takeEnded() []*life {
	ended := l.ended
	for _, p := range ended {
		p.taken = true
	}
	l.ended, l.unlisted = nil, 0
	clear(l.last)
	return ended
}

// takeCurrent hands over the lives that have not ended.
func (l *lives) takeCurrent() map[int]*life {
	current := l.current
	for _, p := range current {
		p.taken = true
	}
	l.current = make(map[int]*life)
	return current
}
