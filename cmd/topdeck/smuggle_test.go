package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestNothingIsSmuggledThroughAProxy sends requests that a proxy and the server may each see end elsewhere, with another request in them,
// through the real proxies: the server answers none that the proxy has not seen, and who comes next over the same connection gets their
// own answer, and nobody else's.
func TestNothingIsSmuggledThroughAProxy(t *testing.T) {
	soon := "client_header_timeout 5s;\nclient_body_timeout 5s;\nkeepalive_timeout 5s;\n"
	for _, proxy := range []struct {
		name, proxy string
		change      *strings.Replacer
		shares      bool // the connections to the server
	}{
		{"nginx", "nginx", strings.NewReplacer("access_log off;\n", "access_log off;\n"+soon), false},
		{"nginx that shares connections", "nginx", strings.NewReplacer(
			"access_log off;\n", "access_log off;\nunderscores_in_headers on;\nignore_invalid_headers off;\n"+soon+"upstream deck { server 127.0.0.1:7373; keepalive 1; }\n",
			"http://127.0.0.1:7373", "http://deck", "proxy_read_timeout", "proxy_request_buffering off; proxy_read_timeout"), true},
		{"haproxy", "haproxy", strings.NewReplacer("timeout client  60s", "timeout client 5s"), true},
		{"haproxy that shares connections", "haproxy", strings.NewReplacer("timeout client  60s", "timeout client 5s\n    http-reuse always\n    option accept-invalid-http-request"), true},
		{"a careless proxy", "", nil, true},
	} {
		t.Run(proxy.name, func(t *testing.T) {
			t.Parallel()
			tap := newTap(t)
			var s *proxied
			if proxy.proxy != "" {
				s = behindProxy(t, proxy.proxy, proxy.change, tap.before)
			} else {
				s = behindACarelessProxy(t, tap.before)
			}
			cookie := signIn(t, s.served, s.data, "ada", "admin")
			s.client.CloseIdleConnections()
			before, conns := tap.answers(), tap.conns() // of what was not thrown
			var late sync.WaitGroup
			var seen atomic.Int64
			// throw sends bytes over the proxy, and gives what comes until the proxy has had enough: that is waited for only when it is wanted.
			throw := func(raw string, wanted bool) []byte {
				conn, err := s.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				conn.SetDeadline(time.Now().Add(time.Minute))
				if _, err := io.WriteString(conn, raw); err != nil {
					t.Fatal(err)
				}
				begun := make(chan []byte, 1)
				late.Go(func() {
					defer conn.Close()
					first := make([]byte, 1)
					n, _ := conn.Read(first)
					if !wanted {
						begun <- nil
					}
					rest, _ := io.ReadAll(conn) // a proxy may reset what it does not like
					answer := append(first[:n], rest...)
					seen.Add(int64(answersIn(answer)))
					if wanted {
						begun <- answer
					}
				})
				if wanted {
					return <-begun
				}
				select {
				case <-begun:
				case <-time.After(50 * time.Millisecond): // it waits for more
				}
				return nil
			}
			const head = " /api/v1/session HTTP/1.1\r\nHost: deck.example.org\r\nConnection: close\r\n"
			all := map[string]string{}
			for _, tail := range []string{
				"GET /api/v1/session?smuggled HTTP/1.1\r\nHost: deck.example.org\r\nConnection: close\r\n\r\n",
				"GET /api/v1/session?smuggled HTTP/1.1\r\nHost: deck.example.org\r\nX-Swallow: ", // what comes next
			}[:rounds(1, 2)] {
				maps.Copy(all, smuggled(tail))
			}
			for name, raw := range all {
				throw(raw, false)
				who, nobody := throw("GET"+head+"Cookie: "+cookie+"\r\n\r\n", true), throw("GET"+head+"\r\n", true)
				if !bytes.HasPrefix(who, []byte("HTTP/1.1 200 ")) || !bytes.Contains(who, []byte(`"username":"ada"`)) {
					t.Fatalf("after %s: who is signed in is answered with %s", name, who)
				}
				if !bytes.HasPrefix(nobody, []byte("HTTP/1.1 401 ")) || bytes.Contains(nobody, []byte("ada")) {
					t.Fatalf("after %s: who is not signed in is answered with %s", name, nobody)
				}
			}
			late.Wait()
			if answered := tap.answers() - before; answered != int(seen.Load()) {
				t.Errorf("the server answered %d requests, and the proxy passed on %d answers\n%s", answered, seen.Load(), tap.tail())
			}
			conns = tap.conns() - conns
			if shared := conns < int(seen.Load()); shared != proxy.shares {
				t.Errorf("%d answers on %d connections: are they shared?", seen.Load(), conns)
			}
			t.Logf("row 1: %d ambiguous requests through %s: the server answered %d requests on %d connections, each of them one that the proxy had seen, and everybody got their own answer",
				len(all), proxy.name, seen.Load(), conns)
		})
	}
}

