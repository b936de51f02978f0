package server

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"topdeck/collector"
	"topdeck/control"
)

func TestLiveOverTheWire(t *testing.T) {
	s := serveLive(t)
	admin, viewer := s.dial("ann", Admin), s.dial("vic", Viewer)
	many := func(tick int) (processes []collector.Process) {
		for pid := 1; pid < 500; pid++ {
			if (pid+tick)%7 != 0 {
				processes = append(processes, process(pid, float64(tick%3*(pid%2))))
			}
		}
		return processes
	}
	for _, c := range []*dialled{admin, viewer} {
		c.say(`{"watch":{"id":"all","topic":"processes","q":"","sort":"cpuPercent","order":"desc","limit":0}}`)
		c.say(`{"watch":{"id":"odd","topic":"processes","q":"cpu>0 <b>&"}}`)
		c.say(`{"watch":{"id":"sum","topic":"summary"}}`)
		c.until("the answers", func(f *follower) bool { return len(f.watches) == 3 })
	}
	for tick := range 20 {
		s.publish(many(tick)...)
		time.Sleep(5 * time.Millisecond)
	}
	last := many(20)
	last[0].Comm = "<b>&\u2028日本"
	s.publish(last...)
	for _, c := range []*dialled{admin, viewer} {
		c.until("the last sample", func(f *follower) bool { return f.view("all").seq == 21 && f.view("sum").seq == 21 })
		c.mu.Lock()
		all, odd := c.follower.view("all"), c.follower.view("odd")
		if len(all.rows) != len(last) || all.total != len(last) || len(odd.rows) != 0 {
			t.Errorf("%d rows of %d, and %d", len(all.rows), len(last), len(odd.rows))
		}
		for _, p := range last {
			row := all.rows[fmt.Sprintf("%d:%d", p.PID, p.StartTime)]
			if c == viewer {
				p.Cmdline = p.Argv0
			}
			if row["comm"] != p.Comm || row["cmdline"] != p.Cmdline || row["cpuPercent"] != p.CPUPercent {
				t.Errorf("row is %v, want %v", row, p)
			}
		}
		c.mu.Unlock()
	}
	admin.say(`{"unwatch":{"id":"odd"}}`)
	admin.say(`{"watch":{"id":"odd","topic":"sockets"}}`)
	admin.until("the id used again", func(f *follower) bool { return f.view("odd").seq > 0 && f.view("odd").order == nil })
}

