package control

import (
	"errors"
	"math/bits"
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

// Wait is how long it takes until there is room, where there is none.
func (b *Budget) Wait(now time.Time) time.Duration {
	every := int64(b.Every / time.Second)
	return time.Duration(every-now.Unix()%every) * time.Second
}

// sum is a record that stands for several. It is on the disk when it begins, and again each time that their number doubles; saveSum writes the rest.
// What has ended is told anew by a sum only, and only of the record that beginSum made for it.
type sum struct {
	id             uint64
	outcome        Outcome // of all of them
	count, written int
}

// beginSum records the first of what e tells.
func (l *Log) beginSum(e Entry) (*sum, error) {
	op, err := l.first(event, e, false) // a flood of them would leave no room for others
	if err != nil {
		return nil, err
	}
	id, err := parseID(op.ID)
	if err != nil {
		return nil, err
	}
	return &sum{id: id, outcome: Outcome{RetStatus: op.RetStatus, Message: e.Message}, count: 1, written: 1}, nil
}

// addTo counts one more, and tells of all in a message.
func (l *Log) addTo(s *sum, message string) error {
	s.count++
	s.outcome.Message = message
	if bits.OnesCount(uint(s.count)) == 1 {
		return l.writeSum(s)
	}
	return nil
}

// saveSum writes what of a sum is not on the disk.
func (l *Log) saveSum(s *sum) error {
	if s.written == s.count {
		return nil
	}
	if err := l.writeSum(s); err != nil && !errors.Is(err, ErrNotFound) { // retention may have been faster
		return err
	}
	return nil
}

func (l *Log) writeSum(s *sum) error {
	end := endEntry(s.id, s.outcome, l.now())
	if err := l.write(func(b books) ([]uint64, error) { return []uint64{s.id}, b.retell(end) }); err != nil {
		return unwritten(err)
	}
	s.written = s.count
	return nil
}
