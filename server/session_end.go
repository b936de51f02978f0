package server

import (
	"fmt"
	"time"
)

// Why sessions end, in words for who was in one: its sockets are closed with them, and who comes with its token later is refused with them.
const (
	endedSignedOut = "you signed out in another window"
	endedAnew      = "you signed in anew in another window"
	endedByOwner   = "you ended this session from another one"
	endedByAdmin   = "an administrator ended your session"
	endedTooMany   = "you have many sessions: the one that was used longest ago ended"
	endedRole      = "your role was changed"
	endedPassword  = "your password was changed"
	endedFactor    = "your second factor was set up or removed"
	endedAccount   = "your account was changed"
	endedRemoved   = "your account was removed"
	endedClock     = "the clock of the server was set"
)

// maxEndings is of how many sessions it is known why they ended, the last ones. It is in memory only.
const maxEndings = 1024

// endings are why sessions ended, by ID.
type endings struct {
	why   map[string]string
	order []string
}

func (e *endings) add(id, why string) {
	e.why[id] = why
	if e.order = append(e.order, id); len(e.order) > maxEndings {
		delete(e.why, e.order[0])
		e.order = e.order[1:]
	}
}

// over is why the time of the session is over, "" if it is not. One from the future does not count: the clock was wrong then or is now.
func (s *Session) over(now time.Time) string {
	const future = 5 * time.Minute
	latest := now.Add(future)
	switch {
	case s.CreatedAt.After(latest) || s.LastUsed.After(latest) || s.PasswordAt.After(latest):
		return endedClock
	case !now.Before(s.CreatedAt.Add(absoluteTime)):
		return fmt.Sprintf("a session lasts %d hours at most", absoluteTime/time.Hour)
	case !now.Before(s.expiresAt()):
		return fmt.Sprintf("your session was not used for %d minutes", idleTime/time.Minute)
	}
	return ""
}

// ending is why a session has ended: by time, or because its account is not what it was; "" if it has not.
func (s *sessions) ending(one *Session, now time.Time) string {
	of, known := s.accounts.get(one.Username)
	switch {
	case !known:
		return endedRemoved
	case of.Stamp != one.Stamp:
		return endedAccount
	}
	return one.over(now)
}

// whyEnded tells whether a session has ended, and why, as far as that is known. A socket asks once it is known to the hub: the session
// may have been revoked between the handshake and that.
func (s *sessions) whyEnded(id string) (why string, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.byID[id]; one != nil {
		why = s.ending(one, s.now())
		return why, why != ""
	}
	return s.past.why[id], true
}

// lost is why the session of a token has ended, "" where that is not known.
func (s *sessions) lost(token string) string {
	why, _ := s.whyEnded(sessionID(sessionKey(token)))
	return why
}

// end ends the sessions for which why gives a reason, hangs up their sockets and returns how many they were.
func (s *sessions) end(why func(*Session) string) int {
	s.mu.Lock()
	ended := map[string]string{}
	var keys []string
	for id, one := range s.byID {
		if reason := why(one); reason != "" {
			ended[id] = reason
			keys = append(keys, one.key)
			delete(s.byID, id)
			s.past.add(id, reason)
		}
	}
	hangUp := s.hangUp
	s.mu.Unlock()
	if len(ended) == 0 {
		return 0
	}
	hangUp(ended)
	s.storing.Lock()
	for _, key := range keys {
		s.ended[key] = true
	}
	s.storing.Unlock()
	s.removeEnded()
	return len(ended)
}

// removeEnded removes ended sessions from the store: what is left there would be a session again after a restart.
func (s *sessions) removeEnded() {
	s.storing.Lock()
	defer s.storing.Unlock()
	for key := range s.ended {
		err := s.store.Delete(key)
		if s.tell(err); err != nil {
			return
		}
		delete(s.ended, key)
	}
}

func (s *sessions) endID(id, why string) int {
	return s.end(func(one *Session) string {
		if one.ID != id {
			return ""
		}
		return why
	})
}

// endStale ends the sessions whose time is over or whose account is no longer what it was.
func (s *sessions) endStale() {
	now := s.now()
	s.end(func(one *Session) string { return s.ending(one, now) })
}

// endChanged is endStale when it is known of an account in which way it is no longer what it was.
func (s *sessions) endChanged(name, why string) {
	now := s.now()
	s.end(func(one *Session) string {
		reason := s.ending(one, now)
		if reason == endedAccount && one.Username == name {
			return why
		}
		return reason
	})
}
