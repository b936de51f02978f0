package collector

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// helperVariable makes this test binary play a process to look at, instead of testing.
const helperVariable = "COLLECTOR_TEST_HELPER"

func TestMain(m *testing.M) {
	if role := os.Getenv(helperVariable); role != "" {
		play(role, os.Args[1:])
		return
	}
	goleak.VerifyTestMain(m)
}

// play does what a test asks for until standard input ends. It says "ready" when it has begun.
func play(role string, args []string) {
	number := func(i int) int {
		n, err := strconv.Atoi(args[i])
		if err != nil {
			panic(err)
		}
		return n
	}
	switch role {
	case "spin": // in so many threads
		for range number(0) {
			go func() {
				runtime.LockOSThread()
				//lint:ignore SA5002 to use a processor is what it is for
				for {
				}
			}()
		}
	case "headless": // the first thread ends; at the end of input another ends the process with this exit code
		onFirstThread(func() {
			go func() {
				waitForEnd()
				os.Exit(number(0))
			}()
			unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
		})
	case "exec": // a thread that is not the first executes a program
		onFirstThread(func() {
			go func() {
				runtime.LockOSThread()
				panic(syscall.Exec("/proc/self/exe", []string{"executed"}, []string{helperVariable + "=wait"}))
			}()
			select {}
		})
	case "zombie": // a child that ended with this exit code is waited for only at the end of input
		child := exec.Command("/bin/sh", "-c", "exit "+args[0])
		if err := child.Start(); err != nil {
			panic(err)
		}
		fmt.Println("child", child.Process.Pid)
		defer child.Wait()
	case "threads": // so many that sleep
		threads(number(0))
	case "allowed": // tell whether BPF is, and end
		fmt.Println(bpfAllowed("/proc"))
		return
	case "crowd": // so many connected sockets
		if err := holdSockets(number(0)); err != nil {
			panic(err)
		}
	case "descriptors": // opens and closes what it is told to, a line each, and answers with the descriptor
		fmt.Println("ready")
		changeDescriptors()
		return
	case "receive": // takes and keeps what is passed to it over the socket that it was given
		rights := make([]byte, unix.CmsgSpace(4))
		if _, n, _, _, err := unix.Recvmsg(firstExtraFile, make([]byte, 1), rights, 0); err != nil || n == 0 {
			panic(fmt.Sprint("nothing was passed: ", err))
		}
	case "source": // as this user: tell which is chosen, and end
		if err := errors.Join(syscall.Setuid(number(0)), unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)); err != nil {
			panic(err)
		}
		s, err := openSources("auto", "/proc", slog.Default())
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s (%s)\n", s.source().Name, s.source().Reason)
		return
	case "wait":
	default:
		panic("unknown role " + role)
	}
	fmt.Println("ready")
	waitForEnd()
}

// threads starts so many sleeping threads, and returns when they are there.
func threads(n int) {
	debug.SetMaxThreads(n + 100)
	var ready sync.WaitGroup
	for range n {
		ready.Add(1)
		go func() {
			runtime.LockOSThread()
			ready.Done()
			_ = unix.Pause()
		}()
	}
	ready.Wait()
}

// firstExtraFile is the descriptor of the first file that a helper is given.
const firstExtraFile = 3

// changeDescriptors opens a socket at "listen", a file at "file", and closes at "close N".
func changeDescriptors() {
	open := func(fd int, err error) {
		if err != nil {
			panic(err)
		}
		fmt.Println(fd)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var fd int
		switch {
		case lines.Text() == "listen":
			fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			if err == nil {
				err = unix.Listen(fd, 1)
			}
			open(fd, err)
		case lines.Text() == "file":
			open(unix.Open("/dev/null", unix.O_RDONLY, 0))
		default:
			_, err := fmt.Sscanf(lines.Text(), "close %d", &fd)
			if err == nil {
				err = unix.Close(fd)
			}
			open(fd, err)
		}
	}
}

func waitForEnd() { _, _ = io.Copy(io.Discard, os.Stdin) }

// onFirstThread runs f on the thread whose id is the process's.
func onFirstThread(f func()) {
	for unix.Gettid() != os.Getpid() {
		time.Sleep(time.Millisecond) // the runtime moves us, until it happens to be the first thread
	}
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		f()
	}
}

// helper is a process that plays a role.
type helper struct {
	t     testing.TB
	cmd   *exec.Cmd
	input io.WriteCloser
	lines *bufio.Scanner
	pid   int
}

// startHelper starts one and ends it with the test. It says "ready" on its standard output, except where the role cannot.
func startHelper(t testing.TB, role string, args ...string) *helper {
	t.Helper()
	return startHelperWith(t, nil, role, args...)
}

// startHelperWith gives it open files too.
func startHelperWith(t testing.TB, files []*os.File, role string, args ...string) *helper {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), helperVariable+"="+role)
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = files
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := &helper{t, cmd, input, bufio.NewScanner(output), cmd.Process.Pid}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return h
}

// do tells the helper to do something, and reads its answer.
func (h *helper) do(command string) (answer string) {
	h.t.Helper()
	if _, err := fmt.Fprintln(h.input, command); err != nil {
		h.t.Fatal(err)
	}
	return h.line()
}

// end kills the helper.
func (h *helper) end() {
	_ = h.cmd.Process.Kill()
	_ = h.cmd.Wait()
}

// line reads one line of the helper's output.
func (h *helper) line() string {
	h.t.Helper()
	if !h.lines.Scan() {
		h.t.Fatalf("the helper %v ended: %v", h.cmd.Args, h.lines.Err())
	}
	return h.lines.Text()
}

// realCollector runs a collector on this machine until the test ends, and passes its samples on, as many as a channel holds.
func realCollector(t *testing.T, interval time.Duration, parts Parts) (c *Collector, samples <-chan *Sample) {
	t.Helper()
	c, err := New(Config{Interval: interval})
	if err != nil {
		t.Fatal(err)
	}
	release := c.Watch(parts)
	ctx, cancel := context.WithCancel(context.Background())
	published := make(chan *Sample, 1000)
	ended := make(chan error, 1)
	go func() {
		ended <- c.Run(ctx, func(s *Sample) {
			select {
			case published <- s:
			default: // nobody reads them here
			}
		})
	}()
	t.Cleanup(func() {
		release()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run ended with %v", err)
		}
	})
	return c, published
}

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// await reads samples until one is as wanted.
func await(t *testing.T, samples <-chan *Sample, what string, wanted func(*Sample) bool) *Sample {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case s := <-samples:
			if wanted(s) {
				return s
			}
		case <-timeout:
			t.Fatalf("no sample shows %s", what)
		}
	}
}

// next is the first sample that is read from now on.
func next(t *testing.T, samples <-chan *Sample) *Sample {
	t.Helper()
	now := time.Now()
	return await(t, samples, "the time to go on", func(s *Sample) bool { return s.Time.After(now) })
}

// needs skips a test that this machine cannot run. Where everything is known to be there, a test that is skipped would
// be one that is missing.
func needs(t testing.TB, what string, there bool) {
	t.Helper()
	switch {
	case there:
	case os.Getenv("CI") == "true":
		t.Fatalf("needs %s", what)
	default:
		t.Skipf("needs %s", what)
	}
}
