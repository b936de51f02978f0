package control

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
)

// Entry is what is known when an operation begins or, for Record, when it is over. Texts of any length and content may
// be given; they are stored as valid UTF-8, a message of at most 500 bytes on one line, a detail of at most 64 KiB.
type Entry struct {
	LogType, Target, Actor, Source string
	RetStatus                      RetStatus // Begin: ignored; Record: "" is Succeeded
	Message, Detail                string
	ExitCode                       *int
	Duration                       float64 // seconds
	Seen                           bool    // need not be looked at unless it fails: plain logins and logouts
}

// Outcome is how an operation ended. An empty Message or Detail leaves that of its Entry in place.
type Outcome struct {
	RetStatus       RetStatus // Succeeded, Failed or Interrupted
	Message, Detail string
	ExitCode        *int

	later    later // of an act that ended well on a service that may not last; nil: there is nothing to wait for
	outlives bool  // none yet: the next topdeck will tell
}

// LogConfig is what a Log stands on. The zero value keeps every record.
type LogConfig struct {
	Logger   *slog.Logger     // nil: silent
	Now      func() time.Time // nil: time.Now
	MaxAge   time.Duration    // older records are removed; 0: none is
	MaxCount int              // the oldest records above this number are removed; 0: none is
	// Outlives tells of an operation that was running when the program ended whether somebody knows how it goes on, and will
	// Finish it; nil: nobody does.
	Outlives func(*Operation) bool
}

// Log is the operation log. Its methods may be called from any goroutine.
type Log struct {
	db     *bbolt.DB
	logger *slog.Logger
	now    func() time.Time
	cfg    LogConfig
	unseen atomic.Int64

	waiting queue                // what is to be written
	mu      sync.Mutex           // one writer at a time, so that changes are told in the order of their commits
	head    Head                 // as of the last commit
	failing bool                 // the last commit did not work
	begun   map[uint64]time.Time // running operations, with the monotonic clock
	unsaved map[uint64]entry     // outcomes that could not be written yet
	late    []entry              // events that could not be written yet, at most maxLate

	trimming  sync.Mutex   // held while old entries are removed
	verifying sync.RWMutex // for reading: the chain is being verified, and nothing may be removed
	toldHead  Head         // the last one that the logger was told
	denied    denials
	shared    sharing
	told      feed

	searches   chan struct{} // a place for each search that may run
	maxCounted int           // maxCounted, but in tests

	stop func()
	done sync.WaitGroup
}

