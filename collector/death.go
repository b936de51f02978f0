package collector

import (
	"cmp"
	"slices"
	"syscall"
	"time"
)

// begin is the process's start in clock ticks since boot. Where it could not be read in time, it is that of the kernel's
// word of its birth, which comes a moment later.
func (l *life) begin() uint64 {
	if l.counts != nil {
		return l.counts.start
	}
	return l.began / nanosecondsPerTick
}

// is tells whether l is of the process p. A life without a birth is of the process that had the PID before.
func (l *life) is(p *process) bool {
	switch {
	case l.pid != p.row.PID:
		return false
	case l.counts != nil:
		return l.counts.start == p.row.StartTime
	case l.born:
		return l.within(p.row.StartTime)
	}
	return true
}

// join adds what was told later of the same process.
func (l *life) join(later *life) {
	l.ended = later.ended
	l.executed = l.executed || later.executed
	if later.counts != nil {
		l.counts = later.counts
	}
	if later.details != nil {
		l.details = later.details
	}
}

// prepare takes over, before a scan, what was told of processes that have not ended.
func (t *table) prepare(current map[int]*life) {
	for pid, l := range current {
		p := t.rows[pid]
		if p == nil || !l.is(p) {
			continue
		}
		if l.executed {
			p.exit = nil // it was not its end: another thread goes on in its place
		}
		if l.executed || l.altered {
			t.changed[pid] = true
		}
	}
}

// awaited lists the PIDs that are gone after a scan and of which no end was told.
func (t *table) awaited(vanished []*process, current map[int]*life, ended []*life) map[int]bool {
	pids := make(map[int]bool)
	for _, p := range vanished {
		if p.exit == nil {
			pids[p.row.PID] = true
		}
	}
	for pid, l := range current {
		if p := t.rows[pid]; l.born && (p == nil || !l.is(p)) {
			pids[pid] = true
		}
	}
	for _, l := range ended {
		delete(pids, l.pid)
	}
	return pids
}

// bury tells which processes have ended, after a scan: those that vanished, and those of which only the kernel told. An end
// of a process that is still there (its parent has not asked, or other threads live on) is kept until it goes. Current and
// ended are as handed over before the scan, late is what ended since.
func (t *table) bury(vanished []*process, current map[int]*life, ended, late []*life) []Ended {
	type death struct {
		Ended
		exit *exit
	}
	var deaths []death
	now := t.uptime()
	silent := make(map[int]*process, len(vanished)) // by PID, those of whose end nothing is found yet
	for _, p := range vanished {
		silent[p.row.PID] = p
	}
	add := func(row Process, listed bool, e *exit) {
		d := death{Ended{Process: row, Listed: listed}, e}
		begun := sinceBoot(row.StartTime)
		d.Lived = max(0, now-begun)
		if e != nil {
			d.ExitCode, d.Signal = e.decode()
			d.Lived = max(0, time.Duration(e.at)-begun)
		}
		deaths = append(deaths, d)
	}
	ended = append(t.postponed, ended...)
	t.postponed = nil
	for _, l := range late {
		if c := current[l.pid]; c != nil && !l.born {
			c.join(l)
			delete(current, l.pid)
			l = c
		} else if p := t.rows[l.pid]; l.born && (p == nil || !l.is(p)) {
			// It began after the scan had passed: whether it is still there, not reaped, the next will tell.
			t.postponed = append(t.postponed, l)
			continue
		}
		ended = append(ended, l)
	}
	for _, l := range ended {
		if p := silent[l.pid]; p != nil && l.is(p) {
			delete(silent, l.pid)
			t.amend(&p.row, l)
			add(p.row, p.told, l.ended)
		} else if p := t.rows[l.pid]; p != nil && l.is(p) {
			p.exit = l.ended
		} else if l.born {
			add(t.unlisted(l), false, l.ended)
		}
	}
	for _, p := range vanished {
		if silent[p.row.PID] == p {
			add(p.row, p.told, p.exit)
		}
	}
	for pid, l := range current {
		if p := t.rows[pid]; l.born && (p == nil || !l.is(p)) {
			add(t.unlisted(l), false, nil)
		}
	}
	slices.SortStableFunc(deaths, func(a, b death) int {
		switch {
		case a.exit == nil || b.exit == nil: // those without a time come last
			return cmp.Compare(btoi(a.exit == nil), btoi(b.exit == nil))
		}
		return cmp.Compare(a.exit.at, b.exit.at)
	})
	list := make([]Ended, len(deaths))
	for i, d := range deaths {
		list[i] = d.Ended
	}
	return list
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// unlisted makes the row of a process that no scan has seen, of what could be read meanwhile. One that had no time to
// execute a program, nor to be looked at, was still its parent's copy.
func (t *table) unlisted(l *life) Process {
	start := l.begin()
	row := Process{PID: l.pid, PPID: l.ppid, StartTime: start, StartedAt: t.startedAt(start)}
	if parent := t.rows[l.ppid]; parent != nil && !l.executed {
		from := &parent.row
		row.User, row.Comm, row.Cmdline, row.Argv0, row.Unit, row.Slice, row.UserUnit =
			from.User, from.Comm, from.Cmdline, from.Argv0, from.Unit, from.Slice, from.UserUnit
	}
	t.amend(&row, l)
	return row
}

// amend takes over into a row what was read since the last scan.
func (t *table) amend(row *Process, l *life) {
	if c := l.counts; c != nil {
		row.Comm = clean(c.comm, maxName)
		row.State, row.Nice, row.Threads, row.RSS, row.VSize = c.state, c.nice, c.threads, c.rss, c.vsize
	}
	if d := l.details; d != nil {
		row.User = t.users.name(d.uid)
		row.Cmdline, row.Argv0, row.Unit, row.Slice, row.UserUnit = d.cmdline, d.argv0, d.unit, d.slice, d.userUnit
	}
}

// decode splits a status of wait(2) into the exit code or the signal that ended the process.
func (e *exit) decode() (code, signal *int) {
	status := syscall.WaitStatus(e.status)
	if status.Signaled() {
		n := int(status.Signal())
		return nil, &n
	}
	n := status.ExitStatus()
	return &n, nil
}
