package server

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"topdeck/control"
)

func TestSignInAndOut(t *testing.T) {
	s := startServer(t)
	s.addUser("ann", Operator)
	b := s.browser()
	a := b.want(200, "POST", "/session", map[string]string{"username": "ann", "password": testPassword})
	session := into[SessionReply](t, a)
	want := SessionReply{Username: "ann", Role: Operator, ExpiresAt: s.clock.now().Add(idleTime).UTC().Round(0)}
	if session != want {
		t.Errorf("POST answers %+v, want %+v", session, want)
	}
	if session := into[SessionReply](t, b.want(200, "GET", "/session", nil)); session != want {
		t.Errorf("GET answers %+v, want %+v", session, want)
	}
	if entry := into[EntryReply](t, b.want(200, "GET", "/entry", nil)); entry.Session == nil || *entry.Session != want {
		t.Errorf("GET /entry answers %+v, want %+v", entry.Session, want)
	}
	token := b.cookie
	if a := b.want(204, "DELETE", "/session", nil); len(a.body) > 0 || b.cookie != "" {
		t.Errorf("DELETE answers %q and leaves the cookie %q", a.body, b.cookie)
	}
	b.cookie = token
	if a := b.want(401, "GET", "/session", nil); a.code() != codeUnauthenticated {
		t.Errorf("signed out, GET answers %s", a.code())
	}
	if entry := into[EntryReply](t, b.want(200, "GET", "/entry", nil)); entry.Session != nil {
		t.Errorf("signed out, GET /entry answers %+v", entry.Session)
	}
	b.want(401, "DELETE", "/session", nil)
	if got, want := s.operations(), []string{"user.add ann test", "session.login ann ann", "session.logout ann ann"}; !slices.Equal(got, want) {
		t.Errorf("recorded are %q, want %q", got, want)
	}
	if n := s.log.Unseen(); n != 1 {
		t.Errorf("%d records are to be looked at, want 1: coming and going need not be", n)
	}
}

