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

// deck is a running topdeck, whose accounts the tests sign in with.
type deck struct {
	t       testing.TB
	url     string
	client  *http.Client
	topdeck func(args ...string) *exec.Cmd // the program, on the same data
	logged  func() []byte                  // what the server has to say
}

// installed is topdeck as make install puts it, running as its own unit on a real systemd.
type installed struct {
	*sdhost.Host
	*deck
}

// buildStatic builds the program as make does, and returns its path.
func buildStatic(t testing.TB) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "topdeck")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// install boots a host with the given units besides topdeck's own, and starts topdeck there. The host shares this
// machine's loopback, so that the tests reach it.
func install(t testing.TB, units map[string]string) *installed {
	t.Helper()
	port := freePort(t)
	unit, err := os.ReadFile("topdeck.service")
	if err != nil {
		t.Fatal(err)
	}
	units["topdeck.service"] = string(unit)
	units["topdeck.service.d/port.conf"] = fmt.Sprintf("[Service]\nEnvironment=TOPDECK_LISTEN=127.0.0.1:%d\n", port)
	text, err := os.ReadFile(buildStatic(t))
	if err != nil {
		t.Fatal(err)
	}
	i := &installed{Host: sdhost.Boot(t, units), deck: &deck{t: t, url: fmt.Sprintf("http://127.0.0.1:%d", port), client: &http.Client{}}}
	i.topdeck = func(args ...string) *exec.Cmd {
		return i.Command(append([]string{"/usr/local/bin/topdeck"}, append(args, "--data", "/var/lib/topdeck")...)...)
	}
	i.logged = func() []byte {
		out, _ := i.Command("journalctl", "--no-pager", "-n", "200", "-u", "topdeck").CombinedOutput() // a panic is some of it
		return out
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
		i.t.Fatalf("%s: %v\n%s\n%s", strings.Join(args, " "), err, out, i.logged())
	}
	return string(out)
}

// state is the active state that systemd itself tells of a unit.
func (i *installed) state(unit string) string {
	out, _ := i.Command("systemctl", "is-active", unit).Output() // exits non-zero for any state but active
	return strings.TrimSpace(string(out))
}

// put writes a file of the host.
func (i *installed) put(path, text string) {
	i.t.Helper()
	path = filepath.Join(i.Root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		i.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		i.t.Fatal(err)
	}
}

// as adds an account of that name and role, and returns what calls the server as it.
func (d *deck) as(role string) *caller {
	d.t.Helper()
	add := d.topdeck("user", "add", role, "--role", role)
	add.Stdin = strings.NewReader(testPassword + "\n")
	if out, err := add.CombinedOutput(); err != nil {
		d.t.Fatalf("user add: %v %s", err, out)
	}
	return d.signedIn(role)
}

// signedIn is a new session of an account.
func (d *deck) signedIn(name string) *caller {
	d.t.Helper()
	c := &caller{deck: d}
	status, _ := c.call("POST", "/session", map[string]string{"username": name, "password": testPassword}, nil)
	if status != http.StatusOK {
		d.t.Fatalf("sign-in as %s answers %d", name, status)
	}
	return c
}

// until polls for what others bring about.
func (d *deck) until(what string, ok func() bool) {
	d.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatalf("waited in vain: %s\n%s", what, d.logged())
		}
	}
}

// caller is one session.
type caller struct {
	*deck
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
		c.t.Fatalf("%s %s: %v\n%s", method, path, err, c.logged())
	}
	defer r.Body.Close()
	if cookies := r.Cookies(); len(cookies) > 0 { // the session's is the first
		c.cookie = cookies[0].Name + "=" + cookies[0].Value
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

// begin has an action begun on a service and returns its record as it is then.
func (c *caller) begin(service, action string) control.Operation {
	c.t.Helper()
	return c.post("/services/"+url.PathEscape(service)+"/actions", map[string]any{"action": action})
}

// act has an action done on a service and returns its record once it has ended.
func (c *caller) act(service, action string) control.Operation {
	c.t.Helper()
	return c.end(c.begin(service, action).ID)
}

// command runs a command and returns its record once it has ended.
func (c *caller) command(line string) control.Operation {
	c.t.Helper()
	return c.end(c.post("/commands", map[string]any{"command": line}).ID)
}

// post sends what begins an operation.
func (c *caller) post(path string, body any) control.Operation {
	c.t.Helper()
	var begun struct{ Operation control.Operation }
	if status, text := c.call("POST", path, body, &begun); status != http.StatusAccepted {
		c.t.Fatalf("%s %v answers %d %s", path, body, status, text)
	}
	return begun.Operation
}

// service is the row of a service, nil while there is none.
func (c *caller) service(name string) *control.Service {
	c.t.Helper()
	var reply struct{ Services []control.Service }
	if status, text := c.call("GET", "/services?q="+url.QueryEscape("name:"+name), nil, &reply); status != http.StatusOK {
		c.t.Fatalf("services: %d %s", status, text)
	}
	for i := range reply.Services {
		if reply.Services[i].Name == name {
			return &reply.Services[i]
		}
	}
	return nil
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
