package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"topdeck/collector"
	"topdeck/control"
)

const testPassword = "correct horse battery"

// signIn makes an account and returns the Cookie header of a session of it.
func signIn(t *testing.T, s *served, dir, name, role string) string {
	t.Helper()
	if code, _, stderr := outcome(t, testPassword+"\n", "user", "add", name, "--role", role, "--data", dir); code != 0 {
		t.Fatalf("user add: %s", stderr)
	}
	r, err := s.post("/api/v1/session", map[string]string{"username": name, "password": testPassword})
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("sign-in: %v %v", r, err)
	}
	return r.Cookies()[0].Name + "=" + r.Cookies()[0].Value
}

// page is one live connection.
type page struct {
	t    testing.TB
	conn *websocket.Conn
}

func open(t *testing.T, s *served, cookie string) *page {
	t.Helper()
	return openAt(t, s.url, cookie)
}

func openAt(t testing.TB, url, cookie string) *page {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"topdeck.v1"}}
	conn, _, err := dialer.Dial("ws"+strings.TrimPrefix(url, "http")+"/api/v1/live", http.Header{"Cookie": {cookie}, "Origin": {url}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &page{t, conn}
}

func (p *page) watch(id, topic, q string) {
	p.t.Helper()
	err := p.conn.WriteJSON(map[string]any{"watch": map[string]string{"id": id, "topic": topic, "q": q}})
	if err != nil {
		p.t.Fatal(err)
	}
}

// message is the union of what the tests below read.
type message struct {
	Type           string
	ID             string
	View, Seq      uint64
	Total, Matched int
	Rows, Upsert   []collector.Process
	Remove         []string
	Operation      control.Operation
	Unseen         int
	Ended          []struct {
		Key      string
		ExitCode *int
		Row      *collector.Process
	}
}

func (p *page) next() (m message, err error) {
	p.t.Helper()
	if err := p.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		p.t.Fatal(err)
	}
	_, text, err := p.conn.ReadMessage()
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	return m, err
}

func key(p collector.Process) string { return fmt.Sprintf("%d:%d", p.PID, p.StartTime) }

// follower keeps the rows of one view by the contract's rules.
type follower struct {
	view, seq uint64
	rows      map[string]collector.Process
	ended     map[int]*int // by PID, with the exit code
}

func (f *follower) apply(t *testing.T, m message) {
	t.Helper()
	switch {
	case m.Type == "watching":
		f.view = m.View
	case m.View != f.view:
	case m.Type == "snapshot":
		f.rows = map[string]collector.Process{}
		for _, row := range m.Rows {
			f.rows[key(row)] = row
		}
		f.seq = m.Seq
	case m.Type == "delta":
		if m.Seq != f.seq+1 {
			t.Fatalf("delta %d after %d", m.Seq, f.seq)
		}
		f.seq = m.Seq
		for _, k := range m.Remove {
			if _, ok := f.rows[k]; !ok {
				t.Errorf("delta %d removes %s, which was not there", m.Seq, k)
			}
			delete(f.rows, k)
		}
		for _, row := range m.Upsert {
			f.rows[key(row)] = row
		}
		for _, e := range m.Ended {
			pid, _ := strconv.Atoi(strings.Split(e.Key, ":")[0])
			f.ended[pid] = e.ExitCode
		}
		if len(f.rows) != m.Matched {
			t.Errorf("after delta %d there are %d rows, the server says %d", m.Seq, len(f.rows), m.Matched)
		}
	}
}

