package control

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"topdeck/control/sdhost"
)

// until polls for what other processes bring about.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestServicesOfSystemd(t *testing.T) {
	t.Parallel()
	h := sdhost.Boot(t, map[string]string{
		"td-nap.service":       "[Unit]\nDescription=a nap\n[Service]\nExecStart=/bin/sleep 1000\nExecReload=/bin/true\nMemoryAccounting=yes\n[Install]\nWantedBy=multi-user.target\n",
		"td-fails.service":     "[Service]\nExecStart=/bin/false\n",
		"td-unused.service":    "[Unit]\nDescription = never asked for\n[Service]\nExecStart=/bin/sleep 1000\n",
		"td-many@.service":     "[Service]\nExecStart=/bin/sleep 1000\n",
		`td-a\x2db.service`:    "[Service]\nExecStart=/bin/sleep 1000\n",
		"td-busy.service":      "[Service]\nExecStart=/bin/sh -c 'while :; do :; done'\nCPUQuota=20%%\n",
		"td-kept.service":      "[Unit]\nRefuseManualStop=yes\n[Service]\nExecStart=/bin/sleep 1000\n",
		"td-unread.service":    "[Service]\nExecStart=relative/path\n",
		"td-unread2.service":   "[Service]\nExecStart=relative/path\n",
		"td-later.service.off": "",
	})
	m := NewManager(Config{Root: h.Root, Bus: h.Bus()})
	defer m.Close()
	told := make(chan struct{}, 1)
	m.Subscribe(func() {
		select {
		case told <- struct{}{}:
		default:
		}
	})
	run := func(args ...string) {
		t.Helper()
		if out, err := h.Command(args...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", args, err, out)
		}
	}
	service := func(name string) *Service {
		t.Helper()
		list, reasons := m.Services(t.Context())
		if len(reasons) > 0 {
			return nil
		}
		if i := slices.IndexFunc(list, func(s Service) bool { return s.Name == name }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	state := func(name, active, sub string) func() bool {
		return func() bool { s := service(name); return s != nil && s.ActiveState == active && s.SubState == sub }
	}
	if got := m.Managers(); !slices.Equal(got, []string{"systemd"}) {
		t.Fatalf("managers: %v", got)
	}

	t.Run("a file that systemd cannot take in is told once somebody has asked", func(t *testing.T) {
		load := func(name string) string { s := service(name); return s.LoadState }
		said := func() int {
			out, _ := h.Command("journalctl", "--no-pager", "-o", "cat", "-u", "td-unread.service").Output()
			return strings.Count(string(out), "td-unread.service:2:")
		}
		before := said()
		if _, err := m.Detail(t.Context(), "td-unread.service"); err != nil {
			t.Fatal(err)
		}
		if got := load("td-unread.service"); got != "bad-setting" {
			t.Errorf("after its details were asked for: %q", got)
		}
		run("journalctl", "--sync")
		if n := said() - before; n > 2 { // once for its name, once for the rest
			t.Errorf("systemd wrote %d times what is wrong", n)
		}
		if o := m.backends[0].(*systemd).act(t.Context(), "td-unread2.service", Start); o.RetStatus != Failed {
			t.Errorf("%+v", o)
		}
		if got := load("td-unread2.service"); got != "bad-setting" {
			t.Errorf("after a start: %q", got)
		}
		write(t, filepath.Join(h.Root, "etc/systemd/system/td-unread.service"), "[Service]\nExecStart=/bin/sleep 1000\n", 0o644)
		run("systemctl", "start", "td-unread.service")
		until(t, "it is loaded", state("td-unread.service", "active", "running"))
		run("systemctl", "stop", "td-unread.service")
		until(t, "it is forgotten", func() bool { return load("td-unread.service") == "stub" })
		run("systemctl", "daemon-reload")
		until(t, "all are read anew", func() bool { return load("td-unread2.service") == "stub" })
	})
	t.Run("what runs on every host", func(t *testing.T) {
		s := service("dbus.service")
		if s == nil || s.ActiveState != "active" || s.MainPID == 0 || s.Since == nil || s.LoadState != "loaded" ||
			s.Description == "" || s.Manager != "systemd" || s.PIDs == nil || s.Ports == nil {
			t.Errorf("%+v", s)
		}
	})
	t.Run("what nothing has asked for", func(t *testing.T) {
		s := service("td-unused.service")
		if s == nil || s.ActiveState != "inactive" || s.SubState != "dead" || s.LoadState != "stub" ||
			s.UnitFileState != "static" || s.Description != "never asked for" || s.Since != nil {
			t.Errorf("%+v", s)
		}
		if s := service("td-many@.service"); s != nil {
			t.Errorf("a template is listed: %+v", s)
		}
	})
	t.Run("start and stop", func(t *testing.T) {
		actions := func(want string) {
			t.Helper()
			if s := service("td-nap.service"); strings.Join(s.Actions, " ") != want {
				t.Errorf("while it is %s: %v, want %s", s.ActiveState, s.Actions, want)
			}
		}
		actions("start enable")
		run("systemctl", "start", "td-nap")
		until(t, "started", state("td-nap.service", "active", "running"))
		actions("restart stop reload enable")
		s := service("td-nap.service")
		if s.MainPID == 0 || s.Since == nil || time.Since(*s.Since).Abs() > time.Minute || s.Description != "a nap" || s.UnitFileState != "disabled" {
			t.Errorf("%+v", s)
		}
		run("systemctl", "kill", "-s", "KILL", "td-nap")
		until(t, "killed", state("td-nap.service", "failed", "failed"))
		actions("start enable reset-failed")
		if !slices.Contains(m.Failed(), "td-nap.service") {
			t.Errorf("failed: %v", m.Failed())
		}
		until(t, "the reason", func() bool { return service("td-nap.service").Result != "" })
		if s := service("td-nap.service"); s.MainPID != 0 || s.Since == nil || s.Result != "signal" || s.Signal != "SIGKILL" || s.ExitCode != nil {
			t.Errorf("%+v", s)
		}
		run("systemctl", "reset-failed", "td-nap")
		until(t, "reset", state("td-nap.service", "inactive", "dead"))
		until(t, "no reason", func() bool { return service("td-nap.service").Result == "" })
		if slices.Contains(m.Failed(), "td-nap.service") {
			t.Errorf("failed: %v", m.Failed())
		}
		if s := service("td-nap.service"); s.Signal != "" || s.ExitCode != nil {
			t.Errorf("%+v", s)
		}
	})
	t.Run("what a unit does not let be done", func(t *testing.T) {
		run("systemctl", "start", "td-kept")
		until(t, "started", state("td-kept.service", "active", "running"))
		if s := service("td-kept.service"); len(s.Actions) != 0 {
			t.Errorf("%v", s.Actions)
		}
	})
	t.Run("failure", func(t *testing.T) {
		run("systemctl", "start", "td-fails")
		until(t, "failed", state("td-fails.service", "failed", "failed"))
		until(t, "the reason", func() bool {
			s := service("td-fails.service")
			return s.Result == "exit-code" && s.ExitCode != nil && *s.ExitCode == 1 && s.Signal == ""
		})
	})
	t.Run("instance and escaped name", func(t *testing.T) {
		run("systemctl", "start", `td-many@a\x2db.service`, `td-a\x2db.service`)
		until(t, "an instance", state(`td-many@a\x2db.service`, "active", "running"))
		until(t, "an escaped name", state(`td-a\x2db.service`, "active", "running"))
	})
	t.Run("memory and CPU", func(t *testing.T) {
		run("systemctl", "start", "td-busy")
		until(t, "started", state("td-busy.service", "active", "running"))
		s := service("td-busy.service")
		if s.CPUPercent != nil {
			t.Errorf("%g%% at first sight", *s.CPUPercent)
		}
		defer h.Command("systemctl", "kill", "-s", "KILL", "td-busy").Run()
		if s.Memory == nil {
			t.Skip("the control groups of this host are not of version 2")
		}
		until(t, "CPU", func() bool { s := service("td-busy.service"); return s.CPUPercent != nil && *s.CPUPercent > 5 })
		if s := service("td-busy.service"); *s.CPUPercent > 60 {
			t.Errorf("%g%% with a quota of 20%%", *s.CPUPercent)
		}
		run("systemctl", "stop", "td-busy")
		until(t, "stopped", state("td-busy.service", "inactive", "dead"))
		if s := service("td-busy.service"); s.CPUPercent != nil || s.Memory != nil {
			t.Errorf("it uses something after its end: %+v", s)
		}
	})
	t.Run("unit files", func(t *testing.T) {
		run("systemctl", "enable", "td-nap")
		until(t, "enabled", func() bool { s := service("td-nap.service"); return s != nil && s.UnitFileState == "enabled" })
		run("systemctl", "mask", "rescue.service")
		until(t, "masked", func() bool {
			s := service("rescue.service")
			return s != nil && s.LoadState == "masked" && len(s.Actions) == 0
		})
		run("sh", "-c", "printf '[Unit]\\nDescription=new\\n[Service]\\nExecStart=/bin/sleep 1000\\n' > /etc/systemd/system/td-later.service")
		run("systemctl", "daemon-reload")
		until(t, "a new unit", func() bool { s := service("td-later.service"); return s != nil && s.Description == "new" })
		run("rm", "/etc/systemd/system/td-later.service")
		run("systemctl", "daemon-reload")
		until(t, "a unit less", func() bool { return service("td-later.service") == nil })
	})
	t.Run("a transient unit comes and goes", func(t *testing.T) {
		run("systemd-run", "--unit=td-transient", "--collect", "/bin/sleep", "1000")
		until(t, "it runs", state("td-transient.service", "active", "running"))
		run("systemctl", "stop", "td-transient")
		until(t, "it is gone", func() bool { return service("td-transient.service") == nil })
	})
	t.Run("nothing happens by itself", func(t *testing.T) {
		// What is asked about a unit may load it, which systemd tells, which may lead to the next question.
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		conn := must[*dbus.Conn](t)(dbus.Connect(h.Bus(), dbus.WithContext(ctx)))
		defer conn.Close()
		if err := conn.AddMatchSignal(dbus.WithMatchInterface(sdManager), dbus.WithMatchMember("UnitNew")); err != nil {
			t.Fatal(err)
		}
		signals := make(chan *dbus.Signal, 1000)
		conn.Signal(signals)
		run("systemctl", "start", "td-unused")
		run("systemctl", "stop", "td-unused")
		// Signals that were read late may be asked about when it is gone again: a few loads more, and then no more.
		loaded := 0
		for quiet := time.After(2 * time.Second); ; {
			select {
			case s := <-signals:
				if len(s.Body) > 0 && s.Body[0] == "td-unused.service" {
					loaded++
					quiet = time.After(2 * time.Second)
				}
				continue
			case <-ctx.Done():
				t.Fatalf("td-unused.service was loaded %d times and still is", loaded)
			case <-quiet:
			}
			break
		}
		if loaded == 0 {
			t.Error("td-unused.service was not loaded at its start")
		}
	})
	t.Run("subscribers are told", func(t *testing.T) {
		run("systemctl", "start", "td-nap")
		running := state("td-nap.service", "active", "running")
		for deadline := time.After(30 * time.Second); !running(); {
			select {
			case <-told:
			case <-deadline:
				t.Fatal("nobody told of a start")
			}
		}
	})
	for _, test := range []struct {
		name    string
		command []string
	}{
		{"daemon-reexec", []string{"systemctl", "daemon-reexec"}},
		{"a restart of dbus", []string{"systemctl", "restart", "dbus.service"}},
	} {
		t.Run("after "+test.name, func(t *testing.T) {
			run(test.command...)
			run("systemctl", "restart", "td-nap")
			until(t, "it runs", state("td-nap.service", "active", "running"))
			run("systemctl", "stop", "td-nap")
			until(t, "it is stopped", state("td-nap.service", "inactive", "dead"))
		})
	}
	t.Run("while dbus is down", func(t *testing.T) {
		run("systemctl", "stop", "--no-block", "dbus.socket", "dbus.service")
		until(t, "a reason", func() bool {
			list, reasons := m.Services(t.Context())
			return reasons["systemd"] != "" && len(list) > 0
		})
		// Within the host, root reaches systemd itself; from the outside it does not.
		self := must[[]byte](t)(os.ReadFile(os.Args[0]))
		write(t, filepath.Join(h.Root, "root/control.test"), string(self), 0o755)
		out, err := h.Command("env", insideEnv+"=1", "/root/control.test", "-test.run=^TestWithoutBus$", "-test.v").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS: TestWithoutBus") {
			t.Errorf("%v: %s", err, out)
		}
		run("systemctl", "start", "--no-block", "dbus.socket", "dbus.service")
		until(t, "it is back", func() bool { return service("dbus.service") != nil })
	})
}

