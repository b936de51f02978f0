package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

// signals are those that may be sent, signal(7).
var signals = map[string]unix.Signal{
	"TERM": unix.SIGTERM, "KILL": unix.SIGKILL, "HUP": unix.SIGHUP, "INT": unix.SIGINT,
	"USR1": unix.SIGUSR1, "USR2": unix.SIGUSR2, "STOP": unix.SIGSTOP, "CONT": unix.SIGCONT,
}

// Signal sends a signal, named without "SIG", to the process that has the PID and began at startTime, in clock ticks after
// boot (proc(5), stat field 22), and returns its record, which is complete by then. It hits no other process: one that got the PID
// later has another start time, unless it began within the same tick of 10 ms.
//
// ErrInvalid: no such signal. ErrNotFound: no process has the PID. ErrConflict: another process has it, or it is one that topdeck
// does not signal: itself, or PID 1. The record tells when a service will start the process again; whose it is and its
// command line are its detail. Any other error means that there could be no record: then nothing was sent.
func (m *Manager) Signal(who Who, pid int, startTime uint64, name string) (Operation, error) {
	signal, ok := signals[name]
	switch {
	case !ok:
		return Operation{}, &failure{ErrInvalid, fmt.Sprintf("cannot send %s; a signal must be one of TERM, KILL, HUP, INT, USR1, USR2, STOP, CONT", oneLine(name, 40))}
	case pid <= 0:
		return Operation{}, &failure{ErrInvalid, fmt.Sprintf("cannot signal process %d: that is not the PID of a process", pid)}
	case pid == 1:
		return Operation{}, &failure{ErrConflict, "cannot signal process 1: the host stands on it"}
	case pid == os.Getpid():
		return Operation{}, &failure{ErrConflict, "cannot signal topdeck itself; stop its service instead"}
	}
	if m.log == nil || m.ctx.Err() != nil {
		return Operation{}, &failure{ErrUnavailable, "cannot act any more: topdeck is ending"}
	}
	// From here on, fd is one process and stays that one, whatever becomes of its PID.
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) { // gone, or the PID of a thread
		return Operation{}, &failure{ErrNotFound, fmt.Sprintf("there is no process %d any more", pid)}
	}
	if err != nil {
		return Operation{}, fmt.Errorf("cannot open process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	detail := m.described(pid) // before it is known to be the one that is meant: what has its PID after that, had it here
	began, comm, err := m.processStart(pid)
	if err != nil {
		return Operation{}, &failure{ErrNotFound, fmt.Sprintf("there is no process %d any more", pid)}
	}
	if began != startTime {
		return Operation{}, &failure{ErrConflict, fmt.Sprintf("process %d is another one by now: %s", pid, comm)}
	}
	op, err := m.log.Begin(Entry{
		LogType: "process.signal", Target: fmt.Sprintf("%d:%d", pid, startTime), Actor: who.Actor, Source: who.Source,
		Message: fmt.Sprintf("SIG%s to process %d (%s)", name, pid, comm), Detail: detail,
	})
	if err != nil {
		return Operation{}, err
	}
	o := Outcome{RetStatus: Succeeded, Message: fmt.Sprintf("sent SIG%s to process %d (%s)", name, pid, comm)}
	if m.ignores(pid, signal) {
		o.Message += "; it ignores that signal"
	} else {
		o.Message += m.revived(pid, name)
	}
	if err := unix.PidfdSendSignal(fd, signal, nil, 0); err != nil {
		o = Outcome{RetStatus: Failed, Message: fmt.Sprintf("cannot send SIG%s to process %d (%s): %s", name, pid, comm, signalWords(err))}
	}
	ended, err := m.log.Finish(op.ID, o)
	if err != nil { // it was sent all the same; the log writes its outcome when it can
		m.logger.Error(err.Error(), "operation", op.ID, "outcome", o.Message)
		return op, nil
	}
	return ended, nil
}

// ignores tells whether a process does nothing about a signal: some programs choose so for some, threads of the kernel do for all. Source: SigIgn of
// proc_pid_status(5).
func (m *Manager) ignores(pid int, signal unix.Signal) bool {
	ignored, err := strconv.ParseUint(m.processStatus(pid, "SigIgn"), 16, 64)
	return err == nil && ignored>>(signal-1)&1 == 1
}

// processStatus is what a line of a process's status tells, proc_pid_status(5); "" where it cannot be read.
func (m *Manager) processStatus(pid int, name string) string {
	b, err := os.ReadFile(filepath.Join(m.root, "proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return ""
	}
	_, text, _ := strings.Cut(string(b), "\n"+name+":")
	text, _, _ = strings.Cut(text, "\n")
	return strings.TrimSpace(text)
}

// cmdlineTimeout is how long a signal may wait for the command line of its process.
const cmdlineTimeout = 300 * time.Millisecond

// described tells whose process has the PID, and its command line, a line each: nothing tells that once it has ended. What cannot be
// read is left out.
func (m *Manager) described(pid int) string {
	var text strings.Builder
	if name := m.processUser(pid); name != "" {
		fmt.Fprintf(&text, "user: %s\n", name)
	}
	line := make(chan string, 1)
	go func() { line <- m.processLine(pid) }() // the memory of a process may be locked for as long as it hangs
	select {
	case words := <-line:
		if words != "" {
			fmt.Fprintf(&text, "command line: %s\n", words)
		}
	case <-time.After(cmdlineTimeout):
	}
	return text.String()
}

// processUser is the name of the effective user of a process, or its number.
func (m *Manager) processUser(pid int) string {
	fields := strings.Fields(m.processStatus(pid, "Uid")) // real, effective, saved, file system
	if len(fields) < 2 {
		return ""
	}
	if u, err := user.LookupId(fields[1]); err == nil {
		return oneLine(u.Username, maxName)
	}
	return fields[1]
}

// processLine is the command line of a process, its arguments joined by spaces, on one line of at most maxTarget bytes.
func (m *Manager) processLine(pid int) string {
	f, err := os.Open(filepath.Join(m.root, "proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return ""
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, maxTarget+1)) // what was read before an error is what there is
	return oneLine(strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) { // also what would turn the direction of the text
			return ' '
		}
		return r
	}, string(b)), maxTarget)
}

