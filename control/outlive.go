package control

import (
	"context"
	"fmt"
	"time"
)

// Outlives tells whether an operation may go on when the topdeck that began it has ended, so that the next one can tell what became
// of it: a command, and the restart of this very service. It is for LogConfig; the Manager on that Log then finishes them.
func Outlives(op *Operation) bool {
	return op.LogType == "command.run" || op.LogType == "service."+Restart && op.Target == ownService()
}

// leftTimeout is how long systemd may take to be reached, and to have started topdeck, before what an earlier topdeck began is given up.
const leftTimeout = time.Minute

// takeOver finishes what an earlier topdeck began and outlived it. s is nil where no systemd runs.
func (m *Manager) takeOver(s *systemd) {
	if m.log == nil {
		return
	}
	page, err := m.log.List(m.ctx, Filter{RetStatus: string(Running), Limit: maxPage})
	if err != nil {
		m.logger.Error("cannot look for what an earlier topdeck left running", "error", err)
		return
	}
	for _, op := range page.Operations {
		if m.enter() != nil { // more than ever run at once
			_, _ = m.log.Finish(op.ID, Outcome{RetStatus: Interrupted, Message: endUnknown}) // the log tells when it cannot be written
			continue
		}
		m.carryOut(op, func(ctx context.Context) (o Outcome, _ func(Operation)) {
			ctx, cancel := context.WithTimeout(ctx, leftTimeout)
			defer cancel()
			switch {
			case s == nil:
				o = Outcome{RetStatus: Interrupted, Message: endUnknown}
			case op.LogType == "command.run":
				o = s.endLeft(ctx, op.ID)
			default:
				o = s.restarted(ctx, op.LogTime)
			}
			m.logger.Warn("an earlier topdeck left this running", "operation", op.ID, "outcome", o.Message)
			return o, nil
		})
	}
}

// endLeft ends the command of an operation, if it runs still: nobody reads its output or minds its time any more.
func (s *systemd) endLeft(ctx context.Context, id string) Outcome {
	o := Outcome{RetStatus: Interrupted}
	u, forget := s.commandUnit(id)
	defer forget()
	conn, err := s.reconnected(ctx)
	var found []listedUnit
	if err == nil { // by pattern, since asking by name would load it
		err = conn.Object(sdName, sdPath).CallWithContext(ctx, sdManager+".ListUnitsByPatterns", 0, []string{}, []string{u.name}).Store(&found)
	}
	switch {
	case err != nil:
		o.Message = fmt.Sprintf("topdeck ended while this ran; it may run still as %s: systemd cannot be asked: %s", u.name, reason(err))
	case len(found) == 0 || found[0].ActiveState == "inactive" || found[0].ActiveState == "failed":
		o.Message = endUnknown
	default:
		s.keepCommand(ctx, u)
		defer s.dropCommand(u)
		o.Message = fmt.Sprintf("topdeck ended while this ran; it ran on as %s until topdeck was back, and was ended then", u.name)
		if err := s.endCommand(u); err != nil {
			o.Message = "topdeck ended while this ran; " + err.Error()
		}
	}
	return o
}

// restarted tells how the restart of this very service ended that was asked for at since: this process is what came of it.
func (s *systemd) restarted(ctx context.Context, since time.Time) Outcome {
	unknown := Outcome{RetStatus: Interrupted, Message: endUnknown}
	for {
		conn, err := s.reconnected(ctx)
		if err != nil {
			return unknown
		}
		u := properties1{ctx: ctx, conn: conn, path: unitPath(s.own)}
		switch u.text(sdUnit, "ActiveState") {
		case "active":
			entered, _ := u.get(sdUnit, "ActiveEnterTimestamp").(uint64)
			again, _ := u.get(sdService, "NRestarts").(uint32)
			if u.err != nil || again > 0 || entered < uint64(since.UnixMicro()) { // not by that act, but by systemd after a failure
				return unknown
			}
			return Outcome{RetStatus: Succeeded, Message: fmt.Sprintf("%s: restart done; it is active (%s)", s.own, u.text(sdUnit, "SubState"))}
		case "activating", "": // topdeck tells systemd when it serves; or the connection was lost
		default:
			return unknown
		}
		select {
		case <-ctx.Done():
			return unknown
		case <-time.After(50 * time.Millisecond):
		}
	}
}
