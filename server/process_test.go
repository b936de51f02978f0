package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"topdeck/collector"
	"topdeck/control"
)

// The server looks at the process that it is.
func TestProcessInDepth(t *testing.T) {
	edit, start := readThisHost(t)
	detailer, err := collector.NewDetailer("", "")
	if err != nil {
		t.Skip(err)
	}
	s := startServer(t, edit, func(cfg *Config) { cfg.Processes = detailer })
	start(s)
	operator, admin := s.signedIn("oda", Operator), s.signedIn("ann", Admin)
	self := fmt.Sprint("/processes/", os.Getpid())

	got := into[collector.ProcessDetail](t, operator.want(200, "GET", self, nil))
	if p := got.Process; p.PID != os.Getpid() || p.PPID != os.Getppid() || p.Cmdline == "" || p.StartTime == 0 {
		t.Errorf("the process is %+v", p)
	}
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if got.CWD != folder || got.Executable == "" || len(got.Limits) == 0 || got.Descriptors == nil || got.Environment != nil {
		t.Errorf("in depth it is %+v", got)
	}
	port := s.listener.Addr().(*net.TCPAddr).Port
	operator.s.wait("our listener is among its sockets", func() bool { // a sample may be older than it
		for _, socket := range into[collector.ProcessDetail](t, operator.want(200, "GET", self, nil)).Sockets {
			if socket.State == "LISTEN" && int(socket.LocalPort) == port {
				return true
			}
		}
		return false
	})

	// The environment is for who may run commands anyway, and just gave the password.
	if a := operator.want(403, "GET", self+"?environment=true", nil); a.code() != codeForbidden {
		t.Errorf("an operator gets %s", a.code())
	}
	if a := into[collector.ProcessDetail](t, admin.want(200, "GET", self+"?environment=true", nil)); len(a.Environment) == 0 {
		t.Error("an administrator gets no environment")
	}
	if a := into[collector.ProcessDetail](t, admin.want(200, "GET", self+"?environment=false", nil)); a.Environment != nil {
		t.Error("there is an environment that nobody asked for")
	}
	// That it was read is recorded, once, and nobody needs to look at that.
	for _, path := range []string{self + "?environment=true&startTime=1", "/processes/2147483647?environment=true"} {
		admin.want(404, "GET", path, nil)
	}
	records := into[OperationsReply](t, admin.want(200, "GET", "/operations?logType=process.environment", nil)).Operations
	if len(records) != 1 {
		t.Fatalf("%d records of the environment that was read: %+v", len(records), records)
	}
	if op := records[0]; op.Target != fmt.Sprintf("%d:%d", os.Getpid(), got.Process.StartTime) || op.Actor != "ann" || op.Source == "" ||
		op.LogStatus != control.Seen || op.Message != fmt.Sprintf("the environment of process %d (%s) was read", os.Getpid(), got.Process.Comm) {
		t.Errorf("the record is %+v", op)
	}
	s.clock.add(confirmFor + 1)
	if a := admin.want(403, "GET", self+"?environment=true", nil); a.code() != codeReauthenticate {
		t.Errorf("a password given long ago gets %s", a.code())
	}
	admin.want(200, "GET", self, nil)

	admin.want(200, "GET", fmt.Sprintf("%s?startTime=%d", self, got.Process.StartTime), nil)
	for path, status := range map[string]int{
		fmt.Sprintf("%s?startTime=%d", self, got.Process.StartTime+1): 404,
		"/processes/0": 404, "/processes/-1": 404, "/processes/x": 404, "/processes/01": 404, "/processes/2147483647": 404, "/processes/99999999999": 404,
		"/processes/self": 404, "/processes/%2e%2e": 404, self + "?environment=yes": 400, self + "?q=x": 400,
	} {
		if a := admin.want(status, "GET", path, nil); a.message() == "" {
			t.Errorf("%s: %s", path, a.body)
		}
	}
}

// What the sample would tell is missing when there is none; the rest is there.
func TestProcessInDepthWithoutASample(t *testing.T) {
	detailer, err := collector.NewDetailer("", "")
	if err != nil {
		t.Skip(err)
	}
	s := startServer(t, func(cfg *Config) {
		host := newFakeHost()
		host.failure = errors.New("stopped")
		cfg.Collector, cfg.Processes = host, detailer
	})
	got := into[collector.ProcessDetail](t, s.signedIn("oda", Operator).want(200, "GET", fmt.Sprint("/processes/", os.Getpid()), nil))
	if got.Process.PID != os.Getpid() || got.CWD == "" || !strings.Contains(got.Errors["children"], "cannot") || got.Errors["sockets"] == "" {
		t.Errorf("it is %+v", got)
	}
}
