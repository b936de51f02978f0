package collector

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"
)

// table knows the processes from scan to scan. The collector's goroutine owns it.
type table struct {
	source processSource
	users  *users
	uptime func() time.Duration // since boot, suspended time included, as start times count

	rows      map[int]*process // by PID
	order     []*process       // the same, sorted by PID
	before    []*process       // as order was before this scan, until its end
	scans     window[uint64]   // when the last scans began, with the time since boot in ticks
	number    uint64           // of the last scan
	boot      uint64           // in seconds since 1970
	postponed []*life          // ends that the next scan decides on
	changed   map[int]bool     // of which details are to be read at the next scan
	due       []*process       // for a look at the details
	looks     []look           // of these
}

// process is one row and what it takes to keep it.
type process struct {
	row          Process
	shown        *Process // a copy of row, as it was in the last sample
	comm         string   // as the kernel gives it
	uid          uint32
	traces       traces
	sign         uint64          // of the details, when they were last looked at; 0 before
	ran          bool            // since then, or may have
	older, newer reading[uint64] // processor time, for CPU percent
	seen         uint64          // number of the last scan that found it
	age          int             // scans since it was first seen, or executed another program
	told         bool            // was in a published sample
	exit         *exit           // known while it is still there: not reaped, or other threads live on
}

// exit is how and when a process ended, as far as the kernel told.
type exit struct {
	status uint32 // as of wait(2)
	at     uint64 // nanoseconds since boot
}

func newTable(source processSource, users *users, uptime func() time.Duration) *table {
	return &table{source: source, users: users, uptime: uptime, rows: make(map[int]*process), changed: make(map[int]bool)}
}

// forget drops all rows, when they are too old to measure from.
func (t *table) forget() {
	*t = *newTable(t.source, t.users, t.uptime)
}

// scan reads every process anew, and returns those that are not there any more.
func (t *table) scan(now time.Time, boot uint64) (vanished []*process, err error) {
	renamed := t.users.refresh()
	// Boot time is the clock's less the uptime, so it moves when the clock is set; a second is only rounding.
	moved := boot != 0 && max(boot, t.boot)-min(boot, t.boot) > 1
	if moved {
		t.boot = boot
	}
	began := uint64(t.uptime() * hertz / time.Second)
	ripe := t.scans.ripe(now)
	t.number++
	t.before, t.order = t.order, t.before[:0]
	next := 0
	err = t.source.scan(func(c *counts) {
		// Most stand where they stood before: to find them in the map takes ten times as long.
		for next < len(t.before) && t.before[next].row.PID < c.pid {
			next++
		}
		var p *process
		if next < len(t.before) && t.before[next].row.PID == c.pid {
			p = t.before[next]
		} else {
			p = t.rows[c.pid]
		}
		if p != nil && p.row.StartTime != c.start {
			vanished = append(vanished, p) // its PID has been given to another
			p = nil
		}
		settled := false
		if p == nil {
			p = t.add(c)
			settled = c.start+settling < began
		} else if moved {
			p.row.StartedAt = t.startedAt(c.start)
		}
		p.update(c, ripe)
		p.ran = p.ran || !c.still
		if renamed {
			p.row.User = t.users.name(p.uid)
		}
		if p.stale(c) || p.due(t.number) || len(t.changed) > 0 && t.changed[c.pid] {
			t.due, t.looks = append(t.due, p), append(t.looks, look{c.pid, p.sign})
		}
		if settled {
			p.age = lastLook
		}
		p.seen = t.number
		p.age++
		t.order = append(t.order, p)
	})
	t.scans.add(now, began)
	clear(t.changed)
	t.review()
	for _, p := range t.before {
		if p.seen == t.number || t.rows[p.row.PID] != p {
			continue
		}
		if err != nil && t.lives(p) { // it could not be read, which is no sign that it has ended
			t.order = append(t.order, p)
			continue
		}
		vanished = append(vanished, p)
		delete(t.rows, p.row.PID)
	}
	clear(t.before)
	byPID := func(a, b *process) int { return cmp.Compare(a.row.PID, b.row.PID) }
	if !slices.IsSortedFunc(t.order, byPID) {
		slices.SortFunc(t.order, byPID)
	}
	slices.SortFunc(vanished, byPID)
	return vanished, err
}

// lives tells whether a process may still be there, as far as can be read.
func (t *table) lives(p *process) bool {
	c, err := t.source.counts(p.row.PID)
	return err == nil && c.start == p.row.StartTime || err != nil && !errors.Is(err, errGone)
}

// add makes a row for a process that no scan has seen before.
func (t *table) add(c *counts) *process {
	p := &process{row: Process{PID: c.pid, StartTime: c.start, StartedAt: t.startedAt(c.start)}}
	if !t.scans.newer.at.IsZero() && c.start >= t.scans.newer.value {
		// It began after the last scan, so it had used nothing by then.
		p.older.at, p.newer.at = t.scans.older.at, t.scans.newer.at
	} else {
		// What it has used so far tells nothing about now.
		p.older = reading[uint64]{c.at, c.used}
		p.newer = p.older
	}
	t.rows[c.pid] = p
	return p
}

