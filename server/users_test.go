package server

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const newTestPassword = "another horse battery"

func userNames(t *testing.T, b *browser) (list []string) {
	t.Helper()
	for _, row := range into[UsersReply](t, b.want(200, "GET", "/users", nil)).Users {
		list = append(list, row.Name+" "+string(row.Role))
	}
	return list
}

func TestUsersAreListedAddedAndRemoved(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	row := into[UserRow](t, b.want(201, "POST", "/users", map[string]string{"username": "bob", "password": testPassword, "role": "viewer"}))
	if row.Name != "bob" || row.Role != Viewer || row.LastLogin != nil || !row.CreatedAt.Equal(s.clock.now()) || !row.PasswordChanged.Equal(s.clock.now()) {
		t.Errorf("got %+v", row)
	}
	bob := s.browser()
	bob.signIn("bob")
	rows := into[UsersReply](t, b.want(200, "GET", "/users", nil)).Users
	if len(rows) != 2 || rows[0].Name != "ann" || rows[1].LastLogin == nil || !rows[1].LastLogin.Equal(s.clock.now()) {
		t.Errorf("got %+v", rows)
	}
	if body := b.send("GET", "/users", nil).body; strings.Contains(string(body), "argon2") {
		t.Errorf("hashes are told: %s", body)
	}
	for name, c := range map[string]struct {
		body any
		code string
	}{
		"taken":          {map[string]string{"username": "bob", "password": testPassword, "role": "viewer"}, codeConflict},
		"bad name":       {map[string]string{"username": "bob smith", "password": testPassword, "role": "viewer"}, codeInvalid},
		"no name":        {map[string]string{"password": testPassword, "role": "viewer"}, codeInvalid},
		"short password": {map[string]string{"username": "cid", "password": "short", "role": "viewer"}, codeInvalid},
		"bad role":       {map[string]string{"username": "cid", "password": testPassword, "role": "root"}, codeInvalid},
		"no role":        {map[string]string{"username": "cid", "password": testPassword}, codeInvalid},
		"another field":  {map[string]string{"username": "cid", "password": testPassword, "role": "viewer", "x": ""}, codeInvalid},
	} {
		if a := b.send("POST", "/users", c.body); a.code() != c.code {
			t.Errorf("%s: got %s", name, a.body)
		}
	}
	if got, want := userNames(t, b), []string{"ann admin", "bob viewer"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	hungUp, id := s.watchHangUps(), currentSession(t, bob).ID
	b.want(204, "DELETE", "/users/bob", nil)
	bob.want(401, "GET", "/session", nil)
	if !hungUp()[id] {
		t.Error("the sockets of who was removed are not hung up")
	}
	b.want(404, "DELETE", "/users/bob", nil)
	got := s.operations()
	if want := []string{"user.add ann test", "session.login ann ann", "user.add bob ann", "session.login bob bob", "user.remove bob ann"}; !slices.Equal(got, want) {
		t.Errorf("recorded are %q, want %q", got, want)
	}
	// A new account of an old name does not bring the old sessions back.
	s.addUser("bob", Admin)
	bob.want(401, "GET", "/session", nil)
}

func TestTheLastAdministratorStays(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	s.addUser("bob", Operator)
	for _, a := range []answer{
		b.send("DELETE", "/users/ann", nil),
		b.send("PATCH", "/users/ann", map[string]string{"role": "operator"}),
		b.send("PATCH", "/users/ann", map[string]string{"role": "viewer", "password": newTestPassword, "currentPassword": testPassword}),
	} {
		if a.code() != codeConflict || !strings.Contains(a.message(), "last administrator") {
			t.Errorf("got %s %s", a.Status, a.body)
		}
	}
	b.want(200, "GET", "/users", nil)
	b.signIn("ann") // with the password as it was
	b.want(200, "PATCH", "/users/bob", map[string]string{"role": "admin"})
	b.want(204, "DELETE", "/users/ann", nil)
	b.want(401, "GET", "/session", nil)
	if err := s.accounts.Remove(Actor{}, "bob"); err == nil {
		t.Error("the last administrator was removed")
	}
}

func TestChangeUser(t *testing.T) {
	s := startServer(t)
	s.addUser("root", Admin)
	for _, c := range []struct {
		name, who, path string
		role            Role
		late            bool // the password was given over five minutes ago
		body            any
		code            string
	}{
		{"own password", "a", "a", Viewer, true, map[string]string{"password": newTestPassword, "currentPassword": testPassword}, "200 OK"},
		{"own password, an administrator", "b", "b", Admin, true, map[string]string{"password": newTestPassword, "currentPassword": testPassword}, "200 OK"},
		{"own password, current is wrong", "c", "c", Viewer, false, map[string]string{"password": newTestPassword, "currentPassword": newTestPassword}, codeForbidden},
		{"own password, current is missing", "d", "d", Viewer, false, map[string]string{"password": newTestPassword}, codeInvalid},
		{"own password, current is missing, an administrator", "e", "e", Admin, false, map[string]string{"password": newTestPassword}, codeInvalid},
		{"own password, too short", "f", "f", Viewer, false, map[string]string{"password": "short", "currentPassword": testPassword}, codeInvalid},
		{"own role", "g", "g", Viewer, false, map[string]string{"role": "admin"}, codeForbidden},
		{"own role with a password", "h", "h", Operator, false, map[string]string{"role": "admin", "password": newTestPassword, "currentPassword": testPassword}, codeForbidden},
		{"own role, an administrator, late", "i", "i", Admin, true, map[string]string{"role": "viewer"}, codeReauthenticate},
		{"own role, an administrator", "j", "j", Admin, false, map[string]string{"role": "viewer"}, "200 OK"},
		{"nothing", "k", "k", Viewer, false, map[string]string{}, codeInvalid},
		{"nothing but the current password", "l", "l", Viewer, false, map[string]string{"currentPassword": testPassword}, codeInvalid},
		{"another's password", "m", "root", Operator, false, map[string]string{"password": newTestPassword, "currentPassword": testPassword}, codeForbidden},
		{"another's role", "n", "root", Operator, false, map[string]string{"role": "viewer"}, codeForbidden},
		{"nobody's, a viewer", "o", "nobody", Viewer, false, map[string]string{"role": "viewer"}, codeForbidden},
		{"nobody's, an administrator", "p", "nobody", Admin, false, map[string]string{"role": "viewer"}, codeNotFound},
		{"another's, an administrator, late", "q", "a", Admin, true, map[string]string{"role": "operator"}, codeReauthenticate},
		{"another's role, an administrator", "r", "a", Admin, false, map[string]string{"role": "operator"}, "200 OK"},
		{"another's password, an administrator", "s", "a", Admin, false, map[string]string{"password": newTestPassword}, "200 OK"},
		{"another's, with a current password", "t", "a", Admin, false, map[string]string{"password": newTestPassword, "currentPassword": testPassword}, codeInvalid},
		{"a bad role", "u", "a", Admin, false, map[string]string{"role": "root"}, codeInvalid},
		{"a null", "v", "a", Admin, false, `{"role":null}`, codeInvalid},
		{"an escaped own name", "w", "%77", Viewer, false, map[string]string{"password": newTestPassword, "currentPassword": testPassword}, codeForbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := s.signedIn(c.who, c.role)
			if c.late {
				s.clock.add(confirmFor + time.Second)
			}
			if a := b.send("PATCH", "/users/"+c.path, c.body); a.code() != c.code {
				t.Errorf("got %s %s, want %s", a.Status, a.body, c.code)
			}
		})
	}
}

