package server

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func withSecondFactor(roles ...Role) func(*Config) {
	return func(c *Config) { c.SecondFactor = roles }
}

// whileEnrolling is written by hand: all that a session can do whose role needs a second factor that is not there yet.
var whileEnrolling = []string{
	"GET /session", "DELETE /session", "POST /session/confirm", "GET /second-factor", "POST /second-factor", "POST /second-factor/activate",
}

// TestNothingBeforeTheSecondFactor sends every route and every topic with such a session.
func TestNothingBeforeTheSecondFactor(t *testing.T) {
	s := startServer(t, withSecondFactor(Admin))
	s.addUser("ann", Admin)
	one, _ := s.accounts.get("ann")
	for request, rule := range expectedRules {
		if rule == "anybody" {
			continue
		}
		method, path, body := requestOf(request)
		s.sessions.end(func(*Session) string { return endedByAdmin })
		token, _ := s.sessions.create(one, "127.0.0.1", "")
		b := s.browser()
		b.cookie = s.cookieName() + "=" + token
		code, message := "", ""
		if method == "LIVE" {
			code = b.watchOnce(body)
		} else {
			if body == "" && method != "GET" {
				body = "{}"
			}
			a := b.send(method, strings.NewReplacer(":name", "ann", ":id", "0", ":pid", "1").Replace(path), body)
			code, message = a.code(), a.message()
			if code == codeForbidden && !strings.Contains(message, "set up a second factor first") {
				t.Errorf("%s: %q does not say what to do", request, message)
			}
		}
		if may := slices.Contains(whileEnrolling, request); (code == codeForbidden) == may {
			t.Errorf("%s: got %s %s", request, code, message)
		}
	}
	var open []string
	for _, r := range s.routes() {
		if r.enrolling {
			open = append(open, r.method+" "+r.path)
		}
	}
	if slices.Sort(open); !slices.Equal(open, slices.Sorted(slices.Values(whileEnrolling))) {
		t.Errorf("the table has %q", open)
	}
}

func TestARoleThatNeedsASecondFactor(t *testing.T) {
	s := startServer(t, withSecondFactor(Admin, Operator))
	token, _, err := s.StartSetup()
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser()
	must := func(what string, b *browser, want bool) {
		t.Helper()
		if got := into[SessionReply](t, b.want(200, "GET", "/session", nil)); got.MustEnrol != want {
			t.Errorf("%s: %+v", what, got)
		}
	}
	if got := into[SessionReply](t, b.want(201, "POST", "/setup", setupBody(token, "ann", testPassword))); !got.MustEnrol {
		t.Errorf("after set-up: %+v", got)
	}
	b.want(403, "GET", "/users", nil)
	if got := into[SecondFactorReply](t, b.want(200, "GET", "/second-factor", nil)); !got.Required || got.Active {
		t.Errorf("got %+v", got)
	}
	s.clock.add(confirmFor + time.Second)
	if a := b.want(403, "POST", "/second-factor", "{}"); a.code() != codeReauthenticate {
		t.Errorf("late: %s", a.body)
	}
	b.want(204, "POST", "/session/confirm", map[string]string{"password": testPassword})
	p := b.enrol()
	must("with a second factor", b, false)
	b.want(200, "GET", "/users", nil)
	b.live().until("hello", func(f *follower) bool { return f.hello != nil })

	vic := s.signedIn("vic", Viewer)
	must("a viewer", vic, false)
	vic.want(200, "GET", "/processes", nil)
	b.want(200, "PATCH", "/users/vic", map[string]string{"role": "operator"})
	vic.want(401, "GET", "/session", nil)
	vic.signIn("vic")
	must("a viewer who became an operator", vic, true)
	vic.want(403, "GET", "/processes", nil)
	b.want(200, "PATCH", "/users/vic", map[string]string{"role": "viewer"})
	vic.signIn("vic")
	must("and a viewer again", vic, false)

	socket := b.live()
	socket.until("hello", func(f *follower) bool { return f.hello != nil })
	b.want(204, "POST", "/second-factor/disable", map[string]string{"code": p.later()})
	if code := socket.closed(); code != closeGoingAway {
		t.Errorf("the socket was closed with %d", code)
	}
	must("who turned theirs off", b, true)
	b.want(403, "GET", "/users", nil)
	if code := b.watchOnce(`{"topic":"summary"}`); code != codeForbidden {
		t.Errorf("and watches: %s", code)
	}
	if text := strings.Join(s.operations(), "\n"); !strings.Contains(text, "setup.done ann ann") || !strings.Contains(text, "user.second-factor ann ann") {
		t.Errorf("recorded are\n%s", text)
	}
}

// TestSessionsFromBeforeARoleNeedsASecondFactor: they fall under it too.
func TestSessionsFromBeforeARoleNeedsASecondFactor(t *testing.T) {
	dir, clock := t.TempDir(), newTestClock()
	s := startServerIn(t, dir, clock)
	browsers := map[string]*browser{"ann": s.signedIn("ann", Admin), "bob": s.signedIn("bob", Admin), "vic": s.signedIn("vic", Viewer)}
	browsers["bob"].enrol()
	s.stopServing()
	s = startServerIn(t, dir, clock, withSecondFactor(Admin))
	got := map[string]bool{}
	for name, b := range browsers {
		b.goesOn(s)
		got[name] = into[SessionReply](t, b.want(200, "GET", "/session", nil)).MustEnrol
		b.want(map[bool]int{true: 403, false: 200}[got[name]], "GET", "/summary", nil)
	}
	if want := map[string]bool{"ann": true, "bob": false, "vic": false}; !maps.Equal(got, want) {
		t.Errorf("must set up a second factor: %v, want %v", got, want)
	}
}
