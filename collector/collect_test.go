package collector

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A list that is asked for between two ticks has a CPU percent of its own, and leaves that of the ticks as it is.
func TestCollectDoesNotSpoilTheTicks(t *testing.T) {
	f := newStage(t)
	f.process(400, 0, 1000)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, f, 10*time.Second)
		defer r.Watch(PartProcesses)()
		r.at(1 * time.Second)
		f.process(400, 400, 1000) // 4 s of processor time in 8 s
		r.at(8200 * time.Millisecond)
		s, err := r.Collect(t.Context(), PartProcesses)
		if err != nil {
			t.Fatal(err)
		}
		check(t, "time on demand", s.Time.Sub(r.began), 8200*time.Millisecond)
		check(t, "cpu percent on demand", byPID(t, s.Processes, 400).CPUPercent, 50.0)

		f.process(400, 800, 1000)
		r.at(10250 * time.Millisecond)
		_, last := r.published()
		check(t, "time of the tick", last.Time.Sub(r.began), 10200*time.Millisecond)
		// 8 s in the 2 s since 8.2 s
		check(t, "cpu percent of the tick", byPID(t, last.Processes, 400).CPUPercent, 200.0)
		again, err := r.Collect(t.Context(), PartProcesses)
		if err != nil || again != last {
			t.Errorf("a fresh sample is read again: %v, %v", again == last, err)
		}
		f.process(400, 801, 1000)
		r.at(20200 * time.Millisecond)
		_, last = r.published()
		check(t, "cpu percent of the next tick", byPID(t, last.Processes, 400).CPUPercent, 0.1)
		r.stop()
	})
}

func TestCollectSharesReadings(t *testing.T) {
	f := newStage(t)
	f.process(400, 0, 1000)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, f, time.Minute)
		r.at(10 * time.Second)
		var all sync.WaitGroup
		samples := make([]*Sample, 20)
		for i := range samples {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 10 * time.Millisecond)
				samples[i], _ = r.Collect(t.Context(), PartProcesses)
			})
		}
		time.Sleep(50 * time.Millisecond)
		f.process(400, 20, 1000)
		all.Wait()
		for i, s := range samples {
			if s == nil || s != samples[0] {
				t.Fatalf("caller %d got another sample", i)
			}
		}
		check(t, "scans", r.scans, 2)
		check(t, "cpu percent", byPID(t, samples[0].Processes, 400).CPUPercent, 100.0)
		check(t, "time", samples[0].Time.Sub(r.began), 10200*time.Millisecond)

		// Another a little later is measured from there, and need not wait.
		r.at(12200 * time.Millisecond)
		f.process(400, 40, 1000)
		s, err := r.Collect(t.Context(), PartProcesses|PartTasks)
		if err != nil {
			t.Fatal(err)
		}
		check(t, "cpu percent", byPID(t, s.Processes, 400).CPUPercent, 10.0)
		check(t, "time", s.Time.Sub(r.began), 12200*time.Millisecond)
		check(t, "scans", r.scans, 3)

		// Much later the old reading would tell an average of minutes; so two new ones are made.
		r.at(50 * time.Second)
		f.process(400, 1000, 1000)
		s, err = r.Collect(t.Context(), PartProcesses)
		if err != nil {
			t.Fatal(err)
		}
		check(t, "cpu percent", byPID(t, s.Processes, 400).CPUPercent, 0.0)
		check(t, "time", s.Time.Sub(r.began), 50200*time.Millisecond)
		if times, _ := r.published(); times != "200:0" {
			t.Errorf("samples on demand are published: %s", times)
		}
		r.stop()
	})
}

// Ticks without a part do not make a sample that has it older.
func TestCollectIsServedBySamplesOfTheLastSecond(t *testing.T) {
	f := newStage(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, f, 100*time.Millisecond)
		r.at(2 * time.Second)
		for range 30 {
			if _, err := r.Collect(t.Context(), PartProcesses); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Collect(t.Context(), PartTasks|PartSockets); err != nil {
				t.Fatal(err)
			}
			time.Sleep(30 * time.Millisecond)
		}
		check(t, "scans in a second", r.scans, 3)
		if _, err := r.Collect(t.Context(), 255); err != nil {
			t.Errorf("parts that are not known: %v", err)
		}
		r.stop()
	})
}

// What ended before somebody watches is no news to those who watch; and what nobody asks for is not kept.
func TestProcessesAreForgottenWhenNobodyLooks(t *testing.T) {
	f := newStage(t)
	f.process(400, 0, 1000)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, f, time.Second)
		r.at(2 * time.Second)
		if _, err := r.Collect(t.Context(), PartProcesses); err != nil {
			t.Fatal(err)
		}
		f.remove("proc/400")
		r.at(2900 * time.Millisecond)
		r.published()
		release := r.Watch(PartProcesses)
		r.at(3150 * time.Millisecond)
		times, last := r.published()
		check(t, "samples", times, "3100:2")
		if len(last.Processes) != 7 || len(last.Ended) != 0 {
			t.Errorf("%d processes, ended %v", len(last.Processes), last.Ended)
		}
		release()
		r.at(20 * time.Second)
		r.stop()
		if n := len(r.reader.table.rows); n != 0 {
			t.Errorf("%d processes are kept", n)
		}
	})
}

func TestCollectEndsWithItsContextAndWithTheCollector(t *testing.T) {
	f := newStage(t)
	synctest.Test(t, func(t *testing.T) {
		r := start(t, f, time.Minute)
		r.at(10 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := r.Collect(ctx, PartProcesses); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after its context ended, the error is %v", err)
		}
		if n := len(r.pending); n != 0 {
			t.Errorf("%d requests are left", n)
		}
		result := make(chan error)
		go func() {
			_, err := r.Collect(t.Context(), PartProcesses)
			result <- err
		}()
		time.Sleep(50 * time.Millisecond)
		r.stop()
		if err := <-result; !errors.Is(err, ErrStopped) {
			t.Errorf("while the collector stopped, the error is %v", err)
		}
		if _, err := r.Collect(t.Context(), 0); !errors.Is(err, ErrStopped) {
			t.Errorf("after the collector stopped, the error is %v", err)
		}
	})
}

func TestCollectWaitsForTheStart(t *testing.T) {
	f := newStage(t)
	synctest.Test(t, func(t *testing.T) {
		c, err := New(f.config(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan *Sample, 1)
		go func() {
			s, _ := c.Collect(t.Context(), PartProcesses|PartTasks)
			got <- s
		}()
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		go c.Run(ctx, func(*Sample) {})
		if s := <-got; s == nil || len(s.Processes) != 7 {
			t.Errorf("the sample is %v", s)
		}
		cancel()
		synctest.Wait()
	})
}
