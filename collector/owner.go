package collector

import (
	"fmt"
	"time"
)

// Who holds which socket is the dearest question there is: 4 µs a socket and 50 µs a process by /proc, 0.4 µs and 3 to 5 µs by BPF.
// So it is asked again only when something shows that an answer is missing, and now and then, because a socket can be passed on
// without a trace in what sock_diag tells. These bound how old an answer gets, and what it may cost.
const (
	// ownersAge is how often a quick search is made, sweepAge one of everything; where that takes more than a hundredth of the
	// time, less often. A quick one by /proc takes 2 µs a process, and sees all that changes how many descriptors one has open. By BPF every
	// search is one of everything.
	ownersAge   = 10 * time.Second
	sweepAge    = 30 * time.Second
	ownersRests = 100
	// quickRests keeps the search for new sockets' owners from taking more than a fifth of the time on a host where sockets come
	// and go, sweepRests the search through everything for those that were not found from taking more than a twentieth.
	quickRests = 4
	sweepRests = 20
)

// holderSource is where it is read which processes hold which sockets.
type holderSource interface {
	// search calls visit for each socket that a process holds, also for those that are neither TCP nor UDP where it cannot tell.
	// A quick search may repeat what an earlier one found of processes that do not seem to have changed; live tells whether an
	// inode is of a TCP or UDP socket that is there now. Whole tells that nothing was repeated. The error tells whose sockets
	// could not be read.
	search(quick bool, live func(inode uint32) bool, visit func(inode uint32, pid int)) (whole bool, err error)
}

// owners knows which process holds which socket: of several, the one with the lowest PID.
type owners struct {
	source  processSource
	holders holderSource
	byInode map[uint32]*socket // that are there and belong to somebody, or may
	known   map[int]*owner     // by PID, the processes that hold them
	fresh   bool               // there are sockets that were not asked for yet, or whose owner ended
	changed bool               // an owner is another than it was before the last update

	searched, swept      time.Time     // when the last search began, and the last of everything
	quickCost, sweepCost time.Duration // of the last of each
	updates              int
	editions             uint64
	failure              error // of the last search
}

// owner is what is told of a process beside its sockets.
type owner struct {
	pid     int
	start   uint64
	comm    string // as the kernel gives it
	program string
	unit    string
	user    bool   // a user's manager runs the unit
	edition uint64 // another whenever one of these is
	used    bool   // by the search that is going on
}

// holding is what is known of who holds a socket.
type holding struct {
	owner *owner // nil when none is known
	asked bool   // whether there is one
	found int    // the lowest PID of the search that is going on
	shown uint64 // the edition of the owner in the row; 0 for none
}

func newOwners(source processSource, holders holderSource) *owners {
	return &owners{source: source, holders: holders, byInode: make(map[uint32]*socket), known: make(map[int]*owner)}
}

// edition changes with what is to be shown.
func (h *holding) edition() uint64 {
	if h.owner == nil {
		return 0
	}
	return h.owner.edition
}

// fill puts the owner into a row.
func (h *holding) fill(row *Socket) {
	row.PID, row.Program, row.Unit, row.UserUnit = 0, "", "", false
	if w := h.owner; w != nil {
		row.PID, row.Program, row.Unit, row.UserUnit = w.pid, w.program, w.unit, w.user
	}
	h.shown = h.edition()
}

// add makes a socket known that somebody may hold.
func (o *owners) add(s *socket) {
	o.byInode[s.inode] = s
	s.owner, s.asked = nil, false
	o.fresh = true
}

// remove forgets a socket that is gone, or that nobody holds any more.
func (o *owners) remove(s *socket) {
	if o.byInode[s.inode] == s {
		delete(o.byInode, s.inode)
	}
	s.owner = nil
}

// update makes the owners of these sockets known. Processes are those of the same sample, or nil. The error says whose owners
// could not be found out.
func (o *owners) update(now time.Time, sockets []*socket, processes map[int]*process) error {
	o.changed = false
	o.updates++
	o.refresh(sockets, processes)
	switch {
	case now.Sub(o.swept) >= max(sweepAge, ownersRests*o.sweepCost):
		o.search(now, sockets, processes, false)
	case now.Sub(o.searched) >= max(ownersAge, ownersRests*o.quickCost), o.fresh && now.Sub(o.searched) >= quickRests*o.quickCost:
		o.search(now, sockets, processes, true)
		if o.fresh && now.Sub(o.swept) >= sweepRests*o.sweepCost {
			o.search(now, sockets, processes, false)
		}
	}
	return o.failure
}

