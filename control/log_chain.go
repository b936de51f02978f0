package control

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/bbolt"
)

// Head is a place in the chain of the log: the entry at Seq has this Hash. Whoever keeps a head elsewhere can later tell
// whether the log still holds all that it held then. The zero Head is that of an empty log.
type Head struct {
	Seq  uint64
	Hash [32]byte
}

// String is "seq:hash in hexadecimal", and ParseHead reads it.
func (h Head) String() string { return formatID(h.Seq) + ":" + hex.EncodeToString(h.Hash[:]) }

// MarshalText is String.
func (h Head) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText is ParseHead, and takes the zero Head too.
func (h *Head) UnmarshalText(text []byte) (err error) {
	if string(text) == (Head{}).String() {
		*h = Head{}
		return nil
	}
	*h, err = ParseHead(string(text))
	return err
}

// ParseHead reads what String wrote, also behind the "head=" of a line of the journal.
func ParseHead(s string) (h Head, err error) {
	id, sum, _ := strings.Cut(strings.TrimPrefix(s, "head="), ":")
	b, err := hex.DecodeString(sum)
	if err == nil && len(b) == len(h.Hash) {
		h.Seq, err = parseID(id)
		copy(h.Hash[:], b)
	}
	if err != nil || len(b) != len(h.Hash) {
		return Head{}, &failure{ErrInvalid, fmt.Sprintf("cannot read %q as a head of the log: it must be a number, a colon and 64 hexadecimal digits", shorten(s, 100))}
	}
	return h, nil
}

// Head is the newest place in the chain.
func (l *Log) Head() (h Head, err error) {
	err = viewBooks(l.db, func(b books) error {
		h = b.last()
		return nil
	})
	return h, err
}

// BreakError tells where the chain is first broken.
type BreakError struct {
	Seq    uint64 // of the entry that is not as it was
	Reason string
}

func (e *BreakError) Error() string {
	return fmt.Sprintf("the operation log is broken at entry %d: %s", e.Seq, e.Reason)
}

// Verified is what the whole chain was found to be.
type Verified struct {
	First      uint64 `json:"first"` // the oldest entry: 1 until retention removes it; 0 in an empty log
	Head       Head   `json:"head"`  // the newest
	Operations int    `json:"operations"`
	Older      int    `json:"older"` // noted heads from before First: retention left nothing to hold them against
}

// Verify reads the whole chain and what the log's lists are made from, and returns a *BreakError for the first thing that
// was changed, removed, added or exchanged. Whoever can write the file can also make a whole new chain, or cut off its
// end: that shows against heads which were noted elsewhere. The log goes on meanwhile, but removes nothing.
func (l *Log) Verify(ctx context.Context, noted ...Head) (Verified, error) {
	l.verifying.RLock()
	defer l.verifying.RUnlock()
	return VerifyLog(ctx, l.db, noted...)
}

// VerifyLog is Verify for a database on which no Log is open; it may be open for reading only.
func VerifyLog(ctx context.Context, db *bbolt.DB, noted ...Head) (Verified, error) {
	v := verifier{noted: map[uint64][]Head{}}
	for _, h := range noted {
		v.noted[h.Seq] = append(v.noted[h.Seq], h)
	}
	for more := true; more; {
		if err := ctx.Err(); err != nil {
			return Verified{}, err
		}
		err := viewBooks(db, func(b books) (err error) {
			more, err = v.read(b, scanChunk)
			return err
		})
		if errors.Is(err, errDamaged) {
			err = v.breaks(v.seq+1, "%v", err)
		}
		if err != nil {
			return Verified{}, err
		}
	}
	found := Verified{First: v.first, Head: Head{v.seq, v.hash}, Operations: v.operations}
	for seq, heads := range v.noted {
		if seq != 0 && seq < v.first-1 {
			found.Older += len(heads)
		}
	}
	return found, nil
}

// verifier follows the chain from its oldest entry on.
type verifier struct {
	noted      map[uint64][]Head
	seq        uint64 // the last entry read
	hash       hash
	first      uint64 // the first entry read
	base       hash   // what that one says came before it
	removed    Head   // what the newest cut says was removed
	id         uint64 // the last operation met
	operations int
}

func (v *verifier) breaks(seq uint64, format string, args ...any) error {
	return &BreakError{seq, fmt.Sprintf(format, args...)}
}

// read follows at most limit entries, and compares the ends when there are no more.
func (v *verifier) read(b books, limit int) (more bool, err error) {
	if b.entries == nil {
		return false, v.end(b)
	}
	c := b.entries.Cursor()
	for k, value := c.Seek(seqKey(v.seq + 1)); k != nil; k, value = c.Next() {
		if limit == 0 {
			return true, nil
		}
		limit--
		if len(k) != 8 {
			return false, v.breaks(v.seq+1, "it has a key that no entry has")
		}
		if err := v.link(b, binary.BigEndian.Uint64(k), value, hashOf(k, value)); err != nil {
			return false, err
		}
	}
	return false, v.end(b)
}

