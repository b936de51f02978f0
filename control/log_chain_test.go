package control

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func TestVerifyNamesTheFirstBreak(t *testing.T) {
	// The chain: 1 begins, 2 happened, 3 ends 1, 4 happened, 5 begins and is still running, 6 happened.
	rewrite := func(seq uint64, change func(e *entry)) func(b books) {
		return func(b books) {
			e, err := b.entry(seq)
			if err != nil {
				t.Fatal(err)
			}
			change(&e)
			b.entries.Put(seqKey(seq), e.encode())
		}
	}
	for name, test := range map[string]struct {
		tamper func(b books)
		noted  bool // verify against the head as it was
		seq    uint64
		reason string
	}{
		"nothing":          {func(books) {}, true, 0, ""},
		"a changed text":   {rewrite(2, func(e *entry) { e.target = "other" }), false, 2, "entry 3 tells what it was"},
		"a changed status": {rewrite(3, func(e *entry) { e.retStatus = Succeeded }), false, 1, "list of retStatus=succeeded"},
		"a changed actor":  {rewrite(3, func(e *entry) { e.message = "fine" }), false, 3, "entry 4 tells what it was"},
		"a changed link":   {rewrite(3, func(e *entry) { e.prev[0]++ }), false, 3, "does not follow from entry 2"},
		"the newest one changed, and nothing noted": {
			rewrite(6, func(e *entry) { e.actor = "eve" }), false, 6, "the log ended with 6:",
		},
		"the newest one changed": {
			rewrite(6, func(e *entry) { e.actor = "eve" }), true, 6, "not the one that was noted",
		},
		"a flipped byte": {func(b books) {
			v := bytes.Clone(b.entries.Get(seqKey(2)))
			v[50] ^= 1
			b.entries.Put(seqKey(2), v)
		}, false, 2, "entry 3 tells what it was"},
		"rubbish":  {func(b books) { b.entries.Put(seqKey(2), []byte("rubbish")) }, false, 2, "cannot be read"},
		"one gone": {func(b books) { b.entries.Delete(seqKey(2)) }, false, 2, "missing"},
		"the first gone": {func(b books) {
			b.remove(1)
			b.entries.Delete(seqKey(1))
		}, false, 1, "not removed by retention"},
		"the first gone, and said to be removed": {func(b books) {
			h := hashOf(seqKey(1), b.entries.Get(seqKey(1)))
			b.remove(1)
			b.entries.Delete(seqKey(1))
			h[0]++
			b.cut(Head{1, h}, time.Now())
		}, false, 1, "not removed by retention"},
		"two exchanged": {func(b books) {
			two, four := bytes.Clone(b.entries.Get(seqKey(2))), bytes.Clone(b.entries.Get(seqKey(4)))
			b.entries.Put(seqKey(2), four)
			b.entries.Put(seqKey(4), two)
		}, false, 2, ""},
		"the tail cut": {func(b books) {
			b.remove(6)
			b.entries.Delete(seqKey(6))
		}, false, 6, "went on to 6"},
		"the tail cut with care": {func(b books) {
			b.remove(6)
			b.entries.Delete(seqKey(6))
			b.entries.SetSequence(5)
		}, true, 6, "noted to go on to 6"},
		"the tail written anew": {func(b books) {
			b.remove(6)
			b.entries.Delete(seqKey(6))
			b.entries.SetSequence(5)
			b.begin(entry{kind: event, logType: "user.add", target: "eve", retStatus: Succeeded})
		}, true, 6, "not the one that was noted"},
		"an operation hidden":     {func(b books) { b.remove(4) }, false, 4, "missing from the list of logType=user.add"},
		"an operation invented":   {func(b books) { b.state.Put(seqKey(99), seqKey(0)) }, false, 6, "no entry"},
		"one invented in between": {func(b books) { b.state.Put(seqKey(3), seqKey(0)) }, false, 3, "no entry"},
		"an outcome hidden":       {func(b books) { b.state.Put(seqKey(1), seqKey(0)) }, false, 1, "missing from the list of retStatus=running"},
		"an outcome forgotten":    {func(b books) { b.state.Delete(seqKey(1)) }, false, 1, "missing from the list of retStatus=running"},
		"one forgotten with care": {func(b books) {
			b.state.Delete(seqKey(1))
			b.unfile(indexKey("retStatus", "failed"), 1)
			b.file(isRunning, 1)
		}, false, 3, "outcome of operation 1, which is listed with another one"},
		"an outcome exchanged":      {func(b books) { b.state.Put(seqKey(5), seqKey(3)) }, false, 5, "outcome of another one"},
		"hidden from one list":      {func(b books) { b.unfile(indexKey("logType", "user.add"), 4) }, false, 4, "missing from the list of logType=user.add"},
		"a wrong number is counted": {func(b books) { b.add1(inAll, 5) }, false, 6, "counted"},
	} {
		t.Run(name, func(t *testing.T) {
			l := openLog(t, LogConfig{})
			op := must[Operation](t)(l.Begin(Entry{LogType: "service.stop", Target: "a"}))
			must[Operation](t)(l.Record(Entry{LogType: "user.add", Target: "b"}))
			must[Operation](t)(l.Finish(op.ID, Outcome{RetStatus: Failed}))
			must[Operation](t)(l.Record(Entry{LogType: "user.add", Target: "c"}))
			must[Operation](t)(l.Begin(Entry{LogType: "service.stop", Target: "d"}))
			must[Operation](t)(l.Record(Entry{LogType: "user.add", Target: "e"}))
			head := must[Head](t)(l.Head())
			if _, err := l.Verify(t.Context(), Head{}, head); err != nil {
				t.Fatalf("before: %v", err)
			}
			if err := l.db.Update(func(tx *bbolt.Tx) error { test.tamper(openBooks(tx)); return nil }); err != nil {
				t.Fatal(err)
			}
			var noted []Head
			if test.noted {
				noted = append(noted, must[Head](t)(ParseHead(head.String())))
			}
			_, err := l.Verify(t.Context(), noted...)
			var broken *BreakError
			switch {
			case test.seq == 0:
				if err != nil {
					t.Error(err)
				}
			case !errors.As(err, &broken):
				t.Errorf("Verify: %v, want a break at %d", err, test.seq)
			case broken.Seq != test.seq || !strings.Contains(broken.Reason, test.reason):
				t.Errorf("Verify: %v, want a break at %d: … %s …", err, test.seq, test.reason)
			}
		})
	}
}

