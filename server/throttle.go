package server

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
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
	// The six digits of one account, from anywhere: of 300 guesses a day one is right in three years.
	codePace = pace{free: 10, max: 5 * time.Minute}
)

// maxThrottled bounds the table of who failed of late.
const maxThrottled = 10_000

// throttle slows down those who guess passwords, by account and address together and by address alone, so that nobody
// can lock the owner of an account out from elsewhere. A device that the account has signed in with is slowed by itself alone, so
// that nobody can from the same address, either.
type throttle struct {
	now func() time.Time
	mu  sync.Mutex
	// Keys are a pair of account and address, an empty account and an address, or a device, or the codes of an account, and no address.
	failures map[[2]string]*failures
	came     uint64 // addresses so far
}

type failures struct {
	came  uint64 // the order in which they were made, from 1
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
	t     *throttle
	keys  [][2]string // the account's or the device's first
	until []time.Time // what the failure of each had to wait for
	standing
}

// admit lets a guess through, or tells how long to wait.
func (t *throttle) admit(account, address string) (*attempt, time.Duration) {
	network := networkOf(address)
	return t.admitBy([2]string{account, network}, [2]string{"", network})
}

// admitDevice is admit for a device that the account has signed in with.
func (t *throttle) admitDevice(device string) (*attempt, time.Duration) {
	return t.admitBy([2]string{"device " + device, ""})
}

// admitCode is admit for a code of an account's second factor.
func (t *throttle) admitCode(account string) (*attempt, time.Duration) {
	return t.admitBy([2]string{codesOf + account, ""})
}

// codesOf begins the key of an account's codes.
const codesOf = "codes of "

func (t *throttle) admitBy(keys ...[2]string) (*attempt, time.Duration) {
	a := &attempt{t: t, keys: keys}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	var wait time.Duration
	for _, key := range keys {
		f := t.at(key, paceOf(key), now)
		wait = max(wait, f.until.Sub(now))
		a.failed += f.count
	}
	if wait > 0 {
		return nil, wait
	}
	for _, key := range keys {
		f := t.at(key, paceOf(key), now)
		f.fail(paceOf(key), now)
		if f.came == 0 {
			t.came++
			f.came = t.came
		}
		if key[0] == "" {
			a.came, a.around = f.came, aroundOf(key[1])
		}
		t.failures[key] = f
		a.until = append(a.until, f.until)
	}
	t.bound(now)
	return a, 0
}

func paceOf(key [2]string) pace {
	switch {
	case key[0] == "":
		return addressPace
	case strings.HasPrefix(key[0], codesOf):
		return codePace
	}
	return accountPace
}

// none is an attempt that counts nowhere.
func (a *attempt) none() *attempt { return &attempt{t: a.t} }

// right forgets the failures of the account from there, and takes this one back from the address.
func (a *attempt) right() {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	for i, key := range a.keys {
		if i == 0 {
			delete(a.t.failures, key)
		} else {
			a.t.takeBack(key, a.until[i])
		}
	}
}

// unchecked takes the failure back: whether the guess was right was not found out.
func (a *attempt) unchecked() {
	a.t.mu.Lock()
	defer a.t.mu.Unlock()
	for i, key := range a.keys {
		a.t.takeBack(key, a.until[i])
	}
}

// takeBack takes a failure back, and the wait that it brought; what failed since has its own.
func (t *throttle) takeBack(key [2]string, until time.Time) {
	if f := t.failures[key]; f != nil {
		f.count--
		if f.until.Equal(until) {
			f.until = time.Time{}
		}
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
		if f.forgive(paceOf(key), now); f.count == 0 {
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

// aroundOf is what one owner of a network may well have all addresses of: the /24 of an IPv4 address, the /48 of an IPv6 network.
func aroundOf(network string) string {
	if p, err := netip.ParsePrefix(network); err == nil {
		return netip.PrefixFrom(p.Addr(), 48).Masked().String()
	}
	if a, err := netip.ParseAddr(network); err == nil {
		return netip.PrefixFrom(a, 24).Masked().String()
	}
	return network
}
