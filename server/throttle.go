package server

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// pace is how guesses are slowed: the first free failures cost nothing, then the wait is a second and doubles up to max.
// One failure is forgiven for every max that passes.
type pace struct {
	free int
	max  time.Duration
}

var (
	accountPace = pace{free: 3, max: 5 * time.Minute} // one account from one address
	// Behind a proxy everybody has one address, so that one waits less.
	addressPace = pace{free: 20, max: 30 * time.Second}
)

// maxThrottled bounds the table of who failed of late.
const maxThrottled = 10_000

// throttle slows down those who guess passwords, by account and address together and by address alone, so that nobody
// can lock the owner of an account out from elsewhere.
type throttle struct {
	now func() time.Time
	mu  sync.Mutex
	// Keys are a pair of account and address, or an empty account and an address.
	failures map[[2]string]*failures
}

type failures struct {
	count int
	last  time.Time // when count was brought up to date
	until time.Time // no guess before
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, failures: map[[2]string]*failures{}}
}

// attempt is a guess that was let through. It counts as failed until it is known to be right, so that many guesses at
// once are no way around.
type attempt struct {
	t                *throttle
	account, address [2]string
}

// admit lets a guess through, or tells how long to wait.
func (t *throttle) admit(account, address string) (*attempt, time.Duration) {
	network := networkOf(address)
	a := &attempt{t: t, account: [2]string{account, network}, address: [2]string{"", network}}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	byAccount, byAddress := t.at(a.account, accountPace, now), t.at(a.address, addressPace, now)
	if wait := max(byAccount.until.Sub(now), byAddress.until.Sub(now)); wait > 0 {
		return nil, wait
	}
	byAccount.fail(accountPace, now)
	byAddress.fail(addressPace, now)
	t.failures[a.account], t.failures[a.address] = byAccount, byAddress
	t.bound(now)
	return a, 0
}

// right forgets the failures of the account from there, and takes this one back from the address.
func (a *attempt) right() {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	delete(a.t.failures, a.account)
	a.t.takeBack(a.address)
}

// unchecked takes the failure back: whether the guess was right was not found out.
func (a *attempt) unchecked() {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	a.t.takeBack(a.account)
	a.t.takeBack(a.address)
}

func (t *throttle) takeBack(key [2]string) {
	if f := t.failures[key]; f != nil {
		f.count--
		f.until = time.Time{}
	}
}

// at is the state of a key now.
func (t *throttle) at(key [2]string, p pace, now time.Time) *failures {
	f := t.failures[key]
	if f == nil {
		return &failures{last: now}
	}
	f.forgive(p, now)
	return f
}

func (f *failures) forgive(p pace, now time.Time) {
	if now.Before(f.last) { // the clock was set back
		f.last, f.until = now, time.Time{}
	}
	n := int(now.Sub(f.last) / p.max)
	f.count = max(0, f.count-n)
	f.last = f.last.Add(time.Duration(n) * p.max)
	if f.count == 0 {
		f.last = now
	}
}

func (f *failures) fail(p pace, now time.Time) {
	f.count++
	if over := f.count - p.free; over > 0 {
		f.until = now.Add(min(p.max, time.Second<<min(over-1, 20)))
	}
}

// bound keeps the table small: when it is full, what is forgiven goes, and then the oldest tenth.
func (t *throttle) bound(now time.Time) {
	if len(t.failures) <= maxThrottled {
		return
	}
	for key, f := range t.failures {
		p := accountPace
		if key[0] == "" {
			p = addressPace
		}
		if f.forgive(p, now); f.count == 0 {
			delete(t.failures, key)
		}
	}
	if len(t.failures) <= maxThrottled*9/10 {
		return
	}
	byAge := slices.SortedFunc(maps.Keys(t.failures), func(a, b [2]string) int {
		return t.failures[a].last.Compare(t.failures[b].last)
	})
	for _, key := range byAge[:len(byAge)/10] {
		delete(t.failures, key)
	}
}

// networkOf is the address, or of an IPv6 address its /64: one host has all of that.
func networkOf(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}