func TestLiveRefusesTheHandshake(t *testing.T) {
	s := serveLive(t)
	upgrade := http.Header{}
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "other, topdeck.v1", "Role": "viewer",
	} {
		upgrade.Set(name, value)
	}
	for _, test := range []struct {
		name, without, set string
		status             int
		says               string
	}{
		{name: "as it should be", status: 101},
		{name: "no upgrade", without: "Upgrade", status: 400, says: "WebSocket"},
		{name: "old version", without: "Sec-WebSocket-Version", set: "8", status: 400, says: "WebSocket"},
		{name: "no key", without: "Sec-WebSocket-Key", status: 400, says: "WebSocket"},
		{name: "a short key", without: "Sec-WebSocket-Key", set: "x", status: 400, says: "Sec-WebSocket-Key"},
		{name: "a key of 15 bytes", without: "Sec-WebSocket-Key", set: "AAAAAAAAAAAAAAAAAAAA", status: 400, says: "Sec-WebSocket-Key"},
		{name: "a key of 17 bytes", without: "Sec-WebSocket-Key", set: "AAAAAAAAAAAAAAAAAAAAAAA=", status: 400, says: "Sec-WebSocket-Key"},
		{name: "a key that is no base64", without: "Sec-WebSocket-Key", set: "dGhlIHNhbXBsZSBub25jZ!==", status: 400, says: "Sec-WebSocket-Key"},
		{name: "no subprotocol", without: "Sec-WebSocket-Protocol", status: 400, says: "topdeck.v1"},
		{name: "other subprotocol", without: "Sec-WebSocket-Protocol", set: "topdeck.v11", status: 400, says: "topdeck.v1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			request, err := http.NewRequest("GET", "http://"+s.addr+"/live", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header = upgrade.Clone()
			request.Header.Del(test.without)
			if test.set != "" {
				request.Header.Set(test.without, test.set)
			}
			response, err := http.DefaultTransport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != test.status {
				t.Errorf("status %d, want %d", response.StatusCode, test.status)
			}
			if test.status != 101 {
				body, _ := io.ReadAll(response.Body)
				if !bytes.Contains(body, []byte(`"code":"invalid"`)) || !bytes.Contains(body, []byte(test.says)) {
					t.Errorf("answer is %s", body)
				}
			}
		})
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func TestLiveAnswersBrokenMessages(t *testing.T) {
	s := serveLive(t)
	c := s.dial("ann", Admin)
	for i, test := range []struct {
		kind           int
		text, id, code string
	}{
		{websocket.BinaryMessage, `{"watch":{"id":"p","topic":"processes"}}`, "", codeInvalid},
		{websocket.TextMessage, ``, "", codeInvalid},
		{websocket.TextMessage, `{`, "", codeInvalid},
		{websocket.TextMessage, `null`, "", codeInvalid},
		{websocket.TextMessage, `[]`, "", codeInvalid},
		{websocket.TextMessage, `{}`, "", codeInvalid},
		{websocket.TextMessage, "\xff", "", codeInvalid},
		{websocket.TextMessage, `{"watch":{"id":"x","topic":"processes"},"unwatch":{"id":"x"}}`, "", codeInvalid},
		{websocket.TextMessage, `{"watch":{"id":"a","topic":"processes"}}{}`, "a", codeInvalid},
		{websocket.TextMessage, `{"watch":{"id":"b","topic":"processes","colour":1}}`, "b", codeInvalid},
		{websocket.TextMessage, `{"watch":{"id":"c","topic":"processes","limit":"all"}}`, "c", codeInvalid},
		{websocket.TextMessage, `{"watch":{"id":"d","topic":"processes","limit":1.5}}`, "d", codeInvalid},
		{websocket.TextMessage, `{"watch":{"id":"e","topic":"weather"}}`, "e", codeInvalid},
		{websocket.TextMessage, `{"watch":{"id":"f","topic":"processes","q":"cpu>x"}}`, "f", codeInvalid},
		{websocket.TextMessage, `{"watch":{"id":5,"topic":"processes"}}`, "", codeInvalid},
		{websocket.TextMessage, `{"unwatch":{"id":"g"}}`, "g", codeNotFound},
		{websocket.TextMessage, `{"hello":1}`, "", codeInvalid},
		{websocket.TextMessage, `{"watch":{"id":"` + strings.Repeat("y", 100) + `","topic":"processes"}}`, "", codeInvalid},
		{websocket.TextMessage, strings.Repeat("[", 60_000), "", codeInvalid},
	} {
		if err := c.WriteMessage(test.kind, []byte(test.text)); err != nil {
			t.Fatal(err)
		}
		c.until("an answer to "+test.text, func(f *follower) bool { return len(f.refused) == i+1 })
		if got := c.follower.refused[i]; got.ID != test.id || got.Error.Code != test.code || got.Error.Message == "" {
			t.Errorf("%.50s is answered with %+v", test.text, got)
		}
	}
	if p := c.follower.refused[13].Error.Position; p == nil || *p != 4 {
		t.Errorf("the bad query is at %v", p)
	}
	c.say(`{"watch":{"id":"p","topic":"processes"}}`)
	c.until("a view after all that", func(f *follower) bool { return f.watches["p"] > 0 })
}

