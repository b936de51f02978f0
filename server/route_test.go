package server

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"topdeck/control"
)

// expectedRules is written by hand, from the contract: who may use a route, or watch a topic, and whether the password must have
// been given just before; with what follows a route where that decides. What is not here is a mistake, and so is what is here only.
var expectedRules = map[string]string{
	"POST /setup":           "anybody",
	"GET /entry":            "anybody",
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

	"GET /second-factor":                  "viewer",
	"POST /second-factor":                 "viewer, confirmed",
	"POST /second-factor/activate":        "viewer, confirmed",
	"POST /second-factor/disable":         "viewer, confirmed",
	"POST /second-factor/recovery-codes":  "viewer, confirmed",
	"DELETE /users/:name/second-factor":   "admin, confirmed",
	"DELETE /users/another/second-factor": "admin, confirmed",

	"GET /host":                    "viewer",
	"GET /summary":                 "viewer",
	"GET /summary/history":         "viewer",
	"GET /processes":               "viewer",
	"GET /processes/:pid":          "operator",
	"GET /sockets":                 "viewer",
	"GET /services":                "viewer",
	"GET /services/:name":          "viewer",
	"GET /services/:name/journal":  "operator",
	"POST /services/:name/actions": "operator",
	"POST /processes/:pid/signals": "admin",
	"POST /commands":               "admin, confirmed",
	"GET /operations/:id/output":   "admin",
	"POST /operations/:id/cancel":  "admin",
	"GET /operations":              "viewer",
	"GET /operations/:id":          "viewer",
	"GET /operations/activity":     "viewer",
	"POST /operations/seen":        "operator",
	"GET /operations/export":       "admin",
	"GET /live":                    "viewer",

	"GET /processes/:pid?environment=true": "admin, confirmed",

	`POST /services/:name/actions {"action":"start"}`:        "operator",
	`POST /services/:name/actions {"action":"stop"}`:         "operator",
	`POST /services/:name/actions {"action":"restart"}`:      "operator",
	`POST /services/:name/actions {"action":"reload"}`:       "operator",
	`POST /services/:name/actions {"action":"enable"}`:       "operator",
	`POST /services/:name/actions {"action":"disable"}`:      "operator",
	`POST /services/:name/actions {"action":"reset-failed"}`: "operator",

	`POST /processes/:pid/signals {"startTime":1,"signal":"TERM"}`:    "admin",
	`POST /processes/:pid/signals {"startTime":1,"signal":"HUP"}`:     "admin",
	`POST /processes/:pid/signals {"startTime":1,"signal":"INT"}`:     "admin",
	`POST /processes/:pid/signals {"startTime":1,"signal":"USR1"}`:    "admin",
	`POST /processes/:pid/signals {"startTime":1,"signal":"USR2"}`:    "admin",
	`POST /processes/:pid/signals {"startTime":1,"signal":"STOP"}`:    "admin",
	`POST /processes/:pid/signals {"startTime":1,"signal":"CONT"}`:    "admin",
	`POST /processes/:pid/signals {"startTime":1,"signal":"KILL"}`:    "admin, confirmed",
	`POST /processes/:pid/signals {"startTime":1,"signal":"SIGKILL"}`: "admin, confirmed",

	`POST /commands {"command":"true"}`:      "admin, confirmed",
	`PATCH /users/another {"role":"admin"}`:  "admin, confirmed",
	`PATCH /users/:name {"role":"operator"}`: "admin, confirmed", // not even one's own

	`LIVE {"topic":"summary"}`:                 "viewer",
	`LIVE {"topic":"processes"}`:               "viewer",
	`LIVE {"topic":"sockets"}`:                 "viewer",
	`LIVE {"topic":"services"}`:                "viewer",
	`LIVE {"topic":"failed"}`:                  "viewer",
	`LIVE {"topic":"journal","service":"x"}`:   "operator",
	`LIVE {"topic":"output","operation":"77"}`: "admin",
}

