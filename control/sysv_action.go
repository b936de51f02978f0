package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// scriptTimeout bounds what a script may take for an action.
const scriptTimeout = 90 * time.Second

func (s *sysv) resolve(_ context.Context, name string) (string, error) {
	files, err := s.files()
	if err != nil {
		return "", &failure{ErrUnavailable, err.Error()}
	}
	for _, f := range files {
		if f.Name() == name {
			return name, nil
		}
	}
	return "", nil
}

func (s *sysv) guards(id string) string { return pillars[id] }

// program is what does an action on a script: the script itself, or what changes when it is started.
func (s *sysv) program(id, action string) (path string, args []string, err error) {
	path = s.path(id)
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, err
	}
	switch action {
	case ResetFailed:
		return "", nil, errors.New("that is not for service scripts; start it, or stop it")
	case Reload:
		if knows := s.read(info).knows; knows != nil && !slices.Contains(knows, Reload) {
			return "", nil, errors.New("its script has no branch for that")
		}
	case Enable, Disable:
		if path, err = s.updater(); err != nil {
			return "", nil, err
		}
		if _, registered := s.links(id); action == Enable && !registered {
			return path, []string{id, "defaults"}, nil // which enables it, too
		}
		return path, []string{id, action}, nil
	}
	return path, []string{action}, nil
}

// updater is update-rc.d(8), Debian's, which makes the links that start a script with the host.
func (s *sysv) updater() (string, error) {
	if s.root != "/" {
		return "", errors.New("update-rc.d knows no other root")
	}
	return lookPath("update-rc.d")
}

// actions are those of Actions that can be done with a script as it stands. One that cannot tell how it stands may be asked for anything.
func (s *sysv) actions(sc script, service Service) []string {
	list := []string{}
	add := func(action string, ok bool) {
		if ok {
			list = append(list, action)
		}
	}
	knows := func(action string) bool { return sc.knows == nil || slices.Contains(sc.knows, action) }
	runs, unknown := service.ActiveState == "active", service.ActiveState == "unknown"
	add(Start, knows(Start) && !runs)
	add(Restart, knows(Restart) && (runs || unknown))
	add(Stop, knows(Stop) && (runs || unknown))
	add(Reload, sc.knows != nil && knows(Reload) && (runs || unknown))
	if _, err := s.updater(); err == nil && sc.header {
		add(Enable, service.UnitFileState == "disabled")
		add(Disable, service.UnitFileState == "enabled")
	}
	return list
}

// act runs a script with the action as its argument. Its output is kept; what it leaves running is its daemon, and stays.
func (s *sysv) act(ctx context.Context, id, action string) Outcome {
	program, args, err := s.program(id, action)
	if err != nil {
		return Outcome{RetStatus: Failed, Message: fmt.Sprintf("cannot %s %s: %v", action, id, err)}
	}
	limited, cancel := context.WithTimeout(ctx, scriptTimeout)
	defer cancel()
	var out boundedBuffer
	cmd := exec.CommandContext(limited, program, args...)
	cmd.Dir, cmd.Env = "/", scriptEnv()
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 200 * time.Millisecond // its daemon may hold its output open
	err = cmd.Run()
	s.forget()
	switch {
	case canceler(ctx) != "":
		return Outcome{RetStatus: Failed, Message: fmt.Sprintf("%s: %s was canceled by %s, and its script ended", id, action, canceler(ctx)), Detail: out.String()}
	case ctx.Err() != nil:
		return interrupted(ctx)
	case limited.Err() != nil:
		return Outcome{RetStatus: Failed, Message: fmt.Sprintf("%s: %s took more than %s and was ended", id, action, inWords(scriptTimeout)), Detail: out.String()}
	case cmd.ProcessState == nil:
		return Outcome{RetStatus: Failed, Message: fmt.Sprintf("cannot %s %s: %v", action, id, err)}
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		o := Outcome{RetStatus: Failed, Message: fmt.Sprintf("%s: %s failed, %s", id, action, endedState(cmd.ProcessState.Sys().(syscall.WaitStatus))), Detail: out.String()}
		if code := cmd.ProcessState.ExitCode(); code >= 0 {
			o.ExitCode = &code
		}
		if line := telling(strings.Split(out.String(), "\n")); line != "" {
			o.Message += ": " + line
		}
		return o
	}
	o := Outcome{RetStatus: Succeeded, Message: fmt.Sprintf("%s: %s done", id, action), Detail: out.String(), ExitCode: new(int)}
	if action == Start || action == Restart || action == Reload {
		done := time.Now()
		o.later = func(ctx, waiting context.Context) (Outcome, bool) {
			return s.awaitFailure(ctx, waiting, id, action, done)
		}
	}
	return o
}

// awaitFailure follows the process in a script's PID file as a later does. When it has ended, the script is asked: only what it calls
// dead with its PID file left behind has failed. One that cannot be asked, or has no such file, is not followed.
func (s *sysv) awaitFailure(ctx, waiting context.Context, id, action string, done time.Time) (o Outcome, failed bool) {
	info, err := os.Stat(s.path(id))
	pid := s.pid(id)
	if err != nil || pid == 0 {
		return o, false
	}
	sc := s.read(info)
	fd, err := unix.PidfdOpen(pid, 0)
	if !sc.tellsStatus || err != nil {
		return o, false
	}
	defer unix.Close(fd)
	if !endsWithin(waiting, fd) {
		return o, false
	}
	after := time.Since(done)
	asking, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	code := s.status(asking, sc)
	s.forget()
	if code != 1 && code != 2 {
		return o, false
	}
	return Outcome{Message: fmt.Sprintf("%s: failed %.1f s after its %s: process %d ended, and left its PID or lock file; its script does not tell why", id, after.Seconds(), action, pid)}, true
}

// endsWithin waits for the end of the process of a pidfd, and tells whether it came before that of ctx.
func endsWithin(ctx context.Context, fd int) bool {
	for ctx.Err() == nil {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 100) // ms
		if n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return n > 0
		}
	}
	return false
}

// forget has the scripts asked anew.
func (s *sysv) forget() {
	s.mu.Lock()
	s.next = time.Time{}
	s.mu.Unlock()
	s.changed()
}

func endedState(w syscall.WaitStatus) string { return ended(waited(w)) }

// waited is the end of a process as waitid(2) tells it.
func waited(w syscall.WaitStatus) (code, status int) {
	switch {
	case w.CoreDump():
		return cldDumped, int(w.Signal())
	case w.Signaled():
		return cldKilled, int(w.Signal())
	}
	return cldExited, w.ExitStatus()
}

// boundedBuffer keeps the first part of what is written.
type boundedBuffer struct{ b bytes.Buffer }

func (o *boundedBuffer) Write(p []byte) (int, error) {
	o.b.Write(p[:min(len(p), max(0, maxDetail-o.b.Len()))])
	return len(p), nil
}

// String is what was kept, without escape sequences.
func (o *boundedBuffer) String() string { return plain(o.b.String()) }
