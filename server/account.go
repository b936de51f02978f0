package server

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"topdeck/control"
)

var userName = regexp.MustCompile(`^[a-z_][a-z0-9_.-]{0,31}$`)

// CheckName tells whether a new account may have this name.
func CheckName(name string) error {
	if !userName.MatchString(name) {
		return refuse(codeInvalid, "a user name must begin with a-z or _ and have at most 32 of a-z, 0-9, _, . and -")
	}
	return nil
}

// operationLog is where sign-ins and changes of accounts are recorded. It is *control.Log.
type operationLog interface {
	Record(control.Entry) (control.Operation, error)
	// RecordWith records what with writes, in one transaction with it.
	RecordWith(with func(*bbolt.Tx) error, events ...control.Entry) error
	// Denied records a refused sign-in, or a wrong password of whoever was signed in as actor; those of one account, actor, address
	// and minute are summed.
	Denied(account, actor, address, reason string) error
	// Share records what is too much to get a record of its own.
	Share(control.Entry) error
}

var _ operationLog = (*control.Log)(nil)

// Actor is who does something, for the record.
type Actor struct {
	Name   string // the account's; "root (local)" for the command line
	Source string // the address that it came from
}

// account is what is stored of one, as JSON under its name.
type account struct {
	Name            string    `json:"name"`
	Role            Role      `json:"role"`
	Password        string    `json:"password"` // its hash, a PHC string
	Stamp           string    `json:"stamp"`    // a new one with each role and password: sessions hold to theirs
	CreatedAt       time.Time `json:"createdAt"`
	PasswordChanged time.Time `json:"passwordChanged"`
	LastLogin       time.Time `json:"lastLogin"` // zero: never
	// SecondFactor is nil where there is none.
	SecondFactor *secondFactor `json:"secondFactor,omitempty"`
}

func (a account) row() UserRow {
	row := UserRow{Name: a.Name, Role: a.Role, CreatedAt: a.CreatedAt, PasswordChanged: a.PasswordChanged, SecondFactor: a.SecondFactor != nil}
	if !a.LastLogin.IsZero() {
		row.LastLogin = &a.LastLogin
	}
	return row
}

// changed is called with the name of an account that is no longer what it was, and in which way: why its sessions end.
type changed func(name, why string)

// Accounts are those who may sign in. All are in memory; each change is on the disk before it counts. One process at a
// time has them (the database is locked), and any of its goroutines may use them.
type Accounts struct {
	db      *bbolt.DB
	log     operationLog
	logger  *slog.Logger
	now     func() time.Time
	hasher  *hasher
	nobody  string   // a hash that no password has
	changed changed  // called after a role, a password or an account is no longer what it was
	visits  *budgets // what they do to themselves: signing in and out, and giving their password again
	edits   *budgets // changes of their own password or second factor

	writing sync.Mutex       // one change at a time
	spent   map[string]int64 // by secret, the newest time step of which a code was taken, stored or not; only change touches it
	mu      sync.RWMutex
	all     map[string]account
}

// newAccounts reads the accounts.
func newAccounts(db *bbolt.DB, log operationLog, logger *slog.Logger, now func() time.Time, cost hashCost) (*Accounts, error) {
	a := &Accounts{
		db: db, log: log, logger: logger, now: func() time.Time { return now().Round(0).UTC() },
		hasher: newHasher(cost), changed: func(string, string) {}, spent: map[string]int64{},
		visits: newBudgets(ownAtOnce, ownEvery), edits: newBudgets(ownAtOnce, ownEvery),
	}
	a.nobody = a.hasher.nobodysHash()
	var err error
	a.all, err = readAccounts(db)
	return a, err
}

// readAccounts reads all accounts, by name.
func readAccounts(db *bbolt.DB) (map[string]account, error) {
	all := map[string]account{}
	err := db.View(func(tx *bbolt.Tx) error {
		users := tx.Bucket([]byte(usersBucket))
		if users == nil {
			return nil
		}
		return users.ForEach(func(name, text []byte) error {
			var one account
			if err := json.Unmarshal(text, &one); err != nil || one.Name != string(name) {
				return damaged(db.Path(), fmt.Sprintf("the account %q cannot be read", name))
			}
			all[one.Name] = one
			return nil
		})
	})
	return all, err
}