// TestLiveViewUnderChurn follows snapshot and deltas while a thousand processes are born and end, and compares the
// result with ps.
func TestLiveViewUnderChurn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := serve(t, dir, "--interval", "250ms")
	p := open(t, s, signIn(t, s, dir, "ada", "admin"))
	p.watch("p", "processes", "")

	f := follower{ended: map[int]*int{}}
	for f.rows == nil { // births are told from the first snapshot on
		m, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		f.apply(t, m)
	}
	births := make(chan map[int]int) // PID to exit code
	go func() {
		codes := map[int]int{}
		for i := range 1000 {
			cmd := exec.Command("/bin/sh", "-c", "exit "+strconv.Itoa(i%7))
			if cmd.Start() == nil {
				_ = cmd.Wait() // a non-zero exit is meant
				codes[cmd.Process.Pid] = cmd.ProcessState.ExitCode()
			}
		}
		births <- codes
	}()

	var codes map[int]int
	for settle := 0; codes == nil || settle < 4; {
		select {
		case codes = <-births:
		default:
		}
		m, err := p.next()
		if err != nil {
			t.Fatal(err)
		}
		f.apply(t, m)
		if codes != nil && (m.Type == "delta" || m.Type == "snapshot") {
			settle++
		}
	}

	out, err := exec.Command("ps", "-eo", "pid=,etimes=,comm=").Output()
	if err != nil {
		t.Fatal(err)
	}
	listed := map[int]bool{}
	for _, row := range f.rows {
		listed[row.PID] = true
	}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pid, _ := strconv.Atoi(fields[0])
		seconds, _ := strconv.Atoi(fields[1])
		if !listed[pid] && seconds > 5 { // others may have been born since the last delta
			t.Errorf("process %d (%s), %d seconds old, is not in the view of %d", pid, fields[2], seconds, len(f.rows))
		}
	}

	seen, wrong := 0, 0
	for pid, code := range codes {
		if listed[pid] {
			t.Errorf("process %d has ended and is still in the view", pid)
		}
		if got, ok := f.ended[pid]; ok {
			seen++
			if got != nil && *got != code {
				wrong++
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d exit codes are wrong", wrong)
	}
	if reason := endsUnknown(t); reason != "" {
		t.Logf("the kernel tells no births and deaths here: %s", reason)
	} else if seen < len(codes)*99/100 {
		t.Errorf("%d of %d short-lived processes were told as ended", seen, len(codes))
	}
	s.stop(t)
}

// endsUnknown tells why the proc connector cannot be used here, or nothing when it can.
func endsUnknown(t *testing.T) string {
	t.Helper()
	_, stdout, _ := outcome(t, "", "sample", "--part", "processes", "--count", "1")
	var line sampleLine
	if err := json.Unmarshal([]byte(stdout), &line); err != nil {
		t.Fatal(err)
	}
	return line.Errors["events"]
}

// TestEndsWell wants every page told 1001 on SIGTERM, the program gone within five seconds, and a session that outlives
// the restart.
func TestEndsWell(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := serve(t, dir)
	cookie := signIn(t, s, dir, "ada", "admin")
	pages := []*page{open(t, s, cookie), open(t, s, cookie), open(t, s, cookie)}
	pages[0].watch("s", "summary", "")
	if took := s.stop(t); took > closeTime {
		t.Errorf("SIGTERM took %v", took)
	}
	for i, p := range pages {
		var err error
		for err == nil {
			_, err = p.next()
		}
		if !websocket.IsCloseError(err, websocket.CloseGoingAway) {
			t.Errorf("page %d was closed with %v, not 1001", i, err)
		}
	}
	_, token, _ := strings.Cut(cookie, "=")
	s = serve(t, dir)
	p := open(t, s, "topdeck-"+s.url[strings.LastIndexByte(s.url, ':')+1:]+"="+token) // the port is another one, and in the name
	if m, err := p.next(); err != nil || m.Type != "hello" {
		t.Errorf("after the restart the first message is %v %v", m, err)
	}
	s.stop(t)
}

// TestSlowPageDelaysNobody leaves a page unread while another watches the same view.
func TestSlowPageDelaysNobody(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := serve(t, dir, "--interval", "100ms")
	cookie := signIn(t, s, dir, "ada", "admin")
	slow, quick := open(t, s, cookie), open(t, s, cookie)
	slow.watch("p", "processes", "")
	quick.watch("p", "processes", "")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for deltas := 0; deltas < 20; {
		m, err := quick.next()
		if err != nil || ctx.Err() != nil {
			t.Fatalf("after %d deltas: %v %v", deltas, err, ctx.Err())
		}
		if m.Type == "delta" {
			deltas++
		}
	}
	// The slow page, when it reads again, is whole: each delta fits, or a snapshot starts anew.
	f := follower{ended: map[int]*int{}}
	for range 20 {
		m, err := slow.next()
		if err != nil {
			t.Fatal(err)
		}
		f.apply(t, m)
	}
	s.stop(t)
}
