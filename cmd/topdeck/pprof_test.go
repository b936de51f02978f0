package main

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

func TestProfilesAreServedOnLoopback(t *testing.T) {
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	s := serve(t, filepath.Join(t.TempDir(), "data"), "--pprof", address)
	get := func(host, path string) (int, string) {
		t.Helper()
		request, err := http.NewRequest("GET", "http://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	if code, body := get(address, "/debug/pprof/goroutine?debug=1"); code != 200 || !strings.Contains(body, "collector.(*Collector).Run") {
		t.Errorf("got %d %.200s", code, body)
	}
	if code, body := get("stranger.example:6060", "/debug/pprof/goroutine?debug=1"); code != 403 || strings.Contains(body, "goroutine") {
		t.Errorf("by another name: got %d %.200s", code, body)
	}
	response, err := http.Get(s.url + "/debug/pprof/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); strings.Contains(string(body), "goroutine") {
		t.Error("the main listener serves profiles")
	}
	s.stop(t)
}

func TestProfilesAreRefusedElsewhere(t *testing.T) {
	for _, address := range []string{"0.0.0.0:6060", ":6060", "192.0.2.1:6060", "127.0.0.1", "[::]:0", "example.org:6060"} {
		code, _, stderr := outcome(t, "", "serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"), "--pprof", address)
		if code != exitUsage || !strings.Contains(stderr, "--pprof") {
			t.Errorf("%s: got %d %s", address, code, stderr)
		}
	}
}
