package server

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"topdeck/control"
)

const (
	maxJournalWatch = 5000             // lines that are there already
	maxStreamText   = 32 << 10         // in one message, before it is encoded
	maxStreamOutput = 1 << 20          // of one command; no more is kept of it, either
	streamWait      = 10 * time.Second // for a client that has no room for more
	streamPause     = 20 * time.Millisecond
)

// stream is the source of an event view: it sends what there is and then what comes, in order, until ctx ends, or nothing more
// can come. send returns false when ctx has ended. Each watch has a view and a stream of its own, so that each begins with what there is.
type stream func(ctx context.Context, view uint64, send func(message any) bool) error

// newStream makes the stream that a watch asks for. Errors are *Error.
func (h *hub) newStream(w Watch) (stream, error) {
	switch {
	case w.Q != "" || w.Sort != "" || w.Order != "" || w.Limit != 0:
		return nil, refuse(codeInvalid, "the topic %s takes no q, sort, order or limit", w.Topic)
	case w.Topic == "output" && (w.Operation == "" || w.Service != "" || w.Lines != 0):
		return nil, refuse(codeInvalid, "the topic output takes an operation, and nothing else")
	case w.Topic == "output":
		return func(ctx context.Context, view uint64, send func(any) bool) error {
			return h.followOutput(ctx, w.Operation, view, send)
		}, nil
	case w.Service == "" || w.Operation != "":
		return nil, refuse(codeInvalid, "the topic journal takes a service and lines, and nothing else")
	case len(w.Service) > maxServiceName:
		return nil, refuse(codeNotFound, "there is no service of that name")
	case w.Lines < 0 || w.Lines > maxJournalWatch:
		return nil, refuse(codeInvalid, "lines must be from 0 to %d", maxJournalWatch)
	}
	return func(ctx context.Context, view uint64, send func(any) bool) error {
		return h.control.FollowJournal(ctx, w.Service, cmp.Or(w.Lines, journalLines), func(lines []control.JournalLine) {
			for len(lines) > 0 {
				n, size := 0, 0
				for n < len(lines) && (n == 0 || size+len(lines[n].Text) <= maxStreamText) {
					size += len(lines[n].Text)
					n++
				}
				if !send(JournalMessage{Type: "journal", View: view, Lines: lines[:n]}) {
					return
				}
				lines = lines[n:]
			}
		})
	}, nil
}

// startStream has a stream sent to the one client that watches its view, as id. The hub's lock is held.
func (h *hub) startStream(c *liveClient, id string, v *view) (stop func()) {
	ctx, cancel := context.WithCancel(h.ctx)
	h.workers.Go(func() {
		defer cancel()
		err := v.stream(ctx, v.id, func(message any) bool {
			m, err := newMessage(message)
			if err != nil {
				h.logger.Error("cannot encode an event", "view", v.name, "error", err)
				return true
			}
			return c.deliver(ctx, v, m)
		})
		if err != nil && ctx.Err() == nil {
			h.failWatch(c, id, v, err)
		}
	})
	return cancel
}

// failWatch ends a watch that cannot go on, and tells why.
func (h *hub) failWatch(c *liveClient, id string, v *view, err error) {
	h.mu.Lock()
	still := c.isWatch(id, v)
	if still {
		if _, last, err := c.unwatch(id); err == nil && last {
			defer h.unwatchView(v, c)()
		}
	}
	h.mu.Unlock()
	if !still {
		return
	}
	refusal := controlError(err)
	if refusal == nil {
		h.logger.Error("cannot go on with a live view", "view", v.name, "error", err)
		refusal = refuse(codeInternal, "something went wrong in the server; its log tells more")
	}
	if err := c.say(ErrorMessage{Type: "error", ID: id, Error: ErrorBody{Code: refusal.Code, Message: refusal.Message}}); err != nil {
		h.logger.Error("cannot encode an error", "error", err)
	}
}

// isWatch tells whether the watch id still shows v.
func (c *liveClient) isWatch(id string, v *view) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.watches[id] == v
}

// deliver queues an event of a view as soon as there is room for it. A client that makes none for long is too slow, and
// ends. It is false when the event is for nobody any more.
func (c *liveClient) deliver(ctx context.Context, v *view, m *message) bool {
	for late := time.Now().Add(streamWait); ; {
		c.mu.Lock()
		following := !c.ended && c.follows[v] != nil
		room := len(c.queue) < maxQueued/4 && c.queued < maxQueuedBytes/4
		switch {
		case following && room:
			c.sendLocked(m)
		case following && time.Now().After(late):
			c.endLocked(closeSlow, "slow")
			following = false
		}
		c.mu.Unlock()
		if !following || room {
			return following
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(streamPause):
		}
	}
}

// followOutput sends what a command writes, as far as it is kept.
func (h *hub) followOutput(ctx context.Context, id string, view uint64, send func(any) bool) error {
	o := &outputBuffer{ready: make(chan struct{}, 1)}
	stop, err := h.control.Follow(id, o.take)
	if errors.Is(err, control.ErrNotFound) { // it may have ended long ago
		text, _, err := h.control.Output(id)
		if err != nil {
			return err
		}
		o.take([]byte(text))
		o.take(nil)
		stop = func() {}
	} else if err != nil {
		return err
	}
	defer stop()
	for {
		text, over := o.next()
		switch {
		case len(text) > 0:
			if !send(OutputMessage{Type: "output", View: view, Lines: outputLines(text)}) {
				return nil
			}
			continue
		case over:
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-o.ready:
		}
		select { // what is written in small pieces is sent in larger ones
		case <-ctx.Done():
			return nil
		case <-time.After(streamPause):
		}
	}
}

// outputBuffer holds what a command has written and nobody was sent yet. What goes beyond maxStreamOutput is dropped: no
// more than that is kept, anyway.
type outputBuffer struct {
	mu    sync.Mutex
	text  []byte
	total int
	over  bool
	ready chan struct{} // holds one
}

// take is what Follow calls. It never waits.
func (o *outputBuffer) take(piece []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	piece, over := piece[:min(len(piece), maxStreamOutput-o.total)], piece == nil
	o.text = append(o.text, piece...)
	o.total += len(piece)
	o.over = o.over || over || o.total == maxStreamOutput
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// next takes some of the text, and tells, when there is none, whether all was taken. A character is not torn apart.
func (o *outputBuffer) next() (text []byte, over bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := min(len(o.text), maxStreamText)
	if n < len(o.text) || !o.over {
		n = wholeRunes(o.text[:n])
	}
	text = bytes.Clone(o.text[:n])
	if o.text = o.text[n:]; len(o.text) == 0 {
		o.text = nil
	}
	return text, o.over
}

// wholeRunes is how many bytes of text do not belong to a character that goes on after it.
func wholeRunes(text []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		if start := len(text) - back; utf8.RuneStart(text[start]) {
			if utf8.FullRune(text[start:]) {
				break
			}
			return start
		}
	}
	return len(text)
}

// outputLines splits text after each line end.
func outputLines(text []byte) (lines []OutputLine) {
	for line := range bytes.Lines(text) {
		lines = append(lines, OutputLine{Text: string(bytes.ToValidUTF8(line, []byte("\ufffd")))})
	}
	return lines
}

// streamName is that of a view which nobody shares.
func streamName(v *view) string { return fmt.Sprintf("%s %p", v.topic, v) }
