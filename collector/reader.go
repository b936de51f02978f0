package collector

import (
	"fmt"
	"os"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// stale is how old a reading may be, while nobody watches, and still be one that CPU percentages are measured from.
const stale = 5 * time.Second

// reader takes the samples. The goroutine in Run owns it.
type reader struct {
	config  Config
	summary *summaryReader
	sources *sources
	scanned time.Time // when the processes were last read
	table   *table
	sockets *socketReader

	watched   Parts
	connector *connector // while processes are watched, where it is to be had
	silent    string     // why it is not
	trouble   string     // what it has missed since the last published sample
	ended     []Ended    // since the last published sample with processes
	unlisted  int        // of ended
}

func newReader(config Config) (*reader, error) {
	fs, err := procfs.NewFS(config.Proc)
	if err != nil {
		return nil, fmt.Errorf("cannot collect without the proc file system at %s: %w", config.Proc, err)
	}
	s, err := openSources(config.Source, config.Proc, config.Logger)
	if err != nil {
		return nil, err
	}
	users := newUsers(config.Etc)
	return &reader{
		config:  config,
		summary: newSummaryReader(fs, config),
		sources: s,
		table:   newTable(s.processes, users, uptimeClock),
		sockets: newSocketReader(newOwners(s.processes, s.holders), users),
	}, nil
}

// uptimeClock is the time since boot, suspended time included.
func uptimeClock() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// start takes the first readings of what is always collected.
func (r *reader) start(now time.Time) {
	r.summary.read(now)
	r.summary.mark = r.summary.last
}

// follow adapts to what is watched from now on.
func (r *reader) follow(now time.Time, watched Parts) {
	before := r.watched
	r.watched = watched
	switch {
	case watched.Has(PartProcesses) && !before.Has(PartProcesses):
		r.ended, r.unlisted, r.trouble = nil, 0, ""
		r.table.forget() // what ended before somebody watched is no news
		r.listen()
	case before.Has(PartProcesses) && !watched.Has(PartProcesses):
		r.close()
		r.sources.processes.rest()
	case !watched.Has(PartProcesses) && r.old(now):
		r.table.forget()
	}
	if now.Sub(r.scanned) > max(stale, 2*r.config.Interval) {
		r.sources.processes.rest()
	}
}

// listen subscribes to births and deaths, where the kernel tells them.
func (r *reader) listen() {
	connector, err := connect(r.config.Proc, r.sources.processes)
	if err == nil {
		r.connector, r.silent = connector, ""
		return
	}
	reason := err.Error() + "; so ends are noticed at the next sample, without exit codes, and processes that live between two samples not at all"
	if reason != r.silent {
		r.config.Logger.Info("processes are polled", "reason", err)
	}
	r.silent = reason
}

// old tells whether the last reading of the processes is too old to be measured from.
func (r *reader) old(now time.Time) bool {
	newest := r.table.scans.newer.at
	return newest.IsZero() || now.Sub(newest) > stale
}

// end gives back all that is held.
func (r *reader) end() {
	r.summary.close()
	r.close()
	r.sources.close()
}

// close ends what runs beside the collector's goroutine.
func (r *reader) close() {
	if r.connector != nil {
		r.connector.close()
		r.connector = nil
	}
}

// prepare sees to it that there is a reading of the processes to measure from, and tells how long it takes to ripen.
func (r *reader) prepare(now time.Time) (wait time.Duration) {
	scans := &r.table.scans
	switch {
	case scans.newer.at.IsZero() || r.old(now) && !r.watched.Has(PartProcesses):
		r.table.forget()
		_ = r.processes(now) // what fails is told by the sample that follows
		return basis
	case scans.older.at.IsZero():
		return basis - now.Sub(scans.newer.at)
	}
	return 0
}

// sample takes one sample with the given parts. Published says that it goes to those who watch; it brings them what has
// ended since the one before.
func (r *reader) sample(now time.Time, parts Parts, published bool) *Sample {
	s := &Sample{Time: now, Parts: parts, Errors: make(map[string]string)}
	s.Summary = r.summary.read(now)
	for _, field := range []string{"cpu", "memory", "load", "uptime"} {
		if reason, ok := s.Summary.Errors[field]; ok {
			s.Errors["summary"] = reason
		}
	}
	missing := hidden(r.config.Proc, os.Geteuid())
	if parts.Has(PartProcesses) {
		if err := r.processes(now); err != nil {
			s.Errors["processes"] = err.Error()
		} else if missing != "" {
			s.Errors["processes"] = missing
		}
		s.Processes = r.table.list(published)
		if reason := first(r.silent, r.trouble); reason != "" && r.watched.Has(PartProcesses) {
			s.Errors["events"] = reason
		}
		if published {
			s.Ended, r.ended, r.unlisted, r.trouble = r.ended, nil, 0, ""
		}
	}
	if parts.Has(PartTasks) {
		tasks, err := r.tasks(parts.Has(PartProcesses))
		s.Summary.Tasks = tasks
		if err != nil {
			s.Errors["tasks"], s.Summary.Errors["tasks"] = err.Error(), err.Error()
		} else if missing != "" {
			s.Errors["tasks"], s.Summary.Errors["tasks"] = missing, missing
		}
	}
	if parts.Has(PartSockets) {
		var known map[int]*process
		if parts.Has(PartProcesses) {
			known = r.table.rows
		}
		sockets, listError, ownersError := r.sockets.read(now, known)
		s.Sockets = sockets
		if listError != nil {
			s.Errors["sockets"] = listError.Error()
		}
		if ownersError != nil {
			s.Errors["owners"] = ownersError.Error()
		} else if missing != "" {
			s.Errors["owners"] = missing
		}
	}
	return s
}

func first(reasons ...string) string {
	for _, reason := range reasons {
		if reason != "" {
			return reason
		}
	}
	return ""
}

// processes scans the processes and notes which have ended.
func (r *reader) processes(now time.Time) error {
	r.scanned = now
	if r.connector == nil {
		vanished, err := r.table.scan(now, r.summary.boot)
		r.note(r.table.bury(vanished, nil, nil, nil))
		return err
	}
	current, ended, whole, trouble := r.connector.drain()
	r.table.prepare(current)
	vanished, err := r.table.scan(now, r.summary.boot)
	var late []*life
	if pids := r.table.awaited(vanished, current, ended); len(pids) > 0 && whole {
		late = r.connector.await(func(late []*life) bool {
			for _, l := range late {
				delete(pids, l.pid)
			}
			return len(pids) == 0
		})
	}
	r.note(r.table.bury(vanished, current, ended, late))
	r.connector.follow(r.table.headless())
	r.trouble = first(trouble, r.trouble)
	return err
}

// note keeps what has ended for the next published sample; there is none while nobody watches.
func (r *reader) note(ended []Ended) {
	if !r.watched.Has(PartProcesses) {
		return
	}
	for _, e := range ended {
		if !e.Listed {
			if r.unlisted++; r.unlisted > maxUnlisted {
				r.trouble = first(r.trouble, "too many short-lived processes: some are left out")
				continue
			}
		}
		r.ended = append(r.ended, e)
	}
}

// tasks counts the processes; scanned says that this sample has just read them.
func (r *reader) tasks(scanned bool) (*Tasks, error) {
	if scanned {
		return r.table.tasks(), nil
	}
	var n Tasks
	r.scanned = time.Now()
	err := r.sources.processes.scan(func(c *counts) { n.count(c.state) })
	if err != nil && n.Total == 0 {
		return nil, err
	}
	return &n, err
}

func (r *reader) point(s *Sample) Point { return r.summary.point(&s.Summary) }
