package server

import (
	"fmt"
	"strings"

	"topdeck/collector"
	"topdeck/control"
)

// tick is what views are brought up to date with: a new sample, or a new list of services. It holds, once for all views,
// what is made from it.
type tick struct {
	sample   *collector.Sample
	services *frame[control.Service]

	masked    *maskedRows                  // of the ticks before; nil where that does not matter
	processes [2]*frame[collector.Process] // whole, and as viewers see them
	sockets   *frame[collector.Socket]
}

// maskedRows keeps what was made for viewers, so that for them too a row that has not changed keeps its address.
type maskedRows struct{ whole, masked []*collector.Process }

// newView makes the view that a watch asks for, not yet part of the hub. Errors are *Error.
func (h *hub) newView(w Watch, role Role) (*view, error) {
	rule, known := topics()[w.Topic]
	if !known {
		return nil, refuse(codeInvalid, "there is no topic %q; topics are summary, processes, sockets, services, failed, journal, output", shorten(w.Topic))
	}
	if !role.may(rule) {
		return nil, refuse(codeForbidden, "your role, %s, may not watch %s", role, w.Topic)
	}
	v := &view{topic: w.Topic, clients: make(map[*liveClient]*following)}
	a := arguments{w.Q, w.Sort, w.Order, w.Limit}
	var err error
	switch w.Topic {
	case "journal", "output":
		v.name = streamName(v)
		v.stream, err = h.newStream(w)
		return v, err
	}
	if w.Service != "" || w.Lines != 0 || w.Operation != "" {
		return nil, refuse(codeInvalid, "the topic %s takes no service, lines or operation", w.Topic)
	}
	switch w.Topic {
	case "summary":
		if a != (arguments{}) {
			return nil, refuse(codeInvalid, "the summary takes no q, sort, order or limit")
		}
		v.name, v.parts, v.content = w.Topic, collector.PartTasks, summaryContent{h.services}
	case "failed":
		if a != (arguments{}) {
			return nil, refuse(codeInvalid, "the failed services take no q, sort, order or limit")
		}
		v.name, v.content = w.Topic, &failedContent{services: h.services}
	case "processes":
		mask := role == Viewer
		v.parts = collector.PartProcesses
		err = listView(h, v, h.processes, a, mask, func(t *tick) *frame[collector.Process] { return t.processFrame(mask) })
	case "sockets":
		v.parts = collector.PartSockets
		err = listView(h, v, h.sockets, a, false, (*tick).socketFrame)
	case "services":
		v.parts = serviceParts
		err = listView(h, v, h.serviced, a, false, func(t *tick) *frame[control.Service] { return t.services })
	default:
		err = fmt.Errorf("cannot watch %s: it has an access rule and nothing to show", w.Topic)
	}
	return v, err
}

func listView[Row any, Key comparable](h *hub, v *view, rows *rowType[Row, Key], a arguments, mask bool, source func(*tick) *frame[Row]) error {
	s, err := selectRows(rows, a)
	if err != nil {
		return err
	}
	v.content = &listContent[Row, Key]{selection: s, logger: h.logger, source: source}
	v.name = fmt.Sprintf("%s mask=%t sort=%s descending=%t limit=%d %s", v.topic, mask, s.sort, s.descending, s.limit, s.query.canonical)
	return nil
}

// processFrame is the sample's processes; masked, as a viewer sees them.
func (t *tick) processFrame(mask bool) *frame[collector.Process] {
	if !t.has(collector.PartProcesses, "processes") {
		return nil
	}
	made := &t.processes[0]
	if mask {
		made = &t.processes[1]
	}
	if *made != nil {
		return *made
	}
	f := &frame[collector.Process]{time: t.sample.Time, rows: t.sample.Processes, errors: partErrors(t.sample, "processes", "events")}
	if mask {
		if t.masked == nil {
			t.masked = new(maskedRows)
		}
		f.rows = t.masked.of(f.rows)
	}
	for i := range t.sample.Ended {
		e := &t.sample.Ended[i]
		row := e.Process
		if mask {
			row = maskProcess(row)
		}
		f.ended = append(f.ended, endedRow[collector.Process]{row: row, exitCode: e.ExitCode, signal: e.Signal, lived: e.Lived, listed: e.Listed})
	}
	*made = f
	return f
}

func (t *tick) socketFrame() *frame[collector.Socket] {
	if !t.has(collector.PartSockets, "sockets") {
		return nil
	}
	if t.sockets == nil {
		t.sockets = &frame[collector.Socket]{time: t.sample.Time, rows: t.sample.Sockets, errors: partErrors(t.sample, "sockets", "owners")}
	}
	return t.sockets
}

// has reports whether the tick brings a part, or the reason why it could not be read.
func (t *tick) has(part collector.Parts, name string) bool {
	return t.sample != nil && (t.sample.Parts.Has(part) || t.sample.Errors[name] != "")
}

// maskProcess is a process as a viewer sees it: with the first word of its command line only. A program that has given itself a title
// may have all of its arguments in argv[0].
func maskProcess(p collector.Process) collector.Process {
	p.Cmdline, _, _ = strings.Cut(p.Argv0, " ")
	return p
}

// of gives the rows as viewers see them.
func (m *maskedRows) of(whole []*collector.Process) []*collector.Process {
	if whole == nil {
		return nil
	}
	rows := make([]*collector.Process, len(whole))
	align(m.whole, whole, func(i, j int) {
		if j >= 0 {
			rows[i] = m.masked[j]
		} else {
			rows[i] = new(maskProcess(*whole[i]))
		}
	})
	m.whole, m.masked = whole, rows
	return rows
}

// partErrors is the sample's errors that concern some of its parts, never nil.
func partErrors(s *collector.Sample, parts ...string) map[string]string {
	errors := make(map[string]string)
	for _, part := range parts {
		if reason := s.Errors[part]; reason != "" {
			errors[part] = reason
		}
	}
	return errors
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// pointers are those to the rows, which nobody changes.
func pointers[Row any](rows []Row) []*Row {
	if rows == nil {
		return nil
	}
	list := make([]*Row, len(rows))
	for i := range rows {
		list[i] = &rows[i]
	}
	return list
}
