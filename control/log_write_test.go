package control

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func TestManyWritersShareACommit(t *testing.T) {
	l := openLog(t, LogConfig{})
	commits := func() (id int) {
		l.db.View(func(tx *bbolt.Tx) error { id = tx.ID(); return nil })
		return id
	}
	before := commits()
	const n = 150
	var group sync.WaitGroup
	ops := make([]Operation, n)
	l.mu.Lock() // a commit that takes long
	for i := range n {
		group.Go(func() { ops[i] = must[Operation](t)(l.Begin(Entry{LogType: "many"})) })
	}
	refused := make(chan error, 1)
	go func() {
		_, err := l.Finish("999999", Outcome{RetStatus: Failed})
		refused <- err
	}()
	for waiting := 0; waiting < n; time.Sleep(time.Millisecond) { // Finish looks at what runs first, and waits for that
		l.waiting.mu.Lock()
		waiting = len(l.waiting.changes)
		l.waiting.mu.Unlock()
	}
	l.mu.Unlock()
	group.Wait()
	if err := <-refused; !errors.Is(err, ErrNotFound) {
		t.Errorf("one that is refused: %v", err)
	}
	if made := commits() - before; made > 2 {
		t.Errorf("%d commits for %d records that came together", made, n)
	}
	ids := map[string]bool{}
	for _, op := range ops {
		ids[op.ID] = true
		must[Operation](t)(l.Finish(op.ID, Outcome{RetStatus: Succeeded}))
	}
	if len(ids) != n || l.Unseen() != n {
		t.Errorf("%d records, %d unseen, want %d", len(ids), l.Unseen(), n)
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestADiskThatFailsAtTheLastMoment: when the very last step to the disk fails, the record is in the file all the same.
// The act is refused, so the record must come to say so.
func TestADiskThatFailsAtTheLastMoment(t *testing.T) {
	l := openLog(t, LogConfig{})
	before := l.head
	var at uint64
	c := l.waiting.add(func(b books) (ids []uint64, err error) {
		at, err = b.begin(entry{kind: intent, logType: "service.stop", retStatus: Running})
		return []uint64{at}, err
	})
	l.mu.Lock()
	batch := l.waiting.take(1)
	l.commit(batch)
	l.head, c.err = before, nil // what a failed fdatasync of the meta page leaves
	l.failed(batch, errors.New("input/output error"))
	l.mu.Unlock()
	if c.err == nil || !c.there {
		t.Fatalf("%v, in the file: %t", c.err, c.there)
	}
	if err := l.saveUnsaved(); err != nil {
		t.Fatal(err)
	}
	op := must[Operation](t)(l.Get(formatID(at)))
	if op.RetStatus != Failed || !strings.Contains(op.Message, "nothing was done") {
		t.Errorf("%+v", op)
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhatHappenedIsRecordedLater(t *testing.T) {
	l := must[*Log](t)(OpenLog(openDB(t, filepath.Join(t.TempDir(), "db"), true), LogConfig{}))
	must[Operation](t)(l.Record(Entry{LogType: "user.add"}))
	l.stop() // its goroutines use the database that is exchanged here
	l.done.Wait()
	real := l.db
	l.db = copyReadOnly(t, real)
	for range maxLate + 7 {
		if _, err := l.Record(Entry{LogType: "session.login", Target: "ann"}); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("Record: %v, want ErrUnavailable", err)
		}
	}
	l.db = real
	if err := l.saveUnsaved(); err != nil {
		t.Fatal(err)
	}
	if page := must[Page](t)(l.List(t.Context(), Filter{LogType: "session.login"})); page.Total != maxLate {
		t.Errorf("%d sign-ins are recorded later, want %d", page.Total, maxLate)
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
