package collector

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// fixture reads a machine of testdata/host. Its symbolic links are made here: not every way that a source tree travels keeps them.
func fixture(t *testing.T, name string, links map[string]string, now string) *HostReader {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(filepath.Join("testdata/host", name))); err != nil {
		t.Fatal(err)
	}
	for link, target := range links {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	return NewHostReader(HostConfig{Root: root, Now: func() time.Time {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			panic(err)
		}
		return at
	}})
}

// lines shows tasks one a line, for comparing.
func lines(tasks []ScheduledTask) []string {
	var text []string
	for _, task := range tasks {
		next := "-"
		if task.Next != nil {
			next = task.Next.Format(time.RFC3339)
		}
		text = append(text, strings.Join([]string{task.Kind, task.Schedule, task.User, task.Command, task.Source, next}, " | "))
	}
	return text
}

func TestHostDebian(t *testing.T) {
	h := fixture(t, "debian", map[string]string{"etc/os-release": "../usr/lib/os-release", "etc/localtime": "/usr/share/zoneinfo/Europe/Berlin"},
		"2026-05-01T10:00:00+02:00").Host(t.Context())
	tasks := lines(h.ScheduledTasks)
	h.ScheduledTasks = nil
	boot, uptime := time.Unix(1767225600, 0), 86400.25
	want := &Host{
		Hostname: "deb12", OS: "Debian GNU/Linux 12 (bookworm)",
		Kernel:       "Linux 6.1.0-18-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)",
		Architecture: h.Architecture, Virtualization: "kvm", BootTime: &boot, Uptime: &uptime, Timezone: "Europe/Berlin",
		CPUModel: "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", CPUCount: 2, MemoryTotal: 16315340 << 10,
		Source: "proc", ServiceManagers: []string{},
		Errors: map[string]string{"scheduledTasks": `/etc/cron.d/odd line 1: "25" is no hour: "25" is not within 0-23; ` +
			`/etc/cron.d/odd line 3: too few fields; ` +
			`/etc/cron.monthly: no crontab runs this folder, so when its files run is not known; it holds 1`},
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	// Its cron ignores CRON_TZ, and names with a dot; with anacron its crontab leaves the daily folder to that; and no user
	// can speak for a system folder.
	if diff := cmp.Diff([]string{
		"cron | 17 * * * * | root | cd / && run-parts --report /etc/cron.hourly | /etc/crontab | 2026-05-01T10:17:00+02:00",
		"cron | 25 6 * * * | root | test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; } | /etc/crontab | 2026-05-02T06:25:00+02:00",
		"cron | 47 6 * * 7 | root | test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.weekly; } | /etc/crontab | 2026-05-03T06:47:00+02:00",
		"cron | 0 25 * * * | root | late | /etc/cron.d/odd | -",
		"cron | @reboot | nobody | warm-up | /etc/cron.d/odd | -",
		"cron |  |  | 61 seconds | /etc/cron.d/odd | -",
		"cron | 5-55/10 * * * * | root | command -v debian-sa1 > /dev/null && debian-sa1 1 1 | /etc/cron.d/sysstat | 2026-05-01T10:05:00+02:00",
		"cron | anacron: 1 5 | root | run-parts --report /etc/cron.daily | /etc/anacrontab | -",
		"cron | anacron: 7 10 | root | run-parts --report /etc/cron.weekly | /etc/anacrontab | -",
		"cron | 17 * * * * | root | /etc/cron.hourly/ntp | /etc/cron.hourly/ntp | 2026-05-01T10:17:00+02:00",
		"cron | anacron: 1 5 | root | /etc/cron.daily/logrotate | /etc/cron.daily/logrotate | -",
		"cron |  |  | /etc/cron.monthly/report | /etc/cron.monthly/report | -",
		`cron | 0 9 * * mon-fri | ada.lovelace | /home/ada/stand-up --with "50%" | /var/spool/cron/crontabs/ada.lovelace | 2026-05-04T09:00:00+02:00`,
		"cron | 30 9 * * * | ada.lovelace | run-parts /etc/cron.monthly | /var/spool/cron/crontabs/ada.lovelace | 2026-05-02T09:30:00+02:00",
	}, tasks); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestHostRedHat(t *testing.T) {
	h := fixture(t, "redhat", map[string]string{"etc/localtime": "../usr/share/zoneinfo/America/New_York"}, "2026-05-01T10:00:00-04:00").Host(t.Context())
	for _, fact := range [][2]string{
		{h.Hostname, "rocky9.example.com"}, {h.OS, "Rocky Linux 9.3 (Blue Onyx)"}, {h.Virtualization, "vmware"}, {h.Timezone, "America/New_York"},
		{h.Errors["scheduledTasks"], `/etc/cron.d/backup.cron line 3: "Nowhere/Land" is no time zone; ` +
			`/var/spool/cron/grace: no newline at its end, so cron refuses the last line`},
	} {
		if fact[0] != fact[1] {
			t.Errorf("got %q, want %q", fact[0], fact[1])
		}
	}
	if diff := cmp.Diff([]string{
		"cron | 01 * * * * | root | run-parts /etc/cron.hourly | /etc/cron.d/0hourly | 2026-05-01T10:01:00-04:00",
		"cron | 0 12 * * * | backup | /usr/bin/backup | /etc/cron.d/backup.cron | 2026-05-02T12:00:00+09:00",
		"cron | 0 12 * * * | backup | /usr/bin/lost | /etc/cron.d/backup.cron | -",
		"cron | anacron: 1 5 | root | nice run-parts /etc/cron.daily | /etc/anacrontab | -",
		"cron | anacron: @monthly 45 | root | nice run-parts /etc/cron.monthly | /etc/anacrontab | -",
		"cron | 01 * * * * | root | /etc/cron.hourly/0anacron | /etc/cron.hourly/0anacron | 2026-05-01T10:01:00-04:00",
		"cron | anacron: 1 5 | root | /etc/cron.daily/man-db.cron | /etc/cron.daily/man-db.cron | -",
		"cron | 15 14 1 * * | grace | /usr/bin/report | /var/spool/cron/grace | 2026-05-01T14:15:00-04:00",
	}, lines(h.ScheduledTasks)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestHostWSL(t *testing.T) {
	h := fixture(t, "wsl", nil, "2026-05-01T10:00:00Z").Host(t.Context())
	if h.Virtualization != "wsl" || h.OS != "Arch Linux" || h.Timezone != "Asia/Shanghai" || !strings.Contains(h.Kernel, "microsoft-standard-WSL2") {
		t.Errorf("got %+v", h)
	}
	if len(h.Errors) != 0 || len(h.ScheduledTasks) != 0 {
		t.Errorf("errors %v and tasks %v, want none", h.Errors, h.ScheduledTasks)
	}
}

// asNobody reads files without root's rights on this thread.
func asNobody(t *testing.T) {
	if os.Geteuid() != 0 {
		return
	}
	runtime.LockOSThread()
	unix.Setfsuid(65534)
	t.Cleanup(func() {
		unix.Setfsuid(0)
		runtime.UnlockOSThread()
	})
}

// TestHostNothingReadable is a container that hides everything.
func TestHostNothingReadable(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{
		"etc/os-release", "etc/crontab", "etc/cron.d/x", "etc/timezone", "proc/1/environ", "proc/cpuinfo", "proc/stat", "proc/meminfo", "proc/uptime",
		"proc/sys/kernel/hostname", "proc/sys/kernel/ostype", "var/spool/cron/crontabs/ada",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("secret"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("somewhere", filepath.Join(root, "etc/localtime")); err != nil {
		t.Fatal(err)
	}
	spool := filepath.Join(root, "var/spool/cron/crontabs")
	if err := os.Chmod(spool, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(spool, 0o755) }) // or it could not be removed
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil {
		t.Fatal(err)
	}
	asNobody(t)
	h := NewHostReader(HostConfig{Root: root}).Host(t.Context())
	if diff := cmp.Diff(&Host{
		Architecture: h.Architecture, Source: "proc", ServiceManagers: []string{}, ScheduledTasks: []ScheduledTask{},
		Errors: map[string]string{
			"hostname":       "/proc/sys/kernel/hostname: permission denied",
			"os":             "/etc/os-release: permission denied",
			"kernel":         "/proc/sys/kernel/ostype: permission denied",
			"virtualization": "/proc/1/environ: permission denied",
			"bootTime":       "/proc/stat: permission denied",
			"uptime":         "/proc/uptime: permission denied",
			"timezone":       "/etc/localtime does not link to a zone, and /etc/timezone: permission denied",
			"cpuModel":       "/proc/cpuinfo: permission denied",
			"cpuCount":       "/proc/stat: permission denied",
			"memoryTotal":    "/proc/meminfo: permission denied",
			"scheduledTasks": "/etc/crontab: permission denied; /etc/cron.d/x: permission denied; " +
				"/var/spool/cron/crontabs: permission denied (it takes root to see what is there)",
		},
	}, h); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestHostNothingThere(t *testing.T) {
	root := t.TempDir()
	h := NewHostReader(HostConfig{Root: root}).Host(t.Context())
	for _, field := range []string{"hostname", "os", "kernel", "bootTime", "uptime", "cpuModel", "cpuCount", "memoryTotal"} {
		if reason := h.Errors[field]; reason == "" || strings.Contains(reason, root) {
			t.Errorf("%s: reason %q, want one without the place of this test", field, reason)
		}
	}
	if h.Timezone != "UTC" || h.Virtualization != "none" || h.Errors["scheduledTasks"] != "" {
		t.Errorf("got timezone %q, virtualization %q, tasks %q; want UTC, none and no reason", h.Timezone, h.Virtualization, h.Errors["scheduledTasks"])
	}
	data, err := json.Marshal(h)
	if err != nil || !strings.Contains(string(data), `"scheduledTasks":[]`) {
		t.Errorf("%s, %v: want empty lists, never null", data, err)
	}
}

func TestHostOfThisMachine(t *testing.T) {
	h := NewHostReader(HostConfig{}).Host(t.Context())
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	text := func(field [65]byte) string { return unix.ByteSliceToString(field[:]) }
	if want := text(name.Nodename); h.Hostname != want {
		t.Errorf("hostname %q, want %q", h.Hostname, want)
	}
	if want := text(name.Sysname) + " " + text(name.Release) + " " + text(name.Version); h.Kernel != want {
		t.Errorf("kernel %q, want %q", h.Kernel, want)
	}
	if want := text(name.Machine); h.Architecture != want {
		t.Errorf("architecture %q, want %q", h.Architecture, want)
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		t.Fatal(err)
	}
	if h.Uptime == nil || *h.Uptime < float64(info.Uptime)-60 || *h.Uptime > float64(info.Uptime)+60 {
		t.Errorf("uptime %v, want about %d", h.Uptime, info.Uptime)
	}
	if total := uint64(info.Totalram) * uint64(info.Unit); h.MemoryTotal != total {
		t.Errorf("memory %d, want %d", h.MemoryTotal, total)
	}
	for _, field := range []string{"hostname", "os", "kernel", "architecture", "bootTime", "uptime", "cpuCount", "memoryTotal"} {
		if reason, bad := h.Errors[field]; bad {
			t.Errorf("%s: %s", field, reason)
		}
	}
}

func TestHostReadsNoPipe(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(root, "etc/crontab"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := NewHostReader(HostConfig{Root: root}).Host(t.Context()) // would hang
	if want := "/etc/crontab: not a regular file"; h.Errors["scheduledTasks"] != want {
		t.Errorf("reason %q, want %q", h.Errors["scheduledTasks"], want)
	}
}

func TestHostTellsThatNoCronRuns(t *testing.T) {
	const reason = "no cron daemon is running, so cron's tasks do not run"
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"none runs", map[string]string{"proc/1/comm": "systemd\n", "proc/2/comm": "not-crond\n", "etc/crontab": "@daily root x\n"}, reason},
		{"one runs", map[string]string{"proc/1/comm": "systemd\n", "proc/2/comm": "crond\n", "etc/crontab": "@daily root x\n"}, ""},
		{"an old PID file", map[string]string{"proc/1/comm": "systemd\n", "proc/2/comm": "vi\n", "run/crond.pid": "2\n", "etc/crontab": "@daily root x\n"}, reason},
		{"processes are hidden", map[string]string{"proc/3/comm": "sh\n", "etc/crontab": "@daily root x\n"}, ""},
		{"nothing to run", map[string]string{"proc/1/comm": "systemd\n"}, ""},
	} {
		h := NewHostReader(HostConfig{Root: tree(t, test.files)}).Host(t.Context())
		if got := h.Errors["scheduledTasks"]; got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		for _, task := range h.ScheduledTasks {
			if (task.Next == nil) != (test.want == reason) {
				t.Errorf("%s: the next run of %s is %v", test.name, task.Command, task.Next)
			}
		}
	}
}

// TestHostBoundsCrontabs: what one user writes neither crowds out the others nor makes the answer endless.
func TestHostBoundsCrontabs(t *testing.T) {
	h := NewHostReader(HostConfig{Root: tree(t, map[string]string{
		"var/spool/cron/crontabs/eve":     strings.Repeat("* * * * * x\n", 20_000),
		"var/spool/cron/crontabs/mallory": strings.Repeat("* * * * * "+strings.Repeat("y", 100)+"\n", 5_000),
		"var/spool/cron/crontabs/oscar":   strings.Repeat("\x1b[31m\u202e bad\n", 400) + "@daily " + strings.Repeat("z", 100_000) + "\n",
		"var/spool/cron/crontabs/zoe":     "@daily zoe\n",
	})}).Host(t.Context())
	count := map[string]int{}
	for _, task := range h.ScheduledTasks {
		count[task.User]++
		if len(task.Command) > maxCmdline || strings.ContainsAny(task.Command, "\x1b\u202e") {
			t.Errorf("%s: command %q", task.User, task.Command)
		}
	}
	if diff := cmp.Diff(map[string]int{"eve": 500, "mallory": 500, "oscar": 401, "zoe": 1}, count); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, want := range []string{"eve: only its first 500 entries are listed", "mallory: only its first 256 KiB are read", "oscar: 397 more lines cannot be read"} {
		if !strings.Contains(h.Errors["scheduledTasks"], want) {
			t.Errorf("reason %q lacks %q", h.Errors["scheduledTasks"], want)
		}
	}
}

func TestParseRelease(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"double quotes", "ID=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n", "Debian GNU/Linux 12"},
		{"single quotes", "PRETTY_NAME='It\\s'", `It\s`},
		{"no quotes", "PRETTY_NAME=Plan\\ 9 and more", "Plan 9"},
		{"escapes", `PRETTY_NAME="a \"b\" \$c \\d \e"`, `a "b" $c \d \e`},
		{"joined quotes", `PRETTY_NAME="a "'b'`, "a b"},
		{"the last one counts", "PRETTY_NAME=a\nPRETTY_NAME=b\n", "b"},
		{"name and version", "NAME=Alpine\nVERSION=3.19", "Alpine 3.19"},
		{"a comment", "#PRETTY_NAME=a\nNAME=b", "b"},
		{"nothing", "", ""},
	} {
		if got := parseRelease(test.text); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func FuzzParseRelease(f *testing.F) {
	for _, text := range []string{"PRETTY_NAME=\"a\\\"b\"\n", "NAME='x", "NAME=\\", "=\n==", "PRETTY_NAME=\xff\x1b[31m\u202e"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name := clean(parseRelease(text), maxName)
		if len(name) > maxName || !utf8.ValidString(name) || strings.ContainsAny(name, "\n\x1b\u202e") {
			t.Errorf("%q is not fit to be shown", name)
		}
	})
}
