package server

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestOwnOrigin(t *testing.T) {
	cases := []struct {
		host, local, public string
		tls                 bool
		want                string // empty: refused
	}{
		// Loopback names, at any port.
		{host: "localhost", want: "http://localhost"},
		{host: "localhost:7373", want: "http://localhost:7373"},
		{host: "localhost:9999", want: "http://localhost:9999"},
		{host: "LocalHost:7373", want: "http://localhost:7373"},
		{host: "localhost:80", want: "http://localhost"},
		{host: "localhost:443", tls: true, want: "https://localhost"},
		{host: "localhost:80", tls: true, want: "https://localhost:80"},
		{host: "127.0.0.1:7373", want: "http://127.0.0.1:7373"},
		{host: "127.0.0.1", want: "http://127.0.0.1"},
		{host: "127.8.9.1:1", want: "http://127.8.9.1:1"},
		{host: "[::1]:7373", want: "http://[::1]:7373"},
		{host: "[::1]", want: "http://[::1]"},
		{host: "localhost:7373", local: "192.0.2.7:7373", want: "http://localhost:7373"},
		// Not quite loopback names.
		{host: ""}, {host: ":7373"}, {host: "localhost:"}, {host: "localhost:0"}, {host: "localhost:65536"}, {host: "localhost:+80"},
		{host: "localhost:080"}, {host: "localhost:7373:7373"}, {host: "localhost."}, {host: "localhost.evil.example"}, {host: "evil.localhost"},
		{host: "127.1"}, {host: "2130706433"}, {host: "0x7f000001"}, {host: "127.0.0.1.evil.example"}, {host: "127.000.000.001"},
		{host: "::1"}, {host: "[::1"}, {host: "[::1]x"}, {host: "[127.0.0.1]"}, {host: "[::ffff:127.0.0.1]"}, {host: "[::1%lo]"}, {host: "0.0.0.0:7373"},
		{host: "user@localhost"}, {host: "localhost/x"}, {host: "localhost,evil.example"},
		// Foreign names.
		{host: "evil.example"}, {host: "evil.example:7373"}, {host: "192.0.2.8:7373"}, {host: "10.0.0.1"},
		// The address that the connection came in on.
		{host: "192.0.2.7:7373", local: "192.0.2.7:7373", want: "http://192.0.2.7:7373"},
		{host: "192.0.2.7", local: "192.0.2.7:7373", want: "http://192.0.2.7"},
		{host: "192.0.2.7:7373", local: "[::ffff:192.0.2.7]:7373", want: "http://192.0.2.7:7373"},
		{host: "192.0.2.7:7374", local: "192.0.2.7:7373"},
		{host: "192.0.2.8:7373", local: "192.0.2.7:7373"},
		{host: "[2001:db8::7]:7373", local: "[2001:db8::7]:7373", want: "http://[2001:db8::7]:7373"},
		{host: "[2001:DB8:0::7]:7373", local: "[2001:db8::7]:7373", want: "http://[2001:db8:0::7]:7373"},
		{host: "[2001:db8::8]:7373", local: "[2001:db8::7]:7373"},
		// The public URL.
		{host: "deck.example.org", public: "https://deck.example.org", want: "https://deck.example.org"},
		{host: "Deck.Example.org:443", public: "https://deck.example.org", want: "https://deck.example.org"},
		{host: "deck.example.org:80", public: "https://deck.example.org"},
		{host: "deck.example.org:8443", public: "https://deck.example.org:8443", want: "https://deck.example.org:8443"},
		{host: "deck.example.org", public: "https://deck.example.org:8443", want: "https://deck.example.org:8443"},
		{host: "deck.example.org", public: "http://deck.example.org", want: "http://deck.example.org"},
		{host: "www.deck.example.org", public: "https://deck.example.org"},
		{host: "deck.example.org.evil.example", public: "https://deck.example.org"},
		{host: "localhost:7373", public: "https://deck.example.org", want: "http://localhost:7373"},
		{host: "localhost", public: "https://localhost", want: "https://localhost"},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s at %s as %s", c.host, c.local, c.public), func(t *testing.T) {
			s := &Server{cfg: Config{TLS: c.tls}}
			if c.public != "" {
				s.cfg.PublicURL = mustURL(t, c.public)
			}
			var local netip.AddrPort
			if c.local != "" {
				local = netip.MustParseAddrPort(c.local)
			}
			if got, ok := s.ownOrigin(c.host, local); got != c.want || ok != (c.want != "") {
				t.Errorf("got %q %v, want %q", got, ok, c.want)
			}
		})
	}
}

