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
