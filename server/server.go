package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
	"go.etcd.io/bbolt"

	"topdeck/collector"
	"topdeck/control"
)

// Bounds of HTTP. They do not hold for a connection that has become a WebSocket.
const (
	maxBody         = 1 << 20
	maxStrangerBody = 16 << 10         // of who is not signed in: a user name and a password
	maxDrain        = 64 << 20         // what of a refused body is read, so that the client gets to see the answer
	maxHeaders      = 16 << 10         // browsers send localhost the cookies of every server on it
	headTime        = 10 * time.Second // for a request's headers
	bodyTime        = 20 * time.Second // for its body
	writeTime       = time.Minute
	keepAliveTime   = 2 * time.Minute
	closeTime       = 4 * time.Second
	graceTime       = 2 * time.Second // of it, for requests that are being answered
)

// Config is what a Server stands on; cmd wires it. Every field is needed unless it says otherwise.
type Config struct {
	DB        *bbolt.DB
	DataDir   string // where DB is; the admin socket is put there
	Collector Collector
	Log       *control.Log
	Services  ServiceLister
	Control   Controller
	Commands  bool // administrators may run commands
	// SecondFactor names the roles that may do nothing without a second factor; none by default.
	SecondFactor []Role
	Host         HostReader
	Processes    ProcessReader
	App          fs.FS    // the built browser app
	PublicURL    *url.URL // optional: where a reverse proxy shows this server
	TLS          bool     // the listener speaks TLS
	Logger       *slog.Logger
	Now          func() time.Time // the wall clock
	// Elapsed is the time since some moment, sleep of the machine counted: a clock that nobody sets.
	Elapsed func() time.Duration

	hashCost hashCost // zero: what it must be; tests ask for less
}

// Server answers HTTP and WebSocket on one listener.
type Server struct {
	cfg      Config
	app      *fiber.App
	assets   *assets
	accounts *Accounts
	sessions *sessions
	devices  devices
	throttle *throttle
	acts     *budgets
	setup    setup
	steady   func() time.Time // the wall clock of the start, going on by Elapsed
	hub      *hub

	connections *connections

	mu       sync.Mutex
	listener net.Listener
	admin    *adminSocket
	closed   bool
	stop     chan struct{} // closed when the server is
	// requests is what their contexts stand on, never a fasthttp.RequestCtx: that is used again for the next request, while a context
	// made from it may still look at it. It ends when Close waits no longer.
	requests context.Context
	cancel   context.CancelFunc
	keeping  sync.WaitGroup
}

// New builds a server, which does nothing until Serve. It fails when a route or a topic has no access rule.
func New(cfg Config) (*Server, error) {
	app, err := newAssets(cfg.App)
	if err != nil {
		return nil, fmt.Errorf("cannot read the built app: %w", err)
	}
	if cfg.hashCost == (hashCost{}) {
		cfg.hashCost = fullCost
	}
	accounts, err := newAccounts(cfg.DB, cfg.Log, cfg.Logger, cfg.Now, cfg.hashCost)
	if err != nil {
		return nil, err
	}
	started, at := accounts.now(), cfg.Elapsed()
	steady := func() time.Time { return started.Add(cfg.Elapsed() - at) }
	store, err := NewStorage(cfg.DB, sessionsBucket, accounts.now)
	if err != nil {
		return nil, err
	}
	sessions, err := newSessions(store, accounts, cfg.Logger, steady)
	if err != nil {
		return nil, err
	}
	known, err := NewStorage(cfg.DB, devicesBucket, accounts.now)
	if err != nil {
		return nil, err
	}
	accounts.changed = sessions.endChanged
	s := &Server{
		cfg: cfg, assets: app, accounts: accounts, sessions: sessions, throttle: newThrottle(steady), stop: make(chan struct{}),
		acts: newBudgets(actsAtOnce, actsEvery), connections: newConnections(), devices: devices{known}, steady: steady,
	}
	s.requests, s.cancel = context.WithCancel(context.Background())
	s.hub = newHub(cfg.Collector, cfg.Services, sessions, cfg.Logger, app.build)
	s.hub.control, s.hub.commands = cfg.Control, cfg.Commands
	cfg.Log.Subscribe(s.hub.operation)
	s.hub.setUnseen(cfg.Log.Unseen())
	sessions.hangUp = s.hub.closeSessions
	s.app = fiber.New(fiber.Config{
		DisableStartupMessage:        true,
		CaseSensitive:                true,
		StrictRouting:                true,
		Immutable:                    true, // strings from a Ctx outlive the handler
		StreamRequestBody:            true, // a body is read, within its limit, when it is known whose it is
		ReadBufferSize:               maxHeaders,
		Concurrency:                  2 * maxConnections, // those closed to make room take a moment to go
		ReadTimeout:                  headTime,
		WriteTimeout:                 writeTime,
		IdleTimeout:                  keepAliveTime,
		DisablePreParseMultipartForm: true,
		EnableTrustedProxyCheck:      true, // with no proxy named: X-Forwarded-* is never believed
		ErrorHandler: func(c *fiber.Ctx, err error) error {
			writeError(c.Context(), cfg.Logger, err)
			return nil
		},
	})
	if err := s.install(); err != nil {
		return nil, err
	}
	return s, nil
}

