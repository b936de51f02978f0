package control

import (
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// unit is what is known of one service.
type unit struct {
	Service
	path   dbus.ObjectPath // "" where it is not loaded
	group  string          // its control group, "" where it has none
	may    may
	code   int       // how its main process ended last, waitid(2): si_code …
	status int       // … and si_status
	stamps [4]uint64 // when it entered its states, in the order of stampNames, µs since 1970; 0: never, or not asked
}

// The times that systemd keeps of a unit, org.freedesktop.systemd1(5).
var stampNames = [4]string{"ActiveEnterTimestamp", "InactiveEnterTimestamp", "InactiveExitTimestamp", "ActiveExitTimestamp"}

// stamp is the index in stampNames of the time when a unit entered its state.
func stamp(activeState string) int {
	switch activeState {
	case "inactive", "failed":
		return 1
	case "activating":
		return 2
	case "deactivating":
		return 3
	default:
		return 0
	}
}

// runs tells whether it is active, or on its way to or from there.
func (u *unit) runs() bool { return u.ActiveState != "inactive" && u.ActiveState != "failed" }

// may is what systemd lets be done with a unit by its file: CanStart and its like. Of one that is not loaded it is not known.
type may struct{ start, stop, reload, known bool }

// actions are those of Actions that make sense for it as it stands.
func (u *unit) actions() []string {
	list := []string{}
	add := func(action string, ok bool) {
		if ok {
			list = append(list, action)
		}
	}
	masked := u.LoadState == "masked" || strings.HasPrefix(u.UnitFileState, "masked")
	start := !masked && (u.may.start || !u.may.known)
	stop := u.runs() && (u.may.stop || !u.may.known)
	add(Start, start && !u.runs())
	add(Restart, start && stop)
	add(Stop, stop)
	add(Reload, u.runs() && u.may.reload)
	add(Enable, strings.HasPrefix(u.UnitFileState, "disabled"))
	add(Disable, strings.HasPrefix(u.UnitFileState, "enabled"))
	add(ResetFailed, u.ActiveState == "failed")
	return list
}

// service is a copy that is the caller's.
func (u *unit) service() Service {
	s := u.Service
	s.PIDs, s.Ports, s.Actions = []int{}, []int{}, u.actions()
	if at := u.stamps[stamp(u.ActiveState)]; at != 0 {
		t := time.UnixMicro(int64(at)).UTC()
		s.Since = &t
	}
	if s.Result == "success" {
		s.Result = ""
	}
	switch {
	case s.Result == "":
	case u.code == cldExited:
		s.ExitCode = new(u.status)
	case u.code == cldKilled, u.code == cldDumped:
		s.Signal = signalName(u.status)
	}
	return s
}

// differs tells whether a client would see another row.
func (u *unit) differs(o *unit) bool {
	return u.ActiveState != o.ActiveState || u.SubState != o.SubState || u.LoadState != o.LoadState ||
		u.UnitFileState != o.UnitFileState || u.may != o.may || u.MainPID != o.MainPID || u.stamps != o.stamps ||
		u.Result != o.Result || u.code != o.code || u.status != o.status
}
