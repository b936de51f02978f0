package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
)

func TestBodiesAreBounded(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	pad := func(n int) string { return `{"password":"` + strings.Repeat("x", n) + `"}` }
	cases := []struct {
		name, path string
		who        *browser
		body       string
		want       string
	}{
		{"a stranger's", "/session", s.browser(), `{"username":"ann","password":"` + strings.Repeat("x", maxStrangerBody-100) + `"}`, codeUnauthenticated},
		{"a stranger's large one", "/session", s.browser(), strings.Repeat(" ", maxStrangerBody+1), codeInvalid},
		{"a stranger's huge one", "/session", s.browser(), strings.Repeat(" ", 10<<20), codeInvalid},
		{"a stranger's huge one, where they may not be", "/users", s.browser(), strings.Repeat(" ", 10<<20), codeUnauthenticated},
		{"a huge one to nowhere", "/nothing", s.browser(), strings.Repeat(" ", 10<<20), codeNotFound},
		{"a large one", "/session/confirm", b, pad(maxBody - 100), codeForbidden}, // taken, and the password is wrong
		{"a larger one", "/session/confirm", b, pad(maxBody), codeInvalid},
		{"a huge one", "/session/confirm", b, pad(10 << 20), codeInvalid},
	}
	for _, c := range cases {
		if a := c.who.send("POST", c.path, c.body); a.code() != c.want {
			t.Errorf("%s: got %s %.200s, want %s", c.name, a.Status, a.body, c.want)
		}
	}
	chunks := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", maxStrangerBody+1, strings.Repeat("x", maxStrangerBody+1))
	head := "POST /api/v1/session HTTP/1.1\nHost: " + s.address + "\nOrigin: http://" + s.address + "\nContent-Type: application/json"
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go io.WriteString(conn, strings.ReplaceAll(head, "\n", "\r\n")+"\r\nTransfer-Encoding: chunked\r\n\r\n"+chunks)
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != 400 {
		t.Errorf("in chunks: got %v %v", response, err)
	}
	if a := s.raw(head+"\nContent-Encoding: gzip", "\x1f\x8b"); a.code() != codeInvalid || !strings.Contains(a.message(), "compressed") {
		t.Errorf("compressed: got %s", a.body)
	}
	server := s.app.Server()
	if server.ReadTimeout <= 0 || server.WriteTimeout <= 0 || server.IdleTimeout <= 0 || server.Concurrency > 10_000 || !server.KeepHijackedConns {
		t.Errorf("something is not bounded: %+v", server)
	}
}

func TestPanicAndFailureTellNothing(t *testing.T) {
	s := startServer(t)
	s.addUser("ann", Admin)
	routes := []route{
		{method: "GET", path: "/panic", access: anybody, handle: func(*fiber.Ctx) error { panic("the secret") }},
		{method: "GET", path: "/fail", access: anybody, handle: func(*fiber.Ctx) error { return fmt.Errorf("the secret") }},
		{method: "GET", path: "/half", access: anybody, handle: func(c *fiber.Ctx) error {
			_ = c.SendString("half an answer")
			return refuse(codeConflict, "it cannot be done")
		}},
	}
	fresh, err := New(s.cfg) // the routes of a server that runs cannot be added to
	if err != nil {
		t.Fatal(err)
	}
	// Before those for every path.
	fresh.app = fiber.New(fresh.app.Config())
	if err := fresh.addRoutes(routes, nil); err != nil {
		t.Fatal(err)
	}
	fresh.app.Server().Handler = fresh.front(fresh.app.Handler())
	for path, want := range map[string]string{
		"/panic": `500 {"error":{"code":"internal","message":"something went wrong in the server; its log tells more"}}`,
		"/fail":  `500 {"error":{"code":"internal","message":"something went wrong in the server; its log tells more"}}`,
		"/half":  `409 {"error":{"code":"conflict","message":"it cannot be done"}}`,
	} {
		request, err := http.NewRequest("GET", "http://localhost"+apiPrefix+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := fresh.app.Test(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		if got := fmt.Sprint(response.StatusCode, " ", string(body)); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
		if response.Header.Get("X-Content-Type-Options") != "nosniff" || response.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: got the headers %v", path, response.Header)
		}
	}
	text := s.stderr.String()
	if strings.Count(text, "the secret") != 2 || !strings.Contains(text, "bounds_test.go") {
		t.Errorf("the log tells %s", text)
	}
}

// TestCloseWithSlowClients has one connection that is idle, one that never ends its request, and one that says nothing.
func TestCloseWithSlowClients(t *testing.T) {
	s := startServer(t)
	for _, text := range []string{"GET /healthz HTTP/1.1\r\nHost: " + s.address + "\r\n\r\n", "GET /heal", ""} {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(text, "\r\n\r\n") {
			if _, err := conn.Read(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
		}
	}
	started := time.Now()
	if err := s.Close(context.Background()); err != nil {
		t.Errorf("got %v", err)
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if _, err := net.Dial("tcp", s.address); err == nil {
		t.Error("it still listens")
	}
	if err := s.Serve(&net.TCPListener{}); err == nil {
		t.Error("a closed server serves")
	}
}

// A context of a request must not look at what fasthttp gives to the next one, which -race sees when the server ends meanwhile.
func TestCloseWhileRequestsAreAnswered(t *testing.T) {
	for range 20 {
		s := startServer(t)
		operator := s.signedIn("oda", Operator)
		request, err := http.NewRequest("POST", operator.base+apiPrefix+"/services/none/actions", strings.NewReader(`{"action":"start"}`))
		if err != nil {
			t.Fatal(err)
		}
		request.Header = operator.header.Clone()
		request.Header.Set("Cookie", operator.cookie)
		transport := &http.Transport{}
		var asking sync.WaitGroup
		for range 8 {
			asking.Go(func() {
				for {
					again := request.Clone(t.Context())
					again.Body, _ = request.GetBody()
					response, err := transport.RoundTrip(again)
					if err != nil {
						return // the server is gone
					}
					io.Copy(io.Discard, response.Body)
					response.Body.Close()
				}
			})
		}
		time.Sleep(20 * time.Millisecond)
		s.stopServing()
		asking.Wait()
		transport.CloseIdleConnections()
	}
}
