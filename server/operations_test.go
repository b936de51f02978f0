package server

import (
	"bufio"
	"crypto/tls"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"topdeck/control"
)

// record writes an operation into the log.
func (s *testServer) record(e control.Entry) control.Operation {
	s.t.Helper()
	op, err := s.log.Record(e)
	if err != nil {
		s.t.Fatal(err)
	}
	return op
}

// What a service wrote is for those who may read its journal.
func TestWhatAServiceWroteIsNotForViewers(t *testing.T) {
	long := "key=" + strings.Repeat("secret ", 200)
	for _, test := range []struct{ message, detail, want string }{
		{"web.service: start failed: a process failed, exit status 3: key=secret is wrong",
			"job: failed\nresult: exit-code (a process failed)\nmain process: exit status 3\n\n2026-01-01T00:00:00Z sh[7]: key=secret is wrong\n", "web.service: start failed: a process failed, exit status 3"},
		{"web.service: failed 0.3 s after its start: a process failed, exit status 3: key=secret is wrong",
			"operation: 7 (service.start)\nresult: exit-code (a process failed)\nmain process: exit status 3\n\n2026-01-01T00:00:00Z sh[7]: key=secret is wrong\n", "web.service: failed 0.3 s after its start: a process failed, exit status 3"},
		{"web.service: failed 0.3 s after its start, and systemd starts it again: key=secret is wrong",
			"operation: 7 (service.start)\n\n2026-01-01T00:00:00Z sh[7]: key=secret is wrong\n", "web.service: failed 0.3 s after its start, and systemd starts it again"},
		{"web: start failed, exit status 1: key: secret: no", "hello\nkey: secret: no\n", "web: start failed, exit status 1"},
		{"web: start failed, exit status 1: a  [31msecret", "a \x1b[31msecret\n", "web: start failed, exit status 1"},
		{"web: start failed, exit status 1: " + long[:400] + "…", long, "web: start failed, exit status 1"},
		{"web.service: start done; it is active (running)", "", "web.service: start done; it is active (running)"},
	} {
		got := maskOperation(control.Operation{LogType: "service.start", Message: test.message, Detail: test.detail})
		if got.Message != test.want || got.Detail != "" {
			t.Errorf("%q is shown as %q, want %q", test.message, got.Message, test.want)
		}
	}
}

// A viewer of a real act gets no line that the service wrote, and nobody finds one by asking.
func TestAViewerSeesNoJournal(t *testing.T) {
	s := startActing(t, scripts(t, map[string]string{"bad": "start) echo 'the key hunter2 is wrong' >&2; exit 7;;\nstatus) exit 3;;"}))
	operator, viewer := s.signedIn("oda", Operator), s.signedIn("vic", Viewer)
	page := viewer.live()
	page.until("hello", func(f *follower) bool { return f.hello != nil })
	op := s.outcome(operator.want(202, "POST", "/services/bad/actions", `{"action":"start"}`))
	if !strings.Contains(op.Message, "hunter2") {
		t.Errorf("the record is %+v", op)
	}
	page.until("the end", func(f *follower) bool {
		for _, e := range f.events {
			if strings.Contains(fmt.Sprintf("%+v", e), "hunter2") {
				t.Errorf("a viewer is told %+v", e)
			}
			if e.Operation.ID == op.ID && e.Operation.RetStatus == control.Failed {
				return strings.Contains(e.Operation.Message, "exit status 7")
			}
		}
		return false
	})
	for _, path := range []string{"/operations", "/operations/" + op.ID, "/operations?q=hunter2"} {
		if a := viewer.want(200, "GET", path, nil); strings.Contains(string(a.body), "hunter2") || strings.HasSuffix(path, "hunter2") && into[OperationsReply](t, a).Total != 0 {
			t.Errorf("%s tells a viewer %s", path, a.body)
		}
	}
	if a := operator.want(200, "GET", "/operations/"+op.ID, nil); !strings.Contains(string(a.body), "hunter2") {
		t.Errorf("an operator is told %s", a.body)
	}
}

// Whose a signalled process was, and its command line, is for those who see the command lines of all.
func TestAViewerSeesNoCommandLineOfASignalledProcess(t *testing.T) {
	s := startServer(t)
	operator, viewer := s.signedIn("oda", Operator), s.signedIn("vic", Viewer)
	op := s.record(control.Entry{LogType: "process.signal", Target: "7:42", Actor: "ann", Message: "sent SIGTERM to process 7 (tool)", Detail: "user: root\ncommand line: tool --key=topsecret\n"})
	for b, want := range map[*browser]int{viewer: 0, operator: 1} {
		if got := into[OperationsReply](t, b.want(200, "GET", "/operations?q=topsecret", nil)); got.Total != want {
			t.Errorf("topsecret is found %d times, want %d", got.Total, want)
		}
		for _, path := range []string{"/operations/" + op.ID, "/operations?logType=process.signal"} {
			text := string(b.want(200, "GET", path, nil).body)
			if strings.Contains(text, "topsecret") != (want == 1) || strings.Contains(text, "user: root") != (want == 1) || !strings.Contains(text, "process 7 (tool)") {
				t.Errorf("%s: the signal is told as %s", path, text)
			}
		}
	}
}

