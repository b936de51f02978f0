package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"topdeck/control"
	"topdeck/control/sdhost"
)

// installed is topdeck as make install puts it, running as its own unit on a real systemd.
type installed struct {
	*sdhost.Host
	t      *testing.T
	url    string
	client *http.Client
}

// install boots a host with the given units besides topdeck's own, and starts topdeck there. The host shares this
// machine's loopback, so that the tests reach it.
func install(t *testing.T, units map[string]string) *installed {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "topdeck")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	port := freePort(t)
	unit, err := os.ReadFile("topdeck.service")
	if err != nil {
		t.Fatal(err)
	}
	units["topdeck.service"] = string(unit)
	units["topdeck.service.d/port.conf"] = fmt.Sprintf("[Service]\nEnvironment=TOPDECK_LISTEN=127.0.0.1:%d\n", port)
	i := &installed{Host: sdhost.Boot(t, units), t: t, url: fmt.Sprintf("http://127.0.0.1:%d", port), client: &http.Client{}}
	text, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(i.Root, "usr/local/bin/topdeck"), text, 0o755); err != nil {
		t.Fatal(err)
	}
	i.run("systemctl", "start", "topdeck.service") // Type=notify: returns when it serves
	return i
}

// run runs a command inside and returns what it prints.
func (i *installed) run(args ...string) string {
	i.t.Helper()
	out, err := i.Command(args...).CombinedOutput()
	if err != nil {
		i.t.Fatalf("%s: %v\n%s\n%s", strings.Join(args, " "), err, out, i.journal())
	}
	return string(out)
}

func (i *installed) journal() []byte {
	out, _ := i.Command("journalctl", "--no-pager", "-n", "20", "-u", "topdeck").CombinedOutput()
	return out
}

// as adds an account, and returns what calls the server as it.
func (i *installed) as(role string) *caller {
	i.t.Helper()
	add := i.Command("/usr/local/bin/topdeck", "user", "add", role, "--role", role, "--data", "/var/lib/topdeck")
	add.Stdin = strings.NewReader(testPassword + "\n")
	if out, err := add.CombinedOutput(); err != nil {
		i.t.Fatalf("user add: %v %s", err, out)
	}
	c := &caller{installed: i}
	status, _ := c.call("POST", "/session", map[string]string{"username": role, "password": testPassword}, nil)
	if status != http.StatusOK {
		i.t.Fatalf("sign-in as %s answers %d", role, status)
	}
	return c
}

// caller is one signed-in account.
type caller struct {
	*installed
	cookie string
}

// call sends body and reads the answer into reply, unless that is nil.
func (c *caller) call(method, path string, body, reply any) (status int, text string) {
	c.t.Helper()
	var sent bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&sent).Encode(body); err != nil {
			c.t.Fatal(err)
		}
	}
	req, err := http.NewRequest(method, c.url+"/api/v1"+path, &sent)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", c.url)
	req.Header.Set("Cookie", c.cookie)
	r, err := c.client.Do(req)
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s", method, path, err, c.journal())
	}
	defer r.Body.Close()
	for _, cookie := range r.Cookies() {
		c.cookie = cookie.Name + "=" + cookie.Value
	}
	answer, err := io.ReadAll(r.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if reply != nil && r.StatusCode < 300 {
		if err := json.Unmarshal(answer, reply); err != nil {
			c.t.Fatalf("%s %s answers %s", method, path, answer)
		}
	}
	return r.StatusCode, string(answer)
}

// act has an action done on a service and returns its record once it has ended.
func (c *caller) act(service, action string) control.Operation {
	c.t.Helper()
	var begun struct{ Operation control.Operation }
	status, text := c.call("POST", "/services/"+url.PathEscape(service)+"/actions", map[string]string{"action": action}, &begun)
	if status != http.StatusAccepted {
		c.t.Fatalf("%s %s answers %d %s", action, service, status, text)
	}
	return c.end(begun.Operation.ID)
}

// end waits for the end of an operation.
func (c *caller) end(id string) control.Operation {
	c.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var now struct{ Operation control.Operation }
		if status, text := c.call("GET", "/operations/"+id, nil, &now); status != http.StatusOK {
			c.t.Fatalf("operation %s: %d %s", id, status, text)
		}
		if now.Operation.RetStatus != control.Running {
			return now.Operation
		}
	}
	c.t.Fatalf("operation %s still runs", id)
	return control.Operation{}
}

func TestActsOnARealSystemd(t *testing.T) {
	host := install(t, map[string]string{
		"ok.service":           "[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n",
		"bad.service":          "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo kaboom-4711 >&2; exit 3'\n",
		"late.service":         "[Service]\nType=oneshot\nTimeoutStartSec=1s\nExecStart=/bin/sleep 60\n",
		"stubborn.service":     "[Service]\nTimeoutStopSec=1s\nExecStart=/bin/sh -c 'trap \"\" TERM; while :; do sleep 1; done'\n",
		"echo@.service":        "[Service]\nExecStart=/bin/sleep %i\n",
		"base.service":         "[Service]\nExecStart=/bin/sleep 1000\n",
		"above.service":        "[Unit]\nRequires=base.service\nAfter=base.service\n[Service]\nExecStart=/bin/sleep 1000\n",
		`dash\x2dname.service`: "[Service]\nExecStart=/bin/sleep 1000\n",
	})
	admin := host.as("admin")
	state := func(unit string) string {
		out, _ := host.Command("systemctl", "is-active", unit).Output() // exits non-zero for any state but active
		return strings.TrimSpace(string(out))
	}

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
	t.Run("names are exact", func(t *testing.T) {
		for _, name := range []string{"echo@1000.service", `dash\x2dname.service`, "systemd:ok.service"} {
			if op := admin.act(name, "start"); op.RetStatus != control.Succeeded {
				t.Errorf("start %s: %s", name, op.Message)
			}
		}
		for _, name := range []string{"nosuch.service", "o", "ok*", "ok ", "../ok.service", "-.mount;ls", "echo@.service", "OK.service", "sysv:ok.service"} {
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
		var begun struct{ Operation control.Operation }
		if status, text := admin.call("POST", "/commands", map[string]string{"command": "printf '%s|' one 'two three' $HOME"}, &begun); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, text)
		}
		admin.end(begun.Operation.ID)
		if _, text := admin.call("GET", "/operations/"+begun.Operation.ID+"/output", nil, nil); !strings.Contains(text, "one|two three|$HOME|") {
			t.Errorf("output %s", text)
		}
	})
	t.Run("an act that topdeck does not outlive is interrupted", func(t *testing.T) {
		for range 5 {
			var begun struct{ Operation control.Operation }
			if status, text := admin.call("POST", "/services/stubborn.service/actions", map[string]string{"action": "restart"}, &begun); status != http.StatusAccepted {
				t.Fatalf("%d %s", status, text)
			}
			host.run("systemctl", "kill", "--signal=KILL", "topdeck.service")
			host.run("systemctl", "restart", "topdeck.service")
			if op := admin.end(begun.Operation.ID); op.RetStatus != control.Interrupted {
				t.Errorf("%+v", op)
			}
		}
	})
}
