package control

import (
	"context"
	"crypto/rand"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// processGroup runs commands as children of this process, each in a session of its own: for where no systemd runs.
type processGroup struct{}

// marker is the environment variable by which all that a command started is known, also what left its session.
const marker = "TOPDECK_COMMAND"

func (processGroup) ready() error { return nil }

func (processGroup) run(ctx context.Context, o order, out io.Writer) (ending, error) {
	mark := marker + "=" + rand.Text()
	cmd := exec.CommandContext(ctx, o.path)
	cmd.Args = o.args
	cmd.Dir = "/"
	cmd.Env = append(scriptEnv(), mark)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error {
		killTree(cmd.Process.Pid, mark)
		return nil
	}
	cmd.WaitDelay = 500 * time.Millisecond // what it left in the background may hold its output open
	err := cmd.Run()
	if cmd.ProcessState == nil {
		if ctx.Err() != nil { // it was canceled before it began
			err = nil
		}
		return ending{}, err
	}
	w := cmd.ProcessState.Sys().(syscall.WaitStatus)
	code, status := waited(w)
	if ctx.Err() != nil && code == cldKilled && status == int(syscall.SIGKILL) {
		return ending{}, nil
	}
	end := ending{code: code, status: status}
	if marked(mark, func(int) {}) > 0 {
		end.left = "what it left running goes on"
	}
	return end, nil
}

// killTree kills the group of pid, and then, until there is none, every process that bears the mark.
func killTree(pid int, mark string) {
	syscall.Kill(-pid, syscall.SIGKILL)
	for range 20 { // what forks faster than that is caught by no count of rounds
		if marked(mark, func(fd int) { unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) }) == 0 {
			return
		}
	}
}

// marked calls f with every process that bears the mark, as a pidfd, and counts them.
func marked(mark string, f func(fd int)) (found int) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0) // before its environment is read, so that it is this one which is found
		if err != nil {
			continue
		}
		env, _ := os.ReadFile("/proc/" + e.Name() + "/environ")
		if strings.Contains("\x00"+string(env)+"\x00", "\x00"+mark+"\x00") {
			found++
			f(fd)
		}
		unix.Close(fd)
	}
	return found
}
