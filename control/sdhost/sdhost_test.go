package sdhost

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
)

func TestBoot(t *testing.T) {
	h := Boot(t, map[string]string{
		"topdeck-nap.service":             "[Service]\nExecStart=/bin/sleep 1000\n",
		"topdeck-nap.service.d/what.conf": "[Unit]\nDescription=a nap\n",
	})

	if out, err := h.Command("systemctl", "start", "topdeck-nap").CombinedOutput(); err != nil {
		t.Fatalf("cannot start a unit: %v: %s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := dbus.NewConnection(func() (*godbus.Conn, error) { return godbus.Connect(h.Bus(), godbus.WithContext(ctx)) })
	if err != nil {
		t.Fatalf("cannot reach its bus from outside: %v", err)
	}
	defer conn.Close()
	units, err := conn.ListUnitsByNamesContext(ctx, []string{"topdeck-nap.service"})
	if err != nil {
		t.Fatal(err)
	}
	if len(units) != 1 || units[0].ActiveState != "active" || units[0].Description != "a nap" {
		t.Errorf("units: %+v, want the active nap with the description of its drop-in", units)
	}

	// A job, with its result, is what needs root's rights on the bus.
	result := make(chan string, 1)
	if _, err := conn.StopUnitContext(ctx, "topdeck-nap.service", "replace", result); err != nil {
		t.Fatal(err)
	}
	if got := <-result; got != "done" {
		t.Errorf("stop: %s, want done", got)
	}

	if _, err := os.Stat("/etc/systemd/system/topdeck-nap.service"); err == nil {
		t.Error("the unit was written to this machine itself")
	}
	if _, err := os.Stat(filepath.Join(h.Root, "etc/systemd/system/topdeck-nap.service")); err != nil {
		t.Error(err)
	}
}

func TestNothingEnabledOnThisMachineIsStarted(t *testing.T) {
	h := Boot(t, map[string]string{"topdeck-nap.service": "[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n"})
	folder := filepath.Join(h.Root, "etc/systemd/system/multi-user.target.wants")
	if links, err := os.ReadDir(folder); err != nil || len(links) > 0 {
		t.Errorf("enabled: %v, %v", links, err)
	}
	if out, err := h.Command("systemctl", "enable", "topdeck-nap").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if links, err := os.ReadDir(folder); err != nil || len(links) != 1 {
		t.Errorf("enabled: %v, %v", links, err)
	}
}

func TestStopLeavesNothing(t *testing.T) {
	h := Boot(t, nil)
	dir, groups := h.dir, h.groups
	if err := h.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", dir, err)
	}
	for _, group := range groups {
		if _, err := os.Stat(group); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", group, err)
		}
	}
	if childSystemd(h.nspawn.Process.Pid) != 0 {
		t.Error("its systemd still runs")
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), dir) {
		t.Errorf("%s is still mounted", dir)
	}
}

func TestTwoHostsDoNotMeddle(t *testing.T) {
	unit := map[string]string{"topdeck-nap.service": "[Service]\nExecStart=/bin/sleep 1000\n"}
	one, other := Boot(t, unit), Boot(t, unit)
	for _, h := range []*Host{one, other} {
		if out, err := h.Command("systemctl", "start", "topdeck-nap").CombinedOutput(); err != nil {
			t.Fatalf("cannot start a unit: %v: %s", err, out)
		}
	}
	if out, err := one.Command("systemctl", "stop", "topdeck-nap").CombinedOutput(); err != nil {
		t.Fatalf("cannot stop a unit: %v: %s", err, out)
	}
	if err := one.Stop(); err != nil {
		t.Fatal(err)
	}
	if out, err := other.Command("systemctl", "is-active", "topdeck-nap").Output(); err != nil {
		t.Errorf("the other host's unit is %s after a stop of the one's: %v", out, err)
	}
}
