package server

import (
	"fmt"
	"testing"
	"time"
)

// TestSecondFactorIsToldOnlyWithThePassword: nothing in the answers or in what they cost tells which accounts there are, or
// have a second factor.
func TestSecondFactorIsToldOnlyWithThePassword(t *testing.T) {
	s := startServer(t)
	p := s.signedIn("ann", Admin).enrol()
	s.addUser("bob", Admin)
	answers, costs := map[string]bool{}, map[int64]bool{}
	for _, name := range []string{"ann", "bob", "nobody", "not a name"} {
		for _, code := range []any{nil, "", p.later(), p.wrong(), p.recovery[0]} {
			body := map[string]any{"username": name, "password": "wrong horse battery"}
			if code != nil {
				body["code"] = code
			}
			before := s.accounts.hasher.made.Load()
			a := s.browser().send("POST", "/session", body)
			a.Header.Del("Date")
			answers[fmt.Sprint(a.Status, a.Header, string(a.body))] = true
			costs[s.accounts.hasher.made.Load()-before] = true
			s.clock.add(accountPace.max)
		}
	}
	if len(answers) != 1 || len(costs) != 1 || !costs[1] {
		t.Errorf("they can be told apart by %v, or by the hashes made: %v", answers, costs)
	}
	if a := s.browser().signInWith("ann", p.recovery[0]); a.StatusCode != 200 {
		t.Errorf("a wrong password used a recovery code up: %s", a.body)
	}
	if a := s.browser().signInWith("bob", "123456"); a.StatusCode != 200 {
		t.Errorf("a code that nobody asked for: %s", a.body)
	}
}

// TestCodesAreNotGuessed: wrong codes are slowed as wrong passwords are, and from many addresses too; the owner comes in all the same.
func TestCodesAreNotGuessed(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	p := b.enrol()
	guest := s.browser()
	for range accountPace.free + 1 {
		if a := guest.signInWith("ann", p.wrong()); !asksForCode(a) {
			t.Errorf("got %s", a.body)
		}
		// The password alone neither forgets the wrong codes nor counts as one.
		if a := guest.signInWith("ann", ""); !asksForCode(a) && a.code() != codeTooMany {
			t.Errorf("got %s", a.body)
		}
	}
	if a := guest.signInWith("ann", p.code()); a.code() != codeTooMany {
		t.Errorf("after %d wrong codes: %s", accountPace.free+1, a.body)
	}
	if a := guest.signInWith("ann", p.later()); a.StatusCode != 200 {
		t.Errorf("a step later, which is longer than the wait: %s", a.body)
	}
	s.clock.add(time.Hour)

	one, _ := s.accounts.get("ann")
	guesses := 0
	for ; guesses < 100; guesses++ { // each from an address where nobody has failed
		attempt, _ := s.throttle.admitCode("ann")
		if attempt == nil {
			break
		}
	}
	if want := codePace.free + 1; guesses != want {
		t.Errorf("%d wrong codes from anywhere, want %d before there is a wait", guesses, want)
	}
	stranger := s.browser()
	if a := stranger.signInWith("ann", p.code()); a.code() != codeTooMany || a.Header.Get("Retry-After") != "1" {
		t.Errorf("from an unknown device: %s", a.body)
	}
	if a := stranger.signInWith("ann", p.recovery[0]); a.StatusCode != 200 {
		t.Errorf("a recovery code from an unknown device: %s", a.body)
	}
	token, err := s.devices.add(one, s.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	known := s.browser()
	known.cookie = s.cookieName() + deviceCookie + "=" + token
	if a := known.signInWith("ann", p.code()); a.StatusCode != 200 {
		t.Errorf("from a known device: %s", a.body)
	}
	if a := stranger.signInWith("bob", "123456"); a.code() != codeUnauthenticated {
		t.Errorf("another account: %s", a.body)
	}
}

// TestDevicesFromBeforeTheSecondFactor: the password alone made them known.
func TestDevicesFromBeforeTheSecondFactor(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	one, _ := s.accounts.get("ann")
	token, err := s.devices.add(one, s.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	s.clock.add(time.Second)
	b.enrol()
	one, _ = s.accounts.get("ann")
	if _, known := s.devices.knows(token, one); known {
		t.Error("such a device is known")
	}
	token, err = s.devices.add(one, s.clock.now())
	if _, known := s.devices.knows(token, one); !known || err != nil {
		t.Errorf("a device from after it is not known: %v", err)
	}
}

// TestAStalePasswordSpendsNoCode: what changed between the password and the code counts.
func TestAStalePasswordSpendsNoCode(t *testing.T) {
	s := startServer(t)
	p := s.signedIn("ann", Admin).enrol()
	before, _ := s.accounts.get("ann")
	if _, err := s.accounts.Update(Actor{}, "ann", nil, ptr(newTestPassword)); err != nil {
		t.Fatal(err)
	}
	code := p.later()
	if err := s.accounts.spend(before, Actor{}, code); err != errWrongCode {
		t.Errorf("got %v", err)
	}
	if a := s.browser().send("POST", "/session", map[string]string{"username": "ann", "password": newTestPassword, "code": code}); a.StatusCode != 200 {
		t.Errorf("the new password keeps the second factor, and its code is not used up: %s", a.body)
	}
}
