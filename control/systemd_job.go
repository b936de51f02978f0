package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// unitName is what a service may be called, systemd.unit(5): no glob, no path, nothing that must be escaped.
var unitName = regexp.MustCompile(`^[A-Za-z0-9:_.\\@-]{1,247}\.service$`)

// removed is what systemd tells when a job has ended.
type removed struct {
	job    dbus.ObjectPath
	result string
}

// watch gets the ends of all jobs of one unit. It is made before the job, whose end may come before its name.
type watch struct {
	unit string
	ends chan removed
}

func (s *systemd) watch(unit string) (*watch, func()) {
	w := &watch{unit, make(chan removed, 64)}
	s.mu.Lock()
	s.watches[w] = true
	s.mu.Unlock()
	return w, func() {
		s.mu.Lock()
		delete(s.watches, w)
		s.mu.Unlock()
	}
}

// tellWatches passes on the end of a job. Nobody is waited for.
func (s *systemd) tellWatches(signal *dbus.Signal) {
	var id uint32
	var unit string
	var r removed
	if dbus.Store(signal.Body, &id, &r.job, &unit, &r.result) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watches {
		if w.unit == unit {
			select {
			case w.ends <- r:
			default:
			}
		}
	}
}

// connected is the connection of the moment.
func (s *systemd) connected() (*dbus.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn == nil {
		return nil, s.err
	}
	return s.conn, nil
}

// resolve finds the unit that has this very name, or this other name, and gives its own one.
func (s *systemd) resolve(ctx context.Context, name string) (string, error) {
	if !isService(name) {
		name += ".service"
	}
	if !unitName.MatchString(name) || strings.HasSuffix(name, "@.service") {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	select {
	case <-s.ready: // else an act right after the start would be refused
	case <-ctx.Done():
	}
	conn, err := s.connected()
	if err != nil {
		return "", &failure{ErrUnavailable, err.Error()}
	}
	id, err := ownName(ctx, conn, name)
	if unanswered(err) { // once more, on the next connection
		if conn, err = s.reconnected(ctx); err == nil {
			id, err = ownName(ctx, conn, name)
		}
	}
	var refused dbus.Error
	switch {
	case unanswered(err):
		return "", &failure{ErrUnavailable, fmt.Sprintf("cannot ask systemd for %s: %s", name, reason(err))}
	case errors.As(err, &refused): // not a name for a unit
		return "", nil
	}
	return id, nil
}

// ownName is what systemd calls the unit that has a name, "" where there is none.
func ownName(ctx context.Context, conn *dbus.Conn, name string) (string, error) {
	all, err := unitProperties(ctx, conn, name)
	if err != nil {
		return "", err
	}
	word := func(property string) string { text, _ := all[property].Value().(string); return text }
	if word("LoadState") == "not-found" && word("ActiveState") == "inactive" {
		return "", nil
	}
	return word("Id"), nil
}

// unitProperties asks in one message. Between two, systemd forgets a unit that nothing holds, loads it anew, and writes to
// the journal again what is wrong with its file.
func unitProperties(ctx context.Context, conn *dbus.Conn, name string) (all map[string]dbus.Variant, err error) {
	err = conn.Object(sdName, unitPath(name)).CallWithContext(ctx, properties+".GetAll", 0, sdUnit).Store(&all)
	return all, err
}

func (s *systemd) guards(id string) string {
	if id == s.own {
		return pillars["topdeck"]
	}
	return pillars[strings.TrimSuffix(id, ".service")]
}

// act does one action and waits for its end, however long that takes.
func (s *systemd) act(ctx context.Context, id, action string) (o Outcome) {
	conn, err := s.reachable(ctx)
	if err != nil {
		return Outcome{RetStatus: Failed, Message: err.Error()}
	}
	manager := conn.Object(sdName, sdPath)
	switch action {
	case Enable, Disable:
		return s.setEnabled(ctx, id, action)
	case ResetFailed:
		if call, _ := s.repeat(ctx, "ResetFailedUnit", id); call.Err != nil {
			err = call.Err
			return Outcome{RetStatus: Failed, Message: fmt.Sprintf("cannot reset %s: %s", id, reason(err))}
		}
		return Outcome{RetStatus: Succeeded, Message: id + ": its failure is forgotten"}
	}
	method := map[string]string{Start: "StartUnit", Stop: "StopUnit", Restart: "RestartUnit", Reload: "ReloadUnit"}[action]
	w, end := s.watch(id)
	defer end()
	release := s.hold(ctx, conn, id)
	defer func() {
		if o.later == nil {
			release()
		}
	}()
	since := time.Now()
	var job dbus.ObjectPath
	var result string
	switch err = manager.CallWithContext(ctx, sdManager+"."+method, 0, id, "replace").Store(&job); {
	case err == nil:
		result, err = s.await(ctx, w, conn, job, since)
	case ctx.Err() != nil:
		return interrupted(ctx)
	case unanswered(err):
		job, result, err = s.jobSince(ctx, w, since)
	default:
		return s.refused(ctx, id, action, err)
	}
	if who := canceler(ctx); err != nil && who != "" {
		if result, err = s.cancelJob(w, job, since); err != nil {
			return interrupted(ctx)
		}
		ctx = s.ctx
		if result == "canceled" {
			conn, err := s.connected()
			p := properties1{ctx: ctx, conn: conn, path: unitPath(id), err: err}
			return Outcome{RetStatus: Failed, Message: fmt.Sprintf("%s: %s was canceled by %s%s; what was begun is not undone",
				id, action, who, standing(p.text(sdUnit, "ActiveState"), p.text(sdUnit, "SubState")))}
		}
	}
	if err != nil && id == s.own && action == Restart {
		return Outcome{outlives: true} // that is what it is for
	}
	if err != nil {
		return interrupted(ctx)
	}
	r := run{service: id, action: action, since: since, done: time.Now()}
	if o = s.outcome(ctx, id, action, result, since, &r); r.invocation != "" {
		o.later = func(ctx, waiting context.Context) (Outcome, bool) {
			defer release()
			return s.awaitFailure(ctx, waiting, r)
		}
	}
	return o
}

// hold has systemd keep a unit, and why it failed, until release; that ends with the connection at the latest.
func (s *systemd) hold(ctx context.Context, conn *dbus.Conn, id string) (release func()) {
	manager := conn.Object(sdName, sdPath)
	if manager.CallWithContext(ctx, sdManager+".RefUnit", 0, id).Err != nil {
		return func() {}
	}
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		manager.CallWithContext(ctx, sdManager+".UnrefUnit", 0, id)
	}
}

