package server

import (
	"sync"
	"time"

	"topdeck/control"
)

const (
	// ownAtOnce is how many records of its own an account gets at once of what everybody may do to themselves as often as they like.
	ownAtOnce = 100
	// ownEvery is how often one more. Beyond that, sign-ins and their like share a record an hour, and changes are refused: nobody who has an
	// account fills the log in place of what it holds. In 400 days that is a tenth of a million for each account.
	ownEvery = 6 * time.Minute
)

// ownRecords counts them by account. Visits and edits are counted apart: whoever signs in by a script each minute may still change their password.
type ownRecords struct {
	mu sync.Mutex
	of map[string]*control.Budget
}

// take tells whether an account gets one more, and counts it.
func (o *ownRecords) take(name string, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == nil {
		o.of = map[string]*control.Budget{}
	}
	b := o.of[name]
	if b == nil {
		b = &control.Budget{Most: ownAtOnce, Every: ownEvery}
		o.of[name] = b
	}
	if !b.Room(now) {
		return false
	}
	b.Take()
	return true
}
