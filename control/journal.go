package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// JournalLine is one entry of the system journal.
type JournalLine struct {
	Time     time.Time `json:"time"`
	Priority int       `json:"priority"` // syslog(3): 0 emergency … 7 debug
	PID      int       `json:"pid"`
	Program  string    `json:"program"`
	Text     string    `json:"text"`

	invocation string // of the unit that wrote it, or that it is about
	jobResult  string // where it is what systemd says of a job's end
	end        ending // where it is what systemd says of a process's end, or that a unit ended well; its code is 0 elsewhere
	boot       string // the boot that it was written in
}

const (
	journalTimeout = 3 * time.Second
	maxJournal     = 1 << 20
	reasonLines    = 20
)

// journal reads the system journal by journalctl(1): its files are read by a C library only, or by this.
type journal struct {
	root string
}

// ofInvocation are the last lines of one run of a unit: its own, and what systemd says of it. Of a process that ends at
// once, the journal may know the unit but no longer the run: such lines count if they are not older than since. What a line says it is
// about (INVOCATION_ID) is believed of root alone: any user can write that.
func (j journal) ofInvocation(ctx context.Context, unit, id string, since time.Time) ([]JournalLine, error) {
	var own []JournalLine
	for try := 0; ; try++ {
		whole := j.sync(ctx)
		lines, err := j.read(ctx, 5*reasonLines, "_SYSTEMD_INVOCATION_ID="+id, "+", "INVOCATION_ID="+id, "_UID=0", "+", "_SYSTEMD_UNIT="+unit)
		if err != nil {
			return nil, err
		}
		own = own[:0]
		for _, l := range lines {
			if l.invocation == id || l.invocation == "" && !l.Time.Before(since) {
				own = append(own, l)
			}
		}
		if whole || len(ofProcesses(own, since)) > 0 || try > 0 || ctx.Err() != nil {
			return own[max(0, len(own)-reasonLines):], nil
		}
		time.Sleep(50 * time.Millisecond) // what a process writes may get there after what systemd says of its end
	}
}

// jobResult is what systemd wrote down of the end of a job of a unit, the last one or that of a number, not before since; "" if it did not.
func (j journal) jobResult(ctx context.Context, unit, job string, since time.Time) string {
	j.sync(ctx)
	matches := []string{"_PID=1", "UNIT=" + unit}
	if job != "" {
		matches = append(matches, "JOB_ID="+job)
	}
	lines, _ := j.read(ctx, reasonLines, matches...)
	for _, l := range slices.Backward(lines) {
		if l.jobResult != "" && !l.Time.Before(since) {
			return l.jobResult
		}
	}
	return ""
}

// exitOf is how the main process of a unit ended, as systemd wrote it down, not before since; known is false if it did not.
func (j journal) exitOf(ctx context.Context, unit string, since time.Time) (end ending, known bool) {
	j.sync(ctx)
	lines, _ := j.read(ctx, reasonLines, "_PID=1", "UNIT="+unit)
	for _, l := range lines { // the process's end comes first, and says more than the unit's
		if l.end.code != 0 && !l.Time.Before(since) {
			return l.end, true
		}
	}
	return ending{}, false
}

// sync has journald take in what has been written to it, and tells whether it did. Else the last lines may be missing.
func (j journal) sync(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", filepath.Join(j.root, "run/systemd/journal/io.systemd.journal"))
	if err != nil {
		return false
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	// A varlink call and its answer each end with a zero byte.
	if _, err := conn.Write([]byte(`{"method":"io.systemd.Journal.Synchronize"}` + "\x00")); err != nil {
		return false
	}
	text, err := bufio.NewReader(io.LimitReader(conn, 64<<10)).ReadBytes(0)
	var answer struct{ Error string }
	return err == nil && json.Unmarshal(text[:len(text)-1], &answer) == nil && answer.Error == ""
}

func (j journal) read(ctx context.Context, lines int, matches ...string) ([]JournalLine, error) {
	ctx, cancel := context.WithTimeout(ctx, journalTimeout)
	defer cancel()
	cmd, err := j.command(ctx, append([]string{"--lines=" + strconv.Itoa(lines)}, matches...)...)
	if err != nil {
		return nil, err
	}
	var stderr boundedBuffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the journal: %w", err)
	}
	var list []JournalLine
	size := 0
	journalPieces(out, func(piece []JournalLine) {
		for _, l := range piece {
			size += len(l.Text)
		}
		for list = append(list, piece...); size > maxJournal; list = list[1:] { // the end is what is wanted
			size -= len(list[0].Text)
		}
	})
	if err := cmd.Wait(); err != nil {
		if text := oneLine(stderr.String(), maxMessage); text != "" {
			err = errors.New(text)
		}
		return nil, fmt.Errorf("cannot read the journal: %w", err)
	}
	return list, nil
}

