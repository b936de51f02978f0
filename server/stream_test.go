package server

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"topdeck/control"
)

func journalOf(texts ...string) (lines []control.JournalLine) {
	for _, text := range texts {
		lines = append(lines, control.JournalLine{Time: time.Unix(1_700_000_000, 0), Priority: 6, Text: text})
	}
	return lines
}

func TestJournalIsFollowed(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		fake := &fakeControl{come: make(chan []control.JournalLine)}
		s.hub.control = fake
		oda := s.enter("oda", Operator)
		s.watch(oda, Watch{ID: "j", Topic: "journal", Service: "systemd:web.service", Lines: 17})
		if got := fake.last(); got != fmt.Sprintf("%q", []any{"follow journal", "systemd:web.service", 17}) {
			t.Errorf("asked for %s", got)
		}
		fake.come <- journalOf("a", "b")
		fake.come <- journalOf("c")
		synctest.Wait()
		if v := oda.wire.follower.view("j"); v.text() != "abc" || v.lines[0]["priority"] != 6.0 || v.lines[0]["time"] == nil {
			t.Errorf("got %+v", v.lines)
		}

		// A second watch of the same begins with what there is, in a view of its own; both are then told what comes.
		s.watch(oda, Watch{ID: "k", Topic: "journal", Service: "systemd:web.service"})
		if got := fake.last(); got != fmt.Sprintf("%q", []any{"follow journal", "systemd:web.service", 200}) {
			t.Errorf("asked for %s", got)
		}
		if f := oda.wire.follower; f.watches["j"] == f.watches["k"] {
			t.Errorf("both are view %d", f.watches["j"])
		}
		s.sample(nil) // which is nothing for them
		if err := s.hub.unwatch(oda.liveClient, "j"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		fake.come <- journalOf("d") // only the other one is still there to take it
		synctest.Wait()
		if f := oda.wire.follower; f.view("j").text() != "abc" || f.view("k").text() != "d" {
			t.Errorf("got %q and %q", f.view("j").text(), f.view("k").text())
		}

		// What cannot go on says why, and its id can be used again.
		close(fake.come)
		synctest.Wait()
		if r := oda.wire.follower.refused; len(r) != 1 || r[0].ID != "k" || r[0].Error.Code != codeNotFound {
			t.Errorf("refused: %+v", r)
		}
		s.watch(oda, Watch{ID: "k", Topic: "processes"})
		if len(s.hub.views) != 1 {
			t.Errorf("there are %d views", len(s.hub.views))
		}
	})
}

func TestStreamsRefuse(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		for _, test := range []struct {
			role Role
			w    Watch
			code string
		}{
			{Viewer, Watch{Topic: "journal", Service: "x"}, codeForbidden},
			{Viewer, Watch{Topic: "output", Operation: "1"}, codeForbidden},
			{Operator, Watch{Topic: "output", Operation: "1"}, codeForbidden},
			{Admin, Watch{Topic: "output"}, codeInvalid},
			{Admin, Watch{Topic: "output", Operation: "1", Lines: 5}, codeInvalid},
			{Admin, Watch{Topic: "output", Operation: "1", Service: "x"}, codeInvalid},
			{Admin, Watch{Topic: "output", Operation: "1", Limit: 5}, codeInvalid},
			{Admin, Watch{Topic: "journal"}, codeInvalid},
			{Admin, Watch{Topic: "journal", Service: "x", Operation: "1"}, codeInvalid},
			{Admin, Watch{Topic: "journal", Service: "x", Q: "y"}, codeInvalid},
			{Admin, Watch{Topic: "journal", Service: "x", Lines: -1}, codeInvalid},
			{Admin, Watch{Topic: "journal", Service: "x", Lines: 5001}, codeInvalid},
			{Admin, Watch{Topic: "journal", Service: strings.Repeat("x", 2000)}, codeNotFound},
			{Admin, Watch{Topic: "processes", Service: "x"}, codeInvalid},
			{Admin, Watch{Topic: "summary", Lines: 1}, codeInvalid},
		} {
			a := s.enter("x", test.role)
			test.w.ID = "w"
			err := s.hub.watch(a.liveClient, test.w)
			if refusal := errorFor(err); refusal == nil || refusal.Code != test.code || refusal.Message == "" {
				t.Errorf("%s watches %+v: %v, want %s", test.role, test.w, err, test.code)
			}
			s.leave(a)
		}
	})
}

// A journal that is long, and as large as it can be made, reaches a client that reads; one that does not is hung up on.
func TestStreamWaitsForItsClient(t *testing.T) {
	onStage(t, func(t *testing.T, s *stage) {
		fake := &fakeControl{come: make(chan []control.JournalLine)}
		s.hub.control = fake
		quick := s.enter("ann", Admin)
		s.watch(quick, Watch{ID: "j", Topic: "journal", Service: "x", Lines: 1000})
		resume := quick.wire.stall()
		go func() { time.Sleep(5 * time.Second); resume() }()
		line := strings.Repeat("\x00", 4096)
		for range 5 {
			fake.come <- journalOf(strings.Split(strings.Repeat(line+" ", 199)+line, " ")...)
		}
		time.Sleep(5 * time.Second) // as long as it takes: nothing else tells when all was read
		synctest.Wait()
		if v := quick.wire.follower.view("j"); len(v.lines) != 1000 || v.text() != strings.Repeat(line, 1000) {
			t.Errorf("%d lines of 1000 came", len(v.lines))
		}
		if quick.isOver() {
			t.Errorf("the client was closed with %d", quick.wire.code)
		}
		quick.wire.stall()
		go func() {
			for !quick.isOver() {
				select {
				case fake.come <- journalOf(line, line, line):
				case <-time.After(time.Second):
				}
			}
		}()
		time.Sleep(2 * streamWait)
		synctest.Wait()
		if quick.code != closeSlow || quick.reason != "slow" {
			t.Errorf("closed with %d %q, want %d", quick.code, quick.reason, closeSlow)
		}
	})
}

