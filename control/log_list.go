package control

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"go.etcd.io/bbolt"
)

// Filter chooses operations; its empty fields choose all. Match sees only what the other fields let through; it is called
// outside of any transaction and lock.
type Filter struct {
	LogType, RetStatus, LogStatus string
	Before                        string // an id: older ones only
	Limit                         int    // at most maxPage; 0: 50
	Match                         func(*Operation) bool
}

const (
	defaultPage = 50
	maxPage     = 1000
	// maxCounted is how many operations beyond the end of a page are looked at for its Total.
	maxCounted = 200_000
	// scanChunk is how many operations are read in one transaction.
	scanChunk = 1000
	// maxSearches is how many searches run at once.
	maxSearches = 2
)

// Page is a part of the log, newest first.
type Page struct {
	Operations []Operation // never nil
	Next       string      // Before of the page after; empty at the end
	// Total is how many operations the filter matches, Before and Limit aside. It comes from a counter where at most one
	// field is set; else it is counted, and is AtLeast when there were too many to look at.
	Total   int
	AtLeast bool
}

// Get reads one operation.
func (l *Log) Get(id string) (op Operation, err error) {
	n, err := parseID(id)
	if err != nil {
		return op, err
	}
	err = viewBooks(l.db, func(b books) error {
		op, err = b.find(n)
		return err
	})
	return op, err
}

// Unseen is the number of operations that nobody has looked at.
func (l *Log) Unseen() int { return int(l.unseen.Load()) }

// List reads one page. The cost of a page by one field or by none does not depend on the size of the log. Any other filter
// looks at one operation after the other, until the page is full and its total counted, or ctx ends: at its deadline the
// page is what was found so far, AtLeast, and Next goes on from there. Few such searches run at once: ErrTooMany.
func (l *Log) List(ctx context.Context, f Filter) (Page, error) {
	page := Page{Operations: []Operation{}}
	before := uint64(math.MaxUint64)
	if f.Before != "" {
		n, err := parseID(f.Before)
		if err != nil {
			return page, &failure{ErrInvalid, fmt.Sprintf("cannot read before=%q: it must be the id of an operation", shorten(f.Before, 40))}
		}
		before = n
	}
	limit := f.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, maxPage)
	streams := f.streams()
	if len(streams) <= 1 && f.Match == nil {
		return page, viewBooks(l.db, func(b books) error { return b.page(&page, streams, before, limit) })
	}
	select {
	case l.searches <- struct{}{}:
		defer func() { <-l.searches }()
	case <-ctx.Done():
		return page, &failure{ErrTooMany, "cannot search the log now: others do; try again"}
	}
	return page, l.search(ctx, &page, streams, before, limit, f.Match)
}

// streams are the prefixes in the index that f asks for.
func (f *Filter) streams() (keys []string) {
	for _, s := range [][2]string{{"logType", f.LogType}, {"retStatus", f.RetStatus}, {"logStatus", f.LogStatus}} {
		if s[1] != "" {
			keys = append(keys, indexKey(s[0], s[1]))
		}
	}
	return keys
}

// page fills in a page of one stream or of all.
func (b books) page(page *Page, streams []string, before uint64, limit int) error {
	ids, more := b.ids(streams, before, limit)
	for _, id := range ids {
		op, err := b.operation(id)
		if err != nil {
			return err
		}
		page.Operations = append(page.Operations, op)
	}
	if more {
		page.Next = formatID(ids[len(ids)-1])
	}
	key := inAll
	if len(streams) == 1 {
		key = streams[0]
	}
	page.Total = b.counted(key)
	if key == isSeen {
		page.Total = b.counted(inAll) - b.counted(isNew)
	}
	return nil
}

// search fills in a page by looking at one operation after the other: from before down, which the page needs, and then from
// the newest down to there, which only its total does.
func (l *Log) search(ctx context.Context, page *Page, streams []string, before uint64, limit int, match func(*Operation) bool) error {
	err := l.scan(ctx, page, streams, before, 0, limit, match)
	if err == nil && before != newest && !page.AtLeast {
		err = l.scan(ctx, page, streams, newest, before, limit, match)
	}
	return err
}

