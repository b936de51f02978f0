package server

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"topdeck/control"
)

// phone is an authenticator app, and the recovery codes beside it.
type phone struct {
	s        *testServer
	secret   string
	recovery []string
}

// code is what the app shows now.
func (p *phone) code() string { return p.codeIn(0) }

// codeIn is what it shows some steps from now.
func (p *phone) codeIn(steps int) string {
	p.s.t.Helper()
	code, err := totp.GenerateCode(p.secret, p.s.clock.now().Add(time.Duration(steps)*stepTime))
	if err != nil {
		p.s.t.Fatal(err)
	}
	return code
}

// later waits until the app shows another code.
func (p *phone) later() string {
	p.s.clock.add(stepTime)
	return p.code()
}

// wrong is six digits that are no code of about now.
func (p *phone) wrong() string {
	for n := 0; ; n++ {
		code := fmt.Sprintf("%06d", n)
		if _, ok := stepOf(p.secret, code, p.s.clock.now(), 0); !ok {
			return code
		}
	}
}

// enrol sets up a second factor, up to its first code, which is used then.
func (b *browser) enrol() *phone {
	b.s.t.Helper()
	told := into[EnrolmentReply](b.s.t, b.want(200, "POST", "/second-factor", "{}"))
	p := &phone{s: b.s, secret: told.Secret}
	p.recovery = into[RecoveryCodesReply](b.s.t, b.want(200, "POST", "/second-factor/activate", map[string]string{"code": p.code()})).RecoveryCodes
	return p
}

// signInWith sends a sign-in with the right password.
func (b *browser) signInWith(name, code string) answer {
	b.s.t.Helper()
	return b.send("POST", "/session", map[string]string{"username": name, "password": testPassword, "code": code})
}

func asksForCode(a answer) bool {
	return a.StatusCode == 401 && a.code() == codeUnauthenticated && strings.Contains(string(a.body), `"secondFactor":true`)
}

func TestSecondFactor(t *testing.T) {
	s := startServer(t)
	b, elsewhere := s.signedIn("ann", Admin), s.browser()
	elsewhere.signIn("ann")
	hungUp, ids := s.watchHangUps(), []string{currentSession(t, b).ID, currentSession(t, elsewhere).ID}
	if got := into[SecondFactorReply](t, b.want(200, "GET", "/second-factor", nil)); got != (SecondFactorReply{}) {
		t.Errorf("before: %+v", got)
	}

	b.want(409, "POST", "/second-factor/activate", map[string]string{"code": "123456"}) // not begun
	first := into[EnrolmentReply](t, b.want(200, "POST", "/second-factor", "{}"))
	told := into[EnrolmentReply](t, b.want(200, "POST", "/second-factor", "{}"))
	if first.Secret == told.Secret || !strings.Contains(told.URI, "secret="+told.Secret) || len(told.QR) < 21 {
		t.Errorf("got %+v after %+v", told, first)
	}
	p := &phone{s: s, secret: told.Secret}
	b.want(400, "POST", "/second-factor/activate", "{}")
	stale := &phone{s: s, secret: first.Secret}
	for _, code := range []string{p.wrong(), stale.code(), p.codeIn(2), p.codeIn(-2), "abcd-efgh-ijkl-mnop"} {
		if a := b.send("POST", "/second-factor/activate", map[string]string{"code": code}); a.code() != codeForbidden || !strings.Contains(a.message(), "clock") {
			t.Errorf("%s: got %s", code, a.body)
		}
	}
	elsewhere.want(409, "POST", "/second-factor/activate", map[string]string{"code": p.code()}) // began here
	s.browser().signIn("ann")                                                                   // without a code: it is not active yet
	used := p.code()
	p.recovery = into[RecoveryCodesReply](t, b.want(200, "POST", "/second-factor/activate", map[string]string{"code": used})).RecoveryCodes
	if len(p.recovery) != recoveryCodes {
		t.Errorf("got %q", p.recovery)
	}
	b.want(200, "GET", "/session", nil) // goes on
	elsewhere.want(401, "GET", "/session", nil)
	if got := hungUp(); !got[ids[0]] || !got[ids[1]] {
		t.Errorf("hung up on %v, want %v", got, ids)
	}
	got := into[SecondFactorReply](t, b.want(200, "GET", "/second-factor", nil))
	if !got.Active || got.Required || got.RecoveryCodes != recoveryCodes || got.Since == nil || !got.Since.Equal(s.clock.now()) {
		t.Errorf("after: %+v", got)
	}
	b.want(409, "POST", "/second-factor", "{}")
	b.want(409, "POST", "/second-factor/activate", map[string]string{"code": p.later()})

	guest := s.browser()
	if a := guest.send("POST", "/session", map[string]string{"username": "ann", "password": testPassword}); !asksForCode(a) || guest.cookie != "" {
		t.Errorf("without a code: %s, cookie %q", a.body, guest.cookie)
	}
	for _, c := range []struct{ name, code string }{{"empty", " "}, {"used when it was set up", used}, {"wrong", p.wrong()}} {
		if a := guest.signInWith("ann", c.code); !asksForCode(a) || guest.cookie != "" {
			t.Errorf("%s: %s, cookie %q", c.name, a.body, guest.cookie)
		}
	}
	s.clock.add(time.Minute)
	code := p.code()
	if a := guest.signInWith("ann", code[:3]+" "+code[3:]); a.StatusCode != 200 {
		t.Errorf("with a code: %s", a.body)
	}
	guest.want(200, "GET", "/users", nil)
	if a := s.browser().signInWith("ann", code); !asksForCode(a) {
		t.Errorf("with that code again: %s", a.body)
	}
	want := []string{"user.add ann test", "session.login ann ann", "session.login ann ann", "session.login ann ann", "user.second-factor ann ann",
		"session.denied ann ", "session.login ann ann", "session.denied ann "}
	if got := s.operations(); !slices.Equal(got, want) {
		t.Errorf("recorded are %q, want %q", got, want)
	}
	for _, o := range mustList(t, s, "session.denied") {
		if !strings.HasSuffix(o.Message, ": wrong code") {
			t.Errorf("recorded is %q", o.Message)
		}
	}
	if text := s.stderr.String(); strings.Contains(text, p.secret) || strings.Contains(text, code) {
		t.Error("the log tells the secret or a code")
	}
}

