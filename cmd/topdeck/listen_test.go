package main

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"topdeck/server"
)

func TestBaseURL(t *testing.T) {
	own := append(ownAddresses(), "localhost")[0]
	for _, test := range []struct {
		name, listening string
		tls             bool
		public, want    string
	}{
		{"loopback", "127.0.0.1:7373", false, "", "http://127.0.0.1:7373"},
		{"IPv6", "[::1]:7373", true, "", "https://[::1]:7373"},
		{"every address", "0.0.0.0:7373", true, "", "https://" + net.JoinHostPort(own, "7373")},
		{"a public URL", "127.0.0.1:7373", false, "https://deck.example", "https://deck.example"},
	} {
		t.Run(test.name, func(t *testing.T) {
			address, err := net.ResolveTCPAddr("tcp", test.listening)
			if err != nil {
				t.Fatal(err)
			}
			public, err := publicURL(test.public)
			if err != nil {
				t.Fatal(err)
			}
			if got := baseURL(address, test.tls, public); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestPublicURLIsASchemeAndAHost(t *testing.T) {
	for _, text := range []string{"deck.example", "ftp://deck.example", "https://", "https://u:p@deck.example", "https://deck.example/a", "https://deck.example/?q", "https://deck.example/#f"} {
		if u, err := publicURL(text); err == nil {
			t.Errorf("%q was taken as %v", text, u)
		}
	}
}

func TestCertificateNamesWhereItIsReached(t *testing.T) {
	if hosts := hostsOf("192.0.2.7"); !slices.Contains(hosts, "192.0.2.7") || !slices.Contains(hosts, "localhost") {
		t.Errorf("one address: %v", hosts)
	}
	for _, own := range ownAddresses() {
		if hosts := hostsOf("0.0.0.0"); !slices.Contains(hosts, own) {
			t.Errorf("every address: %v lacks %s", hosts, own)
		}
	}
}

// TestTLS serves with a given certificate and signs in over it.
func TestTLS(t *testing.T) {
	certs, dir := t.TempDir(), filepath.Join(t.TempDir(), "data")
	if _, err := server.SelfSigned(certs, []string{"127.0.0.1"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	s := serveWith(t, &http.Client{Transport: transport}, "https", dir,
		"--tls-cert", filepath.Join(certs, "tls-cert.pem"), "--tls-key", filepath.Join(certs, "tls-key.pem"))
	if code, _, stderr := outcome(t, testPassword+"\n", "user", "add", "ada", "--role", "admin", "--data", dir); code != 0 {
		t.Fatalf("user add: %s", stderr)
	}
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.post("/api/v1/session", map[string]string{"username": "ada", "password": testPassword})
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("sign-in: %v %v", r, err)
	}
	if c := r.Cookies()[0]; c.Name != "__Host-topdeck-"+u.Port() || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
		t.Errorf("the cookie is %v", c)
	}
	if !strings.Contains(s.stderr.String(), "certificate-sha256=") {
		t.Errorf("the fingerprint is not told: %s", s.stderr)
	}
	transport.CloseIdleConnections()
	if r, err := http.Get("http://" + u.Host + "/healthz"); err == nil && r.StatusCode == http.StatusOK {
		t.Error("plain HTTP is answered where TLS was asked for")
	}
	s.stop(t)
}
