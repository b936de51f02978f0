package control

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// properties1 are the properties of one object, each interface as it was when one of its properties was asked for first. The
// first error is kept, and all after it are zero.
type properties1 struct {
	ctx  context.Context
	conn *dbus.Conn
	path dbus.ObjectPath
	err  error
	all  map[string]map[string]dbus.Variant // by interface
}

func (p *properties1) get(iface, name string) any {
	if p.err == nil && p.all[iface] == nil {
		ctx, cancel := context.WithTimeout(p.ctx, callTimeout)
		defer cancel()
		var all map[string]dbus.Variant
		p.err = p.conn.Object(sdName, p.path).CallWithContext(ctx, properties+".GetAll", 0, iface).Store(&all)
		if p.all == nil {
			p.all = map[string]map[string]dbus.Variant{}
		}
		p.all[iface] = all
	}
	if p.err != nil {
		return nil
	}
	return p.all[iface][name].Value()
}

func (p *properties1) text(iface, name string) string {
	s, _ := p.get(iface, name).(string)
	return s
}

func (p *properties1) number(iface, name string) int {
	n, _ := p.get(iface, name).(int32)
	return int(n)
}

// grace is how long a service that has just started is watched: systemd calls the start of a simple one done as soon as
// its process exists.
const grace = 50 * time.Millisecond

// outcome tells how a job that began at since ended and, where it did not do what was wanted, everything that is known of why. Where
// there is a run that may not last, it tells r which.
func (s *systemd) outcome(ctx context.Context, id, action, result string, since time.Time, r *run) Outcome {
	conn, err := s.connected()
	if err != nil {
		conn = nil
	}
	var u properties1
	look := func() (active string) {
		u = properties1{ctx: ctx, conn: conn, path: unitPath(id)} // systemd loads it when it is not
		if conn == nil {
			u.err = err
		}
		return u.text(sdUnit, "ActiveState")
	}
	active := look()
	starts := action == Start || action == Restart
	if result == "done" && starts && active != "failed" {
		if t := u.text(sdService, "Type"); t == "simple" || t == "exec" || t == "idle" {
			select {
			case <-time.After(grace):
			case <-ctx.Done():
			}
			active = look()
		}
	}
	sub := u.text(sdUnit, "SubState")
	entered, _ := u.get(sdUnit, "ActiveEnterTimestamp").(uint64)
	wanted := map[string]bool{Start: active == "active", Restart: active == "active" && entered >= uint64(since.UnixMicro()), Stop: active == "inactive"}[action]
	switch {
	case result == "done" && starts && active == "inactive":
		holds, _ := u.get(sdUnit, "ConditionResult").(bool)
		if u.text(sdService, "Result") == "exec-condition" {
			result = "exec-condition"
		} else if asked, _ := u.get(sdUnit, "ConditionTimestamp").(uint64); asked != 0 && !holds {
			result = "condition"
		}
	case result == "failed" && starts && tooOften(&u, since):
		result = "start-limit-hit"
	}
	ok := result == "done" && !(starts && (active == "failed" || sub == "auto-restart")) || result == lost && wanted
	if ok {
		o, detail := Outcome{RetStatus: Succeeded, Message: fmt.Sprintf("%s: %s done%s", id, action, standing(active, sub))}, strings.Builder{}
		part := ""
		switch {
		case active == "failed": // it is down, but not as it should be
			s.explain(&u, id, since, &o, &detail)
		case starts:
			part = failedPart(&u, since)
		}
		if part != "" {
			o = Outcome{RetStatus: Failed, Message: fmt.Sprintf("%s: %s done, but %s, which is a part of it, failed", id, action, part)}
			s.explain(&properties1{ctx: ctx, conn: conn, path: unitPath(part)}, part, since, &o, &detail)
		} else if action != Stop && active == "active" && sub != "exited" {
			r.of(&u)
		}
		o.Detail = detail.String()
		return o
	}
	if result == lost {
		return Outcome{RetStatus: Interrupted, Message: fmt.Sprintf("%s: the connection to systemd was lost during the %s, and how it ended is not known%s", id, action, standing(active, sub))}
	}

	o := Outcome{RetStatus: Failed, Message: fmt.Sprintf("%s: %s %s", id, action, resultWords(result))}
	var detail strings.Builder
	fmt.Fprintf(&detail, "job: %s\n", explained(result, resultWords(result)))
	if active != "" {
		fmt.Fprintf(&detail, "unit: %s\n", explained(active, sub))
	}
	if result == "dependency" {
		if id = failedDependency(&u); id == "" {
			o.Detail = detail.String()
			return o
		}
		fmt.Fprintf(&detail, "dependency: %s\n", id)
		o.Message += ": " + id
		look()
	}
	switch result {
	case "condition":
		o.Message += ": " + unmet(&u, "Conditions")
	case "assert":
		o.Message += ": " + unmet(&u, "Asserts")
	case "invalid", "skipped", "once", "unsupported", "start-limit-hit": // nothing was done, and how it ended before is another story
	default:
		s.explain(&u, id, since, &o, &detail)
	}
	o.Detail = detail.String()
	return o
}

