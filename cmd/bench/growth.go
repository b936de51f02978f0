package main

import (
	"fmt"
	"syscall"
	"time"
)

const settled = 3 * time.Second // after some have come or gone, where nothing is read again for a while

// growth measures what each further process or socket costs a tick. By /proc half of RLIMIT_NOFILE processes have a
// descriptor that stays open; what those beyond cost is told by itself.
//
// A slope is a difference of ticks, which differ by themselves: so the same servers see the host grow and shrink again, and
// each way is a round. What drifts meanwhile makes one way steeper and the other flatter.
func (b *bench) growth() error {
	const most = 25_000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	kept := int(limit.Cur/2) - 500 // those of the machine itself take some
	for _, topic := range []string{"processes", "sockets"} {
		sizes, ways, settling := []int{1000, 5000, most}, 2, warmUp
		if topic == "processes" && kept > 5000 && kept < most {
			sizes = []int{1000, 5000, kept, most}
		}
		if topic == "sockets" { // which cost less: 4,000 of them as much as a tick differs from the next
			sizes[1] = 13_000
			ways, settling = 3, settled
		}
		costs, err := b.grow(topic, sizes, min(b.rounds, ways), settling)
		if err != nil {
			return err
		}
		for _, name := range []string{"bpf", "proc"} {
			c := costs[name]
			if c == nil {
				continue // without this source
			}
			each := func(from, to int) (costs []float64) {
				for way := range c[to] {
					costs = append(costs, (c[to][way]-c[from][way])/float64(sizes[to]-sizes[from]))
				}
				return costs
			}
			step := func(from, to int, beside string, target float64) {
				if c[to] != nil {
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

// grow gives what a tick costs by each source at each size, once for each way; of a size that the machine does not allow, nothing.
func (b *bench) grow(topic string, sizes []int, ways int, settling time.Duration) (map[string][][]float64, error) {
	if err := b.calm(); err != nil {
		return nil, err
	}
	servers, costs := map[string]*served{}, map[string][][]float64{}
	for _, source := range []string{"bpf", "proc"} {
		s, err := b.serveSigned("--source", source)
		if err != nil {
			continue // watched has told why
		}
		defer s.end()
		p, err := s.open(topic)
		if err != nil {
			return nil, err
		}
		defer p.close()
		servers[source], costs[source] = s, make([][]float64, len(sizes))
	}
	var herds []*child // of each size what it has more than the one before
	defer func() {
		for _, h := range herds {
			h.end()
		}
	}()
	for way := range ways {
		for i := range sizes {
			if way%2 == 1 {
				i = len(sizes) - 1 - i
			}
			for len(herds) > i+1 {
				herds[len(herds)-1].end()
				herds = herds[:len(herds)-1]
			}
			wait := settled
			if len(herds) == i {
				more := sizes[i]
				if i > 0 {
					more -= sizes[i-1]
				}
				processes, sockets := more, 0
				if topic == "sockets" {
					processes, sockets = max(100, more/100), more
				}
				h, err := b.herd(processes, 0, sockets)
				if err != nil {
					b.table.skip(fmt.Sprintf("growth to %d %s", sizes[i], topic), "skipped: "+err.Error())
					sizes = sizes[:i]
					break
				}
				herds, wait = append(herds, h), settling
			}
			b.pause(wait)
			for source, cost := range b.tickCosts(servers) {
				costs[source][i] = append(costs[source][i], cost)
			}
		}
	}
	return costs, b.ctx.Err()
}

// tickCosts is what a second costs each of the servers, in the same seconds: the median of some.
func (b *bench) tickCosts(servers map[string]*served) map[string]float64 {
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
	return costs
}
