package server

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// follower is a client of the contract: it keeps the rows of each view from snapshots and deltas, and complains when a
// message does not follow from those before.
type follower struct {
	hello   *HelloMessage
	views   map[uint64]*followed
	watches map[string]uint64
	refused []ErrorMessage
	events  []OperationMessage
	unseen  int
}

type followed struct {
	seq            uint64
	failed         FailedServices // of the last summary
	snapshots      int
	deltas         int
	total, matched int
	rows           map[string]map[string]any // by key
	order          []string                  // of the last snapshot
	ended          []map[string]any          // of the last delta
	errors         map[string]string
	lines          []map[string]any // of a journal or an output
	pieces         int              // in which they came
}

// text is what the lines hold together.
func (v *followed) text() string {
	var b strings.Builder
	for _, line := range v.lines {
		b.WriteString(line["text"].(string))
	}
	return b.String()
}

func newFollower() *follower {
	return &follower{views: map[uint64]*followed{}, watches: map[string]uint64{}}
}

// take applies one message.
func (f *follower) take(data []byte) error {
	var m struct {
		Type, ID        string
		View, Seq       uint64
		Time            string
		Total, Matched  int
		Rows, Upsert    []map[string]any
		Remove          []string
		Ended           []map[string]any
		Errors          map[string]string
		Build, Username string
		Role            Role
		Unseen          int
		Commands        bool
		Error           ErrorBody
		Operation       json.RawMessage
		CPU, Memory     map[string]any
		FailedServices  *FailedServices
		Names           []string
		Lines           []map[string]any
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	if (f.hello == nil) != (m.Type == "hello") {
		return fmt.Errorf("%q while hello is %v", m.Type, f.hello)
	}
	v := f.views[m.View]
	switch m.Type {
	case "snapshot", "delta", "summary":
		if v == nil {
			return fmt.Errorf("%s of view %d, which was never named", m.Type, m.View)
		}
		if m.Seq <= v.seq {
			return fmt.Errorf("%s %d of view %d after %d", m.Type, m.Seq, m.View, v.seq)
		}
		if m.Time == "" || m.Errors == nil {
			return fmt.Errorf("%s without time or errors: %s", m.Type, data)
		}
	}
	switch m.Type {
	case "hello":
		f.hello = &HelloMessage{Build: m.Build, Username: m.Username, Role: m.Role, Unseen: m.Unseen, Commands: m.Commands}
	case "watching":
		f.watches[m.ID] = m.View
		f.views[m.View] = &followed{}
	case "error":
		f.refused = append(f.refused, ErrorMessage{ID: m.ID, Error: m.Error})
	case "summary":
		if m.CPU == nil || m.Memory == nil || m.FailedServices == nil || m.FailedServices.Names == nil {
			return fmt.Errorf("summary without figures: %s", data)
		}
		v.seq, v.failed = m.Seq, *m.FailedServices
		v.snapshots++
	case "failed":
		if v == nil || m.Seq <= v.seq || m.Names == nil {
			return fmt.Errorf("of a view that was never named, or not newer, or without names: %s", data)
		}
		v.seq, v.failed = m.Seq, FailedServices{m.Total, m.Names}
		v.snapshots++
	case "snapshot":
		if m.Rows == nil {
			return fmt.Errorf("snapshot without rows: %s", data)
		}
		v.seq, v.rows, v.order, v.ended = m.Seq, map[string]map[string]any{}, nil, nil
		v.snapshots++
		for _, row := range m.Rows {
			if v.rows[rowKey(row)] != nil {
				return fmt.Errorf("row %s twice", rowKey(row))
			}
			v.rows[rowKey(row)] = row
			v.order = append(v.order, rowKey(row))
		}
	case "delta":
		if v.seq == 0 || m.Seq != v.seq+1 {
			return fmt.Errorf("delta %d after %d", m.Seq, v.seq)
		}
		if m.Upsert == nil || m.Remove == nil || m.Ended == nil {
			return fmt.Errorf("delta with null in place of a list: %s", data)
		}
		v.seq, v.ended = m.Seq, m.Ended
		v.deltas++
		for _, key := range m.Remove {
			if v.rows[key] == nil {
				return fmt.Errorf("row %s is removed and was not there", key)
			}
			delete(v.rows, key)
		}
		for _, row := range m.Upsert {
			v.rows[rowKey(row)] = row
		}
	case "journal", "output":
		if v == nil || len(m.Lines) == 0 {
			return fmt.Errorf("of a view that was never named, or without lines: %s", data)
		}
		v.lines = append(v.lines, m.Lines...)
		v.pieces++
	case "operation":
		var o OperationMessage
		if err := json.Unmarshal(m.Operation, &o.Operation); err != nil {
			return err
		}
		o.Unseen, f.unseen = m.Unseen, m.Unseen
		f.events = append(f.events, o)
	case "unseen":
		f.unseen = m.Unseen
	default:
		return fmt.Errorf("unknown type in %s", data)
	}
	if v != nil && (m.Type == "snapshot" || m.Type == "delta") {
		v.total, v.matched, v.errors = m.Total, m.Matched, m.Errors
		if len(v.rows) != min(m.Matched, maxRows) && len(v.rows) > m.Matched {
			return fmt.Errorf("%d rows of %d that match", len(v.rows), m.Matched)
		}
	}
	return nil
}

// view is what the watch id shows.
func (f *follower) view(id string) *followed {
	v := f.views[f.watches[id]]
	if v == nil {
		return &followed{}
	}
	return v
}

// keys are those of the rows, sorted.
func (v *followed) keys() string {
	keys := make([]string, 0, len(v.rows))
	for key := range v.rows {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return strings.Join(keys, " ")
}

// rowKey is the key that the contract gives a row.
func rowKey(row map[string]any) string {
	whole := func(name string) string { return strconv.FormatFloat(row[name].(float64), 'f', 0, 64) }
	switch {
	case row["cookie"] != nil:
		return row["cookie"].(string)
	case row["manager"] != nil:
		return row["manager"].(string) + ":" + row["name"].(string)
	}
	return whole("pid") + ":" + whole("startTime")
}