func TestRetentionKeepsTheChain(t *testing.T) {
	c := newClock()
	l := openLog(t, LogConfig{Now: c.now, MaxAge: 24 * time.Hour, MaxCount: 1500})
	fill(t, l, 5000)
	before := must[Head](t)(l.Head())
	check := func(wantTotal int, oldest string) {
		t.Helper()
		if err := l.trim(nil, true); err != nil {
			t.Fatal(err)
		}
		page := must[Page](t)(l.List(t.Context(), Filter{}))
		n, unseen := 0, 0
		err := l.Walk(t.Context(), true, func(op *Operation) error {
			if n == 0 && op.Target != oldest {
				t.Errorf("the oldest is %s, want %s", op.Target, oldest)
			}
			if n++; op.LogStatus == New {
				unseen++
			}
			return nil
		})
		if err != nil || page.Total != wantTotal || n != wantTotal {
			t.Errorf("%d are counted, %d are there (%v), want %d", page.Total, n, err, wantTotal)
		}
		if l.Unseen() != unseen {
			t.Errorf("%d are counted as unseen, %d are", l.Unseen(), unseen)
		}
		if _, err := l.Verify(t.Context(), before, must[Head](t)(l.Head())); err != nil {
			t.Error(err)
		}
	}
	check(1500, "3500")
	check(1500, "3500")
	c.add(23 * time.Hour)
	running := must[Operation](t)(l.Begin(Entry{LogType: "command.run", Target: "runs"}))
	must[Operation](t)(l.Record(Entry{LogType: "user.add", Target: "last"}))
	check(1500, "3502")
	c.add(2 * time.Hour)
	check(2, "runs")
	c.add(48 * time.Hour)
	check(2, "runs") // it holds its place while it runs
	must[Operation](t)(l.Finish(running.ID, Outcome{RetStatus: Succeeded}))
	check(0, "")
	must[Operation](t)(l.Record(Entry{LogType: "user.add", Target: "after"}))
	check(1, "after")
	if _, err := l.Get(running.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("a removed one: %v, want ErrNotFound", err)
	}
}