func TestOwnPasswordChange(t *testing.T) {
	s := startServer(t)
	s.addUser("root", Admin)
	b, elsewhere := s.signedIn("ann", Viewer), s.browser()
	elsewhere.signIn("ann")
	old := b.cookie
	hungUp := s.watchHangUps()
	ids := []string{currentSession(t, b).ID, currentSession(t, elsewhere).ID}
	row := into[UserRow](t, b.want(200, "PATCH", "/users/ann", map[string]string{"password": newTestPassword, "currentPassword": testPassword}))
	if row.Name != "ann" || !row.PasswordChanged.Equal(s.clock.now()) {
		t.Errorf("got %+v", row)
	}
	b.want(200, "GET", "/session", nil) // goes on, with another token
	elsewhere.want(401, "GET", "/session", nil)
	b.cookie = old
	b.want(401, "GET", "/session", nil)
	if got := hungUp(); !got[ids[0]] || !got[ids[1]] {
		t.Errorf("hung up on %v, want %v", got, ids)
	}
	b.want(401, "POST", "/session", map[string]string{"username": "ann", "password": testPassword})
	b.want(200, "POST", "/session", map[string]string{"username": "ann", "password": newTestPassword})
	got := s.operations()
	if want := "user.password ann ann"; !slices.Contains(got, want) {
		t.Errorf("recorded are %q, want %q among them", got, want)
	}
}

func TestRoleChangeEndsSessions(t *testing.T) {
	s := startServer(t)
	admin, b := s.signedIn("root", Admin), s.signedIn("ann", Viewer)
	hungUp, id := s.watchHangUps(), currentSession(t, b).ID
	admin.want(200, "PATCH", "/users/ann", map[string]string{"role": "viewer"}) // is that already
	b.want(200, "GET", "/session", nil)
	admin.want(200, "PATCH", "/users/ann", map[string]string{"role": "operator"})
	b.want(401, "GET", "/session", nil)
	if !hungUp()[id] {
		t.Error("its sockets are not hung up")
	}
	b.signIn("ann")
	if session := into[SessionReply](t, b.want(200, "GET", "/session", nil)); session.Role != Operator {
		t.Errorf("got %+v", session)
	}
}
