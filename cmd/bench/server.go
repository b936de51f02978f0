package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fasthttp/websocket"
)

const (
	userName = "bench"
	password = "correct horse battery"
)

// served is a running topdeck serve with one account.
type served struct {
	cmd     *exec.Cmd
	address string
	cookie  string
	started time.Time
	signed  time.Time // when somebody signed in last
}

// serve starts topdeck in a data folder and waits until it answers.
func (b *bench) serve(data string, args ...string) (*served, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &served{address: ln.Addr().String()}
	ln.Close()
	s.cmd = exec.CommandContext(b.ctx, b.topdeck, append([]string{"serve", "--listen", s.address, "--data", data}, args...)...)
	var complaints bytes.Buffer
	s.cmd.Stderr = &complaints
	s.started = time.Now()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.cmd.Wait() }()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		select {
		case <-ended:
			return nil, fmt.Errorf("topdeck serve ended: %s", strings.TrimSpace(complaints.String()))
		default:
		}
		if r, err := http.Get("http://" + s.address + "/healthz"); err == nil {
			r.Body.Close()
			return s, nil
		}
	}
	s.end()
	return nil, errors.New("topdeck serve does not answer")
}

// serveSigned starts topdeck with an account and signs in.
func (b *bench) serveSigned(args ...string) (*served, error) {
	data, err := os.MkdirTemp(b.dir, "data")
	if err != nil {
		return nil, err
	}
	add := b.command(b.topdeck, "user", "add", userName, "--role", "admin", "--data", data)
	add.Stdin = strings.NewReader(password + "\n")
	if err := add.Run(); err != nil {
		return nil, fmt.Errorf("cannot add an account: %w", err)
	}
	s, err := b.serve(data, args...)
	if err != nil {
		return nil, err
	}
	if s.cookie, err = signIn(s.address); err != nil {
		s.end()
		return nil, err
	}
	s.signed = time.Now()
	return s, nil
}

func (s *served) pid() int { return s.cmd.Process.Pid }

// cpu is 0 where there is no server.
func (s *served) cpu() float64 {
	if s == nil {
		return 0
	}
	return processCPU(s.pid())
}

func (s *served) end() { _ = s.cmd.Process.Kill() } // nothing of it is needed any more; serve waits for it

// post sends JSON as a page of the server would.
func post(address, path string, body any) (*http.Response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest("POST", "http://"+address+"/api/v1"+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Origin", "http://"+address)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	response.Body.Close()
	if response.StatusCode >= 300 {
		return nil, fmt.Errorf("POST %s: %s", path, response.Status)
	}
	return response, nil
}

// signIn gives the Cookie header of a new session.
func signIn(address string) (cookie string, err error) {
	response, err := post(address, "/session", map[string]string{"username": userName, "password": password})
	if err != nil {
		return "", err
	}
	for _, c := range response.Cookies() {
		return c.Name + "=" + c.Value, nil
	}
	return "", errors.New("the sign-in gave no cookie")
}

// page is a live connection that watches, as a browser's page does, and forgets what it gets.
type page struct {
	conn  *websocket.Conn
	bytes atomic.Int64 // that came over the wire
	mu    sync.Mutex
	sizes []float64 // of each message but the first ones, on the wire
	done  chan struct{}
}

type countingConn struct {
	net.Conn
	bytes *atomic.Int64
}

func (c countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}

// open watches topics with permessage-deflate.
func (s *served) open(topics ...string) (*page, error) {
	p := &page{done: make(chan struct{})}
	dialer := websocket.Dialer{Subprotocols: []string{"topdeck.v1"}, EnableCompression: true, NetDial: func(network, address string) (net.Conn, error) {
		conn, err := net.Dial(network, address)
		return countingConn{conn, &p.bytes}, err
	}}
	var err error
	p.conn, _, err = dialer.Dial("ws://"+s.address+"/api/v1/live", http.Header{"Cookie": {s.cookie}, "Origin": {"http://" + s.address}})
	if err != nil {
		return nil, err
	}
	for _, topic := range topics {
		if err := p.conn.WriteJSON(map[string]any{"watch": map[string]string{"id": topic, "topic": topic}}); err != nil {
			return nil, err
		}
	}
	go func() {
		defer close(p.done)
		for before, n := p.bytes.Load(), 0; ; n++ {
			_, data, err := p.conn.ReadMessage()
			if err != nil {
				return
			}
			now := p.bytes.Load()
			if bytes.Contains(data[:min(len(data), 40)], []byte(`"delta"`)) {
				p.mu.Lock()
				p.sizes = append(p.sizes, float64(now-before))
				p.mu.Unlock()
			}
			before = now
		}
	}()
	return p, nil
}

// deltas are the sizes of the deltas that have come, and forgets them.
func (p *page) deltas() []float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	sizes := p.sizes
	p.sizes = nil
	return sizes
}

func (p *page) close() {
	p.conn.Close()
	<-p.done
}

// start measures how soon the server answers after it was started, and how large the app is for the first paint.
func (b *bench) start() error {
	data, err := os.MkdirTemp(b.dir, "data")
	if err != nil {
		return err
	}
	var took []float64
	for range 2*b.rounds + 1 {
		s, err := b.serve(data)
		if err != nil {
			return err
		}
		took = append(took, float64(time.Since(s.started)))
		s.end()
		b.pause(100 * time.Millisecond)
	}
	b.table.absolute("server ready after exec", took[1:], milliseconds, 300e6) // the first one makes the data folder
	s, err := b.serve(data)
	if err != nil {
		return err
	}
	defer s.end()
	size, err := appSize(s.address)
	if err != nil {
		return err
	}
	b.table.absolute("app for the first paint, compressed", []float64{size}, kilobytes, 130e3)
	return nil
}

// appSize is what a browser loads before it paints, on the wire: the page, and the scripts and styles that it names.
func appSize(address string) (total float64, err error) {
	fetch := func(path, encoding string) ([]byte, error) {
		request, err := http.NewRequest("GET", "http://"+address+path, nil)
		if err != nil {
			return nil, err
		}
		request.Header.Set("Accept-Encoding", encoding)
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close()
		var body bytes.Buffer
		if _, err := body.ReadFrom(response.Body); err != nil {
			return nil, err
		}
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("GET %s: %s", path, response.Status)
		}
		return body.Bytes(), nil
	}
	index, err := fetch("/", "identity")
	if err != nil {
		return 0, err
	}
	paths := []string{"/"}
	for _, word := range strings.FieldsFunc(string(index), func(r rune) bool { return strings.ContainsRune(`"'<> `, r) }) {
		if ext := filepath.Ext(word); strings.HasPrefix(word, "/") && (ext == ".js" || ext == ".css") {
			paths = append(paths, word)
		}
	}
	for _, path := range paths {
		body, err := fetch(path, "br, gzip")
		if err != nil {
			return 0, err
		}
		total += float64(len(body))
	}
	return total, nil
}
