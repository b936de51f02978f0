package control

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const killedEnv = "TOPDECK_TEST_KILLED_LOG"

// rounds is how often a test does what it repeats: more often under TOPDECK_SOAK=1.
func rounds(short, soak int) int {
	if os.Getenv("TOPDECK_SOAK") != "" {
		return soak
	}
	return short
}

// TestKilledWriter is not a test of its own: it is what the tests below start and kill. Several goroutines write.
func TestKilledWriter(t *testing.T) {
	path := os.Getenv(killedEnv)
	if path == "" {
		t.Skip("runs only as a part of TestNothingIsLostByAKill")
	}
	l := must[*Log](t)(OpenLog(openDB(t, path, false), LogConfig{MaxCount: 3000}))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for {
				op := must[Operation](t)(l.Begin(Entry{LogType: "service.stop", Detail: strings.Repeat("x", rand.N(3000))}))
				fmt.Println("begun", op.ID)
				op = must[Operation](t)(l.Finish(op.ID, Outcome{RetStatus: Succeeded}))
				fmt.Println("ended", op.ID)
			}
		})
	}
	group.Wait()
}

// writer is a TestKilledWriter in a process of its own.
type writer struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	said  map[string]RetStatus // what it acknowledged, and how that must stand after its end
}

func startWriter(t *testing.T, path string, said map[string]RetStatus) *writer {
	t.Helper()
	w := &writer{cmd: exec.Command(os.Args[0], "-test.run=^TestKilledWriter$"), said: said}
	w.cmd.Env = append(os.Environ(), killedEnv+"="+path)
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.cmd.Process.Kill() })
	w.lines = bufio.NewScanner(out)
	return w
}

// listen notes what the writer acknowledges, at most n lines of it.
func (w *writer) listen(n int) bool {
	for range n {
		if !w.lines.Scan() {
			return false
		}
		did, id, _ := strings.Cut(w.lines.Text(), " ")
		switch did {
		case "begun":
			w.said[id] = Interrupted
		case "ended":
			w.said[id] = Succeeded
		}
	}
	return true
}

// holds checks that the log at path has all that was acknowledged, as it must be after its writer's end.
func holds(t *testing.T, path string, said map[string]RetStatus) {
	t.Helper()
	db := openDB(t, path, true)
	defer db.Close()
	l := must[*Log](t)(OpenLog(db, LogConfig{}))
	defer l.Close()
	oldest := uint64(0)
	if err := viewBooks(db, func(b books) error { ids, _ := b.idsAfter(0, 1); oldest = ids[0]; return nil }); err != nil {
		t.Fatal(err)
	}
	for id, status := range said {
		op, err := l.Get(id)
		n, _ := parseID(id)
		switch {
		case errors.Is(err, ErrNotFound) && n < oldest: // retention removed it
		case errors.Is(err, ErrNotFound):
			t.Errorf("operation %s was acknowledged, and is lost", id)
		case err != nil:
			t.Error(err)
		case op.RetStatus == Running, status == Succeeded && op.RetStatus != Succeeded:
			t.Errorf("operation %s is %s, want %s", id, op.RetStatus, status)
		}
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNothingIsLostByAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	said := map[string]RetStatus{}
	kills := rounds(15, 500)
	for range kills {
		w := startWriter(t, path, said)
		if !w.listen(20 + rand.N(200)) {
			t.Fatal("it ended by itself")
		}
		w.cmd.Process.Kill() // in the middle of something
		for w.listen(1) {
		}
		w.cmd.Wait()
	}
	holds(t, path, said)
	t.Logf("row 7: kill -9 of a writer × %d: of %d acknowledged records none is missing, and the chain is whole", kills, len(said))
}

// TestACopyHoldsWhatWasAcknowledged copies the file of a log that is being written, as it is at some instant: what a machine
// that stopped then would leave.
func TestACopyHoldsWhatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "db")
	w := startWriter(t, path, map[string]RetStatus{})
	copies := rounds(10, 200)
	for i := range copies {
		if !w.listen(20 + rand.N(200)) {
			t.Fatal("it ended by itself")
		}
		if err := w.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		stopped(t, w.cmd.Process.Pid)
		copied := filepath.Join(dir, fmt.Sprint("copy", i))
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(copied, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		holds(t, copied, w.said)
		os.Remove(copied)
	}
	w.cmd.Process.Kill()
	for w.listen(1) {
	}
	w.cmd.Wait()
	t.Logf("row 7: the file copied while it is written × %d: of up to %d acknowledged records none is missing, and each chain is whole", copies, len(w.said))
}

// stopped waits until a process has stopped. Source: proc_pid_stat(5).
func stopped(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		if _, rest, _ := strings.Cut(string(text), ") "); strings.HasPrefix(rest, "T") {
			return
		}
	}
	t.Fatal("the writer does not stop")
}
