package collector

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// moment is the processor time of a process, in ticks, read by a test itself between two times.
type moment struct {
	from, to time.Time
	ticks    float64
}

func timeOf(t *testing.T, pid int) (m moment) {
	t.Helper()
	m.from = time.Now()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	m.to = time.Now()
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.ParseFloat(field, 64)
		if err != nil {
			t.Fatal(err)
		}
		m.ticks += n
	}
	return m
}

// watchingSource looks at some processes right before and right after each is read; where the source reads all before it
// shows one, before it reads any.
type watchingSource struct {
	processSource
	atOnce        bool
	look          func(pid int) moment
	pids          []int
	before, after *[]map[int]moment // by scan
}

func (s watchingSource) scan(visit func(*counts)) error {
	before, after := make(map[int]moment), make(map[int]moment)
	*s.before, *s.after = append(*s.before, before), append(*s.after, after)
	for _, pid := range s.pids {
		before[pid] = s.look(pid)
	}
	return s.processSource.scan(func(c *counts) {
		for _, pid := range s.pids {
			if pid == c.pid {
				after[pid] = s.look(pid)
			} else if _, read := after[pid]; !read && !s.atOnce {
				before[pid] = s.look(pid)
			}
		}
		visit(c)
	})
}

// TestPercentIsThatOfProc compares the CPU percent of processes with the growth of utime and stime in /proc: it may differ
// by a clock tick, and by what may have passed between our reading and the test's.
func TestPercentIsThatOfProc(t *testing.T) {
	for _, source := range []string{"proc", "bpf"} {
		t.Run(source, func(t *testing.T) {
			if source == "bpf" {
				kernel(t)
			}
			testPercent(t, source)
		})
	}
}

func testPercent(t *testing.T, source string) {
	c, err := New(Config{Interval: time.Second, Source: source})
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, threads := range []string{"1", "3"} {
		h := startHelper(t, "spin", threads)
		h.line()
		pids = append(pids, h.pid)
	}
	idle := startHelper(t, "wait")
	idle.line()
	pids = append(pids, idle.pid)

	var before, after []map[int]moment
	c.reader.table.source = watchingSource{
		c.reader.table.source, source == "bpf", func(pid int) moment { return timeOf(t, pid) }, pids, &before, &after,
	}
	defer c.Watch(PartProcesses)()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	tick := 1.0
	if source == "bpf" {
		tick = 2 // /proc cuts utime and stime off, each at a tick
	}
	close := 0 // comparisons in which little time passed between our reading and the test's
	_ = c.Run(ctx, func(s *Sample) {
		last := len(before) - 1
		if last < 1 || t.Failed() {
			return
		}
		narrow := true
		for i, pid := range pids {
			b0, a0, b1, a1 := before[last-1][pid], after[last-1][pid], before[last][pid], after[last][pid]
			least := (b1.ticks - a0.ticks - tick) / a1.to.Sub(b0.from).Seconds()
			most := (a1.ticks - b0.ticks + tick) / b1.from.Sub(a0.to).Seconds()
			got := byPID(t, s.Processes, pid).CPUPercent
			if got < least-0.05 || got > most+0.05 {
				t.Errorf("process %d, which spins in %d threads: %v %%, want %.2f to %.2f", pid, []int{1, 3, 0}[i], got, least, most)
			}
			if i < 2 && got < 1 {
				t.Errorf("process %d spins and has %v %%", pid, got)
			}
			narrow = narrow && most-least < 5
		}
		if narrow {
			close++
		}
		if close == 3 || t.Failed() {
			cancel()
		}
	})
	if close < 3 && !t.Failed() {
		t.Errorf("only %d of %d samples could be compared closely", close, len(before))
	}
}