func TestAWrongClockRemovesNothing(t *testing.T) {
	c := newClock()
	l := openLog(t, LogConfig{Now: c.now, MaxAge: 24 * time.Hour, MaxCount: 1500})
	fill(t, l, 2000)
	c.add(10 * 365 * 24 * time.Hour)
	if err := l.trim(nil, false); err != nil { // what keep does until the clock has gone evenly for a while
		t.Fatal(err)
	}
	if page := must[Page](t)(l.List(t.Context(), Filter{})); page.Total != 1500 {
		t.Errorf("%d are left, want 1500", page.Total)
	}
	quit := make(chan struct{})
	close(quit)
	if err := l.trim(quit, true); err != nil {
		t.Fatal(err)
	}
	if page := must[Page](t)(l.List(t.Context(), Filter{})); page.Total != 1500 {
		t.Errorf("%d are left after the log was closed", page.Total)
	}
	now := time.Now()
	if d := drift(now, now.Add(time.Hour)); d != 0 {
		t.Errorf("a clock that goes evenly was set by %v", d)
	}
	if d := drift(now, now.Add(time.Hour).Round(0)); d.Abs() > time.Second {
		t.Errorf("a clock that goes evenly was set by %v", d)
	}
}

func TestAReadOnlyLogCanBeRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	db := openDB(t, path, true)
	l := must[*Log](t)(OpenLog(db, LogConfig{}))
	defer l.Close()
	op := must[Operation](t)(l.Begin(Entry{LogType: "service.stop"}))
	l.stop() // its goroutines use the database that is exchanged here
	l.done.Wait()

	real := l.db
	readOnly := copyReadOnly(t, db)
	l.db = readOnly
	if _, err := l.Begin(Entry{LogType: "service.stop"}); err == nil {
		t.Error("Begin worked without a record")
	}
	if _, err := l.Finish(op.ID, Outcome{RetStatus: Failed, Message: "why"}); err == nil {
		t.Error("Finish worked without a record")
	}
	if err := l.Denied("ann", "", "192.0.2.1", "wrong password"); err == nil {
		t.Error("Denied worked without a record")
	}
	if _, err := l.Seen(nil, true, "ann"); err == nil {
		t.Error("Seen worked without a record")
	}
	if page := must[Page](t)(l.List(t.Context(), Filter{})); page.Total != 1 || l.Unseen() != 1 {
		t.Errorf("%d operations, %d unseen, want the one that there was", page.Total, l.Unseen())
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}

	l.db = real // the disk has room again
	if err := l.saveUnsaved(); err != nil {
		t.Fatal(err)
	}
	if op := must[Operation](t)(l.Get(op.ID)); op.RetStatus != Failed || op.Message != "why" {
		t.Errorf("the outcome that could not be written at first: %+v", op)
	}
}

func copyReadOnly(t *testing.T, db *bbolt.DB) *bbolt.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy")
	if err := db.View(func(tx *bbolt.Tx) error { return tx.CopyFile(path, 0o400) }); err != nil {
		t.Fatal(err)
	}
	copied, err := bbolt.Open(path, 0o400, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { copied.Close(); os.Remove(path) })
	return copied
}

func FuzzDecodeEntry(f *testing.F) {
	code := -1
	f.Add((&entry{kind: intent, time: time.Unix(1, 2), logType: "service.start"}).encode())
	f.Add((&entry{kind: outcome, op: 7, retStatus: Failed, detail: "why\n", exitCode: &code, duration: 0.5, seen: true}).encode())
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{entryVersion}, 200))
	f.Add(append([]byte{entryVersion}, bytes.Repeat([]byte{0xff}, 200)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeEntry(b)
		if err != nil {
			return
		}
		if !bytes.Equal(e.encode(), b) {
			t.Errorf("read from %x, written as %x", b, e.encode())
		}
	})
}

func FuzzBound(f *testing.F) {
	f.Add("a\xff\xfe", 4)
	f.Add("漢漢漢漢", 7)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = 4 + limit&0xfff
		for _, got := range []string{shorten(s, limit), oneLine(s, limit)} {
			if len(got) > limit || strings.ToValidUTF8(got, "") != got {
				t.Errorf("%q in %d bytes: %q", s, limit, got)
			}
		}
	})
}