func mustList(t *testing.T, s *testServer, logType string) []control.Operation {
	t.Helper()
	page, err := s.log.List(t.Context(), control.Filter{LogType: logType})
	if err != nil {
		t.Fatal(err)
	}
	return page.Operations
}

func TestCodesWithinAStep(t *testing.T) {
	s := startServer(t)
	p := s.signedIn("ann", Admin).enrol()
	for _, c := range []struct {
		name  string
		steps int // from the code to the clock
		ok    bool
	}{
		{"a step ahead", 1, true}, {"older than one that was taken", 0, false}, {"two ahead", 2, false}, {"a step late", -1, true}, {"two late", -2, false},
	} {
		if c.name == "a step late" {
			s.clock.add(10 * stepTime)
		}
		if a := s.browser().signInWith("ann", p.codeIn(c.steps)); (a.StatusCode == 200) != c.ok || !c.ok && !asksForCode(a) {
			t.Errorf("%s: %s", c.name, a.body)
		}
	}
	// The wall clock is what phones have, too. One that was set back brings no code back.
	s.clock.add(time.Minute)
	code := p.code()
	if a := s.browser().signInWith("ann", code); a.StatusCode != 200 {
		t.Errorf("got %s", a.body)
	}
	s.clock.jump(-stepTime)
	if a := s.browser().signInWith("ann", code); !asksForCode(a) {
		t.Errorf("after the clock was set back: %s", a.body)
	}
	s.clock.jump(time.Hour)
	if a := s.browser().signInWith("ann", p.code()); a.StatusCode != 200 {
		t.Errorf("after the clock was set: %s", a.body)
	}
}

