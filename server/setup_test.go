package server

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"topdeck/control"
)

// newSetup starts a server without accounts and returns the set-up token.
func newSetup(t *testing.T) (*testServer, string) {
	t.Helper()
	s := startServer(t)
	token, needed, err := s.StartSetup()
	if err != nil || !needed {
		t.Fatalf("got %v %v", needed, err)
	}
	return s, token
}

func setupBody(token, name, password string) map[string]string {
	return map[string]string{"token": token, "username": name, "password": password}
}

func TestSetup(t *testing.T) {
	s, token := newSetup(t)
	if len(token) < 26 { // of 32 letters each: 128 bits
		t.Errorf("the token %q is short", token)
	}
	b := s.browser()
	for _, request := range []string{"GET /entry", "GET /session", "POST /session", "GET /users", "GET /sessions", "DELETE /session"} {
		method, path, _ := strings.Cut(request, " ")
		a := b.want(503, method, path, nil)
		if a.code() != codeUnavailable || !strings.HasPrefix(a.message(), "topdeck is not set up yet: ") {
			t.Errorf("%s: got %s", request, a.body)
		}
	}
	b.want(404, "GET", "/nothing", nil)
	b.want(200, "GET", "//setup", nil)
	b.want(200, "GET", "//healthz", nil)

	for name, c := range map[string]struct {
		body any
		code string
	}{
		"wrong token":    {setupBody("x"+token, "ann", testPassword), codeForbidden},
		"no token":       {setupBody("", "ann", testPassword), codeForbidden},
		"bad name":       {setupBody(token, "Ann Smith", testPassword), codeInvalid},
		"short password": {setupBody(token, "ann", "short"), codeInvalid},
		"no body":        {nil, codeInvalid},
		"a role":         {map[string]string{"token": token, "username": "ann", "password": testPassword, "role": "admin"}, codeInvalid},
	} {
		if a := b.send("POST", "/setup", c.body); a.code() != c.code {
			t.Errorf("%s: got %s", name, a.body)
		}
	}
	s.clock.add(setupTime - time.Second)
	session := into[SessionReply](t, b.want(201, "POST", "/setup", setupBody(token, "ann", testPassword)))
	if session.Username != "ann" || session.Role != Admin {
		t.Errorf("got %+v", session)
	}
	b.want(200, "GET", "/users", nil)

	stranger := s.browser()
	for _, body := range []any{setupBody(token, "bob", testPassword), setupBody("x", "bob", testPassword), nil} {
		if a := stranger.want(410, "POST", "/setup", body); a.code() != codeGone || !strings.Contains(a.message(), "sign in") {
			t.Errorf("afterwards: got %s", a.body)
		}
	}
	stranger.signIn("ann")
	if _, needed, err := s.StartSetup(); needed || err != nil {
		t.Errorf("set-up is needed again: %v %v", needed, err)
	}
	got := s.operations()
	if want := []string{"session.denied ann ", "setup.done ann ann", "session.login ann ann"}; !slices.Equal(got, want) {
		t.Errorf("recorded are %q, want %q", got, want)
	}
	if strings.Contains(s.stderr.String(), token) {
		t.Errorf("the token is in the log: %s", s.stderr)
	}
	page, err := s.log.List(t.Context(), control.Filter{})
	if err != nil || strings.Contains(fmt.Sprintf("%+v", page), token) {
		t.Errorf("the token is in the operation log: %v %+v", err, page)
	}
}

func TestSetupTooLate(t *testing.T) {
	s, token := newSetup(t)
	b := s.browser()
	s.clock.add(setupTime)
	a := b.want(410, "POST", "/setup", setupBody(token, "ann", testPassword))
	if a.code() != codeGone || !strings.Contains(a.message(), "topdeck user add NAME --role admin") || !strings.Contains(a.message(), "restart") {
		t.Errorf("got %s", a.body)
	}
	again, needed, err := s.StartSetup()
	if err != nil || !needed || again == token {
		t.Fatalf("got %q %v %v", again, needed, err)
	}
	b.want(403, "POST", "/setup", setupBody(token, "ann", testPassword))
	b.want(201, "POST", "/setup", setupBody(again, "ann", testPassword))
}

func TestSetupNeverStarted(t *testing.T) {
	s := startServer(t)
	s.browser().want(410, "POST", "/setup", setupBody("", "ann", testPassword))
}

func TestSetupEndsByCommandLine(t *testing.T) {
	s, token := newSetup(t)
	if _, err := Administer(s.cfg.DataDir, AdminRequest{Do: "add", Name: "root", Password: testPassword, Role: Admin}, s.cfg.Logger); err != nil {
		t.Fatal(err)
	}
	b := s.browser()
	b.want(410, "POST", "/setup", setupBody(token, "ann", testPassword))
	b.want(401, "GET", "/session", nil)
	b.signIn("root")
}

// TestSetupIsWonOnce has a hundred claim at once.
func TestSetupIsWonOnce(t *testing.T) {
	s, token := newSetup(t)
	var all sync.WaitGroup
	codes := make(chan string, 100)
	for i := range 100 {
		all.Go(func() {
			codes <- s.browser().send("POST", "/setup", setupBody(token, fmt.Sprintf("user%d", i), testPassword)).code()
		})
	}
	all.Wait()
	close(codes)
	got := map[string]int{}
	for code := range codes {
		got[code]++
	}
	if got["201 Created"] != 1 || got[codeGone] != 99 {
		t.Errorf("got %v", got)
	}
	if n := len(s.accounts.List()); n != 1 {
		t.Errorf("%d accounts", n)
	}
	t.Logf("row 6: 100 claims at once: %v", got)
}

// TestSetupIsWonOnceTwice: the token and the accounts each hold to that by themselves.
func TestSetupIsWonOnceTwice(t *testing.T) {
	s, token := newSetup(t)
	if err := s.setup.claim(token, s.clock.now()); err != nil {
		t.Fatal(err)
	}
	if err := s.setup.claim(token, s.clock.now()); err == nil {
		t.Error("the token was taken twice")
	}
	if _, err := s.accounts.add("ann", testPassword, Admin, true, control.Entry{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.accounts.add("bob", testPassword, Admin, true, control.Entry{}); err == nil {
		t.Error("there are two first accounts")
	}
}

// TestSetupFailed: what went wrong in the server does not use the token up.
func TestSetupFailed(t *testing.T) {
	s, token := newSetup(t)
	s.accounts.hasher.line.fill()
	b := s.browser()
	b.want(429, "POST", "/setup", setupBody(token, "ann", testPassword))
	s.accounts.hasher.line.empty()
	b.want(201, "POST", "/setup", setupBody(token, "ann", testPassword))
}

// TestSetupLastsUntilThereIsAnAdministrator: accounts that cannot administer do not end it.
func TestSetupLastsUntilThereIsAnAdministrator(t *testing.T) {
	s := startServer(t)
	if _, err := Administer(s.cfg.DataDir, AdminRequest{Do: "add", Name: "vera", Password: testPassword, Role: Viewer}, s.cfg.Logger); err != nil {
		t.Fatal(err)
	}
	token, needed, err := s.StartSetup()
	if err != nil || !needed {
		t.Fatalf("with a viewer only, set-up is needed: %v, %v", needed, err)
	}
	if err := s.setup.claim(token, s.steady()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.accounts.add("ada", testPassword, Admin, true, control.Entry{}); err != nil {
		t.Fatal(err)
	}
	if _, needed, _ := s.StartSetup(); needed {
		t.Error("with an administrator, set-up is still needed")
	}
}
