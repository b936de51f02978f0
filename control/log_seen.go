package control

import (
	"bytes"
	"slices"
)

// Who has seen what is kept in the index, so that to mark all as seen costs the same however many there are:
//
//	logStatus=new NUL id   → nothing, for what begins and has to be looked at
//	logStatus=seen NUL id  → who marked this one; nobody, where it need not be looked at
//	allSeen NUL id         → who marked all up to this id: from then on it does not count whether they are under logStatus=new
//	newAgain NUL id        → nothing, for what has become new after all up to it were marked, as its outcome came later
//
// The count of logStatus=new is of what is new now. All else is seen.
var (
	isNew    = indexKey("logStatus", string(New))
	isSeen   = indexKey("logStatus", string(Seen))
	allSeen  = indexKey("allSeen", "")
	newAgain = indexKey("newAgain", "")
)

// Seen marks the operations of ids as seen by an account, or all that there are. Ids that are not in the log, or are seen
// already, are passed over. It returns how many are still unseen.
func (l *Log) Seen(ids []string, all bool, by string) (int, error) {
	var chosen []uint64
	for _, id := range ids {
		if n, err := parseID(id); err == nil {
			chosen = append(chosen, n)
		}
	}
	slices.Sort(chosen)
	by = oneLine(by, maxName)
	err := l.write(func(b books) ([]uint64, error) {
		if all {
			return nil, b.markAll(by)
		}
		for _, id := range chosen {
			if !b.unseen(id) {
				continue
			}
			if err := b.mark(id, true, by); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	return l.Unseen(), unwritten(err)
}

// covered tells who marked id with all up to some later one.
func (b books) covered(id uint64) (by string, covered bool) {
	k, v := b.index.Cursor().Seek(idKey(allSeen, id))
	return string(v), bytes.HasPrefix(k, []byte(allSeen))
}

// newKey is where id is while it is new.
func (b books) newKey(id uint64) []byte {
	if _, covered := b.covered(id); covered {
		return idKey(newAgain, id)
	}
	return idKey(isNew, id)
}

func (b books) unseen(id uint64) bool { return b.index.Get(b.newKey(id)) != nil }

// seenBy tells whether id has been seen, and who marked it.
func (b books) seenBy(id uint64) (string, bool) {
	if by := b.index.Get(idKey(isSeen, id)); by != nil {
		return string(by), true
	}
	by, covered := b.covered(id)
	if !covered || b.index.Get(idKey(newAgain, id)) != nil {
		return "", false
	}
	return by, true
}

// mark files id as seen or as new.
func (b books) mark(id uint64, seen bool, by string) error {
	if seen {
		if err := b.notNew(id); err != nil {
			return err
		}
		return b.index.Put(idKey(isSeen, id), []byte(by))
	}
	if !b.unseen(id) {
		if err := b.add1(isNew, 1); err != nil {
			return err
		}
	}
	if err := b.index.Put(b.newKey(id), nil); err != nil {
		return err
	}
	return b.index.Delete(idKey(isSeen, id))
}

// notNew takes id out of what is new, where it is.
func (b books) notNew(id uint64) error {
	if !b.unseen(id) {
		return nil
	}
	if err := b.add1(isNew, -1); err != nil {
		return err
	}
	return b.index.Delete(b.newKey(id))
}

// markAll files all as seen. It writes those one by one that have become new again, of which there are no more than ran
// when all were marked before.
func (b books) markAll(by string) error {
	for {
		again := b.belowIn(b.index.Cursor(), newAgain, nil)(newest)
		if again == 0 {
			break
		}
		if err := b.mark(again, true, by); err != nil {
			return err
		}
	}
	if b.counted(isNew) == 0 {
		return nil
	}
	upTo := b.seenUpTo()
	if last, _ := b.covered(upTo); upTo != 0 && last == by { // one mark serves for both
		if err := b.index.Delete(idKey(allSeen, upTo)); err != nil {
			return err
		}
	}
	last := b.begunBelow()(newest)
	if err := b.index.Put(idKey(allSeen, last), []byte(by)); err != nil {
		return err
	}
	return b.add1(isNew, -b.counted(isNew))
}

// unmark takes out what is kept of id, the oldest that there is.
func (b books) unmark(id uint64) error {
	if err := b.notNew(id); err != nil {
		return err
	}
	for _, key := range []string{isNew, isSeen, allSeen} {
		if err := b.index.Delete(idKey(key, id)); err != nil {
			return err
		}
	}
	return nil
}

// seenUpTo is the newest id up to which all were marked; 0 when they never were.
func (b books) seenUpTo() uint64 { return b.belowIn(b.index.Cursor(), allSeen, nil)(newest) }

// belowMarked gives the largest id below another one of those that are new, or seen. Above seenUpTo they are listed; up to there only
// what has become new again is.
func (b books) belowMarked(key string) func(uint64) uint64 {
	upTo := b.seenUpTo()
	listed, again, all := b.belowIn(b.index.Cursor(), key, nil), b.belowIn(b.index.Cursor(), newAgain, nil), b.begunBelow()
	return func(before uint64) uint64 {
		if before > upTo+1 {
			if id := listed(before); id > upTo {
				return id
			}
			before = upTo + 1
		}
		if key == isNew {
			return again(before)
		}
		id := all(before)
		for id != 0 && b.unseen(id) {
			id = all(id)
		}
		return id
	}
}
