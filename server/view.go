package server

import (
	"math/bits"
	"slices"
	"sync/atomic"

	"topdeck/collector"
)

// maxRows is how many rows a list or a view shows at most.
const maxRows = 20_000

// selection is what a request makes of the rows of one type: which, in what order, and how many.
type selection[Row any, Key comparable] struct {
	*rowType[Row, Key]
	query      *query[Row]
	sort       string // canonical name of a field; empty for the rows' own order
	order      func(a, b *Row) int
	descending bool
	limit      int
}

// arguments are those of a list or of a watch, as the client gave them.
type arguments struct {
	q, sort, order string
	limit          int
}

// selectRows reads the arguments of a request. Errors are *Error of code invalid.
func selectRows[Row any, Key comparable](rows *rowType[Row, Key], a arguments) (*selection[Row, Key], error) {
	s := &selection[Row, Key]{rowType: rows, order: rows.compare, limit: a.limit}
	var err error
	if s.query, err = compileQuery(a.q, rows.fields); err != nil {
		return nil, err
	}
	if a.sort != "" {
		f := findField(rows.fields, a.sort)
		if f == nil {
			return nil, refuse(codeInvalid, "cannot sort by %q: the fields here are %s", shorten(a.sort), fieldNames(rows.fields))
		}
		s.sort, s.order, s.descending = f.name, f.compare, f.descending
	}
	switch a.order {
	case "":
	case "asc", "desc":
		s.descending = a.order == "desc"
	default:
		return nil, refuse(codeInvalid, "order must be asc or desc")
	}
	if a.limit < 0 {
		return nil, refuse(codeInvalid, "limit must not be negative")
	}
	if a.limit == 0 || a.limit > maxRows {
		s.limit = maxRows
	}
	return s, nil
}

// pick gives the rows to show, in the order in which they came, and how many meet the query.
func (s *selection[Row, Key]) pick(rows []*Row) (shown []*Row, matched int) {
	shown = make([]*Row, 0, len(rows))
	for _, row := range rows {
		if s.query.matches(row) {
			shown = append(shown, row)
		}
	}
	matched = len(shown)
	shown, _ = s.cut(shown, nil)
	return shown, matched
}

// cut leaves the first rows of the sort order, as many as are to be shown, in the order in which they came, and tells a row behind which none of
// them sorts, and before which none of the others (nil when all are shown). They are not sorted for that: of 100,000 rows, to find the last that is shown takes 10 ms, and
// to sort them 90. It is searched for on one side only of the one told before, and not at all where that still holds.
func (s *selection[Row, Key]) cut(rows []*Row, before *Row) (shown []*Row, last *Row) {
	if len(rows) <= s.limit {
		return rows, nil
	}
	upTo, beyond := make([]*Row, 0, s.limit), make([]*Row, 0, len(rows)-s.limit)
	for _, row := range rows {
		if before != nil && s.compareSorted(row, before) <= 0 {
			upTo = append(upTo, row)
		} else {
			beyond = append(beyond, row)
		}
	}
	switch n := len(upTo); {
	case n == s.limit:
		return upTo, before
	case n > s.limit:
		last = nth(upTo, s.limit-1, s.compareSorted)
	default:
		last = nth(beyond, s.limit-n-1, s.compareSorted)
	}
	shown = make([]*Row, 0, s.limit)
	for _, row := range rows {
		if s.compareSorted(row, last) <= 0 {
			shown = append(shown, row)
		}
	}
	return shown, last
}

// arrange sorts rows in place.
func (s *selection[Row, Key]) arrange(rows []*Row) { slices.SortFunc(rows, s.compareSorted) }

// compareSorted is the sort order. Among equals the rows' own order decides, whichever way the sort goes.
func (s *selection[Row, Key]) compareSorted(a, b *Row) int {
	c := s.order(a, b)
	if s.descending {
		c = -c
	}
	if c == 0 {
		c = s.compare(a, b)
	}
	return c
}

