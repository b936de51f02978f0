package collector

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// run is a collector on a fixture, in the bubble of a synctest.
type run struct {
	*Collector
	t      *testing.T
	stage  *stage
	began  time.Time
	cancel context.CancelFunc
	ended  chan error
	scans  int

	mu      sync.Mutex
	samples []*Sample
}

// booted is how long the fixture's host is up when a run begins.
const booted = 5000 * time.Second

func start(t *testing.T, f *stage, interval time.Duration) *run {
	t.Helper()
	c, err := New(f.config(interval))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &run{Collector: c, t: t, stage: f, began: time.Now(), cancel: cancel, ended: make(chan error, 1)}
	c.reader.table.uptime = func() time.Duration { return booted + time.Since(r.began) }
	c.reader.sources.processes = countingSource{c.reader.sources.processes, &r.scans}
	c.reader.table.source = c.reader.sources.processes
	c.reader.sockets.dump = func(diagKind, func([]byte)) error { return nil }
	go func() {
		r.ended <- c.Run(ctx, func(s *Sample) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.samples = append(r.samples, s)
		})
	}()
	synctest.Wait()
	return r
}

// countingSource counts how often the processes are read.
type countingSource struct {
	processSource
	scans *int
}

func (s countingSource) scan(visit func(*counts)) error {
	*s.scans++
	return s.processSource.scan(visit)
}

// at waits until this long after the start, and until the collector has done what was due.
func (r *run) at(d time.Duration) {
	r.t.Helper()
	if passed := time.Since(r.began); passed > d {
		r.t.Fatalf("it is %v already, not %v", passed, d)
	}
	time.Sleep(time.Until(r.began.Add(d)))
	synctest.Wait()
}

// published tells when the samples came, in milliseconds after the start, and empties the list.
func (r *run) published() (times string, last *Sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, s := range r.samples {
		list = append(list, fmt.Sprintf("%d:%d", s.Time.Sub(r.began).Milliseconds(), s.Parts))
		last = s
	}
	r.samples = nil
	return strings.Join(list, " "), last
}

func (r *run) stop() {
	r.t.Helper()
	r.cancel()
	if err := <-r.ended; err != nil {
		r.t.Errorf("Run ended with %v", err)
	}
}

func TestIntervalsOutOfRangeAreRefused(t *testing.T) {
	f := newStage(t)
	for interval, ok := range map[time.Duration]bool{
		0: false, 99 * time.Millisecond: false, 100 * time.Millisecond: true, time.Minute: true, time.Minute + 1: false, -time.Second: false,
	} {
		if _, err := New(f.config(interval)); (err == nil) != ok {
			t.Errorf("an interval of %v gives the error %v", interval, err)
		}
	}
	config := f.config(time.Second)
	config.Proc = f.path("nowhere")
	if _, err := New(config); err == nil || !strings.HasPrefix(err.Error(), "cannot collect without") {
		t.Errorf("without /proc the error is %v", err)
	}
}

func TestSamplesComeSoonAndThenAtEachTick(t *testing.T) {
	f := newStage(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, f, 10*time.Second)
		r.at(40 * time.Second)
		times, last := r.published()
		check(t, "samples", times, "200:0 10200:0 20200:0 30200:0")
		if last.Summary.Tasks != nil || last.Processes != nil || r.scans != 0 {
			t.Errorf("processes were read, though nobody watches: %d scans", r.scans)
		}
		r.stop()
		if err := r.Run(context.Background(), nil); err == nil {
			t.Error("a collector can run twice")
		}
	})
}

func TestNewlyWatchedPartsComeAtOnce(t *testing.T) {
	f := newStage(t)
	f.process(400, 100, 1000)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, f, time.Minute)
		r.at(10 * time.Second)
		r.published()

		release := r.Watch(PartProcesses)
		r.at(10 * time.Second)
		f.process(400, 110, 1000) // 10 ticks in 200 ms are half a core
		r.at(11 * time.Second)
		times, last := r.published()
		check(t, "samples after a watch of processes", times, "10200:2")
		check(t, "cpu percent", byPID(t, last.Processes, 400).CPUPercent, 50.0)

		tasks := r.Watch(PartTasks)
		r.at(12 * time.Second)
		times, last = r.published()
		check(t, "samples after a watch of tasks too", times, "11000:3")
		check(t, "tasks", *last.Summary.Tasks, Tasks{Total: 8, Running: 1, Sleeping: 5, Stopped: 1, Zombie: 1})

		r.Watch(PartProcesses)()
		r.at(13 * time.Second)
		times, _ = r.published()
		check(t, "samples after a second watch of the same", times, "")

		release()
		release()
		r.at(2 * time.Minute)
		times, _ = r.published()
		check(t, "samples after the release of processes", times, "60200:1")
		tasks()
		r.at(4 * time.Minute)
		times, _ = r.published()
		check(t, "samples after the release of all", times, "120200:0 180200:0")
		r.stop()
	})
}

