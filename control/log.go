package control

import (
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
}

// LogConfig is what a Log stands on. The zero value keeps every record.
type LogConfig struct {
	Logger   *slog.Logger     // nil: silent
	Now      func() time.Time // nil: time.Now
	MaxAge   time.Duration    // older records are removed; 0: none is
	MaxCount int              // the oldest records above this number are removed; 0: none is
}

// Log is the operation log. Its methods may be called from any goroutine.
type Log struct {
	db     *bbolt.DB
	logger *slog.Logger
	now    func() time.Time
	cfg    LogConfig
	unseen atomic.Int64

	mu      sync.Mutex           // one writer at a time, so that changes are told in the order of their commits
	begun   map[uint64]time.Time // running operations, with the monotonic clock
	unsaved map[uint64]entry     // outcomes that could not be written yet

	trimming  sync.Mutex   // held while old entries are removed
	verifying sync.RWMutex // for reading: the chain is being verified, and nothing may be removed
	toldHead  Head         // the last one that the logger was told
	denied    denials
	told      feed

	stop func()
	done sync.WaitGroup
}

// OpenLog opens the log in db, which stays the caller's: close the Log first. Operations that were running when the
// program ended become Interrupted. At most one Log may be open on a db.
func OpenLog(db *bbolt.DB, cfg LogConfig) (*Log, error) {
	l := &Log{
		db: db, cfg: cfg, logger: cfg.Logger, now: cfg.Now,
		begun: map[uint64]time.Time{}, unsaved: map[uint64]entry{},
	}
	if l.logger == nil {
		l.logger = slog.New(slog.DiscardHandler)
	}
	if l.now == nil {
		l.now = time.Now
	}
	err := db.Update(func(tx *bbolt.Tx) error {
		if err := makeBooks(tx); err != nil {
			return err
		}
		b := openBooks(tx)
		left, _ := b.ids([]string{isRunning}, newest, 1<<30)
		for _, id := range left {
			err := b.finish(entry{
				kind: outcome, op: id, time: l.now(), retStatus: Interrupted,
				message: "topdeck ended while this ran; how it ended is not known",
			})
			if err != nil {
				return err
			}
		}
		l.unseen.Store(int64(b.counted(isNew)))
		return nil
	})
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

// Close writes what is still to be written, tells subscribers what is still to be told, and stops. It must not be called
// by a subscriber. Calls of other methods after it may fail.
func (l *Log) Close() error {
	l.stop()
	l.done.Wait()
	err := errors.Join(l.sumDenied(true), l.saveUnsaved())
	l.tellHead()
	return err
}

// write runs change in one durable transaction and tells subscribers of the operations it returns.
func (l *Log) write(change func(b books) ([]uint64, error)) ([]Operation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writeLocked(change)
}

func (l *Log) writeLocked(change func(b books) ([]uint64, error)) ([]Operation, error) {
	var ops []Operation
	unseen := 0
	err := l.db.Update(func(tx *bbolt.Tx) error {
		b := openBooks(tx)
		ids, err := change(b)
		if err != nil {
			return err
		}
		for _, id := range ids {
			op, err := b.operation(id)
			if err != nil {
				return err
			}
			ops = append(ops, op)
		}
		unseen = b.counted(isNew)
		return nil
	})
	if err != nil {
		return nil, err
	}
	before := l.unseen.Swap(int64(unseen))
	for i := range ops {
		l.told.add(notice{&ops[i], unseen})
	}
	if len(ops) == 0 && before != int64(unseen) {
		l.told.add(notice{nil, unseen})
	}
	return ops, nil
}

// Begin records that an operation begins. It is on the disk when Begin returns: no record, no action.
func (l *Log) Begin(e Entry) (Operation, error) {
	e.RetStatus = Running
	return l.first(intent, e)
}

// Record records, as one entry, what has already happened.
func (l *Log) Record(e Entry) (Operation, error) {
	if e.RetStatus == "" {
		e.RetStatus = Succeeded
	}
	return l.first(event, e)
}

func (l *Log) first(k kind, e Entry) (Operation, error) {
	now := l.now()
	first := entry{
		kind: k, time: now, logType: e.LogType, target: e.Target, actor: e.Actor, source: e.Source, retStatus: e.RetStatus,
		message: e.Message, detail: e.Detail, exitCode: e.ExitCode, duration: e.Duration, seen: e.Seen,
	}
	first.bound()
	l.mu.Lock()
	defer l.mu.Unlock()
	var id uint64
	ops, err := l.writeLocked(func(b books) (ids []uint64, err error) {
		id, err = b.begin(first)
		return []uint64{id}, err
	})
	if err != nil {
		return Operation{}, fmt.Errorf("cannot write to the operation log: %w", err)
	}
	if k == intent {
		l.begun[id] = now
	}
	return ops[0], nil
}

// Finish records how an operation ended. ErrConflict: it has ended before. When the outcome cannot be written, the error
// says so and the outcome is kept in memory, to be written as soon as that works.
func (l *Log) Finish(id string, o Outcome) (Operation, error) {
	n, err := parseID(id)
	if err != nil {
		return Operation{}, err
	}
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	end := entry{
		kind: outcome, op: n, time: now, retStatus: o.RetStatus, message: o.Message, detail: o.Detail, exitCode: o.ExitCode,
	}
	if start, ok := l.begun[n]; ok {
		end.duration = max(0, now.Sub(start).Seconds())
	}
	end.bound()
	op, err := l.finishLocked(end)
	var refused *failure
	if err != nil && !errors.As(err, &refused) {
		l.unsaved[n] = end
		err = fmt.Errorf("cannot write to the operation log: %w", err)
	}
	return op, err
}

func (l *Log) finishLocked(end entry) (Operation, error) {
	ops, err := l.writeLocked(func(b books) ([]uint64, error) { return []uint64{end.op}, b.finish(end) })
	if err != nil {
		return Operation{}, err
	}
	delete(l.begun, end.op)
	delete(l.unsaved, end.op)
	return ops[0], nil
}

func (l *Log) saveUnsaved() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, end := range l.unsaved {
		if _, err := l.finishLocked(end); err != nil {
			return fmt.Errorf("cannot write the outcome of operation %d to the operation log: %w", end.op, err)
		}
	}
	return nil
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