// refused is the outcome of an act that systemd did not begin. What is wrong with a unit file, it tells the journal only.
func (s *systemd) refused(ctx context.Context, id, action string, err error) Outcome {
	o := Outcome{RetStatus: Failed, Message: fmt.Sprintf("cannot %s %s: %s", action, id, reason(err))}
	var said dbus.Error
	if !errors.As(err, &said) || said.Name != "org.freedesktop.systemd1.BadUnitSetting" {
		return o
	}
	s.noteLoad(id, "bad-setting")
	lines, err := s.journal.read(ctx, reasonLines, "_PID=1", "UNIT="+id)
	if err != nil {
		o.Detail = fmt.Sprintf("journal: %s\n", err)
		return o
	}
	var texts []string
	for _, l := range lines {
		texts = append(texts, l.Text)
	}
	if line := telling(texts); line != "" {
		o.Message += " " + line
	}
	var detail strings.Builder
	writeLines(&detail, lines)
	o.Detail = detail.String()
	return o
}

// unanswered tells whether a call failed such that it may have been taken in all the same: its connection, or systemd, went away.
func unanswered(err error) bool {
	var refused dbus.Error
	return err != nil && (!errors.As(err, &refused) || refused.Name == "org.freedesktop.DBus.Error.NoReply" || refused.Name == "org.freedesktop.DBus.Error.Disconnected")
}

// repeat calls systemd, and once more on the next connection if there was no answer: for what may be done twice.
func (s *systemd) repeat(ctx context.Context, method string, args ...any) (call *dbus.Call, again bool) {
	for {
		conn, err := s.reconnected(ctx)
		if err != nil {
			return &dbus.Call{Err: err}, again
		}
		call = conn.Object(sdName, sdPath).CallWithContext(ctx, sdManager+"."+method, 0, args...)
		if again || ctx.Err() != nil || !unanswered(call.Err) {
			return call, again
		}
		again = true
	}
}