// The output of real commands, over a real connection.
func TestOutputIsFollowed(t *testing.T) {
	s := startActing(t, t.TempDir())
	admin := s.signedIn("ann", Admin)
	run := func(command string) (id string, a answer) {
		t.Helper()
		a = admin.want(202, "POST", "/commands", map[string]any{"command": command})
		return into[OperationReply](t, a).Operation.ID, a
	}
	c := admin.live()
	c.until("hello", func(f *follower) bool { return f.hello != nil })

	folder := t.TempDir()
	id, a := run("sh -c 'printf \"begun \\344\\275\"; until test -e " + folder + "/go; do sleep 0.02; done; printf \"\\240\\033[1m\\n\\377end\"'")
	c.say(`{"watch":{"id":"o","topic":"output","operation":"` + id + `"}}`)
	c.until("what it wrote first", func(f *follower) bool { return f.view("o").text() == "begun " })
	mustWrite(t, folder+"/go", "")
	c.until("the rest", func(f *follower) bool { return f.view("o").text() == "begun \u4f60\x1b[1m\n\ufffdend" })
	s.outcome(a)
	// What has ended is told whole; each line by itself.
	c.say(`{"watch":{"id":"again","topic":"output","operation":"` + id + `"}}`)
	c.until("it all", func(f *follower) bool {
		v := f.view("again")
		return v.text() == "begun \u4f60\x1b[1m\n\ufffdend" && len(v.lines) == 2
	})

	// A flood neither reaches nor ends the client beyond what is kept.
	id, a = run("head -c 5000000 /dev/zero")
	c.say(`{"watch":{"id":"flood","topic":"output","operation":"` + id + `"}}`)
	c.until("what is kept of it", func(f *follower) bool { return len(f.view("flood").text()) == 1<<20 })
	s.outcome(a)
	output := into[OutputReply](t, admin.want(200, "GET", "/operations/"+id+"/output", nil))
	if len(output.Text) != 1<<20 || !output.Truncated || output.Lost != control.LostEnd {
		t.Errorf("%d bytes are kept, truncated %v, lost: %q", len(output.Text), output.Truncated, output.Lost)
	}

	c.say(`{"watch":{"id":"none","topic":"output","operation":"99999"}}`)
	c.until("a refusal", func(f *follower) bool {
		return len(f.refused) == 1 && f.refused[0].ID == "none" && f.refused[0].Error.Code == codeNotFound
	})
	// Its watch is over.
	c.say(`{"unwatch":{"id":"none"}}`)
	c.until("that it is unknown", func(f *follower) bool { return len(f.refused) == 2 && f.refused[1].Error.Code == codeNotFound })
}

// Scripts have no journal: the real manager says so, over HTTP and live.
func TestNoJournal(t *testing.T) {
	s := startActing(t, scripts(t, map[string]string{"good": "status) exit 0;;"}))
	b := s.signedIn("oda", Operator)
	if a := b.want(503, "GET", "/services/good/journal", nil); a.code() != codeUnavailable || !strings.Contains(a.message(), "journal") {
		t.Errorf("got %s", a.body)
	}
	c := b.live()
	c.say(`{"watch":{"id":"j","topic":"journal","service":"sysv:good"}}`)
	c.until("a refusal", func(f *follower) bool { return len(f.refused) == 1 })
	if r := c.follower.refused[0]; r.ID != "j" || r.Error.Code != codeUnavailable || !strings.Contains(r.Error.Message, "journal") {
		t.Errorf("got %+v", r)
	}
	c.say(`{"watch":{"id":"k","topic":"journal","service":"goo"}}`)
	c.until("another", func(f *follower) bool { return len(f.refused) == 2 && f.refused[1].Error.Code == codeNotFound })
}

func FuzzOutputBuffer(f *testing.F) {
	f.Add("a\nb\u4f60\r\n", 3)
	f.Add("\xff\xe4\xbd", 1)
	f.Fuzz(func(t *testing.T, text string, size int) {
		o := &outputBuffer{ready: make(chan struct{}, 1)}
		var got strings.Builder
		take := func() (done bool) {
			piece, over := o.next()
			for _, line := range outputLines(piece) {
				if line.Text == "" || !utf8.ValidString(line.Text) || strings.Contains(strings.TrimSuffix(line.Text, "\n"), "\n") {
					t.Errorf("line %q", line.Text)
				}
				got.WriteString(line.Text)
			}
			return over && len(piece) == 0
		}
		size = max(1, size)
		for rest := text; rest != ""; take() {
			n := min(size, len(rest))
			o.take([]byte(rest[:n]))
			rest = rest[n:]
		}
		o.take(nil)
		for !take() {
		}
		if utf8.ValidString(text) && got.String() != text {
			t.Errorf("%q came out as %q", text, got.String())
		}
	})
}
