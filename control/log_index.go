package control

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
)

// books are the log's buckets within one transaction.
//
//	entries  sequence → entry: the chain. It is only ever appended to, and cut at its old end by retention.
//	         The sequence of an operation's first entry is its id.
//	state    id → sequence of the newest entry that tells the outcome; only of operations whose first entry does not tell it.
//	         Older programs wrote it of all: 0 of one that runs, id of one that was over from its first entry on.
//	index    field=value NUL id → nothing; what is kept of who has seen what tells log_seen.go
//	count    field=value NUL → how many ids have it; all → how many operations there are; head → the newest
//	         entry's sequence and hash
//
// All but entries, and who has seen what, follow from the chain. head is there so that a change of the newest entry, which
// no other one holds the hash of, shows too.
type books struct {
	entries, state, index, count *bbolt.Bucket

	looks *int // counts how often ids looks for the next one, when a test asks
}

const logBucket = "operations"

// Keys that code asks for by name.
var (
	inAll     = "all"
	headKey   = []byte("head")
	isRunning = indexKey("retStatus", string(Running))
)

func indexKey(field, value string) string { return field + "=" + value + "\x00" }

// idKey is where id is under a key of the index.
func idKey(key string, id uint64) []byte { return append([]byte(key), seqKey(id)...) }

// makeBooks creates what is missing: all of it in a new file, head in one that an older program wrote.
func makeBooks(tx *bbolt.Tx) error {
	root, err := tx.CreateBucketIfNotExists([]byte(logBucket))
	for _, name := range []string{"entries", "state", "index", "count"} {
		if err == nil {
			_, err = root.CreateBucketIfNotExists([]byte(name))
		}
	}
	if err != nil {
		return err
	}
	b := openBooks(tx)
	if _, known := b.head(); known {
		return nil
	}
	return b.setHead(b.last())
}

// openBooks returns empty books where there is no log.
func openBooks(tx *bbolt.Tx) books {
	root := tx.Bucket([]byte(logBucket))
	if root == nil {
		return books{}
	}
	open := func(name string) *bbolt.Bucket {
		b := root.Bucket([]byte(name))
		b.FillPercent = 0.9 // keys rise, so pages are filled from their left and not touched again
		return b
	}
	return books{entries: open("entries"), state: open("state"), index: open("index"), count: open("count")}
}

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// last is the newest entry of the chain; the zero Head when there is none.
func (b books) last() Head {
	k, v := b.entries.Cursor().Last()
	if k == nil {
		return Head{}
	}
	return Head{binary.BigEndian.Uint64(k), hashOf(k, v)}
}

// head is the newest entry as it was when it was written; not known in the file of an older program.
func (b books) head() (h Head, known bool) {
	v := b.count.Get(headKey)
	if len(v) != 8+len(h.Hash) {
		return h, false
	}
	h.Seq = binary.BigEndian.Uint64(v)
	copy(h.Hash[:], v[8:])
	return h, true
}

func (b books) setHead(h Head) error {
	return b.count.Put(headKey, append(seqKey(h.Seq), h.Hash[:]...))
}

// follows is the hash that entry seq had when what follows it was written; not known after a gap.
func (b books) follows(seq uint64) (hash, bool) {
	if next, err := b.entry(seq + 1); err == nil {
		return next.prev, true
	}
	h, known := b.head()
	return h.Hash, known && h.Seq == seq
}

// add appends e to the chain.
func (b books) add(e entry) (uint64, error) {
	e.prev = b.last().Hash
	seq, err := b.entries.NextSequence()
	if err != nil {
		return 0, err
	}
	k, v := seqKey(seq), e.encode()
	if err := b.entries.Put(k, v); err != nil {
		return 0, err
	}
	return seq, b.setHead(Head{seq, hashOf(k, v)})
}

// entry reads one link of the chain.
func (b books) entry(seq uint64) (entry, error) {
	v := b.entries.Get(seqKey(seq))
	if v == nil {
		return entry{}, fmt.Errorf("cannot find entry %d of the operation log; `topdeck log verify` tells what is missing", seq)
	}
	e, err := decodeEntry(v)
	if err != nil {
		return entry{}, fmt.Errorf("cannot use entry %d of the operation log: %w; `topdeck log verify` tells more", seq, err)
	}
	return e, nil
}

func (b books) counted(key string) int {
	v := b.count.Get([]byte(key))
	if v == nil {
		return 0
	}
	return int(binary.BigEndian.Uint64(v))
}

func (b books) add1(key string, n int) error {
	return b.count.Put([]byte(key), seqKey(uint64(b.counted(key)+n)))
}

// file puts id, which is not there, into the index under key.
func (b books) file(key string, id uint64) error {
	if err := b.add1(key, 1); err != nil {
		return err
	}
	return b.index.Put(idKey(key, id), nil)
}

