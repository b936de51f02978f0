package server

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fasthttp/websocket"

	"topdeck/collector"
)

// maxRows is how many rows a list or a view shows at most.
const maxRows = 20_000

// message is one encoded live message. Whoever writes it sends the same bytes, framed and compressed once for all.
type message struct {
	data    []byte
	prepare func() (*websocket.PreparedMessage, error)
}

func newMessage(v any) (*message, error) {
	data, err := encode(v)
	if err != nil {
		return nil, err
	}
	return &message{data: data, prepare: sync.OnceValues(func() (*websocket.PreparedMessage, error) {
		return websocket.NewPreparedMessage(websocket.TextMessage, data)
	})}, nil
}

// encode writes JSON that is never part of a page: < > & stay as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

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

// pick gives the rows to show, sorted only where that decides which, and how many meet the query.
func (s *selection[Row, Key]) pick(rows []*Row) (shown []*Row, matched int) {
	shown = make([]*Row, 0, min(len(rows), maxRows))
	for _, row := range rows {
		if s.query.matches(row) {
			shown = append(shown, row)
		}
	}
	matched = len(shown)
	if matched > s.limit {
		s.arrange(shown)
		shown = shown[:s.limit]
	}
	return shown, matched
}

// arrange sorts rows in place. Among equals the rows' own order decides, whichever way the sort goes.
func (s *selection[Row, Key]) arrange(rows []*Row) {
	slices.SortFunc(rows, func(a, b *Row) int {
		c := s.order(a, b)
		if s.descending {
			c = -c
		}
		if c == 0 {
			c = s.compare(a, b)
		}
		return c
	})
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
	id      uint64
	topic   string
	name    string          // says all three
	parts   collector.Parts // that it needs; collected while the view lives
	release func()          // ends their collection
	stream  stream          // of an event topic, which has no content
	content content
	state   atomic.Pointer[viewState] // nil until there is something to show
	clients map[*liveClient]struct{}  // guarded by the hub
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
type summaryContent struct{}

func (summaryContent) next(id, seq uint64, t *tick) (*viewState, error) {
	if t.sample == nil || !t.sample.Parts.Has(collector.PartTasks) && t.sample.Errors["tasks"] == "" {
		return nil, nil
	}
	m, err := newMessage(SummaryMessage{Type: "summary", View: id, Seq: seq, Summary: t.sample.Summary})
	if err != nil {
		return nil, err
	}
	return &viewState{seq: seq, snapshot: func() *message { return m }}, nil
}

// frame is what a list topic shows at one time. Its rows are shared and must not be changed.
type frame[Row any] struct {
	time   time.Time
	rows   []*Row // a row that has not changed may have the address that it had in the frame before
	ended  []endedRow[Row]
	errors map[string]string
}

type endedRow[Row any] struct {
	row              Row
	exitCode, signal *int
	listed           bool // was among the rows of a frame
}

// listContent is a topic of rows: each state is a delta to the one before, and a snapshot for whoever missed that.
type listContent[Row any, Key comparable] struct {
	*selection[Row, Key]
	logger *slog.Logger
	source func(*tick) *frame[Row] // nil when the tick has no such rows
	all    []*Row                  // of the last state
	rows   []*Row                  // those of them that it shows
	shown  map[Key]*Row            // the same
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
	picked, matched := c.pick(all)
	rows := picked[:0]
	shown := make(map[Key]*Row, len(picked))
	upsert, remove := []*Row{}, []string{}
	for _, row := range picked {
		key := c.key(row)
		if shown[key] != nil {
			continue // the kernel told of it twice in one reading
		}
		shown[key] = row
		rows = append(rows, row)
		if old := c.shown[key]; old == nil || !c.equal(old, row) {
			upsert = append(upsert, row)
		}
	}
	for _, row := range c.rows {
		if key := c.key(row); shown[key] == nil {
			remove = append(remove, c.keyText(key))
		}
	}
	state := &viewState{seq: seq}
	if seq > 1 {
		delta, err := newMessage(DeltaMessage[*Row]{Type: "delta", View: id, Seq: seq, Time: in.time, Total: len(all), Matched: matched,
			Upsert: upsert, Remove: remove, Ended: c.ended(in.ended, shown), Errors: in.errors})
		if err != nil {
			return nil, err
		}
		state.delta = delta
	}
	state.snapshot = sync.OnceValue(func() *message {
		sorted := slices.Clone(rows)
		c.arrange(sorted)
		m, err := newMessage(SnapshotMessage[*Row]{Type: "snapshot", View: id, Seq: seq, Time: in.time, Total: len(all), Matched: matched,
			Rows: sorted, Errors: in.errors})
		if err != nil {
			c.logger.Error("cannot encode a snapshot", "error", err)
			return nil
		}
		return m
	})
	c.all, c.rows, c.shown = all, rows, shown
	return state, nil
}

// ended tells how rows ended that the view showed, and those that it would have shown had they lived long enough to be
// in a sample.
func (c *listContent[Row, Key]) ended(ended []endedRow[Row], shown map[Key]*Row) []EndedRow[*Row] {
	told := []EndedRow[*Row]{}
	for i := range ended {
		e := &ended[i]
		key := c.key(&e.row)
		if shown[key] != nil {
			continue
		}
		out := EndedRow[*Row]{Key: c.keyText(key), ExitCode: e.exitCode, Signal: e.signal}
		if c.shown[key] == nil {
			if e.listed || !c.query.matches(&e.row) {
				continue
			}
			out.Row = new(&e.row)
		}
		told = append(told, out)
	}
	return told
}
