package control

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

func TestHowLongAServiceIsFollowed(t *testing.T) {
	for name, end := range map[string]func(m *Manager){
		"for some time":                      func(m *Manager) {},
		"until the next act on it":           func(m *Manager) { m.takeTurn("web") },
		"for as long as topdeck itself runs": func(m *Manager) { m.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			l := openLog(t, LogConfig{})
			m := NewManager(Config{Root: t.TempDir(), Log: l})
			defer m.Close()
			m.aftermath = time.Hour
			if name == "for some time" {
				m.aftermath = time.Millisecond
			}
			turn := m.takeTurn("web")
			m.takeTurn("db") // is another service
			if turn.ctx.Err() != nil {
				t.Fatal("an act on another service ended it")
			}
			end(m)
			m.followUp(Operation{Target: "web"}, func(ctx, waiting context.Context) (Outcome, bool) {
				<-waiting.Done()
				return Outcome{}, false
			}, turn)
			if total := must[Page](t)(l.List(t.Context(), Filter{})).Total; total != 0 {
				t.Errorf("%d records of what did not fail", total)
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			if _, mine := m.turns["web"]; mine != (name == "until the next act on it") {
				t.Errorf("what is left: %v", m.turns)
			}
		})
	}
}

// A script tells that its daemon is dead; nobody tells why.
func TestADaemonOfAScriptThatDies(t *testing.T) {
	// Runs until there is a file, and leaves its PID file. What status says then is another matter.
	const daemon = `if [ "$1" = status ]; then [ -e "$0.go" ] && exit %d; exit 0; fi
	(while ! [ -e "$0.go" ]; do sleep 0.05; done) >/dev/null 2>&1 &
	mkdir -p "${0%%/etc/*}/run"; echo $! >"${0%%/etc/*}/run/${0##*/}.pid"`
	root := initTree(t, map[string]string{
		"dies":  lsb("dies", "start|status", fmt.Sprintf(daemon, 1)),
		"stops": lsb("stops", "start|status", fmt.Sprintf(daemon, 3)),
	})
	l := openLog(t, LogConfig{})
	m := NewManager(Config{Root: root, Log: l})
	defer m.Close()
	m.aftermath = time.Minute
	for _, name := range []string{"dies", "stops"} {
		if op := outcomeOf(t, l, must[Operation](t)(m.ServiceAction(t.Context(), ann, name, Start, ""))); op.RetStatus != Succeeded {
			t.Fatalf("%+v", op)
		}
		write(t, filepath.Join(root, "etc/init.d", name+".go"), "", 0o644)
	}
	until(t, "neither is followed any more", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.turns) == 0
	})
	told := must[Page](t)(l.List(t.Context(), Filter{LogType: "service.failed"})).Operations
	wanted := regexp.MustCompile(`^dies: failed \S+ s after its start: process \d+ ended, and left its PID or lock file; its script does not tell why$`)
	if len(told) != 1 || told[0].RetStatus != Failed || told[0].Actor != ann.Actor || !wanted.MatchString(told[0].Message) {
		t.Errorf("%+v", told)
	}
}
