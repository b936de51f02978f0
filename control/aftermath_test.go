package control

import (
	"context"
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
