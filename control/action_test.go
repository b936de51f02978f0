package control

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"topdeck/control/sdhost"
)

var (
	ann = Who{Actor: "ann", Source: "192.0.2.1"}
	bob = Who{Actor: "bob", Source: "192.0.2.2"}
)

// outcome waits for the end of an operation.
func outcomeOf(t *testing.T, l *Log, op Operation) Operation {
	t.Helper()
	until(t, op.LogType+" "+op.Target+" ends", func() bool {
		var err error
		op, err = l.Get(op.ID)
		return err == nil && op.RetStatus != Running
	})
	return op
}

func TestActionsOnSystemd(t *testing.T) {
	t.Parallel()
	h := sdhost.Boot(t, map[string]string{
		"td-good.service":     "[Service]\nExecStart=/bin/sleep 1000\nExecReload=/bin/true\n[Install]\nWantedBy=multi-user.target\n",
		"td-fails.service":    "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo the disk is on fire >&2; exit 7'\n",
		"td-dies.service":     "[Service]\nExecStart=/bin/sh -c 'echo no such table >&2; exit 3'\n",
		"td-slow.service":     "[Service]\nType=notify\nExecStart=/bin/sleep 1000\nTimeoutStartSec=1\n",
		"td-stubborn.service": "[Service]\nExecStart=/bin/sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'\nTimeoutStopSec=1\n",
		"td-killed.service":   "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'kill -SEGV $$$$'\n",
		"td-many@.service":    "[Service]\nExecStart=/bin/sleep 1000\n",
		"td-needs.service":    "[Unit]\nRequires=td-fails.service\nAfter=td-fails.service\n[Service]\nExecStart=/bin/sleep 1000\n",
		"td-user.service":     "[Unit]\nRequires=td-good.service\n[Service]\nExecStart=/bin/sleep 1000\n",
		"td-user-of.service":  "[Unit]\nPartOf=td-user.service\n[Service]\nExecStart=/bin/sleep 1000\n",
		"td-broken.service":   "[Service]\nType=nonsense\n",
		"td-waits.service":    "[Service]\nType=oneshot\nExecStart=/bin/sleep 3\n",
		`td-a\x2db.service`:   "[Service]\nExecStart=/bin/sleep 1000\n",
		"td-check.service":    "[Service]\nExecStartPre=/bin/sh -c 'echo unknown directive; echo the test failed; exit 4'\nExecStart=/bin/sleep 1000\n",
		"td-deaf.service":     "[Service]\nExecStart=/bin/sh -c 'echo permission denied; exec sleep 1000'\nExecReload=/bin/false\n",
		"td-unset.service":    "[Service]\nExecStart=relative/path\n",
		"td-whole.service":    "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n[Unit]\nWants=td-part.service\nAfter=td-part.service\n",
		"td-part.service":     "[Unit]\nPartOf=td-whole.service\n[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo no room for the part >&2; exit 6'\n",
		"td-untidy.service":   "[Service]\nExecStart=/bin/sleep 1000\nExecStop=/bin/sh -c 'echo cannot flush the cache >&2; exit 9'\n",
		"td-nothing.service":  "[Unit]\nConditionPathExists=/nonexistent\n[Service]\nExecStart=/bin/sleep 1000\n",
		"td-unready.service":  "[Service]\nExecCondition=/bin/sh -c 'echo no battery; exit 1'\nExecStart=/bin/sleep 1000\n",
		"td-refuses.service":  "[Unit]\nAssertPathExists=/nonexistent\n[Service]\nExecStart=/bin/sleep 1000\n",
		"td-often.service":    "[Unit]\nStartLimitBurst=1\nStartLimitIntervalSec=1h\n[Service]\nType=oneshot\nExecStart=/bin/false\n",
		"td-absent.service":   "[Service]\nType=exec\nExecStart=/usr/bin/td-absent --serve\n",
		"td-nobody.service":   "[Service]\nType=exec\nUser=td-nobody\nExecStart=/bin/sleep 1000\n",
		"td-by-need.service":  "[Unit]\nRefuseManualStart=yes\n[Service]\nExecStart=/bin/sleep 1000\n",
	})
	if out, err := h.Command("systemctl", "mask", "rescue.service").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l := openLog(t, LogConfig{})
	m := NewManager(Config{Root: h.Root, Bus: h.Bus(), Log: l})
	defer m.Close()
	m.Services(t.Context())

	for _, test := range []struct {
		name, service, action string
		want                  RetStatus
		message               []string // its message has all of them
		detail                []string
	}{
		{"a start", "td-good", Start, Succeeded, []string{"td-good.service: start done; it is active (running)"}, nil},
		{"a qualified name", "systemd:td-good.service", Restart, Succeeded, []string{"restart done"}, nil},
		{"a reload", "td-good.service", Reload, Succeeded, []string{"reload done"}, nil},
		{"a stop", "td-good.service", Stop, Succeeded, []string{"it is inactive (dead)"}, nil},
		{"a reload of what does not run", "td-good.service", Reload, Failed, []string{"reload does not apply"}, nil},
		{"enable", "td-good.service", Enable, Succeeded, []string{"is enabled"}, []string{"multi-user.target.wants/td-good.service"}},
		{"enable again", "td-good.service", Enable, Succeeded, []string{"is enabled already"}, nil},
		{"disable", "td-good.service", Disable, Succeeded, []string{"is disabled"}, []string{"unlink"}},
		{"nothing to enable", "td-fails.service", Enable, Failed, []string{"no [Install] section"}, nil},
		{"a failure", "td-fails.service", Start, Failed,
			[]string{"start failed", "a process failed, exit status 7", "the disk is on fire"},
			[]string{"job: failed", "result: exit-code", "exit status 7", "the disk is on fire"}},
		{"reset-failed", "td-fails.service", ResetFailed, Succeeded, []string{"forgotten"}, nil},
		{"a simple service that dies at once", "td-dies.service", Start, Failed,
			[]string{"exit status 3", "no such table"}, []string{"no such table"}},
		{"a start that takes too long", "td-slow.service", Start, Failed, []string{"in time"}, []string{"result: timeout"}},
		{"a signal", "td-killed.service", Start, Failed, []string{"killed by SIGSEGV"}, nil},
		{"a masked unit", "rescue.service", Start, Failed, []string{"masked"}, nil},
		{"an instance", "td-many@one", Start, Succeeded, []string{"td-many@one.service: start done"}, nil},
		{"an escaped name", `td-a\x2db.service`, Start, Succeeded, []string{"start done"}, nil},
		{"a dependency that fails", "td-needs.service", Start, Failed, []string{"depends on failed: td-fails.service: a process failed, exit status 7: the disk is on fire"}, []string{"job: dependency", "dependency: td-fails.service", "the disk is on fire"}},
		{"what runs before it fails", "td-check.service", Start, Failed,
			[]string{"start failed: a process failed, exit status 4 of ExecStartPre=/bin/sh: unknown directive"},
			[]string{"ExecStartPre=/bin/sh: exit status 4", "the test failed"}},
		{"one whose reload fails", "td-deaf.service", Start, Succeeded, nil, nil},
		{"a reload that fails", "td-deaf.service", Reload, Failed, []string{"reload failed, exit status 1 of ExecReload=/bin/false"}, []string{"ExecReload=/bin/false: exit status 1"}},
		{"a broken unit file", "td-broken.service", Start, Failed, []string{"cannot start td-broken.service"}, nil},
		{"one that ignores SIGTERM", "td-stubborn.service", Start, Succeeded, nil, nil},
		{"one that ignores SIGTERM, stopped", "td-stubborn.service", Stop, Succeeded, []string{"it is failed:", "in time", "killed by SIGKILL"}, []string{"SIGKILL"}},
		{"one that stops badly", "td-untidy.service", Start, Succeeded, nil, nil},
		{"one that stops badly, stopped", "td-untidy.service", Stop, Succeeded,
			[]string{"stop done; it is failed:", "exit status 9 of ExecStop=/bin/sh", "cannot flush the cache"}, []string{"cannot flush the cache"}},
		{"a name for several, one of which fails", "td-whole.service", Start, Failed,
			[]string{"td-whole.service: start done, but td-part.service, which is a part of it, failed", "exit status 6", "no room for the part"}, []string{"no room for the part"}},
		{"a setting that cannot be", "td-unset.service", Start, Failed, []string{"bad unit file setting", "td-unset.service:2:"}, []string{"td-unset.service:2:"}},
		{"a condition that does not hold", "td-nothing.service", Start, Failed, []string{"a condition of the unit does not hold: ConditionPathExists=/nonexistent"}, nil},
		{"a condition that a program tells", "td-unready.service", Start, Failed,
			[]string{"start was skipped: its condition does not hold, exit status 1 of ExecCondition=/bin/sh: no battery"}, []string{"result: exec-condition"}},
		{"an assertion that does not hold", "td-refuses.service", Start, Failed, []string{"an assertion of the unit does not hold: AssertPathExists=/nonexistent"}, nil},
		{"a first start of few", "td-often.service", Start, Failed, []string{"a process failed, exit status 1"}, nil},
		{"one start too many", "td-often.service", Start, Failed, []string{"start was not tried: it was started too often in a short time"}, []string{"job: start-limit-hit"}},
		{"reset-failed after too many", "td-often.service", ResetFailed, Succeeded, []string{"forgotten"}, nil},
		{"a start after reset-failed", "td-often.service", Start, Failed, []string{"a process failed, exit status 1"}, nil},
		{"a program that is not there", "td-absent.service", Start, Failed, []string{"exit status 203", "/usr/bin/td-absent: No such file or directory"}, nil},
		{"a user who is not there", "td-nobody.service", Start, Failed, []string{"exit status 217", "Failed at step USER"}, nil},
		{"one that may not be started by hand", "td-by-need.service", Start, Failed, []string{"cannot start td-by-need.service: Operation refused"}, nil},
		{"a reload that there is none of", "td-many@one", Reload, Failed, []string{"cannot reload td-many@one.service", "not applicable"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			op, err := m.ServiceAction(t.Context(), ann, test.service, test.action, "")
			if err != nil {
				t.Fatal(err)
			}
			if op.RetStatus != Running || op.Actor != "ann" || op.Source != "192.0.2.1" || op.LogType != "service."+test.action {
				t.Errorf("%+v", op)
			}
			op = outcomeOf(t, l, op)
			// On a busy machine its process may live longer than a simple service is watched.
			for try := 0; test.service == "td-dies.service" && op.RetStatus == Succeeded && try < 10; try++ {
				op = outcomeOf(t, l, must[Operation](t)(m.ServiceAction(t.Context(), ann, test.service, test.action, "")))
			}
			if op.RetStatus != test.want {
				t.Errorf("%s, want %s: %s\n%s", op.RetStatus, test.want, op.Message, op.Detail)
			}
			if test.name == "a reload that fails" && strings.Contains(op.Message, "permission denied") {
				t.Errorf("what it said before is told as the reason: %s", op.Message)
			}
			for _, want := range test.message {
				if !strings.Contains(op.Message, want) {
					t.Errorf("message %q\nhas no %q", op.Message, want)
				}
			}
			for _, want := range test.detail {
				if !strings.Contains(op.Detail, want) {
					t.Errorf("detail %q\nhas no %q", op.Detail, want)
				}
			}
		})
	}

	before := must[Page](t)(l.List(t.Context(), Filter{})).Total
	for _, name := range []string{
		"", "no-such", "td-*", "td-goo?", "td-[g]ood", "..", "../td-good", "/etc/systemd/system/td-good.service", "td good", "td-good.service ",
		"td-many@", "td-many@.service", "sysv:td-good", "basic.target", "td-good\x00", "TD-GOOD", strings.Repeat("a", 300),
	} {
		if op, err := m.ServiceAction(t.Context(), ann, name, Start, ""); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %+v, %v, want ErrNotFound", name, op, err)
		}
	}
	if _, err := m.ServiceAction(t.Context(), ann, "td-good", "explode", ""); !errors.Is(err, ErrInvalid) {
		t.Errorf("explode: %v, want ErrInvalid", err)
	}
	for _, test := range [][3]string{{"systemd-journald", Stop, ""}, {"dbus", Restart, "yes"}, {"dbus.service", Disable, "ssh"}, {"systemd-logind", Stop, "systemd-journald"}} {
		if _, err := m.ServiceAction(t.Context(), ann, test[0], test[1], test[2]); !errors.Is(err, ErrConflict) {
			t.Errorf("%s: %v, want ErrConflict", test, err)
		}
	}
	if after := must[Page](t)(l.List(t.Context(), Filter{})).Total; after != before {
		t.Errorf("%d records of what was refused", after-before)
	}
	t.Run("detail and journal", func(t *testing.T) {
		outcomeOf(t, l, must[Operation](t)(m.ServiceAction(t.Context(), ann, "td-user", Start, "")))
		outcomeOf(t, l, must[Operation](t)(m.ServiceAction(t.Context(), ann, "td-user-of", Start, "")))
		d := must[ServiceDetail](t)(m.Detail(t.Context(), "td-good"))
		if d.Service.Name != "td-good.service" || !slices.Equal(d.StopsToo, []string{"td-user-of.service", "td-user.service"}) || d.Guarded != "" ||
			!slices.Contains(d.Dependencies["requiredBy"], "td-user.service") {
			t.Errorf("%+v", d)
		}
		if d := must[ServiceDetail](t)(m.Detail(t.Context(), "dbus")); d.Guarded == "" || d.Service.ActiveState != "active" || len(d.Dependencies["triggeredBy"]) == 0 {
			t.Errorf("%+v", d)
		}
		if d := must[ServiceDetail](t)(m.Detail(t.Context(), "td-dies")); !slices.ContainsFunc(d.LastLines, func(l JournalLine) bool { return l.Text == "no such table" }) {
			t.Errorf("of its last run %+v tells %+v", d.Service, d.LastLines)
		}
		lines := must[[]JournalLine](t)(m.Journal(t.Context(), "td-fails", 50))
		if !slices.ContainsFunc(lines, func(l JournalLine) bool { return l.Text == "the disk is on fire" && l.Program == "sh" && l.PID > 1 }) ||
			!slices.ContainsFunc(lines, func(l JournalLine) bool { return l.PID == 1 }) || len(lines) > 50 {
			t.Errorf("%+v", lines)
		}
		if _, err := m.Journal(t.Context(), "td-fails", 0); !errors.Is(err, ErrInvalid) {
			t.Errorf("no lines: %v", err)
		}
		if _, err := m.Detail(t.Context(), "td-none"); !errors.Is(err, ErrNotFound) {
			t.Errorf("no unit: %v", err)
		}
	})
	t.Run("a pillar, confirmed", func(t *testing.T) {
		op := must[Operation](t)(m.ServiceAction(t.Context(), ann, "systemd-logind", Restart, "systemd-logind.service"))
		if op = outcomeOf(t, l, op); op.RetStatus != Succeeded {
			t.Errorf("%+v", op)
		}
	})
	t.Run("a job that another one replaces", func(t *testing.T) {
		first := must[Operation](t)(m.ServiceAction(t.Context(), ann, "td-waits", Start, ""))
		time.Sleep(300 * time.Millisecond)
		second := must[Operation](t)(m.ServiceAction(t.Context(), ann, "td-waits", Stop, ""))
		if op := outcomeOf(t, l, first); op.RetStatus != Failed || !strings.Contains(op.Message, "canceled") {
			t.Errorf("the first: %+v", op)
		}
		if op := outcomeOf(t, l, second); op.RetStatus != Succeeded {
			t.Errorf("the second: %+v", op)
		}
	})
	t.Run("a job that is canceled", func(t *testing.T) {
		op := must[Operation](t)(m.ServiceAction(t.Context(), ann, "td-waits", Start, ""))
		until(t, "it is waited for", func() bool {
			d, err := m.Detail(t.Context(), "td-waits")
			return err == nil && d.Service.ActiveState == "activating"
		})
		if err := m.Cancel(bob, op.ID); err != nil {
			t.Fatal(err)
		}
		if op := outcomeOf(t, l, op); op.RetStatus != Failed || !strings.Contains(op.Message, "td-waits.service: start was canceled by bob; it is ") {
			t.Errorf("%+v", op)
		}
		if err := m.Cancel(bob, op.ID); !errors.Is(err, ErrConflict) {
			t.Errorf("once more: %v, want ErrConflict", err)
		}
		outcomeOf(t, l, must[Operation](t)(m.ServiceAction(t.Context(), ann, "td-waits", Stop, "")))
	})
	t.Run("dbus is killed in the middle of a job", func(t *testing.T) {
		op := must[Operation](t)(m.ServiceAction(t.Context(), ann, "td-waits", Start, ""))
		time.Sleep(300 * time.Millisecond)
		if out, err := h.Command("systemctl", "kill", "-s", "KILL", "dbus.service").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if op = outcomeOf(t, l, op); op.RetStatus != Succeeded {
			t.Errorf("%+v", op)
		}
	})
	t.Run("topdeck ends in the middle of a job", func(t *testing.T) {
		until(t, "the bus is back", func() bool { _, reasons := m.Services(t.Context()); return len(reasons) == 0 })
		op := must[Operation](t)(m.ServiceAction(t.Context(), ann, "td-waits", Start, ""))
		m.Close()
		if op := must[Operation](t)(l.Get(op.ID)); op.RetStatus != Interrupted {
			t.Errorf("%+v", op)
		}
		if _, err := m.ServiceAction(t.Context(), ann, "td-waits", Start, ""); !errors.Is(err, ErrUnavailable) {
			t.Errorf("after the end: %v, want ErrUnavailable", err)
		}
	})
	if _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestActionsWithoutRights(t *testing.T) {
	t.Parallel()
	h := sdhost.Boot(t, map[string]string{"td-good.service": "[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n"})
	self := must[[]byte](t)(os.ReadFile(os.Args[0]))
	write(t, filepath.Join(h.Root, "td/control.test"), string(self), 0o755)
	out, err := h.Command("runuser", "-u", "nobody", "--", "env", "HOME=/tmp", insideEnv+"=1", "/td/control.test", "-test.run=^TestActionsAsNobody$", "-test.v").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestActionsAsNobody") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestActionsAsNobody is not a test of its own: TestActionsWithoutRights runs it within a host, as a user who may do nothing there.
func TestActionsAsNobody(t *testing.T) {
	if os.Getenv(insideEnv) == "" {
		t.Skip("runs only as a part of TestActionsWithoutRights")
	}
	l := openLog(t, LogConfig{})
	m := NewManager(Config{Log: l})
	defer m.Close()
	for _, action := range []string{Start, Restart, Enable} {
		op := outcomeOf(t, l, must[Operation](t)(m.ServiceAction(t.Context(), ann, "td-good", action, "")))
		if op.RetStatus != Failed || !strings.HasSuffix(op.Message, " td-good.service: topdeck has no right to; it needs to run as root, or polkit to allow it") {
			t.Errorf("%s: %s: %s", action, op.RetStatus, op.Message)
		}
	}
}

func TestActionsOnScripts(t *testing.T) {
	root := initTree(t, map[string]string{
		"good": lsb("good", "start|stop|status", `[ "$1" = start ] && { sleep 1000 & echo $! > $0.daemon; }; exit 0`),
		"bad":  "#!/bin/sh\necho starting; echo cannot bind to port 80 >&2; exit 5\n",
		"dies": "#!/bin/sh\nkill -TERM $$\n",
		"ssh":  lsb("ssh", "stop|status", "exit 0"),
		"long": "#!/bin/sh\necho begun; sleep 1000\n",
	})
	l := openLog(t, LogConfig{})
	m := NewManager(Config{Root: root, Log: l})
	defer m.Close()
	act := func(name, action, confirm string) Operation {
		t.Helper()
		return outcomeOf(t, l, must[Operation](t)(m.ServiceAction(t.Context(), ann, name, action, confirm)))
	}
	if op := act("good", Start, ""); op.RetStatus != Succeeded || *op.ExitCode != 0 {
		t.Errorf("%+v", op)
	}
	pid := must[[]byte](t)(os.ReadFile(filepath.Join(root, "etc/init.d/good.daemon")))
	daemon := must[int](t)(strconv.Atoi(strings.TrimSpace(string(pid))))
	p := must[*os.Process](t)(os.FindProcess(daemon))
	if err := p.Kill(); err != nil {
		t.Errorf("the daemon does not run any more: %v", err)
	}
	if op := act("bad", Start, ""); op.RetStatus != Failed || *op.ExitCode != 5 ||
		op.Message != "bad: start failed, exit status 5: cannot bind to port 80" || op.Detail != "starting\ncannot bind to port 80\n" {
		t.Errorf("%+v", op)
	}
	if op := act("dies", Stop, ""); op.RetStatus != Failed || !strings.Contains(op.Message, "killed by SIGTERM") || op.ExitCode != nil {
		t.Errorf("%+v", op)
	}
	long := must[Operation](t)(m.ServiceAction(t.Context(), ann, "long", Start, ""))
	if err := m.Cancel(bob, long.ID); err != nil {
		t.Error(err)
	}
	if op := outcomeOf(t, l, long); op.RetStatus != Failed || op.Message != "long: start was canceled by bob, and its script ended" {
		t.Errorf("%+v", op)
	}
	for _, action := range []string{Enable, Reload, ResetFailed} {
		if op := act("good", action, ""); op.RetStatus != Failed || !strings.HasPrefix(op.Message, "cannot "+action+" good: ") {
			t.Errorf("%+v", op)
		}
	}
	if _, err := m.ServiceAction(t.Context(), ann, "ssh", Stop, ""); !errors.Is(err, ErrConflict) {
		t.Errorf("ssh: %v, want ErrConflict", err)
	}
	if op := act("ssh", Stop, "ssh"); op.RetStatus != Succeeded {
		t.Errorf("%+v", op)
	}
	for _, name := range []string{"", ".", "..", "../init.d/good", "good.env", "goo*"} {
		if _, err := m.ServiceAction(t.Context(), ann, name, Start, ""); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v, want ErrNotFound", name, err)
		}
	}
}

func TestNobodyWaitsForTheDiskButWhoActs(t *testing.T) {
	l := openLog(t, LogConfig{})
	m := NewManager(Config{Root: initTree(t, map[string]string{"good": lsb("good", "start|stop|status", "exit 0")}), Log: l})
	defer m.Close()
	l.mu.Lock() // as while a commit goes on
	committed := sync.OnceFunc(l.mu.Unlock)
	defer committed()
	begun := make(chan error, 1)
	go func() {
		_, err := m.ServiceAction(t.Context(), ann, "good", Start, "")
		begun <- err
	}()
	until(t, "its record waits to be written", func() bool {
		l.waiting.mu.Lock()
		defer l.waiting.mu.Unlock()
		return len(l.waiting.changes) > 0
	})
	until(t, "others go on", func() bool {
		free := m.mu.TryLock()
		if free {
			m.mu.Unlock()
		}
		return free
	})
	committed()
	if err := <-begun; err != nil {
		t.Error(err)
	}
}
