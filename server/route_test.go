package server

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// expectedRules is written by hand, from the contract: who may use a route, and whether the password must have been given
// just before. A route that is not here is a mistake, and so is one that is here only.
var expectedRules = map[string]string{
	"POST /setup":           "anybody",
	"POST /session":         "anybody",
	"GET /session":          "viewer",
	"DELETE /session":       "viewer",
	"POST /session/confirm": "viewer",
	"GET /sessions":         "viewer",
	"DELETE /sessions/:id":  "viewer",
	"GET /users":            "admin, confirmed",
	"POST /users":           "admin, confirmed",
	"PATCH /users/:name":    "viewer", // one's own password; TestChangeUser has the rest
	"DELETE /users/:name":   "admin, confirmed",

	"GET /host":                    "viewer",
	"GET /summary":                 "viewer",
	"GET /summary/history":         "viewer",
	"GET /processes":               "viewer",
	"GET /processes/:pid":          "operator", // its environment: TestProcessInDepth
	"GET /sockets":                 "viewer",
	"GET /services":                "viewer",
	"GET /services/:name":          "viewer",
	"GET /services/:name/journal":  "operator",
	"POST /services/:name/actions": "operator",
	"POST /processes/:pid/signals": "admin", // KILL: confirmed, TestSignals
	"POST /commands":               "admin, confirmed",
	"GET /operations/:id/output":   "admin",
	"POST /operations/:id/cancel":  "admin",
	"GET /operations":              "viewer",
	"GET /operations/:id":          "viewer",
	"POST /operations/seen":        "operator",
	"GET /operations/export":       "admin",
	"GET /live":                    "viewer",
}

var expectedTopics = map[string]string{
	"summary":   "viewer",
	"processes": "viewer",
	"sockets":   "viewer",
	"services":  "viewer",
	"journal":   "operator",
	"output":    "admin",
}

var ruleNames = map[access]string{anybody: "anybody", forViewer: "viewer", forOperator: "operator", forAdmin: "admin"}

func TestEveryRouteAndTopicHasItsRule(t *testing.T) {
	s := startServer(t)
	got := map[string]string{}
	for _, r := range s.routes() {
		rule := ruleNames[r.access]
		if r.confirm {
			rule += ", confirmed"
		}
		got[r.method+" "+r.path] = rule
	}
	compareRules(t, "route", got, expectedRules)
	got = map[string]string{}
	for topic, rule := range topics() {
		got[topic] = ruleNames[rule]
	}
	compareRules(t, "topic", got, expectedTopics)
}

func compareRules(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for name, rule := range got {
		if want[name] != rule {
			t.Errorf("%s %s is for %s, want %q", what, name, rule, want[name])
		}
	}
	for name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("%s %s is not there", what, name)
		}
	}
}