// none tells whether there is no account yet.
func (a *Accounts) none() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return len(a.all) == 0
}

// unled tells whether there is no administrator yet.
func (a *Accounts) unled() bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return !led(a.all)
}

// led tells whether one of the accounts is an administrator's.
func led(all map[string]account) bool {
	for _, one := range all {
		if one.Role == Admin {
			return true
		}
	}
	return false
}

func (a *Accounts) get(name string) (account, bool) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	one, ok := a.all[name]
	return one, ok
}

// List returns all accounts by name.
func (a *Accounts) List() []UserRow {
	a.mu.RLock()
	defer a.mu.RUnlock()
	rows := make([]UserRow, 0, len(a.all))
	for _, one := range a.all {
		rows = append(rows, one.row())
	}
	slices.SortFunc(rows, func(x, y UserRow) int { return strings.Compare(x.Name, y.Name) })
	return rows
}

// verify tells whether an account has this password. It takes as long when there is no such account.
func (a *Accounts) verify(who standing, name, password string) (account, bool, error) {
	one, known := a.get(name)
	hash := one.Password
	if !known {
		hash = a.nobody
	}
	right, err := a.hasher.verify(who, hash, password)
	return one, known && right, err
}

// change makes edit's changes durable, together with the records of them that it returns, then visible. It refuses to leave the server without an
// administrator.
func (a *Accounts) change(edit func(all map[string]account) (records []control.Entry, err error)) error {
	a.writing.Lock()
	defer a.writing.Unlock()
	next := maps.Clone(a.all) // only change writes it
	records, err := edit(next)
	if err != nil {
		return err
	}
	isAdmin := func(one account) bool { return one.Role == Admin }
	if has(a.all, isAdmin) && !has(next, isAdmin) {
		return refuse(codeConflict, "this is the last administrator; make another one first")
	}
	for _, e := range records {
		// A recovery code that is used is one of few.
		if e.Actor != e.Target || e.LogType == "user.recovery-code" {
			continue
		}
		if wait, ok := a.edits.take(e.Actor, a.now()); !ok {
			return tooMany("this account was changed very often", wait)
		}
	}
	err = a.log.RecordWith(func(tx *bbolt.Tx) error {
		users, err := tx.CreateBucketIfNotExists([]byte(usersBucket))
		if err != nil {
			return err
		}
		for name := range a.all {
			if _, stays := next[name]; !stays {
				if err := users.Delete([]byte(name)); err != nil {
					return err
				}
			}
		}
		for name, one := range next {
			if one == a.all[name] {
				continue
			}
			text, err := json.Marshal(one)
			if err != nil {
				return err
			}
			if err := users.Put([]byte(name), text); err != nil {
				return err
			}
		}
		return nil
	}, records...)
	if err != nil {
		return unsaved(err)
	}
	a.mu.Lock()
	a.all = next
	a.mu.Unlock()
	return nil
}

func has(all map[string]account, is func(account) bool) bool {
	for _, one := range all {
		if is(one) {
			return true
		}
	}
	return false
}

// Add makes an account.
func (a *Accounts) Add(by Actor, name, password string, role Role) (UserRow, error) {
	one, err := a.add(name, password, role, false, entryOf("user.add", by, name, "added with the role "+string(role)))
	return one.row(), err
}

// add makes an account; with first, only where there is no administrator yet.
func (a *Accounts) add(name, password string, role Role, first bool, record control.Entry) (account, error) {
	if err := CheckName(name); err != nil {
		return account{}, err
	}
	if err := CheckPassword(password); err != nil {
		return account{}, err
	}
	if _, err := ParseRole(string(role)); err != nil {
		return account{}, err
	}
	if _, taken := a.get(name); taken && !first {
		return account{}, refuse(codeConflict, "there is already a user %s", name)
	}
	hash, err := a.hasher.hash(password)
	if err != nil {
		return account{}, err
	}
	now := a.now()
	one := account{Name: name, Role: role, Password: hash, Stamp: rand.Text(), CreatedAt: now, PasswordChanged: now}
	return one, a.change(func(all map[string]account) ([]control.Entry, error) {
		if first && led(all) {
			return nil, errSetupUsed()
		}
		if _, taken := all[name]; taken {
			return nil, refuse(codeConflict, "there is already a user %s", name)
		}
		all[name] = one
		return []control.Entry{record}, nil
	})
}

