package control

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// run is one run of a service that an act began, or went on with.
type run struct {
	service, action string
	invocation      string    // in hexadecimal
	restarts        uint32    // how often systemd had started the service again by itself
	since, done     time.Time // when the act was asked for, and had ended
}

// of makes it the run that a unit is in.
func (r *run) of(u *properties1) {
	r.invocation = invocation(u)
	r.restarts, _ = u.get(sdService, "NRestarts").(uint32)
}

// invocation is the run that a unit is in, or was in last, in hexadecimal; "" where there is none.
func invocation(u *properties1) string {
	id, _ := u.get(sdUnit, "InvocationID").([]byte)
	return hex.EncodeToString(id)
}

// vigil is what systemd tells of the unit of a run. Its fields belong to systemd.mu.
type vigil struct {
	run     run
	path    dbus.ObjectPath
	changed chan struct{} // gets something when it is worth a look
	told    properties1   // what was told last; once it is down, of that
	doubt   bool          // it may be down: ask
	down    bool          // it failed, or just ended
	ended   bool          // that is so, and what comes next is known
	again   bool          // systemd starts the service again
}

// take notes properties of one interface. Those of the service are told before those of the unit, so when it is down, how is known.
func (v *vigil) take(iface string, changed map[string]dbus.Variant) {
	if v.down || v.told.all[iface] == nil {
		return
	}
	maps.Copy(v.told.all[iface], changed)
	if iface != sdUnit {
		return
	}
	switch active := v.told.text(sdUnit, "ActiveState"); {
	case invocation(&v.told) != v.run.invocation: // another run, or one before that is told of late
		v.doubt = true
	case active == "failed" || active == "inactive" || restarting(&v.told): // the last of these may come right after the others
		v.down, v.doubt = true, true
	}
}

// restarting tells whether systemd is about to start a service again.
func restarting(u *properties1) bool {
	return strings.Contains(u.text(sdUnit, "SubState"), "auto-restart")
}

// forget leaves nothing told but which run it is of.
func (v *vigil) forget() {
	id, _ := hex.DecodeString(v.run.invocation)
	v.told.all = map[string]map[string]dbus.Variant{sdUnit: {"InvocationID": dbus.MakeVariant(id)}, sdService: {}}
}

// tellVigils takes in what a signal tells of units that are followed.
func (s *systemd) tellVigils(signal *dbus.Signal) {
	if signal.Name != properties+".PropertiesChanged" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := range s.vigils {
		var iface string
		var changed map[string]dbus.Variant
		var invalidated []string
		if v.path == signal.Path && dbus.Store(signal.Body, &iface, &changed, &invalidated) == nil {
			v.take(iface, changed)
			v.look()
		}
	}
}

// doubtVigils is doubtCommands for them.
func (s *systemd) doubtVigils() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := range s.vigils {
		v.doubt = true
		v.look()
	}
}

func (v *vigil) look() {
	select {
	case v.changed <- struct{}{}:
	default:
	}
}

// awaitFailure follows a run as a later does.
func (s *systemd) awaitFailure(ctx, waiting context.Context, r run) (o Outcome, failed bool) {
	v := &vigil{run: r, path: unitPath(r.service), changed: make(chan struct{}, 1), doubt: true}
	v.forget()
	s.mu.Lock()
	s.vigils[v] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.vigils, v)
		s.mu.Unlock()
	}()
	var again <-chan time.Time
	for {
		s.mu.Lock()
		ended, doubt := v.ended, v.doubt
		v.doubt = false
		s.mu.Unlock()
		switch {
		case ended && (v.again || v.told.text(sdUnit, "ActiveState") == "failed"):
			return s.fallen(ctx, v), true
		case ended:
			return Outcome{}, false
		case doubt:
			again = nil
			if !s.askForVigil(waiting, v) {
				again = time.After(time.Second)
			}
			v.look() // at what is known now
		}
		select {
		case <-v.changed:
		case <-again:
			s.mu.Lock()
			v.doubt = true
			s.mu.Unlock()
		case <-waiting.Done():
			return Outcome{}, false
		}
	}
}

// askForVigil asks how the unit stands, and tells whether there was an answer.
func (s *systemd) askForVigil(ctx context.Context, v *vigil) bool {
	conn, err := s.connected()
	if err != nil {
		return false
	}
	s.mu.Lock()
	down := v.down
	s.mu.Unlock()
	now := properties1{ctx: ctx, conn: conn, path: v.path}
	now.get(sdUnit, "ActiveState")
	now.get(sdService, "NRestarts")
	if now.err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v.answered(down, &now)
	return true
}

// answered takes in how the unit stands, as asked when the run was known to be down, or not: what comes next, only an answer to a
// question after that can tell.
func (v *vigil) answered(down bool, now *properties1) {
	restarts, _ := now.get(sdService, "NRestarts").(uint32)
	switch {
	case invocation(now) == v.run.invocation:
		// That it runs is no news, and may be older than what signals have told meanwhile.
		if active := now.text(sdUnit, "ActiveState"); active == "failed" || active == "inactive" || restarting(now) {
			v.take(sdService, now.all[sdService])
			v.take(sdUnit, now.all[sdUnit])
		}
	case !v.down: // unheard: how, only the journal tells
		v.forget()
		v.down, down = true, true
	}
	if down {
		v.ended, v.again = true, restarting(now) || restarts > v.run.restarts
	}
}

// fallen tells how a run failed.
func (s *systemd) fallen(ctx context.Context, v *vigil) Outcome {
	how, next := "failed", ""
	if v.told.text(sdService, "Result") == "success" {
		how = "ended"
	}
	if v.again {
		next = ", and systemd starts it again"
	}
	o := Outcome{Message: fmt.Sprintf("%s: %s %.1f s after its %s%s", v.run.service, how, time.Since(v.run.done).Seconds(), v.run.action, next)}
	var detail strings.Builder
	v.told.ctx = ctx
	s.explain(&v.told, v.run.service, v.run.since, &o, &detail)
	o.Detail = detail.String()
	return o
}