func TestOperationsAreListed(t *testing.T) {
	s := startServer(t)
	viewer, admin := s.signedIn("vic", Viewer), s.signedIn("ann", Admin)
	command, err := s.log.Begin(control.Entry{LogType: "command.run", Target: "/usr/bin/tool --key=topsecret", Actor: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.log.Finish(command.ID, control.Outcome{RetStatus: control.Failed, ExitCode: new(3), Message: "tool: topsecret is wrong", Detail: "topsecret"}); err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		s.record(control.Entry{LogType: "service.restart", Target: fmt.Sprintf("unit%d.service", i), Actor: "ann", Message: "done"})
	}
	list := func(b *browser, query string) OperationsReply {
		t.Helper()
		return into[OperationsReply](t, b.want(200, "GET", "/operations"+query, nil))
	}
	first := list(viewer, "")
	if len(first.Operations) != 50 || first.Operations[0].Target != "unit59.service" || first.Next == "" || first.Unseen == 0 || first.Total < 61 {
		t.Fatalf("first page: %d of %d, next %q, unseen %d", len(first.Operations), first.Total, first.Next, first.Unseen)
	}
	second := list(viewer, "?before="+first.Next)
	if second.Operations[0].Target != "unit9.service" || second.Next != "" {
		t.Errorf("second page begins with %s, next %q", second.Operations[0].Target, second.Next)
	}
	if n := len(list(viewer, "?limit=7&logType=service.restart").Operations); n != 7 {
		t.Errorf("%d operations, want 7", n)
	}
	if n := len(list(viewer, "?limit=1000").Operations); n <= 50 || n > maxOperationsPage {
		t.Errorf("%d operations with a large limit", n)
	}
	for query, want := range map[string]int{
		"?q=unit59": 1, "?q=logType:service.restart+target:unit5": 11, "?retStatus=failed": 1, "?q=exitCode:3": 1, "?logStatus=seen&logType=service.restart": 0, "?q=id:" + command.ID: 1,
	} {
		if got := list(admin, query); len(got.Operations) != want || got.Total != want {
			t.Errorf("%s finds %d of %d, want %d", query, len(got.Operations), got.Total, want)
		}
	}
	// What is hidden from a viewer is not found either.
	for b, want := range map[*browser]int{viewer: 0, admin: 1} {
		if got := list(b, "?q=topsecret"); got.Total != want {
			t.Errorf("topsecret is found %d times, want %d", got.Total, want)
		}
		one := string(b.want(200, "GET", "/operations/"+command.ID, nil).body)
		if strings.Contains(one, "topsecret") != (want == 1) || !strings.Contains(one, `"exitCode":3`) || !strings.Contains(one, "/usr/bin/tool") {
			t.Errorf("the command is told as %s", one)
		}
		if all := string(b.want(200, "GET", "/operations?logType=command.run", nil).body); strings.Contains(all, "topsecret") != (want == 1) {
			t.Errorf("the command is listed as %s", all)
		}
	}
}

func TestOperationsAreSeen(t *testing.T) {
	s := startServer(t)
	viewer, operator := s.signedIn("vic", Viewer), s.signedIn("oda", Operator)
	op := s.record(control.Entry{LogType: "service.stop", Target: "a", Actor: "x"})
	unseen := s.log.Unseen()
	viewer.want(403, "POST", "/operations/seen", map[string]any{"all": true})
	got := into[UnseenReply](t, operator.want(200, "POST", "/operations/seen", map[string]any{"ids": []string{op.ID, "999999"}}))
	if got.Unseen != unseen-1 {
		t.Errorf("%d are unseen, want %d", got.Unseen, unseen-1)
	}
	if one := into[OperationReply](t, viewer.want(200, "GET", "/operations/"+op.ID, nil)); one.Operation.LogStatus != control.Seen || one.Operation.SeenBy != "oda" {
		t.Errorf("it is %+v", one.Operation)
	}
	if got := into[UnseenReply](t, operator.want(200, "POST", "/operations/seen", map[string]any{"all": true})); got.Unseen != 0 {
		t.Errorf("%d are unseen after all", got.Unseen)
	}
	for _, body := range []string{`{}`, `{"all":false}`, `{"all":true,"ids":["1"]}`, `{"ids":null}`, `{"ids":"1"}`, `{"ids":[1]}`, `{"some":true}`, `[]`, ``} {
		if a := operator.want(http.StatusBadRequest, "POST", "/operations/seen", body); a.code() != codeInvalid {
			t.Errorf("%s: %s", body, a.body)
		}
	}
}

func TestOperationsRefuse(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	for _, path := range []string{
		"/operations?limit=x", "/operations?limit=-1", "/operations?before=x", "/operations?before=-1", "/operations?retStatus=done",
		"/operations?logStatus=old", "/operations?q=foo:1", "/operations?sort=id", "/operations/export", "/operations/export?format=xml",
		"/operations/export?format=csv&q=foo:1", "/operations/export?format=csv&retStatus=done",
	} {
		if a := b.want(http.StatusBadRequest, "GET", path, nil); a.code() != codeInvalid {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	for _, id := range []string{"0", "99999", "x", "-1", "01", "99999999999999999999999"} {
		if a := b.want(http.StatusNotFound, "GET", "/operations/"+id, nil); a.code() != codeNotFound {
			t.Errorf("%s: %s", id, a.body)
		}
	}
}

func TestOperationsAreExported(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	nasty := []string{"=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\tx", "quote\" comma, line\nbreak", "<b>&"}
	for _, target := range nasty {
		s.record(control.Entry{LogType: "service.stop", Target: target, Actor: "x", Detail: target})
	}
	unseen := s.log.Unseen()
	a := b.want(200, "GET", "/operations/export?format=csv", nil)
	count := into[OperationsReply](t, b.want(200, "GET", "/operations?limit=200", nil))
	if kind := a.Header.Get("Content-Type"); kind != "text/csv; charset=utf-8" || !strings.Contains(a.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("headers: %v", a.Header)
	}
	rows, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != count.Total+1 || rows[0][3] != "target" || rows[0][8] != "detail" {
		t.Fatalf("%d rows for %d operations, under %v", len(rows), count.Total, rows[0])
	}
	found := 0
	for _, row := range rows[1:] {
		for i, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
				t.Errorf("column %s holds the formula %q", rows[0][i], cell)
			}
		}
		for _, target := range nasty {
			if row[8] == target || row[8] == "'"+target {
				found++
			}
		}
	}
	if found != len(nasty) {
		t.Errorf("found %d of %d records", found, len(nasty))
	}

	a = b.want(200, "GET", "/operations/export?format=ndjson", nil)
	count = into[OperationsReply](t, b.want(200, "GET", "/operations?limit=200", nil))
	lines := strings.Split(strings.TrimSuffix(string(a.body), "\n"), "\n")
	if len(lines) != count.Total {
		t.Fatalf("%d lines for %d operations", len(lines), count.Total)
	}
	for i, line := range lines {
		var op control.Operation
		if err := json.Unmarshal([]byte(line), &op); err != nil || op.ID != count.Operations[len(lines)-1-i].ID {
			t.Errorf("line %d is %s: %v", i, line, err)
		}
	}

	// An export is recorded, and tells of itself; nobody needs to look at that. One that was refused is not.
	b.want(200, "GET", "/operations/export?format=csv&q=oda&logType=", nil)
	b.want(400, "GET", "/operations/export?format=xml", nil)
	var told []string
	for _, op := range into[OperationsReply](t, b.want(200, "GET", "/operations?logType=log.export", nil)).Operations {
		told = append(told, op.Actor+" "+op.Target+" "+string(op.LogStatus)+": "+op.Message)
	}
	want := []string{"ann csv seen: a part of the log was exported", "ann ndjson seen: all of the log was exported", "ann csv seen: all of the log was exported"}
	if !slices.Equal(told, want) || s.log.Unseen() != unseen {
		t.Errorf("the records of the exports are %q, want %q; %d are unseen, want %d", told, want, s.log.Unseen(), unseen)
	}
	t.Logf("row 13: %d hostile texts exported as CSV: no cell is a formula", len(nasty))
}

func TestOperationsAreExportedByTheirFilter(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	for _, target := range []string{"nginx.service", "ssh.service"} {
		s.failed(control.Entry{LogType: "service.stop", Target: target, Actor: "x"})
		s.record(control.Entry{LogType: "service.start", Target: target, Actor: "x"})
	}
	for query, want := range map[string]int{
		"q=nginx": 2, "logType=service.stop": 2, "retStatus=failed": 2, "q=nginx&retStatus=failed&logType=service.stop&logStatus=new": 1, "q=apache": 0,
	} {
		lines := strings.Count(string(b.want(200, "GET", "/operations/export?format=ndjson&"+query, nil).body), "\n")
		if lines != want {
			t.Errorf("%s: %d lines, want %d", query, lines, want)
		}
		if rows, err := csv.NewReader(strings.NewReader(string(b.want(200, "GET", "/operations/export?format=csv&"+query, nil).body))).ReadAll(); err != nil || len(rows) != want+1 {
			t.Errorf("%s: %d rows: %v", query, len(rows), err)
		}
	}
}

// failed records an act that failed.
func (s *testServer) failed(e control.Entry) {
	s.t.Helper()
	op, err := s.log.Begin(e)
	if err == nil {
		_, err = s.log.Finish(op.ID, control.Outcome{RetStatus: control.Failed})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestActivityOfADay(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("vic", Viewer)
	before := into[ActivityReply](t, b.want(200, "GET", "/operations/activity", nil)).Hours
	s.record(control.Entry{LogType: "service.start", Target: "a", Actor: "x"})
	s.record(control.Entry{LogType: "user.add", Target: "b", Actor: "x"})
	s.failed(control.Entry{LogType: "command.run", Target: "c", Actor: "x"})
	s.failed(control.Entry{LogType: "session.denied", Target: "d", Actor: "d"})
	s.failed(control.Entry{LogType: "service.failed", Target: "a"})
	s.record(control.Entry{LogType: "process.environment", Target: "7:42"})
	hours := into[ActivityReply](t, b.want(200, "GET", "/operations/activity", nil)).Hours
	if len(hours) != 24 || hours[23].Start.Minute() != 0 || hours[23].Start.Sub(hours[0].Start) != 23*time.Hour {
		t.Fatalf("hours: %+v", hours)
	}
	sum := func(hours []ActivityHour) (total ActivityHour) {
		for _, h := range hours {
			total.Acts, total.Other, total.Failed = total.Acts+h.Acts, total.Other+h.Other, total.Failed+h.Failed
		}
		return total
	}
	if was, is := sum(before), sum(hours); is.Acts != was.Acts+2 || is.Failed != was.Failed+1 || is.Other != was.Other+4 {
		t.Errorf("%+v became %+v", was, is)
	}
	// A day later none of it is left; seen from a day before, all of it is in the hour that goes on.
	later, err := activity(t.Context(), s.log, time.Now().Add(25*time.Hour))
	if err != nil || sum(later) != (ActivityHour{}) {
		t.Errorf("a day later: %+v, %v", later, err)
	}
	earlier, err := activity(t.Context(), s.log, time.Now().Add(-25*time.Hour))
	if err != nil || sum(earlier) != sum(hours) || earlier[23].Acts != sum(hours).Acts {
		t.Errorf("a day before: %+v, %v", earlier, err)
	}
}

func TestFirstWord(t *testing.T) {
	for line, want := range map[string]string{
		"": "", "ls": "ls", " ls  -l": "ls", `"my tool" x`: `"my tool"`, `'it is' x`: `'it is'`, `my\ tool x`: `my\ tool`,
		"a\tb": "a", "a\nsecret": "a", `'a\' secret`: `'a\'`, `a"b c"d e`: `a"b c"d`, "\u3000x\u3000y": "x",
	} {
		if got := firstWord(line); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
}

// TestAnExportAsksForTime: an export may take longer than an answer may, as long as its reader goes on reading.
func TestAnExportAsksForTime(t *testing.T) {
	s := startServer(t)
	s.db.NoSync = true
	for i := range 2*exportChunk + 1 {
		s.record(control.Entry{LogType: "service.stop", Target: fmt.Sprint(i)})
	}
	for _, format := range []string{"csv", "ndjson"} {
		asked := 0
		err := exportLog(t.Context(), s.log, control.Filter{}, format, bufio.NewWriter(io.Discard), func() error { asked++; return nil })
		if err != nil || asked != 2 {
			t.Errorf("%s: asked for time %d times, want 2 (%v)", format, asked, err)
		}
		gone := errors.New("the reader is gone")
		if err := exportLog(t.Context(), s.log, control.Filter{}, format, bufio.NewWriter(io.Discard), func() error { return gone }); err != gone {
			t.Errorf("%s: %v, want it to end", format, err)
		}
	}
}

func TestHungUp(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, sends := range []string{"", "more"} { // what it sent before it went does not hide that
		client, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Write([]byte(sends)); err != nil {
			t.Fatal(err)
		}
		if hungUp(conn) || hungUp(tls.Server(conn, nil)) {
			t.Error("a client that is there has gone")
		}
		client.Close()
		for deadline := time.Now().Add(20 * time.Second); !hungUp(conn) || !hungUp(tls.Server(conn, nil)); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("a client that has gone is there")
			}
		}
		conn.Close()
	}
}
