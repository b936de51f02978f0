package control

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
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
				page := must[Page](t)(l.List(f))
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
	if _, err := l.List(Filter{Before: "x"}); !errors.Is(err, ErrInvalid) {
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

func BenchmarkLog(b *testing.B) {
	for _, n := range []int{100, 1_000_000} {
		l := openLog(b, LogConfig{})
		fill(b, l, n)
		for name, f := range map[string]Filter{
			"all": {}, "type": {LogType: "type.2"}, "status": {RetStatus: "failed"}, "new": {LogStatus: "new"},
		} {
			b.Run(fmt.Sprintf("page=%s/records=%d", name, n), func(b *testing.B) {
				for b.Loop() {
					must[Page](b)(l.List(f))
				}
			})
		}
		b.Run(fmt.Sprintf("unseen/records=%d", n), func(b *testing.B) {
			for b.Loop() {
				l.Unseen()
			}
		})
		b.Run(fmt.Sprintf("begin and finish/records=%d", n), func(b *testing.B) {
			for b.Loop() {
				op := must[Operation](b)(l.Begin(Entry{LogType: "service.start"}))
				must[Operation](b)(l.Finish(op.ID, Outcome{RetStatus: Succeeded}))
			}
		})
	}
}