// answersIn tells how many answers of the server a text holds: no proxy sends that header. To HTTP/0.9 there is an answer without headers.
func answersIn(text []byte) int {
	if bytes.HasPrefix(text, []byte(`{"`)) {
		return 1
	}
	return bytes.Count(bytes.ToLower(text), []byte("\r\nreferrer-policy: no-referrer\r\n"))
}

// tap passes on what a proxy and the server say to each other, and keeps it.
type tap struct {
	t        *testing.T
	mu       sync.Mutex
	up, down []*bytes.Buffer // by connection: what the proxy says, and what the server answers
}

func newTap(t *testing.T) *tap { return &tap{t: t} }

// before is an address at which one reaches the server at the address direct.
func (p *tap) before(direct string) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		p.t.Fatal(err)
	}
	var group sync.WaitGroup
	p.t.Cleanup(func() {
		ln.Close()
		group.Wait()
	})
	group.Go(func() {
		for {
			proxy, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", direct)
			if err != nil {
				proxy.Close()
				continue
			}
			p.mu.Lock()
			up, down := new(bytes.Buffer), new(bytes.Buffer)
			p.up, p.down = append(p.up, up), append(p.down, down)
			p.mu.Unlock()
			pass := func(to, from net.Conn, kept *bytes.Buffer) {
				defer to.Close()
				defer from.Close()
				b := make([]byte, 64<<10)
				for {
					n, err := from.Read(b)
					p.mu.Lock()
					kept.Write(b[:n])
					p.mu.Unlock()
					if _, failed := to.Write(b[:n]); err != nil || failed != nil {
						return
					}
				}
			}
			group.Go(func() { pass(server, proxy, up) })
			group.Go(func() { pass(proxy, server, down) })
		}
	})
	return ln.Addr().String()
}

func (p *tap) conns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.up)
}

// answers tells how often the server has answered.
func (p *tap) answers() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.down {
		n += answersIn(b.Bytes())
	}
	return n
}

// tail is what was said last.
func (p *tap) tail() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	for i := max(0, len(p.up)-3); i < len(p.up); i++ {
		last := func(b []byte) []byte { return b[max(0, len(b)-2000):] }
		fmt.Fprintf(&b, "to the server: %q\nfrom the server: %q\n", last(p.up[i].Bytes()), last(p.down[i].Bytes()))
	}
	return b.String()
}

