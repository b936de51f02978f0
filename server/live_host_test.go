package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"topdeck/collector"
)

// readThisHost has the server read the machine that the test runs on.
func readThisHost(t *testing.T) (edit func(*Config), start func(s *testServer)) {
	c, err := collector.New(collector.Config{Interval: 200 * time.Millisecond})
	if err != nil {
		t.Skip(err)
	}
	return func(cfg *Config) { cfg.Collector = c }, func(s *testServer) {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx, s.Publish) }()
		t.Cleanup(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// live opens the live connection of a signed-in browser.
func (b *browser) live() *dialled {
	b.s.t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{subprotocol}, EnableCompression: true}
	header := http.Header{"Origin": {b.base}, "Cookie": {b.cookie}}
	conn, response, err := dialer.Dial("ws"+strings.TrimPrefix(b.base, "http")+apiPrefix+"/live", header)
	if err != nil {
		b.s.t.Fatalf("%v: %+v", err, response)
	}
	c := &dialled{Conn: conn, t: b.s.t, follower: newFollower(), done: make(chan struct{})}
	b.s.t.Cleanup(func() { conn.Close() })
	go c.follow()
	return c
}

// The client of the contract, on this machine: what it has from snapshots and deltas is what a list tells, processes and
// sockets that come and go included.
func TestLiveFollowsThisHost(t *testing.T) {
	begun := time.Now()
	edit, start := readThisHost(t)
	s := startServer(t, edit)
	start(s)
	b := s.signedIn("ann", Admin)
	c := b.live()
	c.until("hello", func(f *follower) bool { return f.hello != nil })
	if hello := c.follower.hello; hello.Username != "ann" || hello.Role != Admin || hello.Build == "" {
		t.Errorf("hello is %+v", hello)
	}
	mark := fmt.Sprintf("987654.%010d", os.Getpid()) // of our own children: seconds for sleep(1)
	c.say(`{"watch":{"id":"all","topic":"processes"}}`)
	c.say(`{"watch":{"id":"own","topic":"processes","q":"name:sleep cmdline:` + mark + `","sort":"pid","order":"asc"}}`)
	c.say(`{"watch":{"id":"sockets","topic":"sockets","q":"state:LISTEN"}}`)
	c.say(`{"watch":{"id":"summary","topic":"summary"}}`)
	c.until("all views", func(f *follower) bool {
		return f.view("all").seq > 0 && f.view("own").seq > 0 && f.view("sockets").seq > 0 && f.view("summary").seq > 1
	})

	var children []*exec.Cmd
	for range 5 {
		child := exec.Command("sleep", mark)
		if err := child.Start(); err != nil {
			t.Skip(err)
		}
		children = append(children, child)
		defer func() {
			child.Process.Kill()
			child.Wait()
		}()
	}
	c.until("the births", func(f *follower) bool { return len(f.view("own").rows) == 5 })
	children[0].Process.Kill()
	children[0].Wait()
	c.until("a death", func(f *follower) bool { return len(f.view("own").rows) == 4 })

	ln, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skip(err)
	}
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	c.until("our listener", func(f *follower) bool {
		for _, row := range f.view("sockets").rows {
			if row["localPort"] == float64(port) && row["localAddress"] == "::1" && row["protocol"] == "tcp6" {
				return true
			}
		}
		return false
	})

	// The list over HTTP has the same rows. Processes of the machine end meanwhile, so try until it is so.
	own := into[ProcessesReply](t, b.want(200, "GET", "/processes?q=name:sleep+cmdline:"+mark+"&sort=pid", nil))
	c.mu.Lock()
	for _, p := range own.Processes {
		row := c.follower.view("own").rows[strconv.Itoa(p.PID)+":"+strconv.FormatUint(p.StartTime, 10)]
		if row == nil || row["cmdline"] != p.Cmdline || row["user"] != p.User || row["startedAt"] != p.StartedAt.Format(time.RFC3339Nano) {
			t.Errorf("live it is %v, listed %+v", row, p)
		}
	}
	c.mu.Unlock()
	if own.Matched != 4 {
		t.Errorf("%d of our children are listed", own.Matched)
	}
	c.until("the same processes live and listed", func(f *follower) bool {
		listed := into[ProcessesReply](t, b.want(200, "GET", "/processes", nil))
		old := map[string]bool{} // those from before: of them no more come, however busy the machine is
		for _, p := range listed.Processes {
			if p.StartedAt.Before(begun) {
				old[strconv.Itoa(p.PID)+":"+strconv.FormatUint(p.StartTime, 10)] = true
			}
		}
		same := len(old) > 0
		for key, row := range f.view("all").rows {
			if at, err := time.Parse(time.RFC3339Nano, row["startedAt"].(string)); err != nil || at.Before(begun) {
				same = same && old[key]
				delete(old, key)
			}
		}
		return same && len(old) == 0
	})
	c.until("a change told as one", func(f *follower) bool { return f.view("all").deltas > 0 })

	// A revoked session is hung up on.
	from := time.Now()
	b.want(204, "DELETE", "/session", nil)
	if code := c.closed(); code != closeSessionEnded || time.Since(from) > time.Second {
		t.Errorf("closed with %d after %v", code, time.Since(from))
	}
}

// What is done shows at once to everybody who is signed in, and a server that goes away says so.
func TestLiveTellsOfOperations(t *testing.T) {
	s := startServer(t)
	ann, vic := s.signedIn("ann", Admin), s.signedIn("vic", Viewer)
	one, two := ann.live(), vic.live()
	one.until("hello", func(f *follower) bool { return f.hello != nil })
	two.until("hello", func(f *follower) bool { return f.hello != nil })
	ann.want(201, "POST", "/users", map[string]any{"username": "bob", "password": testPassword, "role": "viewer"})
	for _, c := range []*dialled{one, two} {
		c.until("the new account", func(f *follower) bool {
			return len(f.events) > 0 && f.events[len(f.events)-1].Operation.LogType == "user.add" && f.unseen == s.log.Unseen()
		})
	}
	ann.want(200, "POST", "/operations/seen", map[string]any{"all": true})
	two.until("that all is seen", func(f *follower) bool { return f.unseen == 0 })

	from := time.Now()
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if a, b := one.closed(), two.closed(); a != closeGoingAway || b != closeGoingAway || time.Since(from) > 4*time.Second {
		t.Errorf("closed with %d and %d after %v", a, b, time.Since(from))
	}
}
