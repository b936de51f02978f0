package server

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"topdeck/collector"
	"topdeck/control"
)

// fakeHost stands for what reads the host, for the service managers and for the sessions.
type fakeHost struct {
	mu       sync.Mutex
	watched  map[collector.Parts]int
	services []control.Service
	reasons  map[string]string
	failed   []string
	asked    int
	dead     map[string]bool
	touched  map[string]int
	sample   *collector.Sample // what Collect gives
	failure  error
	facts    collector.Host
}

func newFakeHost() *fakeHost {
	return &fakeHost{watched: map[collector.Parts]int{}, dead: map[string]bool{}, touched: map[string]int{}, sample: &collector.Sample{
		Parts:   collector.PartTasks | collector.PartProcesses | collector.PartSockets,
		Summary: collector.Summary{Errors: map[string]string{}},
	}}
}

func (f *fakeHost) Collect(context.Context, collector.Parts) (*collector.Sample, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sample, f.failure
}

func (f *fakeHost) History() (time.Duration, []collector.Point) { return time.Second, nil }

func (f *fakeHost) Host(context.Context) *collector.Host { return &f.facts }

func (f *fakeHost) Detail(context.Context, int, bool) (*collector.ProcessDetail, error) {
	return nil, collector.ErrEnded
}

func (f *fakeHost) Watch(p collector.Parts) func() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watched[p]++
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.watched[p]--
	}
}

func (f *fakeHost) watches(p collector.Parts) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.watched[p]
}

func (f *fakeHost) Services(ctx context.Context) ([]control.Service, map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return f.services, f.reasons
}

// askedSince is how often the services were read since it was called before.
func (f *fakeHost) askedSince() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.asked
	f.asked = 0
	return n
}

func (f *fakeHost) Failed() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}

func (f *fakeHost) Managers() []string { return []string{"systemd"} }

func (f *fakeHost) whyEnded(id string) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return "it is dead", f.dead[id]
}

func (f *fakeHost) touch(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.touched[id]++
}

// fakeWire is a client's side of a connection. While stalled, a write waits, as it does when nobody reads.
type fakeWire struct {
	mu       sync.Mutex
	follower *follower
	got      []*message
	broken   error // what the follower complained of
	code     int
	reason   string
	pings    int
	stalled  chan struct{} // nil, or closed when the stall is over
	hungUp   chan struct{}
	once     sync.Once
}

func (w *fakeWire) try(m *message) (sent bool, err error) {
	w.mu.Lock()
	stalled := w.stalled != nil
	if m.plain[0] == finished|opClose { // what is said is of interest, also where nobody listens
		w.code, w.reason = int(binary.BigEndian.Uint16(m.plain[2:])), string(m.plain[4:])
	}
	w.mu.Unlock()
	if stalled {
		return false, nil
	}
	return true, w.write(m)
}

func (w *fakeWire) write(m *message) error {
	w.mu.Lock()
	stalled := w.stalled
	w.mu.Unlock()
	if stalled != nil {
		select {
		case <-stalled:
		case <-w.hungUp:
			return io.ErrClosedPipe
		case <-time.After(writeWait):
			return errors.New("timeout")
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch m.plain[0] {
	case finished | opPing:
		w.pings++
		return nil
	case finished | opClose:
		return nil
	}
	w.got = append(w.got, m)
	if err := w.follower.take(m.data); err != nil && w.broken == nil {
		w.broken = err
	}
	return nil
}

func (w *fakeWire) hangUp() { w.once.Do(func() { close(w.hungUp) }) }

func (w *fakeWire) stall() (resume func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	stalled := make(chan struct{})
	w.stalled = stalled
	return func() {
		w.mu.Lock()
		w.stalled = nil
		w.mu.Unlock()
		close(stalled)
	}
}

// stage is a hub with a host and clients that are not there.
type stage struct {
	*testing.T
	host    *fakeHost
	hub     *hub
	running []*actor
	clock   time.Duration
	rows    []*collector.Process // of the last sample
}

// actor is one client on the stage.
type actor struct {
	*liveClient
	wire *fakeWire
	gone bool
}

// onStage runs play in a bubble of its own time, and checks that nothing is left running.
func onStage(t *testing.T, play func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		host := newFakeHost()
		s := &stage{T: t, host: host, hub: newHub(host, host, host, slog.New(slog.DiscardHandler), "build")}
		s.hub.control = &fakeControl{}
		s.hub.start()
		s.hub.operation(nil, 7)
		play(t, s)
		for _, a := range s.running {
			s.leave(a)
			if a.wire.broken != nil {
				t.Errorf("client %s: %v", a.username, a.wire.broken)
			}
		}
		s.hub.close(t.Context())
		for parts, n := range host.watched {
			if n != 0 {
				t.Errorf("parts %d are still watched %d times", parts, n)
			}
		}
		if len(s.hub.views) != 0 || len(s.hub.clients) != 0 || len(s.hub.sessionN) != 0 {
			t.Errorf("the hub still has %d views, %d clients, %d sessions", len(s.hub.views), len(s.hub.clients), len(s.hub.sessionN))
		}
	})
}

func (s *stage) enter(name string, role Role) *actor {
	s.Helper()
	a := &actor{wire: &fakeWire{follower: newFollower(), hungUp: make(chan struct{})}}
	a.liveClient = newClient("session of "+name, name, role, a.wire, func(c *liveClient) { s.hub.ready <- c })
	if err := s.hub.join(a.liveClient); err != nil {
		s.Fatal(err)
	}
	s.running = append(s.running, a)
	return a
}

func (s *stage) leave(a *actor) {
	if a.gone {
		return
	}
	a.gone = true
	a.end(0, "")
	<-a.done
	a.stopTimer()
	s.hub.leave(a.liveClient)
}

func (s *stage) watch(a *actor, w Watch) {
	s.Helper()
	if err := s.hub.watch(a.liveClient, w); err != nil {
		s.Fatal(err)
	}
	synctest.Wait()
}

// sample publishes a sample of everything, a second later. As the collector does, it hands on rows that have not changed.
func (s *stage) sample(processes []collector.Process, ended ...collector.Ended) *collector.Sample {
	s.clock += time.Second
	rows := pointers(processes)
	for i := range rows {
		if j := slices.IndexFunc(s.rows, func(p *collector.Process) bool { return *p == *rows[i] }); j >= 0 {
			rows[i] = s.rows[j]
		}
	}
	s.rows = rows
	sample := &collector.Sample{
		Time:      time.Unix(1_700_000_000, 0).Add(s.clock),
		Parts:     collector.PartTasks | collector.PartProcesses | collector.PartSockets,
		Summary:   collector.Summary{Tasks: &collector.Tasks{Total: len(processes)}, Errors: map[string]string{}},
		Processes: rows, Ended: ended, Errors: map[string]string{},
	}
	s.hub.publish(sample)
	synctest.Wait()
	return sample
}

func process(pid int, cpu float64) collector.Process {
	return collector.Process{PID: pid, StartTime: uint64(pid) * 10, User: "root", State: "S", Comm: fmt.Sprint("p", pid),
		Cmdline: fmt.Sprintf("/bin/p%d --password=secret%d", pid, pid), Argv0: fmt.Sprint("/bin/p", pid), CPUPercent: cpu}
}
