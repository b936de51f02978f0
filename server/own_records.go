package server

import (
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"topdeck/control"
)

const (
	// ownAtOnce is how many records of its own an account gets at once of what everybody may do to themselves as often as they like.
	ownAtOnce = 100
	// ownEvery is how often one more. Beyond that, sign-ins and their like share a record an hour, and changes are refused: nobody who has an
	// account fills the log in place of what it holds. In 400 days that is a tenth of a million for each account.
	ownEvery = 6 * time.Minute

	// actsAtOnce is how many acts an account may do at once: many more than anybody does by hand, or a script to all that a host runs.
	actsAtOnce = 10_000
	// actsEvery is how often one more, beyond which they are refused. Without that, whoever may act would have pushed the oldest of a million
	// records out of the log within the hour; so it takes months.
	actsEvery = 10 * time.Second
)

// budgets are what each account has of something. Visits, edits and acts are counted apart: whoever signs in by a script each minute may still
// change their password.
type budgets struct {
	most  int
	every time.Duration

	mu sync.Mutex
	of map[string]*control.Budget
}

func newBudgets(most int, every time.Duration) *budgets {
	return &budgets{most: most, every: every, of: map[string]*control.Budget{}}
}

// take tells whether an account gets one more, and counts it; else how long it takes until there is one.
func (b *budgets) take(name string, now time.Time) (wait time.Duration, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	budget := b.of[name]
	if budget == nil {
		budget = &control.Budget{Most: b.most, Every: b.every}
		b.of[name] = budget
	}
	if !budget.Room(now) {
		return budget.Wait(now), false
	}
	budget.Take()
	return 0, true
}

// spend takes an act from the budget of who sent the request. That there was none left is recorded, once an hour.
func (s *Server) spend(c *fiber.Ctx) error {
	by := actorOf(c)
	wait, ok := s.acts.take(by.Name, s.accounts.now())
	if ok {
		return nil
	}
	e := entryOf("user.limited", by, by.Name, "an act was refused: there were very many")
	e.RetStatus = control.Failed
	if err := s.cfg.Log.Share(e); err != nil {
		s.cfg.Logger.Error("cannot record that acts are refused", "actor", by.Name, "error", err)
	}
	return tooMany("this account has acted very often", wait)
}
