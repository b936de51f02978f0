package server

import (
	"testing"
	"time"
)

var jumps = map[string]time.Duration{
	"an hour on": time.Hour, "an hour back": -time.Hour, "ten years on": 87660 * time.Hour, "ten years back": -87660 * time.Hour,
}

// TestClockJumps sets the wall clock under a server that runs: a session goes on, and ends when it would have.
func TestClockJumps(t *testing.T) {
	for name, jump := range jumps {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			b := s.signedIn("ann", Admin)
			socket := b.live()
			socket.until("hello", func(f *follower) bool { return f.hello != nil })
			idle := s.browser()
			idle.signIn("ann")
			s.clock.jump(jump)
			session := into[SessionReply](t, b.want(200, "GET", "/session", nil))
			if left := session.ExpiresAt.Sub(s.clock.now()); left != idleTime {
				t.Errorf("it ends %v after now, as it is told", left)
			}
			b.want(200, "GET", "/users", nil) // the password is as fresh as it was
			s.clock.add(confirmFor + time.Second)
			b.want(403, "GET", "/users", nil)
			s.sessions.endStale()
			if rows := s.sessions.list(); len(rows) != 2 {
				t.Errorf("%d sessions are left of two", len(rows))
			}
			s.clock.add(idleTime - confirmFor - time.Second)
			idle.want(401, "GET", "/session", nil)
			for range 23 { // the last is past 12 hours
				s.clock.add(idleTime - time.Second)
				b.send("GET", "/session", nil)
			}
			s.clock.add(idleTime - time.Second)
			b.want(401, "GET", "/session", nil)
			if code := socket.closed(); code != closeSessionEnded {
				t.Errorf("the socket was closed with %d", code)
			}
			s.browser().signIn("ann")
		})
	}
	t.Logf("row 16: %d jumps of the wall clock, of an hour and of ten years, while sessions are open: each ends when it would have", len(jumps))
}

// TestClockJumpedBeforeTheStart starts a server on sessions of another time: none lasts longer than a new one would.
func TestClockJumpedBeforeTheStart(t *testing.T) {
	for name, jump := range jumps {
		for when, before := range map[string]bool{"while it ran": true, "while it did not": false} {
			t.Run(name+", "+when, func(t *testing.T) {
				dir, clock := t.TempDir(), newTestClock()
				s := startServerIn(t, dir, clock)
				b := s.signedIn("ann", Admin)
				if before {
					clock.jump(jump)
					b.want(200, "GET", "/session", nil)
					clock.add(2 * saveEvery)
					b.want(200, "GET", "/session", nil)
				}
				s.stopServing()
				if !before {
					clock.jump(jump)
				}
				s = startServerIn(t, dir, clock)
				b.goesOn(s)
				status := b.send("GET", "/session", nil).StatusCode
				if before && status != 200 {
					t.Errorf("a session that was used a moment ago answers %d", status)
				}
				for _, one := range s.sessions.list() {
					if left := one.expiresAt().Sub(clock.now()); left > idleTime {
						t.Errorf("a session lasts %v without use", left)
					}
				}
				clock.add(idleTime)
				b.want(401, "GET", "/session", nil)
			})
		}
	}
	t.Logf("row 16: the same %d before a start: no session lasts longer than a new one", len(jumps))
}

// TestSetupTokenOutlastsAClockJump: NTP sets the clock of a new machine just then.
func TestSetupTokenOutlastsAClockJump(t *testing.T) {
	for name, jump := range jumps {
		t.Run(name, func(t *testing.T) {
			s, token := newSetup(t)
			s.clock.jump(jump)
			s.clock.add(setupTime - time.Second)
			s.browser().want(201, "POST", "/setup", setupBody(token, "ann", testPassword))
		})
	}
}
