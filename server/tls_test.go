package server

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSelfSigned(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	make := func(at time.Time, hosts ...string) string {
		t.Helper()
		config, err := SelfSigned(dir, hosts, at)
		if err != nil {
			t.Fatal(err)
		}
		return Fingerprint(config)
	}
	first := make(now, "deck.example", "192.0.2.1", "::1")
	if len(first) != 95 || strings.Count(first, ":") != 31 {
		t.Errorf("fingerprint %q", first)
	}
	if info, err := os.Stat(filepath.Join(dir, "tls-key.pem")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key is %v, %v", info.Mode(), err)
	}
	if again := make(now.AddDate(0, 6, 0), "192.0.2.1"); again != first {
		t.Error("a certificate that still serves was replaced")
	}
	if other := make(now, "other.example"); other == first {
		t.Error("a certificate for other hosts was kept")
	}
	if late := make(now.AddDate(1, 0, -1), "other.example"); late == first {
		t.Error("a certificate that ends tomorrow was kept")
	}
	if err := os.WriteFile(filepath.Join(dir, "tls-cert.pem"), []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := SelfSigned(dir, []string{"deck.example"}, now); err == nil || !strings.Contains(err.Error(), "remove both files") {
		t.Errorf("a broken certificate gives %v", err)
	}
}

// TestTLSOffersNothingOld tries what clients of old would: TLS 1.1, and CBC under TLS 1.2.
func TestTLSOffersNothingOld(t *testing.T) {
	s := startServer(t, withTLS)
	for name, c := range map[string]struct {
		config *tls.Config
		ok     bool
	}{
		"TLS 1.3":      {&tls.Config{MinVersion: tls.VersionTLS13}, true},
		"TLS 1.2, GCM": {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}, true},
		"TLS 1.2, CBC": {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, false},
		"TLS 1.1":      {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
	} {
		c.config.InsecureSkipVerify = true
		conn, err := tls.Dial("tcp", s.address, c.config)
		if err == nil {
			conn.Close()
		}
		if (err == nil) != c.ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
