package control

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"go.etcd.io/bbolt"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a wall clock that tests set forward.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func openDB(t testing.TB, path string, fast bool) *bbolt.DB {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, NoSync: fast})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func openLog(t testing.TB, cfg LogConfig) *Log {
	t.Helper()
	l, err := OpenLog(openDB(t, filepath.Join(t.TempDir(), "db"), true), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestAnOperationIsRecordedBeforeAndAfter(t *testing.T) {
	c := newClock()
	l := openLog(t, LogConfig{Now: c.now})
	begun := must[Operation](t)(l.Begin(Entry{
		LogType: "service.start", Target: "nginx.service", Actor: "ann", Source: "192.0.2.1", RetStatus: Succeeded,
	}))
	want := Operation{
		ID: "1", LogTime: c.now(), LogType: "service.start", Target: "nginx.service", Actor: "ann", Source: "192.0.2.1",
		RetStatus: Running, LogStatus: New,
	}
	if begun != want {
		t.Errorf("begun: %+v, want %+v", begun, want)
	}
	if got := must[Operation](t)(l.Get("1")); got != want {
		t.Errorf("Get while it runs: %+v, want %+v", got, want)
	}
	c.add(1500 * time.Millisecond)
	code := 3
	ended := must[Operation](t)(l.Finish("1", Outcome{RetStatus: Failed, Message: "it failed", Detail: "a\nb", ExitCode: &code}))
	want.RetStatus, want.Message, want.Detail, want.Duration = Failed, "it failed", "a\nb", 1.5
	if ended.ExitCode == nil || *ended.ExitCode != 3 {
		t.Errorf("exit code %v, want 3", ended.ExitCode)
	}
	ended.ExitCode = nil
	if ended != want {
		t.Errorf("ended: %+v, want %+v", ended, want)
	}
	if _, err := l.Finish("1", Outcome{RetStatus: Succeeded}); !errors.Is(err, ErrConflict) {
		t.Errorf("a second end: %v, want ErrConflict", err)
	}
	for _, id := range []string{"", "0", "2", "01", "+1", "-1", "99999999999999999999", "x"} {
		if _, err := l.Get(id); !errors.Is(err, ErrNotFound) {
			t.Errorf("Get(%q): %v, want ErrNotFound", id, err)
		}
		if _, err := l.Finish(id, Outcome{RetStatus: Failed}); !errors.Is(err, ErrNotFound) {
			t.Errorf("Finish(%q): %v, want ErrNotFound", id, err)
		}
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatRanWhenTheProgramEndedIsInterrupted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db := openDB(t, path, false)
	l := must[*Log](t)(OpenLog(db, LogConfig{}))
	done := must[Operation](t)(l.Begin(Entry{LogType: "service.stop", Target: "a"}))
	must[Operation](t)(l.Finish(done.ID, Outcome{RetStatus: Succeeded}))
	left := must[Operation](t)(l.Begin(Entry{LogType: "service.stop", Target: "b"}))
	l.Seen([]string{done.ID, left.ID}, false, "ann")
	l.Close()
	db.Close() // what a kill leaves behind is no more than this: a transaction is on the disk, or it never was

	l = must[*Log](t)(OpenLog(openDB(t, path, false), LogConfig{}))
	defer l.Close()
	if op := must[Operation](t)(l.Get(done.ID)); op.RetStatus != Succeeded || op.LogStatus != Seen {
		t.Errorf("the one that had ended: %+v", op)
	}
	op := must[Operation](t)(l.Get(left.ID))
	if op.RetStatus != Interrupted || op.Message == "" {
		t.Errorf("the one that ran: %+v", op)
	}
	if op.LogStatus != New || l.Unseen() != 1 {
		t.Errorf("nobody has seen that it was interrupted, but it is %s, %d unseen", op.LogStatus, l.Unseen())
	}
	if _, err := l.Finish(left.ID, Outcome{RetStatus: Succeeded}); !errors.Is(err, ErrConflict) {
		t.Errorf("it ended afterwards: %v, want ErrConflict", err)
	}
	if page := must[Page](t)(l.List(t.Context(), Filter{RetStatus: "running"})); page.Total != 0 {
		t.Errorf("%d are left running", page.Total)
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTextsAreBounded(t *testing.T) {
	l := openLog(t, LogConfig{})
	op := must[Operation](t)(l.Record(Entry{
		LogType: "command.run", Target: strings.Repeat("t", 10_000), Actor: "a\x00b\xff", Source: strings.Repeat("é", 300),
		Message: "one\r\ntwo\u2028three" + strings.Repeat("é", 1000), Detail: "a\n\xff\xfe" + strings.Repeat("漢", 100_000),
	}))
	if len(op.Target) > maxTarget || len(op.Source) > maxName || len(op.Message) > maxMessage || len(op.Detail) > maxDetail {
		t.Errorf("too long: target %d, source %d, message %d, detail %d", len(op.Target), len(op.Source), len(op.Message), len(op.Detail))
	}
	if len(op.Message) < maxMessage-4 || len(op.Detail) < maxDetail-4 {
		t.Errorf("cut too early: message %d, detail %d", len(op.Message), len(op.Detail))
	}
	if !strings.HasPrefix(op.Message, "one  two three") || strings.ContainsAny(op.Message, "\r\n") {
		t.Errorf("message %q is not one line", op.Message)
	}
	if op.Actor != "a b?" || !strings.HasPrefix(op.Detail, "a\n?漢") {
		t.Errorf("actor %q, detail %.10q", op.Actor, op.Detail)
	}
	for _, s := range []string{op.Target, op.Source, op.Message, op.Detail} {
		if !utf8.ValidString(s) || !strings.HasSuffix(s, "…") {
			t.Errorf("%.20q… ends in %q", s, s[len(s)-5:])
		}
	}
}

func TestUnseenIsCounted(t *testing.T) {
	l := openLog(t, LogConfig{})
	record := func(e Entry) Operation { t.Helper(); return must[Operation](t)(l.Record(e)) }
	login := record(Entry{LogType: "session.login", Seen: true})
	if login.LogStatus != Seen || login.SeenBy != "" || l.Unseen() != 0 {
		t.Errorf("a plain login: %+v, %d unseen", login, l.Unseen())
	}
	failed := record(Entry{LogType: "session.login", Seen: true, RetStatus: Failed})
	a := record(Entry{LogType: "user.add"})
	b := must[Operation](t)(l.Begin(Entry{LogType: "service.start"}))
	if l.Unseen() != 3 {
		t.Errorf("%d unseen, want 3: a failed login, a user, a start", l.Unseen())
	}
	if n := must[int](t)(l.Seen([]string{a.ID, a.ID, login.ID, "77", "x", b.ID}, false, "ann")); n != 1 {
		t.Errorf("%d unseen, want the failed login", n)
	}
	if n := must[int](t)(l.Seen([]string{a.ID}, false, "bob")); n != 1 {
		t.Errorf("%d unseen after the same again", n)
	}
	if op := must[Operation](t)(l.Get(a.ID)); op.LogStatus != Seen || op.SeenBy != "ann" {
		t.Errorf("seen: %+v, want the first who saw it", op)
	}
	must[Operation](t)(l.Finish(b.ID, Outcome{RetStatus: Succeeded}))
	if l.Unseen() != 2 {
		t.Errorf("%d unseen, want 2: nobody has seen how the start ended", l.Unseen())
	}
	if page := must[Page](t)(l.List(t.Context(), Filter{LogStatus: "new"})); page.Total != 2 || page.Operations[0].ID != b.ID || page.Operations[1].ID != failed.ID {
		t.Errorf("new: %+v", page)
	}
	head := must[Head](t)(l.Head())
	if n := must[int](t)(l.Seen(nil, true, "bob")); n != 0 || l.Unseen() != 0 {
		t.Errorf("%d unseen after all were seen", n)
	}
	if must[Head](t)(l.Head()) != head {
		t.Error("seeing changed the chain")
	}
	if page := must[Page](t)(l.List(t.Context(), Filter{LogStatus: "seen"})); page.Total != 4 {
		t.Errorf("%d are seen, want 4", page.Total)
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRefusedSignInsAreSummed(t *testing.T) {
	c := newClock()
	l := openLog(t, LogConfig{Now: c.now})
	deny := func(account, address string, times int) {
		t.Helper()
		for range times {
			if err := l.Denied(account, "", address, "wrong password"); err != nil {
				t.Fatal(err)
			}
		}
	}
	deny("ann", "192.0.2.1", 1)
	deny("ann", "192.0.2.2", 5)
	deny("bob", "192.0.2.1", 7)
	get := func(id string) Operation { t.Helper(); return must[Operation](t)(l.Get(id)) }
	list := func() []Operation {
		t.Helper()
		return must[Page](t)(l.List(t.Context(), Filter{LogType: "session.denied"})).Operations
	}
	if ops := list(); len(ops) != 3 || ops[2].Message != "sign-in refused: wrong password" || ops[2].Target != "ann" ||
		ops[2].Source != "192.0.2.1" || ops[2].RetStatus != Failed || ops[2].Actor != "" {
		t.Fatalf("%+v", ops)
	}
	bob := list()[0].ID
	if op := get(bob); op.Message != "4 sign-ins refused within a minute; the last: wrong password" {
		t.Errorf("within the minute: %s", op.Message)
	}
	must[int](t)(l.Seen(nil, true, "root"))
	c.add(time.Minute)
	deny("bob", "192.0.2.1", 1)
	if op := get(bob); op.Message != "7 sign-ins refused within a minute; the last: wrong password" || op.LogStatus != New {
		t.Errorf("after the minute: %+v", op)
	}
	if n := len(list()); n != 4 || l.Unseen() != 3 {
		t.Errorf("%d records, %d unseen, want 4 and 3", n, l.Unseen())
	}
	c.add(maxDenied * deniedEvery)
	for i := range 3 * maxDenied {
		deny(fmt.Sprintf("%s%d", strings.Repeat("n", 100), i), "192.0.2.3", 1)
		deny(fmt.Sprintf("n%d", i), fmt.Sprint("192.0.2.", i), 1)
	}
	ops := must[Page](t)(l.List(t.Context(), Filter{LogType: "session.denied", Limit: 1000})).Operations
	if len(ops) != 4+maxDenied+1 {
		t.Errorf("%d records, want one for each of %d names and one for the others", len(ops)-4, maxDenied)
	}
	if err := l.sumDenied(true); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRefusedSignInsPushNothingOut has a stranger try new names from new addresses for three days, as many as there is room for each minute.
func TestRefusedSignInsPushNothingOut(t *testing.T) {
	c := newClock()
	c.add(time.Hour - time.Duration(c.now().Unix()%3600)*time.Second) // hours begin with the first
	const kept, days = 2000, 3
	l := openLog(t, LogConfig{Now: c.now, MaxCount: kept})
	first := must[Operation](t)(l.Record(Entry{LogType: "user.add", Target: "mallory", Actor: "ann"}))
	for minute := range days * 24 * 60 {
		for i := range 3 {
			if err := l.Denied(fmt.Sprintf("n%d-%d", minute, i), "", fmt.Sprintf("192.0.%d.%d", minute%256, i), "wrong password"); err != nil {
				t.Fatal(err)
			}
		}
		c.add(time.Minute)
	}
	if err := l.sumDenied(true); err != nil {
		t.Fatal(err)
	}
	if err := l.trim(nil, true); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Get(first.ID); err != nil {
		t.Errorf("what an administrator did is gone: %v", err)
	}
	own, many := 0, 0
	for before := ""; ; {
		page := must[Page](t)(l.List(t.Context(), Filter{LogType: deniedType, Before: before, Limit: 1000}))
		for _, op := range page.Operations {
			var n int
			if _, err := fmt.Sscanf(op.Message, "%d sign-ins refused within an hour", &n); err == nil {
				many += n
			} else {
				own++
			}
		}
		if before = page.Next; before == "" {
			break
		}
	}
	// The steps of deniedEvery that pass meanwhile bring one each.
	if most := maxDenied + int(days*24*time.Hour/deniedEvery); own > most || own < most-1 {
		t.Errorf("%d have records of their own, want %d", own, most)
	}
	if own+many != 3*days*24*60 {
		t.Errorf("%d refused sign-ins are told, of %d", own+many, 3*days*24*60)
	}
}

func TestSubscribersAreToldInOrder(t *testing.T) {
	l := openLog(t, LogConfig{})
	type told struct {
		id     string
		status RetStatus
		unseen int
	}
	var mu sync.Mutex
	var got []told
	l.Subscribe(func(op *Operation, unseen int) {
		n := told{unseen: unseen}
		if op != nil {
			n.id, n.status = op.ID, op.RetStatus
			if _, err := l.Get(op.ID); err != nil { // it may use the log
				t.Error(err)
			}
			if op.LogType == "first" && op.RetStatus == Running {
				if _, err := l.Record(Entry{LogType: "from within", Seen: true}); err != nil {
					t.Error(err)
				}
			}
		}
		mu.Lock()
		got = append(got, n)
		mu.Unlock()
	})
	second := 0
	l.Subscribe(func(op *Operation, unseen int) {
		mu.Lock()
		second++
		mu.Unlock()
	})
	wait := func(n int) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			mu.Lock()
			have := len(got)
			mu.Unlock()
			if have >= n {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("told of %d changes, want %d", have, n)
			}
		}
	}
	op := must[Operation](t)(l.Begin(Entry{LogType: "first"}))
	wait(2)
	must[Operation](t)(l.Finish(op.ID, Outcome{RetStatus: Succeeded}))
	must[int](t)(l.Seen([]string{op.ID}, false, "ann"))
	must[int](t)(l.Seen([]string{op.ID}, false, "ann"))
	wait(4)
	mu.Lock()
	want := []told{{"1", Running, 1}, {"2", Succeeded, 1}, {"1", Succeeded, 1}, {"", "", 0}}
	if !slices.Equal(got, want) {
		t.Errorf("told %v, want %v", got, want)
	}
	got = nil
	mu.Unlock()

	const writers, each = 8, 20
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for range each {
				op, err := l.Begin(Entry{LogType: "many"})
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := l.Finish(op.ID, Outcome{RetStatus: Succeeded}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	wait(2 * writers * each)
	running := map[string]bool{}
	unseen := 0
	for _, n := range got {
		switch n.status {
		case Running:
			unseen++
			running[n.id] = true
		case Succeeded:
			if !running[n.id] {
				t.Errorf("%s ended before it began", n.id)
			}
		}
		if n.unseen != unseen {
			t.Fatalf("%v: %d unseen, want %d", n, n.unseen, unseen)
		}
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// Who is signed in and mistypes the password that is asked for again was refused no sign-in.
func TestAWrongPasswordOfWhoIsSignedInIsNoSignIn(t *testing.T) {
	l := openLog(t, LogConfig{Now: newClock().now}) // a minute that does not end
	for _, want := range []string{"password check refused: wrong password", "2 password checks refused within a minute; the last: wrong password"} {
		if err := l.Denied("ann", "ann", "192.0.2.1", "wrong password"); err != nil {
			t.Fatal(err)
		}
		if ops := must[Page](t)(l.List(t.Context(), Filter{})).Operations; len(ops) != 1 || ops[0].Message != want {
			t.Errorf("%+v, want one record: %s", ops, want)
		}
	}
}