// tooOften tells whether systemd did not try a start that failed, since it had tried too many. Of a unit that had failed before it goes
// on to tell that failure's Result.
func tooOften(u *properties1, since time.Time) bool {
	left, _ := u.get(sdUnit, "InactiveExitTimestamp").(uint64)
	switch u.text(sdService, "Result") {
	case "start-limit-hit":
		return true
	case "", "success", "resources": // the last is told before a unit leaves its rest, too
		return false
	}
	return left < uint64(since.UnixMicro())
}

// explained is one of systemd's terms and what it means, once where that is the same.
func explained(term, words string) string {
	if term == words {
		return term
	}
	return fmt.Sprintf("%s (%s)", term, words)
}

// standing is how a unit stands, to end a sentence with; nothing where that is not known.
func standing(active, sub string) string {
	if active == "" {
		return ""
	}
	if active == sub {
		return fmt.Sprintf("; it is %s", active)
	}
	return fmt.Sprintf("; it is %s (%s)", active, sub)
}

// explain adds everything that is known of why a unit failed since a time.
func (s *systemd) explain(u *properties1, id string, since time.Time, o *Outcome, detail *strings.Builder) {
	if text, ok := loadError(u); ok {
		fmt.Fprintf(detail, "unit file: %s\n", text)
		o.Message += ": " + text
	}
	if why := u.text(sdService, "Result"); why != "" && why != "success" {
		fmt.Fprintf(detail, "result: %s (%s)\n", why, unitResultWords(why))
		o.Message += ": " + unitResultWords(why)
	}
	for _, c := range endedSince(u, since) {
		fmt.Fprintf(detail, "%s: %s\n", c.what, ended(c.code, c.status))
		if c.status == 0 {
			continue
		}
		o.Message += ", " + ended(c.code, c.status)
		if c.what != mainProcess {
			o.Message += " of " + c.what
		}
		if c.code == cldExited {
			o.ExitCode = &c.status
		}
	}
	run := invocation(u)
	if run == "" {
		return
	}
	lines, err := s.journal.ofInvocation(u.ctx, id, run, since)
	if err != nil {
		fmt.Fprintf(detail, "journal: %s\n", err)
	}
	writeLines(detail, lines)
	if line := telling(ofProcesses(lines, since)); line != "" {
		o.Message += ": " + line
	}
}

// writeLines adds lines of the journal to what is known.
func writeLines(detail *strings.Builder, lines []JournalLine) {
	if len(lines) > 0 {
		detail.WriteString("\n")
	}
	for _, l := range lines {
		fmt.Fprintf(detail, "%s %s[%d]: %s\n", l.Time.Format(time.RFC3339), l.Program, l.PID, l.Text)
	}
}

