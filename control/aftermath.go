package control

import (
	"context"
	"fmt"
	"time"
)

// aftermath is how long a service is followed after an act on it that ended well. systemd calls a simple service started when its
// process exists; that a setting is wrong, a port taken or a database not there, a daemon may find out seconds later.
const aftermath = 10 * time.Second

// later waits, until waiting ends, for what an act began to fail, and tells how it did, for as long as ctx lasts; failed is false if
// it did not. It is called once.
type later func(ctx, waiting context.Context) (o Outcome, failed bool)

// turn is the time from the beginning of an act on a service to that of the next one, or until there is nothing more to come of it.
type turn struct {
	ctx context.Context
	end context.CancelFunc
}

// takeTurn makes an act the newest one on a service: what comes of those before is theirs no more, and not told.
func (m *Manager) takeTurn(service string) *turn {
	t := &turn{}
	t.ctx, t.end = context.WithCancel(m.ctx)
	m.mu.Lock()
	defer m.mu.Unlock()
	if before := m.turns[service]; before != nil {
		before.end()
	}
	m.turns[service] = t
	return t
}

// followUp tells, by a record of its own, when what an act was told to have done fails after all; once.
func (m *Manager) followUp(op Operation, wait later, t *turn) {
	defer func() {
		t.end()
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.turns[op.Target] == t {
			delete(m.turns, op.Target)
		}
	}()
	if wait == nil {
		return
	}
	waiting, cancel := context.WithTimeout(t.ctx, m.aftermath)
	defer cancel()
	o, failed := wait(m.ctx, waiting)
	if !failed {
		return
	}
	e := Entry{
		LogType: "service.failed", Target: op.Target, Actor: op.Actor, Source: op.Source, RetStatus: Failed, Message: o.Message,
		Detail: fmt.Sprintf("operation: %s (%s)\n%s", op.ID, op.LogType, o.Detail), ExitCode: o.ExitCode,
	}
	if _, err := m.log.Record(e); err != nil {
		m.logger.Error(err.Error(), "operation", op.ID, "failed", o.Message)
	}
}
