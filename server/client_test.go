package server

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"topdeck/collector"
	"topdeck/control"
)

func TestSlowClientSkipsAheadAlone(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		slow, quick := s.enter("sloth", Admin), s.enter("ann", Admin)
		for _, a := range []*actor{slow, quick} {
			s.watch(a, Watch{ID: "p", Topic: "processes"})
			s.watch(a, Watch{ID: "s", Topic: "summary"})
		}
		s.sample([]collector.Process{process(1, 0)})
		resume := slow.wire.stall()
		for i := range 10 {
			s.sample([]collector.Process{process(1, float64(i)), process(2+i, 0)})
		}
		if v := quick.wire.follower.view("p"); v.deltas != 10 || v.snapshots != 1 {
			t.Errorf("the quick one got %d deltas, %d snapshots", v.deltas, v.snapshots)
		}
		before := len(slow.wire.got)
		resume()
		synctest.Wait()
		v := slow.wire.follower.view("p")
		if v.keys() != "11:110 1:10" || v.seq != 11 || v.snapshots != 2 {
			t.Errorf("the slow one has %+v", v)
		}
		if n := len(slow.wire.got) - before; n > 4 {
			t.Errorf("%d messages were kept for the slow one", n)
		}
		s.sample([]collector.Process{process(1, 0)})
		if v.snapshots != 2 || v.keys() != "1:10" {
			t.Errorf("then it has %+v", v)
		}
	})
}

func TestEventsAreNeverDropped(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		slow, stuck, quick := s.enter("sloth", Admin), s.enter("stone", Admin), s.enter("ann", Admin)
		synctest.Wait()
		resume := slow.wire.stall()
		stuck.wire.stall()
		tell := func(i int) {
			s.hub.operation(&control.Operation{ID: fmt.Sprint(i), LogType: "user.add"}, i)
			synctest.Wait()
		}
		for i := range maxQueued {
			tell(i)
		}
		resume()
		synctest.Wait()
		for i := range 2 {
			tell(maxQueued + i)
		}
		for _, a := range []*actor{slow, quick} {
			events := a.wire.follower.events
			if len(events) != maxQueued+2 {
				t.Fatalf("%s got %d events", a.username, len(events))
			}
			for i, e := range events {
				if e.Operation.ID != fmt.Sprint(i) || e.Unseen != i {
					t.Fatalf("event %d is %+v", i, e)
				}
			}
		}
		if !stuck.isOver() || slow.isOver() || quick.isOver() {
			t.Error("want the stuck one closed, and no other")
		}
		time.Sleep(slowWait)
		<-stuck.done
		if stuck.wire.code != closeSlow || stuck.wire.reason != "slow" {
			t.Errorf("closed with %d %q", stuck.wire.code, stuck.wire.reason)
		}
	})
}

func TestEventsAreBoundedInBytes(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		a := s.enter("ann", Admin)
		synctest.Wait()
		a.wire.stall()
		for i := range 2 + maxQueuedBytes/(1<<20) {
			if a.isOver() {
				t.Fatalf("closed after %d events", i)
			}
			s.hub.operation(&control.Operation{ID: "1", Detail: strings.Repeat("x", 1<<20-1000)}, 1)
			synctest.Wait()
		}
		if !a.isOver() {
			t.Error("too much is queued")
		}
	})
}

func TestOperationsAreMaskedForViewers(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		viewer, admin := s.enter("vic", Viewer), s.enter("ann", Admin)
		op := control.Operation{ID: "1", LogType: "command.run", Target: `"/bin/my tool" --key secret`, RetStatus: control.Failed,
			Message: "my tool: secret is wrong", Detail: "secret", ExitCode: new(3)}
		s.hub.operation(&op, 2)
		s.hub.operation(nil, 0)
		synctest.Wait()
		got := viewer.wire.follower.events[0].Operation
		if got.Target != `"/bin/my tool"` || strings.Contains(got.Message+got.Detail, "secret") {
			t.Errorf("a viewer sees %+v", got)
		}
		if admin.wire.follower.events[0].Operation.Target != op.Target {
			t.Error("an administrator must see it all")
		}
		if viewer.wire.follower.unseen != 0 || admin.wire.follower.unseen != 0 {
			t.Error("unseen was not told")
		}
		if late := s.enter("eve", Viewer); true {
			synctest.Wait()
			if late.wire.follower.hello.Unseen != 0 {
				t.Error("hello tells an old number")
			}
		}
	})
}