// smuggled are requests that hold another one, which begins with tail, by what is odd about them.
func smuggled(tail string) map[string]string {
	const host = "Host: deck.example.org\r\n"
	all := map[string]string{}
	add := func(name, raw string) { all[fmt.Sprintf("%s, and then %q", name, tail)] = raw }
	length := fmt.Sprintf("Content-Length: %d\r\n", len(tail))
	last := "0\r\n\r\n" // chunk
	chunk := fmt.Sprintf("%x\r\n%s\r\n", len(tail), tail)
	const post = "POST /healthz HTTP/1.1\r\n" + host
	for _, coding := range []string{
		"Transfer-Encoding: chunked\r\n", "Transfer-Encoding:chunked\r\n", "Transfer-Encoding:\tchunked\r\n", "TRANSFER-ENCODING: CHUNKED\r\n",
		"Transfer-Encoding : chunked\r\n", "Transfer-Encoding\t: chunked\r\n", " Transfer-Encoding: chunked\r\n", "X-A: b\r\n Transfer-Encoding: chunked\r\n",
		"Transfer-Encoding:\r\n chunked\r\n", "X-A: b\nTransfer-Encoding: chunked\r\n", "X-A: b\rTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\n",
		"Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: chunked;a=b\r\n", "Transfer-Encoding: \"chunked\"\r\n", "Transfer-Encoding: 'chunked'\r\n",
		"Transfer-Encoding: chunked,\r\n", "Transfer-Encoding: ,chunked\r\n", "Transfer-Encoding: identity, chunked\r\n", "Transfer-Encoding: chunked, identity\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: identity\r\n", "Transfer-Encoding:\r\n",
		"Transfer-Encoding:\x0bchunked\r\n", "Transfer-Encoding: \x0cchunked\r\n", "Transfer-Encoding: chunked\x00\r\n", "Transfer-Encoding\x00: chunked\r\n", "\x00Transfer-Encoding: chunked\r\n",
		"Transfer_Encoding: chunked\r\n", "Transfer Encoding: chunked\r\n", "TE: chunked\r\n", "Foo: bar\r\n\rTransfer-Encoding: chunked\r\n", "Transfer-Encoding: c\u0068unked\xa0\r\n",
		"Transfer-\u0045ncoding: chun\u212aed\r\n", "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n",
	} {
		shown := fmt.Sprintf("%q", coding)
		add("a length that goes beyond the chunks, "+shown, post+fmt.Sprintf("Content-Length: %d\r\n", len(last+tail))+coding+"\r\n"+last+tail)
		add("chunks that go beyond the length, "+shown, post+coding+"Content-Length: 4\r\n\r\n"+chunk+last)
		add("chunks alone, "+shown, post+coding+"\r\n"+last+tail)
	}
	for _, lengths := range []string{
		"Content-Length: 0\r\n" + length, length + "Content-Length: 0\r\n", length + length, "Content-Length: 0\r\nContent_Length" + length[len("Content_Length"):],
		"Content-Length : 0\r\n" + length, "Content-Length: 0\n" + length, " Content-Length: 0\r\n" + length, "X-A: b\r\n Content-Length: 0\r\n" + length,
		"Content-Length: 0, " + length[len("Content-Length: "):], "Content-Length: +" + length[len("Content-Length: "):], "Content-Length: -0\r\n", "Content-Length: 0x0\r\n",
		"Content-Length: 00\r\n" + length, "Content-Length:\r\n" + length, "Content-Length: 0 0\r\n", "Content-Length: 0;a\r\n" + length, "Content-Length: 18446744073709551616\r\n",
		"Content-Length\x00: 0\r\n" + length, "Connection: Content-Length\r\n" + length, "Connection: close, Content-Length\r\n" + length, "Expect: 100-continue\r\n" + length, "Expect: x 100-continue\r\n" + length,
		"Expect: 100-continue, x\r\n" + length, "Expect:\r\n 100-continue\r\n" + length, "Expect: 100-continue\r\nExpect: 100-continue\r\n" + length,
	} {
		add(fmt.Sprintf("the length %q", lengths), post+lengths+"\r\n"+tail)
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "DELETE", "PUT", "PATCH", "TRACE", "CONNECT", "GE T", "get", "X"} {
		add("a body of "+method, method+" /healthz HTTP/1.1\r\n"+host+length+"\r\n"+tail)
		add("no body of "+method, method+" /healthz HTTP/1.1\r\n"+host+"\r\n"+tail)
	}
	for _, chunks := range []string{
		"0\n\n", "0\r\n\n", "0\n\r\n", "0\r\r", "0;\n\r\n", "0;a\n\r\n", "0;a=\"\r\n\r\n", "0 \r\n\r\n", "0\t\r\n\r\n", " 0\r\n\r\n", "0x0\r\n\r\n", "-0\r\n\r\n", "+0\r\n\r\n", "\r\n0\r\n\r\n",
		"00000000000000000000\r\n\r\n", "10000000000000000\r\n\r\n", "1\r\nA0\r\n\r\n", "1\r\nAXX0\r\n\r\n", "1\nA\n0\n\n", "1;\nA\r\n0\r\n\r\n", "1;a\nb\r\nA\r\n0\r\n\r\n", "1\r\nA\r\n0\r\nX-A: b\r\n\r\n",
		"0\r\nContent-Length: 9\r\n\r\n", "0\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\nHost: evil.example\r\n\r\n", "0\r\nCookie: __Host-topdeck=x\r\n\r\n", "0\r\nX\r\n\r\n", "0\r\n X: y\r\n\r\n", "0\r\nX: y\n\n", "\x00\r\n\r\n", "g\r\n\r\n",
	} {
		add(fmt.Sprintf("the chunks %q", chunks), post+"Transfer-Encoding: chunked\r\n\r\n"+chunks+tail)
	}
	for _, first := range []string{
		"GET /healthz HTTP/1.1 \r\n", "GET  /healthz HTTP/1.1\r\n", "GET\t/healthz\tHTTP/1.1\r\n", "GET /healthz HTTP/1.1\n", "GET /healthz HTTP/1.1\r", "GET /healthz\r\n", "GET /healthz HTTP/0.9\r\n", "GET /healthz HTTP/1.0\r\n",
		"GET /healthz HTTP/1.2\r\n", "GET /healthz HTTP/2.0\r\n", "GET /healthz HTTP/1.1/x HTTP/1.1\r\n", "GET /healthz http/1.1\r\n", "GET /healthz HTTP/1.1X: y\r\n", "\r\n\r\nGET /healthz HTTP/1.1\r\n", "\x00GET /healthz HTTP/1.1\r\n",
		"GET https://deck.example.org/healthz HTTP/1.1\r\n", "GET http://evil.example/healthz HTTP/1.1\r\n", "GET http://deck.example.org@evil.example/healthz HTTP/1.1\r\n", "GET //evil.example/healthz HTTP/1.1\r\n",
		"GET * HTTP/1.1\r\n", "GET healthz HTTP/1.1\r\n", "GET @evil.example/healthz HTTP/1.1\r\n", "GET ?healthz HTTP/1.1\r\n", "GET /healthz#a HTTP/1.1\r\n", "GET /healthz?a b HTTP/1.1\r\n",
		"GET /healthz%20HTTP/1.1%0d%0aHost:%20deck.example.org%0d%0a%0d%0aGET%20/healthz HTTP/1.1\r\n", "GET /..%2fhealthz%0a HTTP/1.1\r\n", "GET /\x7f\x01 HTTP/1.1\r\n", "GET /é HTTP/1.1\r\n",
		"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n", "GET /healthz HTTP/1.1\r\nHost : evil.example\r\n", "GET /healthz HTTP/1.1\r\n: x\r\n", "GET /healthz HTTP/1.1\r\nX\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		add(fmt.Sprintf("the first line %q", first), first+host+"\r\n"+tail)
		add(fmt.Sprintf("the first line %q, and a length", first), first+host+length+"\r\n"+tail)
	}
	for _, upgrade := range []string{
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://deck.example.org\r\n",
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nOrigin: https://deck.example.org\r\n",
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://deck.example.org\r\n",
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: https://evil.example\r\n",
		"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n",
		"Connection: Upgrade\r\nUpgrade: h2c, websocket\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n", "Connection: Upgrade\r\nUpgrade: TLS/1.3, HTTP/1.1\r\n", "Upgrade: websocket\r\n", "Upgrade: h2c\r\n", "Connection: Upgrade\r\n",
	} {
		for _, target := range []string{"GET /api/v1/live", "GET /healthz", "POST /api/v1/live"} {
			add(fmt.Sprintf("the upgrade %q of %s", upgrade, target), target+" HTTP/1.1\r\n"+host+upgrade+"\r\n"+tail)
			add(fmt.Sprintf("the upgrade %q of %s, and a length", upgrade, target), target+" HTTP/1.1\r\n"+host+upgrade+length+"\r\n"+tail)
		}
	}
	return all
}
