package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWebSocketToAnotherLibrary has Python's websockets speak to the server, with TOPDECK_SOAK=1 (make soak installs it): what ours
// takes for the protocol need not be it. The cases are in testdata/protocol.py.
func TestWebSocketToAnotherLibrary(t *testing.T) {
	const library = "/usr/lib/python3/dist-packages/websockets"
	if os.Getenv("TOPDECK_SOAK") == "" {
		t.Skip("make soak")
	}
	needs(t, library)
	data := filepath.Join(t.TempDir(), "data")
	s := serve(t, data)
	d := &deck{t: t, url: s.url, client: s.client, topdeck: func(args ...string) *exec.Cmd {
		return program(t.Context(), append(args, "--data", data)...)
	}}
	admin := d.as("admin")
	out, err := exec.Command("/usr/bin/python3", "testdata/protocol.py", "ws"+strings.TrimPrefix(s.url, "http")+"/api/v1/live", s.url, admin.cookie).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cases := 0
	for line := range strings.Lines(string(out)) {
		if cases++; !strings.HasSuffix(line, ": ok\n") {
			t.Error(line)
		}
	}
	if cases < 19 {
		t.Errorf("%d cases were tried: %s", cases, out)
	}
	t.Logf("row 1: %d cases of Python's websockets library", cases)
}