// nth gives what would be list[n] if list were sorted; it changes the order of list.
func nth[T any](list []T, n int, compare func(a, b T) int) T {
	for rounds := 3 * bits.Len(uint(len(list))); len(list) > 16 && rounds > 0; rounds-- { // more than that are bad luck, or bad will
		last := len(list) - 1
		pivot := medianOf(list, 0, last/2, last, compare)
		list[pivot], list[last] = list[last], list[pivot]
		less := 0
		for i := range last {
			if compare(list[i], list[last]) < 0 {
				list[i], list[less] = list[less], list[i]
				less++
			}
		}
		list[less], list[last] = list[last], list[less]
		switch {
		case n == less:
			return list[n]
		case n < less:
			list = list[:less]
		default:
			list, n = list[less+1:], n-less-1
		}
	}
	slices.SortFunc(list, compare)
	return list[n]
}

// medianOf gives which of three elements lies between the others.
func medianOf[T any](list []T, a, b, c int, compare func(a, b T) int) int {
	if compare(list[a], list[b]) > 0 {
		a, b = b, a
	}
	switch {
	case compare(list[b], list[c]) <= 0:
		return b
	case compare(list[a], list[c]) <= 0:
		return c
	}
	return a
}

// viewState is what a view is at one time. It is immutable; its snapshot is encoded when the first client needs it.
type viewState struct {
	seq      uint64
	delta    *message // leads from seq-1 to seq; nil where only a snapshot does
	snapshot func() *message
}

// after is what a client needs that was last sent seq (0: nothing yet); nil when that is all there is.
func (s *viewState) after(seq uint64) *message {
	switch {
	case s == nil || s.seq == seq:
		return nil
	case s.delta != nil && s.seq == seq+1 && seq > 0:
		return s.delta
	}
	return s.snapshot()
}

// view is one topic with one set of arguments and one visibility. All clients that ask for the same share it.
type view struct {
	by      string // the account whose client was the first to watch it
	id      uint64
	topic   string
	name    string          // says all three
	parts   collector.Parts // that it needs; collected while the view lives
	release func()          // ends their collection
	stream  stream          // of an event topic, which has no content
	content content
	state   atomic.Pointer[viewState]  // nil until there is something to show
	clients map[*liveClient]*following // what each has of it; guarded by the hub
}

// content makes the states of a view from what the hub gets. Only one call runs at a time.
type content interface {
	// next makes the state seq of view id; nil when t holds nothing for it.
	next(id, seq uint64, t *tick) (*viewState, error)
}

// advance makes the view's next state, if t has one for it.
func (v *view) advance(t *tick) error {
	seq := uint64(1)
	if state := v.state.Load(); state != nil {
		seq = state.seq + 1
	}
	state, err := v.content.next(v.id, seq, t)
	if state != nil {
		v.state.Store(state)
	}
	return err
}

// summaryContent is the topic summary: each state is whole.
type summaryContent struct{ services ServiceLister }

func (c summaryContent) next(id, seq uint64, t *tick) (*viewState, error) {
	if t.sample == nil || !t.sample.Parts.Has(collector.PartTasks) && t.sample.Errors["tasks"] == "" {
		return nil, nil
	}
	m, err := newViewMessage(SummaryMessage{Type: "summary", View: id, Seq: seq, SummaryReply: newSummaryReply(t.sample, c.services)})
	if err != nil {
		return nil, err
	}
	return &viewState{seq: seq, snapshot: func() *message { return m }}, nil
}

// failedContent is the topic failed: each state is whole, and there is a new one when other services have failed than before.
type failedContent struct {
	services ServiceLister
	names    []string
}

func (c *failedContent) next(id, seq uint64, _ *tick) (*viewState, error) {
	names := c.services.Failed()
	if seq > 1 && slices.Equal(names, c.names) {
		return nil, nil
	}
	m, err := newViewMessage(FailedMessage{Type: "failed", View: id, Seq: seq, FailedServices: firstFailed(names, maxFailedTold)})
	if err != nil {
		return nil, err
	}
	c.names = slices.Clone(names)
	return &viewState{seq: seq, snapshot: func() *message { return m }}, nil
}
