package server

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"topdeck/collector"
	"topdeck/control"
)

func TestClientSeesHelloThenViewThenDeltas(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		a := s.enter("ann", Admin)
		s.watch(a, Watch{ID: "p", Topic: "processes", Sort: "cpu"})
		got := a.wire.follower
		if *got.hello != (HelloMessage{Build: "build", Username: "ann", Role: Admin, Unseen: 7}) {
			t.Errorf("hello is %+v", got.hello)
		}
		if got.watches["p"] == 0 || got.view("p").snapshots != 0 {
			t.Error("want watching, and nothing to show before a sample")
		}
		s.sample([]collector.Process{process(1, 0), process(2, 9), process(3, 5)})
		if v := got.view("p"); v.seq != 1 || strings.Join(v.order, " ") != "2:20 3:30 1:10" {
			t.Errorf("snapshot is %+v", v)
		}
		s.sample([]collector.Process{process(1, 0), process(2, 8), process(4, 1)})
		if v := got.view("p"); v.deltas != 1 || v.keys() != "1:10 2:20 4:40" || v.rows["2:20"]["cpuPercent"] != 8.0 || v.total != 3 {
			t.Errorf("after the delta it is %+v", v)
		}
		last := a.wire.got[len(a.wire.got)-1]
		if strings.Contains(string(last.data), "/bin/p1") {
			t.Error("an unchanged row is in the delta")
		}
		s.sample([]collector.Process{process(1, 0), process(2, 8), process(4, 1)})
		if v := got.view("p"); v.deltas != 2 || v.seq != 3 {
			t.Errorf("a tick without changes must be told: %+v", v)
		}
	})
}

func TestViewsAreShared(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		admin, operator, viewer := s.enter("ann", Admin), s.enter("oda", Operator), s.enter("vic", Viewer)
		for _, a := range []*actor{admin, operator, viewer} {
			s.watch(a, Watch{ID: "p", Topic: "processes", Q: "P1 cpu>=0", Limit: 0})
			s.watch(a, Watch{ID: "q", Topic: "processes", Q: `cpuPercent>=0  "p1" p1`, Limit: maxRows + 5})
			s.watch(a, Watch{ID: "s", Topic: "sockets"})
		}
		s.watch(admin, Watch{ID: "r", Topic: "processes", Q: " cpu>=0   p1 "})
		view := func(a *actor, id string) uint64 { return a.wire.follower.watches[id] }
		if view(admin, "p") != view(operator, "p") || view(admin, "p") != view(admin, "r") {
			t.Error("the same query has two views")
		}
		if view(admin, "p") == view(viewer, "p") {
			t.Error("viewers share a view that they must not see")
		}
		if view(admin, "s") != view(viewer, "s") {
			t.Error("sockets are the same for all")
		}
		if n := s.host.watches(collector.PartProcesses); n != 4 {
			t.Errorf("processes are watched %d times, want once a view", n)
		}
		s.sample([]collector.Process{process(1, 0)})
		if admin.wire.got[len(admin.wire.got)-1] != operator.wire.got[len(operator.wire.got)-1] {
			t.Error("two clients of a view got different encodings")
		}
		before := len(admin.wire.got)
		s.sample([]collector.Process{process(1, 1)})
		if n := len(admin.wire.got) - before; n != 3 {
			t.Errorf("%d messages for 3 views", n)
		}
		// Each watch of a view brings a snapshot; the end of one leaves the other.
		if err := s.hub.unwatch(admin.liveClient, "p"); err != nil {
			t.Fatal(err)
		}
		s.sample([]collector.Process{process(1, 2)})
		if v := admin.wire.follower.view("r"); v.seq != 3 {
			t.Errorf("view stands at %d", v.seq)
		}
	})
}

func TestViewerReachesOnlyArgv0(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		viewer, operator := s.enter("vic", Viewer), s.enter("oda", Operator)
		for _, a := range []*actor{viewer, operator} {
			s.watch(a, Watch{ID: "all", Topic: "processes"})
			s.watch(a, Watch{ID: "hidden", Topic: "processes", Q: "secret1"})
			s.watch(a, Watch{ID: "field", Topic: "processes", Q: "cmdline:password"})
		}
		titled := process(2, 0) // as nginx and redis do
		titled.Argv0 = titled.Cmdline
		s.sample([]collector.Process{process(1, 0), titled})
		died := process(3, 0) // lived between two samples
		s.sample([]collector.Process{process(1, 0), titled}, collector.Ended{Process: died, ExitCode: new(1)})
		v, o := viewer.wire.follower, operator.wire.follower
		if v.view("all").keys() != "1:10 2:20" || v.view("hidden").keys() != "" || v.view("field").keys() != "" {
			t.Errorf("a viewer found %q %q by what is hidden", v.view("hidden").keys(), v.view("field").keys())
		}
		if o.view("hidden").keys() != "1:10" || o.view("field").keys() != "1:10 2:20" {
			t.Error("an operator did not find command lines")
		}
		for _, m := range viewer.wire.got {
			if strings.Contains(string(m.data), "secret") {
				t.Errorf("a viewer was told %s", m.data)
			}
		}
		if v.view("all").ended[0]["row"] == nil || len(o.view("field").ended) != 1 || len(v.view("field").ended) != 0 {
			t.Error("what ended is not filtered as the rows are")
		}
	})
}

