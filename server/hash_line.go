package server

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// standing is who goes first when many passwords are to be checked.
type standing struct {
	trusted bool   // who is signed in, or comes with the cookie of a known device: before all others, and with a place of their own
	failed  int    // guesses from there of late: who had fewer goes first, so that each address has its turn
	around  string // the wider network: of those with as many failures, who is of one that had fewer turns goes first
	came    uint64 // the order in which addresses came, see hashLine
}

var trusted = standing{trusted: true}

const (
	hashesAtOnce = 2 // and one more of the trusted
	hashesInLine = 16
	hashWait     = 10 * time.Second
)

// hashLine is where those wait who want a hash made. Of those who stand alike, the address that came last and the one that came first
// have their turn by turns: who comes late need not wait for all the many that came before, and who asks again and again has a turn
// however many new ones come. When the line is full, one of those who stand last leaves, who came neither early nor late.
type hashLine struct {
	mu      sync.Mutex
	running int
	given   int            // turns, to those who waited
	turns   map[string]int // of them, to each wider network since nobody waited
	waiting []*inLine      // as they came
}

type inLine struct {
	standing
	turn chan bool // holds one: whether it is their turn, or they have to go
}

// enter waits for a place. It refuses when too many wait already, or when it takes too long.
func (l *hashLine) enter(who standing) error {
	busy := tooMany("too many passwords are being checked just now", 2*time.Second)
	me := &inLine{who, make(chan bool, 1)}
	l.mu.Lock()
	if l.free(who) {
		l.running++
		l.mu.Unlock()
		return nil
	}
	l.waiting = append(l.waiting, me)
	if len(l.waiting) > hashesInLine {
		l.take(l.leaves()).turn <- false
	}
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
	if slices.Contains(l.waiting, me) {
		l.take(me)
		return busy
	}
	if <-me.turn { // just now
		return nil
	}
	return busy
}

func (l *hashLine) free(who standing) bool {
	return l.running < hashesAtOnce || who.trusted && l.running == hashesAtOnce
}

// leave gives the place to the next, and tells whether nobody is left.
func (l *hashLine) leave() (empty bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	for len(l.waiting) > 0 {
		next := l.next()
		if !l.free(next.standing) {
			break
		}
		l.take(next).turn <- true
		l.running++
		if l.given++; l.turns == nil || len(l.turns) == maxThrottled {
			l.turns = map[string]int{}
		}
		l.turns[next.around]++
	}
	if len(l.waiting) == 0 {
		l.turns = nil
	}
	return l.running == 0
}

// next is whose turn is next, of those who wait.
func (l *hashLine) next() *inLine {
	first := l.alike(slices.MinFunc(l.waiting, l.byStanding))
	if l.given%2 == 0 {
		return slices.MaxFunc(first, byAge)
	}
	return slices.MinFunc(first, byAge)
}

// leaves is who leaves a line that is full.
func (l *hashLine) leaves() *inLine {
	last := l.alike(slices.MaxFunc(l.waiting, l.byStanding))
	if last[0].trusted {
		return last[len(last)-1]
	}
	slices.SortStableFunc(last, byAge)
	return last[len(last)/2]
}

// alike are those who wait and stand as one does, as they came.
func (l *hashLine) alike(one *inLine) []*inLine {
	var all []*inLine
	for _, other := range l.waiting {
		if l.byStanding(one, other) == 0 {
			all = append(all, other)
		}
	}
	return all
}

func (l *hashLine) take(one *inLine) *inLine {
	at := slices.Index(l.waiting, one)
	l.waiting = slices.Delete(l.waiting, at, at+1)
	return one
}

func (l *hashLine) byStanding(a, b *inLine) int {
	if a.trusted != b.trusted {
		if a.trusted {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.failed, b.failed), cmp.Compare(l.turns[a.around], l.turns[b.around]))
}

func byAge(a, b *inLine) int { return cmp.Compare(a.came, b.came) }
