package server

import (
	"log/slog"
	"slices"
	"sync"
	"time"
)

// At 100,000 sockets the kernel tells them all in 100 ms of CPU; sorting them and looking each up by its key, as a view once did at each
// tick, took as long again four times over. The collector hands on the same row as long as nothing of it changes, so most rows are told
// from the last state's by their addresses alone, in their order; only the others are matched, compared and looked up.

// frame is what a list topic shows at one time. Its rows are shared and must not be changed.
type frame[Row any] struct {
	time   time.Time
	rows   []*Row // no two have the same key; one that has not changed may have the address that it had in the frame before
	ended  []endedRow[Row]
	errors map[string]string
}

type endedRow[Row any] struct {
	row              Row
	exitCode, signal *int
	lived            time.Duration
	listed           bool // was among the rows of a frame
}

// listContent is a topic of rows: each state is a delta to the one before, and a snapshot for whoever missed that.
type listContent[Row any, Key comparable] struct {
	*selection[Row, Key]
	logger *slog.Logger
	source func(*tick) *frame[Row] // nil when the tick has no such rows

	all  []*Row // of the last state
	met  []bool // which of them met the query
	rows []*Row // those of them that it shows, in the same order
	last *Row   // what cut told
}

func (c *listContent[Row, Key]) next(id, seq uint64, t *tick) (*viewState, error) {
	in := c.source(t)
	if in == nil {
		return nil, nil
	}
	all := in.rows
	if all == nil && len(in.errors) > 0 {
		all = c.all // they could not be read this time; the error tells why
	}
	met := c.match(all)
	matched := len(met)
	rows, last := c.cut(met, c.last)
	upsert, remove, removed := c.differ(rows)
	state := &viewState{seq: seq}
	if seq > 1 {
		delta, err := newViewMessage(deltaOf[Row]{DeltaMessage[*Row]{Type: "delta", View: id, Seq: seq, Time: in.time, Total: len(all), Matched: matched,
			Upsert: upsert, Remove: remove, Ended: c.ended(in.ended, rows, removed), Errors: in.errors}, c.append})
		if err != nil {
			return nil, err
		}
		state.delta = delta
	}
	state.snapshot = sync.OnceValue(func() *message {
		sorted := slices.Clone(rows)
		c.arrange(sorted)
		m, err := newViewMessage(snapshotOf[Row]{SnapshotMessage[*Row]{Type: "snapshot", View: id, Seq: seq, Time: in.time, Total: len(all), Matched: matched,
			Rows: sorted, Errors: in.errors}, c.append})
		if err != nil {
			c.logger.Error("cannot encode a snapshot", "error", err)
			return nil
		}
		return m
	})
	c.all, c.rows, c.last = all, rows, last
	return state, nil
}

// match gives the rows that meet the query. Those of the last state need not be asked again.
func (c *listContent[Row, Key]) match(all []*Row) []*Row {
	met := make([]bool, len(all))
	rows := make([]*Row, 0, len(all))
	align(c.all, all, func(i, j int) {
		if j >= 0 {
			met[i] = c.met[j]
		} else {
			met[i] = c.query.matches(all[i])
		}
		if met[i] {
			rows = append(rows, all[i])
		}
	})
	c.met = met
	return rows
}

// differ tells what leads from the rows of the last state to these.
func (c *listContent[Row, Key]) differ(rows []*Row) (upsert []*Row, remove []string, removed map[Key]bool) {
	var others, left []*Row
	next := 0
	align(c.rows, rows, func(i, j int) {
		if j < 0 {
			others = append(others, rows[i])
			return
		}
		left = append(left, c.rows[next:j]...)
		next = j + 1
	})
	left = append(left, c.rows[next:]...)

	old := make(map[Key]*Row, len(left))
	for _, row := range left {
		old[c.key(row)] = row
	}
	upsert, remove, removed = []*Row{}, []string{}, map[Key]bool{}
	for _, row := range others {
		key := c.key(row)
		if before := old[key]; before == nil || before != row && !c.equal(before, row) {
			upsert = append(upsert, row)
		}
		delete(old, key)
	}
	for _, row := range left {
		if key := c.key(row); old[key] != nil {
			remove = append(remove, c.keyText(key))
			removed[key] = true
		}
	}
	return upsert, remove, removed
}

// ended tells how rows ended that the view showed until now, and those that it would have shown had they lived long enough to
// be in a sample.
func (c *listContent[Row, Key]) ended(ended []endedRow[Row], rows []*Row, removed map[Key]bool) []EndedRow[*Row] {
	told := []EndedRow[*Row]{}
	if len(ended) == 0 {
		return told
	}
	shown := make(map[Key]bool, len(ended))
	for i := range ended {
		shown[c.key(&ended[i].row)] = false
	}
	for _, row := range rows {
		key := c.key(row)
		if _, one := shown[key]; one {
			shown[key] = true
		}
	}
	for i := range ended {
		e := &ended[i]
		key := c.key(&e.row)
		if shown[key] {
			continue
		}
		out := EndedRow[*Row]{Key: c.keyText(key), ExitCode: e.exitCode, Signal: e.signal, Lived: e.lived.Seconds()}
		if !removed[key] {
			if e.listed || !c.query.matches(&e.row) {
				continue
			}
			out.Row = new(&e.row)
		}
		told = append(told, out)
	}
	return told
}

// alignReach is how many rows that came or went in one place are noticed as such. Where there are more, the rows that follow are
// looked up this once, which costs time and nothing else.
const alignReach = 16

// align calls each for all elements of after, in their order, with the index of the same element in before, ascending, or -1 where it
// finds none.
func align[T comparable](before, after []T, each func(i, j int)) {
	j := 0
	for i := 0; i < len(after); i++ {
		if j < len(before) && before[j] == after[i] {
			each(i, j)
			j++
			continue
		}
		gone, come := 0, 0
		for n := 1; n <= alignReach && gone == 0 && come == 0; n++ {
			switch {
			case j+n < len(before) && before[j+n] == after[i]:
				gone = n
			case j < len(before) && i+n < len(after) && before[j] == after[i+n]:
				come = n
			}
		}
		switch {
		case gone > 0:
			each(i, j+gone)
			j += gone + 1
		case come > 0:
			each(i, -1) // and before[j] is met later
		default:
			each(i, -1)
			j++ // in its place
		}
	}
}
