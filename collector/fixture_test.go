package collector

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/procfs"
)

// stage is a copy of testdata/live that a test may change.
type stage struct {
	t    *testing.T
	root string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	f := &stage{t, t.TempDir()}
	if err := os.CopyFS(f.root, os.DirFS("testdata/live")); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *stage) path(name string) string { return filepath.Join(f.root, name) }

func (f *stage) config(interval time.Duration) Config {
	return Config{
		Interval: interval,
		Proc:     f.path("proc"), Sys: f.path("sys"), Etc: f.path("etc"),
		Logger: slog.New(slog.DiscardHandler),
	}
}

func (f *stage) fs() procfs.FS {
	f.t.Helper()
	fs, err := procfs.NewFS(f.path("proc"))
	if err != nil {
		f.t.Fatal(err)
	}
	return fs
}

func (f *stage) write(name, text string) {
	f.t.Helper()
	if err := os.MkdirAll(filepath.Dir(f.path(name)), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(f.path(name), []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// replace changes a text in a file; it must be there.
func (f *stage) replace(name, old, new string) {
	f.t.Helper()
	data, err := os.ReadFile(f.path(name))
	if err != nil {
		f.t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		f.t.Fatalf("%s has no %q", name, old)
	}
	f.write(name, strings.Replace(string(data), old, new, 1))
}

func (f *stage) remove(name string) {
	f.t.Helper()
	if err := os.RemoveAll(f.path(name)); err != nil {
		f.t.Fatal(err)
	}
}

// process writes a process with this much processor time, in ticks, that started at this many ticks since boot.
func (f *stage) process(pid, ticks, start int) {
	f.t.Helper()
	folder := fmt.Sprintf("proc/%d/", pid)
	f.write(folder+"stat", fmt.Sprintf("%d (worker) R 1 %d %d 0 -1 4194304 1 0 0 0 %d %d 0 0 20 0 1 0 %d 4096 1"+
		" 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n", pid, pid, pid, ticks-ticks/3, ticks/3, start))
	f.write(folder+"cmdline", "worker\x00-n\x00")
	f.write(folder+"cgroup", "0::/\n")
}

// byPID finds a row.
func byPID(t *testing.T, rows []*Process, pid int) Process {
	t.Helper()
	for _, p := range rows {
		if p.PID == pid {
			return *p
		}
	}
	t.Fatalf("process %d is not among %d", pid, len(rows))
	return Process{}
}

// check compares one figure.
func check[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}
