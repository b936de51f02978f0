package control

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"topdeck/control/sdhost"
)

// dies is the script of a daemon that runs until /td/NAME is there, and then says something and ends. So no test depends on when.
func dies(name, end string) string {
	return fmt.Sprintf("[Service]\nExecStart=/bin/sh -c 'echo begun; while ! [ -e /td/%s ]; do sleep 0.05; done; echo no such table %s >&2; %s'\n", name, name, end)
}

func TestWhatFailsAfterItWasStarted(t *testing.T) {
	t.Parallel()
	h := sdhost.Boot(t, map[string]string{
		"td-soon.service":    dies("soon", "exit 3"),
		"td-late.service":    dies("late", "sleep 3; exit 4"),
		"td-loops.service":   dies("loops", "exit 5") + "Restart=always\nRestartSec=0\nStartLimitIntervalSec=0\n",
		"td-comes.service":   dies("comes", "exit 0") + "Restart=always\nRestartSec=1000\n",
		"td-stops.service":   "[Service]\nExecStart=/bin/sh -c 'trap \"exit 6\" TERM; while :; do sleep 0.05; done'\n",
		"td-forks.service":   "[Service]\nType=forking\nPIDFile=/run/td-forks.pid\nExecStart=/bin/sh -c 'sh /td/forks.sh & echo $$! >/run/td-forks.pid'\n",
		"td-reloads.service": dies("reloads", "exit 8") + "ExecReload=/bin/true\n",
		"td-ends.service":    dies("ends", "exit 0"),
		"td-away.service":    dies("away", "exit 9"),
		"td-lasts.service":   "[Service]\nExecStart=/bin/sleep 1000\n",
	})
	write(t, filepath.Join(h.Root, "td/forks.sh"), "while ! [ -e /td/forks ]; do sleep 0.05; done; echo no such table forks; kill -SEGV $$\n", 0o644)
	l := openLog(t, LogConfig{})
	m := NewManager(Config{Root: h.Root, Bus: h.Bus(), Log: l})
	t.Cleanup(m.Close)
	m.aftermath = time.Minute // however slow this machine is
	m.Services(t.Context())
	act := func(t *testing.T, service, action string) Operation {
		t.Helper()
		op := outcomeOf(t, l, must[Operation](t)(m.ServiceAction(t.Context(), ann, service, action, "")))
		if op.RetStatus != Succeeded {
			t.Fatalf("%+v", op)
		}
		return op
	}
	let := func(t *testing.T, name string) { write(t, filepath.Join(h.Root, "td", name), "", 0o644) }
	failures := func(t *testing.T, service string) []Operation {
		t.Helper()
		page := must[Page](t)(l.List(t.Context(), Filter{LogType: "service.failed"}))
		return slices.DeleteFunc(page.Operations, func(op Operation) bool { return op.Target != service })
	}
	// over waits until nothing that an act began is followed any more.
	over := func(t *testing.T, service string) {
		t.Helper()
		until(t, service+" is not followed any more", func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.turns[service] == nil
		})
	}

	t.Run("one that dies while the bus goes", func(t *testing.T) {
		act(t, "td-away.service", Start)
		if out, err := h.Command("systemctl", "kill", "-s", "KILL", "dbus.service").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		let(t, "away")
		over(t, "td-away.service")
		if told := failures(t, "td-away.service"); len(told) != 1 || !strings.Contains(told[0].Message, ": a process failed, exit status 9: no such table away") {
			t.Errorf("%+v", told)
		}
		until(t, "the bus is back", func() bool { _, reasons := m.Services(t.Context()); return len(reasons) == 0 })
	})
	for _, test := range []struct {
		name, service string
		acts          []string
		message       string
		detail        string
		code          int
	}{
		{"one that dies", "soon", []string{Start}, `failed \S+ s after its start: a process failed, exit status 3: no such table soon`,
			"result: exit-code (a process failed)\nmain process: exit status 3\n\n", 3},
		{"one that dies after seconds", "late", []string{Restart}, `failed \S+ s after its restart: a process failed, exit status 4: no such table late`, "", 4},
		{"one that systemd starts again at once", "loops", []string{Start}, `failed \S+ s after its start, and systemd starts it again: .*no such table loops`, "", 5},
		{"one that ends well, and that systemd starts again", "comes", []string{Start}, `ended \S+ s after its start, and systemd starts it again: no such table comes`, "main process: exit status 0\n\n", -1},
		{"one that forks", "forks", []string{Start}, `failed \S+ s after its start: a process was killed, killed by SIGSEGV: no such table forks`, "", -1},
		{"one that a reload ends", "reloads", []string{Start, Reload}, `failed \S+ s after its reload: a process failed, exit status 8: no such table reloads`, "", 8},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			service := "td-" + test.service + ".service"
			var op Operation
			for _, action := range test.acts {
				op = act(t, service, action)
			}
			let(t, test.service)
			until(t, "it is told", func() bool { return len(failures(t, service)) > 0 })
			over(t, service)
			told := failures(t, service)
			got := told[0]
			if len(told) != 1 || got.RetStatus != Failed || got.LogStatus != New || got.Actor != op.Actor || got.Source != op.Source {
				t.Errorf("%d records: %+v", len(told), got)
			}
			if !regexp.MustCompile("^" + service + ": " + test.message + "$").MatchString(got.Message) {
				t.Errorf("message %q, want %s", got.Message, test.message)
			}
			if want := fmt.Sprintf("operation: %s (%s)\n", op.ID, op.LogType) + test.detail; !strings.HasPrefix(got.Detail, want) || !strings.Contains(got.Detail, "no such table "+test.service) {
				t.Errorf("detail %q\nhas no %q", got.Detail, want)
			}
			if test.code >= 0 && (got.ExitCode == nil || *got.ExitCode != test.code) || test.code < 0 && got.ExitCode != nil {
				t.Errorf("exit code %v, want %d", got.ExitCode, test.code)
			}
		})
	}
	t.Run("one that topdeck stops", func(t *testing.T) {
		t.Parallel()
		act(t, "td-stops.service", Start)
		op := outcomeOf(t, l, must[Operation](t)(m.ServiceAction(t.Context(), ann, "td-stops.service", Stop, "")))
		over(t, "td-stops.service")
		if told := failures(t, "td-stops.service"); !strings.Contains(op.Message, "it is failed") || len(told) != 0 {
			t.Errorf("%+v\nand %+v", op, told)
		}
	})
	t.Run("one that ends well", func(t *testing.T) {
		t.Parallel()
		act(t, "td-ends.service", Start)
		let(t, "ends")
		over(t, "td-ends.service")
		if told := failures(t, "td-ends.service"); len(told) != 0 {
			t.Errorf("%+v", told)
		}
	})
	t.Run("one that lasts, and is started again by somebody else", func(t *testing.T) {
		t.Parallel()
		act(t, "td-lasts.service", Start)
		if out, err := h.Command("systemctl", "restart", "td-lasts.service").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		over(t, "td-lasts.service")
		if told := failures(t, "td-lasts.service"); len(told) != 0 {
			t.Errorf("%+v", told)
		}
	})
}

