package main

import (
	"fmt"
	"syscall"
	"time"
)

// growth measures what each further process or socket costs a tick. By /proc half of RLIMIT_NOFILE processes have a
// descriptor that stays open; what those beyond cost is told by itself.
func (b *bench) growth() error {
	const most = 25_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	kept := int(limit.Cur/2) - 500 // those of the machine itself take some
	for _, topic := range []string{"processes", "sockets"} {
		sizes := []int{1000, 5000, most}
		if topic == "processes" && kept > 5000 && kept < most {
			sizes = []int{1000, 5000, kept, most}
		}
		costs := map[string][]float64{} // by source, one for each size
		var reached []int
		for _, n := range sizes {
			processes, sockets := n, 0
			if topic == "sockets" {
				processes, sockets = max(100, n/100), n
			}
			if err := b.calm(); err != nil {
				return err
			}
			herd, err := b.herd(processes, 0, sockets)
			if err != nil {
				b.table.skip(fmt.Sprintf("growth to %d %s", n, topic), "skipped: "+err.Error())
				break
			}
			reached = append(reached, n)
			err = b.growthStep(topic, costs)
			herd.end()
			if err != nil {
				return err
			}
		}
		for _, name := range []string{"bpf", "proc"} {
			c := costs[name]
			if len(c) < len(reached) {
				continue // without this source
			}
			step := func(from, to int, beside string, target float64) {
				if to >= len(reached) {
					return
				}
				each := func(i, j int) []float64 { return []float64{(c[j] - c[i]) / float64(reached[j]-reached[i])} }
				b.table.compare(fmt.Sprintf("growth, by %s: each further one of %d to %d %s%s", name, reached[from], reached[to], topic, beside),
					each(from, to), each(0, 1), microseconds, fmt.Sprintf("each of %d to %d", reached[0], reached[1]), target)
			}
			if last := len(sizes) - 1; name == "proc" && last > 2 {
				step(1, 2, "", 1.25)
				step(2, last, ", whose files are opened each time", 0)
			} else {
				step(1, last, "", 1.25)
			}
		}
	}
	return nil
}

// growthStep adds the cost of a tick with what is there now, by each source, both in the same seconds.
func (b *bench) growthStep(topic string, costs map[string][]float64) error {
	sources := []string{"bpf", "proc"}
	var servers []*served
	for _, name := range sources {
		s, err := b.serveSigned("--source", name)
		servers = append(servers, s)
		if err != nil {
			continue // watched has told why
		}
		defer s.end()
		p, err := s.open(topic)
		if err != nil {
			return err
		}
		defer p.close()
	}
	b.pause(warmUp)
	ticks := make([][]float64, len(servers))
	for range 3 {
		from, began := make([]float64, len(servers)), time.Now()
		for i, s := range servers {
			if s != nil {
				from[i] = processCPU(s.pid())
			}
		}
		b.pause(2 * time.Second)
		for i, s := range servers {
			if s != nil {
				ticks[i] = append(ticks[i], (processCPU(s.pid())-from[i])/time.Since(began).Seconds())
			}
		}
	}
	for i, s := range servers {
		if s != nil {
			costs[sources[i]] = append(costs[sources[i]], median(ticks[i]))
		}
	}
	return nil
}
