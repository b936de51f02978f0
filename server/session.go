package server

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
)

const (
	sessionsBucket = "sessions"
	idleTime       = 30 * time.Minute
	absoluteTime   = 12 * time.Hour
	keepEvery      = 10 * time.Second
	saveEvery      = time.Minute // how stale the stored time of last use may be
	maxSessions    = 32          // of one account; the one that was used longest ago goes
	tokenLength    = 32          // bytes
	maxUserAgent   = 256
)

// Session is a signed-in browser. What handlers get is a copy that does not change.
type Session struct {
	ID         string    `json:"id"` // names the session in lists; it is not the token and opens nothing
	Username   string    `json:"username"`
	Role       Role      `json:"role"`
	CreatedAt  time.Time `json:"createdAt"`
	LastUsed   time.Time `json:"lastUsed"`
	PasswordAt time.Time `json:"passwordAt"` // when the password was last given
	Address    string    `json:"address"`
	UserAgent  string    `json:"userAgent"`
	Stamp      string    `json:"stamp"` // the account's when it signed in

	key     string    // of the store: the SHA-256 of the token, in hex
	savedAt time.Time // LastUsed as stored
	unsaved string    // why the store does not have it as it is, "" if it does
	// enrolling is the secret of a second factor that is being set up; in memory until a right code is given.
	enrolling string
}

// expiresAt is when the session ends unless it is used before.
func (s *Session) expiresAt() time.Time {
	idle, absolute := s.LastUsed.Add(idleTime), s.CreatedAt.Add(absoluteTime)
	if idle.Before(absolute) {
		return idle
	}
	return absolute
}

// sessions knows who is signed in. They are in memory and, by the hash of their tokens, in a store that outlives the
// program; only the time of last use may be older there, by a minute. While the store cannot be written they go on in memory,
// and it is written as soon as that works. Any goroutine may use them.
//
// Their times are of a clock that nobody sets (now): a jump of the wall clock neither ends a session nor makes it last. What is told
// and stored is brought to wall time then, and what is read at the start from the future is not believed.
type sessions struct {
	store    *Storage
	accounts *Accounts
	logger   *slog.Logger
	now      func() time.Time
	wall     func() time.Time
	hangUp   func(ended map[string]string) // closes the sockets of these sessions, named by ID, and tells why

	// storing is held over each look at byID that leads to a write into the store, so that no session that has ended is
	// written there again.
	storing sync.Mutex
	failing bool            // the store could not be written last time
	ended   map[string]bool // keys that are still to be removed from the store
	mu      sync.Mutex
	byID    map[string]*Session
	past    endings
}

// newSessions reads the sessions that outlived the program.
func newSessions(store *Storage, accounts *Accounts, logger *slog.Logger, now func() time.Time) (*sessions, error) {
	s := &sessions{
		store: store, accounts: accounts, logger: logger, now: now, wall: accounts.now,
		hangUp: func(map[string]string) {}, byID: map[string]*Session{}, ended: map[string]bool{}, past: endings{why: map[string]string{}},
	}
	err := store.Each(func(key string, text []byte) {
		one := &Session{}
		if err := json.Unmarshal(text, one); err != nil || one.ID != sessionID(key) {
			logger.Warn("a stored session cannot be read; whoever it was signs in again")
			return
		}
		one.key, one.savedAt = key, one.LastUsed
		if one.over(now()) == "" {
			s.byID[one.ID] = one
		}
	})
	return s, err
}

