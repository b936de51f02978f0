package control

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestMarksAreKept does what changes who has seen what in many orders, and holds the log against a plain list of it.
func TestMarksAreKept(t *testing.T) {
	const most = 40
	type record struct {
		id, by               string
		quiet, running, seen bool // quiet: need not be looked at when it ends well
	}
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("order ", seed), func(t *testing.T) {
			l := openLog(t, LogConfig{MaxCount: most})
			l.stop() // nothing is removed but where it is asked for
			l.done.Wait()
			r := rand.New(rand.NewPCG(seed, 0))
			var records []*record // the oldest first
			check := func() {
				t.Helper()
				want := map[string][]string{}
				unseen := 0
				for _, m := range slices.Backward(records) {
					status := New
					if m.seen {
						status = Seen
					} else {
						unseen++
					}
					want[string(status)] = append(want[string(status)], m.id)
					if op := must[Operation](t)(l.Get(m.id)); op.LogStatus != status || op.SeenBy != m.by {
						t.Fatalf("%s is %s by %q, want %s by %q", m.id, op.LogStatus, op.SeenBy, status, m.by)
					}
				}
				if l.Unseen() != unseen {
					t.Fatalf("%d are unseen, want %d", l.Unseen(), unseen)
				}
				for _, status := range []string{"new", "seen"} {
					var got []string
					for f := (Filter{LogStatus: status, Limit: 7}); ; {
						page := must[Page](t)(l.List(t.Context(), f))
						for _, op := range page.Operations {
							got = append(got, op.ID)
						}
						if page.Total != len(want[status]) {
							t.Fatalf("%d are %s in all, want %d", page.Total, status, len(want[status]))
						}
						if f.Before = page.Next; f.Before == "" {
							break
						}
					}
					if !slices.Equal(got, want[status]) {
						t.Fatalf("%s are %v, want %v", status, got, want[status])
					}
				}
				if _, err := l.Verify(t.Context()); err != nil {
					t.Fatal(err)
				}
				err := viewBooks(l.db, func(b books) error {
					return b.index.ForEach(func(k, _ []byte) error {
						if id := binary.BigEndian.Uint64(k[len(k)-8:]); !b.begins(id) {
							return fmt.Errorf("the index has %q of an operation that is gone", k)
						}
						return nil
					})
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			for range 400 {
				quiet, who := r.IntN(3) == 0, []string{"ann", "bob"}[r.IntN(2)]
				status := []RetStatus{Succeeded, Failed}[r.IntN(2)]
				switch r.IntN(10) {
				case 0, 1, 2:
					op := must[Operation](t)(l.Record(Entry{Seen: quiet, RetStatus: status}))
					records = append(records, &record{id: op.ID, quiet: quiet, seen: quiet && status == Succeeded})
				case 3, 4:
					op := must[Operation](t)(l.Begin(Entry{Seen: quiet}))
					records = append(records, &record{id: op.ID, quiet: quiet, running: true, seen: quiet})
				case 5, 6, 7: // the end of one that runs
					var running []*record
					for _, m := range records {
						if m.running {
							running = append(running, m)
						}
					}
					if len(running) == 0 {
						continue
					}
					m := running[r.IntN(len(running))]
					must[Operation](t)(l.Finish(m.id, Outcome{RetStatus: status}))
					if m.running = false; !m.quiet || status == Failed {
						m.seen, m.by = false, ""
					}
				case 8: // some are marked
					var ids []string
					for _, m := range records {
						if r.IntN(4) > 0 {
							continue
						}
						if ids = append(ids, m.id); !m.seen {
							m.seen, m.by = true, who
						}
					}
					must[int](t)(l.Seen(ids, false, who))
				default: // all are marked; or the oldest go
					if r.IntN(2) == 0 {
						for len(records) > most && !records[0].running {
							records = records[1:]
						}
						if err := l.trim(nil, false); err != nil {
							t.Fatal(err)
						}
						break
					}
					for _, m := range records {
						if !m.seen {
							m.seen, m.by = true, who
						}
					}
					must[int](t)(l.Seen(nil, true, who))
				}
				check()
			}
		})
	}
}

// TestMarkingAllIsOneShortWrite: what it costs must not grow with what is unseen. Pages that are written are counted, not time.
func TestMarkingAllIsOneShortWrite(t *testing.T) {
	for _, n := range []int{200, 50_000} {
		l := openLog(t, LogConfig{})
		fill(t, l, n)
		stats := func() (transactions int, pages int64) {
			s := l.db.Stats()
			tx, err := l.db.Begin(false)
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback()
			return tx.ID(), s.TxStats.GetPageCount()
		}
		transactions, pages := stats()
		if unseen := must[int](t)(l.Seen(nil, true, "ann")); unseen != 0 {
			t.Errorf("%d of %d are unseen", unseen, n)
		}
		transactionsAfter, pagesAfter := stats()
		if got := transactionsAfter - transactions; got != 1 || pagesAfter-pages > 20 {
			t.Errorf("to mark %d records takes %d transactions and %d pages, want 1 and at most 20", n, got, pagesAfter-pages)
		}
	}
}
