package collector

import (
	"math"
	"time"
)

// early is how much a tick may come before its time and still count as one: timers are not exact.
const early = 5 * time.Millisecond

// window keeps two readings of counters, so that rates have one that is at least basis old to be measured from, also
// when a reading on demand comes shortly before a tick.
type window[T any] struct {
	older, newer reading[T]
}

// reading is counters and when they were read.
type reading[T any] struct {
	at    time.Time
	value T
}

// ripe tells whether the newer reading is old enough to measure from.
func (w *window[T]) ripe(now time.Time) bool {
	return !w.newer.at.IsZero() && now.Sub(w.newer.at) >= basis-early
}

// base is the reading to measure from: the newest that is old enough. Its time is zero when there is none.
func (w *window[T]) base(now time.Time) reading[T] {
	if w.ripe(now) {
		return w.newer
	}
	return w.older
}

// add keeps a reading, unless the newer one is still too young to be replaced.
func (w *window[T]) add(now time.Time, value T) {
	switch {
	case w.newer.at.IsZero():
		w.newer = reading[T]{now, value}
	case w.ripe(now):
		w.older, w.newer = w.newer, reading[T]{now, value}
	}
}

// less is a - b, or 0 where a counter went back: it was reset, or its device came anew.
func less(a, b uint64) uint64 {
	if a < b {
		return 0
	}
	return a - b
}

// round gives x to one decimal.
func round(x float64) float64 { return math.Round(x*10) / 10 }

// rate is how much a counter grew a second.
func rate(after, before uint64, over time.Duration) float64 {
	return float64(less(after, before)) / over.Seconds()
}
