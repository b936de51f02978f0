package control

import (
	"errors"
	"testing"
)

// TestNoTextLetsAnOutcomeBeReplaced gives records the words that the log's own common records have.
func TestNoTextLetsAnOutcomeBeReplaced(t *testing.T) {
	l := openLog(t, LogConfig{})
	if err := l.Denied("ann", "", "192.0.2.1", "wrong password"); err != nil {
		t.Fatal(err)
	}
	if err := l.Share(Entry{LogType: "session.login", Actor: "ann", Source: "192.0.2.1", Message: "signed in"}); err != nil {
		t.Fatal(err)
	}
	for _, logType := range []string{"command.run", deniedType, "session.login"} {
		for _, source := range []string{manyAddresses, "192.0.2.1"} {
			e := Entry{LogType: logType, Target: manyDenied.account, Actor: "ann", Source: source, RetStatus: Failed, Message: "as it was"}
			must[Operation](t)(l.Record(e))
			op := must[Operation](t)(l.Begin(e))
			must[Operation](t)(l.Finish(op.ID, Outcome{RetStatus: Failed, Message: "as it was"}))
		}
	}
	all := must[Page](t)(l.List(t.Context(), Filter{})).Operations
	for _, op := range all { // those of the sums too: not even they are ended by Finish
		if _, err := l.Finish(op.ID, Outcome{RetStatus: Succeeded, Message: "all is well"}); !errors.Is(err, ErrConflict) {
			t.Errorf("%s from %s is told anew: %v", op.LogType, op.Source, err)
		}
		if now := must[Operation](t)(l.Get(op.ID)); now.RetStatus != op.RetStatus || now.Message != op.Message {
			t.Errorf("%+v has become %+v", op, now)
		}
	}
	if len(all) != 2+2*3*2 {
		t.Errorf("%d records", len(all))
	}
	// Nor do they become the common record of what is too many.
	for range 3 {
		if err := l.Denied(manyDenied.account, "", manyDenied.address, "wrong password"); err != nil {
			t.Fatal(err)
		}
	}
	if l.denied.own.used != 2 {
		t.Errorf("%d records of their own are counted, want 2", l.denied.own.used)
	}
}
