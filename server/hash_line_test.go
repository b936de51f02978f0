package server

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fill has every place taken, and the line before them, until empty.
func (l *hashLine) fill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = hashesAtOnce + 1
	for len(l.waiting) < hashesInLine {
		l.waiting = append(l.waiting, &inLine{trusted, make(chan bool, 1)})
	}
}

func (l *hashLine) empty() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running, l.waiting = 0, nil
}

// ending is how somebody's wait ended: "" while they wait.
type ending struct{ atomic.Value }

func (e *ending) String() string {
	text, _ := e.Load().(string)
	return text
}

// come has somebody enter the line.
func (l *hashLine) come(t *testing.T, who standing) *ending {
	ended := new(ending)
	go func() {
		err := l.enter(who)
		var refusal *Error
		switch {
		case err == nil:
			ended.Store("in")
		case errors.As(err, &refusal) && refusal.Code == codeTooMany && refusal.RetryAfter > 0:
			ended.Store("busy")
		default:
			t.Errorf("got %v", err)
		}
	}()
	synctest.Wait()
	return ended
}

// TestHashLine fills the line with those who have failed, and has others come.
func TestHashLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &hashLine{}
		var who []standing
		var ended []*ending
		come := func(one standing) string {
			who, ended = append(who, one), append(ended, l.come(t, one))
			return ended[len(ended)-1].String()
		}
		for i := range hashesAtOnce + hashesInLine + 3 {
			come(standing{failed: 3, came: uint64(i)})
		}
		for i, one := range []struct {
			standing
			want string
		}{
			{trusted, "in"}, // at once
			{trusted, ""},   // in the place of one who has failed
			{standing{failed: 1, came: 90}, ""},
			{standing{failed: 1, came: 91}, ""},
			{standing{came: 92, around: "a"}, ""},
			{standing{came: 93, around: "a"}, ""},
			{standing{came: 94, around: "b"}, ""},
			{standing{failed: 4, came: 95}, "busy"},
		} {
			if got := come(one.standing); got != one.want {
				t.Errorf("%d: %+v: %q, want %q", i, one.standing, got, one.want)
			}
		}
		if l.running != hashesAtOnce+1 || len(l.waiting) != hashesInLine {
			t.Fatalf("%d run and %d wait", l.running, len(l.waiting))
		}
		var order []standing
		for range hashesInLine + hashesAtOnce + 1 {
			before := slices.Collect(func(yield func(int) bool) {
				for i := range ended {
					if ended[i].String() == "" && !yield(i) {
						return
					}
				}
			})
			l.leave()
			synctest.Wait()
			for _, i := range before {
				if ended[i].String() == "in" {
					order = append(order, who[i])
				}
			}
		}
		if l.running != 0 || len(l.waiting) != 0 || len(order) != hashesInLine {
			t.Fatalf("%d run, %d wait, %d had a turn", l.running, len(l.waiting), len(order))
		}
		if want := []standing{trusted, {came: 92, around: "a"}, {came: 94, around: "b"}, {came: 93, around: "a"}, {failed: 1, came: 91}, {failed: 1, came: 90}}; !slices.Equal(order[:6], want) {
			t.Errorf("the first turns were %+v, want %+v", order[:6], want)
		}
	})
}

// rush is many addresses that guess, each over and over, and an owner among them.
type rush struct {
	t        *testing.T
	line     *hashLine
	throttle *throttle
	waiting  map[string]*ending // how the last try of each address ended
	tries    map[string]*attempt
	served   map[string]bool // who had a turn
}

func newRush(t *testing.T) *rush {
	return &rush{t: t, line: &hashLine{}, throttle: newThrottle(newTestClock().now), waiting: map[string]*ending{}, tries: map[string]*attempt{}, served: map[string]bool{}}
}

// try has an address try again unless it waits, or has to.
func (r *rush) try(address string) {
	if r.waiting[address] == nil {
		if r.tries[address], _ = r.throttle.admit("account ann", address); r.tries[address] == nil {
			return
		}
		r.waiting[address] = r.line.come(r.t, r.tries[address].standing)
	}
	r.look()
}