// TestOneCodeOneSession has many sign in at once with one code.
func TestOneCodeOneSession(t *testing.T) {
	s := startServer(t)
	p := s.signedIn("ann", Admin).enrol()
	one, _ := s.accounts.get("ann")
	for name, code := range map[string]string{"of the app": p.later(), "for recovery": p.recovery[3]} {
		var all sync.WaitGroup
		taken := make(chan bool, 50)
		for range cap(taken) { // beneath the throttle, which would let few of them try
			all.Go(func() { taken <- s.accounts.spend(one, Actor{}, code) == nil })
		}
		all.Wait()
		close(taken)
		n := 0
		for ok := range taken {
			if ok {
				n++
			}
		}
		if n != 1 {
			t.Errorf("a code %s was taken %d times", name, n)
		}
	}
	code := p.later()
	answers := make(chan answer, 2)
	for range cap(answers) {
		go func() { answers <- s.browser().signInWith("ann", code) }()
	}
	first, second := <-answers, <-answers
	if second.StatusCode == 200 {
		first, second = second, first
	}
	if first.StatusCode != 200 || !asksForCode(second) {
		t.Errorf("two requests with one code: %s and %s", first.body, second.body)
	}
}

func TestRecoveryCodesSignIn(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	p := b.enrol()
	if a := s.browser().signInWith("ann", strings.ToUpper(p.recovery[9])); a.StatusCode != 200 {
		t.Errorf("got %s", a.body)
	}
	if a := s.browser().signInWith("ann", p.recovery[9]); !asksForCode(a) {
		t.Errorf("a second time: %s", a.body)
	}
	if got := into[SecondFactorReply](t, b.want(200, "GET", "/second-factor", nil)); got.RecoveryCodes != recoveryCodes-1 {
		t.Errorf("got %+v", got)
	}
	if used := mustList(t, s, "user.recovery-code"); len(used) != 1 || used[0].Message != "a recovery code was used; 9 are left" || used[0].LogStatus != control.New {
		t.Errorf("recorded is %+v", used)
	}
	b.want(400, "POST", "/second-factor/recovery-codes", "{}")
	b.want(403, "POST", "/second-factor/recovery-codes", map[string]string{"code": p.wrong()})
	fresh := into[RecoveryCodesReply](t, b.want(200, "POST", "/second-factor/recovery-codes", map[string]string{"code": p.recovery[8]})).RecoveryCodes
	if len(fresh) != recoveryCodes || slices.Contains(fresh, p.recovery[0]) {
		t.Errorf("got %q", fresh)
	}
	b.want(200, "GET", "/session", nil) // goes on as it was
	if a := s.browser().signInWith("ann", p.recovery[0]); !asksForCode(a) {
		t.Errorf("an old one: %s", a.body)
	}
	if a := s.browser().signInWith("ann", fresh[0]); a.StatusCode != 200 {
		t.Errorf("a new one: %s", a.body)
	}
	if made := mustList(t, s, "user.recovery-codes"); len(made) != 1 {
		t.Errorf("recorded is %+v", made)
	}
	if text := s.stderr.String(); strings.Contains(text, fresh[0]) || strings.Contains(text, plainCode(fresh[0])) {
		t.Error("the log tells a recovery code")
	}
}

func TestSecondFactorOff(t *testing.T) {
	s := startServer(t)
	b, other := s.signedIn("ann", Viewer), s.browser()
	b.want(404, "POST", "/second-factor/disable", map[string]string{"code": "123456"})
	b.want(404, "POST", "/second-factor/recovery-codes", map[string]string{"code": "123456"})
	p := b.enrol()
	if a := other.signInWith("ann", p.later()); a.StatusCode != 200 {
		t.Fatalf("got %s", a.body)
	}
	b.want(400, "POST", "/second-factor/disable", "{}")
	b.want(403, "POST", "/second-factor/disable", map[string]string{"code": p.code()}) // used to sign in
	b.want(403, "POST", "/second-factor/disable", map[string]string{"code": p.wrong()})
	b.want(204, "POST", "/second-factor/disable", map[string]string{"code": p.later()})
	b.want(200, "GET", "/session", nil)
	other.want(401, "GET", "/session", nil)
	s.browser().signIn("ann")
	again := b.enrol()
	if again.secret == p.secret {
		t.Error("the secret is the same")
	}
	if a := s.browser().signInWith("ann", p.recovery[0]); !asksForCode(a) {
		t.Errorf("a recovery code of the one before: %s", a.body)
	}
	got := slices.DeleteFunc(s.operations(), func(o string) bool {
		return !strings.HasPrefix(o, "user.") && !strings.HasPrefix(o, "session.denied ann ann")
	})
	if want := []string{"user.add ann test", "user.second-factor ann ann", "session.denied ann ann", "user.second-factor-off ann ann", "user.second-factor ann ann"}; !slices.Equal(got, want) {
		t.Errorf("recorded are %q, want %q", got, want)
	}
}

