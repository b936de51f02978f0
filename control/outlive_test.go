package control

import (
	"path/filepath"
	"testing"
)

// Where no systemd runs nobody can tell, and nothing stays running for ever.
func TestWhatOutlivedTopdeckWhereNobodyCanTell(t *testing.T) {
	db := openDB(t, filepath.Join(t.TempDir(), "db"), true)
	l := must[*Log](t)(OpenLog(db, LogConfig{Outlives: Outlives}))
	op := must[Operation](t)(l.Begin(Entry{LogType: "command.run", Target: "sleep 1000"}))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = must[*Log](t)(OpenLog(db, LogConfig{Outlives: Outlives}))
	defer l.Close()
	if op = must[Operation](t)(l.Get(op.ID)); op.RetStatus != Running {
		t.Errorf("before anybody looked: %+v", op)
	}
	m := NewManager(Config{Root: t.TempDir(), Log: l})
	defer m.Close()
	if op = outcomeOf(t, l, op); op.RetStatus != Interrupted || op.Message != "topdeck ended while this ran; how it ended is not known" || op.Duration <= 0 {
		t.Errorf("%+v", op)
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}
