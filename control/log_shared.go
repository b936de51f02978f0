package control

import (
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"time"
)

// Budget is how many records of their own what somebody may bring about at will gets: Most at once, and one more each Every. The clock may be
// set back.
type Budget struct {
	Most  int
	Every time.Duration

	used  int   // as far as they still count
	since int64 // the step of Every to which they count
}

// Room tells whether one more may have a record of its own, and Take that it has.
func (b *Budget) Room(now time.Time) bool {
	step := now.Unix() / int64(b.Every/time.Second)
	if passed := step - b.since; passed != 0 {
		b.used, b.since = max(0, b.used-int(min(max(passed, 0), int64(b.Most)))), step
	}
	return b.used < b.Most
}

func (b *Budget) Take() { b.used++ }

// sharing holds the records of this hour that are common to what one actor did of one type.
type sharing struct {
	mu   sync.Mutex
	hour int64
	sums map[[2]string]*shared
}

type shared struct {
	id             string
	last           Entry
	count, written int
}

// Share records what has happened in a record that is common to all of its type and actor that are shared within an hour. As with Denied, the first is on
// the disk when Share returns, and so is each time that their number doubles; the rest follows at the end of the hour.
func (l *Log) Share(e Entry) error {
	if err := l.saveShared(false); err != nil {
		return err
	}
	s := &l.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	key := [2]string{e.LogType, e.Actor}
	if sum := s.sums[key]; sum != nil {
		sum.count++
		sum.last = e
		if bits.OnesCount(uint(sum.count)) == 1 {
			return l.writeShared(sum)
		}
		return nil
	}
	sum := &shared{last: e, count: 1, written: 1}
	first := e
	first.Source, first.Message = manyAddresses, sum.message()
	op, err := l.first(event, first, false)
	if err != nil {
		return err
	}
	if s.sums == nil {
		s.sums = map[[2]string]*shared{}
	}
	sum.id = op.ID
	s.sums[key] = sum
	return nil
}

// saveShared writes the sums of an hour that is over, or all, and forgets them.
func (l *Log) saveShared(all bool) error {
	s := &l.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	hour := l.now().Unix() / 3600
	if hour == s.hour && !all {
		return nil
	}
	for key, sum := range s.sums {
		if sum.written < sum.count {
			if err := l.writeShared(sum); err != nil && !errors.Is(err, ErrNotFound) { // retention may have been faster
				return err
			}
		}
		delete(s.sums, key)
	}
	s.hour = hour
	return nil
}

func (l *Log) writeShared(sum *shared) error {
	_, err := l.Finish(sum.id, Outcome{RetStatus: Succeeded, Message: sum.message()})
	if err == nil {
		sum.written = sum.count
	}
	return err
}

func (s *shared) message() string {
	return fmt.Sprintf("%d times within an hour, after many before; the last from %s: %s", s.count, s.last.Source, s.last.Message)
}
