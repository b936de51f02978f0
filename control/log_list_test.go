package control

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func TestPagesHoldEveryOperationOnce(t *testing.T) {
	n := 40_000
	if testing.Short() {
		n = 5_000
	}
	l := openLog(t, LogConfig{})
	fill(t, l, n)
	every := func(k int) func(*Operation) bool {
		return func(op *Operation) bool { i, _ := strconv.Atoi(op.Target); return i%k == 0 }
	}
	for name, test := range map[string]struct {
		filter Filter
		want   func(i int) bool
	}{
		"all":          {Filter{}, func(i int) bool { return true }},
		"type":         {Filter{LogType: "type.2"}, func(i int) bool { return i%7 == 2 }},
		"status":       {Filter{RetStatus: "failed"}, func(i int) bool { return i%5 == 0 }},
		"new":          {Filter{LogStatus: "new"}, func(i int) bool { return i%5 == 0 || i%3 != 0 }},
		"two":          {Filter{LogType: "type.2", RetStatus: "failed"}, func(i int) bool { return i%7 == 2 && i%5 == 0 }},
		"three":        {Filter{LogType: "type.0", RetStatus: "succeeded", LogStatus: "seen"}, func(i int) bool { return i%7 == 0 && i%5 != 0 && i%3 == 0 }},
		"match many":   {Filter{Match: every(20)}, func(i int) bool { return i%20 == 0 }},
		"match few":    {Filter{Match: every(1000)}, func(i int) bool { return i%1000 == 0 }},
		"type + match": {Filter{LogType: "type.3", Match: every(4)}, func(i int) bool { return i%7 == 3 && i%4 == 0 }},
		"no such type": {Filter{LogType: "type"}, func(i int) bool { return false }},
		"nul in type":  {Filter{LogType: "type.1\x00"}, func(i int) bool { return false }},
		"two, none":    {Filter{LogType: "nothing", RetStatus: "failed"}, func(i int) bool { return false }},
	} {
		t.Run(name, func(t *testing.T) {
			var want []string
			for i := n - 1; i >= 0; i-- {
				if test.want(i) {
					want = append(want, strconv.Itoa(i))
				}
			}
			f := test.filter
			f.Limit = max(50, len(want)/6) // a handful of pages
			var got []string
			for {
				page := must[Page](t)(l.List(t.Context(), f))
				if page.Total != len(want) || page.AtLeast {
					t.Fatalf("total %d (at least: %t), want %d", page.Total, page.AtLeast, len(want))
				}
				for _, op := range page.Operations {
					got = append(got, op.Target)
				}
				if page.Next == "" {
					break
				}
				if len(page.Operations) != min(f.Limit, maxPage) {
					t.Fatalf("%d on a page that is not the last, want %d", len(page.Operations), f.Limit)
				}
				f.Before = page.Next
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d operations, want %d", len(got), len(want))
			}
		})
	}
	for _, oldestFirst := range []bool{true, false} {
		i := 0
		err := l.Walk(t.Context(), oldestFirst, func(op *Operation) error {
			want := i
			if !oldestFirst {
				want = n - 1 - i
			}
			if i++; op.Target != strconv.Itoa(want) {
				return fmt.Errorf("%s is where %d should be", op.Target, want)
			}
			return nil
		})
		if err != nil || i != n {
			t.Errorf("oldest first %t: %d of %d, %v", oldestFirst, i, n, err)
		}
	}
	stop := errors.New("enough")
	if err := l.Walk(t.Context(), true, func(*Operation) error { return stop }); err != stop {
		t.Errorf("Walk: %v, want what its function returned", err)
	}
	if _, err := l.List(t.Context(), Filter{Before: "x"}); !errors.Is(err, ErrInvalid) {
		t.Errorf("before=x: %v, want ErrInvalid", err)
	}
	if unseen := must[int](t)(l.Seen(nil, true, "ann")); unseen != 0 {
		t.Errorf("%d unseen after all were seen", unseen)
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

// fill records n operations, whose targets tell their number: every fifth failed, every third need not be looked at.
func fill(t testing.TB, l *Log, n int) {
	t.Helper()
	for at := 0; at < n; {
		err := l.write(func(b books) ([]uint64, error) {
			for range min(1000, n-at) {
				e := entry{
					kind: event, time: l.now(), logType: fmt.Sprint("type.", at%7), target: strconv.Itoa(at), actor: "ann",
					retStatus: Succeeded, seen: at%3 == 0, message: "what happened to it, in a line of usual length",
				}
				if at%5 == 0 {
					e.retStatus = Failed
				}
				if _, err := b.begin(e); err != nil {
					return nil, err
				}
				at++
			}
			return nil, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A full page, below which more was left unlooked at than its total is counted from, is not the last.
func TestAFullPageGoesOn(t *testing.T) {
	l := openLog(t, LogConfig{})
	l.maxCounted = scanChunk
	fill(t, l, 5*scanChunk)
	f := Filter{Limit: 1, Match: func(op *Operation) bool { return op.Target == "3" || op.Target == strconv.Itoa(5*scanChunk-3) }}
	var found []string
	for range 20 {
		page := must[Page](t)(l.List(t.Context(), f))
		for _, op := range page.Operations {
			found = append(found, op.Target)
		}
		if f.Before = page.Next; f.Before == "" {
			break
		}
	}
	if want := []string{strconv.Itoa(5*scanChunk - 3), "3"}; !slices.Equal(found, want) {
		t.Errorf("found %v, want %v", found, want)
	}
}

// TestAPageLooksAtItsOwnRecordsOnly: what a page costs must not grow with the log. Looks are counted, not time.
func TestAPageLooksAtItsOwnRecordsOnly(t *testing.T) {
	l := openLog(t, LogConfig{})
	for _, n := range []int{200, 20_000, 10} {
		fill(t, l, n)
		for _, f := range []Filter{{}, {LogType: "type.2"}, {RetStatus: "failed"}, {LogStatus: "new"}, {LogStatus: "seen"}} {
			looks := 0
			err := viewBooks(l.db, func(b books) error {
				b.looks = &looks
				return b.page(&Page{}, f.streams(), newest, 20)
			})
			if err != nil || looks > 24 {
				t.Errorf("%+v of %d records: %d looks for 20 (%v)", f, n, looks, err)
			}
		}
		must[int](t)(l.Seen(nil, true, "ann")) // so that the next ones are new above what is not
	}
}

func TestASearchEndsWithItsContext(t *testing.T) {
	l := openLog(t, LogConfig{})
	const n = 5 * scanChunk
	fill(t, l, n)
	found := 0
	last := Filter{Limit: 10, Match: func(op *Operation) bool { return op.Target == "7" }}
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	<-ctx.Done()
	// Each search gets no more than its first part done, and says where to go on.
	for parts := 1; ; parts++ {
		l.searches <- struct{}{} // so that this one is not refused for want of time
		<-l.searches
		page, err := search(l, ctx, last)
		if err != nil {
			t.Fatal(err)
		}
		found += len(page.Operations)
		if page.Next == "" {
			if parts < n/scanChunk-1 {
				t.Errorf("%d parts, want about %d", parts, n/scanChunk)
			}
			break
		}
		if !page.AtLeast {
			t.Error("a part says that it is all")
		}
		last.Before = page.Next
	}
	if found != 1 {
		t.Errorf("found %d times", found)
	}

	gone, leave := context.WithCancel(t.Context())
	looked := 0
	_, err := l.List(gone, Filter{Match: func(*Operation) bool { looked++; leave(); return false }})
	if !errors.Is(err, context.Canceled) || looked > scanChunk {
		t.Errorf("after the client left: %v, and %d were looked at", err, looked)
	}
	for range maxSearches {
		l.searches <- struct{}{}
	}
	if _, err := l.List(gone, Filter{Match: func(*Operation) bool { return true }}); !errors.Is(err, ErrTooMany) {
		t.Errorf("one search too many: %v", err)
	}
	must[Page](t)(l.List(gone, Filter{})) // a plain page waits for none
}

// search is List without waiting for a place.
func search(l *Log, ctx context.Context, f Filter) (page Page, err error) {
	before, err := parseID(f.Before)
	if err != nil {
		before = newest
	}
	return page, l.search(ctx, &page, nil, before, f.Limit, f.Match)
}

// benchmarkRecords are how many records the large log has; make bench is for a million.
const benchmarkRecords = 1_000_000

func BenchmarkLog(b *testing.B) {
	for _, n := range []int{100, benchmarkRecords} {
		path := filepath.Join(b.TempDir(), "db")
		db := openDB(b, path, true)
		l := must[*Log](b)(OpenLog(db, LogConfig{}))
		fill(b, l, n)
		for name, f := range map[string]Filter{
			"all": {}, "type": {LogType: "type.2"}, "status": {RetStatus: "failed"}, "new": {LogStatus: "new"},
		} {
			b.Run(fmt.Sprintf("page=%s/records=%d", name, n), func(b *testing.B) {
				for b.Loop() {
					must[Page](b)(l.List(b.Context(), f))
				}
			})
		}
		b.Run(fmt.Sprintf("unseen/records=%d", n), func(b *testing.B) {
			for b.Loop() {
				l.Unseen()
			}
		})
		b.Run(fmt.Sprintf("search for what is not there/records=%d", n), func(b *testing.B) {
			for b.Loop() {
				must[Page](b)(l.List(b.Context(), Filter{Match: func(*Operation) bool { return false }}))
			}
		})
		b.Run(fmt.Sprintf("verify/records=%d", n), func(b *testing.B) {
			for b.Loop() {
				must[Verified](b)(l.Verify(b.Context()))
			}
		})
		l.Close()
		db.Close()
		b.Run(fmt.Sprintf("open/records=%d", n), func(b *testing.B) {
			for b.Loop() {
				db := openDB(b, path, true)
				must[*Log](b)(OpenLog(db, LogConfig{})).Close()
				db.Close()
			}
		})
	}
}

// BenchmarkLogAppend is a durable record beside the bare commit of bbolt that it cannot be faster than, in turns, and many at a time.
func BenchmarkLogAppend(b *testing.B) {
	value := make([]byte, 300)
	open := func(b *testing.B) *Log {
		l := must[*Log](b)(OpenLog(openDB(b, filepath.Join(b.TempDir(), "db"), false), LogConfig{}))
		b.Cleanup(func() { l.Close() })
		return l
	}
	e := Entry{LogType: "service.start", Target: "web.service", Actor: "ann", Source: "192.0.2.1", Detail: string(value[:100])}
	b.Run("one at a time", func(b *testing.B) {
		l, db := open(b), openDB(b, filepath.Join(b.TempDir(), "bare"), false)
		var ours, bare []time.Duration
		n := uint64(0)
		for ; b.Loop(); n++ {
			began := time.Now()
			must[Operation](b)(l.Begin(e))
			between := time.Now()
			err := db.Update(func(tx *bbolt.Tx) error {
				bucket, err := tx.CreateBucketIfNotExists([]byte("things"))
				if err != nil {
					return err
				}
				return bucket.Put(seqKey(n), value)
			})
			if err != nil {
				b.Fatal(err)
			}
			ours, bare = append(ours, between.Sub(began)), append(bare, time.Since(between))
		}
		for unit, took := range map[string][]time.Duration{"ns/append": ours, "ns/commit": bare} {
			slices.Sort(took) // a disk is slow now and then
			b.ReportMetric(float64(took[len(took)/2]), unit)
		}
	})
	b.Run("sixteen at a time", func(b *testing.B) {
		l := open(b)
		b.SetParallelism(16)
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if _, err := l.Begin(e); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
