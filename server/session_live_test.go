package server

import (
	"errors"
	"io"
	"syscall"
	"testing"
	"time"
)

// TestSocketsHangUp ends sessions in every way there is, and looks at what becomes of their open sockets: they are closed with the reason, which
// is told once more to who comes with the token.
func TestSocketsHangUp(t *testing.T) {
	administer := func(r AdminRequest) func(*testing.T, *testServer, *browser, *browser) {
		return func(t *testing.T, s *testServer, _, _ *browser) {
			if _, err := Administer(s.cfg.DataDir, r, s.cfg.Logger); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		end  func(t *testing.T, s *testServer, admin, b *browser)
		code int
		why  string
	}{
		"signed out":     {func(_ *testing.T, _ *testServer, _, b *browser) { b.want(204, "DELETE", "/session", nil) }, closeSessionEnded, endedSignedOut},
		"signed in anew": {func(_ *testing.T, _ *testServer, _, b *browser) { b.signIn("vic") }, closeSessionEnded, endedAnew},
		"revoked": {func(t *testing.T, _ *testServer, admin, b *browser) {
			admin.want(204, "DELETE", "/sessions/"+currentSession(t, b).ID, nil)
		}, closeSessionEnded, endedByAdmin},
		"another role": {func(_ *testing.T, _ *testServer, admin, _ *browser) {
			admin.want(200, "PATCH", "/users/vic", map[string]string{"role": "operator"})
		}, closeSessionEnded, endedRole},
		"another password": {func(_ *testing.T, _ *testServer, admin, _ *browser) {
			admin.want(200, "PATCH", "/users/vic", map[string]string{"password": newTestPassword})
		}, closeSessionEnded, endedPassword},
		"removed":                           {func(_ *testing.T, _ *testServer, admin, _ *browser) { admin.want(204, "DELETE", "/users/vic", nil) }, closeSessionEnded, endedRemoved},
		"another password, by command line": {administer(AdminRequest{Do: "passwd", Name: "vic", Password: newTestPassword}), closeSessionEnded, endedPassword},
		"another role, by command line":     {administer(AdminRequest{Do: "role", Name: "vic", Role: Admin}), closeSessionEnded, endedRole},
		"removed, by command line":          {administer(AdminRequest{Do: "remove", Name: "vic"}), closeSessionEnded, endedRemoved},
		"idle":                              {func(_ *testing.T, s *testServer, _, _ *browser) { s.clock.add(idleTime) }, closeSessionEnded, "your session was not used for 30 minutes"},
		"revoked by oneself": {func(t *testing.T, s *testServer, _, b *browser) {
			elsewhere := s.browser()
			elsewhere.signIn("vic")
			elsewhere.want(204, "DELETE", "/sessions/"+currentSession(t, b).ID, nil)
		}, closeSessionEnded, endedByOwner},
		"too many": {func(_ *testing.T, s *testServer, _, _ *browser) {
			one, _ := s.accounts.get("vic")
			for range maxSessions {
				s.clock.add(time.Second)
				s.sessions.create(one, "", "")
			}
		}, closeSessionEnded, endedTooMany},
		"a second factor, elsewhere": {func(_ *testing.T, s *testServer, _, _ *browser) {
			elsewhere := s.browser()
			elsewhere.signIn("vic")
			elsewhere.enrol()
		}, closeSessionEnded, endedFactor},
		// The page that changed the password comes back with its new token.
		"own password": {func(_ *testing.T, _ *testServer, _, b *browser) {
			b.want(200, "PATCH", "/users/vic", map[string]string{"password": newTestPassword, "currentPassword": testPassword})
		}, closeGoingAway, endedPassword},
		"own password, elsewhere": {func(_ *testing.T, s *testServer, _, _ *browser) {
			elsewhere := s.browser()
			elsewhere.signIn("vic")
			elsewhere.want(200, "PATCH", "/users/vic", map[string]string{"password": newTestPassword, "currentPassword": testPassword})
		}, closeSessionEnded, endedPassword},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			admin, b := s.signedIn("root", Admin), s.signedIn("vic", Viewer)
			adminSocket, socket := admin.live(), b.live()
			for _, one := range []*dialled{adminSocket, socket} {
				one.until("hello", func(f *follower) bool { return f.hello != nil })
			}
			back := s.browser()
			back.cookie = b.cookie
			from := time.Now()
			c.end(t, s, admin, b)
			ended := time.Now()
			code, why := socket.closedWith()
			if code != c.code || code == closeSessionEnded && why != c.why {
				t.Errorf("closed with %d %q, want %d %q", code, why, c.code, c.why)
			}
			if message := back.want(401, "GET", "/session", nil).message(); message != c.why {
				t.Errorf("refused with %q, want %q", message, c.why)
			}
			if entry := into[EntryReply](t, back.want(200, "GET", "/entry", nil)); entry.Session != nil || entry.Ended != c.why {
				t.Errorf("let in with %+v, want %q", entry, c.why)
			}
			if late := time.Since(ended); late > 5*time.Second {
				t.Errorf("closed %v after the answer, %v after the request", late, time.Since(from))
			}
			if name == "idle" {
				return
			}
			adminSocket.mu.Lock()
			defer adminSocket.mu.Unlock()
			if adminSocket.err != nil {
				t.Errorf("the administrator's socket ended too: %v", adminSocket.err)
			}
		})
	}
}

// TestManySocketsHangUp revokes a session that has a hundred open sockets. TCP must be closed really: the other side reads its end.
func TestManySocketsHangUp(t *testing.T) {
	s := startServer(t)
	admin, b := s.signedIn("root", Admin), s.signedIn("vic", Viewer)
	var sockets []*dialled
	for range 100 {
		c := b.live()
		c.until("hello", func(f *follower) bool { return f.hello != nil })
		sockets = append(sockets, c)
	}
	started := time.Now()
	admin.want(200, "PATCH", "/users/vic", map[string]string{"role": "operator"})
	left := 0
	s.hub.mu.Lock()
	for c := range s.hub.clients { // at once, and not when the sessions are looked through the next time
		if c.username == "vic" && !c.isOver() {
			left++
		}
	}
	s.hub.mu.Unlock()
	if left > 0 {
		t.Errorf("%d sockets go on when the change is answered", left)
	}
	b.want(401, "POST", "/session/confirm", map[string]string{"password": testPassword}) // an action in flight
	for _, c := range sockets {
		if code := c.closed(); code != closeSessionEnded {
			t.Errorf("closed with %d", code)
		}
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		if rest, err := io.ReadAll(c.NetConn()); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("TCP goes on: %q, %v", rest, err)
		}
	}
	t.Logf("row 4: %d open sockets of a session were hung up on within %v of the request", len(sockets), time.Since(started).Round(time.Millisecond))
}
