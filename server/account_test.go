package server

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/pquerna/otp/totp"
	"go.etcd.io/bbolt"

	"topdeck/control"
)

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"ann": true, "a": true, "_": true, "a.b-c_9": true, "_9": true, strings.Repeat("a", 32): true,
		"": false, "9a": false, "-a": false, ".a": false, "Ann": false, "añn": false, "a b": false, "a/b": false, "a\n": false,
		strings.Repeat("a", 33): false, "a:b": false, "а": false, // the last one is Cyrillic
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

// newTestAccounts are accounts without a server.
func newTestAccounts(t *testing.T) *Accounts {
	t.Helper()
	db, err := OpenDB(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	log, err := control.OpenLog(db, control.LogConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	a, err := newAccounts(db, log, slog.New(slog.NewTextHandler(io.Discard, nil)), newTestClock().now, testCost)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestAccountsChangeWithTheirRecord: whatever happens, an account that was changed has a record of it: both are one transaction.
func TestAccountsChangeWithTheirRecord(t *testing.T) {
	a := newTestAccounts(t)
	operator, password := Operator, newTestPassword
	var of account
	var recovery []string
	const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := a.Add(Actor{}, "ann", testPassword, Admin)
	must(err)
	for _, c := range []struct {
		want string
		do   func() error
	}{
		{"user.add", func() error { _, err := a.Add(Actor{}, "bob", testPassword, Viewer); return err }},
		{"user.role", func() error { _, err := a.Update(Actor{}, "bob", &operator, nil); return err }},
		{"user.password", func() error { _, err := a.Update(Actor{}, "bob", nil, &password); return err }},
		{"user.second-factor", func() (err error) {
			code, err := totp.GenerateCode(secret, a.now())
			must(err)
			of, recovery, err = a.enable(Actor{}, "bob", secret, code, func(string, string) {})
			return err
		}},
		{"user.recovery-code", func() error { return a.spend(of, Actor{}, recovery[0]) }},
		{"user.recovery-codes", func() error { _, err := a.renewCodes(Actor{}, "bob"); return err }},
		{"user.second-factor-off", func() error { _, err := a.disable(Actor{}, "bob", func(string, string) {}); return err }},
		{"user.remove", func() error { return a.Remove(Actor{}, "bob") }},
	} {
		state := func() (transaction int, last string) {
			must(a.db.View(func(tx *bbolt.Tx) error { transaction = tx.ID(); return nil }))
			page, err := a.log.(*control.Log).List(t.Context(), control.Filter{Limit: 1})
			must(err)
			return transaction, page.Operations[0].LogType
		}
		before, _ := state()
		if err := c.do(); err != nil {
			t.Fatalf("%s: %v", c.want, err)
		}
		if after, last := state(); after != before+1 || last != c.want {
			t.Errorf("%s took %d transactions, and the last record is %s", c.want, after-before, last)
		}
	}
	t.Log("row 8: each change of an account is one transaction with its record: there is none without")
}

// TestUnknownUsersCostTheSame: with no room to hash, it cannot be told whether there is such a user.
func TestUnknownUsersCostTheSame(t *testing.T) {
	a := newTestAccounts(t)
	if _, err := a.Add(Actor{}, "ann", testPassword, Admin); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ann", "bob", "", "not a name"} {
		if _, right, err := a.verify(standing{}, name, "wrong horse battery"); right || err != nil {
			t.Errorf("%q: got %v %v", name, right, err)
		}
	}
	if made := a.hasher.made.Load(); made != 5 { // one for the account, and one for each name
		t.Errorf("%d hashes were made, want 5", made)
	}
	a.hasher.line.fill()
	for _, name := range []string{"ann", "bob", "", "not a name"} {
		var refusal *Error
		if _, _, err := a.verify(standing{}, name, testPassword); !errors.As(err, &refusal) || refusal.Code != codeTooMany {
			t.Errorf("%q: got %v", name, err)
		}
	}
	if cost, _, _, err := readPHC(newHasher(fullCost).nobodysHash()); err != nil || cost != fullCost {
		t.Errorf("nobody's hash costs %+v %v", cost, err)
	}
}

func TestAccountsOutliveTheProgram(t *testing.T) {
	a := newTestAccounts(t)
	for _, name := range []string{"ann", "bob", "cid"} {
		if _, err := a.Add(Actor{}, name, testPassword, Admin); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Remove(Actor{}, "bob"); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Update(Actor{}, "cid", ptr(Viewer), ptr(newTestPassword)); err != nil {
		t.Fatal(err)
	}
	again, err := newAccounts(a.db, a.log, a.logger, a.now, testCost)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(again.List()), fmt.Sprint(a.List()); got != want || len(again.List()) != 2 {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, right, err := again.verify(standing{}, "cid", newTestPassword); !right || err != nil {
		t.Errorf("got %v %v", right, err)
	}
}

// TestConcurrentDemotionsLeaveAnAdministrator has each administrator removed or demoted at once.
func TestConcurrentDemotionsLeaveAnAdministrator(t *testing.T) {
	a := newTestAccounts(t)
	for i := range 10 {
		if _, err := a.Add(Actor{}, fmt.Sprint("user", i), testPassword, Admin); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for i := range 10 {
		name := fmt.Sprint("user", i)
		all.Go(func() {
			if i%2 == 0 {
				_ = a.Remove(Actor{}, name)
			} else {
				_, _ = a.Update(Actor{}, name, ptr(Viewer), nil)
			}
		})
	}
	all.Wait()
	admins := 0
	for _, row := range a.List() {
		if row.Role == Admin {
			admins++
		}
	}
	if admins != 1 {
		t.Errorf("%d administrators are left", admins)
	}
}