// link checks one entry.
func (v *verifier) link(b books, seq uint64, value []byte, sum hash) error {
	e, err := decodeEntry(value)
	if err != nil {
		return v.breaks(seq, "%v", err)
	}
	if v.first == 0 {
		v.first, v.base = seq, e.prev
	} else if seq != v.seq+1 {
		return v.breaks(v.seq+1, "it is missing; the next one is %d", seq)
	} else if e.prev != v.hash {
		// What comes after it tells which of the two is still as it was.
		if next, known := b.follows(seq); known && next == sum {
			return v.breaks(v.seq, "it was changed: entry %d tells what it was", seq)
		}
		return v.breaks(seq, "it was changed: it does not follow from entry %d", v.seq)
	}
	if err := v.compare(seq, sum); err != nil {
		return err
	}
	v.seq, v.hash = seq, sum
	switch e.kind {
	case intent, event:
		return v.operation(b, seq, e)
	case outcome:
		switch {
		case e.op < v.first: // the operation it belongs to was removed by retention
		case e.op >= seq || !b.begins(e.op):
			return v.breaks(seq, "it is the outcome of operation %d, which is not in the log", e.op)
		case b.ended(e.op) < seq:
			return v.breaks(seq, "it is the outcome of operation %d, which is listed with another one", e.op)
		}
	case cut:
		v.removed = Head{Seq: e.op}
		h, err := hex.DecodeString(e.detail)
		if err != nil || len(h) != len(v.removed.Hash) {
			return v.breaks(seq, "it does not tell what retention removed")
		}
		copy(v.removed.Hash[:], h)
	}
	return nil
}

// compare holds an entry against the heads that were noted.
func (v *verifier) compare(seq uint64, sum hash) error {
	for _, h := range v.noted[seq] {
		if h.Hash != sum {
			return v.breaks(seq, "it is not the one that was noted as %s", h)
		}
	}
	return nil
}

// operation checks that operation id, whose first entry is e, is listed as the chain tells it.
func (v *verifier) operation(b books, id uint64, e entry) error {
	if k, value := b.state.Cursor().Seek(seqKey(v.id + 1)); k != nil && bytes.Compare(k, seqKey(id)) <= 0 {
		if !bytes.Equal(k, seqKey(id)) {
			return v.breaks(binary.BigEndian.Uint64(append(k[:len(k):len(k)], make([]byte, 8)...)), "an operation is listed that has no entry")
		}
		if err := v.outcome(b, id, e.kind, value); err != nil {
			return err
		}
	}
	v.id = id
	op, err := b.operation(id)
	if err != nil {
		return v.breaks(id, "%v", err)
	}
	v.operations++
	missing := func(key string) error {
		return v.breaks(id, "its operation is missing from the list of %s", strings.TrimRight(key, "\x00"))
	}
	for _, key := range []string{indexKey("logType", op.LogType), indexKey("retStatus", string(op.RetStatus))} {
		if b.index.Get(idKey(key, id)) == nil {
			return missing(key)
		}
	}
	if op.LogStatus == New && !b.unseen(id) {
		return missing(isNew)
	}
	return nil
}

// outcome checks what is listed as the outcome of operation id, which began with an entry of kind k.
func (v *verifier) outcome(b books, id uint64, k kind, value []byte) error {
	if len(value) != 8 {
		return v.breaks(id, "its operation is listed without its outcome")
	}
	switch end := binary.BigEndian.Uint64(value); {
	case end == 0 && k == intent, end == id && k == event: // as older programs wrote it
	case end == 0 || end == id:
		return v.breaks(id, "its operation is listed with a wrong outcome")
	default:
		if last, err := b.entry(end); err != nil || last.kind != outcome || last.op != id {
			return v.breaks(id, "its operation is listed with the outcome of another one")
		}
	}
	return nil
}

// end checks what can only be known when the whole chain has been read.
func (v *verifier) end(b books) error {
	for seq, heads := range v.noted {
		if seq > v.seq {
			return v.breaks(v.seq+1, "it is missing; the log was noted to go on to %d, as %s", seq, heads[0])
		}
	}
	if b.entries == nil {
		return nil
	}
	if seq := b.entries.Sequence(); seq != v.seq {
		return v.breaks(v.seq+1, "it is missing; the log went on to %d", seq)
	}
	if k, _ := b.state.Cursor().Seek(seqKey(v.id + 1)); k != nil {
		return v.breaks(v.seq, "an operation is listed that has no entry")
	}
	if head, known := b.head(); known && head != (Head{v.seq, v.hash}) {
		return v.breaks(v.seq, "it was changed: the log ended with %s", head)
	}
	switch {
	case v.first == 1 && v.base != hash{}:
		return v.breaks(v.first, "it is not the first one")
	case v.first > 1 && (v.removed.Seq != v.first-1 || v.removed.Hash != v.base):
		return v.breaks(v.first-1, "what came before entry %d is missing, and was not removed by retention", v.first)
	}
	if v.first > 1 {
		if err := v.compare(v.first-1, v.base); err != nil {
			return err
		}
	}
	if v.operations != b.counted(inAll) {
		return v.breaks(v.seq, "%d operations are counted, but there are %d", b.counted(inAll), v.operations)
	}
	return nil
}