func TestEndedRows(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		a := s.enter("ann", Admin)
		s.watch(a, Watch{ID: "p", Topic: "processes", Q: "cpu>1"})
		s.sample([]collector.Process{process(1, 5), process(2, 5), process(3, 0), process(4, 5)})
		s.sample([]collector.Process{process(2, 0), process(4, 5)},
			collector.Ended{Process: process(1, 5), ExitCode: new(3), Listed: true},
			collector.Ended{Process: process(3, 0), Signal: new(9), Listed: true},   // was not shown
			collector.Ended{Process: process(4, 5), ExitCode: new(0), Listed: true}, // still in the sample
			collector.Ended{Process: process(5, 9), Signal: new(15)},
			collector.Ended{Process: process(6, 0), Signal: new(15)}, // does not match
		)
		v := a.wire.follower.view("p")
		if v.keys() != "4:40" { // 1 ended, 2 does not match any more
			t.Errorf("shown are %s", v.keys())
		}
		told := fmt.Sprint(v.ended)
		if len(v.ended) != 2 || v.ended[0]["key"] != "1:10" || v.ended[0]["exitCode"] != 3.0 || v.ended[0]["signal"] != nil || v.ended[0]["row"] != nil ||
			v.ended[1]["key"] != "5:50" || v.ended[1]["signal"] != 15.0 || v.ended[1]["row"] == nil {
			t.Errorf("told of %s", told)
		}
	})
}

func TestLimitKeepsTheFirstInOrder(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		a := s.enter("ann", Admin)
		s.watch(a, Watch{ID: "top", Topic: "processes", Sort: "cpuPercent", Order: "desc", Limit: 2})
		s.watch(a, Watch{ID: "low", Topic: "processes", Sort: "name", Order: "asc", Limit: 2})
		s.sample([]collector.Process{process(1, 1), process(2, 5), process(3, 3)})
		top, low := a.wire.follower.view("top"), a.wire.follower.view("low")
		if top.keys() != "2:20 3:30" || low.keys() != "1:10 2:20" || top.total != 3 || top.matched != 3 {
			t.Errorf("top %s, low %s", top.keys(), low.keys())
		}
		s.sample([]collector.Process{process(1, 9), process(2, 5), process(3, 3)})
		if top.keys() != "1:10 2:20" {
			t.Errorf("top is %s", top.keys())
		}
	})
}

func TestWatchIsRefused(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		a := s.enter("ann", Admin)
		s.watch(a, Watch{ID: "p", Topic: "processes"})
		for _, test := range []struct {
			name, code, says string
			w                Watch
		}{
			{"id in use", codeConflict, "", Watch{ID: "p", Topic: "sockets"}},
			{"no id", codeInvalid, "id", Watch{Topic: "sockets"}},
			{"long id", codeInvalid, "id", Watch{ID: strings.Repeat("x", maxWatchID+1), Topic: "sockets"}},
			{"unknown topic", codeInvalid, `"weather"`, Watch{ID: "w", Topic: "weather"}},
			{"bad query", codeInvalid, "character 1", Watch{ID: "w", Topic: "processes", Q: "foo:1"}},
			{"field of another topic", codeInvalid, "character 1", Watch{ID: "w", Topic: "processes", Q: "port:1"}},
			{"bad sort", codeInvalid, "cannot sort", Watch{ID: "w", Topic: "sockets", Sort: "cpu"}},
			{"bad order", codeInvalid, "asc or desc", Watch{ID: "w", Topic: "sockets", Sort: "pid", Order: "up"}},
			{"bad limit", codeInvalid, "limit", Watch{ID: "w", Topic: "sockets", Limit: -1}},
			{"query of the summary", codeInvalid, "summary", Watch{ID: "w", Topic: "summary", Q: "x"}},
			{"query of what failed", codeInvalid, "failed", Watch{ID: "w", Topic: "failed", Q: "x"}},
		} {
			var refusal *Error
			if err := s.hub.watch(a.liveClient, test.w); !errors.As(err, &refusal) || refusal.Code != test.code || !strings.Contains(refusal.Message, test.says) {
				t.Errorf("%s: %v", test.name, err)
			}
		}
		for i := range maxWatches - 1 {
			s.watch(a, Watch{ID: fmt.Sprint(i), Topic: "summary"})
		}
		var refusal *Error
		if err := s.hub.watch(a.liveClient, Watch{ID: "more", Topic: "summary"}); !errors.As(err, &refusal) || refusal.Code != codeTooMany {
			t.Errorf("one watch too many: %v", err)
		}
		if err := s.hub.unwatch(a.liveClient, "none"); !errors.As(err, &refusal) || refusal.Code != codeNotFound {
			t.Errorf("unwatch of nothing: %v", err)
		}
		if n := s.host.watches(collector.PartSockets); n != 0 {
			t.Errorf("refused watches hold on to %d parts", n)
		}
	})
}

