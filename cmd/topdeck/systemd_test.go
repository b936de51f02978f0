package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"topdeck/control"
)

func TestActsOnARealSystemd(t *testing.T) {
	host := install(t, map[string]string{
		"ok.service":           "[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n",
		"bad.service":          "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo kaboom-4711 >&2; exit 3'\n",
		"late.service":         "[Service]\nType=oneshot\nTimeoutStartSec=1s\nExecStart=/bin/sleep 60\n",
		"stubborn.service":     "[Service]\nTimeoutStopSec=1s\nExecStart=/bin/sh -c 'trap \"\" TERM; while :; do sleep 1; done'\n",
		"tally.service":        tallyUnit,
		"echo@.service":        "[Service]\nExecStart=/bin/sleep %i\n",
		"base.service":         "[Service]\nExecStart=/bin/sleep 1000\n",
		"above.service":        "[Unit]\nRequires=base.service\nAfter=base.service\n[Service]\nExecStart=/bin/sleep 1000\n",
		`dash\x2dname.service`: "[Service]\nExecStart=/bin/sleep 1000\n",
	})
	admin := host.as("admin")
	state := host.state

	t.Run("start, restart and stop", func(t *testing.T) {
		for _, step := range []struct{ action, state string }{{"start", "active"}, {"restart", "active"}, {"stop", "inactive"}, {"start", "active"}} {
			if op := admin.act("ok.service", step.action); op.RetStatus != control.Succeeded || state("ok.service") != step.state {
				t.Errorf("%s: %s %q, and systemd says %s", step.action, op.RetStatus, op.Message, state("ok.service"))
			}
		}
	})
	t.Run("enable and disable", func(t *testing.T) {
		for _, step := range []struct{ action, state string }{{"enable", "enabled"}, {"disable", "disabled"}} {
			op := admin.act("ok", step.action)
			out, _ := host.Command("systemctl", "is-enabled", "ok.service").Output()
			if op.RetStatus != control.Succeeded || strings.TrimSpace(string(out)) != step.state {
				t.Errorf("%s: %s %q, and systemd says %s", step.action, op.RetStatus, op.Message, out)
			}
		}
	})
	t.Run("a failure says why", func(t *testing.T) {
		op := admin.act("bad.service", "start")
		if op.RetStatus != control.Failed || op.ExitCode == nil || *op.ExitCode != 3 || !strings.Contains(op.Message+op.Detail, "kaboom-4711") {
			t.Errorf("%+v", op)
		}
		if op := admin.act("bad.service", "reset-failed"); op.RetStatus != control.Succeeded || state("bad.service") != "inactive" {
			t.Errorf("reset-failed: %q, and systemd says %s", op.Message, state("bad.service"))
		}
	})
	t.Run("a start that takes too long", func(t *testing.T) {
		if op := admin.act("late.service", "start"); op.RetStatus != control.Failed || !strings.Contains(op.Message+op.Detail, "time") {
			t.Errorf("%+v", op)
		}
	})
	t.Run("one that ignores SIGTERM", func(t *testing.T) {
		admin.act("stubborn.service", "start")
		if admin.act("stubborn.service", "stop"); state("stubborn.service") == "active" {
			t.Error("still active")
		}
	})
	t.Run("a masked one", func(t *testing.T) {
		host.run("systemctl", "mask", "rescue.service")
		if op := admin.act("rescue.service", "start"); op.RetStatus != control.Failed || !strings.Contains(op.Message, "masked") {
			t.Errorf("%s %q", op.RetStatus, op.Message)
		}
		host.until("nothing is offered", func() bool {
			s := admin.service("rescue.service")
			return s != nil && s.LoadState == "masked" && len(s.Actions) == 0
		})
	})
	t.Run("names are exact", func(t *testing.T) {
		for _, name := range []string{"echo@1000.service", `dash\x2dname.service`, "systemd:ok.service"} {
			if op := admin.act(name, "start"); op.RetStatus != control.Succeeded {
				t.Errorf("start %s: %s", name, op.Message)
			}
		}
		for _, name := range []string{"nosuch.service", "o", "ok*", "ok?service", "[o]k.service", "ok ", " ok", "o k.service", "ok.service ok.service", "../ok.service", "..",
			"/etc/systemd/system/ok.service", "system/ok.service", "ok.service\n", "ok\nok.service", "ok\x00", "-.mount;ls", "ok.service;ls", "$(ls)", "--now",
			"echo@.service", "echo@", "OK.service", "sysv:ok.service", "systemd:systemd:ok.service", "multi-user.target", "\u202eok.service"} {
			status, text := admin.call("POST", "/services/"+url.PathEscape(name)+"/actions", map[string]string{"action": "stop"}, nil)
			if status != http.StatusNotFound && status != http.StatusBadRequest {
				t.Errorf("stop %q answers %d %s", name, status, text)
			}
		}
		if state("ok.service") != "active" {
			t.Error("a refused name stopped a service")
		}
	})
	t.Run("a guarded unit wants its name", func(t *testing.T) {
		if status, _ := admin.call("POST", "/services/dbus.service/actions", map[string]string{"action": "stop"}, nil); status != http.StatusConflict {
			t.Errorf("stop dbus answers %d", status)
		}
	})
	t.Run("what else stops", func(t *testing.T) {
		admin.act("above.service", "start")
		var detail struct{ Dependencies map[string][]string }
		if status, text := admin.call("GET", "/services/base.service", nil, &detail); status != http.StatusOK || fmt.Sprint(detail.Dependencies["requiredBy"]) != "[above.service]" {
			t.Errorf("%d %s", status, text)
		}
	})
	t.Run("roles", func(t *testing.T) {
		viewer, operator := host.as("viewer"), host.as("operator")
		stop := map[string]string{"action": "stop"}
		if status, _ := viewer.call("POST", "/services/ok.service/actions", stop, nil); status != http.StatusForbidden {
			t.Errorf("a viewer's stop answers %d", status)
		}
		if status, _ := operator.call("POST", "/commands", map[string]string{"command": "id"}, nil); status != http.StatusForbidden {
			t.Errorf("an operator's command answers %d", status)
		}
		if op := operator.act("ok.service", "restart"); op.RetStatus != control.Succeeded {
			t.Errorf("an operator's restart: %s", op.Message)
		}
	})
	t.Run("a command, word by word", func(t *testing.T) {
		op := admin.command("printf '%s|' one 'two three' $HOME")
		if _, text := admin.call("GET", "/operations/"+op.ID+"/output", nil, nil); !strings.Contains(text, "one|two three|$HOME|") {
			t.Errorf("output %s", text)
		}
	})
	t.Run("what outlives topdeck", func(t *testing.T) { testOutlived(t, host, admin) })
	t.Run("an act that topdeck does not outlive is interrupted", func(t *testing.T) { testKilledInTheMiddle(t, host, admin) })
}

