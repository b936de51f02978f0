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
		rounds, settling := 1, warmUp
		if topic == "sockets" { // which cost less: 4,000 of them as much as a tick differs from the next
			sizes[1] = 13_000
			rounds, settling = min(b.rounds, 3), 8*time.Second
		}
		costs := map[string][][]float64{} // by source, of each size one for each round
		reached := len(sizes)
		for range rounds {
			for i, n := range sizes[:reached] {
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
					reached = i
					break
				}
				ticks, err := b.growthStep(topic, settling)
				herd.end()
				if err != nil {
					return err
				}
				for source, cost := range ticks {
					if costs[source] == nil {
						costs[source] = make([][]float64, len(sizes))
					}
					costs[source][i] = append(costs[source][i], cost)
				}
			}
		}
		for _, name := range []string{"bpf", "proc"} {
			c := costs[name]
			if c == nil {
				continue // without this source
			}
			each := func(from, to int) (costs []float64) {
				for round := range c[to] {
					costs = append(costs, (c[to][round]-c[from][round])/float64(sizes[to]-sizes[from]))
				}
				return costs
			}
			step := func(from, to int, beside string, target float64) {
				if to < reached {
					b.table.compare(fmt.Sprintf("growth, by %s: each further one of %d to %d %s%s", name, sizes[from], sizes[to], topic, beside),
						each(from, to), each(0, 1), microseconds, fmt.Sprintf("each of %d to %d", sizes[0], sizes[1]), target)
				}
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

// growthStep gives the cost of a tick with what is there now, by each source, both in the same seconds.
func (b *bench) growthStep(topic string, settling time.Duration) (map[string]float64, error) {
	servers := map[string]*served{}
	for _, source := range []string{"bpf", "proc"} {
		s, err := b.serveSigned("--source", source)
		if err != nil {
			continue // watched has told why
		}
		defer s.end()
		servers[source] = s
		p, err := s.open(topic)
		if err != nil {
			return nil, err
		}
		defer p.close()
	}
	b.pause(settling)
	ticks := map[string][]float64{}
	for range 7 {
		from, began := map[string]float64{}, time.Now()
		for source, s := range servers {
			from[source] = s.cpu()
		}
		b.pause(time.Second)
		for source, s := range servers {
			ticks[source] = append(ticks[source], (s.cpu()-from[source])/time.Since(began).Seconds())
		}
	}
	costs := map[string]float64{}
	for source, list := range ticks {
		costs[source] = median(list)
	}
	return costs, nil
}