// addRoutes puts routes into the Fiber app, behind their rules.
func (s *Server) addRoutes(routes []route, topics map[string]access) error {
	for topic, rule := range topics {
		if rule == nobody {
			return fmt.Errorf("cannot start: the topic %s has no access rule", topic)
		}
	}
	for _, r := range routes {
		if r.access == nobody || r.handle == nil {
			return fmt.Errorf("cannot start: the route %s %s has no access rule or no handler", r.method, r.path)
		}
		s.app.Add(r.method, apiPrefix+r.path, s.guard(r))
	}
	return nil
}

// install puts everything into the Fiber app, and our front before it.
func (s *Server) install() error {
	if err := s.addRoutes(s.routes(), topics()); err != nil {
		return err
	}
	healthz := func(c *fiber.Ctx) error { return c.JSON(fiber.Map{"status": "ok"}) }
	s.app.Get("/healthz", healthz)
	unknown := func(*fiber.Ctx) error { return fiber.ErrNotFound }
	s.app.Use("/api", unknown)
	s.app.Use(s.assets.handle)

	server := s.app.Server()
	server.Handler = s.front(s.app.Handler())
	failed := server.ErrorHandler
	server.ErrorHandler = func(ctx *fasthttp.RequestCtx, err error) { // what could not be read as a request
		failed(ctx, err)
		s.secure(ctx)
	}
	// A hijacked connection is closed when we close it, and then at once: a revoked session must really hang up.
	server.KeepHijackedConns = true
	server.NoDefaultDate = true // fasthttp's own is kept by a timer of a second; secure sets it
	server.ConnState = s.connections.follow
	// A handler is called with the first byte of a body, and for one that is too large without any: fasthttp waits for none
	// when the client waits too, with "Expect".
	server.HeaderReceived = func(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
		if h.ContentLength() > maxBody {
			h.Set(fiber.HeaderExpect, "100-continue")
		}
		return fasthttp.RequestConfig{ReadTimeout: bodyTime, MaxRequestBodySize: 1}
	}
	server.ExpectHandler = func(ctx *fasthttp.RequestCtx) int {
		if ctx.Request.Header.ContentLength() <= maxBody {
			return fasthttp.StatusContinue
		}
		server.Handler(ctx)
		return ctx.Response.StatusCode()
	}
	return nil
}

// Serve answers on ln, and on the admin socket in the data folder, until Close. It may be called once.
func (s *Server) Serve(ln net.Listener) error {
	if err := s.begin(ln); err != nil {
		ln.Close()
		return err
	}
	err := s.app.Server().Serve(&patientListener{Listener: ln, logger: s.cfg.Logger, stop: s.stop, room: s.connections.room})
	select {
	case <-s.stop:
		return nil
	default:
		return fmt.Errorf("cannot go on listening: %w", err)
	}
}

func (s *Server) begin(ln net.Listener) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("cannot serve: the server is closed")
	}
	if s.admin, err = openAdminSocket(s.cfg.DataDir, s.cfg.DB, s.accounts, s.cfg.Log, s.cfg.Logger); err != nil {
		return err
	}
	s.listener = ln
	s.keeping.Go(func() { s.sessions.keep(s.stop) })
	s.hub.start()
	return nil
}

// Publish hands a sample to everybody who watches. It is what Collector.Run calls.
func (s *Server) Publish(sample *collector.Sample) {
	s.hub.publish(sample)
}

// ServicesChanged has the services read again for everybody who watches them. It never waits.
func (s *Server) ServicesChanged() { s.hub.servicesChanged() }

// Alive returns when nothing holds up what every request and every page needs: the accounts, the sessions and the hub. In a
// server that is stuck it does not return.
func (s *Server) Alive() {
	s.sessions.list()
	s.hub.watched("")
	s.connections.of(nil)
}

// Close stops listening, tells every WebSocket that the server goes away (1001), lets running requests end, and returns
// within five seconds, earlier when ctx ends. Who takes longer is cut off.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	ctx, cancel := context.WithTimeout(ctx, closeTime)
	defer cancel()
	close(s.stop)
	if s.listener != nil {
		s.listener.Close()
		s.admin.close(ctx, s.cfg.DataDir)
	}
	s.hub.close(ctx)
	grace, cancel := context.WithTimeout(ctx, graceTime)
	defer cancel()
	_ = s.app.Server().ShutdownWithContext(grace)
	s.cancel()
	s.connections.close() // of clients that do not send what they began, or do not read what they asked for
	s.keeping.Wait()
	return nil
}
