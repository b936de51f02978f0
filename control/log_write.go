package control

import (
	"errors"
	"fmt"
	"sync"

	"go.etcd.io/bbolt"
)

const (
	maxBatch = 200  // changes in one transaction
	maxLate  = 1000 // events that wait in memory for a disk that takes no more
)

// change is something that is to be written, and what came of it. Its results belong to whoever holds Log.mu.
type change struct {
	do     func(b books) ([]uint64, error) // refuses, with a *failure, before it changes anything; may run more than once
	done   bool
	ids    []uint64    // what do returned
	ops    []Operation // those, after it
	unseen int         // after it
	err    error
	there  bool // in the file although err tells that it may not be on the disk
}

// queue are changes that wait to be written.
type queue struct {
	mu      sync.Mutex
	changes []*change
}

func (q *queue) add(do func(b books) ([]uint64, error)) *change {
	c := &change{do: do}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.changes = append(q.changes, c)
	return c
}

func (q *queue) take(limit int) []*change {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(limit, len(q.changes))
	batch := q.changes[:n:n]
	q.changes = q.changes[n:]
	return batch
}

// settle returns when c has been written, or could not be. Whoever gets the lock first writes for all who wait for it: so
// many changes cost one commit, and a single one waits for nobody. The caller holds l.mu, and took it after c was added.
func (l *Log) settle(c *change) {
	for !c.done {
		l.commit(l.waiting.take(maxBatch))
	}
}

// write runs do in a durable transaction and tells subscribers of the operations it returns.
func (l *Log) write(do func(b books) ([]uint64, error)) error {
	c := l.waiting.add(do)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settle(c)
	return c.err
}

// commit writes a batch. A change that fails takes no other one with it.
func (l *Log) commit(batch []*change) {
	for len(batch) > 0 {
		at, head := 0, l.head
		err := Careful(func() error {
			return l.db.Update(func(tx *bbolt.Tx) error {
				b := openBooks(tx)
				for at = range batch {
					if err := batch[at].run(b); err != nil {
						return err
					}
				}
				at = len(batch)
				head = b.last()
				return nil
			})
		})
		if at < len(batch) { // what it changed cannot be told from what the others did
			batch[at].err, batch[at].done = err, true
			batch = append(batch[:at:at], batch[at+1:]...)
			continue
		}
		if err == nil {
			l.committed(batch, head)
		} else {
			l.failed(batch, err)
		}
		if l.failing != (err != nil) {
			if l.failing = err != nil; l.failing {
				l.logger.Error("cannot write to the operation log; nothing is acted on until that works", "error", err)
			} else {
				l.logger.Info("the operation log can be written again")
			}
		}
		return
	}
}

// run does the change within a transaction.
func (c *change) run(b books) (err error) {
	c.ops, c.err = nil, nil
	if c.ids, err = c.do(b); isRefused(err) {
		c.err, err = err, nil
		c.ids = nil
	}
	for _, id := range c.ids {
		op, opErr := b.operation(id)
		if err = errors.Join(err, opErr); err != nil {
			return err
		}
		c.ops = append(c.ops, op)
	}
	c.unseen = b.counted(isNew)
	return err
}

// committed tells what is on the disk now.
func (l *Log) committed(batch []*change, head Head) {
	l.head = head
	for _, c := range batch {
		c.done = true
		before := l.unseen.Swap(int64(c.unseen))
		for i := range c.ops {
			l.told.add(notice{&c.ops[i], c.unseen})
		}
		if len(c.ops) == 0 && before != int64(c.unseen) {
			l.told.add(notice{nil, c.unseen})
		}
	}
}

// failed tells that a batch may not be on the disk. When the disk failed at the very end, the file has it all the same;
// then what was to begin is going to be recorded as not done.
func (l *Log) failed(batch []*change, err error) {
	head, headErr := l.Head()
	there := headErr == nil && head != l.head
	if there {
		l.head = head
	}
	for _, c := range batch {
		c.done = true
		if c.err != nil { // refused
			continue
		}
		c.err, c.there = err, there
		for _, op := range c.ops {
			id, idErr := parseID(op.ID)
			if there && op.RetStatus == Running && idErr == nil {
				l.unsaved[id] = entry{
					kind: outcome, op: id, time: l.now(), retStatus: Failed,
					message: oneLine("nothing was done: the record of it could not be made safe: "+err.Error(), maxMessage),
				}
			}
		}
	}
}

// saveUnsaved writes what could not be written before.
func (l *Log) saveUnsaved() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.late) > 0 {
		c := &change{do: func(b books) (ids []uint64, err error) {
			for _, e := range l.late {
				id, err := b.begin(e)
				if err != nil {
					return nil, err
				}
				ids = append(ids, id)
			}
			return ids, nil
		}}
		l.commit([]*change{c})
		if c.err == nil || c.there {
			l.late = nil
		}
		if c.err != nil {
			return unwritten(c.err)
		}
	}
	for id, end := range l.unsaved {
		c := &change{do: func(b books) ([]uint64, error) { return []uint64{id}, b.finish(end) }}
		l.commit([]*change{c})
		if c.err == nil || c.there || isRefused(c.err) { // refused: it had been written after all
			l.ended(id)
		}
		if c.err != nil && !isRefused(c.err) {
			return fmt.Errorf("operation %d: %w", id, unwritten(c.err))
		}
	}
	return nil
}

func isRefused(err error) bool { return errors.As(err, new(*failure)) }

// unwritten is ErrUnavailable for what could not be written, and what was refused as it is.
func unwritten(err error) error {
	if err == nil || isRefused(err) {
		return err
	}
	return &failure{ErrUnavailable, "cannot write to the operation log: " + err.Error()}
}