// TestOneAccountLeavesViewsForOthers asks for ten thousand views.
func TestOneAccountLeavesViewsForOthers(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		taken := 0
		for i := range 10_000 / maxWatches {
			greedy := s.enter("greedy", Viewer)
			for j := range maxWatches {
				if s.hub.watch(greedy.liveClient, Watch{ID: fmt.Sprint(j), Topic: "processes", Q: fmt.Sprintf("x%d-%d", i, j)}) == nil {
					taken++
				}
			}
			synctest.Wait()
		}
		if taken != maxViewsPerAccount || len(s.hub.views) != taken {
			t.Errorf("%d of 10000 views were given, and %d are open; want %d", taken, len(s.hub.views), maxViewsPerAccount)
		}
		if err := s.hub.watch(s.enter("ann", Viewer).liveClient, Watch{ID: "p", Topic: "processes"}); err != nil {
			t.Errorf("another account: %v", err)
		}
		t.Logf("row 15: 10,000 watches of one account: %d are taken, and another account has its view all the same", taken)
	})
}

func TestDifferentViewsAreBounded(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		var last error
		for i := range maxViews/maxWatches + 1 {
			a := s.enter(fmt.Sprint(i), Admin)
			for j := range maxWatches {
				if last = s.hub.watch(a.liveClient, Watch{ID: fmt.Sprint(j), Topic: "processes", Q: fmt.Sprintf("x%d-%d", i, j)}); last != nil {
					break
				}
			}
			synctest.Wait()
		}
		var refusal *Error
		if !errors.As(last, &refusal) || refusal.Code != codeTooMany || len(s.hub.views) != maxViews {
			t.Errorf("%d views, then %v", len(s.hub.views), last)
		}
	})
}

func TestPartsAreCollectedWhileWatched(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		a, b := s.enter("ann", Admin), s.enter("ben", Admin)
		for _, test := range []struct {
			topic string
			parts collector.Parts
		}{
			{"summary", collector.PartTasks}, {"processes", collector.PartProcesses},
			{"sockets", collector.PartSockets}, {"services", collector.PartProcesses | collector.PartSockets},
		} {
			s.watch(a, Watch{ID: test.topic, Topic: test.topic})
			s.watch(b, Watch{ID: test.topic, Topic: test.topic})
			if n := s.host.watches(test.parts); n != 1 {
				t.Errorf("%s: watched %d times", test.topic, n)
			}
		}
		for _, topic := range []string{"summary", "processes", "sockets"} {
			if err := s.hub.unwatch(a.liveClient, topic); err != nil {
				t.Fatal(err)
			}
		}
		s.leave(b)
		if s.host.watches(collector.PartProcesses) != 0 || s.host.watches(serviceParts) != 1 {
			t.Error("want only the services' parts held")
		}
	})
}

func TestPartThatFailsIsTold(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		a := s.enter("ann", Admin)
		s.watch(a, Watch{ID: "p", Topic: "processes"})
		s.watch(a, Watch{ID: "s", Topic: "sockets"})
		s.sample([]collector.Process{process(1, 0)})
		s.hub.publish(&collector.Sample{Time: time.Now(), Errors: map[string]string{"processes": "cannot read", "owners": "not root"}})
		synctest.Wait()
		p, k := a.wire.follower.view("p"), a.wire.follower.view("s")
		if p.keys() != "1:10" || p.total != 1 || p.errors["processes"] != "cannot read" || p.errors["owners"] != "" {
			t.Errorf("rows %s, errors %v", p.keys(), p.errors)
		}
		if k.seq != 1 {
			t.Error("a sample without sockets changed the sockets")
		}
	})
}

func TestSummaryIsWholeEachTime(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		a := s.enter("ann", Viewer)
		s.sample(nil)
		s.watch(a, Watch{ID: "s", Topic: "summary"})
		if v := a.wire.follower.view("s"); v.seq != 1 {
			t.Errorf("a summary is at hand and was not sent: %+v", v)
		}
		s.sample(nil)
		s.hub.publish(&collector.Sample{Summary: collector.Summary{Errors: map[string]string{}}}) // tasks were not counted
		synctest.Wait()
		if v := a.wire.follower.view("s"); v.snapshots != 2 {
			t.Errorf("got %d", v.snapshots)
		}
	})
}

