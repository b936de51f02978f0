package main

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"topdeck/control"
)

// seen are the operations that a live connection was told of.
type seen struct {
	*page
	mu     sync.Mutex
	states map[string][]control.RetStatus // by operation
	last   map[string]control.Operation
	unseen int
	ended  error
}

// follow reads a live connection until it ends.
func (c *caller) follow() *seen {
	c.t.Helper()
	s := &seen{page: openAt(c.t, c.url, c.cookie), states: map[string][]control.RetStatus{}, last: map[string]control.Operation{}}
	go func() {
		for {
			var m message
			err := s.conn.ReadJSON(&m)
			s.mu.Lock()
			s.ended = err
			if m.Type == "operation" || m.Type == "unseen" || m.Type == "hello" {
				s.unseen = m.Unseen
			}
			if id := m.Operation.ID; id != "" {
				s.states[id] = append(s.states[id], m.Operation.RetStatus)
				s.last[id] = m.Operation
			}
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

// told waits until the connection was told of the operation as running, and then of its end.
func (s *seen) told(d *deck, id string, end control.RetStatus) control.Operation {
	d.t.Helper()
	d.until("everybody is told of "+id, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Equal(s.states[id], []control.RetStatus{control.Running, end})
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[id]
}

// TestTwoAtOnce has an administrator and an operator act on one host while a viewer looks on.
func TestTwoAtOnce(t *testing.T) {
	host := install(t, map[string]string{
		"nap.service":  "[Service]\nExecStart=/bin/sleep 1000\n",
		"slow.service": "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 2\n",
		"bad.service":  "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo the key hunter2 is wrong >&2; exit 3'\n",
	})
	admin, operator, viewer := host.as("admin"), host.as("operator"), host.as("viewer")
	pages := []*seen{admin.follow(), operator.follow(), viewer.follow()}

	t.Run("an act shows to all", func(t *testing.T) {
		op := operator.act("bad.service", "start")
		for i, page := range pages {
			last := page.told(host.deck, op.ID, control.Failed)
			if shown := strings.Contains(last.Message+last.Detail, "hunter2"); shown != (i < 2) {
				t.Errorf("page %d is told %q with %q", i, last.Message, last.Detail)
			}
		}
		host.until("all count the same", func() bool {
			counts := map[int]bool{}
			for _, page := range pages {
				page.mu.Lock()
				counts[page.unseen] = true
				page.mu.Unlock()
			}
			return len(counts) == 1 && !counts[0]
		})
	})
	t.Run("both on the same unit", func(t *testing.T) {
		start := operator.begin("slow.service", "start")
		host.until("it starts", func() bool { return host.state("slow.service") == "activating" })
		stop := admin.begin("slow.service", "stop")
		for _, page := range pages {
			first, second := page.told(host.deck, start.ID, control.Failed), page.told(host.deck, stop.ID, control.Succeeded)
			if !strings.Contains(first.Message, "canceled by another job") || second.Actor != "admin" {
				t.Errorf("%q and %q", first.Message, second.Message)
			}
		}
		one, two := operator.begin("nap.service", "restart"), admin.begin("nap.service", "restart")
		for _, id := range []string{one.ID, two.ID} { // one may have replaced the other
			if op := admin.end(id); op.RetStatus != control.Succeeded && !strings.Contains(op.Message, "canceled by another job") {
				t.Errorf("%+v", op)
			}
		}
		if got := host.state("nap.service"); got != "active" {
			t.Errorf("nap.service is %s", got)
		}
	})
	t.Run("a session that ends while its act runs", func(t *testing.T) {
		leaver := host.signedIn("operator")
		page := leaver.follow()
		op := leaver.begin("slow.service", "start")
		if status, text := leaver.call("DELETE", "/session", map[string]any{}, nil); status != http.StatusNoContent {
			t.Fatalf("sign-out answers %d %s", status, text)
		}
		host.until("its page is hung up on", func() bool {
			page.mu.Lock()
			defer page.mu.Unlock()
			return page.ended != nil
		})
		if status, _ := leaver.call("POST", "/services/nap.service/actions", map[string]string{"action": "stop"}, nil); status != http.StatusUnauthorized {
			t.Errorf("an act after the end answers %d", status)
		}
		pages[0].told(host.deck, op.ID, control.Succeeded)
		admin.act("slow.service", "stop")
	})
	t.Run("a connection that is cut while its act runs", func(t *testing.T) {
		own := *host.deck
		own.client = &http.Client{Transport: &http.Transport{}}
		lost := own.signedIn("admin")
		page := lost.follow()
		service, command := lost.begin("slow.service", "start"), lost.post("/commands", map[string]any{"command": "sh -c 'sleep 1; echo done'"})
		page.conn.NetConn().Close()
		lost.client.CloseIdleConnections()
		for _, id := range []string{service.ID, command.ID} {
			pages[1].told(host.deck, id, control.Succeeded)
		}
		if op := admin.end(command.ID); op.Detail != "done\n" {
			t.Errorf("%+v", op)
		}
	})
}