func TestClientsEnd(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		a, b, c := s.enter("ann", Admin), s.enter("ben", Admin), s.enter("cleo", Admin)
		s.watch(a, Watch{ID: "p", Topic: "processes"})

		s.hub.closeSessions(map[string]string{b.session: endedByAdmin})
		<-b.done
		if code, why := b.why(); code != closeSessionEnded || why != endedByAdmin || a.isOver() {
			t.Errorf("revoked: %d %s", code, why)
		}
		s.hub.reconnect(c.session)
		<-c.done
		if c.wire.code != closeGoingAway {
			t.Errorf("renewed: %d", c.wire.code)
		}

		time.Sleep(2 * touchEvery)
		synctest.Wait()
		if s.host.touched[a.session] < 1 || s.host.touched[b.session] != 0 {
			t.Errorf("touched %v", s.host.touched)
		}
		s.host.mu.Lock()
		s.host.dead[a.session] = true
		s.host.mu.Unlock()
		from := time.Now()
		<-a.done
		if late := time.Since(from); late > time.Second || a.wire.code != closeSessionEnded {
			t.Errorf("expired: %d after %v", a.wire.code, late)
		}

		d := s.enter("dan", Admin)
		resume := d.wire.stall()
		defer resume()
		s.sample(nil)
		s.hub.operation(nil, 1)
		synctest.Wait()
		go func() {
			<-d.done
			s.leave(d)
		}()
		for _, gone := range []*actor{a, b, c} {
			s.leave(gone)
		}
		from = time.Now()
		s.hub.close(t.Context())
		if d.wire.code != closeGoingAway || time.Since(from) > closeWait {
			t.Errorf("shut down: %d after %v", d.wire.code, time.Since(from))
		}
		if err := s.hub.join(newClient("s", "late", Admin, d.wire, nil)); err == nil {
			t.Error("a client came in after the close")
		}
	})
}

func TestClientIsPinged(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		idle, busy := s.enter("ann", Admin), s.enter("ben", Admin)
		s.watch(busy, Watch{ID: "p", Topic: "processes"})
		for range 65 {
			time.Sleep(time.Second)
			s.sample(nil)
		}
		if idle.wire.pings != 3 || busy.wire.pings != 3 {
			t.Errorf("pinged %d and %d times in 65 s", idle.wire.pings, busy.wire.pings)
		}
	})
}

func TestClientsAreBounded(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		var clients []*liveClient
		for range maxClientsPerSession {
			c := newClient("one", "ann", Admin, &fakeWire{}, func(*liveClient) {})
			if err := s.hub.join(c); err != nil {
				t.Fatal(err)
			}
			clients = append(clients, c)
		}
		var refusal *Error
		if err := s.hub.admit("one"); !errors.As(err, &refusal) || refusal.Code != codeTooMany {
			t.Errorf("one more of a session: %v", err)
		}
		if err := s.hub.admit("two"); err != nil {
			t.Errorf("another session: %v", err)
		}
		for _, c := range clients {
			s.hub.leave(c)
		}
		if err := s.hub.admit("one"); err != nil {
			t.Error(err)
		}
	})
}

// Whatever happens, and however slow a client is, its rows are those of a fresh list in the end.
func TestClientsConverge(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		random := rand.New(rand.NewPCG(1, 2))
		queries := []Watch{{Topic: "processes"}, {Topic: "processes", Q: "cpu>5"}, {Topic: "processes", Q: "-p1", Sort: "cpu", Limit: 7}}
		var actors []*actor
		for i := range 5 {
			a := s.enter(fmt.Sprint(i), []Role{Admin, Viewer}[i%2])
			for j, w := range queries {
				w.ID = fmt.Sprint(j)
				s.watch(a, w)
			}
			actors = append(actors, a)
		}
		alive := map[int]bool{}
		var resume func()
		var last *collector.Sample
		for tick := range 200 {
			for range random.IntN(5) {
				alive[random.IntN(40)] = true
			}
			var ended []collector.Ended
			for pid := range alive {
				if random.IntN(8) == 0 {
					delete(alive, pid)
					ended = append(ended, collector.Ended{Process: process(pid, 0), Listed: true})
				}
			}
			var processes []collector.Process
			for _, pid := range slices.Sorted(maps.Keys(alive)) {
				processes = append(processes, process(pid, float64(random.IntN(3)*5)))
			}
			switch {
			case resume == nil && random.IntN(3) == 0:
				resume = actors[0].wire.stall()
			case resume != nil && random.IntN(3) == 0:
				resume()
				resume = nil
			}
			if tick%17 == 0 {
				if err := s.hub.unwatch(actors[1].liveClient, "1"); err != nil {
					t.Fatal(err)
				}
				w := queries[1]
				w.ID = "1"
				s.watch(actors[1], w)
			}
			last = s.sample(processes, ended...)
		}
		if resume != nil {
			resume()
		}
		synctest.Wait()
		for _, a := range actors {
			for j, w := range queries {
				selected, err := selectRows(processRows(), arguments{w.Q, w.Sort, w.Order, w.Limit})
				if err != nil {
					t.Fatal(err)
				}
				rows, matched := selected.list((&tick{sample: last}).processFrame(a.role == Viewer).rows)
				var want []string
				for i := range rows {
					want = append(want, selected.keyText(selected.key(&rows[i])))
				}
				slices.Sort(want)
				v := a.wire.follower.view(fmt.Sprint(j))
				if v.keys() != strings.Join(want, " ") || v.matched != matched || v.total != len(last.Processes) {
					t.Errorf("client %s, %q: has %s, want %s", a.username, w.Q, v.keys(), want)
				}
				for i := range rows {
					if row := v.rows[selected.keyText(selected.key(&rows[i]))]; row["cpuPercent"] != rows[i].CPUPercent || row["cmdline"] != rows[i].Cmdline {
						t.Errorf("client %s has %v, want %v", a.username, row, rows[i])
					}
				}
			}
		}
		if actors[0].wire.follower.view("0").snapshots < 2 {
			t.Error("the slow client was never slow")
		}
	})
}