func TestSummaryTellsWhichServicesFailed(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		a := s.enter("ann", Viewer)
		s.sample(nil)
		s.watch(a, Watch{ID: "s", Topic: "summary"})
		told := func(want string) {
			t.Helper()
			if got := fmt.Sprint(a.wire.follower.view("s").failed); got != want {
				t.Errorf("told of %s, want %s", got, want)
			}
		}
		told("{0 []}")
		s.host.failed = []string{"db.service", "web.service"}
		s.sample(nil)
		told("{2 [db.service web.service]}")
		s.host.failed = strings.Fields(strings.Repeat("x ", 300))
		s.sample(nil)
		told("{300 [x x x x x x x x x x]}")
	})
}

func TestFailedServicesAreToldWhenTheyChange(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		a := s.enter("ann", Viewer)
		s.host.failed = []string{"db.service"}
		s.watch(a, Watch{ID: "f", Topic: "failed"})
		told := func(want string, messages int) {
			t.Helper()
			if v := a.wire.follower.view("f"); fmt.Sprint(v.failed) != want || v.snapshots != messages {
				t.Errorf("told of %v in %d messages, want %s in %d", v.failed, v.snapshots, want, messages)
			}
		}
		told("{1 [db.service]}", 1)
		s.sample(nil)
		s.sample(nil)
		told("{1 [db.service]}", 1)
		s.host.failed = []string{"db.service", "web.service"}
		s.sample(nil)
		told("{2 [db.service web.service]}", 2)
		s.host.failed = nil
		s.sample(nil)
		told("{0 []}", 3)
		s.host.failed = strings.Fields(strings.Repeat("x ", 300))
		s.sample(nil)
		if v := a.wire.follower.view("f"); v.failed.Total != 300 || len(v.failed.Names) != maxFailedTold {
			t.Errorf("told of %d, of %d by name", v.failed.Total, len(v.failed.Names))
		}
	})
}

func TestServicesFollowManagersAndSamples(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		a := s.enter("ann", Viewer)
		s.host.services = []control.Service{{Name: "web.service", Manager: "systemd", ActiveState: "active"}, {Name: "cron", Manager: "sysv"}}
		s.watch(a, Watch{ID: "v", Topic: "services", Q: "web"})
		time.Sleep(servicesPause)
		synctest.Wait()
		v := a.wire.follower.view("v")
		if v.keys() != "systemd:web.service" || v.total != 2 || v.matched != 1 || v.rows["systemd:web.service"]["cpuPercent"] != nil {
			t.Fatalf("before a sample: %+v", v)
		}
		p := process(7, 2.25)
		p.Unit, p.RSS = "web.service", 1000
		s.sample([]collector.Process{p})
		time.Sleep(servicesPause)
		synctest.Wait()
		row := v.rows["systemd:web.service"]
		if row["cpuPercent"] != 2.3 || row["memory"] != 1000.0 || fmt.Sprint(row["pids"]) != "[7]" || fmt.Sprint(row["ports"]) != "[]" {
			t.Errorf("joined: %v", row)
		}
		// A change that a manager tells of, without a tick.
		s.host.mu.Lock()
		s.host.services = slices.Clone(s.host.services)
		s.host.services[0].ActiveState = "failed"
		s.host.mu.Unlock()
		s.hub.servicesChanged()
		synctest.Wait()
		if v.rows["systemd:web.service"]["activeState"] != "failed" {
			t.Errorf("after the change: %v", v.rows)
		}
		// Managers that cannot be asked take nothing away.
		s.host.mu.Lock()
		s.host.services, s.host.reasons = nil, map[string]string{"systemd": "gone"}
		s.host.mu.Unlock()
		time.Sleep(servicesPause)
		s.hub.servicesChanged()
		synctest.Wait()
		if v.keys() != "systemd:web.service" || v.errors["systemd"] != "gone" {
			t.Errorf("without the manager: %+v", v)
		}
		// A storm of changes is read at a bounded rate; and not at all when nobody watches.
		s.host.askedSince()
		for range 100 {
			s.hub.servicesChanged()
			time.Sleep(10 * time.Millisecond)
		}
		if n := s.host.askedSince(); n > 6 {
			t.Errorf("asked %d times in a second", n)
		}
		if err := s.hub.unwatch(a.liveClient, "v"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(servicesPause)
		s.host.askedSince()
		s.sample(nil)
		if s.host.askedSince() != 0 {
			t.Error("asked though nobody watches")
		}
	})
}