func TestRefusedSignIn(t *testing.T) {
	s := startServer(t)
	s.addUser("ann", Admin)
	b := s.browser()
	cases := []struct {
		name string
		body any
		code string
	}{
		{"wrong password", map[string]string{"username": "ann", "password": "wrong horse battery"}, codeUnauthenticated},
		{"unknown user", map[string]string{"username": "bob", "password": testPassword}, codeUnauthenticated},
		{"capitals", map[string]string{"username": "Ann", "password": testPassword}, codeUnauthenticated},
		{"a password for a name", map[string]string{"username": "my secret password", "password": testPassword}, codeUnauthenticated},
		{"a very long name", map[string]string{"username": strings.Repeat("x", 5000), "password": testPassword}, codeUnauthenticated},
		{"no password", map[string]string{"username": "ann"}, codeInvalid},
		{"empty password", map[string]string{"username": "ann", "password": ""}, codeInvalid},
		{"no name", map[string]string{"password": testPassword}, codeInvalid},
		{"another field", map[string]string{"username": "ann", "password": testPassword, "role": "admin"}, codeInvalid},
		{"no body", nil, codeInvalid},
		{"a number", `{"username":"ann","password":1}`, codeInvalid},
	}
	var wrong []string
	for _, c := range cases {
		a := b.send("POST", "/session", c.body)
		if a.code() != c.code || b.cookie != "" {
			t.Errorf("%s: got %s %s, cookie %q", c.name, a.Status, a.body, b.cookie)
		}
		if c.code == codeUnauthenticated {
			wrong = append(wrong, a.message())
		}
	}
	if slices.Sort(wrong); wrong[0] != wrong[len(wrong)-1] {
		t.Errorf("what was wrong can be told from %q", slices.Compact(wrong))
	}
	page, err := s.log.List(t.Context(), control.Filter{LogType: "session.denied"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, o := range page.Operations {
		got = append(got, strings.Join([]string{o.Target, o.Source, string(o.RetStatus), string(o.LogStatus)}, " "))
	}
	want := []string{"(not a user name) 127.0.0.1 failed new", "bob 127.0.0.1 failed new", "ann 127.0.0.1 failed new"}
	if !slices.Equal(got, want) {
		t.Errorf("recorded are %q, want %q", got, want)
	}
	if text := s.stderr.String(); strings.Contains(text, "secret") || strings.Contains(text, "horse") {
		t.Errorf("the log tells a password: %s", text)
	}
}

func TestSignInIsThrottled(t *testing.T) {
	s := startServer(t)
	s.addUser("ann", Admin)
	s.addUser("bob", Viewer)
	s.clock.add(s.clock.now().Truncate(time.Minute).Add(time.Minute).Sub(s.clock.now())) // one minute for all
	b := s.browser()
	wrong := map[string]string{"username": "ann", "password": "wrong horse battery"}
	for range accountPace.free + 1 {
		b.want(401, "POST", "/session", wrong)
	}
	right := map[string]string{"username": "ann", "password": testPassword}
	a := b.want(429, "POST", "/session", right)
	if a.code() != codeTooMany || a.Header.Get("Retry-After") != "1" || !strings.Contains(a.message(), "1 second") {
		t.Errorf("got %s, Retry-After %q", a.body, a.Header.Get("Retry-After"))
	}
	b.want(200, "POST", "/session", map[string]string{"username": "bob", "password": testPassword})
	s.clock.add(time.Second)
	b.want(200, "POST", "/session", right)
	b.want(401, "POST", "/session", wrong) // forgotten by the success
	page, err := s.log.List(t.Context(), control.Filter{LogType: "session.denied"})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Operations) != 1 {
		t.Errorf("%d records of refused sign-ins, want one for the minute: %+v", len(page.Operations), page.Operations)
	}
}

func TestSignInReplacesTheSession(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	first := b.cookie
	b.signIn("ann")
	second := b.cookie
	if first == second {
		t.Fatal("the token is the same")
	}
	b.want(200, "GET", "/session", nil)
	b.cookie = first
	b.want(401, "GET", "/session", nil)
	// A token that the browser was made to have is not taken over.
	b.cookie = s.cookieName() + "=" + strings.Repeat("A", 43)
	b.signIn("ann")
	if b.cookie == s.cookieName()+"="+strings.Repeat("A", 43) {
		t.Error("a made-up token was taken over")
	}
}

func TestSessionEndsByTime(t *testing.T) {
	s := startServer(t)
	t.Run("idle", func(t *testing.T) {
		b := s.signedIn("ann", Admin)
		for range 3 {
			s.clock.add(idleTime - time.Second)
			b.want(200, "GET", "/session", nil)
		}
		s.clock.add(idleTime)
		b.want(401, "GET", "/session", nil)
	})
	t.Run("absolute", func(t *testing.T) {
		b := s.signedIn("bob", Viewer)
		start := s.clock.now()
		for s.clock.now().Sub(start) < absoluteTime-20*time.Minute {
			s.clock.add(20 * time.Minute)
			b.want(200, "GET", "/session", nil)
		}
		session := into[SessionReply](t, b.want(200, "GET", "/session", nil))
		if !session.ExpiresAt.Equal(start.Add(absoluteTime)) {
			t.Errorf("expires at %v, want %v", session.ExpiresAt, start.Add(absoluteTime))
		}
		s.clock.add(20 * time.Minute)
		b.want(401, "GET", "/session", nil)
	})
	t.Run("touched", func(t *testing.T) { // as a live page does
		b := s.signedIn("cid", Viewer)
		id := currentSession(t, b).ID
		for range 3 {
			s.clock.add(idleTime - time.Second)
			s.sessions.touch(id)
		}
		if why, ended := s.sessions.whyEnded(id); ended {
			t.Errorf("the session is over: %s", why)
		}
		b.want(200, "GET", "/session", nil)
		s.clock.add(idleTime)
		s.sessions.touch(id) // too late
		if _, ended := s.sessions.whyEnded(id); !ended {
			t.Error("a touch brought the session back")
		}
		b.want(401, "GET", "/session", nil)
	})
	t.Run("clock set back", func(t *testing.T) {
		b := s.signedIn("dan", Viewer)
		s.clock.add(-time.Hour)
		b.want(401, "GET", "/session", nil)
	})
}

// currentSession is the browser's own row in the list.
func currentSession(t *testing.T, b *browser) SessionRow {
	t.Helper()
	for _, row := range into[SessionsReply](t, b.want(200, "GET", "/sessions", nil)).Sessions {
		if row.Current {
			return row
		}
	}
	t.Fatal("no session is the current one")
	return SessionRow{}
}

func TestSessionsAreListedAndRevoked(t *testing.T) {
	s := startServer(t)
	admin := s.signedIn("ann", Admin)
	viewer := s.signedIn("bob", Viewer)
	other := s.signedIn("cid", Operator)
	again := s.browser()
	again.header.Set("User-Agent", "Browser\xff\u0085 \u202e"+strings.Repeat("ä", 400))
	again.signIn("bob")

	names := func(b *browser) (list []string) {
		for _, row := range into[SessionsReply](t, b.want(200, "GET", "/sessions", nil)).Sessions {
			list = append(list, row.Username)
		}
		slices.Sort(list)
		return list
	}
	if got, want := names(admin), []string{"ann", "bob", "bob", "cid"}; !slices.Equal(got, want) {
		t.Errorf("the administrator sees %q, want %q", got, want)
	}
	if got, want := names(viewer), []string{"bob", "bob"}; !slices.Equal(got, want) {
		t.Errorf("the viewer sees %q, want %q", got, want)
	}
	row := currentSession(t, again)
	if row.Address != "127.0.0.1" || len(row.UserAgent) > maxUserAgent || !strings.HasPrefix(row.UserAgent, "Browser ää") || strings.Contains(row.UserAgent, "\ufffd") {
		t.Errorf("got %+v", row)
	}
	if token := strings.TrimPrefix(again.cookie, s.cookieName()+"="); strings.Contains(sessionKey(token), row.ID) || strings.Contains(token, row.ID) {
		t.Error("the ID tells of the token or of where it is stored")
	}

	hungUp := s.watchHangUps()
	if a := viewer.send("DELETE", "/sessions/"+currentSession(t, other).ID, nil); a.code() != codeNotFound {
		t.Errorf("a viewer ends another's session: %s", a.body)
	}
	other.want(200, "GET", "/session", nil)
	viewer.want(204, "DELETE", "/sessions/"+row.ID, nil)
	again.want(401, "GET", "/session", nil)
	viewer.want(404, "DELETE", "/sessions/"+row.ID, nil)
	viewer.want(404, "DELETE", "/sessions/0", nil)
	otherID := currentSession(t, other).ID
	admin.want(204, "DELETE", "/sessions/"+otherID, nil)
	other.want(401, "GET", "/session", nil)
	if got := hungUp(); !got[row.ID] || !got[otherID] || len(got) != 2 {
		t.Errorf("hung up on %v", got)
	}
	admin.want(204, "DELETE", "/sessions/"+currentSession(t, admin).ID, nil)
	if admin.cookie != "" {
		t.Error("who ended their own session keeps the cookie")
	}
	var got []string
	for _, o := range s.operations() {
		if strings.HasPrefix(o, "session.revoke") {
			got = append(got, o)
		}
	}
	if want := []string{"session.revoke bob bob", "session.revoke cid ann", "session.revoke ann ann"}; !slices.Equal(got, want) {
		t.Errorf("recorded are %q, want %q", got, want)
	}
}

// watchHangUps notes on which sessions' sockets the server hangs up.
func (s *testServer) watchHangUps() func() map[string]bool {
	all := map[string]bool{}
	s.sessions.mu.Lock()
	defer s.sessions.mu.Unlock()
	before := s.sessions.hangUp
	s.sessions.hangUp = func(ended map[string]string) {
		before(ended)
		s.sessions.mu.Lock()
		defer s.sessions.mu.Unlock()
		for id := range ended {
			all[id] = true
		}
	}
	return func() map[string]bool {
		s.sessions.mu.Lock()
		defer s.sessions.mu.Unlock()
		return maps.Clone(all)
	}
}

func TestSessionsOfOneAccountAreBounded(t *testing.T) {
	s := startServer(t)
	s.addUser("ann", Viewer)
	one, _ := s.accounts.get("ann")
	var tokens []string
	for range maxSessions + 3 {
		s.clock.add(time.Second)
		token, _ := s.sessions.create(one, "", "")
		tokens = append(tokens, token)
		s.sessions.find(tokens[0]) // used all the time
	}
	if n := len(s.sessions.list()); n != maxSessions {
		t.Errorf("%d sessions, want %d", n, maxSessions)
	}
	for i, want := range map[int]bool{0: true, 1: false, 2: false, 3: false, 4: true, maxSessions + 2: true} {
		if got := s.sessions.find(tokens[i]) != nil; got != want {
			t.Errorf("session %d is there: %v", i, got)
		}
	}
}

func TestConfirm(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	b.want(200, "GET", "/users", nil)
	s.clock.add(confirmFor)
	b.want(200, "GET", "/users", nil)
	s.clock.add(time.Second)
	if a := b.want(403, "GET", "/users", nil); a.code() != codeReauthenticate {
		t.Errorf("got %s", a.code())
	}
	b.want(400, "POST", "/session/confirm", "{}")
	for range accountPace.free + 1 {
		if a := b.want(403, "POST", "/session/confirm", map[string]string{"password": "wrong horse battery"}); a.code() != codeForbidden {
			t.Errorf("got %s", a.code())
		}
	}
	b.want(429, "POST", "/session/confirm", map[string]string{"password": testPassword})
	s.clock.add(time.Second)
	b.want(204, "POST", "/session/confirm", map[string]string{"password": testPassword})
	b.want(200, "GET", "/users", nil)
	got := s.operations()
	if want := []string{"user.add ann test", "session.login ann ann", "session.denied ann ann", "session.confirm ann ann"}; !slices.Equal(got, want) {
		t.Errorf("recorded are %q, want %q", got, want)
	}
}

// portsBrowser keeps cookies as browsers do: one set for all ports of a host.
type portsBrowser struct{ *http.Client }

func newPortsBrowser(t *testing.T) portsBrowser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return portsBrowser{&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Jar: jar}}
}

