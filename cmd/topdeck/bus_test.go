package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"topdeck/control"
)

// TestTheBusGoes takes away what topdeck reaches systemd by, in the middle of jobs: dbus killed, and systemd reloaded and executed
// anew, once each; 50 and 10 times with TOPDECK_SOAK=1. Every act ends, and the list is right again soon.
func TestTheBusGoes(t *testing.T) {
	const often = "[Unit]\nStartLimitIntervalSec=0\n"
	host := install(t, map[string]string{
		"slow.service": often + "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 0.7\nExecStop=/bin/sleep 0.3\n",
		"fast.service": often + "[Service]\nExecStart=/bin/sleep 1000\n",
		"bad.service":  often + "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'sleep 0.4; echo no such table >&2; exit 3'\n",
		// As an administrator would have it who wants a dbus that ends to come back.
		"dbus.service.d/again.conf": often,
	})
	admin := host.as("admin")
	kills, reloads := 1, 1
	if os.Getenv("TOPDECK_SOAK") != "" {
		kills, reloads = 50, 10
	}
	// reachable waits until the list comes without an error.
	var longest time.Duration
	reachable := func() {
		t.Helper()
		begun := time.Now()
		host.until("the list is whole again", func() bool {
			var list struct {
				Services []control.Service
				Errors   map[string]string
			}
			status, _ := admin.call("GET", "/services", nil, &list)
			return status == http.StatusOK && list.Errors["systemd"] == "" && len(list.Services) > 10
		})
		longest = max(longest, time.Since(begun))
	}
	process := func() string {
		return host.run("systemctl", "show", "--property=MainPID", "--value", "topdeck.service")
	}
	count, first := map[control.RetStatus]int{}, process()
	round := func(name string, strike ...string) {
		t.Helper()
		if status, text := admin.call("POST", "/session/confirm", map[string]string{"password": testPassword}, nil); status != http.StatusNoContent {
			t.Fatalf("%s: the password is answered with %d %s", name, status, text)
		}
		var begun []control.Operation
		for _, act := range [][2]string{{"slow.service", "restart"}, {"fast.service", "restart"}, {"bad.service", "start"}} {
			begun = append(begun, admin.begin(act[0], act[1]))
		}
		begun = append(begun, admin.post("/commands", map[string]any{"command": "sh -c 'echo begun; sleep 1; echo done; exit 5'"}))
		// systemctl itself may lose the bus over this, and what comes of it is looked at below.
		_, _ = host.Command(strike...).CombinedOutput()
		for i, op := range begun {
			op = admin.end(op.ID)
			count[op.RetStatus]++
			switch {
			case i < 2 && op.RetStatus == control.Failed, i == 2 && op.RetStatus == control.Succeeded:
				t.Errorf("%s: %s of %s became %s: %s\n%s", name, op.LogType, op.Target, op.RetStatus, op.Message, op.Detail)
			case i == 3 && (op.RetStatus != control.Failed || op.ExitCode == nil && !strings.Contains(op.Message, "lost as it began, so it was ended") ||
				op.ExitCode != nil && (*op.ExitCode != 5 || op.Detail != "begun\ndone\n")):
				t.Errorf("%s: the command became %s: %s\n%s", name, op.RetStatus, op.Message, op.Detail)
			case i == 2 && op.RetStatus == control.Failed && !strings.Contains(op.Message, "no such table"):
				t.Errorf("%s: it is not told why: %s\n%s", name, op.Message, op.Detail)
			}
		}
		reachable()
		if now := process(); now != first {
			t.Fatalf("%s: topdeck is another process: %s, not %s\n%s", name, now, first, host.logged())
		}
		for _, unit := range []string{"slow.service", "fast.service", "bad.service"} {
			host.until(unit+" is listed as systemd itself has it", func() bool {
				s := admin.service(unit)
				return s != nil && s.ActiveState == host.state(unit)
			})
		}
	}
	reachable()
	longest = 0
	for i := range kills {
		round(fmt.Sprint("dbus killed ", i+1), "systemctl", "kill", "--signal=KILL", "dbus.service")
	}
	for i := range reloads {
		round(fmt.Sprint("daemon-reload ", i+1), "systemctl", "daemon-reload")
		round(fmt.Sprint("daemon-reexec ", i+1), "systemctl", "daemon-reexec")
	}
	var left struct{ Total int }
	if admin.call("GET", "/operations?retStatus=running", nil, &left); left.Total != 0 {
		t.Errorf("%d operations are running still", left.Total)
	}
	t.Logf("row 11: dbus killed × %d, systemd reloaded and executed anew × %d, in the middle of jobs: all ended, %v; the list was right again within %v", kills, reloads, count, longest.Round(time.Millisecond))
}
