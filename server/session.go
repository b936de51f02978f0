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
}

// expiresAt is when the session ends unless it is used before.
func (s *Session) expiresAt() time.Time {
	idle, absolute := s.LastUsed.Add(idleTime), s.CreatedAt.Add(absoluteTime)
	if idle.Before(absolute) {
		return idle
	}
	return absolute
}

// over tells whether the session has ended. One from the future does not count: the clock was wrong then or is now.
func (s *Session) over(now time.Time) bool {
	return !now.Before(s.expiresAt()) || s.CreatedAt.After(now.Add(5*time.Minute))
}

func (s *Session) reply() SessionReply {
	return SessionReply{Username: s.Username, Role: s.Role, ExpiresAt: s.expiresAt()}
}

// sessions knows who is signed in. They are in memory and, by the hash of their tokens, in a store that outlives the
// program; only the time of last use may be older there, by a minute. Any goroutine may use them.
type sessions struct {
	store    *Storage
	accounts *Accounts
	logger   *slog.Logger
	now      func() time.Time
	hangUp   func(ended map[string]bool) // closes the sockets of these sessions, named by ID

	// storing is held over each look at byID that leads to a write into the store, so that no session that has ended is
	// written there again.
	storing sync.Mutex
	mu      sync.Mutex
	byID    map[string]*Session
}

// newSessions reads the sessions that outlived the program.
func newSessions(store *Storage, accounts *Accounts, logger *slog.Logger) (*sessions, error) {
	s := &sessions{
		store: store, accounts: accounts, logger: logger, now: accounts.now,
		hangUp: func(map[string]bool) {}, byID: map[string]*Session{},
	}
	err := store.Each(func(key string, text []byte) {
		one := &Session{}
		if err := json.Unmarshal(text, one); err != nil || one.ID != sessionID(key) {
			logger.Warn("a stored session cannot be read; whoever it was signs in again")
			return
		}
		one.key, one.savedAt = key, one.LastUsed
		s.byID[one.ID] = one
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
func (s *sessions) create(of account, address, userAgent string) (string, *Session, error) {
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
	copied := *one
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
	if err := s.save(one.ID); err != nil {
		s.endID(one.ID)
		return "", nil, err
	}
	if own > maxSessions {
		s.endID(oldest)
	}
	return token, &copied, nil
}

// save stores a session as it is now, unless it has ended.
func (s *sessions) save(id string) error {
	s.storing.Lock()
	defer s.storing.Unlock()
	s.mu.Lock()
	one := s.byID[id]
	if one == nil {
		s.mu.Unlock()
		return nil
	}
	copied := *one
	s.mu.Unlock()
	text, err := json.Marshal(copied)
	if err != nil {
		return err
	}
	return s.store.Set(copied.key, text, copied.CreatedAt.Add(absoluteTime).Sub(s.now()))
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
	if one == nil || one.key != key || !s.holds(one, now) {
		return nil
	}
	one.LastUsed = now
	copied := *one
	return &copied
}

// holds tells whether a session has not ended: neither by time nor because its account is not what it was.
func (s *sessions) holds(one *Session, now time.Time) bool {
	of, known := s.accounts.get(one.Username)
	return known && of.Stamp == one.Stamp && !one.over(now)
}

// touch counts as use of the session: it puts off the end by idleness.
func (s *sessions) touch(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	if one := s.byID[id]; one != nil && s.holds(one, now) {
		one.LastUsed = now
	}
}

// alive tells whether the session has not ended. A socket asks once it is known to the hub: the session may have been
// revoked between the handshake and that.
func (s *sessions) alive(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.byID[id]
	return one != nil && s.holds(one, s.now())
}

// confirmed notes that the password was given again.
func (s *sessions) confirmed(id string) error {
	s.mu.Lock()
	one := s.byID[id]
	if one == nil {
		s.mu.Unlock()
		return errSignIn()
	}
	one.PasswordAt = s.now()
	s.mu.Unlock()
	return s.save(id)
}

// list returns the sessions that have not ended, the last used first.
func (s *sessions) list() []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	rows := []Session{}
	for _, one := range s.byID {
		if s.holds(one, now) {
			rows = append(rows, *one)
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

// end ends the sessions that which names, hangs up their sockets and returns how many they were.
func (s *sessions) end(which func(*Session) bool) int {
	s.mu.Lock()
	ended := map[string]bool{}
	var keys []string
	for id, one := range s.byID {
		if which(one) {
			ended[id] = true
			keys = append(keys, one.key)
			delete(s.byID, id)
		}
	}
	hangUp := s.hangUp
	s.mu.Unlock()
	if len(ended) == 0 {
		return 0
	}
	hangUp(ended)
	s.storing.Lock()
	defer s.storing.Unlock()
	for _, key := range keys {
		if err := s.store.Delete(key); err != nil {
			// It would be there again after a restart, until it is used up.
			s.logger.Error("cannot remove a session that was ended", "error", err)
		}
	}
	return len(ended)
}

func (s *sessions) endID(id string) int {
	return s.end(func(one *Session) bool { return one.ID == id })
}

// endStale ends the sessions whose time is over or whose account is no longer what it was.
func (s *sessions) endStale() {
	now := s.now()
	s.end(func(one *Session) bool { return !s.holds(one, now) })
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
		if err := s.save(id); err != nil {
			s.logger.Error("cannot store the use of a session", "error", err)
		}
	}
}

// keep clears away sessions whose time is over, stores their use, and sweeps the store, until stop closes. It looks at the clock often,
// because the wall clock may be set or the machine may sleep; not each second, which would cost a quiet server as much as reading
// the host does. That none is used beyond its time, whoever uses it sees to (alive).
func (s *sessions) keep(stop <-chan struct{}) {
	ticker := time.NewTicker(keepEvery)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-stop:
			s.saveUsed(0)
			return
		case <-ticker.C:
		}
		s.endStale()
		s.saveUsed(saveEvery)
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
