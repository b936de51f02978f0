package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"topdeck/collector"
	"topdeck/control"
)

// TestBox runs topdeck in the sandbox of its unit, on a real systemd, and does there what needs something that a sandbox may
// take away. The host is no place to show BPF and the proc connector: it may not use them with or without the box.
func TestBox(t *testing.T) {
	host := install(t, map[string]string{
		"other.service": "[Service]\nUser=nobody\nEnvironment=SECRET=4711\nExecStart=/bin/sh -c 'echo says-4711; exec /bin/sleep 1000'\n",
	})
	admin := host.as("admin")

	t.Run("exposure", func(t *testing.T) {
		out, err := host.Command("systemd-analyze", "security", "--no-pager", "topdeck.service").CombinedOutput()
		found := regexp.MustCompile(`Overall exposure level for topdeck.service: ([0-9.]+) (\w+)`).FindSubmatch(out)
		if found == nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if level, err := strconv.ParseFloat(string(found[1]), 64); err != nil || level > 4.0 {
			t.Errorf("systemd-analyze security tells %s, want at most 4.0\n%s", found[1], out)
		}
		t.Logf("row 19: systemd-analyze security tells %s %s of the unit on a real systemd", found[1], found[2])
	})
	t.Run("reads the same as outside", func(t *testing.T) {
		out, err := host.topdeckSample("host", "summary", "processes", "sockets")
		if err != nil {
			t.Fatal(err)
		}
		var outside sampleLine
		if err := json.Unmarshal(out, &outside); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		var inside struct {
			Host      collector.Host
			Summary   collector.Summary
			Processes struct{ Errors map[string]string }
			Sockets   struct{ Errors map[string]string }
		}
		for path, reply := range map[string]any{"/host": &inside.Host, "/summary": &inside.Summary, "/processes": &inside.Processes, "/sockets": &inside.Sockets} {
			if status, text := admin.call("GET", path, nil, reply); status != http.StatusOK {
				t.Fatalf("%s answers %d %s", path, status, text)
			}
		}
		for what, errors := range map[string][2]map[string]string{
			"host":    {inside.Host.Errors, outside.Host.Errors},
			"summary": {inside.Summary.Errors, outside.Summary.Errors},
			"lists":   {mapsOf(inside.Processes.Errors, inside.Sockets.Errors), outside.Errors},
		} {
			for part, reason := range errors[0] {
				if _, too := errors[1][part]; !too {
					t.Errorf("%s: %s cannot be read in the box: %s", what, part, reason)
				}
			}
		}
	})
	host.run("systemctl", "start", "other.service")
	pid := strings.TrimSpace(host.run("systemctl", "show", "-P", "MainPID", "other.service"))
	t.Run("looks into a process of another user", func(t *testing.T) {
		status, text := admin.call("GET", "/processes/"+pid+"?environment=true", nil, nil)
		if status != http.StatusOK || !strings.Contains(text, `"SECRET","value":"4711"`) || !strings.Contains(text, `"exe":"/usr/bin/sleep"`) {
			t.Errorf("%d %s", status, text)
		}
	})
	t.Run("reads its journal", func(t *testing.T) {
		host.until("what the service said", func() bool {
			_, text := admin.call("GET", "/services/other.service/journal", nil, nil)
			return strings.Contains(text, "says-4711")
		})
	})
	t.Run("acts on services", func(t *testing.T) {
		if op := admin.act("other.service", "restart"); op.RetStatus != control.Succeeded {
			t.Errorf("restart: %s %s", op.Message, op.Detail)
		}
	})
	t.Run("signals a process of another user", func(t *testing.T) {
		pid := strings.TrimSpace(host.run("systemctl", "show", "-P", "MainPID", "other.service"))
		var process struct{ Process collector.Process }
		if status, text := admin.call("GET", "/processes/"+pid, nil, &process); status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
		if status, text := admin.call("POST", "/processes/"+pid+"/signals", map[string]any{"signal": "TERM", "startTime": process.Process.StartTime}, nil); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, text)
		}
		host.until("the end of the process", func() bool { return host.state("other.service") != "active" })
	})
	t.Run("commands run outside", func(t *testing.T) {
		output := func(command string) string {
			var begun struct{ Operation control.Operation }
			if status, text := admin.call("POST", "/commands", map[string]string{"command": command}, &begun); status != http.StatusAccepted {
				t.Fatalf("%s: %d %s", command, status, text)
			}
			op := admin.end(begun.Operation.ID)
			_, text := admin.call("GET", "/operations/"+op.ID+"/output", nil, nil)
			return fmt.Sprint(op.RetStatus, " ", text)
		}
		if got := output("touch /etc/outside-the-box /home/outside-the-box"); !strings.HasPrefix(got, "succeeded") {
			t.Error(got)
		}
		if got := output("grep NoNewPrivs /proc/self/status"); !strings.Contains(got, `NoNewPrivs:\t0`) {
			t.Error(got)
		}
		// And topdeck itself is inside.
		own := strings.TrimSpace(host.run("systemctl", "show", "-P", "MainPID", "topdeck.service"))
		if got := host.run("grep", "-E", "NoNewPrivs|Seccomp:", "/proc/"+own+"/status"); !strings.Contains(got, "NoNewPrivs:\t1") || !strings.Contains(got, "Seccomp:\t2") {
			t.Error(got)
		}
	})
	t.Run("the watchdog", func(t *testing.T) {
		host.put("/etc/systemd/system/topdeck.service.d/watchdog.conf", "[Service]\nWatchdogSec=2\n")
		host.run("systemctl", "daemon-reload")
		host.run("systemctl", "restart", "topdeck.service")
		host.run("systemctl", "kill", "--signal=STOP", "--kill-whom=main", "topdeck.service")
		host.until("a restart by the watchdog", func() bool {
			return strings.TrimSpace(host.run("systemctl", "show", "-P", "NRestarts", "topdeck.service")) != "0" && host.state("topdeck.service") == "active"
		})
	})
}

// topdeckSample is what the program tells of the host when it is run outside of its unit.
func (i *installed) topdeckSample(parts ...string) ([]byte, error) {
	return i.Command("/usr/local/bin/topdeck", "sample", "--part", strings.Join(parts, ",")).Output()
}

func mapsOf(all ...map[string]string) map[string]string {
	together := map[string]string{}
	for _, one := range all {
		maps.Copy(together, one)
	}
	return together
}