// A page that watches and unwatches in a loop costs one sample a tick beside that tick's own, at most.
func TestWatchingInALoopCostsLittle(t *testing.T) {
	f := newStage(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, f, time.Second)
		r.at(300 * time.Millisecond)
		r.published()
		ticks := 20
		for i := 0; i < ticks*25; i++ {
			release := r.Watch(PartProcesses)
			time.Sleep(7 * time.Millisecond) // most ticks fall into the gap that follows
			release()
			time.Sleep(33 * time.Millisecond)
		}
		synctest.Wait()
		times, _ := r.published()
		if n := len(strings.Fields(times)); n < ticks || n > 2*ticks+1 {
			t.Errorf("%d samples in %d ticks: %s", n, ticks, times)
		}
		if r.scans > 3*ticks {
			t.Errorf("the processes were read %d times in %d ticks", r.scans, ticks)
		}
		r.stop()
	})
}

func TestWatchesBeforeTheStartAreInTheFirstSample(t *testing.T) {
	f := newStage(t)
	synctest.Test(t, func(t *testing.T) {
		c, err := New(f.config(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Watch(PartProcesses | PartTasks)()
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan *Sample, 10)
		go c.Run(ctx, func(s *Sample) { first <- s })
		s := <-first
		if s.Parts != PartProcesses|PartTasks || len(s.Processes) != 7 || s.Summary.Tasks == nil {
			t.Errorf("the first sample has the parts %d and %d processes", s.Parts, len(s.Processes))
		}
		cancel()
		synctest.Wait()
	})
}

// At 100 ms, a CPU percent is measured over 200 ms and more: in 100 ms a clock tick is 10 %.
func TestShortIntervalsAreMeasuredOver200Milliseconds(t *testing.T) {
	f := newStage(t)
	f.process(400, 0, 1000)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, f, 100*time.Millisecond)
		defer r.Watch(PartProcesses)()
		r.at(1050 * time.Millisecond)
		f.process(400, 1, 1000)
		r.at(1150 * time.Millisecond)
		times, last := r.published()
		if want := "200:2 300:2 400:2 500:2 600:2 700:2 800:2 900:2 1000:2 1100:2"; times != want {
			t.Errorf("samples came at %s, want %s", times, want)
		}
		if got := byPID(t, last.Processes, 400).CPUPercent; got != 5 && got != 3.3 {
			t.Errorf("one tick is %v %%, want that of 200 or 300 ms", got)
		}
		r.stop()
	})
}

func TestNewProcessesCountFromTheirStart(t *testing.T) {
	f := newStage(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, f, time.Second)
		defer r.Watch(PartProcesses)()
		r.at(1700 * time.Millisecond)
		f.process(500, 30, 500170) // began now, and used 0.3 s
		f.process(501, 30, 1000)   // only came into sight now
		r.at(2300 * time.Millisecond)
		_, last := r.published()
		check(t, "cpu percent of a new process", byPID(t, last.Processes, 500).CPUPercent, 30.0)
		check(t, "cpu percent of one seen first", byPID(t, last.Processes, 501).CPUPercent, 0.0)
		f.process(501, 80, 1000)
		r.at(3300 * time.Millisecond)
		_, last = r.published()
		check(t, "cpu percent of it at the second reading", byPID(t, last.Processes, 501).CPUPercent, 50.0)
		r.stop()
	})
}

// Without the proc connector an end is known by absence, once, and a reading on demand in between does not keep it from
// those who watch.
func TestEndsAreToldOnceToThoseWhoWatch(t *testing.T) {
	f := newStage(t)
	f.process(400, 0, 1000)
	f.process(401, 0, 1000)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, f, 10*time.Second)
		defer r.Watch(PartProcesses)()
		r.at(1 * time.Second)
		_, last := r.published()
		if !strings.Contains(last.Errors["events"], "without exit codes") {
			t.Errorf("the reason for missing exit codes is %q", last.Errors["events"])
		}
		f.remove("proc/400")
		f.process(402, 0, 500500)
		r.at(5 * time.Second)
		s, err := r.Collect(t.Context(), PartProcesses)
		if err != nil || len(s.Processes) != 9 || s.Ended != nil {
			t.Fatalf("on demand: %v, %d processes, ended %v", err, len(s.Processes), s.Ended)
		}
		f.remove("proc/402")      // was in no published sample
		f.process(401, 5, 500700) // another process by now
		r.at(10300 * time.Millisecond)
		_, last = r.published()
		var got []string
		for _, e := range last.Ended {
			if e.ExitCode != nil || e.Signal != nil {
				t.Errorf("process %d has an exit code", e.Process.PID)
			}
			got = append(got, fmt.Sprintf("%d:%d %v", e.Process.PID, e.Process.StartTime, e.Listed))
		}
		check(t, "ended", strings.Join(got, ", "), "400:1000 true, 401:1000 true, 402:500500 false")
		check(t, "start of the process with the old PID", byPID(t, last.Processes, 401).StartTime, 500700)
		r.at(20300 * time.Millisecond)
		if _, last = r.published(); len(last.Ended) != 0 {
			t.Errorf("ends are told again: %v", last.Ended)
		}
		r.stop()
	})
}