// Update gives an account another role, another password or both; nil leaves it. Sessions of the account end.
func (a *Accounts) Update(by Actor, name string, role *Role, password *string) (UserRow, error) {
	one, err := a.update(by, name, role, password, a.changed)
	return one.row(), err
}

// update calls changed at once when the account is no longer what it was.
func (a *Accounts) update(by Actor, name string, role *Role, password *string, changed changed) (account, error) {
	var hash string
	if role != nil {
		if _, err := ParseRole(string(*role)); err != nil {
			return account{}, err
		}
	}
	if _, known := a.get(name); !known {
		return account{}, noSuchUser(name)
	}
	if password != nil {
		err := CheckPassword(*password)
		if err == nil {
			hash, err = a.hasher.hash(*password)
		}
		if err != nil {
			return account{}, err
		}
	}
	var before, after account
	err := a.change(func(all map[string]account) (records []control.Entry, err error) {
		one, known := all[name]
		if !known {
			return nil, noSuchUser(name)
		}
		before = one
		if role != nil {
			one.Role = *role
		}
		if password != nil {
			one.Password, one.PasswordChanged = hash, a.now()
		}
		if one != before {
			one.Stamp = rand.Text()
		}
		all[name], after = one, one
		if after.Role != before.Role {
			records = append(records, entryOf("user.role", by, name, fmt.Sprintf("role changed from %s to %s", before.Role, after.Role)))
		}
		if password != nil {
			records = append(records, entryOf("user.password", by, name, "password changed"))
		}
		return records, nil
	})
	if err != nil {
		return account{}, err
	}
	switch {
	case after.Role != before.Role:
		changed(name, endedRole)
	case after != before:
		changed(name, endedPassword)
	}
	return after, nil
}

// Remove removes an account. Its sessions end.
func (a *Accounts) Remove(by Actor, name string) error {
	err := a.change(func(all map[string]account) ([]control.Entry, error) {
		if _, known := all[name]; !known {
			return nil, noSuchUser(name)
		}
		delete(all, name)
		return []control.Entry{entryOf("user.remove", by, name, "removed")}, nil
	})
	if err != nil {
		return err
	}
	a.changed(name, endedRemoved)
	return nil
}

// signedIn keeps when an account last signed in. Nobody is turned away when that fails.
func (a *Accounts) signedIn(name string) {
	err := a.change(func(all map[string]account) ([]control.Entry, error) {
		if one, known := all[name]; known {
			one.LastLogin = a.now()
			all[name] = one
		}
		return nil, nil
	})
	if err != nil {
		a.logger.Error("cannot keep the time of a sign-in", "user", name, "error", err)
	}
}

// entryOf is the record of what somebody did.
func entryOf(logType string, by Actor, target, message string) control.Entry {
	// Plain comings and goings, and what was only read, need not be looked at.
	seen := slices.Contains([]string{"session.login", "session.logout", "session.confirm", "process.environment", "log.export"}, logType)
	return control.Entry{LogType: logType, Target: target, Actor: by.Name, Source: by.Source, Message: message, Seen: seen}
}

// record writes down what has been done. What was done stays done when that fails.
func (a *Accounts) record(logType string, by Actor, target, message string) {
	e := entryOf(logType, by, target, message)
	own := true
	if target == by.Name {
		_, own = a.visits.take(by.Name, a.now())
	}
	var err error
	if own {
		_, err = a.log.Record(e)
	} else {
		err = a.log.Share(e)
	}
	if err != nil {
		a.logger.Error("cannot record", "logType", logType, "target", target, "actor", by.Name, "error", err)
	}
}

// denied writes down a refused sign-in; by has a name when somebody was signed in who gave a wrong password. What is no user
// name may be a password in the wrong field: it is not kept.
func (a *Accounts) denied(name string, by Actor, reason string) {
	if !userName.MatchString(name) {
		name = "(not a user name)"
	}
	if err := a.log.Denied(name, by.Name, by.Source, reason); err != nil {
		a.logger.Error("cannot record a refused sign-in", "error", err)
	}
}

func noSuchUser(name string) error { return refuse(codeNotFound, "there is no user %q", name) }
