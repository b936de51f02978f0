//go:build browser

package main

import (
	"os"
	"os/exec"
	"testing"
)

// TestActsInTheBrowser drives the app in a real Chromium against topdeck as a unit of a real systemd:
// frontend/e2e/acting.ts says by which tests, and what the services below are for. It needs the built app and its
// node_modules, so make test-browser runs it.
func TestActsInTheBrowser(t *testing.T) {
	host := install(t, map[string]string{
		"acts-sleep.service":  "[Unit]\nDescription=Sleeps\n[Service]\nExecStart=/bin/sleep 100000\n",
		"acts-fail.service":   "[Unit]\nDescription=Fails\n[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo cannot open /etc/acts.conf >&2; exit 3'\n",
		"acts-late.service":   "[Unit]\nDescription=Fails late\n[Service]\nExecStart=/bin/sh -c 'sleep 3; echo port 80 is taken >&2; exit 3'\n",
		"acts-slow.service":   "[Unit]\nDescription=Takes its time\n[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'sleep 3; systemd-notify --ready; exec sleep 100000'\n",
		"acts-base.service":   "[Unit]\nDescription=Carries another\n[Service]\nExecStart=/bin/sleep 100000\n",
		"acts-top.service":    "[Unit]\nDescription=Stands on another\nRequires=acts-base.service\nAfter=acts-base.service\n[Service]\nExecStart=/bin/sleep 100000\n",
		"acts-chatty.service": "[Unit]\nDescription=Talks\n[Service]\nExecStart=/bin/sh -c 'n=0; while :; do n=$$((n+1)); echo tick $$n; [ $$((n %% 5)) = 0 ] && echo \"<3>tick $$n is bad\"; [ $$n -lt 60 ] || sleep 1; done'\n",
		"acts-never.service":  "[Unit]\nDescription=Never gets ready\n[Service]\nType=notify\nExecStart=/bin/sleep 100000\n",
		"acts-again.service":  "[Unit]\nDescription=Comes back\n[Service]\nRestart=always\nExecStart=/bin/sleep 100000\n",
	})
	for _, unit := range []string{"acts-sleep", "acts-base", "acts-top", "acts-chatty", "acts-again"} {
		host.run("systemctl", "start", unit+".service")
	}
	for _, role := range []string{"admin", "operator", "viewer"} {
		host.as(role)
	}
	cmd := exec.Command("npm", "run", "--silent", "e2e")
	cmd.Dir = "../../frontend"
	cmd.Env = append(os.Environ(), "TOPDECK_URL="+host.url, "TOPDECK_PASSWORD="+testPassword,
		"TOPDECK_ADMIN=admin", "TOPDECK_OPERATOR=operator", "TOPDECK_VIEWER=viewer")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("%v\n%s", err, host.logged())
	}
}