// jobSince finds and awaits the job that a call which was not answered may have led to since then.
func (s *systemd) jobSince(ctx context.Context, w *watch, since time.Time) (dbus.ObjectPath, string, error) {
	conn, err := s.reconnected(ctx)
	if err != nil {
		return "", "", err
	}
	p := properties1{ctx: ctx, conn: conn, path: unitPath(w.unit)}
	var id uint32
	var job dbus.ObjectPath
	if pair, ok := p.get(sdUnit, "Job").([]any); ok && dbus.Store(pair, &id, &job) == nil && id != 0 {
		result, err := s.await(ctx, w, conn, job, since)
		return job, result, err
	}
	select {
	case end := <-w.ends:
		return end.job, end.result, nil
	default:
	}
	return "", cmp.Or(s.journal.jobResult(ctx, w.unit, "", since), lost), nil
}

// cancelJob takes a job off systemd's list and gives its result, which is another one than canceled if it had ended by then.
func (s *systemd) cancelJob(w *watch, job dbus.ObjectPath, begun time.Time) (string, error) {
	ctx, cancel := context.WithTimeout(s.ctx, killTime)
	defer cancel()
	conn, err := s.reconnected(ctx)
	if err != nil {
		return "", err
	}
	// An error means that it has ended, which the watch hears.
	_ = conn.Object(sdName, job).CallWithContext(ctx, sdName+".Job.Cancel", 0).Err
	return s.await(ctx, w, conn, job, begun)
}

// lost is the result of a job whose end was neither heard nor written down.
const lost = "lost"

// await waits for the end of a job that was asked for at begun, also over a loss of the connection.
func (s *systemd) await(ctx context.Context, w *watch, conn *dbus.Conn, job dbus.ObjectPath, begun time.Time) (string, error) {
	for {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case end := <-w.ends:
			if end.job == job {
				return end.result, nil
			}
		case <-conn.Context().Done():
			next, err := s.reconnected(ctx)
			if err != nil {
				return "", err
			}
			conn = next
			p := properties1{ctx: ctx, conn: conn, path: job}
			if p.text(sdName+".Job", "State"); p.err == nil {
				continue // it is still going on, and this connection tells its end
			}
			select { // it ended before, or just now
			case end := <-w.ends:
				if end.job == job {
					return end.result, nil
				}
			default:
			}
			return cmp.Or(s.journal.jobResult(ctx, w.unit, path.Base(string(job)), begun), lost), nil
		}
	}
}

// reachable is the connection of the moment, or that of the next few seconds: a bus that is started anew is soon back.
func (s *systemd) reachable(ctx context.Context) (*dbus.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if conn, err := s.reconnected(ctx); err == nil {
		return conn, nil
	}
	return s.connected()
}

// reconnected waits for a connection.
func (s *systemd) reconnected(ctx context.Context) (*dbus.Conn, error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := s.connected(); err == nil && conn.Connected() {
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// setEnabled changes the links that start a unit with the host, and has systemd read them, as systemctl does.
func (s *systemd) setEnabled(ctx context.Context, id, action string) Outcome {
	var call *dbus.Call
	var err error
	var again bool
	installs := true
	var changes []struct{ Type, File, Destination string }
	if action == Enable {
		call, again = s.repeat(ctx, "EnableUnitFiles", []string{id}, false, false)
		err = call.Store(&installs, &changes)
	} else {
		call, again = s.repeat(ctx, "DisableUnitFiles", []string{id}, false)
		err = call.Store(&changes)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return interrupted(ctx)
	case err != nil:
		return Outcome{RetStatus: Failed, Message: fmt.Sprintf("cannot %s %s: %s", action, id, reason(err))}
	case !installs:
		return Outcome{RetStatus: Failed, Message: id + " cannot be enabled: its unit file has no [Install] section that says when to start it"}
	}
	var detail strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&detail, "%s %s", c.Type, c.File)
		if c.Destination != "" {
			fmt.Fprintf(&detail, " → %s", c.Destination)
		}
		detail.WriteByte('\n')
	}
	if len(changes) > 0 || again { // what was changed the first time is not told the second
		if call, _ := s.repeat(ctx, "Reload"); call.Err != nil && ctx.Err() == nil {
			return Outcome{RetStatus: Failed, Message: fmt.Sprintf("%s: systemd cannot read its configuration anew: %s", id, reason(call.Err)), Detail: detail.String()}
		}
	}
	o := Outcome{RetStatus: Succeeded, Message: fmt.Sprintf("%s is %sd", id, action), Detail: detail.String()}
	if len(changes) == 0 {
		o.Message += " already"
	}
	return o
}
