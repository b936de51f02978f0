package control

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
)

const (
	maxReading = 64  // journals that are followed at once
	maxPiece   = 200 // lines given at once
)

var errNoJournal = errors.New("there is no journal on a host without systemd; scripts write to files of their own")

// FollowJournal calls f with the end of the journal of one service, at most lines of it, and then with what is written to it,
// in order, oldest first, at most 200 lines at a time. It returns when ctx ends, with its error, and calls f no more
// then. f is not called where there is nothing; while it runs, nothing is read, so nothing is lost. name is as for ServiceAction.
//
// ErrNotFound: no such service. ErrInvalid: lines is not from 0 to 5000. ErrTooMany: too many journals are followed already.
// ErrUnavailable: there is no journal, it cannot be read any more, or the Manager was closed.
func (m *Manager) FollowJournal(ctx context.Context, name string, lines int, f func([]JournalLine)) error {
	b, id, err := m.resolve(ctx, name)
	if err != nil {
		return err
	}
	if lines < 0 || lines > maxJournalLines {
		return &failure{ErrInvalid, fmt.Sprintf("cannot give %d lines of the journal; it must be from 0 to %d", lines, maxJournalLines)}
	}
	m.mu.Lock()
	if m.reading >= maxReading {
		m.mu.Unlock()
		return &failure{ErrTooMany, fmt.Sprintf("cannot follow more than %d journals at once; close some of them", maxReading)}
	}
	m.reading++
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.reading--
		m.mu.Unlock()
	}()
	either, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(m.ctx, cancel)()
	err = b.followJournal(either, id, lines, f)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case m.ctx.Err() != nil:
		return &failure{ErrUnavailable, "cannot follow the journal any more: topdeck is ending"}
	}
	return &failure{ErrUnavailable, err.Error()}
}

// journalOf matches what a unit wrote, what systemd says of it, and what others of this host's root do, as journalctl --unit does.
func journalOf(id string) []string {
	return []string{"_SYSTEMD_UNIT=" + id, "+", "UNIT=" + id, "_PID=1", "+", "OBJECT_SYSTEMD_UNIT=" + id, "_UID=0"}
}

func (s *systemd) followJournal(ctx context.Context, id string, lines int, f func([]JournalLine)) error {
	return s.journal.follow(ctx, lines, f, journalOf(id)...)
}

func (s *sysv) followJournal(context.Context, string, int, func([]JournalLine)) error {
	return errNoJournal
}

// follow runs journalctl until ctx ends. It never returns nil.
func (j journal) follow(ctx context.Context, lines int, f func([]JournalLine), matches ...string) error {
	args := []string{"--follow", "--lines=" + strconv.Itoa(lines)}
	// journalctl follows the boot that the kernel names. In a container the journal may know it by another name, which the
	// container has put over the kernel's file, and which the mounts of a unit's sandbox may uncover.
	if last, err := j.read(ctx, 1); err == nil && len(last) > 0 && last[0].boot != "" {
		args = append(args, "--boot="+last[0].boot)
	}
	cmd, err := j.command(ctx, append(args, matches...)...)
	if err != nil {
		return err
	}
	var stderr boundedBuffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return fmt.Errorf("cannot read the journal: %w", err)
	}
	journalPieces(out, func(piece []JournalLine) {
		if ctx.Err() == nil {
			f(piece)
		}
	})
	err = cmd.Wait()
	if text := oneLine(stderr.String(), maxMessage); text != "" {
		err = errors.New(text)
	}
	if err == nil {
		err = errors.New("journalctl ended")
	}
	return fmt.Errorf("cannot read the journal: %w", err)
}

// journalPieces reads journalctl's JSON as it comes, until its end. What has come is given before more is waited for. A line
// that is too long or cannot be read is passed over.
func journalPieces(r io.Reader, f func([]JournalLine)) {
	in := bufio.NewReaderSize(r, 64<<10)
	var line []byte
	var piece []JournalLine
	for {
		part, err := in.ReadSlice('\n')
		if len(line) <= maxJournal { // else what is kept of it is passed over at its end
			line = append(line, part...)
		}
		if err == nil {
			if l, ok := parseJournalLine(line); ok && len(line) <= maxJournal {
				piece = append(piece, l)
			}
			if line = line[:0]; cap(line) > 64<<10 {
				line = nil
			}
		}
		waiting, _ := in.Peek(in.Buffered())
		if len(piece) == maxPiece || len(piece) > 0 && bytes.IndexByte(waiting, '\n') < 0 {
			f(piece)
			piece = nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}