// raw sends a request exactly as written, on a connection of its own.
func (s *testServer) raw(head, body string) answer {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.address)
	if err == nil && s.cfg.TLS {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	return exchange(s.t, conn, head, body)
}

func exchange(t *testing.T, conn net.Conn, head, body string) answer {
	t.Helper()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	head = strings.ReplaceAll(head, "\n", "\r\n")
	if body != "" {
		head += fmt.Sprintf("\r\nContent-Length: %d", len(body))
	}
	if _, err := io.WriteString(conn, head+"\r\n\r\n"+body); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response, read}
}

// TestHostIsCheckedOnEverything sends a foreign Host to all kinds of paths, and absolute request URIs.
func TestHostIsCheckedOnEverything(t *testing.T) {
	s := startServer(t)
	s.addUser("ann", Admin)
	for _, path := range []string{"/", "/healthz", "/setup", "/processes", "/assets/x.js", "/api", "/api/v1/session", "/api/v1/live", "/api/v1/nothing"} {
		for _, head := range []string{
			"GET " + path + " HTTP/1.1\nHost: evil.example",
			"GET http://evil.example" + path + " HTTP/1.1\nHost: " + s.address,
			"GET http://" + s.address + path + " HTTP/1.1\nHost: evil.example",
			"GET //evil.example" + path + " HTTP/1.1\nHost: evil.example",
			"BREW " + path + " HTTP/1.1\nHost: evil.example",
			"GET " + path + " HTTP/1.0",
		} {
			if a := s.raw(head, ""); a.StatusCode != http.StatusForbidden || a.code() != codeForbidden {
				t.Errorf("%q: got %s %s", head, a.Status, a.body)
			}
		}
	}
	if a := s.raw("GET http://"+s.address+"/healthz HTTP/1.1\nHost: "+s.address, ""); a.StatusCode != 200 {
		t.Errorf("an absolute URI with our own host: got %s %s", a.Status, a.body)
	}
}

