package server

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
)

// setupTime is how long the set-up token is good for.
const setupTime = 15 * time.Minute

// setup is the making of the first account: whoever holds the token that was told at the start may do it, once.
type setup struct {
	mu      sync.Mutex
	token   [sha256.Size]byte // the hash of it
	expires time.Time         // zero: there is no token
	claimed bool
}

// StartSetup makes the set-up token when there is no administrator yet; needed tells that. The token belongs into the fragment
// of a URL, PUBLIC/setup#token=TOKEN, and into no log. It is good for 15 minutes, and an earlier one no longer.
func (s *Server) StartSetup() (token string, needed bool, err error) {
	if !s.accounts.unled() {
		return "", false, nil
	}
	token = rand.Text()
	s.setup.mu.Lock()
	defer s.setup.mu.Unlock()
	s.setup.token, s.setup.expires, s.setup.claimed = sha256.Sum256([]byte(token)), s.steady().Add(setupTime), false
	return token, true, nil
}

func errSetupUsed() error { return refuse(codeGone, "topdeck is set up already: sign in") }

func errNotSetUp() error {
	return refuse(codeUnavailable, "topdeck is not set up yet: open the set-up URL that it told when it started, or run topdeck user add NAME --role admin")
}

// claim takes the token, for one caller only, who gives it back when nothing came of it.
func (s *setup) claim(token string, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := sha256.Sum256([]byte(token))
	switch {
	case s.expires.IsZero() || !now.Before(s.expires):
		return refuse(codeGone, "the time for set-up is over: restart topdeck for a new set-up URL, or run topdeck user add NAME --role admin")
	case subtle.ConstantTimeCompare(sum[:], s.token[:]) == 0:
		return refuse(codeForbidden, "the set-up token is wrong: open the set-up URL exactly as topdeck told it")
	case s.claimed:
		return errSetupUsed()
	}
	s.claimed = true
	return nil
}

func (s *setup) giveBack() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claimed = false
}

// setUp answers POST /setup: the first account, an administrator's, who is signed in at once.
func (s *Server) setUp(c *fiber.Ctx) error {
	if !s.accounts.unled() {
		return errSetupUsed()
	}
	var body struct {
		Token    string `json:"token"`
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	if err := CheckName(body.Username); err != nil {
		return err
	}
	if err := CheckPassword(body.Password); err != nil {
		return err
	}
	if err := s.setup.claim(body.Token, s.steady()); err != nil {
		s.accounts.denied(body.Username, actorOf(c), "set-up: "+err.Error())
		return err
	}
	by := Actor{Name: body.Username, Source: sourceOf(c)}
	one, err := s.accounts.add(body.Username, body.Password, Admin, true,
		entryOf("setup.done", by, by.Name, "topdeck was set up; "+by.Name+" is its first administrator"))
	if err != nil {
		s.setup.giveBack()
		return err
	}
	session := s.enter(c, one)
	s.accounts.signedIn(one.Name)
	return c.Status(fiber.StatusCreated).JSON(s.sessionReply(session))
}