var ruleNames = map[access]string{anybody: "anybody", forViewer: "viewer", forOperator: "operator", forAdmin: "admin"}

func TestEveryRouteAndTopicHasItsRule(t *testing.T) {
	s := startServer(t)
	got, want := map[string]string{}, map[string]string{}
	for _, r := range s.routes() {
		rule := ruleNames[r.access]
		if r.confirm {
			rule += ", confirmed"
		}
		got[r.method+" "+r.path] = rule
	}
	for topic, rule := range topics() {
		got["topic "+topic] = ruleNames[rule]
	}
	for request, rule := range expectedRules {
		method, path, body := requestOf(request)
		if method == "LIVE" {
			var watch Watch
			if err := json.Unmarshal([]byte(body), &watch); err != nil {
				t.Fatal(err)
			}
			want["topic "+watch.Topic] = rule
		} else if body == "" && !strings.Contains(path, "?") && !strings.Contains(path, "another") {
			want[request] = rule
		}
	}
	compareRules(t, "route", got, want)

	// What the router knows beside the table: it answers these to strangers, too.
	for _, r := range s.app.GetRoutes(true) {
		path, ours := strings.CutPrefix(r.Path, apiPrefix)
		if rule := want[r.Method+" "+path]; !ours && r.Path != "/healthz" || ours && rule == "" {
			t.Errorf("the router has %s %s, which is in no table", r.Method, r.Path)
		}
	}

	// Every action and every signal has a line of its own.
	for _, action := range control.Actions() {
		if _, ok := expectedRules[`POST /services/:name/actions {"action":"`+action+`"}`]; !ok {
			t.Errorf("the action %s has no line", action)
		}
	}
}

// requestOf takes a key of expectedRules apart.
func requestOf(line string) (method, path, body string) {
	line, body, found := strings.Cut(line, " {")
	if found {
		body = "{" + body
	}
	method, path, _ = strings.Cut(line, " ")
	return method, path, body
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
		b.cookie = s.cookieName() + "=" + token
		return b, session
	}
	for name, rule := range expectedRules {
		method, path, body := requestOf(name)
		least, confirm := strings.CutSuffix(rule, ", confirmed")
		// ask returns the error code of what became of the request.
		ask := func(b *browser, user string) string {
			switch method {
			case "LIVE":
				return b.watchOnce(body)
			case http.MethodGet:
				return b.send(method, strings.NewReplacer(":name", user, ":id", "0", ":pid", "1").Replace(path), nil).code()
			}
			return b.send(method, strings.NewReplacer(":name", user, ":id", "0", ":pid", "1").Replace(path), cmp.Or(body, "{}")).code()
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
			stranger.cookie = s.cookieName() + "=" + strings.Repeat("A", 43)
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
			s.sessions.endID(session.ID, endedByAdmin)
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
	t.Logf("row 3: %d routes, topics and actions, each for a stranger, a made-up token, %d roles, a revoked session, an old password and an expired session", len(expectedRules), len(ranks))
}

// watchOnce connects and watches, and returns the error code of what became of that, or what the answer was.
func (b *browser) watchOnce(watch string) string {
	b.s.t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{subprotocol}}
	conn, response, err := dialer.Dial("ws"+strings.TrimPrefix(b.base, "http")+apiPrefix+"/live", http.Header{"Origin": {b.base}, "Cookie": {b.cookie}})
	if err != nil {
		body, _ := io.ReadAll(response.Body) // what there is of it
		return answer{response, body}.code()
	}
	defer conn.Close()
	if err := conn.WriteMessage(websocket.TextMessage, []byte(`{"watch":{"id":"w",`+watch[1:]+`}`)); err != nil {
		b.s.t.Fatal(err)
	}
	for {
		var got ErrorMessage
		if err := conn.ReadJSON(&got); err != nil {
			b.s.t.Fatal(err)
		}
		switch {
		case got.Type == "error" && got.ID == "w":
			return got.Error.Code
		case got.Type == "watching":
			return got.Type
		}
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
