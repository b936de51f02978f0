package control

import (
	"encoding/hex"
	"time"
)

const (
	tidyInterval = 5 * time.Second
	trimInterval = time.Hour
	trimChunk    = 200 // operations removed in one transaction: nobody waits for it for long
	// steadyTime is how long the wall clock must have gone evenly before an age is believed: a clock that is wrong when the
	// machine starts must not empty the log.
	steadyTime = trimInterval / 2
	maxDrift   = time.Minute
)

// keep writes what waits to be written, removes what is too old, and tells the head of the chain to the logger, so that
// it is in a place that whoever changes the file does not change with it.
func (l *Log) keep(quit <-chan struct{}) {
	tidy, hour := time.NewTicker(tidyInterval), time.NewTicker(trimInterval)
	defer tidy.Stop()
	defer hour.Stop()
	even := l.now() // since when the wall clock has gone evenly
	for {
		now := l.now()
		if err := l.trim(quit, now.Sub(even) >= steadyTime); err != nil {
			l.logger.Error("cannot remove old records of the operation log", "error", err)
		}
		l.tellHead()
		for again := false; !again; {
			select {
			case <-quit:
				return
			case <-hour.C:
				again = true
			case <-tidy.C:
				if now := l.now(); drift(even, now).Abs() > maxDrift {
					even = now
				}
				_ = l.saveUnsaved() // commit tells the logger, once
				_ = l.sumDenied(false)
				_ = l.saveShared(false)
			}
		}
	}
}

// drift is how far the wall clock was set between two readings. Those of time.Now have the monotonic clock too.
func drift(from, to time.Time) time.Duration { return to.Round(0).Sub(from.Round(0)) - to.Sub(from) }

// tellHead tells the logger how far the chain goes, unless it did already. Only keep calls it, and Close after that.
func (l *Log) tellHead() {
	if head, err := l.Head(); err == nil && head != l.toldHead {
		l.logger.Info("the operation log goes up to here: topdeck log verify takes this head", "head", head)
		l.toldHead = head
	}
}

// trim applies the limits of number and, with byAge, of age, a part of the log at a time, so that it holds nobody up.
func (l *Log) trim(quit <-chan struct{}, byAge bool) error {
	for more := true; more; {
		select {
		case <-quit:
			return nil
		default:
		}
		var err error
		if more, err = l.trimSome(byAge); err != nil {
			return err
		}
	}
	return nil
}

// trimSome removes some of the operations at the old end of the log that are beyond its limits, with all entries up to
// the first one that stays, and records in the chain what it removed. It never goes past an operation that still runs.
func (l *Log) trimSome(byAge bool) (more bool, err error) {
	byAge = byAge && l.cfg.MaxAge > 0
	if !byAge && l.cfg.MaxCount == 0 {
		return false, nil
	}
	l.trimming.Lock()
	defer l.trimming.Unlock()
	if !l.verifying.TryLock() { // the next time will do
		return false, nil
	}
	defer l.verifying.Unlock()
	oldest := l.now().Add(-l.cfg.MaxAge)
	err = l.write(func(b books) ([]uint64, error) {
		ids, _ := b.idsAfter(0, trimChunk)
		gone := 0
		for _, id := range ids {
			op, err := b.operation(id)
			if err != nil {
				return nil, err
			}
			tooMany := l.cfg.MaxCount > 0 && b.counted(inAll) > l.cfg.MaxCount
			tooOld := byAge && op.LogTime.Before(oldest)
			if op.RetStatus == Running || !tooMany && !tooOld {
				break
			}
			if err := b.remove(id); err != nil {
				return nil, err
			}
			gone++
		}
		if gone == 0 {
			return nil, nil
		}
		more = gone == trimChunk
		last := b.last()
		if left, _ := b.idsAfter(ids[gone-1], 1); len(left) > 0 {
			last.Seq = left[0] - 1
			last.Hash = hashOf(seqKey(last.Seq), b.entries.Get(seqKey(last.Seq)))
		}
		if err := b.cut(last, l.now()); err != nil { // first, so that it follows from the last one removed
			return nil, err
		}
		c := b.entries.Cursor()
		for k, _ := c.First(); k != nil && string(k) <= string(seqKey(last.Seq)); k, _ = c.First() {
			if err := c.Delete(); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	return more, err
}

// cut records that everything up to h was removed.
func (b books) cut(h Head, now time.Time) error {
	_, err := b.add(entry{kind: cut, time: now, op: h.Seq, detail: hex.EncodeToString(h.Hash[:])})
	return err
}
