package server

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"topdeck/collector"
)

// benchTicks are those of a host of n processes, of which every eighth changes from one to the next.
func benchTicks(n int) (ticks [2]*tick) {
	var rows [2][]*collector.Process
	for i := range n {
		p := new(process(i+1, 0))
		p.RSS, p.StartedAt = uint64(i)<<20, time.Unix(int64(i), 0)
		for turn := range rows {
			if i%8 == 0 {
				p = new(*p)
				p.CPUPercent = float64(turn) + 1
			}
			rows[turn] = append(rows[turn], p)
		}
	}
	for turn := range ticks {
		ticks[turn] = &tick{sample: &collector.Sample{Time: time.Unix(int64(turn), 0), Parts: collector.PartProcesses, Processes: rows[turn]}}
	}
	return ticks
}

func benchView(b *testing.B, w Watch) *view {
	host := newFakeHost()
	h := newHub(host, host, host, slog.New(slog.DiscardHandler), "build")
	v, err := h.newView(w, Admin)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// BenchmarkTick is what one view costs at each tick, whoever and however many watch it.
func BenchmarkTick(b *testing.B) {
	for _, q := range []string{"", "p1 cpu>0 -user:nobody"} {
		b.Run(fmt.Sprintf("q=%s", q), func(b *testing.B) {
			ticks := benchTicks(2000)
			v := benchView(b, Watch{Topic: "processes", Q: q, Sort: "cpu"})
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := v.advance(ticks[i%2]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// socketTicks are those of a host with n sockets, of which every 100th changes from one tick to the next.
func socketTicks(n int) (ticks [2]*tick) {
	var rows [2][]*collector.Socket
	for i := range n {
		s := &collector.Socket{Protocol: "tcp", State: "ESTABLISHED", LocalAddress: "127.0.0.1", LocalPort: 8080, RemoteAddress: "127.0.0.1",
			RemotePort: uint16(i), PID: i%500 + 1, Program: fmt.Sprint("p", i%500+1), User: "root", Inode: uint32(i + 100), Cookie: fmt.Sprint(i * 7 % n)}
		for turn := range rows {
			if i%100 == 0 {
				s = new(*s)
				s.RecvQ = uint32(turn)
			}
			rows[turn] = append(rows[turn], s)
		}
	}
	for turn := range ticks {
		ticks[turn] = &tick{sample: &collector.Sample{Time: time.Unix(int64(turn), 0), Parts: collector.PartSockets, Sockets: rows[turn]}}
	}
	return ticks
}

// BenchmarkSocketTick is BenchmarkTick for sockets; beyond 20,000 the order decides which are shown.
func BenchmarkSocketTick(b *testing.B) {
	for _, n := range []int{4000, 100_000} {
		for name, w := range map[string]Watch{"all": {}, "sorted": {Sort: "recvQ"}, "found": {Q: "p19 state:established"}} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				ticks := socketTicks(n)
				w.Topic = "sockets"
				v := benchView(b, w)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if err := v.advance(ticks[i%2]); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkSnapshot is what a client that comes or falls behind costs, at most once a tick.
func BenchmarkSnapshot(b *testing.B) {
	ticks := benchTicks(2000)
	v := benchView(b, Watch{Topic: "processes", Sort: "cpu"})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := v.advance(ticks[i%2]); err != nil {
			b.Fatal(err)
		}
		v.state.Load().snapshot().frame(true)
	}
}

func BenchmarkQuery(b *testing.B) {
	rows := benchTicks(2000)[0].sample.Processes
	q, err := compileQuery("p19 cpu>0.5 -user:nobody", processRows().fields)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for i := range rows {
			q.matches(rows[i])
		}
	}
}