// look sees how the tries ended.
func (r *rush) look() {
	for address, ended := range r.waiting {
		switch ended.String() {
		case "in":
			r.served[address] = true
		case "busy":
			r.tries[address].unchecked()
		default:
			continue
		}
		delete(r.waiting, address)
	}
}

// turn ends one hash, which was of a wrong password.
func (r *rush) turn() {
	r.line.leave()
	synctest.Wait()
	r.look()
}

// turnsOf counts the turns of others before the owner's, who comes after so many turns and tries again each turn, and after whom the
// guessers' addresses try.
func (r *rush) turnsOf(owner string, after int, guessers func(turn int) []string) int {
	for turn := range after + 100 {
		if turn >= after {
			r.try(owner)
		}
		for _, address := range guessers(turn) {
			r.try(address)
		}
		if r.turn(); r.served[owner] {
			return turn - after
		}
	}
	return -1
}

// TestAnOwnerHasATurnSoon has guessers come from many addresses at once, in each way that might keep an owner out whose address is new,
// and counts the turns that others have before.
func TestAnOwnerHasATurnSoon(t *testing.T) {
	all := func(n int, form string) []string {
		addresses := make([]string, n)
		for i := range addresses {
			addresses[i] = fmt.Sprintf(form, i/250, i%250)
		}
		return addresses
	}
	guessers, distant, near := all(41, "127.0.%d.%d"), all(2000, "127.%d.%d.1"), all(41, "192.0.%d.%d")
	for name, c := range map[string]struct {
		owner    string
		after    int // turns
		guessers func(turn int) []string
		most     int // turns of others
	}{
		"41 addresses of one network":                  {"192.0.2.1", 1, func(int) []string { return guessers }, 2},
		"the owner comes in the middle of it":          {"192.0.2.1", 10, func(int) []string { return guessers }, 2},
		"the owner is of their network":                {"127.0.0.250", 10, func(int) []string { return guessers }, 2},
		"the owner is of a network that guessed":       {"192.0.0.249", 100, func(turn int) []string { return [][]string{near, guessers}[min(turn/50, 1)] }, 41},
		"2,000 addresses of as many networks":          {"192.0.2.1", 20, func(int) []string { return distant }, 2},
		"each turn a hundred new ones of a network":    {"192.0.2.1", 5, func(turn int) []string { return newOnes(turn, 100, "2001:db8:0:%x::1") }, 2},
		"each turn a hundred new ones of new networks": {"192.0.2.1", 5, func(turn int) []string { return newOnes(turn, 100, "2001:db8:%x::1") }, 40},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRush(t)
				turns := r.turnsOf(c.owner, c.after, c.guessers)
				if turns < 0 || turns > c.most {
					t.Errorf("%d turns of others before the owner's, want at most %d", turns, c.most)
				}
				t.Logf("row 5: %s: the owner has a turn after %d of others", name, turns)
				time.Sleep(hashWait) // those who wait have left
			})
		})
	}
}

func newOnes(turn, n int, form string) []string {
	addresses := make([]string, n)
	for i := range addresses {
		addresses[i] = fmt.Sprintf(form, turn*n+i+1)
	}
	return addresses
}

// TestHashLineIsLeft has some wait in vain.
func TestHashLineIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &hashLine{}
		l.fill()
		l.waiting = nil
		left := make(chan error, 3)
		for range cap(left) {
			go func() { left <- l.enter(trusted) }()
		}
		synctest.Wait()
		if len(left) != 0 {
			t.Errorf("not waited: %v", <-left)
		}
		time.Sleep(hashWait)
		synctest.Wait()
		if len(left) != cap(left) || len(l.waiting) != 0 {
			t.Fatalf("after %v %d have left, and %d wait", hashWait, len(left), len(l.waiting))
		}
		for range cap(left) {
			if err := <-left; err == nil {
				t.Error("let in, and no place was free")
			}
		}
	})
}
