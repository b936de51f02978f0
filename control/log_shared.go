package control

import (
	"fmt"
	"sync"
)

// sharing holds the records of this hour that are common to what one actor did of one type.
type sharing struct {
	mu   sync.Mutex
	hour int64
	sums map[[2]string]*sum
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
	message := func(count int) string {
		if count == 1 {
			return fmt.Sprintf("once within an hour, after many before, from %s: %s", e.Source, e.Message)
		}
		return fmt.Sprintf("%d times within an hour, after many before; the last from %s: %s", count, e.Source, e.Message)
	}
	if sum := s.sums[key]; sum != nil {
		return l.addTo(sum, message(sum.count+1))
	}
	first := e
	first.Source, first.Message = manyAddresses, message(1)
	sum, err := l.beginSum(first)
	if err != nil {
		return err
	}
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
		if err := l.saveSum(sum); err != nil {
			return err
		}
		delete(s.sums, key)
	}
	s.hour = hour
	return nil
}
