package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestTestssl has testssl.sh look for what is wrong with our TLS and its headers, with TOPDECK_SOAK=1: it takes minutes.
func TestTestssl(t *testing.T) {
	if os.Getenv("TOPDECK_SOAK") == "" {
		t.Skip("takes minutes: make soak")
	}
	const program = "/usr/bin/testssl"
	needs(t, program)
	accepted := map[string]string{
		"engine_problem":        "of the openssl that it looks with",
		"cert_chain_of_trust":   "the test's certificate is self-signed",
		"cert_revocation":       "and so has no address of a list of revoked ones",
		"cert_expirationStatus": "and lasts for the test",
		"cert_notAfter":         "likewise",
		"cert_notBefore":        "likewise",
		"cert_extlifeSpan":      "likewise",
		"HSTS":                  "would hold for every port of the machine, where others may serve plain HTTP",
		"BREACH":                "what is compressed at / is the app, which holds no secret",
		"TLS_session_ticket":    "crypto/tls changes the keys of its tickets every day",
	}
	dir := t.TempDir()
	cert, key := certificate(t, dir, "127.0.0.1")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	s := serveWith(t, client, "https", filepath.Join(dir, "data"), "--tls-cert", cert, "--tls-key", key)
	out := filepath.Join(dir, "findings.json")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1",
		"-p", "-s", "-f", "-S", "-h", "-U", "--jsonfile", out, s.url)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Logf("testssl ends with %v: %s", err, said) // its exit code counts what it found
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var findings []struct{ ID, Severity, Finding string }
	if err := json.Unmarshal(text, &findings); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	ok, bad := 0, map[string]bool{}
	for _, f := range findings {
		switch f.Severity {
		case "OK":
			ok++
		case "INFO":
		default:
			if _, known := accepted[f.ID]; !known {
				t.Errorf("%s %s: %s", f.Severity, f.ID, f.Finding)
			} else {
				bad[f.ID] = true
				t.Logf("%s %s: %s; accepted: %s", f.Severity, f.ID, f.Finding, accepted[f.ID])
			}
		}
	}
	if !strings.Contains(string(text), "heartbleed") || ok < 20 {
		t.Errorf("of %d findings only %d are good", len(findings), ok)
	}
	t.Logf("row 18: testssl.sh: %d findings, %d of them good, no bad one but %v", len(findings), ok, slices.Sorted(maps.Keys(bad)))
}
