package server

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"topdeck/control"
)

// TestNobodyFillsTheLogWithTheirOwnDeeds has a viewer do what is recorded of what they may do, again and again.
func TestNobodyFillsTheLogWithTheirOwnDeeds(t *testing.T) {
	s := startServer(t)
	s.addUser("vic", Viewer)
	b := s.browser()
	for range ownAtOnce {
		b.signIn("vic")
		b.want(204, "DELETE", "/session", nil)
	}
	b.signIn("vic")
	signIns, changes := ownAtOnce+1, 0
	password := func() answer {
		return b.send("PATCH", "/users/vic", map[string]string{"password": testPassword, "currentPassword": testPassword})
	}
	for ; changes < ownAtOnce; changes++ { // as often as they have signed in: they are counted apart
		if a := password(); a.StatusCode != http.StatusOK {
			t.Fatalf("new password number %d is answered with %d %s", changes, a.StatusCode, a.body)
		}
	}
	if a := password(); a.StatusCode != http.StatusTooManyRequests || a.code() != codeTooMany {
		t.Errorf("passwords are changed for ever: %d %s", a.StatusCode, a.body)
	}
	s.signedIn("bob", Viewer) // has a record of their own
	page, err := s.log.List(t.Context(), control.Filter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	records, told, bobs := 0, map[string]int{}, 0
	for _, op := range page.Operations {
		n := 1
		_, _ = fmt.Sscanf(op.Message, "%d times within an hour", &n)
		switch op.Actor {
		case "vic":
			records++
			told[op.LogType] += n
		case "bob":
			bobs++
		}
	}
	if want := 2*ownAtOnce + 2; records != want || bobs != 1 { // one for the other sign-ins, and one for the other times signed out
		t.Errorf("%d records of who does all this, want %d; %d of another", records, want, bobs)
	}
	// What is shared is counted on the disk each time that it doubles, and when the hour ends.
	if n := told["session.login"]; n > signIns || n <= signIns/2 || told["user.password"] != changes {
		t.Errorf("told are %v, of %d sign-ins and %d changes", told, signIns, changes)
	}
	t.Logf("row 3: a viewer who signs in and out %d times and changes the password %d times leaves %d records, and the next password is refused", signIns, changes, records)
}

// TestNobodyFillsTheLogWithActs has an operator act as fast as the server answers.
func TestNobodyFillsTheLogWithActs(t *testing.T) {
	s := startServer(t)
	const atOnce = 300
	s.Server.acts.most = atOnce
	s.clock.add(time.Hour - time.Duration(s.clock.now().Unix()%3600)*time.Second) // an hour begins, and so does a step of the budget
	operator, other, admin := s.signedIn("oda", Operator), s.signedIn("bob", Operator), s.signedIn("ann", Admin)
	act := func(b *browser) answer {
		return b.send("POST", "/services/none/actions", map[string]string{"action": "start"})
	}
	taken := func(b *browser) {
		t.Helper()
		if a := act(b); a.code() != codeNotFound {
			t.Fatalf("an act answers %d %s", a.StatusCode, a.body)
		}
	}
	refused := func(a answer, wait int) {
		t.Helper()
		if a.StatusCode != http.StatusTooManyRequests || a.code() != codeTooMany || !strings.Contains(a.message(), fmt.Sprintf("try again in %d seconds", wait)) ||
			a.Header.Get("Retry-After") != strconv.Itoa(wait) {
			t.Errorf("an act too many answers %d %s, Retry-After %s", a.StatusCode, a.body, a.Header.Get("Retry-After"))
		}
	}
	for range atOnce {
		taken(operator)
	}
	s.clock.add(4 * time.Second)
	for range 5 {
		refused(act(operator), 6)
	}
	taken(other)
	operator.want(200, "GET", "/operations", nil)
	operator.want(200, "PATCH", "/users/oda", map[string]string{"password": testPassword, "currentPassword": testPassword})
	s.clock.add(6 * time.Second)
	taken(operator)
	refused(act(operator), 10)

	// All that is recorded at an account's own pace is counted together.
	for i := range atOnce {
		what := []struct{ method, path, body string }{
			{"POST", "/commands", `{"command":""}`}, {"POST", "/processes/5/signals", `{}`},
			{"GET", "/operations/export?format=none", ""}, {"GET", "/processes/0?environment=true", ""},
		}[i%4]
		if a := admin.send(what.method, what.path, what.body); a.StatusCode == http.StatusTooManyRequests {
			t.Fatalf("act number %d, %s, is refused: %s", i, what.path, a.body)
		}
	}
	for _, path := range []string{"/operations/export?format=csv", "/processes/1?environment=true"} {
		refused(admin.send("GET", path, nil), 10)
	}

	page, err := s.log.List(t.Context(), control.Filter{LogType: "user.limited"})
	if err != nil {
		t.Fatal(err)
	}
	for i, who := range []string{"ann", "oda"} {
		if op := page.Operations[i]; page.Total != 2 || op.Actor != who || op.Target != who || op.RetStatus != control.Failed || op.LogStatus != control.New {
			t.Errorf("%d records of what was refused, one is %+v", page.Total, op)
		}
	}
	t.Logf("row 3: an operator who acts more often at once than they may is refused, then gets one act each %v; the refusals are one record", actsEvery)
}
