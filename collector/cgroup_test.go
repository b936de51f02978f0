package collector

import (
	"strings"
	"testing"
)

func TestUnitOfControlGroup(t *testing.T) {
	const v1 = "12:cpu,cpuacct:/system.slice/decoy.service\n"
	for name, c := range map[string]struct {
		file, want string
		user       bool
	}{
		"v2":                      {"0::/system.slice/nginx.service\n", "nginx.service", false},
		"v2, no newline":          {"0::/system.slice/nginx.service", "nginx.service", false},
		"v1":                      {v1 + "1:name=systemd:/system.slice/ssh.service\n", "ssh.service", false},
		"hybrid":                  {v1 + "1:name=systemd:/system.slice/ssh.service\n0::/system.slice/ssh.service\n", "ssh.service", false},
		"hybrid, v2 at the root":  {v1 + "1:name=systemd:/system.slice/ssh.service\n0::/\n", "ssh.service", false},
		"hybrid, v2 first":        {"0::/a.slice/two.service\n1:name=systemd:/a.slice/one.service\n", "two.service", false},
		"only a resource":         {v1 + "0::/\n", "", false},
		"root":                    {"0::/\n", "", false},
		"empty":                   {"", "", false},
		"template":                {"0::/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", false},
		"escaped name":            {`0::/system.slice/dev-disk-by\x2duuid.swap`, `dev-disk-by\x2duuid.swap`, false},
		"session scope":           {"0::/user.slice/user-1000.slice/session-3.scope", "session-3.scope", false},
		"user's service":          {"0::/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service", "foo.service", true},
		"user's scope":            {"0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-x.scope/y", "app-gnome-x.scope", true},
		"user's service, nested":  {"0::/user.slice/user-0.slice/user@0.service/a.slice/a-b.slice/foo.service/sub/deep.service", "foo.service", true},
		"user's manager":          {"0::/user.slice/user-1000.slice/user@1000.service/init.scope", "user@1000.service", false},
		"user's manager, no unit": {"0::/user.slice/user-1000.slice/user@1000.service/odd/foo.service", "user@1000.service", false},
		"init":                    {"0::/init.scope", "init.scope", false},
		"delegated group":         {"0::/system.slice/docker.service/init", "docker.service", false},
		"container's own systemd": {"0::/machine.slice/systemd-nspawn@web.service/payload/system.slice/nginx.service", "systemd-nspawn@web.service", false},
		"docker with systemd":     {"0::/system.slice/docker-0123456789ab.scope", "docker-0123456789ab.scope", false},
		"docker without":          {"4:name=systemd:/docker/0123456789ab\n", "", false},
		"outside of a namespace":  {"0::/../../system.slice/cron.service", "", false},
		"LXC with systemd":        {"0::/lxc.payload.web/system.slice/nginx.service", "", false},
		"deleted":                 {"0::/system.slice/gone.service (deleted)", "gone.service", false},
		"only a suffix":           {"0::/.service", "", false},
		"hostile":                 {"0::/user.slice/\x1b[2J\u202e.service", `\x1b[2J\u202e.service`, false},
		"no colon":                {"0", "", false},
		"one colon":               {"0:/x.service", "", false},
		"path with colons":        {"0::/system.slice/a:b.service", "a:b.service", false},
	} {
		if got, user := parseGroups(c.file).unit(groups{}); got != c.want || user != c.user {
			t.Errorf("%s: %q gives %q, %v, want %q, %v", name, c.file, got, user, c.want, c.user)
		}
	}
}

func TestUnitInAContainerThatSeesTheHost(t *testing.T) {
	roots := parseGroups("1:name=systemd:/docker/4711/init.scope\n0::/system.slice/docker-4711.scope/init.scope\n").roots()
	for file, want := range map[string]string{
		"0::/system.slice/docker-4711.scope/system.slice/nginx.service\n": "nginx.service",
		"1:name=systemd:/docker/4711/system.slice/nginx.service\n0::/\n":  "nginx.service",
		"0::/system.slice/docker-4711.scope\n":                            "",
		"0::/system.slice/ssh.service\n":                                  "",
	} {
		if got, _ := parseGroups(file).unit(roots); got != want {
			t.Errorf("%q gives %q, want %q", file, got, want)
		}
	}
	if roots := parseGroups("0::/system.slice/docker-4711.scope\n").roots(); roots != (groups{}) {
		t.Errorf("a container without systemd has the roots %+v", roots)
	}
}

func FuzzControlGroup(f *testing.F) {
	f.Add("0::/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service\n")
	f.Add("1:name=systemd:/a.scope\n0::/\n")
	f.Fuzz(func(t *testing.T, file string) {
		unit, _ := parseGroups(file).unit(groups{})
		if len(unit) > maxName || strings.ContainsAny(unit, "/\n\x00") {
			t.Fatalf("%q gives %q", file, unit)
		}
	})
}

func TestSliceOfControlGroup(t *testing.T) {
	for file, want := range map[string]string{
		"0::/system.slice/nginx.service\n":                                       "system.slice",
		"0::/system.slice/system-getty.slice/getty@tty1.service":                 "system-getty.slice",
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service": "user-1000.slice",
		"1:name=systemd:/user.slice/user-0.slice/session-1.scope\n0::/\n":        "user-0.slice",
		"0::/init.scope":                      "",
		"0::/":                                "",
		"0::/../../system.slice/cron.service": "",
		"":                                    "",
		"0::/a\x1b.slice/x.service":           `a\x1b.slice`,
	} {
		if got := parseGroups(file).slice(groups{}); got != want {
			t.Errorf("%q gives %q, want %q", file, got, want)
		}
	}
}
