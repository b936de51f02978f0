package server

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"topdeck/control"
)

// soak tells that there is time for the long form of a test (make soak).
var soak = os.Getenv("TOPDECK_SOAK") == "1"

// often is how often something is tried: few times in make test, many times in make soak.
func often(few, many int) int {
	if soak {
		return many
	}
	return few
}

// open connects to the server, from an address of its own in 127.0.0.0/8 unless from is empty.
func (s *testServer) open(from string) net.Conn {
	s.t.Helper()
	dialer := net.Dialer{Timeout: 20 * time.Second}
	if from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	conn, err := dialer.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return conn
}

func (s *testServer) waiting() (n int) {
	s.connections.mu.Lock()
	defer s.connections.mu.Unlock()
	return len(s.connections.open)
}

// TestIdleSocketsShutNobodyOut opens more connections than there is room for, from the address that the administrator has too.
func TestIdleSocketsShutNobodyOut(t *testing.T) {
	head := "POST /api/v1/session HTTP/1.1\r\nHost: %s\r\nOrigin: http://%[1]s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
	for name, begin := range map[string]string{"idle": "", "in the headers": "GET / HTTP/1.1\r\nHost: ", "in the body": head, "answered": "GET /healthz HTTP/1.1\r\nHost: %s\r\n\r\n"} {
		for _, edit := range [][]func(*Config){nil, {withTLS}} {
			if edit != nil && name != "idle" {
				continue
			}
			t.Run(fmt.Sprintf("%s, TLS %v", name, edit != nil), func(t *testing.T) {
				s := startServer(t, edit...)
				s.addUser("ann", Admin)
				if edit == nil { // one that a session came with outlasts those that are nobody's
					known := s.open("")
					b := s.browser()
					b.signIn("ann")
					request := "GET /api/v1/session HTTP/1.1\nHost: " + s.address + "\nCookie: " + b.cookie
					keptAlive(t, known, request)
					defer keptAlive(t, known, request)
				}
				n := often(maxConnections+500, 5000)
				for i := range n {
					conn := s.open("")
					text := begin
					if strings.Contains(text, "%") {
						text = fmt.Sprintf(begin, s.address)
					}
					if _, err := io.WriteString(conn, text); err != nil {
						t.Fatalf("connection %d: %v", i, err)
					}
				}
				if got := s.waiting(); got > maxConnections {
					t.Errorf("%d connections are kept, want at most %d", got, maxConnections)
				}
				if edit != nil {
					if a := s.raw("GET /healthz HTTP/1.1\nHost: "+s.address, ""); a.StatusCode != 200 {
						t.Errorf("over TLS: got %s", a.Status)
					}
					return
				}
				for range 20 {
					s.browser().signIn("ann")
				}
				t.Logf("row 15: %d sockets, %s, from the administrator's address, %d kept; 20 of 20 sign-ins", n, name, s.waiting())
			})
		}
	}
}

// keptAlive sends a request on a connection that goes on.
func keptAlive(t *testing.T, conn net.Conn, head string) {
	t.Helper()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, strings.ReplaceAll(head, "\n", "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("got %v %v", response, err)
	}
	if _, err := io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
}

// TestLargeBodyIsRefusedAtOnce declares bodies that never come. Waiting for them would end in another answer.
func TestLargeBodyIsRefusedAtOnce(t *testing.T) {
	for name, edit := range map[string][]func(*Config){"plain": nil, "TLS": {withTLS}} {
		s := startServer(t, edit...)
		s.addUser("ann", Admin)
		scheme := map[bool]string{false: "http", true: "https"}[s.cfg.TLS]
		head := " HTTP/1.1\nHost: " + s.address + "\nOrigin: " + scheme + "://" + s.address + "\nContent-Type: application/json\n"
		for request, want := range map[string]string{
			"POST /api/v1/session" + head + "Content-Length: 10737418240":                       "larger than 16384 bytes",
			"POST /api/v1/session" + head + "Content-Length: 16385\n\n{":                        "larger than 16384 bytes",
			"POST /api/v1/session" + head + "Expect: 100-continue\nContent-Length: 10737418240": "larger than 16384 bytes",
			"POST /api/v1/users" + head + "Content-Length: 10737418240":                         "sign in first",
			"POST /api/v1/users" + head + "Content-Length: 100\n\n{":                            "sign in first",
			"POST /api/v1/users" + head + "Transfer-Encoding: chunked":                          "sign in first",
			"POST /api/v1/nothing" + head + "Connection: close\nContent-Length: 10737418240":    "nothing at this path",
			"GET /api/v1/session" + head + "Content-Length: 10737418240":                        "sign in first",
		} {
			a := s.raw(request, "")
			if !strings.Contains(a.message(), want) || a.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %.60q: got %s %s, want %q", name, request, a.Status, a.body, want)
			}
		}
	}
	t.Log("row 15: bodies of 10 GiB that never come, plain, in chunks and over TLS: refused at once")
}

// TestReadersThatNeverRead has a hundred connections that watch everything and read nothing, while one follows each change. It misses
// none, all others are cut off, and what waits for them is kept once for all.
func TestReadersThatNeverRead(t *testing.T) {
	const readers = 100
	s := serveLive(t)
	var stalled []*dialled
	for i := range readers {
		c := s.dialOnly(fmt.Sprintf("sloth%d", i/4), Admin)
		c.say(`{"watch":{"id":"p","topic":"processes"}}`)
		stalled = append(stalled, c)
	}
	quick := s.dial("ann", Admin)
	quick.say(`{"watch":{"id":"p","topic":"processes"}}`)
	quick.until("an answer", func(f *follower) bool { return f.watches["p"] > 0 })
	s.settle(readers + 1)
	inUse := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := inUse(), uint64(0)
	waiting := func() (n int) { // to be cut off
		s.hub.mu.Lock()
		defer s.hub.mu.Unlock()
		for c := range s.hub.clients {
			if !c.isOver() {
				n++
			}
		}
		return n - 1
	}
	detail, random := make([]byte, 60_000), rand.NewChaCha8([32]byte{}) // nothing that compresses well
	n := 0
	for ; waiting() > 0 && n < 2000; n++ {
		random.Read(detail)
		for i := range detail {
			detail[i] = ' ' + detail[i]%90
		}
		s.hub.operation(&control.Operation{ID: fmt.Sprint(n), Detail: string(detail)}, n)
		s.publish(process(n+1, 0))
		quick.until("the event", func(f *follower) bool { return len(f.events) == n+1 && f.view("p").seq == uint64(n+1) })
		if n%20 == 0 {
			most = max(most, inUse())
		}
	}
	s.settle(1)
	for _, c := range stalled {
		if _, err := io.Copy(io.Discard, c.NetConn()); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Error(err)
		}
	}
	if grown := int64(most) - int64(before); grown > 64<<20 { // of which the one that reads, in this process, keeps every event
		t.Errorf("the memory grew by %d MiB", grown>>20)
	}
	t.Logf("row 15: %d that never read were cut off after %d events; memory from %d to at most %d MiB", readers, n, before>>20, most>>20)
}