// failedDependency is the first of the units that a unit cannot be without which is not there, "" if all are.
func failedDependency(u *properties1) string {
	var names []string
	for _, kind := range []string{"Requires", "Requisite", "BindsTo"} {
		list, _ := u.get(sdUnit, kind).([]string)
		names = append(names, list...)
	}
	if u.err != nil || len(names) == 0 {
		return ""
	}
	ctx, cancel := context.WithTimeout(u.ctx, callTimeout)
	defer cancel()
	var units []listedUnit
	if u.err = u.conn.Object(sdName, sdPath).CallWithContext(ctx, sdManager+".ListUnitsByNames", 0, names).Store(&units); u.err != nil {
		return ""
	}
	for _, states := range []string{"failed", "inactive"} { // what failed says more than what was not tried, either
		for _, d := range units {
			if d.ActiveState == states {
				return d.Name
			}
		}
	}
	return ""
}

// failedPart is the first of the units that are PartOf this one which failed since a time, "" if none did. A unit that is
// nothing but a name for several, as that of Debian's postgresql, is well whatever becomes of them.
func failedPart(u *properties1, since time.Time) string {
	names, _ := u.get(sdUnit, "ConsistsOf").([]string)
	if u.err != nil || len(names) == 0 {
		return ""
	}
	ctx, cancel := context.WithTimeout(u.ctx, callTimeout)
	defer cancel()
	var units []listedUnit
	if u.conn.Object(sdName, sdPath).CallWithContext(ctx, sdManager+".ListUnitsByNames", 0, names).Store(&units) != nil {
		return ""
	}
	for _, part := range units {
		if part.ActiveState == "failed" {
			p := properties1{ctx: ctx, conn: u.conn, path: unitPath(part.Name)}
			if at, _ := p.get(sdUnit, "StateChangeTimestamp").(uint64); at >= uint64(since.UnixMicro()) {
				return part.Name
			}
		}
	}
	return ""
}

// unmet are those of a unit's Conditions or Asserts that do not hold, as its file writes them.
func unmet(u *properties1, kind string) string {
	var list []string
	all, _ := u.get(sdUnit, kind).([][]any)
	for _, c := range all {
		var name, parameter string
		var trigger, negate bool
		var state int32 // negative: it does not hold
		if dbus.Store(c, &name, &trigger, &negate, &parameter, &state) != nil || state >= 0 {
			continue
		}
		if negate {
			parameter = "!" + parameter
		}
		list = append(list, name+"="+parameter)
	}
	return strings.Join(list, ", ")
}

const mainProcess = "main process"

// endedProcess is how a process of a service ended, waitid(2); what is "main process", or the line of the unit file that it came from.
type endedProcess struct {
	what         string
	code, status int
}

// endedSince tells of the main process and of those that ran before, beside or after it, as far as they ended since a time.
func endedSince(u *properties1, since time.Time) (list []endedProcess) {
	from := uint64(since.UnixMicro())
	if at, _ := u.get(sdService, "ExecMainExitTimestamp").(uint64); at >= from {
		list = append(list, endedProcess{mainProcess, u.number(sdService, "ExecMainCode"), u.number(sdService, "ExecMainStatus")})
	}
	for _, kind := range []string{"ExecCondition", "ExecStartPre", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost"} {
		commands, _ := u.get(sdService, kind).([][]any)
		for _, c := range commands {
			var path string
			var args []string
			var ignored bool
			var begin, beginMonotonic, end, endMonotonic uint64
			var pid uint32
			var code, status int32
			if dbus.Store(c, &path, &args, &ignored, &begin, &beginMonotonic, &end, &endMonotonic, &pid, &code, &status) == nil &&
				!ignored && end >= from && status != 0 {
				list = append(list, endedProcess{kind + "=" + path, int(code), int(status)})
			}
		}
	}
	return list
}

// ofProcesses are the texts that a service itself wrote since a time, not systemd about it.
func ofProcesses(lines []JournalLine, since time.Time) (texts []string) {
	for _, l := range lines {
		if l.PID != 1 && l.Text != "" && !l.Time.Before(since) {
			texts = append(texts, l.Text)
		}
	}
	return texts
}

func loadError(u *properties1) (string, bool) {
	state := u.text(sdUnit, "LoadState")
	if state == "loaded" || state == "" {
		return "", false
	}
	if pair, ok := u.get(sdUnit, "LoadError").([]any); ok && len(pair) == 2 {
		if text, _ := pair[1].(string); text != "" {
			return text, true
		}
	}
	return state, true
}