func (t *table) startedAt(start uint64) time.Time {
	return time.Unix(int64(t.boot), 0).Add(sinceBoot(start)).UTC()
}

// sinceBoot is a time in clock ticks since boot.
func sinceBoot(ticks uint64) time.Duration { return time.Duration(ticks * nanosecondsPerTick) }

// update takes the counters over. Ripe tells that the newer reading is old enough to measure from, and to be replaced.
func (p *process) update(c *counts, ripe bool) {
	r := &p.row
	r.PPID, r.State, r.Nice, r.Threads, r.RSS, r.VSize = c.ppid, c.state, c.nice, c.threads, c.rss, c.vsize
	base := p.older
	if ripe {
		base = p.newer
		p.older, p.newer = p.newer, reading[uint64]{c.at, c.used}
	}
	r.CPUPercent = 0
	if over := c.at.Sub(base.at); !base.at.IsZero() && over > 0 {
		r.CPUPercent = round(float64(less(c.used, base.value)) * 100 / float64(over))
	}
}

const (
	lastLook = 16 // the last age at which the details of a process are read again without a sign of change
	// settling is how long a process may be expected to set itself up, in ticks. One that is older when it is first seen is read once:
	// most are, when a page opens, and to read the details of 2,000 costs more than twenty samples.
	settling = 30 * hertz
)

// stale takes over what shows another program, and tells whether the details have to be looked at: for a new row, and when
// another program is executed; then soon again, since a process sets itself up, and what it was started by sets up its
// surroundings. A new name alone is another program only where the source tells no traces (to who is not root).
func (p *process) stale(c *counts) bool {
	if p.comm != c.comm {
		p.comm, p.row.Comm = c.comm, clean(c.comm, maxName)
		if c.traces == (traces{}) && c.vsize != 0 {
			p.age = 0
		}
	}
	if p.traces != c.traces {
		p.traces, p.age = c.traces, 0
	}
	switch p.age {
	case 0, 1, 2, 4, 8, lastLook:
		return true
	}
	return false
}

// lookEvery is how many scans apart each process that may have run is looked at for changes that leave no trace in its
// counters: of its title, and where the source does not tell them of its user and its control group. Nothing that is
// shown is wrong for longer, which is a minute as a rule.
const lookEvery = 64

// due tells whether that is in this scan, which is not the same one for all.
func (p *process) due(scan uint64) bool {
	return (scan+uint64(p.row.PID))%lookEvery == 0 && p.ran && p.row.State != "Z"
}

// review looks at those that are due, and takes over the details that have changed. Where they cannot be read the old ones stay:
// the process is ending, and its row goes at the next scan.
func (t *table) review() {
	for _, p := range t.due {
		p.ran = false
	}
	t.source.review(t.looks, func(i int, sign uint64, d *details) {
		p := t.due[i]
		p.sign = sign
		p.detail(d, t.users.name(d.uid))
	})
	clear(t.due)
	t.due, t.looks = t.due[:0], t.looks[:0]
}

func (p *process) detail(d *details, user string) {
	p.uid = d.uid
	r := &p.row
	r.User, r.Unit, r.Slice, r.UserUnit = user, d.unit, d.slice, d.userUnit
	if !d.silent && (d.cmdline != "" || r.State != "Z") { // else its memory is locked or gone, what it was is not
		r.Cmdline, r.Argv0 = d.cmdline, d.argv0
	}
	if d.comm != "" {
		r.Comm = d.comm
	}
}

// list is the rows, by PID: copies, made anew only of those that have changed. Published says that it goes to those who follow.
func (t *table) list(published bool) []*Process {
	list := make([]*Process, len(t.order))
	for i, p := range t.order {
		if p.shown == nil || *p.shown != p.row {
			p.shown = new(p.row)
		}
		list[i] = p.shown
		p.told = p.told || published
	}
	return list
}

// tasks counts the rows by state.
func (t *table) tasks() *Tasks {
	var n Tasks
	for _, p := range t.order {
		n.count(p.row.State)
	}
	return &n
}

// count adds one task, by the rules of top(1), procps 4.
func (n *Tasks) count(state string) {
	n.Total++
	switch {
	case state == "R":
		n.Running++
	case strings.EqualFold(state, "T"): // stopped, or by a tracer
		n.Stopped++
	case state == "Z":
		n.Zombie++
	default: // S, and also D and I
		n.Sleeping++
	}
}

// headless are the PIDs of processes whose first thread has ended while others live on.
func (t *table) headless() map[int]bool {
	pids := make(map[int]bool)
	for _, p := range t.order {
		if p.row.State == "Z" && p.row.Threads > 1 {
			pids[p.row.PID] = true
		}
	}
	return pids
}
