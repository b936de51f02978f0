package control

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// properties1 reads properties of one object. The first error is kept, and all after it are zero.
type properties1 struct {
	ctx  context.Context
	conn *dbus.Conn
	path dbus.ObjectPath
	err  error
}

func (p *properties1) get(iface, name string) any {
	if p.err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(p.ctx, callTimeout)
	defer cancel()
	var v dbus.Variant
	if p.err = p.conn.Object(sdName, p.path).CallWithContext(ctx, properties+".Get", 0, iface, name).Store(&v); p.err != nil {
		return nil
	}
	return v.Value()
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
const grace = 80 * time.Millisecond

// outcome tells how a job that began at since ended and, where it did not do what was wanted, everything that is known of why.
func (s *systemd) outcome(ctx context.Context, id, action, result string, since time.Time) Outcome {
	conn, err := s.connected()
	if err != nil {
		conn = nil
	}
	var u properties1
	look := func() (active string) {
		u = properties1{ctx: ctx, conn: conn}
		if conn == nil {
			u.err = err
			return ""
		}
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		u.err = conn.Object(sdName, sdPath).CallWithContext(ctx, sdManager+".LoadUnit", 0, id).Store(&u.path)
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
	wanted := map[string]bool{Start: active == "active", Restart: active == "active", Stop: active == "inactive", Reload: active == "active"}[action]
	if result == "done" && starts && active == "inactive" {
		holds, _ := u.get(sdUnit, "ConditionResult").(bool)
		if asked, _ := u.get(sdUnit, "ConditionTimestamp").(uint64); asked != 0 && !holds {
			result = "condition"
		}
	}
	ok := result == "done" && !(starts && (active == "failed" || sub == "auto-restart")) || result == lost && wanted
	if ok {
		message := fmt.Sprintf("%s: %s done", id, action)
		if active != "" {
			message += fmt.Sprintf("; it is %s (%s)", active, sub)
		}
		if why := u.text(sdService, "Result"); active == "failed" && why != "success" { // it had to be killed
			message += ": " + unitResultWords(why)
		}
		return Outcome{RetStatus: Succeeded, Message: message}
	}

	o := Outcome{RetStatus: Failed, Message: fmt.Sprintf("%s: %s %s", id, action, resultWords(result))}
	var detail strings.Builder
	fmt.Fprintf(&detail, "job: %s (%s)\nunit: %s (%s)\n", result, resultWords(result), active, sub)
	if text, ok := loadError(&u); ok {
		fmt.Fprintf(&detail, "unit file: %s\n", text)
		o.Message += ": " + text
	}
	why := u.text(sdService, "Result")
	if why != "" && why != "success" {
		fmt.Fprintf(&detail, "result: %s (%s)\n", why, unitResultWords(why))
		o.Message += ": " + unitResultWords(why)
	}
	if code, status := u.number(sdService, "ExecMainCode"), u.number(sdService, "ExecMainStatus"); code != 0 {
		how := ended(code, status)
		fmt.Fprintf(&detail, "main process: %s\n", how)
		if code == cldExited {
			o.ExitCode = &status
		}
		if why == "exit-code" || why == "signal" || why == "core-dump" {
			o.Message += ", " + how
		}
	}
	invocation, _ := u.get(sdUnit, "InvocationID").([]byte)
	if len(invocation) == 16 && result != "dependency" {
		lines, err := s.journal.ofInvocation(ctx, id, hex.EncodeToString(invocation), since)
		if err != nil {
			fmt.Fprintf(&detail, "journal: %s\n", err)
		}
		if len(lines) > 0 {
			detail.WriteString("\n")
		}
		for _, l := range lines {
			fmt.Fprintf(&detail, "%s %s[%d]: %s\n", l.Time.Format(time.RFC3339), l.Program, l.PID, l.Text)
		}
		if last := lastOfProcess(lines); last != "" {
			o.Message += ": " + last
		}
	}
	o.Detail = detail.String()
	return o
}

// lastOfProcess is the last line that the service itself wrote, not systemd about it.
func lastOfProcess(lines []JournalLine) string {
	for i := len(lines) - 1; i >= 0; i-- {
		if lines[i].PID != 1 && lines[i].Text != "" {
			return lines[i].Text
		}
	}
	return ""
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

// Values of ExecMainCode, waitid(2).
const (
	cldExited = 1
	cldKilled = 2
	cldDumped = 3
)

// ended is how a process ended, in words.
func ended(code, status int) string {
	switch code {
	case cldExited:
		return fmt.Sprintf("exit status %d", status)
	case cldKilled, cldDumped:
		if code == cldDumped {
			return "killed by " + signalName(status) + ", core dumped"
		}
		return "killed by " + signalName(status)
	}
	return fmt.Sprintf("ended with code %d, status %d", code, status)
}

// signalName is SIGKILL for 9.
func signalName(n int) string {
	if name := unix.SignalName(unix.Signal(n)); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", n)
}

// resultWords is what the result of a job means, org.freedesktop.systemd1(5).
func resultWords(result string) string {
	switch result {
	case "done":
		return "was done, but did not last"
	case "canceled":
		return "was canceled by another job"
	case "timeout":
		return "took too long"
	case "failed":
		return "failed"
	case "dependency":
		return "was not tried: something that it depends on failed"
	case "skipped":
		return "was skipped: it does not apply in this state"
	case "condition":
		return "was skipped: a condition of the unit does not hold"
	case "invalid":
		return "does not apply: it is not running"
	case "assert":
		return "was not tried: an assertion of the unit does not hold"
	case "unsupported":
		return "is not supported on this system"
	case "collected":
		return "was dropped: the unit is gone"
	case "once":
		return "was refused: it may be done only once"
	case lost:
		return "may have failed: the connection to systemd was lost meanwhile"
	}
	return "ended as " + result
}

// unitResultWords is what the Result of a service means, systemd.exec(5).
func unitResultWords(result string) string {
	switch result {
	case "exit-code":
		return "a process failed"
	case "signal":
		return "a process was killed"
	case "core-dump":
		return "a process crashed"
	case "timeout":
		return "a process did not do its part in time"
	case "watchdog":
		return "it did not show that it is alive"
	case "start-limit-hit":
		return "it was started too often in a short time"
	case "resources":
		return "the system lacks what it needs"
	case "protocol":
		return "it did not speak as its unit file says"
	case "oom-kill":
		return "the kernel killed it for want of memory"
	case "exec-condition":
		return "its condition does not hold"
	}
	return result
}