func TestLiveBoundsWhatItReads(t *testing.T) {
	s := serveLive(t)
	big := []byte(`{"watch":{"id":"` + strings.Repeat("x", 10<<20) + `"}}`)

	plain := s.dial("ann", Admin)
	plain.EnableWriteCompression(false)
	_ = plain.WriteMessage(websocket.TextMessage, big) // the server may hang up before the end
	if code := plain.closed(); code != websocket.CloseMessageTooBig {
		t.Errorf("closed with %d", code)
	}

	told := s.dial("dan", Admin) // that is too large, is known before it comes
	if _, err := told.NetConn().Write([]byte{0x81, 0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 'x'}); err != nil {
		t.Fatal(err)
	}
	if code := told.closed(); code != websocket.CloseMessageTooBig {
		t.Errorf("closed with %d", code)
	}

	bomb := s.dial("ben", Admin) // 10 MiB in 10 KiB
	_ = bomb.WriteMessage(websocket.TextMessage, big)
	if code := bomb.closed(); code != websocket.CloseMessageTooBig {
		t.Errorf("closed with %d", code)
	}

	garbage := s.dial("cleo", Admin)
	frame := append([]byte{0xc1, 0x80 | 20, 0, 0, 0, 0}, strings.Repeat("\xff", 20)...) // compressed, they say
	if _, err := garbage.NetConn().Write(frame); err != nil {
		t.Fatal(err)
	}
	<-garbage.done
	s.settle(0)
	t.Log("row 15: a message of 10 MiB, and one of 10 KiB that inflates to that: hung up on")
}

func TestLiveProtocolErrors(t *testing.T) {
	s := serveLive(t)
	var deflated bytes.Buffer
	w, _ := flate.NewWriter(&deflated, 1)
	w.Write([]byte("{}"))
	w.Close()
	for name, frame := range map[string][]byte{
		"not masked":         {0x81, 2, '{', '}'},
		"reserved opcode":    {0x83, 0x80, 0, 0, 0, 0},
		"reserved bit":       {0xa1, 0x80, 0, 0, 0, 0},
		"long ping":          {0x89, 0x80 | 126, 1, 0, 0, 0, 0, 0},
		"ping in parts":      {0x09, 0x80, 0, 0, 0, 0},
		"orphaned part":      {0x80, 0x80, 0, 0, 0, 0},
		"endless frame":      binary.BigEndian.AppendUint64([]byte{0x81, 0x80 | 127}, 1<<63),
		"close with no code": {0x88, 0x80 | 1, 0, 0, 0, 0, 1},
		"half a frame":       {0x81},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.dial("ann", Admin)
			if _, err := c.NetConn().Write(frame); err != nil {
				t.Fatal(err)
			}
			if name == "half a frame" {
				c.Close()
			}
			select {
			case <-c.done:
			case <-time.After(10 * time.Second):
				t.Error("the connection is still open")
			}
		})
	}
	s.settle(0)
}

func TestLiveHangsUp(t *testing.T) {
	config, err := SelfSigned(t.TempDir(), []string{"127.0.0.1"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("plain", func(t *testing.T) { testHangUp(t, serveLive(t)) })
	t.Run("TLS", func(t *testing.T) { testHangUp(t, serveLiveTLS(t, config)) })
}

func testHangUp(t *testing.T, s *liveServer) {
	revoked, stays := s.dial("ann", Admin), s.dial("ben", Admin)
	deaf := s.dialOnly("ann", Admin) // neither reads nor answers
	s.settle(3)
	from := time.Now()
	s.hub.closeSessions(map[string]string{"session of ann": endedByAdmin})
	if waited := time.Since(from); waited > closeWait/2 {
		t.Errorf("who revokes a session waited %v", waited)
	}
	if code := revoked.closed(); code != closeSessionEnded {
		t.Errorf("closed with %d", code)
	}
	s.settle(1)
	if took := time.Since(from); took > time.Second {
		t.Errorf("it took %v", took)
	}
	// TCP is closed: what is there can be read, then comes the end.
	deaf.NetConn().SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.Copy(io.Discard, deaf.NetConn()); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the connection is not closed: %v", err)
	}
	s.hub.close(t.Context())
	if code := stays.closed(); code != closeGoingAway {
		t.Errorf("closed with %d", code)
	}
}

func TestLiveStalledClientIsCutOff(t *testing.T) {
	s := serveLive(t)
	stalled, quick := s.dialOnly("sloth", Admin), s.dial("ann", Admin)
	quick.say(`{"watch":{"id":"p","topic":"processes"}}`)
	quick.until("an answer", func(f *follower) bool { return f.watches["p"] > 0 })
	s.settle(2)
	detail, random := make([]byte, 60_000), rand.NewChaCha8([32]byte{}) // nothing that compresses well
	n := 0
	for ; n < 2000; n++ {
		random.Read(detail)
		for i := range detail {
			detail[i] = ' ' + detail[i]%90
		}
		s.hub.operation(&control.Operation{ID: fmt.Sprint(n), Detail: string(detail)}, n)
		s.publish(process(n+1, 0))
		quick.until("the event", func(f *follower) bool { return len(f.events) == n+1 && f.view("p").seq == uint64(n+1) })
		s.hub.mu.Lock()
		over := false
		for c := range s.hub.clients {
			over = over || c.isOver()
		}
		s.hub.mu.Unlock()
		if over {
			break
		}
	}
	s.settle(1)
	if _, err := io.Copy(io.Discard, stalled.NetConn()); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Error(err)
	}
	t.Logf("cut off after %d events", n)
}

