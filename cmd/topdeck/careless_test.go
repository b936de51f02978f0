package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// behindACarelessProxy starts a server and, before it, a proxy that believes the first length of a request and nothing else, takes any line end, and
// passes on what it got as it is, all over one connection: what the real ones do not. It passes on no chunks without a length: it would
// wait for an answer, and the server for chunks.
func behindACarelessProxy(t *testing.T, address func(direct string) string) *proxied {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, data, "--public-url", "https://deck.example.org")
	direct := s.url
	proxy := &careless{upstream: address(strings.TrimPrefix(direct, "http://"))}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			group.Go(func() { proxy.serve(conn) })
		}
	})
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", ln.Addr().String())
	}
	transport := &http.Transport{DialTLSContext: dial}
	s.url, s.client = "https://deck.example.org", &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ln.Close()
		proxy.mu.Lock()
		proxy.forget()
		proxy.mu.Unlock()
		group.Wait()
	})
	return &proxied{s, data, direct, dial}
}

type careless struct {
	upstream string
	mu       sync.Mutex
	conn     net.Conn // nil: not yet, or no more
	answers  *bufio.Reader
}

func (p *careless) forget() {
	if p.conn != nil {
		p.conn.Close()
		p.conn = nil
	}
}

// serve passes on what a client asks until it has asked for something that is answered with the end of the connection, or has gone.
func (p *careless) serve(client net.Conn) {
	defer client.Close()
	client.SetReadDeadline(time.Now().Add(10 * time.Second)) // what was thrown at it may have no end
	in := bufio.NewReader(client)
	for {
		head, body, err := readMessage(in, true)
		if text := bytes.ToLower(head); err != nil || bytes.Contains(text, []byte("chunked")) && !bytes.Contains(text, []byte("content-length")) {
			return
		}
		p.mu.Lock()
		request := append(bytes.ReplaceAll(head, []byte("Connection: close\r\n"), nil), body...) // that is between it and its client
		answer, err := p.ask(request, bytes.HasPrefix(head, []byte("HEAD ")))
		p.mu.Unlock()
		if _, failed := client.Write(answer); err != nil || failed != nil || bytes.Contains(head, []byte("Connection: close")) {
			return
		}
	}
}

// ask has the server answer a request, on a new connection when the last one has ended.
func (p *careless) ask(request []byte, isHead bool) ([]byte, error) {
	for {
		fresh := p.conn == nil
		if fresh {
			conn, err := net.Dial("tcp", p.upstream)
			if err != nil {
				return nil, err
			}
			p.conn, p.answers = conn, bufio.NewReader(conn)
		}
		p.conn.SetDeadline(time.Now().Add(time.Minute))
		_, err := p.conn.Write(request)
		if err == nil {
			var head, body []byte
			for head == nil || bytes.HasPrefix(head, []byte("HTTP/1.1 100 ")) {
				if head, body, err = readMessage(p.answers, !isHead); err != nil {
					break
				}
			}
			if err == nil {
				if bytes.Contains(head, []byte("Connection: close")) {
					p.forget()
				}
				return append(head, body...), nil
			}
		}
		p.forget()
		if fresh {
			return nil, err
		}
	}
}

// readMessage reads a head, and a body of the length that it tells first.
func readMessage(in *bufio.Reader, hasBody bool) (head, body []byte, err error) {
	length := -1
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return nil, nil, err
		}
		text := strings.TrimSpace(string(line))
		if text == "" && len(head) == 0 {
			continue // empty lines before a request are none of it
		}
		head = append(head, line...)
		if name, value, _ := strings.Cut(string(line), ":"); length < 0 && strings.EqualFold(strings.TrimRight(name, " \t"), "Content-Length") {
			length, _ = strconv.Atoi(strings.TrimSpace(value))
		}
		if text == "" {
			break
		}
	}
	if hasBody && length > 0 {
		body = make([]byte, min(length, 1<<20))
		_, err = io.ReadFull(in, body)
	}
	return head, body, err
}
