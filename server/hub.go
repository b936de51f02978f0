package server

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"topdeck/collector"
	"topdeck/control"
)

// Bounds of the live part.
const (
	maxClients           = 6000
	maxClientsPerSession = 2000
	maxWatches           = 32  // of one client
	maxViews             = 512 // of all clients
	maxViewsPerAccount   = 128 // that its clients were the first to watch

	sweepEvery    = time.Second            // how often sessions are checked
	touchEvery    = 30 * time.Second       // how often a watched page counts as use of its session
	servicesPause = 200 * time.Millisecond // least time between two readings of the services
	servicesWait  = 5 * time.Second        // how long the service managers may take
)

// Reasons for which a client is hung up on.
const (
	closeGoingAway    = 1001
	closeTooBig       = 1009
	closeTryLater     = 1013
	closeSessionEnded = 4001
	closeSlow         = 4008
)

// Collector is what is asked of the collector; collector.Collector is one.
type Collector interface {
	// Watch has parts in every published sample until release is called, and one soon.
	Watch(collector.Parts) (release func())
	// Collect gives a sample of now that holds parts.
	Collect(context.Context, collector.Parts) (*collector.Sample, error)
	// History is the summary of the last minutes, oldest first.
	History() (interval time.Duration, points []collector.Point)
}

var _ Collector = (*collector.Collector)(nil)

// ServiceLister tells the services of all managers. control.Manager is one.
type ServiceLister interface {
	// Services lists them; errors holds the reason of each manager that could not be asked.
	Services(ctx context.Context) (services []control.Service, errors map[string]string)
	// Failed names the services that have failed, by name, as they were last known. It does not wait.
	Failed() []string
	// Managers names the managers that were found.
	Managers() []string
}

// sessionKeeper knows which sessions last.
type sessionKeeper interface {
	whyEnded(id string) (why string, ended bool)
	touch(id string)
}

// hub gives every client the views that it watches: one evaluation and one encoding for all who watch the same.
//
// Its lock is taken before a client's, and is held while views are evaluated; neither is held while anything is
// written, or asked of another part of the program that may wait.
type hub struct {
	collector Collector
	services  ServiceLister
	sessions  sessionKeeper
	logger    *slog.Logger
	build     string
	control   Controller
	commands  bool // are run here

	processes *rowType[collector.Process, processKey]
	sockets   *rowType[collector.Socket, string]
	serviced  *rowType[control.Service, serviceKey]

	mu       sync.Mutex
	unseen   int
	clients  map[*liveClient]struct{}
	sessionN map[string]int   // clients of a session
	views    map[string]*view // by name
	lastView uint64
	latest   *collector.Sample
	masked   maskedRows // what viewers see of it

	ready   chan *liveClient // have something to be written; each is there once at most
	kick    chan struct{}    // holds one: services may have changed
	joined  chan struct{}    // holds one: there is a client
	ctx     context.Context  // ends when the hub closes
	cancel  context.CancelFunc
	workers sync.WaitGroup // the hub's own
	writers sync.WaitGroup // which outlive the clients

	endWriters func()
	serving    sync.WaitGroup // one for each client
}

// newHub makes a hub that does nothing by itself until start.
func newHub(c Collector, services ServiceLister, sessions sessionKeeper, logger *slog.Logger, build string) *hub {
	ctx, cancel := context.WithCancel(context.Background())
	h := &hub{
		ctx: ctx, cancel: cancel, collector: c, services: services, sessions: sessions, logger: logger, build: build,
		processes: processRows(), sockets: socketRows(), serviced: serviceRows(),
		clients: make(map[*liveClient]struct{}), sessionN: make(map[string]int), views: make(map[string]*view),
		ready: make(chan *liveClient, maxClients), kick: make(chan struct{}, 1), joined: make(chan struct{}, 1),
	}
	h.endWriters = sync.OnceFunc(func() { close(h.ready) })
	return h
}

// start begins what the hub does by itself; close ends it.
func (h *hub) start() {
	h.workers.Go(h.sweep)
	h.workers.Go(h.readServices)
	// A sample to everybody is not to take every core of the host that it tells of; and where those who read it want the other half, as
	// many writers as there are cores take a tenth more processor time (`make bench`, fanout).
	for range (runtime.GOMAXPROCS(0) + 1) / 2 {
		h.writers.Go(func() {
			for c := range h.ready {
				c.flush()
			}
		})
	}
}