// Clients come and go by the hundred, nicely and not; nothing of them stays.
func TestLiveLeavesNothingBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("many connections")
	}
	s := serveLive(t)
	descriptors := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc to count descriptors in")
		}
		return len(entries)
	}
	warm := s.dial("ann", Admin)
	warm.until("hello", func(f *follower) bool { return f.hello != nil })
	warm.Close()
	<-warm.done
	s.settle(0)
	time.Sleep(50 * time.Millisecond)
	goroutines, files := runtime.NumGoroutine(), descriptors()

	const clients, at = 1000, 100
	for round := range clients / at {
		var group sync.WaitGroup
		for i := range at {
			group.Go(func() {
				c := s.dial("ann", []Role{Admin, Viewer}[i%2])
				c.say(fmt.Sprintf(`{"watch":{"id":"p","topic":"processes","q":"-%d"}}`, i%5))
				c.say(`{"watch":{"id":"s","topic":"services"}}`)
				if i%3 != 0 {
					c.until("an answer", func(f *follower) bool { return f.watches["s"] > 0 })
				}
				switch i % 4 {
				case 0:
					c.say(`{"unwatch":{"id":"p"}}`)
				case 1:
					c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second))
				case 2:
					c.NetConn().(*net.TCPConn).SetLinger(0) // a reset
				}
				c.Close()
				<-c.done
			})
		}
		s.publish(process(round+1, 1), process(round+2, 2))
		group.Wait()
	}
	s.settle(0)
	for deadline := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > goroutines || descriptors() > files; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines (were %d), %d descriptors (were %d)\n%s", runtime.NumGoroutine(), goroutines, descriptors(), files,
				stacks[:runtime.Stack(stacks, true)])
		}
	}
	if len(s.hub.views) != 0 || s.host.watches(collector.PartProcesses) != 0 || s.host.watches(serviceParts) != 0 {
		t.Errorf("%d views and their parts are left", len(s.hub.views))
	}
}

func FuzzLiveMessage(f *testing.F) {
	for _, text := range []string{`{"watch":{"id":"p","topic":"processes","q":"cpu>5","limit":3}}`, `{"unwatch":{"id":"p"}}`, `{}`, `[`, "\xff", `{"watch":null}`} {
		f.Add(text)
	}
	host := newFakeHost()
	h := newHub(host, host, host, slog.New(slog.DiscardHandler), "build")
	f.Cleanup(func() { h.close(context.Background()) })
	f.Fuzz(func(t *testing.T, text string) {
		c := newClient("s", "ann", Viewer, &fakeWire{follower: newFollower(), hungUp: make(chan struct{})}, func(*liveClient) {})
		if err := h.join(c); err != nil {
			t.Fatal(err)
		}
		h.receive(c, websocket.TextMessage, []byte(text))
		follower := newFollower()
		for m := c.next(); m != nil; m = c.next() {
			if err := follower.take(m.data); err != nil {
				t.Error(err)
			}
		}
		if n := len(follower.refused) + len(follower.watches); n != 1 {
			t.Errorf("%d answers to %q", n, text)
		}
		h.leave(c)
	})
}