func TestSecurityHeaders(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	want := map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
			"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
	}
	answers := map[string]answer{
		"page":          b.send("GET", "//", nil),
		"no page":       b.send("GET", "//missing.js", nil),
		"api":           b.send("GET", "/session", nil),
		"refused":       s.browser().send("GET", "/session", nil),
		"unknown":       b.send("GET", "/nothing", nil),
		"no content":    b.send("POST", "/session/confirm", map[string]string{"password": testPassword}),
		"foreign Host":  s.raw("GET / HTTP/1.1\nHost: evil.example", ""),
		"odd method":    s.raw("BREW / HTTP/1.1\nHost: "+s.address, ""),
		"no HTTP":       s.raw("nonsense", ""),
		"big headers":   s.raw("GET / HTTP/1.1\nHost: "+s.address+"\nX: "+strings.Repeat("x", maxHeaders), ""),
		"big body":      b.send("POST", "/session", strings.Repeat(" ", maxBody+1)),
		"no WebSocket":  b.send("GET", "/live", nil),
		"health":        b.send("GET", "//healthz", nil),
		"not to be set": b.send("HEAD", "//", nil),
	}
	for name, a := range answers {
		for header, value := range want {
			if got := a.Header.Get(header); got != value {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
		for _, header := range []string{"Server", "Strict-Transport-Security", "X-Powered-By"} {
			if got := a.Header.Get(header); got != "" {
				t.Errorf("%s: %s is %q", name, header, got)
			}
		}
		if got := a.Header.Get("Cache-Control"); got != "no-store" && name != "page" && name != "not to be set" {
			t.Errorf("%s: Cache-Control is %q", name, got)
		}
	}
}

func withTLS(c *Config) { c.TLS = true }

func withPublicURL(t *testing.T) func(*Config) {
	return func(c *Config) { c.PublicURL = mustURL(t, "https://deck.example.org") }
}

func TestCookie(t *testing.T) {
	cases := []struct {
		name, host, scheme string
		edit               func(*Config)
		want               string // up to its value, and what follows
	}{
		{"plain", "HOST", "http", func(*Config) {}, "topdeck-PORT=; path=/; httponly; samesite=strict"},
		{"TLS", "HOST", "https", withTLS, "__Host-topdeck-PORT=; path=/; httponly; secure; samesite=strict"},
		{"public URL", "deck.example.org", "https", withPublicURL(t), "__Host-topdeck=; path=/; httponly; secure; samesite=strict"},
		{"beside the public URL", "HOST", "http", withPublicURL(t), "topdeck-PORT=; path=/; httponly; samesite=strict"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := startServer(t, c.edit)
			s.addUser("ann", Admin)
			host := strings.Replace(c.host, "HOST", s.address, 1)
			head := " HTTP/1.1\nHost: " + host + "\nOrigin: " + c.scheme + "://" + host + "\nContent-Type: application/json"
			a := s.raw("POST /api/v1/session"+head, `{"username":"ann","password":"`+testPassword+`"}`)
			name, rest, _ := strings.Cut(a.Header.Get("Set-Cookie"), "=")
			token, flags, _ := strings.Cut(rest, ";")
			_, port, _ := strings.Cut(s.address, ":")
			if got := name + "=;" + strings.ToLower(flags); a.StatusCode != 200 || got != strings.Replace(c.want, "PORT", port, 1) {
				t.Errorf("got %s %s, cookie %q", a.Status, a.body, got)
			}
			if len(token) != 43 {
				t.Errorf("the token has %d characters, want the 43 of 256 bits", len(token))
			}
			if a := s.raw("GET /api/v1/session"+head+"\nCookie: a=b; "+name+"="+token, ""); a.StatusCode != 200 {
				t.Errorf("with the cookie: got %s %s", a.Status, a.body)
			}
			// A cookie without __Host- may be another's: any port of this host may set it, and over plain HTTP.
			other, secure := strings.CutPrefix(name, securePrefix)
			if !secure {
				other = securePrefix + name
			}
			if a := s.raw("GET /api/v1/session"+head+"\nCookie: "+other+"="+token, ""); a.StatusCode != 401 {
				t.Errorf("with the cookie of the other scheme: got %s %s", a.Status, a.body)
			}
			want := ""
			if c.scheme == "https" && !strings.HasPrefix(host, "127.") {
				want = "max-age=31536000"
			}
			if hsts := a.Header.Get("Strict-Transport-Security"); hsts != want {
				t.Errorf("Strict-Transport-Security is %q, want %q", hsts, want)
			}
		})
	}
}

// FuzzOwnOrigin holds the Host rule to: what is taken is a loopback name or the listener's address, and nothing that a
// browser reads in another way.
func FuzzOwnOrigin(f *testing.F) {
	for _, seed := range []string{"localhost:7373", "127.0.0.1", "[::1]:80", "evil.example", "192.0.2.7:7373", "[::ffff:127.0.0.1]:1", "localhost:+1", "a@localhost"} {
		f.Add(seed)
	}
	local := netip.MustParseAddrPort("192.0.2.7:7373")
	f.Fuzz(func(t *testing.T, host string) {
		own, ok := (&Server{}).ownOrigin(host, local)
		if !ok {
			return
		}
		u, err := url.Parse(own)
		if err != nil || u.Scheme != "http" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("%q has the origin %q", host, own)
		}
		name := u.Hostname()
		if address, err := netip.ParseAddr(name); name != "localhost" && (err != nil || !address.IsLoopback() && address != local.Addr()) {
			t.Errorf("%q was taken, for %q", host, name)
		}
	})
}
