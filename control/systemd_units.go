package control

import (
	"context"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// view is what one connection tells of the units. It belongs to one goroutine.
type view struct {
	conn      *dbus.Conn
	ctx       context.Context
	units     map[string]*unit
	names     map[dbus.ObjectPath]string
	files     map[string]unitFile // nil: not known yet
	reloading bool
	dirty     bool // something changed that is not published
}

// effect is what a signal asks for beyond what apply has done.
type effect int

const (
	nothing effect = iota
	newFiles
	newList // and new files
)

func (v *view) list() []unit {
	list := make([]unit, 0, len(v.units))
	for _, u := range v.units {
		list = append(list, *u)
	}
	return list
}

func (v *view) call(ctx context.Context, method string, args ...any) *dbus.Call {
	return v.conn.Object(sdName, sdPath).CallWithContext(ctx, sdManager+"."+method, 0, args...)
}

// listedUnit is an element of ListUnits' answer.
type listedUnit struct {
	Name, Description, LoadState, ActiveState, SubState, Followed string
	Path                                                          dbus.ObjectPath
	JobID                                                         uint32
	JobType                                                       string
	JobPath                                                       dbus.ObjectPath
}

// relist asks for all units.
func (v *view) relist() error {
	ctx, cancel := context.WithTimeout(v.ctx, callTimeout)
	defer cancel()
	// Without this, systemd sends no signals. A second time on a connection it answers with an error: no matter.
	if err := v.call(ctx, "Subscribe").Err; err != nil && !isError(err, sdName+".AlreadySubscribed") {
		return err
	}
	var units []listedUnit
	if err := v.call(ctx, "ListUnits").Store(&units); err != nil {
		return err
	}
	v.units, v.names = map[string]*unit{}, map[dbus.ObjectPath]string{}
	v.reloading, v.dirty = false, false
	var loaded []*unit
	for _, l := range units {
		if !isService(l.Name) || l.LoadState == "not-found" && l.ActiveState == "inactive" {
			continue
		}
		loaded = append(loaded, v.add(l))
	}
	for name := range v.files {
		if v.units[name] == nil {
			v.addFile(name)
		}
	}
	return v.fetch(loaded...)
}

// setFiles takes in a new list of unit files.
func (v *view) setFiles(files map[string]unitFile) effect {
	v.files = files
	for name, u := range v.units {
		if u.path == "" {
			delete(v.units, name)
		}
	}
	var without []*unit
	for _, u := range v.units {
		if f, ok := files[u.Name]; ok {
			u.UnitFileState = f.state
		} else {
			without = append(without, u)
		}
	}
	for name := range files {
		if v.units[name] == nil {
			v.addFile(name)
		}
	}
	return late(v.fetch(without...)) // instances, and what was generated
}

// add takes in a loaded unit.
func (v *view) add(l listedUnit) *unit {
	u := &unit{path: l.Path, Service: Service{
		Name: l.Name, Manager: "systemd", Description: l.Description, LoadState: l.LoadState, ActiveState: l.ActiveState,
		SubState: l.SubState, UnitFileState: v.files[l.Name].state,
	}}
	v.units[l.Name], v.names[l.Path] = u, l.Name
	return u
}

// addFile takes in a unit that has a file and is not loaded: nothing has asked for it since the start of the host.
func (v *view) addFile(name string) {
	f := v.files[name]
	u := &unit{Service: Service{
		Name: name, Manager: "systemd", Description: f.description, LoadState: "stub", ActiveState: "inactive",
		SubState: "dead", UnitFileState: f.state,
	}}
	if strings.HasPrefix(f.state, "masked") {
		u.LoadState = "masked"
	}
	v.units[name] = u
}

// maxAsked is how many answers are awaited at once. A system bus lets a connection wait for 128 (dbus-daemon(1)).
const maxAsked = 64

// fetch asks for what a list does not tell. Many questions are on their way before the first answer is awaited. An error tells that
// some are without an answer: none came for as long as a call may take, or the view has ended.
//
// A question about a unit that is not loaded loads it; systemd tells that it did, and soon unloads it again. So nothing
// may be asked about an inactive unit in answer to such a signal: that would never end.
func (v *view) fetch(units ...*unit) error {
	ctx, cancel := context.WithCancel(v.ctx)
	defer cancel()
	patience := time.AfterFunc(callTimeout, cancel)
	defer patience.Stop()
	type question struct {
		call *dbus.Call
		into any
	}
	var asked []question
	answer := func() {
		q := asked[0]
		asked = asked[1:]
		<-q.call.Done
		patience.Reset(callTimeout)
		var value dbus.Variant
		if q.call.Store(&value) == nil { // else the unit is gone, which a signal tells
			assign(q.into, value)
		}
	}
	ask := func(u *unit, iface, property string, into any) {
		if len(asked) == maxAsked {
			answer()
		}
		call := v.conn.Object(sdName, u.path).GoWithContext(ctx, properties+".Get", 0, make(chan *dbus.Call, 1), iface, property)
		asked = append(asked, question{call, into})
	}
	for _, u := range units {
		i := stamp(u.ActiveState)
		ask(u, sdUnit, stampNames[i], &u.stamps[i])
		if _, ok := v.files[u.Name]; !ok && v.files != nil {
			ask(u, sdUnit, "UnitFileState", &u.UnitFileState)
		}
		ask(u, sdUnit, "CanStart", &u.may.start)
		ask(u, sdUnit, "CanStop", &u.may.stop)
		ask(u, sdUnit, "CanReload", &u.may.reload)
		u.may.known = true
		if u.runs() {
			ask(u, sdService, "MainPID", &u.MainPID)
			ask(u, sdService, "ControlGroup", &u.group)
		}
		if u.runs() || u.ActiveState == "failed" {
			ask(u, sdService, "Result", &u.Result)
			ask(u, sdService, "ExecMainCode", &u.code)
			ask(u, sdService, "ExecMainStatus", &u.status)
		}
	}
	for len(asked) > 0 {
		answer()
	}
	return ctx.Err()
}

// assign stores a property of the expected type.
func assign(into any, v dbus.Variant) {
	switch into := into.(type) {
	case *string:
		if s, ok := v.Value().(string); ok {
			*into = s
		}
	case *bool:
		if b, ok := v.Value().(bool); ok {
			*into = b
		}
	case *uint64:
		if n, ok := v.Value().(uint64); ok {
			*into = n
		}
	case *int:
		switch n := v.Value().(type) {
		case uint32:
			*into = int(n)
		case int32:
			*into = int(n)
		}
	}
}

// apply takes in one signal.
func (v *view) apply(s *dbus.Signal) effect {
	switch s.Name {
	case "org.freedesktop.DBus.NameOwnerChanged": // systemd was executed anew, or came back to the bus
		var name, from, to string
		if dbus.Store(s.Body, &name, &from, &to) == nil && name == sdName && to != "" {
			v.reloading = false
			return newList
		}
		return nothing
	case sdManager + ".Reloading":
		if dbus.Store(s.Body, &v.reloading) == nil && !v.reloading {
			return newList
		}
		return nothing
	case sdManager + ".UnitFilesChanged":
		return newFiles
	}
	if v.reloading { // it tells that everything went and came again
		return nothing
	}
	switch s.Name {
	case sdManager + ".UnitNew", sdManager + ".UnitRemoved":
		var name string
		var path dbus.ObjectPath
		if dbus.Store(s.Body, &name, &path) != nil || !isService(name) {
			return nothing
		}
		if s.Name == sdManager+".UnitNew" {
			return v.loaded(name)
		}
		v.unloaded(name, path)
	case properties + ".PropertiesChanged":
		var iface string
		var changed map[string]dbus.Variant
		var invalidated []string
		if u := v.units[v.names[s.Path]]; u != nil && dbus.Store(s.Body, &iface, &changed, &invalidated) == nil {
			return v.update(u, iface, changed)
		}
	}
	return nothing
}

// late is what is left to do where questions may be without an answer.
func late(err error) effect {
	if err != nil {
		return newList
	}
	return nothing
}

// loaded takes in a unit that systemd has just loaded.
func (v *view) loaded(name string) effect {
	ctx, cancel := context.WithTimeout(v.ctx, callTimeout)
	defer cancel()
	// By pattern, since asking by name would load it. No unit has a name in which anything is special to a pattern.
	var found []listedUnit
	if v.call(ctx, "ListUnitsByPatterns", []string{}, []string{name}).Store(&found) != nil {
		return late(ctx.Err())
	}
	var err error
	for _, l := range found {
		if l.Name != name || l.LoadState == "not-found" && l.ActiveState == "inactive" {
			continue
		}
		if u := v.add(l); u.ActiveState != "inactive" {
			err = v.fetch(u)
		}
		v.dirty = true
	}
	return late(err)
}

func (v *view) unloaded(name string, path dbus.ObjectPath) {
	if v.units[name] == nil {
		return
	}
	delete(v.units, name)
	delete(v.names, path)
	if _, ok := v.files[name]; ok {
		v.addFile(name)
	}
	v.dirty = true
}

// update takes in changed properties of one unit.
func (v *view) update(u *unit, iface string, changed map[string]dbus.Variant) (then effect) {
	before := *u
	for name, value := range changed {
		switch {
		case iface == sdUnit && name == "ActiveState":
			assign(&u.ActiveState, value)
		case iface == sdUnit && name == "SubState":
			assign(&u.SubState, value)
		case iface == sdUnit && name == "LoadState":
			assign(&u.LoadState, value)
		case iface == sdService && name == "MainPID":
			assign(&u.MainPID, value)
		case iface == sdService && name == "Result":
			assign(&u.Result, value)
		case iface == sdService && name == "ExecMainCode":
			assign(&u.code, value)
		case iface == sdService && name == "ExecMainStatus":
			assign(&u.status, value)
		case iface == sdUnit:
			for i, stamp := range stampNames {
				if name == stamp {
					assign(&u.stamps[i], value)
				}
			}
		}
	}
	if u.ActiveState != before.ActiveState && u.group == "" && u.runs() {
		then = late(v.fetch(u)) // its control group is not told by signals
	}
	if !u.runs() {
		u.MainPID = 0
	}
	v.dirty = v.dirty || before.differs(u)
	return then
}