// reviveTimeout is how long a signal may wait for the answer to whether its process will be started again.
const reviveTimeout = 300 * time.Millisecond

// revived says that a signal will not do what is wanted by it, and what will, or nothing.
func (m *Manager) revived(pid int, signal string) string {
	ctx, cancel := context.WithTimeout(m.ctx, reviveTimeout)
	defer cancel()
	for _, b := range m.backends {
		if service := b.revives(ctx, pid, signal); service != "" {
			if signal == "KILL" {
				return fmt.Sprintf("; %s starts it again: stop the service instead", service)
			}
			return fmt.Sprintf("; if that ends it, %s starts it again: stop the service instead", service)
		}
	}
	return ""
}

func (s *sysv) revives(context.Context, int, string) string { return "" }

func (s *systemd) revives(ctx context.Context, pid int, signal string) string {
	s.mu.Lock()
	i := slices.IndexFunc(s.units, func(u unit) bool { return u.MainPID == pid })
	if i < 0 || s.conn == nil {
		s.mu.Unlock()
		return ""
	}
	name := s.units[i].Name
	p := properties1{ctx: ctx, conn: s.conn, path: s.units[i].path}
	s.mu.Unlock()
	if restarts(p.text(sdService, "Restart"), signal) {
		return name
	}
	return ""
}

// restarts tells whether systemd restarts a service with this Restart= whose main process is ended by a signal,
// systemd.service(5), table 1. TERM, HUP and INT count as a clean end.
func restarts(policy, signal string) bool {
	clean := signal == "TERM" || signal == "HUP" || signal == "INT"
	switch policy {
	case "always":
		return signal != "STOP" && signal != "CONT"
	case "on-success":
		return clean
	case "on-failure", "on-abnormal", "on-abort":
		return !clean && signal != "STOP" && signal != "CONT"
	}
	return false
}

func signalWords(err error) string {
	switch {
	case errors.Is(err, unix.ESRCH):
		return "it has ended"
	case errors.Is(err, unix.EPERM):
		return "topdeck has no right to; it needs to run as root"
	}
	return err.Error()
}

// processStart reads the start time and the name of a process.
func (m *Manager) processStart(pid int) (start uint64, comm string, err error) {
	b, err := os.ReadFile(filepath.Join(m.root, "proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, "", err
	}
	return parseStat(string(b))
}

// parseStat reads proc(5)'s stat. The name may hold anything, also spaces and parentheses: the last one ends it.
func parseStat(stat string) (start uint64, comm string, err error) {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return 0, "", errors.New("cannot read the state of a process")
	}
	fields := strings.Fields(stat[end+1:])
	if len(fields) < 20 { // the first of them is field 3
		return 0, "", errors.New("cannot read the state of a process")
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return start, oneLine(stat[open+1:end], maxName), err
}
