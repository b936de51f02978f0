package server

import (
	"fmt"
	"net/http"
	"testing"

	"topdeck/control"
)

// TestNobodyFillsTheLogWithTheirOwnDeeds has a viewer do what is recorded of what they may do, again and again.
func TestNobodyFillsTheLogWithTheirOwnDeeds(t *testing.T) {
	s := startServer(t)
	s.addUser("vic", Viewer)
	const rounds = ownAtOnce
	signIns, changes, refused := 0, 0, 0
	for i := range rounds {
		b := s.browser()
		b.signIn("vic")
		signIns++
		b.want(204, "DELETE", "/session", nil)
		if i%2 == 1 {
			continue
		}
		b.signIn("vic")
		signIns++
		a := b.send("PATCH", "/users/vic", map[string]string{"password": testPassword, "currentPassword": testPassword})
		switch {
		case a.StatusCode == http.StatusOK:
			changes++
		case a.StatusCode == http.StatusTooManyRequests && a.code() == codeTooMany:
			refused++
			b.want(204, "DELETE", "/session", nil) // the session goes on
		default:
			t.Fatalf("a new password is answered with %d %s", a.StatusCode, a.body)
		}
	}
	if refused == 0 {
		t.Error("passwords are changed for ever")
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
	if records != ownAtOnce+2 || bobs != 1 { // one for the other sign-ins, and one for the other times signed out
		t.Errorf("%d records of who does all this, want %d; %d of another", records, ownAtOnce+2, bobs)
	}
	// What is shared is counted on the disk each time that it doubles, and when the hour ends.
	if n := told["session.login"]; n > signIns || n <= signIns/2 || told["user.password"] != changes {
		t.Errorf("told are %v, of %d sign-ins and %d changes", told, signIns, changes)
	}
	t.Logf("row 3: a viewer who signs in and out %d times and gives a new password %d times leaves %d records, and the last %d passwords are refused", signIns, changes+refused, records, refused)
}
