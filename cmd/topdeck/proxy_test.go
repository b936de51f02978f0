package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"topdeck/server"
)

// proxied is a server that is reached over a proxy: its url and client are the proxy's.
type proxied struct {
	*served
	data   string // its data folder
	direct string // where the server itself is
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
}

// proxies are those whose configuration the README shows.
var proxies = []string{"nginx", "haproxy"}

// behindProxy starts a server and a proxy before it, with the configuration that the README shows, but for what change replaces in it. The
// proxy asks address, which is given where the server itself is; nil: that.
func behindProxy(t *testing.T, name string, change *strings.Replacer, address func(direct string) string) *proxied {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(readme), "  ```\n")
	shown := func(begin string) string {
		for _, block := range blocks {
			if strings.HasPrefix(strings.TrimSpace(block), begin) {
				return block
			}
		}
		t.Fatalf("the README shows nothing that begins with %q", begin)
		return ""
	}
	proxy := map[string]struct{ program, config, before, after string }{
		"nginx":   {"/usr/sbin/nginx", shown("server {"), "daemon off;\nerror_log stderr;\npid DIR/pid;\nevents {}\nhttp {\naccess_log off;\n", "}\n"},
		"haproxy": {"/usr/sbin/haproxy", shown("defaults"), "", ""},
	}[name]
	needs(t, proxy.program)
	dir, data := t.TempDir(), filepath.Join(t.TempDir(), "data")
	s := serve(t, data, "--public-url", "https://deck.example.org")
	direct := strings.TrimPrefix(s.url, "http://")
	upstream := direct
	if address != nil {
		upstream = address(direct)
	}
	port := freePort(t)
	cert, key := certificate(t, dir, "deck.example.org")
	config := proxy.before + proxy.config + proxy.after
	if change != nil {
		config = change.Replace(config)
	}
	config = strings.NewReplacer("listen 443 ssl", fmt.Sprintf("listen 127.0.0.1:%d ssl", port), "bind :443", fmt.Sprintf("bind 127.0.0.1:%d", port),
		"127.0.0.1:7373", upstream, "/etc/ssl/deck.pem", cert, "/etc/ssl/deck.key", key, "DIR", dir).Replace(config)
	file := filepath.Join(dir, "config")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	args := map[string][]string{"nginx": {"-c", file, "-p", dir}, "haproxy": {"-db", "-f", file}}[name]
	cmd := exec.Command(proxy.program, args...)
	said := newChildLog(t)
	cmd.Stdout, cmd.Stderr = said.File, said.File
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return nil, err
		}
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: "deck.example.org"}), nil
	}
	transport := &http.Transport{DialTLSContext: dial}
	t.Cleanup(transport.CloseIdleConnections)
	s.url, s.client = "https://deck.example.org", &http.Client{Transport: transport}
	up := false
	for deadline := time.Now().Add(20 * time.Second); !up && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if r, err := s.client.Get(s.url + "/healthz"); err == nil {
			r.Body.Close()
			up = r.StatusCode == http.StatusOK
		}
	}
	if !up {
		t.Fatalf("the proxy did not come up: %s", said)
	}
	return &proxied{s, data, "http://" + direct, dial}
}

// TestBehindAProxy puts real proxies before the server, with the configurations that the README shows.
func TestBehindAProxy(t *testing.T) {
	for _, name := range proxies {
		t.Run(name, func(t *testing.T) {
			s := behindProxy(t, name, nil, nil)
			cookie := signIn(t, s.served, s.data, "ada", "admin")
			if !strings.HasPrefix(cookie, "__Host-topdeck=") {
				t.Errorf("the cookie is %s", cookie)
			}
			r, err := s.client.Get(s.url + "/")
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(r.Body)
			r.Body.Close()
			if r.StatusCode != http.StatusOK || len(text) == 0 || r.Header.Get("Strict-Transport-Security") == "" || r.Header.Get("Content-Security-Policy") == "" {
				t.Errorf("the page: %s %v", r.Status, r.Header)
			}
			dialer := websocket.Dialer{Subprotocols: []string{"topdeck.v1"}, EnableCompression: true, NetDialTLSContext: s.dial}
			conn, _, err := dialer.Dial("wss://deck.example.org/api/v1/live", http.Header{"Cookie": {cookie}, "Origin": {s.url}})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			p := &page{t, conn}
			p.watch("s", "summary", "")
			for told := 0; told < 2; {
				m, err := p.next()
				if err != nil {
					t.Fatal(err)
				}
				if m.Type == "summary" {
					told++
				}
			}
			for origin, want := range map[string]int{"https://evil.example": 403, "http://deck.example.org": 403, s.direct: 403} {
				_, r, err := dialer.Dial("wss://deck.example.org/api/v1/live", http.Header{"Cookie": {cookie}, "Origin": {origin}})
				if err == nil || r == nil || r.StatusCode != want {
					t.Errorf("a page of %s: %v %v, want %d", origin, r, err, want)
				}
			}
			conn.Close()
			s.stop(t)
			t.Logf("row 18: behind %s, configured as the README shows: sign-in, app, live connection, and no page of another origin", name)
		})
	}
}

// certificate makes a certificate for a name; the file of it holds the key too, as haproxy wants it.
func certificate(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	if _, err := server.SelfSigned(dir, []string{name}, time.Now()); err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "tls-cert.pem"), filepath.Join(dir, "tls-key.pem")
	both := []byte{}
	for _, file := range []string{cert, key} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, text...)
	}
	if err := os.WriteFile(cert, both, 0o600); err != nil {
		t.Fatal(err)
	}
	return cert, key
}