// ask sends what a page of the server s would, and wants 200.
func (b portsBrowser) ask(t *testing.T, s *testServer, method, url, body string) (reply SessionReply) {
	t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Origin", "http://"+s.address)
	request.Header.Set("Content-Type", "application/json")
	response, err := b.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_ = json.NewDecoder(response.Body).Decode(&reply) // another server's is none
	if response.StatusCode != http.StatusOK {
		t.Errorf("%s %s: %s", method, url, response.Status)
	}
	return reply
}

// Tunnels to several servers end at one host, 127.0.0.1, and a browser keeps one set of cookies for all its ports.
func TestSignedInToTwoServersOfOneHost(t *testing.T) {
	browser := newPortsBrowser(t)
	servers := []*testServer{startServer(t), startServer(t)}
	for _, s := range servers {
		s.addUser("ann", Admin)
		browser.ask(t, s, "POST", "http://"+s.address+apiPrefix+"/session", signInAnn)
	}
	for _, s := range servers {
		browser.ask(t, s, "GET", "http://"+s.address+apiPrefix+"/session", "")
	}
}

// A server at another port of the host may give the browser cookies of our names, for a path that makes them come first.
func TestCookiesThatOtherPortsPlant(t *testing.T) {
	s := startServer(t)
	s.addUser("ann", Admin)
	mallory := s.signedIn("mallory", Viewer)
	for name, planted := range map[string]string{
		"junk": "x", "what looks like a session": strings.Repeat("A", 43), "a session of its own": strings.TrimPrefix(mallory.cookie, s.cookieName()+"="),
	} {
		t.Run(name, func(t *testing.T) {
			browser := newPortsBrowser(t)
			other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				http.SetCookie(w, &http.Cookie{Name: s.cookieName(), Value: planted, Path: "/api"})
			}))
			defer other.Close()
			ask := func(method, url, body string) SessionReply {
				t.Helper()
				return browser.ask(t, s, method, url, body)
			}
			session := "http://" + s.address + apiPrefix + "/session"
			ask("POST", session, signInAnn)
			ask("GET", other.URL, "")
			if sent := browser.Jar.Cookies(mustURL(t, session)); sent[0].Value != planted {
				t.Fatalf("the browser sends %v", sent)
			}
			if reply := ask("GET", session, ""); reply.Username != "ann" {
				t.Errorf("it is the session of %q", reply.Username)
			}
			ask("POST", session, signInAnn)
			if reply := ask("GET", session, ""); reply.Username != "ann" {
				t.Errorf("signed in again, it is the session of %q", reply.Username)
			}
		})
	}
}
