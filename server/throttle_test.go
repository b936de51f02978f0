package server

import (
	"fmt"
	"testing"
	"time"
)

func TestThrottleGrows(t *testing.T) {
	clock := newTestClock()
	th := newThrottle(clock.now)
	// The waits after each failed guess of one account from one address.
	want := []time.Duration{0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300}
	for i, seconds := range want {
		a, wait := th.admit("ann", "192.0.2.1")
		if a == nil {
			t.Fatalf("guess %d has to wait %v", i, wait)
		}
		a, wait = th.admit("ann", "192.0.2.1")
		if seconds == 0 {
			if a == nil {
				t.Fatalf("after guess %d: have to wait %v", i, wait)
			}
			a.unchecked()
			continue
		}
		// The forgiving may have come between; it only shortens.
		if a != nil || wait > seconds*time.Second || wait < seconds*time.Second/2 {
			t.Errorf("after guess %d: have to wait %v, want %d s", i, wait, seconds)
		}
		clock.add(wait - time.Nanosecond)
		if a, _ := th.admit("ann", "192.0.2.1"); a != nil {
			t.Errorf("after guess %d: let through too early", i)
		}
		clock.add(time.Nanosecond)
	}
}

// exhaust guesses until there is a wait, and returns it.
func exhaust(t *testing.T, th *throttle, account, address string) time.Duration {
	t.Helper()
	for range 50 {
		if a, wait := th.admit(account, address); a == nil {
			return wait
		}
	}
	t.Fatalf("%s from %s: 50 guesses without a wait", account, address)
	return 0
}

func TestThrottleIsNoLockOut(t *testing.T) {
	clock := newTestClock()
	th := newThrottle(clock.now)
	exhaust(t, th, "ann", "192.0.2.1")
	for _, c := range []struct {
		account, address string
		admitted         bool
	}{
		{"ann", "192.0.2.1", false},
		{"ann", "192.0.2.2", true}, // the owner, elsewhere
		{"bob", "192.0.2.1", true}, // somebody else, there
		{"ann", "::ffff:192.0.2.1", false},
	} {
		a, _ := th.admit(c.account, c.address)
		if (a != nil) != c.admitted {
			t.Errorf("%s from %s: let through: %v", c.account, c.address, a != nil)
		}
	}
}

func TestThrottleTakesANetworkForOne(t *testing.T) {
	th := newThrottle(newTestClock().now)
	exhaust(t, th, "ann", "2001:db8:1:2::1")
	for address, admitted := range map[string]bool{"2001:db8:1:2:ffff::9": false, "2001:db8:1:2::1%eth0": false, "2001:db8:1:3::1": true} {
		if a, _ := th.admit("ann", address); (a != nil) != admitted {
			t.Errorf("from %s: let through: %v", address, a != nil)
		}
	}
}

func TestThrottleByAddress(t *testing.T) {
	clock := newTestClock()
	th := newThrottle(clock.now)
	n := 0
	for ; n < 100; n++ {
		if a, wait := th.admit(fmt.Sprintf("user%d", n), "192.0.2.1"); a == nil {
			if wait > addressPace.max {
				t.Errorf("have to wait %v", wait)
			}
			break
		}
	}
	if n != addressPace.free+1 {
		t.Errorf("%d accounts were tried from one address before there was a wait", n)
	}
	if a, _ := th.admit("ann", "192.0.2.2"); a == nil {
		t.Error("another address has to wait too")
	}
}

func TestThrottleForgets(t *testing.T) {
	clock := newTestClock()
	th := newThrottle(clock.now)
	wait := exhaust(t, th, "ann", "192.0.2.1")
	clock.add(wait)
	a, _ := th.admit("ann", "192.0.2.1")
	a.right()
	for i := range accountPace.free {
		if a, _ := th.admit("ann", "192.0.2.1"); a == nil {
			t.Fatalf("guess %d after the right password has to wait", i)
		}
	}
	exhaust(t, th, "ann", "192.0.2.1")
	clock.add(time.Duration(accountPace.free+2) * accountPace.max)
	for i := range accountPace.free {
		if a, _ := th.admit("ann", "192.0.2.1"); a == nil {
			t.Fatalf("guess %d much later has to wait", i)
		}
	}
}

// TestThrottleOneSuccessDoesNotClearTheAddress keeps somebody with an account from guessing at others freely.
func TestThrottleOneSuccessDoesNotClearTheAddress(t *testing.T) {
	th := newThrottle(newTestClock().now)
	n := 0
	for ; n < 100; n++ {
		if a, _ := th.admit(fmt.Sprintf("user%d", n), "192.0.2.1"); a == nil {
			break
		}
		if a, _ := th.admit("mine", "192.0.2.1"); a != nil {
			a.right()
		}
	}
	if n > addressPace.free+1 {
		t.Errorf("%d guesses at others between sign-ins of one's own", n)
	}
}

func TestThrottleIsBounded(t *testing.T) {
	clock := newTestClock()
	th := newThrottle(clock.now)
	for i := range maxThrottled {
		clock.add(time.Millisecond)
		th.admit("ann", fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
		if len(th.failures) > maxThrottled {
			t.Fatalf("%d entries", len(th.failures))
		}
	}
	if a, _ := th.admit("ann", "10.255.255.255"); a == nil {
		t.Error("a newcomer is not let through")
	}
	clock.add(time.Hour)
	th.admit("ann", "10.255.255.254")
	th.admit("ann", "10.255.255.253")
	if len(th.failures) > maxThrottled {
		t.Errorf("%d entries", len(th.failures))
	}
}

func TestThrottleClockSetBack(t *testing.T) {
	clock := newTestClock()
	th := newThrottle(clock.now)
	exhaust(t, th, "ann", "192.0.2.1")
	clock.add(-24 * time.Hour)
	if a, wait := th.admit("ann", "192.0.2.1"); a == nil {
		t.Errorf("have to wait %v because the clock was set back", wait)
	}
}