// sessionKey is where a token's session is stored: to read the store does not open a session.
func sessionKey(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// sessionID names a session in lists.
func sessionID(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

// create signs an account in and returns the token, which is nowhere else.
func (s *sessions) create(of account, address, userAgent string) (string, *Session) {
	random := make([]byte, tokenLength)
	rand.Read(random)
	token := base64.RawURLEncoding.EncodeToString(random)
	key, now := sessionKey(token), s.now()
	one := &Session{
		ID: sessionID(key), Username: of.Name, Role: of.Role, CreatedAt: now, LastUsed: now, PasswordAt: now,
		Address: address, UserAgent: plainText(userAgent, maxUserAgent), Stamp: of.Stamp, key: key,
	}
	one.savedAt = now
	s.mu.Lock()
	s.byID[one.ID] = one
	own, oldest := 0, one.ID
	for id, other := range s.byID {
		if other.Username == one.Username {
			own++
			if other.LastUsed.Before(s.byID[oldest].LastUsed) {
				oldest = id
			}
		}
	}
	s.mu.Unlock()
	s.save(one.ID)
	if own > maxSessions {
		s.endID(oldest, endedTooMany)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return token, s.told(one)
}

// told is a copy with its times by the wall clock of now.
func (s *sessions) told(one *Session) *Session {
	copied, jumped := *one, s.wall().Sub(s.now())
	for _, t := range []*time.Time{&copied.CreatedAt, &copied.LastUsed, &copied.PasswordAt} {
		*t = t.Add(jumped)
	}
	return &copied
}

// save stores a session as it is now, unless it has ended. Where that fails, the session notes it.
func (s *sessions) save(id string) {
	s.storing.Lock()
	defer s.storing.Unlock()
	s.mu.Lock()
	one := s.byID[id]
	if one == nil {
		s.mu.Unlock()
		return
	}
	copied := s.told(one)
	s.mu.Unlock()
	text, err := json.Marshal(copied)
	if err == nil {
		err = s.store.Set(copied.key, text, copied.CreatedAt.Add(absoluteTime).Sub(s.wall()))
	}
	s.tell(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if one.unsaved = ""; err != nil {
		one.unsaved = err.Error()
	}
}

// tell logs when the store can no longer be written, and when it can again. The caller holds storing.
func (s *sessions) tell(err error) {
	if s.failing == (err != nil) {
		return
	}
	if s.failing = err != nil; s.failing {
		s.logger.Error("cannot store sessions: they are kept in memory until that works", "error", err)
	} else {
		s.logger.Info("sessions are stored again")
	}
}

// find returns the session of a token, or nil. That counts as use.
func (s *sessions) find(token string) *Session {
	if len(token) != base64.RawURLEncoding.EncodedLen(tokenLength) {
		return nil
	}
	key, now := sessionKey(token), s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	// Looked up by a hash of a hash of the token: the time that takes tells nothing of it.
	one := s.byID[sessionID(key)]
	if one == nil || one.key != key || s.ending(one, now) != "" {
		return nil
	}
	one.LastUsed = now
	return s.told(one)
}

// touch counts as use of the session: it puts off the end by idleness.
func (s *sessions) touch(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if one := s.byID[id]; one != nil && s.ending(one, now) == "" {
		one.LastUsed = now
	}
}

// confirmed notes that the password was given again.
func (s *sessions) confirmed(id string) error {
	s.mu.Lock()
	one := s.byID[id]
	if one == nil {
		s.mu.Unlock()
		return errSignIn("")
	}
	one.PasswordAt = s.now()
	s.mu.Unlock()
	s.save(id)
	return nil
}

// enrol keeps the secret of a second factor to be.
func (s *sessions) enrol(id, secret string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.byID[id]
	if one == nil {
		return errSignIn("")
	}
	one.enrolling = secret
	return nil
}

// list returns the sessions that have not ended, the last used first.
func (s *sessions) list() []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	rows := []Session{}
	for _, one := range s.byID {
		if s.ending(one, now) == "" {
			rows = append(rows, *s.told(one))
		}
	}
	slices.SortFunc(rows, func(a, b Session) int {
		if c := b.LastUsed.Compare(a.LastUsed); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return rows
}

// saveUnsaved has the store follow after it could not be written.
func (s *sessions) saveUnsaved() {
	s.mu.Lock()
	var behind []string
	for id, one := range s.byID {
		if one.unsaved != "" {
			behind = append(behind, id)
		}
	}
	s.mu.Unlock()
	for _, id := range behind {
		s.save(id)
	}
	s.removeEnded()
}

// saveUsed stores when sessions were last used, where the store is behind by at least age.
func (s *sessions) saveUsed(age time.Duration) {
	s.mu.Lock()
	var behind []string
	for id, one := range s.byID {
		if late := one.LastUsed.Sub(one.savedAt); late > 0 && late >= age {
			one.savedAt = one.LastUsed
			behind = append(behind, id)
		}
	}
	s.mu.Unlock()
	for _, id := range behind {
		s.save(id)
	}
}

// keep clears away sessions whose time is over, stores their use, and sweeps the store, until stop closes. It looks at the clock often,
// because the wall clock may be set or the machine may sleep; not each second, which would cost a quiet server as much as reading
// the host does. That none is used beyond its time, whoever uses it sees to (whyEnded).
func (s *sessions) keep(stop <-chan struct{}) {
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-stop:
			s.saveUsed(0)
			s.saveUnsaved()
			return
		case <-ticker.C:
		}
		s.endStale()
		s.saveUsed(saveEvery)
		s.saveUnsaved()
		if n%60 == 0 {
			if err := s.store.Sweep(); err != nil {
				s.logger.Error("cannot sweep stored sessions", "error", err)
			}
		}
	}
}

// plainText cuts a text to at most n bytes of valid UTF-8 and leaves out what does not print, bidi controls among it.
func plainText(text string, n int) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if len(text) > n {
		text = strings.ToValidUTF8(text[:n], "")
	}
	return text
}