// An answer that was on its way when the end was told does not tell what comes after the end.
func TestAnAnswerFromBeforeTheEnd(t *testing.T) {
	told := func(active, sub string) map[string]dbus.Variant {
		return map[string]dbus.Variant{"ActiveState": dbus.MakeVariant(active), "SubState": dbus.MakeVariant(sub), "InvocationID": dbus.MakeVariant([]byte{7})}
	}
	service := map[string]dbus.Variant{"Result": dbus.MakeVariant("success"), "NRestarts": dbus.MakeVariant(uint32(0))}
	v := &vigil{run: run{invocation: "07"}}
	v.forget()
	v.take(sdService, map[string]dbus.Variant{"Result": dbus.MakeVariant("exit-code")})
	v.answered(false, &properties1{all: map[string]map[string]dbus.Variant{sdUnit: told("active", "running"), sdService: service}})
	v.take(sdUnit, told("inactive", "dead"))
	if result := v.told.text(sdService, "Result"); result != "exit-code" {
		t.Errorf("an answer from before made of its result %s", result)
	}
	v.answered(false, &properties1{all: map[string]map[string]dbus.Variant{sdUnit: told("active", "running"), sdService: service}})
	if v.ended || !v.doubt {
		t.Errorf("after an answer from before: ended %v, to be asked again %v", v.ended, v.doubt)
	}
	v.answered(true, &properties1{all: map[string]map[string]dbus.Variant{sdUnit: told("activating", "auto-restart"), sdService: service}})
	if !v.ended || !v.again {
		t.Errorf("after an answer from then: ended %v, started again %v", v.ended, v.again)
	}
}