// close hangs up on every client with 1001, and returns when all are gone or ctx ends.
func (h *hub) close(ctx context.Context) {
	h.mu.Lock()
	h.cancel()
	for c := range h.clients {
		c.end(closeGoingAway, "the server is going away")
	}
	h.mu.Unlock()
	done := make(chan struct{})
	go func() {
		h.serving.Wait()
		h.workers.Wait()
		h.endWriters()
		h.writers.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// admit tells whether one more client of a session may come.
func (h *hub) admit(session string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.room(session)
}

func (h *hub) room(session string) error {
	switch {
	case h.ctx.Err() != nil:
		return errGoingAway()
	case len(h.clients) >= maxClients:
		return tooMany("there are too many live connections", 10*time.Second)
	case h.sessionN[session] >= maxClientsPerSession:
		return tooMany("this session has too many live connections", 10*time.Second)
	}
	return nil
}

// join makes a client known, and queues its hello as the first of its messages. When join fails, leave must not be called.
func (h *hub) join(c *liveClient) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.room(c.session); err != nil {
		return err
	}
	hello, err := newMessage(HelloMessage{Type: "hello", Build: h.build, Username: c.username, Role: c.role, Unseen: h.unseen, Commands: h.commands})
	if err != nil {
		return err
	}
	h.clients[c] = struct{}{}
	h.sessionN[c.session]++
	h.serving.Add(1)
	c.send(hello)
	select {
	case h.joined <- struct{}{}:
	default:
	}
	return nil
}

// leave forgets a client, and the views that only it watched.
func (h *hub) leave(c *liveClient) {
	h.mu.Lock()
	var released []func()
	for v := range c.drop() {
		released = append(released, h.unwatchView(v, c))
	}
	delete(h.clients, c)
	if h.sessionN[c.session]--; h.sessionN[c.session] == 0 {
		delete(h.sessionN, c.session)
	}
	h.mu.Unlock()
	for _, release := range released {
		release()
	}
	h.serving.Done()
}

// closeSessions hangs up, with 4001 and the reason, on every client of the sessions that ended.
func (h *hub) closeSessions(ended map[string]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		if why, over := ended[c.session]; over {
			c.end(closeSessionEnded, why)
		}
	}
}

// reconnect hangs up, with 1001, on the clients of a session that another one takes the place of: they come back with that.
func (h *hub) reconnect(session string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.clients {
		if c.session == session {
			c.end(closeGoingAway, "the session was renewed")
		}
	}
}

// sweep hangs up on clients whose session has ended, lets those that watch something count as use of theirs, and pings them. While
// there are none it sleeps: each timer that wakes an idle program costs as much as a reading of the host.
func (h *hub) sweep() {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	touched := time.Now()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-ticker.C:
		}
		h.mu.Lock()
		if len(h.clients) == 0 {
			h.mu.Unlock()
			select {
			case <-h.ctx.Done():
				return
			case <-h.joined:
			}
			continue
		}
		watching, now := make(map[string]bool, len(h.sessionN)), time.Now()
		for c := range h.clients {
			c.ping(now)
			watching[c.session] = watching[c.session] || c.isWatching()
		}
		h.mu.Unlock()
		touch := time.Since(touched) >= touchEvery
		if touch {
			touched = time.Now()
		}
		over := make(map[string]string)
		for id, watches := range watching {
			if why, ended := h.sessions.whyEnded(id); ended {
				over[id] = why
			} else if touch && watches {
				h.sessions.touch(id)
			}
		}
		if len(over) > 0 {
			h.closeSessions(over)
		}
	}
}

func errGoingAway() error { return refuse(codeUnavailable, "the server is going away") }

// setUnseen is for the start, before anything was told.
func (h *hub) setUnseen(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unseen = n
}

// operation tells every client of a change in the log; op is nil when only the number of unseen records changed.
func (h *hub) operation(op *control.Operation, unseen int) {
	var whole, part any = UnseenMessage{Type: "unseen", Unseen: unseen}, nil
	if op != nil {
		whole = OperationMessage{Type: "operation", Operation: *op, Unseen: unseen}
		part = OperationMessage{Type: "operation", Operation: maskOperation(*op), Unseen: unseen}
	} else {
		part = whole
	}
	forAll, err := newMessage(whole)
	forViewers, err2 := newMessage(part)
	if err != nil || err2 != nil {
		h.logger.Error("cannot tell of an operation", "error", err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unseen = unseen
	for c := range h.clients {
		if c.role == Viewer {
			c.send(forViewers)
		} else {
			c.send(forAll)
		}
	}
}