// command is journalctl with its output as JSON, to be killed when ctx ends.
func (j journal) command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	program, err := lookPath("journalctl")
	if err != nil {
		return nil, fmt.Errorf("cannot read the journal: %w", err)
	}
	all := []string{"--quiet", "--no-pager", "--output=json", "--all", "--output-fields=" + journalFields}
	if j.root != "/" {
		all = append(all, "--root="+j.root)
	}
	cmd := exec.CommandContext(ctx, program, append(all, args...)...)
	cmd.Dir, cmd.Env = "/", scriptEnv()
	return cmd, nil
}

// journalFields are those that parseJournalLine reads, beside the few that journalctl always gives: most of a line is in others.
const journalFields = "PRIORITY,_PID,SYSLOG_IDENTIFIER,_COMM,MESSAGE,_SYSTEMD_INVOCATION_ID,INVOCATION_ID,JOB_RESULT,MESSAGE_ID,EXIT_CODE,EXIT_STATUS"

// unitSuccess is the MESSAGE_ID of what systemd says of a unit that ended well (sd-messages.h).
const unitSuccess = "7ad2d189f7e94e70a38c781354912448"

// endings are the words of EXIT_CODE.
var endings = map[string]int{"exited": cldExited, "killed": cldKilled, "dumped": cldDumped}

// parseJournalLine reads one object of journalctl's JSON.
func parseJournalLine(b []byte) (JournalLine, bool) {
	var raw struct {
		Time     string          `json:"__REALTIME_TIMESTAMP"`
		Priority json.RawMessage `json:"PRIORITY"`
		PID      json.RawMessage `json:"_PID"`
		Program  json.RawMessage `json:"SYSLOG_IDENTIFIER"`
		Comm     json.RawMessage `json:"_COMM"`
		Message  json.RawMessage `json:"MESSAGE"`
		By       json.RawMessage `json:"_SYSTEMD_INVOCATION_ID"`
		About    json.RawMessage `json:"INVOCATION_ID"`
		Job      json.RawMessage `json:"JOB_RESULT"`
		Kind     json.RawMessage `json:"MESSAGE_ID"`
		Code     json.RawMessage `json:"EXIT_CODE"`
		Status   json.RawMessage `json:"EXIT_STATUS"`
		Boot     string          `json:"_BOOT_ID"`
	}
	if json.Unmarshal(b, &raw) != nil {
		return JournalLine{}, false
	}
	micros, err := strconv.ParseInt(raw.Time, 10, 64)
	if err != nil {
		return JournalLine{}, false
	}
	l := JournalLine{Time: time.UnixMicro(micros).UTC(), Priority: 6, Text: shorten(plain(journalText(raw.Message)), maxTarget)}
	if n, err := strconv.Atoi(journalText(raw.Priority)); err == nil {
		l.Priority = n
	}
	l.jobResult, l.boot = journalText(raw.Job), raw.Boot
	if journalText(raw.Kind) == unitSuccess {
		l.end.code = cldExited
	} else if status, err := strconv.Atoi(journalText(raw.Status)); err == nil {
		l.end.code, l.end.status = endings[journalText(raw.Code)], status
	}
	l.PID, _ = strconv.Atoi(journalText(raw.PID))
	if l.Program = oneLine(journalText(raw.Program), maxName); l.Program == "" {
		l.Program = oneLine(journalText(raw.Comm), maxName)
	}
	if l.invocation = journalText(raw.About); l.invocation == "" || l.PID != 1 {
		l.invocation = journalText(raw.By)
	}
	return l, true
}

// journalText reads a field: a string, an array of bytes where it is not UTF-8, or an array of such where there are
// several, of which the first counts.
func journalText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var numbers []int
	if json.Unmarshal(raw, &numbers) == nil {
		b := make([]byte, len(numbers))
		for i, n := range numbers {
			b[i] = byte(n)
		}
		return strings.ToValidUTF8(string(b), "?")
	}
	var several []json.RawMessage
	if json.Unmarshal(raw, &several) == nil && len(several) > 0 {
		return journalText(several[0])
	}
	return ""
}

// lookPath finds a program on the fixed path, whatever this process's own is.
func lookPath(name string) (string, error) {
	for dir := range strings.SplitSeq(fixedPath, ":") {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no program %s in %s", name, fixedPath)
}
