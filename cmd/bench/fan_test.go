package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
)

// TestMain is the command itself where the command starts itself anew.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "fan" || os.Args[1] == "drain") {
		main()
	}
	os.Exit(m.Run())
}

// The real server and its clients, a few of them: what is counted is right, whatever time it takes.
func TestFanCountsBytes(t *testing.T) {
	for _, mode := range []string{"plain", "deflate"} {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(self, "fan", mode, "20", "3", "0")
		var complaints bytes.Buffer
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v: %s", mode, err, complaints.String())
		}
		var r fanResult
		if err := json.Unmarshal(out, &r); err != nil {
			t.Fatal(err)
		}
		if len(r.Ours) != 3 || len(r.Floor) != 3 || len(r.Calm) != 3 || len(r.Disturbed) != 3 {
			t.Errorf("%s: %+v", mode, r)
		}
		// 200 rows of 2,000 change: about 50 KB as they are.
		if least, most := 20e3, 100e3; mode == "plain" && (r.Bytes < least || r.Bytes > most) {
			t.Errorf("%s: %.0f bytes a client and tick", mode, r.Bytes)
		}
		if most := 20e3; mode == "deflate" && (r.Bytes < 1e3 || r.Bytes > most) {
			t.Errorf("%s: %.0f bytes a client and tick", mode, r.Bytes)
		}
	}
}
