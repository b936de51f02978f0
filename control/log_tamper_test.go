package control

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"go.etcd.io/bbolt"
)

// TestTamperingShows changes, removes or exchanges entries of a log of 10,000, one after the other, and has Verify name the
// place. In make soak each entry has its turn.
func TestTamperingShows(t *testing.T) {
	const n = 10_000
	l := openLog(t, LogConfig{})
	fill(t, l, n)
	if _, err := l.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	get := func(seq uint64) (value []byte) {
		if err := viewBooks(l.db, func(b books) error { value = bytes.Clone(b.entries.Get(seqKey(seq))); return nil }); err != nil {
			t.Fatal(err)
		}
		return value
	}
	put := func(values map[uint64][]byte) {
		err := l.db.Update(func(tx *bbolt.Tx) error {
			b := openBooks(tx)
			for seq, value := range values {
				if value == nil {
					if err := b.entries.Delete(seqKey(seq)); err != nil {
						return err
					}
				} else if err := b.entries.Put(seqKey(seq), value); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	changes := rounds(24, n)
	for i := range changes {
		seq := uint64(i%n) + 1
		switch {
		case i == 0:
		case i == 1:
			seq = n
		case rounds(0, 1) == 0:
			seq = 1 + random.Uint64N(n)
		}
		other := 1 + (seq+random.Uint64N(n-1))%n
		was := map[uint64][]byte{seq: get(seq)}
		first := seq
		switch i % 3 {
		case 0: // a flipped bit, anywhere
			changed := bytes.Clone(was[seq])
			changed[random.IntN(len(changed))] ^= 1 << random.IntN(8)
			put(map[uint64][]byte{seq: changed})
		case 1:
			put(map[uint64][]byte{seq: nil})
		case 2:
			was[other] = get(other)
			put(map[uint64][]byte{seq: was[other], other: was[seq]})
			first = min(seq, other)
		}
		_, err := l.Verify(t.Context())
		var broken *BreakError
		if !errors.As(err, &broken) || broken.Seq != first {
			t.Errorf("seed %d: entry %d (%d), as in case %d: %v, want the break at %d", seed, seq, other, i%3, err, first)
		}
		put(was)
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Errorf("put back as it was: %v", err)
	}
	t.Logf("row 10: of %d entries %d changed, removed or exchanged, one at a time: the place is named each time", n, changes)
}
