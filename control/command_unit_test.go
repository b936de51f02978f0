package control

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"topdeck/control/sdhost"
)

// lockedBuffer is what a logger may write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// daemon is a script that ignores SIGTERM and leaves behind a process that does, too, in another session, with no environment
// and no parent. Both write their PIDs.
const daemon = `trap "" TERM
echo begun
echo $$ >/td/parent
setsid env -i /bin/sh -c '/bin/sh /td/child & exit' &
while :; do sleep 0.1; done
`

func TestCommandsAsUnits(t *testing.T) {
	t.Parallel()
	h := sdhost.Boot(t, nil)
	db := openDB(t, filepath.Join(t.TempDir(), "db"), true)
	l := must[*Log](t)(OpenLog(db, LogConfig{}))
	m := NewManager(Config{Root: h.Root, Bus: h.Bus(), Log: l})
	defer func() { m.Close(); l.Close() }()
	m.Services(t.Context())
	write(t, filepath.Join(h.Root, "td/daemon"), daemon, 0o644)
	write(t, filepath.Join(h.Root, "td/child"), "echo $$ >/td/pid; exec /bin/sleep 1000", 0o644)
	host := func(args ...string) string {
		t.Helper()
		out, err := h.Command(args...).CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v: %s", args, err, out)
		}
		return string(out)
	}
	units := func() string {
		return host("systemctl", "list-units", "--all", "--plain", "--no-legend", commandUnits+"*")
	}
	runs := func(name string) bool { // within the host
		pid, err := os.ReadFile(filepath.Join(h.Root, "td", name))
		if err != nil || len(pid) == 0 {
			return false
		}
		stat, err := os.ReadFile(filepath.Join(h.Root, "proc", strings.TrimSpace(string(pid)), "stat"))
		return err == nil && !strings.Contains(string(stat), ") Z ")
	}

	t.Run("how they end", func(t *testing.T) {
		testCommands(t, m, l)
	})
	t.Run("what is left in the background", func(t *testing.T) {
		op := outcomeOf(t, l, must[Operation](t)(m.RunCommand(ann, "sh -c 'sleep 1000 & echo left'", 0)))
		if op.RetStatus != Succeeded || op.Message != "sh ended well; what it left running was ended: a service may stay, a command may not" || op.Detail != "left\n" {
			t.Errorf("%+v", op)
		}
	})
	t.Run("output as it comes, and its bounds", func(t *testing.T) { testOutput(t, m, l) })
	t.Run("nothing is left of them", func(t *testing.T) {
		until(t, "no unit is left", func() bool { return units() == "" })
	})
	for _, test := range []struct {
		name    string
		timeout time.Duration
		end     func(op Operation) error
		message string
	}{
		{"canceled", 0, func(op Operation) error { return m.Cancel(bob, op.ID) }, "sh was canceled by bob"},
		{"too long", 2 * time.Second, func(Operation) error { return nil }, "sh took more than 2 seconds and was ended"},
	} {
		t.Run(test.name, func(t *testing.T) {
			op := must[Operation](t)(m.RunCommand(ann, "sh /td/daemon", test.timeout))
			until(t, "both run", func() bool { return runs("parent") && runs("pid") })
			if group := host("systemctl", "show", "--value", "--property=ControlGroup", commandUnits+op.ID); !strings.Contains(group, commandUnits+op.ID+".service") {
				t.Errorf("it runs in %q", group)
			}
			if err := test.end(op); err != nil {
				t.Fatal(err)
			}
			if op = outcomeOf(t, l, op); op.RetStatus != Failed || op.Message != test.message || op.Detail != "begun\n" {
				t.Errorf("%+v", op)
			}
			if runs("parent") || runs("pid") {
				t.Error("something of it runs still")
			}
			host("rm", "/td/parent", "/td/pid")
		})
	}
	for _, test := range []struct{ name, command string }{
		{"a reload", "systemctl daemon-reload"}, {"a new systemd", "systemctl daemon-reexec"}, {"a dbus that is killed", "systemctl kill -s KILL dbus.service"},
	} {
		t.Run(test.name+" meanwhile", func(t *testing.T) {
			until(t, "systemd is there", func() bool { return m.runner.ready() == nil })
			op := must[Operation](t)(m.RunCommand(ann, "sh -c 'echo a; while ! [ -e /td/go ]; do sleep 0.1; done; echo b; exit 7'", 0))
			until(t, "it runs", func() bool { text, _, _ := m.Output(op.ID); return text == "a\n" })
			conn, _ := m.backends[0].(*systemd).connected()
			host(strings.Fields(test.command)...)
			if strings.Contains(test.command, "dbus") {
				until(t, "another connection", func() bool {
					c, err := m.backends[0].(*systemd).connected()
					return err == nil && c != conn
				})
			}
			host("touch", "/td/go")
			if op = outcomeOf(t, l, op); op.RetStatus != Failed || op.ExitCode == nil || *op.ExitCode != 7 || op.Detail != "a\nb\n" {
				t.Errorf("%+v", op)
			}
			host("rm", "/td/go")
		})
	}
	// What ends while systemd executes itself anew, nobody is told: only the journal knows how.
	for _, test := range []struct {
		name, command string
		want          ending
	}{
		{"well", "exit 0", ending{code: cldExited}}, {"badly", "exit 7", ending{code: cldExited, status: 7}}, {"by a signal", "kill -9 $$$$", ending{code: cldKilled, status: 9}},
	} {
		t.Run("an end in the journal, "+test.name, func(t *testing.T) {
			unit, since := strings.ReplaceAll("td-end-"+test.name, " ", "-")+".service", time.Now()
			host("systemd-run", "--quiet", "--unit="+unit, "sh", "-c", test.command)
			j := m.backends[0].(*systemd).journal
			var end ending
			until(t, "the journal tells", func() (known bool) {
				end, known = j.exitOf(t.Context(), unit, since)
				return known
			})
			if end != test.want {
				t.Errorf("it is %+v, want %+v", end, test.want)
			}
			if _, known := j.exitOf(t.Context(), unit, time.Now().Add(time.Hour)); known {
				t.Error("an end of before counts")
			}
		})
	}
	t.Run("topdeck ends in order", func(t *testing.T) {
		op := must[Operation](t)(m.RunCommand(ann, "sh /td/daemon", 0))
		until(t, "both run", func() bool { return runs("parent") && runs("pid") })
		m.Close()
		if op = must[Operation](t)(l.Get(op.ID)); op.RetStatus != Interrupted || op.Message != "sh was ended, because topdeck ends" {
			t.Errorf("%+v", op)
		}
		if runs("parent") || runs("pid") {
			t.Error("something of it runs still")
		}
	})
	t.Run("topdeck was killed", func(t *testing.T) {
		left := must[Operation](t)(l.Begin(Entry{LogType: "command.run", Target: "sleep 1000"}))
		gone := must[Operation](t)(l.Begin(Entry{LogType: "command.run", Target: "sleep 1"}))
		other := must[Operation](t)(l.Begin(Entry{LogType: "service.start", Target: "web.service"}))
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{left.ID, "999999", "x"} {
			host("systemd-run", "--unit="+commandUnits+id, "--collect", "sleep", "1000")
		}
		l = must[*Log](t)(OpenLog(db, LogConfig{Outlives: Outlives}))
		for id, want := range map[string]RetStatus{left.ID: Running, gone.ID: Running, other.ID: Interrupted} {
			if op := must[Operation](t)(l.Get(id)); op.RetStatus != want {
				t.Errorf("%s, want %s: %+v", op.RetStatus, want, op)
			}
		}
		var logged lockedBuffer
		m = NewManager(Config{Root: h.Root, Bus: h.Bus(), Log: l, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
		for id, want := range map[string]string{
			left.ID: "topdeck ended while this ran; it ran on as " + commandUnits + left.ID + ".service until topdeck was back, and was ended then",
			gone.ID: "topdeck ended while this ran; how it ended is not known",
		} {
			if op := outcomeOf(t, l, Operation{ID: id}); op.RetStatus != Interrupted || op.Message != want {
				t.Errorf("%+v\nwant %q", op, want)
			}
		}
		if strings.Contains(units(), commandUnits+left.ID+".service") {
			t.Errorf("it runs still: %s", units())
		}
		if !strings.Contains(units(), "999999") || !strings.Contains(units(), commandUnits+"x") {
			t.Errorf("those of others were ended, too: %s", units())
		}
		until(t, "it is told", func() bool { return strings.Contains(logged.String(), commandUnits+left.ID+".service") })
	})
}

func TestNoCommandWithoutTheSystemdThatRuns(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, which alone asks systemd")
	}
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "run/systemd/system"), 0o755); err != nil {
		t.Fatal(err)
	}
	l := openLog(t, LogConfig{})
	m := NewManager(Config{Root: root, Bus: "unix:path=/nonexistent", Log: l})
	defer m.Close()
	if _, err := m.RunCommand(ann, "true", 0); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "systemd") {
		t.Errorf("%v, want ErrUnavailable", err)
	}
	if total := must[Page](t)(l.List(t.Context(), Filter{})).Total; total != 0 {
		t.Errorf("%d records of what was not begun", total)
	}
}

func TestUnitPath(t *testing.T) {
	for name, want := range map[string]string{"topdeck-command-12.service": "topdeck_2dcommand_2d12_2eservice", "1a.service": "_31a_2eservice"} {
		if got := unitPath(name); string(got) != string(sdUnits)+want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