// testOutlived has topdeck restart itself, and be killed while a command runs: the next one tells what became of it.
func testOutlived(t *testing.T, host *installed, admin *caller) {
	// another waits until another topdeck serves than the one that did before end.
	another := func(end func()) {
		t.Helper()
		invocation := func() string { return host.run("systemctl", "show", "-P", "InvocationID", "topdeck.service") }
		before := invocation()
		end()
		host.until("another topdeck", func() bool { return invocation() != before && host.state("topdeck.service") == "active" })
		host.client.CloseIdleConnections()
	}
	var op control.Operation
	another(func() {
		op = admin.post("/services/topdeck.service/actions", map[string]any{"action": "restart", "confirm": "topdeck.service"})
	})
	if op = admin.end(op.ID); op.RetStatus != control.Succeeded || op.Message != "topdeck.service: restart done; it is active (running)" {
		t.Errorf("%+v", op)
	}
	op = admin.post("/commands", map[string]any{"command": "sh -c 'sleep 1000'"})
	unit := "topdeck-command-" + op.ID + ".service"
	host.until("the command runs", func() bool { return host.state(unit) == "active" })
	another(func() { host.run("systemctl", "kill", "--signal=KILL", "topdeck.service") })
	if op = admin.end(op.ID); op.RetStatus != control.Interrupted || !strings.Contains(op.Message, unit) || host.state(unit) != "inactive" {
		t.Errorf("%+v; the unit is %s", op, host.state(unit))
	}
}
