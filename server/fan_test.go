package server

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"topdeck/collector"
	"topdeck/control"
)

// What fan-out costs is written down by make bench; here is what noise cannot change: bytes, allocations and memory.

// manyProcesses are those of a busy host, of which so many have changed since the turn before.
func manyProcesses(n, changing, turn int) []collector.Process {
	list := make([]collector.Process, n)
	for i := range list {
		list[i] = collector.Process{PID: 300 + i*3, StartTime: uint64(1000 + i*i), StartedAt: time.Unix(1_700_000_000+int64(i), int64(i%100)*1e7).UTC(),
			PPID: 1 + i%9, User: "www-data", State: "S", Comm: fmt.Sprint("worker-", i), Argv0: "/usr/sbin/worker", RSS: uint64(i%500) << 14,
			Cmdline: fmt.Sprintf("/usr/sbin/worker --id=%d --config=/etc/worker/%d.conf", i, i%7), VSize: uint64(i) << 22, Threads: 1 + i%40,
			Unit: fmt.Sprintf("worker@%d.service", i%50)}
		if i%(n/changing) == 0 {
			list[i].CPUPercent, list[i].RSS = float64((turn*37+i)%1000)/10, list[i].RSS+uint64(turn*i%512)<<12
		}
	}
	return list
}

func TestTickIsSmallOnTheWire(t *testing.T) {
	host := newFakeHost()
	h := newHub(host, host, host, slog.New(slog.DiscardHandler), "build")
	v, err := h.newView(Watch{Topic: "processes"}, Admin)
	if err != nil {
		t.Fatal(err)
	}
	rows := pointers(manyProcesses(2000, 50, 0))
	for turn := range 3 {
		rows = slices.Clone(rows)
		for i, p := range pointers(manyProcesses(2000, 50, turn)) {
			if i%(2000/50) == 0 {
				rows[i] = p
			}
		}
		sample := &collector.Sample{Time: time.Unix(1_700_000_000, 0), Parts: collector.PartProcesses, Processes: rows, Errors: map[string]string{}}
		if err := v.advance(&tick{sample: sample}); err != nil {
			t.Fatal(err)
		}
	}
	delta := v.state.Load().delta
	if n := bytes.Count(delta.data, []byte(`"pid"`)); n < 45 || n > 50 {
		t.Errorf("%d rows have changed", n)
	}
	if n := len(delta.frame(true)); n > 6<<10 {
		t.Errorf("%d bytes go over the wire (%d before compression)", n, len(delta.plain))
	}
}

func TestMessagesAreFramedOnce(t *testing.T) {
	for _, n := range []int{1, 123, 124, compressFrom, 0xfffd, 0xfffe, 200_000} { // with quotes, these are the bounds of RFC 6455, 5.2
		text := strings.Repeat("x", n)
		m, err := newViewMessage(text)
		if err != nil {
			t.Fatal(err)
		}
		server, client := net.Pipe()
		go func() {
			server.Write(m.frame(false))
			server.Write(m.frame(true))
			server.Close()
		}()
		for i := range 2 {
			payload, packed := readFrame(t, client)
			if packed != (i == 1 && n+2 >= compressFrom) {
				t.Errorf("%d bytes: compressed is %t", n, packed)
			}
			if packed {
				inflated, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload), strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff"))))
				if err != nil {
					t.Error(err)
				}
				payload = inflated
			}
			if string(payload) != `"`+text+`"` {
				t.Errorf("%d bytes: got %d", n, len(payload))
			}
		}
		if first, second := m.frame(true), m.frame(true); &first[0] != &second[0] {
			t.Error("it is compressed for each client anew")
		}
	}
	event, err := newMessage(strings.Repeat("x", 10_000))
	if err != nil {
		t.Fatal(err)
	}
	if len(event.frame(true)) < 10_000 {
		t.Error("what strangers may have written is compressed")
	}
}