// unfile takes id out of the index, where it is there.
func (b books) unfile(key string, id uint64) error {
	k := idKey(key, id)
	if b.index.Get(k) == nil {
		return nil
	}
	if err := b.add1(key, -1); err != nil {
		return err
	}
	return b.index.Delete(k)
}

// begins tells whether an operation begins with entry id.
func (b books) begins(id uint64) bool { return begins(b.entries.Get(seqKey(id))) }

// ended is the sequence of the entry that tells the outcome of operation id; 0 where that is its first entry, or there is none yet.
func (b books) ended(id uint64) uint64 {
	v := b.state.Get(seqKey(id))
	if len(v) != 8 || binary.BigEndian.Uint64(v) == id {
		return 0
	}
	return binary.BigEndian.Uint64(v)
}

// find is operation for an id that may be of none: then it refuses.
func (b books) find(id uint64) (Operation, error) {
	if !b.begins(id) {
		return Operation{}, &failure{ErrNotFound, fmt.Sprintf("there is no operation %d in the log", id)}
	}
	return b.operation(id)
}

// operation puts together what the chain and the marks tell of id.
func (b books) operation(id uint64) (Operation, error) {
	first, err := b.entry(id)
	if err != nil {
		return Operation{}, err
	}
	end := first
	if seq := b.ended(id); seq != 0 {
		if end, err = b.entry(seq); err != nil {
			return Operation{}, err
		}
	}
	return makeOperation(id, first, end, b.seenBy), nil
}

func makeOperation(id uint64, first, end entry, seenBy func(uint64) (string, bool)) Operation {
	op := Operation{
		ID: formatID(id), LogTime: first.time, LogType: first.logType, Target: first.target, Actor: first.actor,
		Source: first.source, RetStatus: end.retStatus, Message: end.message, Detail: end.detail,
		ExitCode: end.exitCode, Duration: end.duration, LogStatus: New,
	}
	if op.Message == "" {
		op.Message = first.message
	}
	if op.Detail == "" {
		op.Detail = first.detail
	}
	if by, seen := seenBy(id); seen {
		op.LogStatus, op.SeenBy = Seen, by
	}
	return op
}

// begin files a new operation, whose first entry is e.
func (b books) begin(e entry) (uint64, error) {
	id, err := b.add(e)
	if err != nil {
		return 0, err
	}
	for _, do := range []func() error{
		func() error { return b.add1(inAll, 1) },
		func() error { return b.file(indexKey("logType", e.logType), id) },
		func() error { return b.file(indexKey("retStatus", string(e.retStatus)), id) },
		func() error {
			if e.seen && e.retStatus != Failed {
				return b.index.Put(idKey(isSeen, id), []byte{}) // what is nil is not there before the commit
			}
			return b.file(isNew, id)
		},
	} {
		if err := do(); err != nil {
			return 0, err
		}
	}
	return id, nil
}

// finish files the outcome e of operation e.op, which runs.
func (b books) finish(e entry) error {
	before, err := b.find(e.op)
	if err != nil {
		return err
	}
	if before.RetStatus != Running {
		return &failure{ErrConflict, fmt.Sprintf("operation %d has already ended: %s", e.op, before.RetStatus)}
	}
	return b.tell(e, before)
}

// retell files the outcome e of operation e.op in place of the one before: of a sum, which alone may be told anew.
func (b books) retell(e entry) error {
	before, err := b.find(e.op)
	if err != nil {
		return err
	}
	return b.tell(e, before)
}

// tell files e as what is told of an operation that was told as before until now. That is new, whoever saw the operation before.
func (b books) tell(e entry, before Operation) error {
	first, err := b.entry(e.op)
	if err != nil {
		return err
	}
	seq, err := b.add(e)
	if err != nil {
		return err
	}
	if err := b.state.Put(seqKey(e.op), seqKey(seq)); err != nil {
		return err
	}
	if err := b.unfile(indexKey("retStatus", string(before.RetStatus)), e.op); err != nil {
		return err
	}
	if err := b.file(indexKey("retStatus", string(e.retStatus)), e.op); err != nil {
		return err
	}
	if first.seen && e.retStatus == Succeeded {
		return nil
	}
	return b.mark(e.op, false, "")
}

// remove takes everything of id out of the books, except for its entries.
func (b books) remove(id uint64) error {
	op, err := b.operation(id)
	if err != nil {
		return err
	}
	for _, key := range []string{indexKey("logType", op.LogType), indexKey("retStatus", string(op.RetStatus))} {
		if err := b.unfile(key, id); err != nil {
			return err
		}
	}
	if err := b.unmark(id); err != nil {
		return err
	}
	if err := b.add1(inAll, -1); err != nil {
		return err
	}
	return b.state.Delete(seqKey(id))
}
