package server

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"topdeck/collector"
	"topdeck/control"
)

func TestServiceInDepth(t *testing.T) {
	fake := &fakeControl{detail: control.ServiceDetail{
		Service:      control.Service{Name: "web.service", Manager: "systemd", ActiveState: "active"},
		Dependencies: map[string][]string{"requiredBy": {"shop.service"}}, StopsToo: []string{"shop.service"},
		LastLines: []control.JournalLine{{Text: "the password is 1234"}},
	}}
	s := startServer(t, playHost, func(cfg *Config) { cfg.Control = fake })
	b := s.signedIn("vic", Viewer)
	got := into[ServiceReply](t, b.want(200, "GET", "/services/web.service", nil))
	if fmt.Sprint(got.Service.PIDs, got.Service.Ports) != "[2] [53 443]" || got.Service.Memory == nil {
		t.Errorf("service is %+v", got.Service)
	}
	if fmt.Sprint(got.Dependencies) != "map[requiredBy:[shop.service]]" || fmt.Sprint(got.StopsToo) != "[shop.service]" || got.CarriesSession || len(got.Connected) != 0 {
		t.Errorf("in depth it is %+v", got)
	}
	if len(got.LastLines) != 0 {
		t.Errorf("a viewer reads the journal: %+v", got.LastLines)
	}
	if got := into[ServiceReply](t, s.signedIn("olga", Operator).want(200, "GET", "/services/web.service", nil)); len(got.LastLines) != 1 {
		t.Errorf("an operator reads %+v", got.LastLines)
	}
	if a := b.want(400, "GET", "/services/web.service?q=1", nil); a.code() != codeInvalid {
		t.Errorf("a parameter: %s", a.body)
	}
}

// A process of this test stands for a proxy in front of the server.
func TestServiceThatCarriesTheSession(t *testing.T) {
	edit, start := readThisHost(t)
	fake := &fakeControl{detail: control.ServiceDetail{Service: control.Service{Name: "proxy", Manager: "sysv", MainPID: os.Getpid()}}}
	s := startServer(t, edit, func(cfg *Config) { cfg.Control = fake })
	start(s)
	b := s.signedIn("vic", Viewer)
	socket := b.live() // a connection to the server that stays
	socket.until("hello", func(f *follower) bool { return f.hello != nil })
	var got ServiceReply
	s.wait("it is known who is connected", func() bool {
		got = into[ServiceReply](t, b.want(200, "GET", "/services/proxy", nil))
		return len(got.Connected) == 1 && got.Connected[0].Address == "127.0.0.1" && got.Connected[0].Connections > 0
	})
	if !got.CarriesSession {
		t.Errorf("it is %+v", got)
	}
	sockets := []*collector.Socket{{State: "ESTABLISHED", PID: 5, LocalAddress: "::ffff:10.0.0.1", LocalPort: 7, RemoteAddress: "10.0.0.2", RemotePort: 8}}
	for pid, want := range map[int]bool{5: true, 6: false} {
		from := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 7}
		if _, carries := connectedTo(&control.Service{PIDs: []int{pid}}, sockets, from); carries != want {
			t.Errorf("process %d carries it: %v", pid, carries)
		}
	}
	if _, carries := connectedTo(&control.Service{PIDs: []int{5}}, sockets, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 9}); carries {
		t.Error("another connection is taken for ours")
	}
}

func TestJournalOverHTTP(t *testing.T) {
	at := time.Date(2026, 2, 3, 4, 5, 6, 7000, time.UTC)
	fake := &fakeControl{lines: []control.JournalLine{{Time: at, Priority: 3, PID: 7, Program: "web", Text: "<b>no</b> \x1b[31m"}}}
	s := startServer(t, func(cfg *Config) { cfg.Control = fake })
	b := s.signedIn("oda", Operator)
	a := b.want(200, "GET", "/services/web/journal?lines=17", nil)
	if want := `{"lines":[{"time":"2026-02-03T04:05:06.000007Z","priority":3,"pid":7,"program":"web","text":"<b>no</b> \u001b[31m"}]}`; string(a.body) != want {
		t.Errorf("got %s, want %s", a.body, want)
	}
	if got := fake.last(); got != fmt.Sprintf("%q", []any{"journal", "web", 17}) {
		t.Errorf("asked for %s", got)
	}
	for _, query := range []string{"?lines=x", "?lines=-1", "?lines=1&lines=2", "?follow=true"} {
		b.want(400, "GET", "/services/web/journal"+query, nil)
	}
	fake.lines = []control.JournalLine{}
	if a := b.want(200, "GET", "/services/web/journal", nil); string(a.body) != `{"lines":[]}` {
		t.Errorf("an empty journal is %s", a.body)
	}
}