// readFrame reads one frame that a server sent.
func readFrame(t *testing.T, from io.Reader) (payload []byte, packed bool) {
	t.Helper()
	head := make([]byte, 2, maxHeader)
	read := func(p []byte) {
		if _, err := io.ReadFull(from, p); err != nil {
			t.Fatal(err)
		}
	}
	read(head)
	size := int(head[1])
	if more := map[int]int{126: 2, 127: 8}[size]; more > 0 {
		length := make([]byte, more)
		read(length)
		size = 0
		for _, b := range length {
			size = size<<8 | int(b)
		}
	}
	if head[0]&^compressed != finished|opText {
		t.Fatalf("a frame begins with %x", head)
	}
	payload = make([]byte, size)
	read(payload)
	return payload, head[0]&compressed != 0
}

// dialBare opens a live connection that knows no extension, and sends its first message along with the handshake.
func (s *liveServer) dialBare(message string) net.Conn {
	s.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(conn, "GET /live HTTP/1.1\r\nHost: x\r\nUser: ann\r\nRole: admin\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: "+subprotocol+"\r\n\r\n"+
		string([]byte{finished | opText, 0x80 | byte(len(message)), 0, 0, 0, 0})+message) // masked with zeros
	head := make([]byte, 0, 512)
	for one := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, one...) {
		if _, err := conn.Read(one); err != nil {
			s.Fatalf("%v after %q", err, head)
		}
	}
	if text := string(head); !strings.HasPrefix(text, "HTTP/1.1 101 ") || strings.Contains(strings.ToLower(text), "extensions") {
		s.Fatalf("the handshake was answered with %q", head)
	}
	return conn
}

func TestLiveWithoutCompression(t *testing.T) {
	s := serveLive(t)
	conn := s.dialBare(`{"watch":{"id":"p","topic":"processes"}}`)
	for i, want := range []string{`"type":"hello"`, `"type":"watching"`} {
		if payload, packed := readFrame(t, conn); packed || !bytes.Contains(payload, []byte(want)) {
			t.Errorf("message %d is %.100q, compressed %t", i, payload, packed)
		}
	}
	s.publish(manyProcesses(100, 10, 1)...)
	if payload, packed := readFrame(t, conn); packed || !bytes.Contains(payload, []byte(`"worker-99"`)) {
		t.Errorf("the snapshot is %.100q, compressed %t", payload, packed)
	}
}

// TestSlowReaderGetsWholeFrames has pongs, which the library writes, come between frames that the kernel takes a part of at a time.
func TestSlowReaderGetsWholeFrames(t *testing.T) {
	s := serveLive(t)
	c := s.dialOnly("ann", Admin)
	s.settle(1)
	const n = 150
	for i := range n {
		s.hub.operation(&control.Operation{ID: fmt.Sprint(i), Message: strings.Repeat("x", 20<<10)}, i)
		if i%10 == 0 {
			if err := c.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)); err != nil {
				t.Fatal(err)
			}
		}
	}
	go c.follow()
	c.until("every event", func(f *follower) bool { return len(f.events) == n })
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, e := range c.follower.events {
		if e.Operation.ID != fmt.Sprint(i) || len(e.Operation.Message) != 20<<10 {
			t.Errorf("event %d is %s", i, e.Operation.ID)
		}
	}
}

// TestPagesAreSmall holds the memory of a page, and that it comes back.
func TestPagesAreSmall(t *testing.T) {
	const pages, most = 300, 28 << 10 // it is 12 KB, and with the race detector 20
	s := serveLive(t)
	open := func() (close func()) {
		var clients []net.Conn
		for range pages {
			clients = append(clients, s.dialBare(`{"watch":{"id":"p","topic":"processes"}}`))
		}
		s.settle(pages)
		return func() {
			for _, conn := range clients {
				conn.Close()
			}
			s.settle(0)
		}
	}
	memory := func() uint64 {
		runtime.GC() // twice: pools let go of what they hold at the second one
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	open()() // what is made once
	before := memory()
	leave := open()
	for range 2 {
		s.publish(process(1, 1))
	}
	during := memory()
	leave()
	for range 4 { // a leak grows
		open()()
	}
	after := memory()
	if each := (during - before) / pages; each > most { // with its client's end in this test
		t.Errorf("a page takes %d bytes", each)
	} else {
		t.Logf("a page takes %d bytes", each)
	}
	if after > before+pages*most/2 {
		t.Errorf("%d bytes stay when %d pages have come and gone", after-before, 5*pages)
	}
}
