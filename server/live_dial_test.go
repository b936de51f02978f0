package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/gofiber/fiber/v2"

	"topdeck/collector"
)

// liveServer is the live part behind a real listener. Its host is played; who signs in is told by a header.
type liveServer struct {
	*testing.T
	host *fakeHost
	hub  *hub
	addr string
	tls  *tls.Config // nil without TLS
	tick int
}

func serveLive(t *testing.T) *liveServer { return serveLiveTLS(t, nil) }

func serveLiveTLS(t *testing.T, config *tls.Config) *liveServer {
	t.Helper()
	host := newFakeHost()
	logger := slog.New(slog.DiscardHandler)
	s := &Server{cfg: Config{Logger: logger}, hub: newHub(host, host, host, logger, "build")}
	s.hub.control = &fakeControl{}
	s.hub.start()
	app := fiber.New(fiber.Config{DisableStartupMessage: true, Immutable: true, ErrorHandler: func(c *fiber.Ctx, err error) error {
		writeError(c.Context(), logger, err)
		return nil
	}})
	app.Get("/live", func(c *fiber.Ctx) error {
		c.Locals(localSession, &Session{ID: "session of " + c.Get("User"), Username: c.Get("User"), Role: Role(c.Get("Role"))})
		return s.openLive(c)
	})
	app.Server().KeepHijackedConns = true
	app.Server().MaxIdleWorkerDuration = 100 * time.Millisecond
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	if config != nil {
		ln = tls.NewListener(ln, config)
	}
	served := make(chan error, 1)
	go func() { served <- app.Listener(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		s.hub.close(ctx)
		if err := app.ShutdownWithContext(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		if len(s.hub.clients)+len(s.hub.views) > 0 {
			t.Errorf("%d clients and %d views are left", len(s.hub.clients), len(s.hub.views))
		}
	})
	return &liveServer{T: t, host: host, hub: s.hub, addr: addr, tls: config}
}

// dialled is a real client that follows what it is sent.
type dialled struct {
	*websocket.Conn
	t      *testing.T
	server *liveServer

	mu       sync.Mutex
	follower *follower
	err      error // that ended the connection
	done     chan struct{}
}

func (s *liveServer) dial(name string, role Role) *dialled {
	s.Helper()
	c := s.dialOnly(name, role)
	go c.follow()
	return c
}

// dialOnly connects and reads nothing.
func (s *liveServer) dialOnly(name string, role Role) *dialled {
	s.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{subprotocol}, EnableCompression: true}
	scheme := "ws://"
	if s.tls != nil {
		scheme, dialer.TLSClientConfig = "wss://", &tls.Config{InsecureSkipVerify: true}
	}
	conn, response, err := dialer.Dial(scheme+s.addr+"/live", http.Header{"User": {name}, "Role": {string(role)}})
	if err != nil {
		s.Fatalf("%v: %+v", err, response)
	}
	if conn.Subprotocol() != subprotocol || !strings.Contains(response.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate") {
		s.Errorf("negotiated %v", response.Header)
	}
	c := &dialled{Conn: conn, t: s.T, server: s, follower: newFollower(), done: make(chan struct{})}
	s.Cleanup(func() { conn.Close() })
	return c
}

func (c *dialled) follow() {
	defer close(c.done)
	for {
		_, data, err := c.ReadMessage()
		c.mu.Lock()
		if err == nil {
			err = c.follower.take(data)
		}
		c.err = err
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// until waits for ok to hold of what the client has got.
func (c *dialled) until(what string, ok func(f *follower) bool) {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		c.mu.Lock()
		met, err := ok(c.follower), c.err
		c.mu.Unlock()
		switch {
		case met:
			return
		case err != nil:
			c.t.Fatalf("waiting for %s: %v", what, err)
		case time.Now().After(deadline):
			c.t.Fatalf("%s never came", what)
		}
	}
}

func (c *dialled) say(text string) {
	c.t.Helper()
	if err := c.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// closed waits for the end of the connection and gives the code that it was closed with.
func (c *dialled) closed() int {
	c.t.Helper()
	code, _ := c.closedWith()
	return code
}

// closedWith is closed, and the reason that came with the code.
func (c *dialled) closedWith() (code int, why string) {
	c.t.Helper()
	select {
	case <-c.done:
	case <-time.After(10 * time.Second):
		c.t.Fatal("the connection was never closed")
	}
	var end *websocket.CloseError
	if !errors.As(c.err, &end) {
		c.t.Fatalf("the connection ended with %v", c.err)
	}
	return end.Code, end.Text
}

func (s *liveServer) publish(processes ...collector.Process) {
	s.tick++
	s.hub.publish(&collector.Sample{Time: time.Unix(1_700_000_000+int64(s.tick), 0), Processes: pointers(processes), Errors: map[string]string{},
		Parts:   collector.PartTasks | collector.PartProcesses | collector.PartSockets,
		Summary: collector.Summary{Tasks: &collector.Tasks{}, Errors: map[string]string{}}})
}

// settle waits until the hub has n clients.
func (s *liveServer) settle(n int) {
	s.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		s.hub.mu.Lock()
		have := len(s.hub.clients)
		s.hub.mu.Unlock()
		if have == n {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("the hub has %d clients, want %d", have, n)
		}
	}
}
