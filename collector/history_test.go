package collector

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestHistoryKeepsFifteenMinutes(t *testing.T) {
	for _, c := range []struct {
		interval, step time.Duration
		points         int
	}{
		{100 * time.Millisecond, time.Second, 900},
		{700 * time.Millisecond, time.Second, 900},
		{time.Second, time.Second, 900},
		{10 * time.Second, 10 * time.Second, 90},
		{time.Minute, time.Minute, 15},
	} {
		h := newHistory(c.interval)
		began := time.Now()
		for now := began; now.Sub(began) < 20*time.Minute; now = now.Add(c.interval) {
			if h.isDue(now) {
				h.add(Point{Time: now})
			}
		}
		points := h.list()
		if h.step != c.step || len(points) != c.points {
			t.Errorf("at %v: %d points, one each %v; want %d, %v", c.interval, len(points), h.step, c.points, c.step)
			continue
		}
		for i := 1; i < len(points); i++ {
			if d := points[i].Time.Sub(points[i-1].Time); d <= 0 || d > c.step+c.interval {
				t.Fatalf("at %v: point %d is %v after the one before", c.interval, i, d)
			}
		}
		if d := points[len(points)-1].Time.Sub(points[0].Time); d < historyLength-2*c.step || d > historyLength+c.step {
			t.Errorf("at %v: the points span %v", c.interval, d)
		}
	}
}

func TestHistoryIsFullWhenNobodyWatches(t *testing.T) {
	f := newStage(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, f, 200*time.Millisecond)
		// The first second was half busy, though its last fifth was idle.
		r.at(500 * time.Millisecond)
		f.replace("proc/stat", "cpu  1000 200 500 8000", "cpu  1100 200 500 8000")
		r.at(900 * time.Millisecond)
		f.replace("proc/stat", "cpu  1100 200 500 8000", "cpu  1100 200 500 8100")
		r.at(2300 * time.Millisecond)
		step, points := r.History()
		if step != time.Second || len(points) != 3 {
			t.Fatalf("%d points, one each %v", len(points), step)
		}
		check(t, "time of the first point", points[0].Time.Sub(r.began), 200*time.Millisecond)
		check(t, "busy in the first second", points[1].CPU.User, 50.0)
		check(t, "idle in the second second", points[2].CPU.Idle, 100.0)
		check(t, "memory", points[2].Memory.Total, 8192000000)
		r.stop()
	})
}