// refresh reads the owners' names anew, and asks again for the sockets of those that have ended.
func (o *owners) refresh(sockets []*socket, processes map[int]*process) {
	ended := false
	for pid, w := range o.known {
		if !o.describe(w, processes) {
			w.pid = 0
			delete(o.known, pid)
			ended = true
		}
	}
	if !ended {
		return
	}
	for _, s := range sockets {
		if s.owner != nil && s.owner.pid == 0 {
			s.owner, s.asked = nil, false
			o.fresh, o.changed = true, true
		}
	}
}

// describe brings what is told of an owner up to date. It is false when the process is not there any more.
func (o *owners) describe(w *owner, processes map[int]*process) bool {
	now := *w
	if p := processes[w.pid]; p != nil {
		now.start, now.comm, now.unit, now.user = p.row.StartTime, p.comm, p.row.Unit, p.row.UserUnit
	} else {
		c, err := o.source.counts(w.pid)
		if err != nil {
			return false
		}
		now.start, now.comm = c.start, c.comm
		if w.edition == 0 || now.comm != w.comm || (o.updates+w.pid)%64 == 0 { // a process seldom changes its control group
			if d, err := o.source.details(w.pid); err == nil {
				now.unit, now.user = d.unit, d.userUnit
			}
		}
	}
	if w.edition != 0 && now.start != w.start {
		return false
	}
	if now.comm != w.comm {
		now.program = clean(now.comm, maxName)
	}
	if now != *w || w.edition == 0 {
		o.editions++
		now.edition = o.editions
		o.changed = true
		*w = now
	}
	return true
}

// search finds the holders of all sockets, and describes those that were not known.
func (o *owners) search(now time.Time, sockets []*socket, processes map[int]*process, quick bool) {
	began := time.Now()
	for _, s := range sockets {
		s.found = 0
	}
	live := func(inode uint32) bool { return o.byInode[inode] != nil }
	whole, err := o.holders.search(quick, live, func(inode uint32, pid int) {
		if s := o.byInode[inode]; s != nil && (s.found == 0 || pid < s.found) {
			s.found = pid
		}
	})
	o.failure, o.fresh = err, false
	for _, w := range o.known {
		w.used = false
	}
	for _, s := range sockets {
		if s.inode != 0 {
			o.settle(s, processes, whole)
		}
	}
	for pid, w := range o.known {
		if !w.used {
			delete(o.known, pid)
		}
	}
	o.searched = now
	if whole {
		o.swept = now
	}
	if cost := time.Since(began); quick {
		o.quickCost = cost
	} else {
		o.sweepCost = cost
	}
}

// settle takes over what a search has found of one socket. A quick one that finds nothing may not have looked at the right place.
func (o *owners) settle(s *socket, processes map[int]*process, whole bool) {
	before := s.owner
	s.owner = nil
	if s.found != 0 {
		s.owner = before
		if before == nil || before.pid != s.found {
			s.owner = o.meet(s.found, processes)
		}
	}
	if s.owner != nil {
		s.owner.used = true
	}
	s.asked = s.owner != nil || s.found == 0 && (whole || before == nil && s.asked)
	o.fresh = o.fresh || !s.asked
	o.changed = o.changed || s.owner != before
}

// meet is the owner with this PID; nil when the process has ended since it was met.
func (o *owners) meet(pid int, processes map[int]*process) *owner {
	w := o.known[pid]
	if w == nil {
		w = &owner{pid: pid}
		if !o.describe(w, processes) {
			return nil
		}
		o.known[pid] = w
	}
	return w
}

// errClosed says whose sockets may not be seen.
func errClosed(closed, total int) error {
	return fmt.Errorf("cannot look into %d of %d processes, so the owners of their sockets are unknown: run topdeck as root", closed, total)
}
