package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"topdeck/control"
)

// secondFactor is what an account may have beside its password. It is replaced and never changed: accounts are compared by ==.
type secondFactor struct {
	Secret   string    `json:"secret"` // in base32 and in clear: codes are made from it
	Since    time.Time `json:"since"`
	LastStep int64     `json:"lastStep"` // the newest time step of which a code was taken; none up to it is taken again
	Recovery []string  `json:"recovery"` // the hashes of the recovery codes that are left
}

// errWrongCode says that a code is not the account's, not of now, or was taken before.
var errWrongCode = errors.New("the code is wrong, or it was used before")

// enable gives an account the second factor whose secret this is, once a right code shows that its owner has it, and returns
// the recovery codes, which are nowhere else. Sessions that were opened with the password alone end, which is what changed is for.
func (a *Accounts) enable(by Actor, name, secret, code string, changed changed) (one account, codes []string, err error) {
	codes, hashes := newRecoveryCodes()
	err = a.changeFactor(entryOf("user.second-factor", by, name, "second factor set up"), name, &one, func(had *secondFactor) (*secondFactor, error) {
		if had != nil {
			return nil, errHasFactor()
		}
		step, ok := stepOf(secret, plainCode(code), a.now(), 0)
		if !ok {
			return nil, errWrongCode
		}
		return &secondFactor{Secret: secret, Since: a.now(), LastStep: step, Recovery: hashes}, nil
	})
	if err != nil {
		return account{}, nil, err
	}
	changed(name, endedFactor)
	return one, codes, nil
}

// disable takes the second factor away. Sessions of the account end, which is what changed is for.
func (a *Accounts) disable(by Actor, name string, changed changed) (one account, err error) {
	err = a.changeFactor(entryOf("user.second-factor-off", by, name, "second factor removed"), name, &one, func(had *secondFactor) (*secondFactor, error) {
		if had == nil {
			return nil, errNoFactor(name)
		}
		return nil, nil
	})
	if err != nil {
		return account{}, err
	}
	changed(name, endedFactor)
	return one, nil
}

// changeFactor replaces the second factor of an account, and its stamp, to which sessions hold. after is what it is then.
func (a *Accounts) changeFactor(record control.Entry, name string, after *account, edit func(*secondFactor) (*secondFactor, error)) error {
	return a.change(func(all map[string]account) ([]control.Entry, error) {
		one, known := all[name]
		if !known {
			return nil, noSuchUser(name)
		}
		factor, err := edit(one.SecondFactor)
		if err != nil {
			return nil, err
		}
		one.SecondFactor, one.Stamp = factor, rand.Text()
		all[name], *after = one, one
		return []control.Entry{record}, nil
	})
}

// renewCodes makes new recovery codes, of which none is anywhere else; those before are worth nothing from then on.
func (a *Accounts) renewCodes(by Actor, name string) ([]string, error) {
	codes, hashes := newRecoveryCodes()
	err := a.change(func(all map[string]account) ([]control.Entry, error) {
		one, known := all[name]
		if !known || one.SecondFactor == nil {
			return nil, errNoFactor(name)
		}
		factor := *one.SecondFactor
		factor.Recovery = hashes
		one.SecondFactor = &factor
		all[name] = one
		return []control.Entry{entryOf("user.recovery-codes", by, name, "new recovery codes made")}, nil
	})
	return codes, err
}

// spend takes a code of an account as it was when its password was checked, each code once. That is durable when spend
// returns; while nothing can be written, codes of an app are taken all the same, and this process alone knows of which step: an
// administrator must be able to sign in then. Recovery codes, which are good for years, are not.
func (a *Accounts) spend(of account, by Actor, code string) error {
	code = plainCode(code)
	isTime := isTimeCode(code)
	err := a.change(func(all map[string]account) (records []control.Entry, err error) {
		one, known := all[of.Name]
		if !known || one.Stamp != of.Stamp || one.SecondFactor == nil {
			return nil, errWrongCode
		}
		factor := *one.SecondFactor
		if isTime {
			step, ok := stepOf(factor.Secret, code, a.now(), max(factor.LastStep, a.spent[factor.Secret]))
			if !ok {
				return nil, errWrongCode
			}
			factor.LastStep, a.spent[factor.Secret] = step, step
		} else {
			at := slices.Index(factor.Recovery, recoveryHash(code))
			if at < 0 {
				return nil, errWrongCode
			}
			factor.Recovery = slices.Delete(slices.Clone(factor.Recovery), at, at+1)
			records = append(records, entryOf("user.recovery-code", by, of.Name, fmt.Sprintf("a recovery code was used; %d are left", len(factor.Recovery))))
		}
		one.SecondFactor = &factor
		all[of.Name] = one
		return records, nil
	})
	if isTime && errors.Is(err, errUnsaved) {
		a.logger.Error("cannot keep that a code was used: it is not taken again until topdeck ends", "user", of.Name, "error", err)
		return nil
	}
	return err
}

func errHasFactor() error {
	return refuse(codeConflict, "there is a second factor already; turn that off first")
}

func errNoFactor(name string) error { return refuse(codeNotFound, "%s has no second factor", name) }
