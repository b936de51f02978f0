package server

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
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

// TestTLSOffersNothingOld tries what clients of old would, with a certificate of each kind. The server must say why it hangs up: where no
// cipher suite is shared either, a version that is taken would look like one that is refused.
func TestTLSOffersNothingOld(t *testing.T) {
	const wrongVersion, nothingShared = "protocol version not supported", "handshake failure"
	version := func(v uint16) *tls.Config { return &tls.Config{MinVersion: v, MaxVersion: v} }
	suite := func(id uint16) *tls.Config {
		return &tls.Config{MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{id}}
	}
	type try struct {
		name   string
		client *tls.Config
		why    string // empty: is let in
	}
	both := []try{
		{"TLS 1.3", version(tls.VersionTLS13), ""},
		{"TLS 1.2", version(tls.VersionTLS12), ""},
		{"TLS 1.1", version(tls.VersionTLS11), wrongVersion},
		{"TLS 1.0", version(tls.VersionTLS10), wrongVersion},
	}
	for kind, tries := range map[string][]try{
		"ECDSA": {
			{"AES-GCM", suite(tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256), ""},
			{"ChaCha20", suite(tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256), ""},
			{"CBC", suite(tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA), nothingShared},
			{"CBC with SHA-256", suite(tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256), nothingShared},
			{"RC4", suite(tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA), nothingShared},
		},
		"RSA": {
			{"AES-GCM", suite(tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384), ""},
			{"CBC", suite(tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA), nothingShared},
			{"triple DES", suite(tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA), nothingShared},
			{"no forward secrecy", suite(tls.TLS_RSA_WITH_AES_128_GCM_SHA256), nothingShared},
			{"no forward secrecy, CBC", suite(tls.TLS_RSA_WITH_AES_128_CBC_SHA), nothingShared},
			{"RC4", suite(tls.TLS_RSA_WITH_RC4_128_SHA), nothingShared},
		},
	} {
		config, err := TLSConfig(keyPair(t, kind))
		if err != nil {
			t.Fatal(err)
		}
		ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		go func() {
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				_ = conn.(*tls.Conn).Handshake()
				conn.Close()
			}
		}()
		for _, one := range append(tries, both...) {
			one.client.InsecureSkipVerify = true
			conn, err := tls.Dial("tcp", ln.Addr().String(), one.client)
			if err == nil {
				conn.Close()
			}
			if (err == nil) != (one.why == "") || err != nil && !strings.Contains(err.Error(), one.why) {
				t.Errorf("%s, %s: got %v, want %q", kind, one.name, err, one.why)
			}
		}
	}
}

// keyPair makes a certificate with a key of the kind.
func keyPair(t *testing.T, kind string) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "tls-cert.pem"), filepath.Join(dir, "tls-key.pem")
	if kind == "ECDSA" {
		if _, err := SelfSigned(dir, []string{"127.0.0.1"}, time.Now()); err != nil {
			t.Fatal(err)
		}
		return cert, key
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, cert, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	mustWrite(t, key, string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(private)})))
	return cert, key
}
