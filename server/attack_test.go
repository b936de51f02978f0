package server

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// baseline notes how many goroutines and descriptors there are; the result waits until there are no more of them again.
func (s *testServer) baseline() (back func()) {
	s.t.Helper()
	descriptors := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			s.t.Fatal(err)
		}
		return len(list)
	}
	s.browser().want(200, "GET", "//healthz", nil)
	goroutines, files := runtime.NumGoroutine(), descriptors()
	return func() {
		s.t.Helper()
		s.browser().want(200, "GET", "//healthz", nil)
		for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > goroutines || descriptors() > files; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				s.t.Fatalf("%d goroutines and %d descriptors, %d and %d before\n%s", runtime.NumGoroutine(), descriptors(), goroutines, files,
					stacks[:runtime.Stack(stacks, true)])
			}
		}
		if text := s.stderr.String(); strings.Contains(text, "panic") {
			s.t.Fatalf("something panicked: %s", text)
		}
	}
}

// parallel runs f for 0 to n-1, a few at a time.
func parallel(n int, f func(i int)) {
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := worker; i < n; i += 8 {
				f(i)
			}
		})
	}
	all.Wait()
}

// throw sends bytes, says that no more follow, and returns all that is answered until the server hangs up.
func (s *testServer) throw(text []byte) []byte {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Error(err)
		return nil
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	go func() {
		_, _ = conn.Write(text)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	answer, err := io.ReadAll(conn)
	if err, slow := err.(net.Error); slow && err.Timeout() {
		s.t.Errorf("the server neither answers nor hangs up after %.300q", text)
	}
	return answer
}

// TestBrokenRequests throws requests at the server that are broken in all kinds of ways.
func TestBrokenRequests(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	host := "Host: " + s.address + "\r\n"
	own := host + "Origin: http://" + s.address + "\r\nCookie: " + b.cookie + "\r\nContent-Type: application/json\r\n"
	good := [][]byte{
		[]byte("GET / HTTP/1.1\r\n" + host + "\r\n"),
		[]byte("GET /api/v1/processes?q=nginx&sort=pid&limit=5 HTTP/1.1\r\n" + own + "\r\n"),
		[]byte("POST /api/v1/session HTTP/1.1\r\n" + own + "Content-Length: 39\r\n\r\n" + `{"username":"x","password":"123456789"}`),
		[]byte("POST /api/v1/session HTTP/1.1\r\n" + own + "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"use\r\n0\r\n\r\n"),
		[]byte("POST /api/v1/session/confirm HTTP/1.1\r\n" + own + "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}"),
		[]byte("PATCH /api/v1/users/ann HTTP/1.1\r\n" + own + "Content-Length: 15\r\n\r\n" + `{"role":"admin"`),
		[]byte("GET /api/v1/live HTTP/1.1\r\n" + own + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: topdeck.v1\r\n\r\n"),
	}
	parts := [][]byte{
		[]byte("\r\n"), []byte("\n"), []byte("\x00"), []byte("\r"), []byte(": "), []byte("Content-Length: -1\r\n"), []byte("Content-Length: 99999999999999999999\r\n"),
		[]byte("Transfer-Encoding: chunked\r\n"), []byte("Transfer-Encoding: gzip, chunked\r\n"), []byte("Host: evil.example\r\n"), []byte("ffffffffffffffff\r\n"),
		[]byte("%00"), []byte("%"), []byte("/../../etc/passwd"), []byte("HTTP/9.9"), []byte(" "), []byte("\xff\xfe"), bytes.Repeat([]byte("X: y\r\n"), 3000),
		bytes.Repeat([]byte("A"), 70000), bytes.Repeat([]byte("["), 20000), []byte("Expect: 100-continue\r\n"), []byte("Connection: close\r\n"), []byte("GET / HTTP/1.1\r\n\r\n"),
	}
	back := s.baseline()
	var mu sync.Mutex
	answers := map[string]int{}
	n := often(2000, 10_000)
	parallel(n, func(i int) {
		r := rand.New(rand.NewPCG(5, uint64(i)))
		answer := s.throw(mutate(r, good[r.IntN(len(good))], parts))
		kind := "none"
		if len(answer) > 0 {
			kind, _, _ = strings.Cut(strings.TrimPrefix(string(answer), "HTTP/1.1 100 Continue\r\n\r\n"), "\r\n")
			if !strings.HasPrefix(kind, "HTTP/1.1 ") || strings.HasPrefix(kind, "HTTP/1.1 500") || !bytes.Contains(answer, []byte("nosniff")) && !strings.Contains(kind, "101") {
				t.Errorf("request %d is answered with %.200q", i, answer)
			}
		}
		mu.Lock()
		answers[kind]++
		mu.Unlock()
	})
	back()
	b.want(200, "GET", "/session", nil)
	t.Logf("row 1: %d broken requests: %v; goroutines and descriptors as before", n, answers)
}

// mutate breaks text in one to four places.
func mutate(r *rand.Rand, text []byte, parts [][]byte) []byte {
	text = bytes.Clone(text)
	for range 1 + r.IntN(4) {
		at := r.IntN(len(text) + 1)
		switch r.IntN(6) {
		case 0: // put something in
			text = append(text[:at:at], append(bytes.Clone(parts[r.IntN(len(parts))]), text[at:]...)...)
		case 1: // cut the end off
			text = text[:at]
		case 2: // take a piece out
			to := min(len(text), at+r.IntN(20))
			text = append(text[:at:at], text[to:]...)
		case 3: // change a byte
			if at < len(text) {
				text[at] = byte(r.IntN(256))
			}
		case 4: // say a piece twice
			to := min(len(text), at+r.IntN(100))
			text = append(text[:to:to], text[at:]...)
		case 5: // noise
			for range r.IntN(30) {
				text = append(text, byte(r.IntN(256)))
			}
		}
	}
	return text
}

// TestBrokenFrames throws WebSocket frames at the server that are broken in all kinds of ways, some after some that are not.
func TestBrokenFrames(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	other := b.live() // who behaves is not disturbed
	other.until("hello", func(f *follower) bool { return f.hello != nil })
	back := s.baseline()
	handshake := "GET /api/v1/live HTTP/1.1\r\nHost: " + s.address + "\r\nOrigin: http://" + s.address + "\r\nCookie: " + b.cookie +
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Sec-WebSocket-Protocol: topdeck.v1\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
	n, per := often(3000, 100_000), 5
	var mu sync.Mutex
	closed := map[string]int{}
	parallel(n/per, func(i int) {
		r := rand.New(rand.NewPCG(6, uint64(i)))
		text := []byte(handshake)
		for range per {
			text = append(text, brokenFrame(r)...)
		}
		reader := bufio.NewReader(bytes.NewReader(s.throw(text)))
		response, err := http.ReadResponse(reader, nil)
		if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
			t.Errorf("connection %d: %v %v", i, response, err)
			return
		}
		how, err := lastFrame(reader)
		if err != nil {
			t.Errorf("connection %d: %v", i, err)
		}
		mu.Lock()
		closed[how]++
		mu.Unlock()
	})
	back()
	b.want(201, "POST", "/users", map[string]any{"username": "bob", "password": testPassword, "role": "viewer"})
	other.until("the new account", func(f *follower) bool { return len(f.events) > 0 })
	t.Logf("row 1: %d broken frames on %d connections, which ended with %v; goroutines and descriptors as before", n, n/per, closed)
}

// brokenFrame makes a frame (RFC 6455, 5.2) that is mostly not one.
func brokenFrame(r *rand.Rand) []byte {
	messages := []string{
		`{"watch":{"id":"p","topic":"processes","q":"a b:"}}`, `{"watch":{"id":"s","topic":"sockets"}}`, `{"unwatch":{"id":"p"}}`, `{"watch":null}`, `{}`, `[]`, `"`,
		`{"watch":{"id":"p","topic":"journal","service":"\u0000","lines":-1}}`, `{"watch":{"id":"o","topic":"output","operation":"9"}}`,
		strings.Repeat(`{"watch":`, 5000), "\xff\xfe", "", strings.Repeat("x", 70_000),
	}
	payload := []byte(messages[r.IntN(len(messages))])
	if r.IntN(2) == 0 {
		payload = mutate(r, payload, [][]byte{[]byte(`"`), []byte("{"), []byte("\\ud800"), {0}})
	}
	first, mask := byte(0x81), byte(0x80)
	length := uint64(len(payload))
	switch r.IntN(10) {
	case 0:
		first = byte(r.IntN(256)) // any opcode, any reserved bit
	case 1:
		mask = 0 // a client must mask
	case 2:
		length = r.Uint64() // not what follows
	case 3:
		first = 0x01 | byte(r.IntN(2))<<7 // begins a message, and perhaps ends it
	case 4:
		first = 0x80 | byte(8+r.IntN(3)) // close, ping and pong with anything in them
	case 5:
		first = 0xC1 // compressed, and it is not
	case 6:
		first = 0x80 // goes on with nothing
	}
	frame := []byte{first}
	switch {
	case length < 126 && r.IntN(8) > 0:
		frame = append(frame, mask|byte(length))
	case length < 1<<16 && r.IntN(8) > 0:
		frame = binary.BigEndian.AppendUint16(append(frame, mask|126), uint16(length))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, mask|127), length)
	}
	key := [4]byte{byte(r.IntN(256)), 1, 2, 3}
	if mask != 0 {
		frame = append(frame, key[:]...)
		for i := range payload {
			payload[i] ^= key[i%4]
		}
	}
	frame = append(frame, payload...)
	if r.IntN(10) == 0 {
		frame = frame[:r.IntN(len(frame))]
	}
	return frame
}

// lastFrame reads the server's frames to the end, which must be whole, and tells how it hung up.
func lastFrame(reader *bufio.Reader) (how string, err error) {
	how = "no close frame"
	for {
		var head [2]byte
		if _, err := io.ReadFull(reader, head[:]); err == io.EOF {
			return how, nil
		} else if err != nil {
			return how, fmt.Errorf("half a frame after %s: %w", how, err)
		}
		if head[0]&0x30 != 0 || head[1]&0x80 != 0 {
			return how, fmt.Errorf("the server sends a broken frame: %x", head)
		}
		length := uint64(head[1])
		if extended := map[byte]int{126: 2, 127: 8}[head[1]]; extended > 0 {
			wide := make([]byte, 8)
			if _, err := io.ReadFull(reader, wide[8-extended:]); err != nil {
				return how, nil // hung up on in the middle
			}
			length = binary.BigEndian.Uint64(wide)
		}
		payload := make([]byte, min(length, 1<<24))
		if _, err := io.ReadFull(reader, payload); err != nil {
			return how, nil
		}
		if head[0]&15 == 8 {
			if how = "an empty close frame"; len(payload) >= 2 {
				how = fmt.Sprint(binary.BigEndian.Uint16(payload))
			}
		}
	}
}