const insideEnv = "TOPDECK_TEST_INSIDE"

// A system bus lets a connection wait for 128 answers at once.
func TestMoreServicesThanABusLetsBeAskedForAtOnce(t *testing.T) {
	t.Parallel()
	h := sdhost.Boot(t, map[string]string{"td-many@.service": "[Service]\nExecStart=/bin/sleep 1000\n"})
	var names []string
	for i := range 150 {
		names = append(names, fmt.Sprintf("td-many@%d.service", i))
	}
	if out, err := h.Command(append([]string{"systemctl", "start"}, names...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	m := NewManager(Config{Root: h.Root, Bus: h.Bus()})
	defer m.Close()
	list, reasons := m.Services(t.Context())
	known := 0
	for _, s := range list {
		if strings.HasPrefix(s.Name, "td-many@") && s.MainPID > 0 && slices.Contains(s.Actions, Stop) {
			known++
		}
	}
	if known != len(names) {
		t.Errorf("%d of %d services are known whole: %v", known, len(names), reasons)
	}
}

// TestWithoutBus is not a test of its own: TestServicesOfSystemd runs it within a host whose dbus is down.
func TestWithoutBus(t *testing.T) {
	if os.Getenv(insideEnv) == "" {
		t.Skip("runs only as a part of TestServicesOfSystemd")
	}
	m := NewManager(Config{})
	defer m.Close()
	state := func() string {
		list, reasons := m.Services(t.Context())
		if len(reasons) > 0 {
			return fmt.Sprint(reasons)
		}
		i := slices.IndexFunc(list, func(s Service) bool { return s.Name == "td-nap.service" })
		return list[i].ActiveState
	}
	// systemd itself stands still for as long as a call of its own to the lost bus waits.
	for end := time.Now().Add(2 * time.Minute); state() != "inactive"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("at first: %s", state())
		}
	}
	for _, test := range [][2]string{{"start", "active"}, {"stop", "inactive"}} {
		if out, err := exec.Command("systemctl", test[0], "td-nap").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		until(t, test[0], func() bool { return state() == test[1] })
	}
}

func TestAHostWhoseSystemdCannotBeReached(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "run/systemd/system"), 0o755); err != nil {
		t.Fatal(err)
	}
	m := NewManager(Config{Root: root, Bus: "unix:path=/nonexistent"})
	defer m.Close()
	if list, reasons := m.Services(t.Context()); len(list) != 0 || reasons["systemd"] == "" {
		t.Errorf("%v, %v", list, reasons)
	}
}