// TestEveryRouteByWhoAsks sends every route as every kind of caller.
func TestEveryRouteByWhoAsks(t *testing.T) {
	s := startServer(t)
	ranks := map[string]int{"viewer": 1, "operator": 2, "admin": 3}
	accounts := map[string]account{}
	for role := range ranks {
		s.addUser(role, Role(role))
		accounts[role], _ = s.accounts.get(role)
	}
	// as returns a browser with a session of its own, so that what one route ends, the next does not miss.
	as := func(role string) (*browser, *Session) {
		token, session := s.sessions.create(accounts[role], "127.0.0.1", "")
		b := s.browser()
		b.cookie = cookieName + "=" + token
		return b, session
	}
	for name, rule := range expectedRules {
		method, path, _ := strings.Cut(name, " ")
		least, confirm := strings.CutSuffix(rule, ", confirmed")
		// ask returns the error code of what became of the request.
		ask := func(b *browser, user string) string {
			body := any("{}")
			if method == http.MethodGet {
				body = nil
			}
			return b.send(method, strings.NewReplacer(":name", user, ":id", "0", ":pid", "0").Replace(path), body).code()
		}
		refused := func(code string) bool {
			return code == codeUnauthenticated || code == codeForbidden || code == codeReauthenticate || code == codeInternal
		}
		t.Run(name, func(t *testing.T) {
			stranger := s.browser()
			if least == "anybody" {
				if code := ask(stranger, "x"); refused(code) {
					t.Errorf("a stranger gets %s", code)
				}
				return
			}
			if code := ask(stranger, "x"); code != codeUnauthenticated {
				t.Errorf("a stranger gets %s", code)
			}
			stranger.cookie = cookieName + "=" + strings.Repeat("A", 43)
			if code := ask(stranger, "x"); code != codeUnauthenticated {
				t.Errorf("a made-up token gets %s", code)
			}
			for role, rank := range ranks {
				b, _ := as(role)
				code := ask(b, role)
				if enough := rank >= ranks[least]; enough && refused(code) {
					t.Errorf("the role %s gets %s", role, code)
				} else if !enough && code != codeForbidden {
					t.Errorf("the role %s gets %s, want %s", role, code, codeForbidden)
				}
			}
			b, session := as("admin")
			s.sessions.endID(session.ID)
			if code := ask(b, "admin"); code != codeUnauthenticated {
				t.Errorf("a revoked session gets %s", code)
			}
			b, _ = as("admin")
			s.clock.add(confirmFor + time.Second)
			if code := ask(b, "admin"); (code == codeReauthenticate) != confirm {
				t.Errorf("a password given over five minutes ago gets %s", code)
			}
			b, _ = as("admin")
			s.clock.add(idleTime)
			if code := ask(b, "admin"); code != codeUnauthenticated {
				t.Errorf("an expired session gets %s", code)
			}
		})
	}
}

func TestRouteWithoutRuleDoesNotStart(t *testing.T) {
	s := startServer(t)
	fine := route{method: "GET", path: "/x", access: anybody, handle: s.showSession}
	if err := s.addRoutes([]route{fine}, map[string]access{"x": forViewer}); err != nil {
		t.Errorf("a route with all it needs: %v", err)
	}
	noRule, noHandler := fine, fine
	noRule.access, noHandler.handle = nobody, nil
	for _, r := range []route{noRule, noHandler} {
		if err := s.addRoutes([]route{r}, nil); err == nil || !strings.Contains(err.Error(), "GET /x") {
			t.Errorf("got %v, want an error that names the route", err)
		}
	}
	if err := s.addRoutes(nil, map[string]access{"x": nobody}); err == nil {
		t.Error("a topic without a rule was taken")
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	for _, request := range []string{
		"GET /nothing", "GET /", "GET //api", "GET //api/", "GET //api/v1", "GET //api/v2/session", "GET /session/", "GET /Session",
		"GET /setup", "PUT /session", "PATCH /session", "HEAD /session", "OPTIONS /session", "TRACE /session", "BREW /session",
		"POST /nothing", "DELETE /users", "POST //healthz", "GET //missing.js", "GET /users/x/y", "CONNECT /session",
	} {
		method, path, _ := strings.Cut(request, " ")
		for _, who := range []*browser{b, s.browser()} {
			a := who.send(method, path, nil)
			if a.StatusCode != http.StatusNotFound || method != http.MethodHead && a.code() != codeNotFound {
				t.Errorf("%s: got %s %s", request, a.Status, a.body)
			}
			if allow := a.Header.Get("Allow"); allow != "" {
				t.Errorf("%s: Allow tells %s", request, allow)
			}
		}
	}
}

// TestUnknownParametersAreRefused asks each route for something that it does not know.
func TestUnknownParametersAreRefused(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	for _, r := range s.routes() {
		path := strings.NewReplacer(":name", "ann", ":id", "0", ":pid", "1").Replace(r.path) + "?colour=red"
		if a := b.send(r.method, path, nil); a.code() != codeInvalid || !strings.Contains(a.message(), `"colour"`) {
			t.Errorf("%s %s: got %s %s", r.method, path, a.Status, a.body)
		}
	}
}
