package server

import (
	"slices"
	"sync"
	"time"
)

// urgency is who goes first when many passwords are to be checked.
type urgency uint8

const (
	trusted urgency = iota // who is signed in, or comes with the cookie of a known device: they have a place of their own
	fresh                  // who comes from an address that nobody has failed from of late
	suspect
)

const (
	hashesAtOnce = 2 // and one more of the trusted
	hashesInLine = 16
	hashWait     = 10 * time.Second
)

// hashLine is where those wait who want a hash made: the most urgent first, then the first come. When it is full, the least
// urgent of them leaves for one who is more so.
type hashLine struct {
	mu      sync.Mutex
	running int
	waiting []*inLine // by urgency, then as they came
}

type inLine struct {
	urgency
	turn chan bool // holds one: whether it is their turn, or they have to go
}

// enter waits for a place. It refuses when too many wait already, or when it takes too long.
func (l *hashLine) enter(how urgency) error {
	busy := tooMany("too many passwords are being checked just now", 2*time.Second)
	me := &inLine{how, make(chan bool, 1)}
	l.mu.Lock()
	last := len(l.waiting) - 1
	switch {
	case l.free(how):
		l.running++
		l.mu.Unlock()
		return nil
	case last+1 < hashesInLine:
	case l.waiting[last].urgency > how:
		l.waiting[last].turn <- false
		l.waiting = l.waiting[:last]
	default:
		l.mu.Unlock()
		return busy
	}
	at := slices.IndexFunc(l.waiting, func(other *inLine) bool { return other.urgency > how })
	if at < 0 {
		at = len(l.waiting)
	}
	l.waiting = slices.Insert(l.waiting, at, me)
	l.mu.Unlock()

	timer := time.NewTimer(hashWait)
	defer timer.Stop()
	select {
	case mine := <-me.turn:
		if mine {
			return nil
		}
		return busy
	case <-timer.C:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := slices.Index(l.waiting, me); at >= 0 {
		l.waiting = slices.Delete(l.waiting, at, at+1)
		return busy
	}
	if <-me.turn { // just now
		return nil
	}
	return busy
}

func (l *hashLine) free(how urgency) bool {
	return l.running < hashesAtOnce || how == trusted && l.running == hashesAtOnce
}

// leave gives the place to the next, and tells whether nobody is left.
func (l *hashLine) leave() (empty bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	for len(l.waiting) > 0 && l.free(l.waiting[0].urgency) {
		l.waiting[0].turn <- true
		l.waiting = l.waiting[1:]
		l.running++
	}
	return l.running == 0
}
