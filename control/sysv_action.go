package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
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

// act runs a script with the action as its argument. Its output is kept; what it leaves running is its daemon, and stays.
func (s *sysv) act(ctx context.Context, id, action string) Outcome {
	switch action {
	case Enable, Disable, ResetFailed:
		return Outcome{RetStatus: Failed, Message: fmt.Sprintf("cannot %s %s: that is not for service scripts", action, id)}
	}
	sc := script{name: id, path: s.path(id)}
	limited, cancel := context.WithTimeout(ctx, scriptTimeout)
	defer cancel()
	var out boundedBuffer
	cmd := exec.CommandContext(limited, sc.path, action)
	cmd.Dir, cmd.Env = "/", scriptEnv()
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 200 * time.Millisecond // its daemon may hold its output open
	err := cmd.Run()
	s.forget()
	switch {
	case errors.Is(context.Cause(ctx), errCanceled):
		return Outcome{RetStatus: Failed, Message: fmt.Sprintf("%s: %s was canceled, and its script ended", id, action), Detail: out.String()}
	case ctx.Err() != nil:
		return interrupted(ctx)
	case limited.Err() != nil:
		return Outcome{RetStatus: Failed, Message: fmt.Sprintf("%s: %s took more than %v and was ended", id, action, scriptTimeout), Detail: out.String()}
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
	return Outcome{RetStatus: Succeeded, Message: fmt.Sprintf("%s: %s done", id, action), Detail: out.String(), ExitCode: new(int)}
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

func (o *boundedBuffer) String() string { return o.b.String() }
