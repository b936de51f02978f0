package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.etcd.io/bbolt"

	"topdeck/control"
)

// testCost is a hash that takes no time.
var testCost = hashCost{memory: 8, passes: 1, threads: 1}

const testPassword = "correct horse battery"

// testClock is a wall clock, and one that nobody sets. They stand still until they are moved.
type testClock struct {
	mu     sync.Mutex
	t      time.Time
	passed time.Duration
}

func newTestClock() *testClock { return &testClock{t: time.Now()} }

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *testClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t, c.passed = c.t.Add(d), c.passed+d
}

// jump sets the wall clock.
func (c *testClock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func (c *testClock) elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.passed
}

// testServer is a server on a real listener, with a database of its own.
type testServer struct {
	*Server
	t       *testing.T
	clock   *testClock
	db      *bbolt.DB
	log     *control.Log
	address string // host and port
	stderr  *lockedBuffer
}

// cookieName is the name of the session's cookie, for a browser that reaches the server at its own address.
func (s *testServer) cookieName() string {
	_, port, _ := strings.Cut(s.address, ":")
	return cookieName + "-" + port
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// startServer starts a server in a fresh data folder; edit may change its configuration.
func startServer(t *testing.T, edit ...func(*Config)) *testServer {
	t.Helper()
	return startServerIn(t, t.TempDir(), newTestClock(), edit...)
}

// startServerIn starts a server in a data folder that may hold things already.
func startServerIn(t *testing.T, dir string, clock *testClock, edit ...func(*Config)) *testServer {
	t.Helper()
	s := &testServer{t: t, clock: clock, stderr: &lockedBuffer{}}
	var err error
	if s.db, err = OpenDB(dir); err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(s.stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if s.log, err = control.OpenLog(s.db, control.LogConfig{Logger: logger, Now: clock.now}); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(Config{
		DB: s.db, DataDir: dir, Log: s.log, Logger: logger, Now: clock.now, Elapsed: clock.elapsed, hashCost: testCost,
		App: fstest.MapFS{"index.html": {Data: []byte("<!doctype html><title>topdeck</title>")}},
	})
	for _, f := range edit {
		f(&cfg)
	}
	if s.Server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	s.app.Server().MaxIdleWorkerDuration = 100 * time.Millisecond
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = ln.Addr().String()
	if cfg.TLS {
		config, err := SelfSigned(t.TempDir(), []string{"127.0.0.1"}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		ln = tls.NewListener(ln, config)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	s.wait("the server listens", func() bool { // so that what is looked at below is there
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.listener != nil
	})
	t.Cleanup(func() {
		s.stopServing()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s
}

// stopServing closes the server and what it stands on. A second call does nothing.
func (s *testServer) stopServing() {
	if err := s.Close(context.Background()); err != nil {
		s.t.Error(err)
	}
	if err := s.log.Close(); err != nil {
		s.t.Error(err)
	}
	if err := s.db.Close(); err != nil {
		s.t.Error(err)
	}
}

// wait polls until cond holds; what is kept in turns of ten seconds may take a second turn on a busy machine.
func (s *testServer) wait(what string, cond func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !cond(); {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// addUser makes an account.
func (s *testServer) addUser(name string, role Role) {
	s.t.Helper()
	if _, err := s.accounts.Add(Actor{Name: "test"}, name, testPassword, role); err != nil {
		s.t.Fatal(err)
	}
}

// signedIn makes an account and a browser that it is signed in with.
func (s *testServer) signedIn(name string, role Role) *browser {
	s.t.Helper()
	s.addUser(name, role)
	b := s.browser()
	b.signIn(name)
	return b
}

// operations are the records of the log, the oldest first, as "logType target actor".
func (s *testServer) operations() []string {
	s.t.Helper()
	page, err := s.log.List(context.Background(), control.Filter{Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	var list []string
	for _, o := range page.Operations {
		list = append([]string{strings.Join([]string{o.LogType, o.Target, o.Actor}, " ")}, list...)
	}
	return list
}

// browser sends what a browser on a page of ours would, and keeps cookies.
type browser struct {
	s      *testServer
	base   string
	header http.Header
	cookie string // name=value
}

func (s *testServer) browser() *browser {
	base := "http://" + s.address
	return &browser{s: s, base: base, header: http.Header{"Origin": {base}, "Content-Type": {"application/json"}}}
}

// goesOn takes the browser to the same server after its restart, which in these tests has another port.
func (b *browser) goesOn(s *testServer) {
	b.cookie = strings.Replace(b.cookie, b.s.cookieName(), s.cookieName(), 1)
	b.s, b.base = s, "http://"+s.address
	b.header.Set("Origin", b.base)
}

// answer is a response, read.
type answer struct {
	*http.Response
	body []byte
}

// code is the contract's error code, or the status where there is none.
func (a answer) code() string {
	var reply ErrorReply
	if json.Unmarshal(a.body, &reply) == nil && reply.Error.Code != "" {
		return reply.Error.Code
	}
	return a.Status
}

func (a answer) message() string {
	var reply ErrorReply
	_ = json.Unmarshal(a.body, &reply)
	return reply.Error.Message
}

// client takes no cookies, follows nothing and keeps no connection.
var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       30 * time.Second,
}

// send sends a request; path is below /api/v1 unless it begins with "//". body is sent as JSON unless it is a string.
func (b *browser) send(method, path string, body any) answer {
	b.s.t.Helper()
	text, ok := body.(string)
	if !ok && body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			b.s.t.Fatal(err)
		}
		text = string(encoded)
	}
	url := b.base + apiPrefix + path
	if rest, outside := strings.CutPrefix(path, "//"); outside {
		url = b.base + "/" + rest
	}
	request, err := http.NewRequest(method, url, strings.NewReader(text))
	if err != nil {
		b.s.t.Fatal(err)
	}
	request.Header = b.header.Clone()
	if host := request.Header.Get("Host"); host != "" {
		request.Host = host
	}
	if b.cookie != "" {
		request.Header.Set("Cookie", b.cookie)
	}
	response, err := client.Do(request)
	if err != nil {
		b.s.t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		b.s.t.Fatal(err)
	}
	for _, c := range response.Cookies() {
		if strings.HasSuffix(c.Name, deviceCookie) {
			continue
		}
		b.cookie = c.Name + "=" + c.Value
		if c.Value == "" {
			b.cookie = ""
		}
	}
	return answer{response, read}
}

// want sends a request and checks the status.
func (b *browser) want(status int, method, path string, body any) answer {
	b.s.t.Helper()
	a := b.send(method, path, body)
	if a.StatusCode != status {
		b.s.t.Fatalf("%s %s: got %s %s, want %d", method, path, a.Status, a.body, status)
	}
	return a
}

func (b *browser) signIn(name string) {
	b.s.t.Helper()
	b.want(200, "POST", "/session", map[string]string{"username": name, "password": testPassword})
}

// into decodes an answer.
func into[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	decoder := json.NewDecoder(bytes.NewReader(a.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("cannot read %s: %v", a.body, err)
	}
	return v
}

// testConfig fills in the parts that a server needs and the tests of accounts do not look at.
func testConfig(cfg Config) Config {
	host := newFakeHost()
	cfg.Collector, cfg.Services, cfg.Host, cfg.Processes = host, host, host, host
	cfg.Control, cfg.Commands = &fakeControl{}, true
	return cfg
}