// OpenLog opens the log in db, which stays the caller's: close the Log first. Operations that were running when the
// program ended become Interrupted, but for those that outlive it. At most one Log may be open on a db.
func OpenLog(db *bbolt.DB, cfg LogConfig) (*Log, error) {
	l := &Log{
		db: db, cfg: cfg, logger: cfg.Logger, now: cfg.Now,
		begun: map[uint64]time.Time{}, unsaved: map[uint64]entry{},
		searches: make(chan struct{}, maxSearches), maxCounted: maxCounted,
		denied: denials{sums: map[denial]*sum{}, own: Budget{Most: maxDenied, Every: deniedEvery}},
		shared: sharing{sums: map[[2]string]*sum{}},
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	if l.now == nil {
		l.now = time.Now
	}
	err := Careful(l.open)
	if err != nil {
		return nil, fmt.Errorf("cannot open the operation log: %w", err)
	}

	quit := make(chan struct{})
	l.stop = sync.OnceFunc(func() { close(quit) })
	l.told.wake = make(chan struct{}, 1)
	l.done.Go(func() { l.keep(quit) })
	l.done.Go(func() { l.told.run(quit) })
	return l, nil
}

// open reads where the log stands. It writes only what must be: a log can be opened on a disk that is full.
func (l *Log) open() error {
	ready := false
	look := func(tx *bbolt.Tx) error {
		b := openBooks(tx)
		if b.entries == nil {
			return nil
		}
		left, err := l.left(b)
		_, known := b.head()
		ready = known && len(left) == 0
		l.head = b.last()
		l.unseen.Store(int64(b.counted(isNew)))
		return err
	}
	if err := l.db.View(look); err != nil || ready {
		return err
	}
	err := l.db.Update(func(tx *bbolt.Tx) error {
		if err := makeBooks(tx); err != nil {
			return err
		}
		b := openBooks(tx)
		left, err := l.left(b)
		for _, id := range left {
			if err == nil {
				err = b.finish(entry{kind: outcome, op: id, time: l.now(), retStatus: Interrupted, message: endUnknown})
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return l.db.View(look)
}

const endUnknown = "topdeck ended while this ran; how it ended is not known"

// left are the operations that were running when the program ended, newest first, but for those that outlive it.
func (l *Log) left(b books) (left []uint64, err error) {
	running, _ := b.ids([]string{isRunning}, newest, 1<<30)
	for _, id := range running {
		op, err := b.operation(id)
		if err != nil {
			return nil, err
		}
		if l.cfg.Outlives == nil || !l.cfg.Outlives(&op) {
			left = append(left, id)
			continue
		}
		l.begun[id] = op.LogTime
	}
	return left, nil
}

// Close writes what is still to be written, tells subscribers what is still to be told, and stops. It must not be called
// by a subscriber. Calls of other methods after it may fail.
func (l *Log) Close() error {
	l.stop()
	l.done.Wait()
	err := errors.Join(l.sumDenied(true), l.saveShared(true), l.saveUnsaved())
	l.tellHead()
	return err
}

// Begin records that an operation begins. It is on the disk when Begin returns: no record, no action. ErrUnavailable: it
// cannot be written, and then nothing may be done.
func (l *Log) Begin(e Entry) (Operation, error) {
	e.RetStatus = Running
	op, err := l.first(intent, e, false)
	if err != nil {
		err = &failure{ErrUnavailable, "nothing was done: " + err.Error()}
	}
	return op, err
}

// Record records, as one entry, what has already happened. When it cannot be written, the error says so and it is kept in
// memory, to be written as soon as that works.
func (l *Log) Record(e Entry) (Operation, error) { return l.first(event, e, true) }

// RecordWith records what with writes into the log's database, in one transaction with it: both are on the disk when RecordWith returns, or
// neither is. with may run more than once.
func (l *Log) RecordWith(with func(*bbolt.Tx) error, events ...Entry) error {
	now := l.now()
	return l.write(func(b books) (ids []uint64, err error) {
		if err := with(b.entries.Tx()); err != nil {
			return nil, err
		}
		for _, e := range events {
			id, err := b.begin(firstEntry(event, e, now))
			if err != nil {
				return nil, err
			}
			ids = append(ids, id)
		}
		return ids, nil
	})
}

// firstEntry is the first of an operation, which succeeded unless it is told otherwise.
func firstEntry(k kind, e Entry, now time.Time) entry {
	first := entry{
		kind: k, time: now, logType: e.LogType, target: e.Target, actor: e.Actor, source: e.Source, retStatus: cmp.Or(e.RetStatus, Succeeded),
		message: e.Message, detail: e.Detail, exitCode: e.ExitCode, duration: e.Duration, seen: e.Seen,
	}
	first.bound()
	return first
}

func (l *Log) first(k kind, e Entry, keep bool) (Operation, error) {
	now := l.now()
	first := firstEntry(k, e, now)
	c := l.waiting.add(func(b books) ([]uint64, error) {
		id, err := b.begin(first)
		return []uint64{id}, err
	})

	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle(c)
	if c.err != nil {
		if keep && !c.there && len(l.late) < maxLate {
			l.late = append(l.late, first)
		}
		return Operation{}, unwritten(c.err)
	}
	if k == intent {
		l.begun[c.ids[0]] = now
	}
	return c.ops[0], nil
}

// Finish records how an operation ended. ErrConflict: it has ended before. When the outcome cannot be written, the error
// says so and the outcome is kept in memory, to be written as soon as that works.
func (l *Log) Finish(id string, o Outcome) (Operation, error) {
	n, err := parseID(id)
	if err != nil {
		return Operation{}, err
	}
	now := l.now()
	end := endEntry(n, o, now)
	l.mu.Lock()
	if start, ok := l.begun[n]; ok {
		end.duration = max(0, now.Sub(start).Seconds())
	}
	l.mu.Unlock()
	c := l.waiting.add(func(b books) ([]uint64, error) { return []uint64{n}, b.finish(end) })

	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle(c)
	switch {
	case c.err == nil || c.there:
		l.ended(n)
	case !isRefused(c.err):
		l.unsaved[n] = end
	}
	if c.err != nil {
		return Operation{}, unwritten(c.err)
	}
	return c.ops[0], nil
}

// endEntry tells how operation id ended.
func endEntry(id uint64, o Outcome, now time.Time) entry {
	end := entry{
		kind: outcome, op: id, time: now, retStatus: o.RetStatus, message: o.Message, detail: o.Detail, exitCode: o.ExitCode,
	}
	end.bound()
	return end
}

// ended forgets a running operation.
func (l *Log) ended(id uint64) {
	delete(l.begun, id)
	delete(l.unsaved, id)
}

// Subscribe has f called for each change, in the order of commits, with the number of unseen records after it; op is nil
// when only that number changed. f is called by one goroutine of the Log, one call at a time: it may use the Log, and it
// must not block for long. Nothing is told that was committed before Subscribe.
func (l *Log) Subscribe(f func(op *Operation, unseen int)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told.subscribe(f)
}

func formatID(seq uint64) string { return strconv.FormatUint(seq, 10) }

// parseID takes only what formatID gives.
func parseID(id string) (uint64, error) {
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil || n == 0 || formatID(n) != id {
		return 0, &failure{ErrNotFound, fmt.Sprintf("there is no operation %q in the log", shorten(id, 40))}
	}
	return n, nil
}
