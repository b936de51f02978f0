package collector

import "time"

// historyLength is how far back the summary is remembered.
const historyLength = 15 * time.Minute

// history is a ring of points, one a step.
type history struct {
	step   time.Duration
	due    time.Time // when the next point is to be added
	points []Point   // at most historyLength/step
	next   int       // where the next point goes once the ring is full
}

func newHistory(interval time.Duration) history {
	return history{step: max(interval, time.Second)}
}

// isDue tells whether a tick at now brings a point. Ticks may be a little early or late, so a step counts from where it
// should have begun.
func (h *history) isDue(now time.Time) bool {
	return !now.Before(h.due.Add(-h.step / 20))
}

// add puts a point at the end, in place of the oldest when the ring is full.
func (h *history) add(p Point) {
	if h.due = h.due.Add(h.step); h.due.Before(p.Time) {
		h.due = p.Time.Add(h.step)
	}
	if len(h.points) < int(historyLength/h.step) {
		h.points = append(h.points, p)
		return
	}
	h.points[h.next] = p
	h.next = (h.next + 1) % len(h.points)
}

// list is a copy of the points, oldest first.
func (h *history) list() []Point {
	list := make([]Point, 0, len(h.points))
	list = append(list, h.points[h.next:]...)
	return append(list, h.points[:h.next]...)
}
