package control

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Who asked for an act, and from which address.
type Who struct{ Actor, Source string }

// Actions on a service, as systemctl(1) calls them. A script knows those of them that it has a branch for.
const (
	Start       = "start"
	Stop        = "stop"
	Restart     = "restart"
	Reload      = "reload"
	Enable      = "enable"
	Disable     = "disable"
	ResetFailed = "reset-failed"
)

// Actions are all that ServiceAction takes.
func Actions() []string { return []string{Start, Stop, Restart, Reload, Enable, Disable, ResetFailed} }

// maxActing is how many acts on services may run at once.
const maxActing = 64

// ServiceAction begins an act on one service and returns its record; how it ends is told by the log. name is
// "manager:name", or the name alone where only one manager has it; for systemd ".service" may be left out. Nothing but the exact
// name is taken.
//
// ErrInvalid: no such action. ErrNotFound: no such service. ErrConflict: the host stands on this service, and confirm does not
// repeat its name. ErrTooMany: too much runs already. ErrUnavailable: its manager cannot be reached, or there
// could be no record: then nothing was done.
func (m *Manager) ServiceAction(ctx context.Context, who Who, name, action, confirm string) (Operation, error) {
	if !slices.Contains(Actions(), action) {
		return Operation{}, &failure{ErrInvalid, fmt.Sprintf("cannot %s a service; it must be one of %s", oneLine(action, 40), strings.Join(Actions(), ", "))}
	}
	b, id, err := m.resolve(ctx, name)
	if err != nil {
		return Operation{}, err
	}
	if why := b.guards(id); why != "" && slices.Contains([]string{Stop, Restart, Disable}, action) {
		if confirm == "" || strings.TrimSuffix(confirm, ".service") != strings.TrimSuffix(id, ".service") {
			return Operation{}, &failure{ErrConflict, fmt.Sprintf("%s %s; repeat its name to %s it", id, why, action)}
		}
	}
	e := Entry{LogType: "service." + action, Target: id, Actor: who.Actor, Source: who.Source}
	return m.do(e, func(ctx context.Context) (Outcome, func(Operation)) {
		if !slices.Contains([]string{Start, Stop, Restart, Reload}, action) {
			return b.act(ctx, id, action), nil
		}
		turn := m.takeTurn(id)
		o := b.act(ctx, id, action)
		return o, func(op Operation) { m.followUp(op, o.later, turn) }
	})
}

// resolve finds the one service that name means.
func (m *Manager) resolve(ctx context.Context, name string) (backend, string, error) {
	manager, bare, qualified := strings.Cut(name, ":")
	var found backend
	var id string
	for _, b := range m.backends {
		asked := name
		if qualified && manager == b.name() {
			asked = bare
		}
		got, err := b.resolve(ctx, asked)
		if err != nil {
			return nil, "", err
		}
		if got == "" {
			continue
		}
		if found != nil {
			return nil, "", &failure{ErrConflict, fmt.Sprintf("more than one service manager has %s; write %s:%s or %s:%s", name, found.name(), id, b.name(), got)}
		}
		found, id = b, got
	}
	if found == nil {
		return nil, "", &failure{ErrNotFound, fmt.Sprintf("there is no service %q; names must be exact", oneLine(name, 100))}
	}
	return found, id, nil
}

// do records that an act begins, has a goroutine of the Manager do it, and then records its outcome; what act returns beside that, if
// anything, comes after it.
func (m *Manager) do(e Entry, act func(ctx context.Context) (Outcome, func(Operation))) (Operation, error) {
	if err := m.enter(); err != nil {
		return Operation{}, err
	}
	op, err := m.log.Begin(e) // nobody waits for the disk but who asked
	if err != nil {
		m.leave("")
		m.done.Done()
		return Operation{}, err
	}
	m.carryOut(op, act)
	return op, nil
}

// enter takes a place for one more act, until leave; Close waits for it, until done is told.
func (m *Manager) enter() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.log == nil || m.ctx.Err() != nil:
		return &failure{ErrUnavailable, "cannot act any more: topdeck is ending"}
	case m.acting >= maxActing:
		return &failure{ErrTooMany, fmt.Sprintf("cannot do more than %d things at once; wait for some of them", maxActing)}
	}
	m.acting++
	m.done.Add(1)
	return nil
}

func (m *Manager) leave(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acting--
	delete(m.acts, id)
}

// carryOut has a goroutine do what was recorded as begun, in the place that it has, and record its outcome.
func (m *Manager) carryOut(op Operation, act func(ctx context.Context) (Outcome, func(Operation))) {
	ctx, cancel := context.WithCancelCause(m.ctx)
	m.mu.Lock()
	m.acts[op.ID] = cancel
	m.mu.Unlock()
	go func() {
		defer m.done.Done()
		defer cancel(nil)
		o, then := act(ctx)
		m.leave(op.ID)
		if o.outlives {
			return
		}
		if _, err := m.log.Finish(op.ID, o); err != nil {
			m.logger.Error(err.Error(), "operation", op.ID, "outcome", o.Message)
		}
		if then != nil {
			then(op)
		}
	}()
}

// canceled is why an act ends that somebody has canceled: the name of that somebody.
type canceled string

func (c canceled) Error() string { return string(c) }

// canceler is who has canceled the act whose context ctx is, "" when nobody has.
func canceler(ctx context.Context) string {
	if c, ok := errors.AsType[canceled](context.Cause(ctx)); ok {
		return c.Error()
	}
	return ""
}

// Cancel ends what runs as an operation: a command, with all that it started; the script of a service; or a job of systemd,
// which is taken off its list; its record then names who. ErrNotFound: no such operation. ErrConflict: it does not run.
func (m *Manager) Cancel(who Who, id string) error {
	m.mu.Lock()
	cancel := m.acts[id]
	m.mu.Unlock()
	if cancel != nil {
		cancel(canceled(who.Actor))
		return nil
	}
	if m.log != nil {
		if _, err := m.log.Get(id); err != nil {
			return err
		}
		return &failure{ErrConflict, fmt.Sprintf("operation %s has ended", id)}
	}
	return &failure{ErrNotFound, fmt.Sprintf("nothing runs as operation %q", shorten(id, 40))}
}

// interrupted is the outcome of an act that was still going on when ctx ended.
func interrupted(ctx context.Context) Outcome {
	if who := canceler(ctx); who != "" {
		return Outcome{RetStatus: Failed, Message: fmt.Sprintf("it was canceled by %s while it ran; how far it got is not known", who)}
	}
	return Outcome{RetStatus: Interrupted, Message: endUnknown}
}

// pillars are services that a host stands on, without their suffix, and why.
var pillars = map[string]string{
	"dbus":             "carries the messages between this host's services",
	"dbus-broker":      "carries the messages between this host's services",
	"systemd-journald": "keeps this host's logs",
	"systemd-logind":   "keeps this host's logins",
	"systemd-udevd":    "keeps this host's devices",
	"udev":             "keeps this host's devices",
	"elogind":          "keeps this host's logins",
	"ssh":              "is how one gets into this host",
	"sshd":             "is how one gets into this host",
	"topdeck":          "is what serves this page",
}

// ownService is the systemd service that this process belongs to, "" if none.
func ownService() string {
	b, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		for part := range strings.SplitSeq(strings.TrimSpace(line), "/") {
			if isService(part) && !strings.HasPrefix(part, "user@") {
				return part
			}
		}
	}
	return ""
}
