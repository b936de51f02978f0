package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	commandTimeout    = time.Minute // when none is asked for
	maxCommandTimeout = time.Hour
	maxCommand        = 16 << 10
	maxCommands       = 8  // at once
	keptCommands      = 32 // whose output is kept, after they ended
)

// command is one that runs, or whose output is still kept.
type command struct {
	output output
}

// order is what is to be run: for which operation, the program, and its arguments from the zeroth on.
type order struct {
	id, path string
	args     []string
}

// ending is how the process that was run ended, waitid(2), and what became of those that it left running, "" if there were none.
type ending struct {
	code, status int
	left         string
}

// runner is a way to run commands.
type runner interface {
	// ready tells why nothing can be run, nil if it can.
	ready() error
	// run runs a command to its end, with all that it writes in out. When ctx ends before, everything that the command started is
	// ended, and its ending is zero; an error tells then what could not be, and otherwise why it did not run.
	run(ctx context.Context, o order, out io.Writer) (ending, error)
}

// RunCommand begins a command and returns its record; how it ends is told by the log. It is split into words as by a shell, but
// there is no shell; its first word is a path, or a program on a fixed PATH. It runs as a unit of systemd, or, where none runs
// or topdeck is not root, in a session of its own; with a fixed environment; and is ended with all that it started when
// timeout is over (0: a minute) or Cancel is called. It outlives the request that began it, but not the Manager. What it leaves
// running when it ends by itself is ended by systemd; where none runs it stays, since nothing else could start a daemon there.
//
// ErrInvalid: it is no command. ErrNotFound: no such program. ErrTooMany: too many run already. ErrUnavailable: there is a
// systemd that cannot be reached: what cannot be ended for sure is not begun.
func (m *Manager) RunCommand(who Who, line string, timeout time.Duration) (Operation, error) {
	if timeout == 0 {
		timeout = commandTimeout
	}
	switch {
	case len(line) > maxCommand:
		return Operation{}, &failure{ErrInvalid, fmt.Sprintf("cannot run a command of more than %d bytes", maxCommand)}
	case !utf8.ValidString(line): // neither D-Bus nor the log could hold it as it is
		return Operation{}, &failure{ErrInvalid, "cannot run a command that is not UTF-8"}
	case timeout < time.Second || timeout > maxCommandTimeout:
		return Operation{}, &failure{ErrInvalid, "a command may take from 1 second to 1 hour"}
	}
	words, err := splitWords(line)
	if err != nil {
		return Operation{}, err
	}
	path, name := "", words[0]
	if strings.Contains(name, "/") {
		name = filepath.Join("/", name) // where commands run
		path, err = exec.LookPath(name)
	} else {
		path, err = lookPath(name)
	}
	if err != nil {
		return Operation{}, &failure{ErrNotFound, fmt.Sprintf("cannot run %s: %s", oneLine(name, 200), lookWords(err))}
	}
	if err := m.runner.ready(); err != nil {
		return Operation{}, &failure{ErrUnavailable, fmt.Sprintf("cannot run a command: %v", err)}
	}
	c := &command{}
	if err := m.admit(c); err != nil {
		return Operation{}, err
	}
	begun := make(chan string, 1)
	op, err := m.do(Entry{LogType: "command.run", Target: line, Actor: who.Actor, Source: who.Source}, func(ctx context.Context) (Outcome, func(Operation)) {
		defer m.dismiss(c)
		return c.run(ctx, m.runner, order{<-begun, path, words}, timeout), nil
	})
	if err != nil {
		m.dismiss(c)
		return Operation{}, err
	}
	m.mu.Lock()
	m.commands[op.ID] = c
	m.kept = append(m.kept, op.ID)
	if len(m.kept) > keptCommands+maxCommands { // so there is one that has ended
		i := slices.IndexFunc(m.kept, func(id string) bool { return !m.running[m.commands[id]] })
		delete(m.commands, m.kept[i])
		m.kept = slices.Delete(m.kept, i, i+1)
	}
	m.mu.Unlock()
	begun <- op.ID
	return op, nil
}

// lookWords is why a program was not found, without its path.
func lookWords(err error) string {
	if e, ok := errors.AsType[*exec.Error](err); ok {
		err = e.Err
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	if errors.Is(err, fs.ErrPermission) {
		return "it is no program: nobody may execute it"
	}
	return err.Error()
}

func (m *Manager) admit(c *command) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.running) >= maxCommands {
		return &failure{ErrTooMany, fmt.Sprintf("cannot run more than %d commands at once; wait for one of them, or cancel it", maxCommands)}
	}
	m.running[c] = true
	return nil
}

func (m *Manager) dismiss(c *command) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.running, c)
}

// Which part of an output was not kept.
const (
	LostStart = "start"
	LostEnd   = "end"
)

// Output is what a command has written until now, to both of its outputs, and which part of it was lost, if any. Of the last
// commands the first part is kept, as a rule all of it; of older ones there is what the log keeps: the end.
func (m *Manager) Output(id string) (text, lost string, err error) {
	m.mu.Lock()
	c := m.commands[id]
	m.mu.Unlock()
	if c != nil {
		text, truncated := c.output.text()
		if truncated {
			lost = LostEnd
		}
		return text, lost, nil
	}
	op, err := m.log.Get(id)
	if err == nil && op.LogType != "command.run" {
		err = &failure{ErrNotFound, fmt.Sprintf("operation %s is no command", id)}
	}
	if strings.HasPrefix(op.Detail, "…") {
		lost = LostStart
	}
	return op.Detail, lost, err
}

// Follow calls f with what a command has written, and then with each piece that it writes, in order; with nil when it has
// ended. f must not block, nor keep the piece. stop ends that; it may be called from anywhere but f.
func (m *Manager) Follow(id string, f func(piece []byte)) (stop func(), err error) {
	m.mu.Lock()
	c := m.commands[id]
	m.mu.Unlock()
	if c == nil {
		return nil, &failure{ErrNotFound, fmt.Sprintf("the output of operation %q is not kept", shorten(id, 40))}
	}
	return c.output.follow(f), nil
}

// run runs the command to its end.
func (c *command) run(ctx context.Context, how runner, what order, timeout time.Duration) Outcome {
	defer c.output.end()
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	end, err := how.run(limited, what, &c.output)
	o := Outcome{RetStatus: Failed, Detail: c.output.tail()}
	name := filepath.Base(what.path)
	switch {
	case end.code == cldExited && end.status == 0:
		o.RetStatus, o.ExitCode, o.Message = Succeeded, new(int), name+" ended well"
	case end.code != 0:
		if end.code == cldExited {
			o.ExitCode = &end.status
		}
		o.Message = fmt.Sprintf("%s failed, %s", name, ended(end.code, end.status))
		if line := telling(strings.Split(o.Detail, "\n")); line != "" {
			o.Message += ": " + line
		}
	case canceler(limited) != "":
		o.Message = fmt.Sprintf("%s was canceled by %s", name, canceler(limited))
	case ctx.Err() != nil:
		o.RetStatus, o.Message = Interrupted, name+" was ended, because topdeck ends"
	case limited.Err() != nil:
		o.Message = fmt.Sprintf("%s took more than %s and was ended", name, inWords(timeout))
	default:
		o.Message = fmt.Sprintf("cannot run %s: %v", name, err)
		return o
	}
	if err != nil {
		o.Message += "; " + err.Error()
	} else if end.left != "" {
		o.Message += "; " + end.left
	}
	return o
}