// TestSecondFactorIsTakenAway: by another administrator, and by the command line while the server runs.
func TestSecondFactorIsTakenAway(t *testing.T) {
	s := startServer(t)
	admin := s.signedIn("root", Admin)
	admin.enrol()
	admin.want(409, "DELETE", "/users/root/second-factor", nil)
	for name, remove := range map[string]func(name string){
		"by": func(name string) { admin.want(204, "DELETE", "/users/"+name+"/second-factor", nil) },
		"cl": func(name string) {
			if _, err := Administer(s.cfg.DataDir, AdminRequest{Do: "remove-second-factor", Name: name}, s.cfg.Logger); err != nil {
				t.Error(err)
			}
		},
	} {
		b := s.signedIn(name, Admin)
		p := b.enrol()
		if rows := into[UsersReply](t, admin.want(200, "GET", "/users", nil)).Users; !rows[slices.IndexFunc(rows, func(r UserRow) bool { return r.Name == name })].SecondFactor {
			t.Errorf("%s is told to have none", name)
		}
		hungUp, id := s.watchHangUps(), currentSession(t, b).ID
		remove(name)
		b.want(401, "GET", "/session", nil)
		if !hungUp()[id] {
			t.Errorf("%s: the sockets are not hung up", name)
		}
		if a := s.browser().signInWith(name, p.recovery[0]); a.StatusCode != 200 {
			t.Errorf("%s: with a code that is no longer needed: %s", name, a.body)
		}
		admin.want(404, "DELETE", "/users/"+name+"/second-factor", nil)
	}
	admin.want(404, "DELETE", "/users/nobody/second-factor", nil)
	off := mustList(t, s, "user.second-factor-off")
	if len(off) != 2 {
		t.Errorf("recorded are %+v", off)
	}
	for _, o := range off {
		if by := map[string]string{"by": "root", "cl": localActor(os.Geteuid()).Name}[o.Target]; o.Actor != by {
			t.Errorf("recorded is %+v", o)
		}
	}
}

func TestSecondFactorOutlivesTheProgram(t *testing.T) {
	dir, clock := t.TempDir(), newTestClock()
	s := startServerIn(t, dir, clock)
	p := s.signedIn("ann", Admin).enrol()
	code := p.later()
	if a := s.browser().signInWith("ann", code); a.StatusCode != 200 {
		t.Fatalf("got %s", a.body)
	}
	if a := s.browser().signInWith("ann", p.recovery[0]); a.StatusCode != 200 {
		t.Fatalf("got %s", a.body)
	}
	s.stopServing()
	file, err := os.ReadFile(filepath.Join(dir, dbFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range p.recovery {
		if bytes.Contains(file, []byte(code)) || bytes.Contains(file, []byte(plainCode(code))) {
			t.Error("a recovery code is in the database")
		}
	}
	s = startServerIn(t, dir, clock)
	p.s = s
	for _, used := range []string{code, p.recovery[0]} {
		if a := s.browser().signInWith("ann", used); !asksForCode(a) {
			t.Errorf("%s after a restart: %s", used, a.body)
		}
	}
	for _, fresh := range []string{p.later(), p.recovery[1]} {
		if a := s.browser().signInWith("ann", fresh); a.StatusCode != 200 {
			t.Errorf("%s after a restart: %s", fresh, a.body)
		}
	}
}

// TestCodesWhileNothingCanBeWritten: an administrator can sign in with a code of the app, once; recovery codes have to wait.
func TestCodesWhileNothingCanBeWritten(t *testing.T) {
	s := startServer(t)
	p := s.signedIn("ann", Admin).enrol()
	one, _ := s.accounts.get("ann")
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	code := p.later()
	if err := s.accounts.spend(one, Actor{}, code); err != nil {
		t.Errorf("got %v", err)
	}
	if err := s.accounts.spend(one, Actor{}, code); err != errWrongCode {
		t.Errorf("a second time: %v", err)
	}
	if err := s.accounts.spend(one, Actor{}, p.recovery[0]); errorFor(err) == nil || errorFor(err).Code != codeUnavailable {
		t.Errorf("a recovery code: %v", err)
	}
}
