package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// enrol sets up a second factor of who is signed in, and returns the recovery codes.
func enrol(t *testing.T, c *caller) []string {
	t.Helper()
	var told struct{ Secret string }
	if status, text := c.call("POST", "/second-factor", struct{}{}, &told); status != http.StatusOK {
		t.Fatalf("a second factor answers %d %s", status, text)
	}
	code, err := totp.GenerateCode(told.Secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var kept struct{ RecoveryCodes []string }
	if status, text := c.call("POST", "/second-factor/activate", map[string]string{"code": code}, &kept); status != http.StatusOK || len(kept.RecoveryCodes) != 10 {
		t.Fatalf("its code answers %d %s", status, text)
	}
	return kept.RecoveryCodes
}

// TestSecondFactorOfTheProgram has one taken away on the command line with a server and without, backed up and put back.
func TestSecondFactorOfTheProgram(t *testing.T) {
	dir, file := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "backup.db")
	do := func(exit int, says string, args ...string) {
		t.Helper()
		code, stdout, stderr := outcome(t, "", append(args, "--data", dir)...)
		if code != exit || !strings.Contains(stdout+stderr, says) {
			t.Fatalf("%q: exit code %d, %q %q; want %d and %q", args, code, stdout, stderr, exit, says)
		}
	}
	s := serve(t, dir)
	signInWith := func(code string) int {
		t.Helper()
		r, err := s.post("/api/v1/session", map[string]string{"username": "ann", "password": testPassword, "code": code})
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode
	}
	ann := asCaller(t, s, signIn(t, s, dir, "ann", "admin"))
	codes := enrol(t, ann)
	do(exitDone, "ann   admin  yes", "user", "list")
	do(exitDone, "", "backup", file)
	do(exitDone, "", "user", "remove-second-factor", "ann")
	if status, _ := ann.call("GET", "/session", nil, nil); status != http.StatusUnauthorized {
		t.Errorf("a session of who lost it answers %d", status)
	}
	do(exitDone, "ann   admin  no", "user", "list")
	if status := signInWith(""); status != http.StatusOK {
		t.Errorf("the password alone answers %d", status)
	}
	s.stop(t)

	do(exitDone, "is kept as", "restore", file)
	s = serve(t, dir)
	if status := signInWith(""); status != http.StatusUnauthorized {
		t.Errorf("after the restore, the password alone answers %d", status)
	}
	if status := signInWith(codes[0]); status != http.StatusOK {
		t.Errorf("after the restore, a recovery code answers %d", status)
	}
	s.stop(t)
	do(exitDone, "", "user", "remove-second-factor", "ann")
	do(exitFailed, "ann has no second factor", "user", "remove-second-factor", "ann")
	do(exitDone, "is whole", "log", "verify")
	s = serve(t, dir)
	if status := signInWith(""); status != http.StatusOK {
		t.Errorf("taken away without a server, the password alone answers %d", status)
	}
	s.stop(t)
	t.Log("row 22: a recovery code signs in, after a restore too; taken away on the command line with a server and without")
}

// TestRolesThatNeedASecondFactor: told by the flag, the environment or the configuration file.
func TestRolesThatNeedASecondFactor(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(config, []byte(`{"second-factor":"viewer, operator"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "data")
	s := serve(t, dir, "--config", config)
	for role, want := range map[string]int{"admin": http.StatusOK, "operator": http.StatusForbidden, "viewer": http.StatusForbidden} {
		c := asCaller(t, s, signIn(t, s, dir, role, role))
		if status, text := c.call("GET", "/host", nil, nil); status != want {
			t.Errorf("the role %s gets %d %s, want %d", role, status, text, want)
		}
		if want == http.StatusForbidden {
			enrol(t, c)
			if status, text := c.call("GET", "/host", nil, nil); status != http.StatusOK {
				t.Errorf("the role %s, with a second factor, gets %d %s", role, status, text)
			}
		}
	}
	s.stop(t)
	t.Log("row 22: a role that needs a second factor can do nothing before, by a code of the app; by flag, environment or file")
}
