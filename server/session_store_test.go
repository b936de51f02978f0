package server

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSessionsOutliveTheProgram(t *testing.T) {
	dir, clock := t.TempDir(), newTestClock()
	s := startServerIn(t, dir, clock)
	ann, bob, cid := s.signedIn("ann", Admin), s.signedIn("bob", Viewer), s.signedIn("cid", Viewer)
	clock.add(20 * time.Minute)
	before := currentSession(t, ann)
	cookie := cid.cookie
	cid.want(204, "DELETE", "/session", nil)
	cid.cookie = cookie // kept by who took it
	s.stopServing()

	file, err := os.ReadFile(filepath.Join(dir, dbFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []*browser{ann, bob} {
		if strings.Contains(string(file), strings.TrimPrefix(b.cookie, s.cookieName()+"=")) {
			t.Error("a token is in the database")
		}
	}

	clock.add(15 * time.Minute)
	s2 := startServerIn(t, dir, clock)
	for _, b := range []*browser{ann, bob, cid} {
		b.goesOn(s2)
	}
	if after := currentSession(t, ann); after.ID != before.ID || !after.CreatedAt.Equal(before.CreatedAt) || after.Address != before.Address {
		t.Errorf("got %+v, want %+v", after, before)
	}
	bob.want(401, "GET", "/session", nil) // last used 35 minutes ago
	cid.want(401, "GET", "/session", nil)
	if a := ann.send("GET", "/users", nil); a.code() != codeReauthenticate {
		t.Errorf("the password was given 35 minutes ago: got %s", a.body)
	}
}

// TestStoredSessionsHoldToTheirAccount: what ended a session counts after a restart too, even when the program had no time
// to remove it from the store.
func TestStoredSessionsHoldToTheirAccount(t *testing.T) {
	dir, clock := t.TempDir(), newTestClock()
	s := startServerIn(t, dir, clock)
	b := s.signedIn("ann", Admin)
	s.addUser("bob", Admin)
	one, _ := s.accounts.get("ann")
	s.accounts.changed = func(string, string) {} // as if it ended here
	if _, err := s.accounts.Update(Actor{}, "ann", nil, ptr("another horse battery")); err != nil {
		t.Fatal(err)
	}
	s.stopServing()
	s = startServerIn(t, dir, clock)
	b.goesOn(s)
	b.want(401, "GET", "/session", nil)
	s.sessions.create(one, "", "") // signed in while the password changed
	if n := len(s.sessions.list()); n != 0 {
		t.Errorf("%d sessions of an account that is no longer what it was", n)
	}
}

func ptr[T any](v T) *T { return &v }

// TestEndedSessionIsNotStoredAgain ends a session while its use is being stored.
func TestEndedSessionIsNotStoredAgain(t *testing.T) {
	s := startServer(t)
	s.addUser("ann", Admin)
	one, _ := s.accounts.get("ann")
	for range 30 {
		_, session := s.sessions.create(one, "", "")
		s.clock.add(time.Second)
		s.sessions.touch(session.ID)
		done := make(chan struct{})
		go func() {
			s.sessions.saveUsed(0)
			close(done)
		}()
		s.sessions.endID(session.ID, endedByAdmin)
		<-done
		s.sessions.save(session.ID)
	}
	if err := s.sessions.store.Each(func(key string, _ []byte) { t.Errorf("stored is %s", key) }); err != nil {
		t.Fatal(err)
	}
}

func TestUseIsStoredOnceAMinute(t *testing.T) {
	s := startServer(t)
	s.signedIn("ann", Admin)
	stored := func() (one Session) {
		if err := s.sessions.store.Each(func(_ string, text []byte) { _ = json.Unmarshal(text, &one) }); err != nil {
			t.Fatal(err)
		}
		return one
	}
	first := stored()
	s.clock.add(saveEvery - time.Second)
	s.sessions.touch(first.ID)
	s.sessions.saveUsed(saveEvery)
	if !stored().LastUsed.Equal(first.LastUsed) {
		t.Error("stored before a minute was over")
	}
	s.clock.add(time.Second)
	s.sessions.touch(first.ID)
	s.wait("the keeper stores it", func() bool { return stored().LastUsed.Equal(first.LastUsed.Add(saveEvery)) })
}

// TestSocketsOfExpiredSessionsHangUp jumps the clock and does nothing else.
func TestSocketsOfExpiredSessionsHangUp(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	id := currentSession(t, b).ID
	hungUp := s.watchHangUps()
	s.clock.add(idleTime)
	s.wait("the socket is hung up", func() bool { return hungUp()[id] })
}
