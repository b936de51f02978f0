package control

import (
	"fmt"
	"testing"
	"time"
)

// TestWhatIsSharedPushesNothingOut has somebody sign in and out for three days, as often as there is time for.
func TestWhatIsSharedPushesNothingOut(t *testing.T) {
	c := newClock()
	c.add(time.Hour - time.Duration(c.now().Unix()%3600)*time.Second) // hours begin with the first
	const kept, hours, each = 200, 72, 20
	l := openLog(t, LogConfig{Now: c.now, MaxCount: kept})
	first := must[Operation](t)(l.Record(Entry{LogType: "user.add", Target: "mallory", Actor: "ann"}))
	for range hours {
		for i := range each {
			for _, logType := range []string{"session.login", "session.logout"} {
				if err := l.Share(Entry{LogType: logType, Target: "mallory", Actor: "mallory", Source: fmt.Sprint("192.0.2.", i), Message: "done", Seen: true}); err != nil {
					t.Fatal(err)
				}
			}
			c.add(time.Hour / each)
		}
	}
	if err := l.saveShared(true); err != nil {
		t.Fatal(err)
	}
	if err := l.trim(nil, true); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Get(first.ID); err != nil {
		t.Errorf("what an administrator did is gone: %v", err)
	}
	ops := must[Page](t)(l.List(t.Context(), Filter{LogType: "session.login", Limit: 1000})).Operations
	if len(ops) != hours {
		t.Errorf("%d records, want one for each of %d hours", len(ops), hours)
	}
	for _, op := range ops {
		if want := fmt.Sprintf("%d times within an hour, after many before; the last from 192.0.2.%d: done", each, each-1); op.Message != want || op.Source != manyAddresses || op.RetStatus != Succeeded || op.LogStatus != Seen {
			t.Errorf("%+v, want %q", op, want)
		}
	}
	if err := l.Share(Entry{LogType: "session.confirm", Actor: "mallory", Source: "192.0.2.7", Message: "done"}); err != nil {
		t.Fatal(err)
	}
	alone := must[Page](t)(l.List(t.Context(), Filter{Limit: 1})).Operations[0]
	if want := "once within an hour, after many before, from 192.0.2.7: done"; alone.Message != want {
		t.Errorf("the first one reads %q, want %q", alone.Message, want)
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}
