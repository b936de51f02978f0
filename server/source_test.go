package server

import (
	"strings"
	"testing"

	"topdeck/control"
)

// What comes of a request. Its four kinds: a sign-in with the right password, the WebSocket, a GET, and a GET that leaves a record.
const (
	yes   = "is answered"
	no    = codeForbidden
	wrong = codeInvalid
)

// TestWhereRequestsComeFrom sends requests, all with the session's cookie, as browsers on all kinds of pages would, and as what is no browser.
func TestWhereRequestsComeFrom(t *testing.T) {
	cases := []struct {
		server                    string
		name                      string
		header                    string // HOST stands for the listener's address and port, PORT for its port
		signIn, live, get, record string
	}{
		// Our own pages.
		{"plain", "own origin", "Host: HOST\nOrigin: http://HOST", yes, yes, yes, yes},
		{"plain", "localhost", "Host: localhost:PORT\nOrigin: http://localhost:PORT", yes, yes, yes, yes},
		{"plain", "another loopback address", "Host: 127.9.9.9:PORT\nOrigin: http://127.9.9.9:PORT", yes, yes, yes, yes},
		{"plain", "loopback of IPv6", "Host: [::1]:PORT\nOrigin: http://[::1]:PORT", yes, yes, yes, yes},
		{"plain", "an ssh tunnel", "Host: localhost:9000\nOrigin: http://localhost:9000", yes, yes, yes, yes},
		{"plain", "an ssh tunnel to the port of http", "Host: localhost:80\nOrigin: http://localhost", yes, yes, yes, yes},
		{"plain", "own origin, same-origin", "Host: HOST\nOrigin: http://HOST\nSec-Fetch-Site: same-origin", yes, yes, yes, yes},
		{"plain", "own origin, foreign Referer", "Host: HOST\nOrigin: http://HOST\nReferer: http://evil.example/", yes, yes, yes, yes},
		{"plain", "spaces around own Origin", "Host: HOST\nOrigin:  http://HOST ", yes, yes, yes, yes},

		// Sec-Fetch-Site, where there is no Origin.
		{"plain", "same-origin", "Host: HOST\nSec-Fetch-Site: same-origin", yes, no, yes, yes},
		{"plain", "the address typed in", "Host: HOST\nSec-Fetch-Site: none", no, no, yes, yes},
		{"plain", "same-site", "Host: HOST\nSec-Fetch-Site: same-site", no, no, yes, no},
		{"plain", "cross-site", "Host: HOST\nSec-Fetch-Site: cross-site", no, no, yes, no},
		{"plain", "same-origin in capitals", "Host: HOST\nSec-Fetch-Site: Same-Origin", no, no, yes, no},
		{"plain", "same-origin among others", "Host: HOST\nSec-Fetch-Site: cross-site, same-origin", no, no, yes, no},
		{"plain", "empty", "Host: HOST\nSec-Fetch-Site: ", no, no, yes, no},
		{"plain", "two, same-origin first", "Host: HOST\nSec-Fetch-Site: same-origin\nSec-Fetch-Site: cross-site", no, no, yes, no},
		{"plain", "two, same-origin last", "Host: HOST\nSec-Fetch-Site: cross-site\nSec-Fetch-Site: same-origin", no, no, yes, no},
		{"plain", "Sec-Fetch-Mode and Dest alone", "Host: HOST\nSec-Fetch-Mode: same-origin\nSec-Fetch-Dest: document", no, no, yes, yes},

		// No Origin, or one that is not ours.
		{"plain", "no Origin", "Host: HOST", no, no, yes, yes}, // a link, in a browser that tells nothing more
		{"plain", "own Referer is no Origin", "Host: HOST\nReferer: http://HOST/", no, no, yes, yes},
		{"plain", "null", "Host: HOST\nOrigin: null", no, no, yes, no},
		{"plain", "empty Origin", "Host: HOST\nOrigin: ", no, no, yes, no},
		{"plain", "empty Origin, same-origin", "Host: HOST\nOrigin: \nSec-Fetch-Site: same-origin", no, no, yes, no},
		{"plain", "foreign Origin", "Host: HOST\nOrigin: http://evil.example", no, no, yes, no},
		{"plain", "foreign Origin, same-origin", "Host: HOST\nOrigin: http://evil.example\nSec-Fetch-Site: same-origin", no, no, yes, no},
		{"plain", "foreign Origin, own Referer", "Host: HOST\nOrigin: http://evil.example\nReferer: http://HOST/", no, no, yes, no},
		{"plain", "two Origins, own first", "Host: HOST\nOrigin: http://HOST\nOrigin: http://evil.example", no, no, yes, no},
		{"plain", "two Origins, own last", "Host: HOST\nOrigin: http://evil.example\nOrigin: http://HOST", no, no, yes, no},
		{"plain", "a list of Origins", "Host: HOST\nOrigin: http://HOST, http://evil.example", no, no, yes, no},
		{"plain", "other scheme", "Host: HOST\nOrigin: https://HOST", no, no, yes, no},
		{"plain", "scheme of the WebSocket", "Host: HOST\nOrigin: ws://HOST", no, no, yes, no},
		{"plain", "a file", "Host: HOST\nOrigin: file://", no, no, yes, no},
		{"plain", "an extension", "Host: HOST\nOrigin: chrome-extension://abcdefghijklmnop", no, no, yes, no},
		{"plain", "other port", "Host: HOST\nOrigin: http://127.0.0.1:1", no, no, yes, no},
		{"plain", "a longer port", "Host: HOST\nOrigin: http://HOST0", no, no, yes, no},
		{"plain", "a zero before the port", "Host: HOST\nOrigin: http://127.0.0.1:0PORT", no, no, yes, no},
		{"plain", "no port", "Host: HOST\nOrigin: http://127.0.0.1", no, no, yes, no},
		{"plain", "other loopback name", "Host: HOST\nOrigin: http://localhost:PORT", no, no, yes, no},
		{"plain", "other loopback address", "Host: HOST\nOrigin: http://127.0.0.2:PORT", no, no, yes, no},
		{"plain", "loopback mapped into IPv6", "Host: HOST\nOrigin: http://[::ffff:127.0.0.1]:PORT", no, no, yes, no},
		{"plain", "a path in Origin", "Host: HOST\nOrigin: http://HOST/", no, no, yes, no},
		{"plain", "a longer Origin", "Host: HOST\nOrigin: http://HOST.evil.example", no, no, yes, no},
		{"plain", "a user in Origin", "Host: HOST\nOrigin: http://HOST@evil.example", no, no, yes, no},
		{"plain", "capitals in Origin", "Host: localhost:PORT\nOrigin: http://LOCALHOST:PORT", no, no, yes, no},
		{"plain", "capitals in its scheme", "Host: HOST\nOrigin: HTTP://HOST", no, no, yes, no},

		// Hosts that are not ours: names that were made to point here.
		{"plain", "rebound name", "Host: evil.example\nOrigin: http://evil.example", no, no, no, no},
		{"plain", "rebound name and port", "Host: evil.example:PORT\nOrigin: http://evil.example:PORT", no, no, no, no},
		{"plain", "rebound name, same-origin", "Host: evil.example:PORT\nSec-Fetch-Site: same-origin", no, no, no, no},
		{"plain", "rebound name, own Origin", "Host: evil.example\nOrigin: http://HOST", no, no, no, no},
		{"plain", "a name below localhost", "Host: evil.localhost:PORT\nOrigin: http://evil.localhost:PORT", no, no, no, no},
		{"plain", "localhost with a dot", "Host: localhost.:PORT\nOrigin: http://localhost.:PORT", no, no, no, no},
		{"plain", "any address", "Host: 0.0.0.0:PORT\nOrigin: http://0.0.0.0:PORT", no, no, no, no},
		{"plain", "loopback as a number", "Host: 2130706433:PORT\nOrigin: http://2130706433:PORT", no, no, no, no},
		{"plain", "the address of another", "Host: 192.0.2.1:PORT\nOrigin: http://192.0.2.1:PORT", no, no, no, no},
		{"plain", "a user in Host", "Host: evil@HOST\nOrigin: http://HOST", no, no, no, no},
		{"plain", "two Hosts, own first", "Host: HOST\nHost: evil.example\nOrigin: http://HOST", wrong, wrong, wrong, wrong}, // RFC 9112, 3.2
		{"plain", "two Hosts, own last", "Host: evil.example\nHost: HOST\nOrigin: http://HOST", wrong, wrong, wrong, wrong},
		{"plain", "no Host", "Origin: http://HOST", wrong, wrong, wrong, wrong},

		// What a proxy would say is believed of nobody.
		{"plain", "X-Forwarded-Host", "Host: HOST\nX-Forwarded-Host: evil.example\nOrigin: http://evil.example", no, no, yes, no},
		{"plain", "X-Forwarded-Host, own origin", "Host: HOST\nX-Forwarded-Host: evil.example\nOrigin: http://HOST", yes, yes, yes, yes},
		{"plain", "rebound name, X-Forwarded-Host", "Host: evil.example\nX-Forwarded-Host: HOST\nOrigin: http://HOST", no, no, no, no},
		{"plain", "rebound name, X-Original-Host", "Host: evil.example\nX-Original-Host: HOST\nOrigin: http://HOST", no, no, no, no},
		{"plain", "rebound name, Forwarded", "Host: evil.example\nForwarded: host=HOST\nOrigin: http://HOST", no, no, no, no},
		{"plain", "X-Forwarded-Proto", "Host: HOST\nX-Forwarded-Proto: https\nOrigin: https://HOST", no, no, yes, no},
		{"plain", "Forwarded with a scheme", "Host: HOST\nForwarded: for=203.0.113.9;proto=https;host=HOST\nOrigin: https://HOST", no, no, yes, no},
		{"plain", "X-Forwarded-Port", "Host: 127.0.0.1:PORT\nX-Forwarded-Port: 1\nOrigin: http://127.0.0.1:1", no, no, yes, no},
		{"plain", "X-Forwarded-Proto, own origin", "Host: HOST\nX-Forwarded-Proto: https\nX-Forwarded-Ssl: on\nOrigin: http://HOST", yes, yes, yes, yes},
		{"plain", "X-Forwarded-For", "Host: HOST\nX-Forwarded-For: 203.0.113.9\nX-Real-Ip: 203.0.113.9\nForwarded: for=203.0.113.9\nOrigin: http://HOST", yes, yes, yes, yes},
		{"plain", "X-Original-URL", "Host: HOST\nX-Original-URL: /api/v1/users\nX-Rewrite-URL: /\nX-HTTP-Method-Override: GET\nOrigin: http://HOST", yes, yes, yes, yes},

		// Behind a proxy, at the public URL.
		{"public", "own origin", "Host: deck.example.org\nOrigin: https://deck.example.org", yes, yes, yes, yes},
		{"public", "with its port", "Host: deck.example.org:443\nOrigin: https://deck.example.org", yes, yes, yes, yes},
		{"public", "same-origin", "Host: deck.example.org\nSec-Fetch-Site: same-origin", yes, no, yes, yes},
		{"public", "what a proxy says besides", "Host: deck.example.org\nX-Forwarded-For: 203.0.113.9\nX-Forwarded-Proto: https\nOrigin: https://deck.example.org", yes, yes, yes, yes},
		{"public", "other scheme", "Host: deck.example.org\nOrigin: http://deck.example.org", no, no, yes, no},
		{"public", "other scheme, X-Forwarded-Proto", "Host: deck.example.org\nX-Forwarded-Proto: http\nOrigin: http://deck.example.org", no, no, yes, no},
		{"public", "other port", "Host: deck.example.org\nOrigin: https://deck.example.org:8443", no, no, yes, no},
		{"public", "other port of Host", "Host: deck.example.org:8443\nOrigin: https://deck.example.org:8443", no, no, no, no},
		{"public", "own Host", "Host: HOST\nOrigin: https://deck.example.org", no, no, yes, no},
		{"public", "proxy sends own Host", "Host: HOST\nX-Forwarded-Host: deck.example.org\nOrigin: https://deck.example.org", no, no, yes, no},
		{"public", "loopback all the same", "Host: HOST\nOrigin: http://HOST", yes, yes, yes, yes},
		{"public", "loopback's page for the public Host", "Host: deck.example.org\nOrigin: http://HOST", no, no, yes, no},
		{"public", "subdomain", "Host: x.deck.example.org\nOrigin: https://x.deck.example.org", no, no, no, no},
		{"public", "a page of a subdomain", "Host: deck.example.org\nOrigin: https://x.deck.example.org\nSec-Fetch-Site: same-site", no, no, yes, no},
		{"TLS", "own origin", "Host: HOST\nOrigin: https://HOST", yes, yes, yes, yes},
		{"TLS", "other scheme", "Host: HOST\nOrigin: http://HOST", no, no, yes, no},
		{"TLS", "other scheme, X-Forwarded-Proto", "Host: HOST\nX-Forwarded-Proto: http\nOrigin: http://HOST", no, no, yes, no},

		// What else a page of another site could send without asking first.
		{"plain", "a form", "Host: HOST\nOrigin: http://HOST\nContent-Type: text/plain", wrong, yes, yes, yes},
		{"plain", "a form, encoded", "Host: HOST\nOrigin: http://HOST\nContent-Type: application/x-www-form-urlencoded", wrong, yes, yes, yes},
		{"plain", "a form with files", "Host: HOST\nOrigin: http://HOST\nContent-Type: multipart/form-data; boundary=x", wrong, yes, yes, yes},
		{"plain", "no content type", "Host: HOST\nOrigin: http://HOST\nContent-Type: ", wrong, yes, yes, yes},
		{"plain", "JSON in name only", "Host: HOST\nOrigin: http://HOST\nContent-Type: text/plain; x=application/json", wrong, yes, yes, yes},
		{"plain", "JSON with a charset", "Host: HOST\nOrigin: http://HOST\nContent-Type: application/json; charset=utf-8", yes, yes, yes, yes},
		{"plain", "compressed", "Host: HOST\nOrigin: http://HOST\nContent-Encoding: gzip", wrong, yes, yes, yes},
	}
	servers := map[string]*testServer{
		"plain": startServer(t), "public": startServer(t, withPublicURL(t)), "TLS": startServer(t, withTLS),
	}
	cookies := map[string]string{}
	for name, s := range servers {
		s.addUser("ann", Admin)
		scheme := map[bool]string{false: "http://", true: "https://"}[s.cfg.TLS]
		a := s.raw("POST /api/v1/session HTTP/1.1\nHost: "+s.address+"\nOrigin: "+scheme+s.address+"\nContent-Type: application/json", signInAnn)
		_, rest, _ := strings.Cut(a.Header.Get("Set-Cookie"), "=")
		token, _, _ := strings.Cut(rest, ";")
		port := s.address[strings.LastIndex(s.address, ":")+1:]
		for _, known := range []string{"topdeck", "topdeck-" + port, "topdeck-9000", "__Host-topdeck", "__Host-topdeck-" + port} { // whatever Host it goes by
			cookies[name] += known + "=" + token + "; "
		}
	}
	for _, c := range cases {
		t.Run(c.server+": "+c.name, func(t *testing.T) {
			s := servers[c.server]
			if s == nil {
				t.Fatal("no such server")
			}
			header := strings.NewReplacer("HOST", s.address, "PORT", s.address[strings.LastIndex(s.address, ":")+1:]).Replace(c.header) + "\nCookie: " + cookies[c.server]
			typed := header
			if !strings.Contains(header, "Content-Type") {
				typed += "\nContent-Type: application/json"
			}
			want := func(kind, expected string, a answer) {
				t.Helper()
				got := a.code()
				if a.StatusCode == 200 || a.StatusCode == 101 {
					got = yes
				}
				if got != expected {
					t.Errorf("%s: got %s %s, want %q", kind, a.Status, a.body, expected)
				}
				for name := range a.Header {
					if strings.HasPrefix(name, "Access-Control-") {
						t.Errorf("%s: pages of others may read it: %s", kind, name)
					}
				}
			}
			// A session of its own: the sign-in would end that of the cookie.
			a := s.raw("POST /api/v1/session HTTP/1.1\n"+strings.Replace(typed, "Cookie:", "X-Cookie:", 1), signInAnn)
			want("sign-in", c.signIn, a)
			if cookie := a.Header.Get("Set-Cookie"); (cookie != "") != (c.signIn == yes) {
				t.Errorf("the cookie is %q", cookie)
			}
			want("WebSocket", c.live, s.raw("GET /api/v1/live HTTP/1.1\n"+header+"\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n"+
				"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Protocol: topdeck.v1", ""))
			want("GET", c.get, s.raw("GET /api/v1/session HTTP/1.1\n"+header, ""))
			before := len(s.operations())
			want("recorded GET", c.record, s.raw("GET /api/v1/operations/export?format=csv HTTP/1.1\n"+header, ""))
			if left := len(s.operations()) - before; left > 0 != (c.record == yes) {
				t.Errorf("%d records", left)
			}
		})
	}
	t.Logf("row 2: %d variants of Origin, Host, Sec-Fetch-Site, X-Forwarded-*, each of a sign-in, the WebSocket, a GET and a GET that is recorded", len(cases))
	for name, s := range servers { // X-Forwarded-For and its like
		page, err := s.log.List(t.Context(), control.Filter{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Operations {
			if o.Actor == "ann" && o.Source != "127.0.0.1" {
				t.Errorf("%s: a record tells that %s came from %s", name, o.LogType, o.Source)
			}
		}
	}
}

const signInAnn = `{"username":"ann","password":"` + testPassword + `"}`

// TestLiveNeedsASession: an Origin of ours is not enough.
func TestLiveNeedsASession(t *testing.T) {
	s := startServer(t)
	s.addUser("ann", Admin)
	b := s.browser()
	b.header.Set("Connection", "Upgrade")
	b.header.Set("Upgrade", "websocket")
	b.want(401, "GET", "/live", nil)
}
