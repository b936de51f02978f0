package control

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// ServiceDetail is one service in depth.
type ServiceDetail struct {
	Service Service `json:"service"`
	// Dependencies are names of units by kind: requires, requiredBy … Kinds without any are absent.
	Dependencies map[string][]string `json:"dependencies"`
	// StopsToo are the units that systemd stops when this one is stopped, as far as they run then.
	StopsToo []string `json:"stopsToo"`
	// Guarded tells why the host stands on it, so that its name must be given to stop it; empty if it does not.
	Guarded string `json:"guarded"`
	// LastLines are the end of the journal of its last run, oldest first, where that failed.
	LastLines []JournalLine `json:"lastLines"`
}

const (
	maxJournalLines = 5000 // that Journal gives at most
	maxReads        = 8    // readings of journals that are asked for at once; each is a process of its own
)

// Detail tells all of one service, which is named as for ServiceAction, and fails alike.
func (m *Manager) Detail(ctx context.Context, name string) (ServiceDetail, error) {
	b, id, err := m.resolve(ctx, name)
	if err != nil {
		return ServiceDetail{}, err
	}
	d := ServiceDetail{Guarded: b.guards(id), StopsToo: []string{}, LastLines: []JournalLine{}}
	// A unit that was never asked for gets into the list only now.
	d.Service = Service{Name: id, Manager: b.name(), ActiveState: "inactive", SubState: "dead", PIDs: []int{}, Ports: []int{}, Actions: []string{}}
	services, err := b.services(ctx)
	if err != nil {
		return d, &failure{ErrUnavailable, err.Error()}
	}
	if i := slices.IndexFunc(services, func(s Service) bool { return s.Name == id }); i >= 0 {
		d.Service = services[i]
	}
	if d.Dependencies, err = b.depends(ctx, id); err != nil {
		return d, &failure{ErrUnavailable, fmt.Sprintf("cannot ask for the dependencies of %s: %s", id, reason(err))}
	}
	if d.StopsToo, err = stopsToo(ctx, b, id, d.Dependencies); err != nil {
		return d, &failure{ErrUnavailable, fmt.Sprintf("cannot ask for the dependencies of %s: %s", id, reason(err))}
	}
	if d.Service.Result != "" {
		read, err := m.mayRead(ctx)
		if err != nil {
			return d, err
		}
		defer read()
		lines, err := b.lastRun(ctx, id)
		if err != nil { // whoever asks for the journal is told so
			m.logger.Warn("cannot tell what a service said before it failed", "service", id, "error", err)
		}
		d.LastLines = append(d.LastLines, lines...)
	}
	return d, nil
}

// maxStopsToo bounds of how many units it is asked what depends on them.
const maxStopsToo = 200

// stopsToo are the units that are stopped with one, and those that are with these, and so on: systemd goes through all of them
// (systemd.unit(5): Requires=, BindsTo=, PartOf=). Sorted.
func stopsToo(ctx context.Context, b backend, id string, dependencies map[string][]string) ([]string, error) {
	found := []string{}
	for next := 0; ; next++ {
		for _, kind := range []string{"requiredBy", "boundBy", "consistsOf"} {
			for _, name := range dependencies[kind] {
				if name != id && !slices.Contains(found, name) {
					found = append(found, name)
				}
			}
		}
		if next == len(found) || next == maxStopsToo {
			slices.Sort(found)
			return found, nil
		}
		var err error
		if dependencies, err = b.depends(ctx, found[next]); err != nil {
			return nil, err
		}
	}
}

// Journal is the end of the journal of one service, oldest first, at most lines of it.
func (m *Manager) Journal(ctx context.Context, name string, lines int) ([]JournalLine, error) {
	b, id, err := m.resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	if lines < 1 || lines > maxJournalLines {
		return nil, &failure{ErrInvalid, fmt.Sprintf("cannot give %d lines of the journal; it must be from 1 to %d", lines, maxJournalLines)}
	}
	read, err := m.mayRead(ctx)
	if err != nil {
		return nil, err
	}
	defer read()
	list, err := b.tail(ctx, id, lines)
	if err != nil {
		return nil, &failure{ErrUnavailable, err.Error()}
	}
	return append([]JournalLine{}, list...), nil
}

// mayRead waits for its turn to read a journal, which is over when read is called.
func (m *Manager) mayRead(ctx context.Context) (read func(), err error) {
	select {
	case m.reads <- struct{}{}:
		return func() { <-m.reads }, nil
	case <-ctx.Done():
		return nil, &failure{ErrTooMany, "too many journals are being read; try again"}
	}
}

// Properties of a unit that name other units, org.freedesktop.systemd1(5), and what they are called here.
var dependencyKinds = map[string]string{
	"Requires": "requires", "RequiredBy": "requiredBy", "Requisite": "requisite", "RequisiteOf": "requisiteOf", "Wants": "wants", "WantedBy": "wantedBy",
	"BindsTo": "bindsTo", "BoundBy": "boundBy", "PartOf": "partOf", "ConsistsOf": "consistsOf", "Triggers": "triggers",
	"TriggeredBy": "triggeredBy", "Conflicts": "conflicts", "After": "after", "Before": "before",
}

func (s *systemd) depends(ctx context.Context, id string) (map[string][]string, error) {
	conn, err := s.connected()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	all, err := unitProperties(ctx, conn, id)
	if err != nil {
		return nil, err
	}
	state, _ := all["LoadState"].Value().(string)
	s.noteLoad(id, state)
	found := map[string][]string{}
	for property, kind := range dependencyKinds {
		if names, ok := all[property].Value().([]string); ok && len(names) > 0 {
			slices.Sort(names)
			found[kind] = names
		}
	}
	return found, nil
}

func (s *systemd) tail(ctx context.Context, id string, lines int) ([]JournalLine, error) {
	return s.journal.read(ctx, lines, journalOf(id)...)
}

func (s *sysv) depends(context.Context, string) (map[string][]string, error) {
	return map[string][]string{}, nil
}

func (s *systemd) lastRun(ctx context.Context, id string) ([]JournalLine, error) {
	conn, err := s.connected()
	if err != nil {
		return nil, err
	}
	u := properties1{ctx: ctx, conn: conn}
	if u.err = conn.Object(sdName, sdPath).CallWithContext(ctx, sdManager+".LoadUnit", 0, id).Store(&u.path); u.err != nil {
		return nil, u.err
	}
	began, _ := u.get(sdUnit, "InactiveExitTimestamp").(uint64)
	run := invocation(&u)
	if u.err != nil || run == "" { // it never ran
		return nil, u.err
	}
	return s.journal.ofInvocation(ctx, id, run, time.UnixMicro(int64(began)))
}

func (s *sysv) lastRun(context.Context, string) ([]JournalLine, error) { return nil, errNoJournal }

func (s *sysv) tail(context.Context, string, int) ([]JournalLine, error) { return nil, errNoJournal }