// scan looks at the operations below from, down to the id to, and counts them; those of the page it puts there unless it
// is full, or to is set.
func (l *Log) scan(ctx context.Context, page *Page, streams []string, from, to uint64, limit int, match func(*Operation) bool) error {
	wanted := func() bool { return to == 0 && page.Next == "" }
	// stop ends the scan with the operation at looked at, so that the next page goes on from what was not.
	stop := func(at uint64) {
		page.AtLeast = true
		switch {
		case !wanted():
		case len(page.Operations) == limit:
			page.Next = page.Operations[limit-1].ID
		default:
			page.Next = formatID(at)
		}
	}
	beyond := 0
	for at, more := from, true; more; {
		if beyond >= l.maxCounted {
			stop(at)
			return nil
		}
		var ops []Operation
		var ids []uint64
		err := viewBooks(l.db, func(b books) error {
			ids, more = b.ids(streams, at, scanChunk)
			for i, id := range ids {
				if id < to {
					ids, more = ids[:i], false
					break
				}
				// Without match only those on the page need be read.
				if match == nil && (!wanted() || len(ops) > limit) {
					continue
				}
				op, err := b.operation(id)
				if err != nil {
					return err
				}
				ops = append(ops, op)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if len(ids) > 0 {
			at = ids[len(ids)-1]
		}
		if match == nil {
			page.Total += len(ids)
		}
		for i := range ops {
			if match != nil {
				if !match(&ops[i]) {
					continue
				}
				page.Total++
			}
			switch {
			case !wanted():
			case len(page.Operations) < limit:
				page.Operations = append(page.Operations, ops[i])
			default:
				page.Next = page.Operations[limit-1].ID
			}
		}
		if !wanted() || len(page.Operations) == limit {
			beyond += len(ids)
		}
		if err := ctx.Err(); err != nil && more {
			if !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			stop(at)
			return nil
		}
	}
	return nil
}

// newest is above every id.
const newest = uint64(math.MaxUint64)

// ids are at most limit ids below before that are in every one of streams (in the log, when there is none), falling. more
// tells whether there are others below them.
func (b books) ids(streams []string, before uint64, limit int) (ids []uint64, more bool) {
	var below []func(uint64) uint64
	for _, s := range streams {
		below = append(below, b.below(s))
	}
	if len(streams) == 0 {
		below = append(below, b.begunBelow())
	}
	for {
		// Each stream in turn falls to the lowest place that any of them is at; where all are at one place, that is an id.
		at := below[0](before)
		for agreed := 1; at != 0 && agreed < len(below); {
			agreed = 0
			for _, f := range below {
				if found := f(at + 1); found == at {
					agreed++
				} else {
					at, agreed = found, 0
					break
				}
			}
		}
		switch {
		case at == 0:
			return ids, false
		case len(ids) == limit:
			return ids, true
		}
		ids = append(ids, at)
		before = at
	}
}

// below gives the largest id below another one of those that the index has under key.
func (b books) below(key string) func(uint64) uint64 {
	switch key {
	case isNew, isSeen:
		return b.belowMarked(key)
	}
	return b.belowIn(b.index.Cursor(), key, nil)
}

// begunBelow gives the largest id below another number; 0 when there is none.
func (b books) begunBelow() func(uint64) uint64 { return b.belowIn(b.entries.Cursor(), "", begins) }

// belowIn gives the largest id below another one among the keys that start with prefix, of those whose value is wanted (nil: all are); 0 when there
// is none.
func (b books) belowIn(c *bbolt.Cursor, prefix string, wanted func(value []byte) bool) func(uint64) uint64 {
	last := uint64(0) // where c is
	return func(before uint64) uint64 {
		if b.looks != nil {
			*b.looks++
		}
		var k, v []byte
		if before == last && last != 0 {
			k, v = c.Prev()
		} else {
			if k, v = c.Seek(idKey(prefix, before)); k == nil {
				k, v = c.Last()
			}
			for k != nil && bytes.Compare(k, idKey(prefix, before)) >= 0 {
				k, v = c.Prev()
			}
		}
		here := func() bool { return len(k) == len(prefix)+8 && string(k[:len(prefix)]) == prefix }
		for wanted != nil && here() && !wanted(v) {
			k, v = c.Prev()
		}
		if last = 0; here() {
			last = binary.BigEndian.Uint64(k[len(prefix):])
		}
		return last
	}
}

// Walk calls f for every operation there is when it gets to it, from the oldest on or from the newest, until f returns an
// error, which it returns. No transaction is open while f runs, so f may take its time.
func (l *Log) Walk(ctx context.Context, oldestFirst bool, f func(*Operation) error) error {
	at, more := newest, true
	if oldestFirst {
		at = 0
	}
	for more {
		if err := ctx.Err(); err != nil {
			return err
		}
		var ops []Operation
		err := viewBooks(l.db, func(b books) error {
			var ids []uint64
			if oldestFirst {
				ids, more = b.idsAfter(at, scanChunk)
			} else {
				ids, more = b.ids(nil, at, scanChunk)
			}
			for _, id := range ids {
				op, err := b.operation(id)
				if err != nil {
					return err
				}
				ops = append(ops, op)
				at = id
			}
			return nil
		})
		if err != nil {
			return err
		}
		for i := range ops {
			if err := f(&ops[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// idsAfter are at most limit ids above after, rising.
func (b books) idsAfter(after uint64, limit int) (ids []uint64, more bool) {
	c := b.entries.Cursor()
	for k, v := c.Seek(seqKey(after + 1)); k != nil; k, v = c.Next() {
		if !begins(v) {
			continue
		}
		if len(ids) == limit {
			return ids, true
		}
		ids = append(ids, binary.BigEndian.Uint64(k))
	}
	return ids, false
}
