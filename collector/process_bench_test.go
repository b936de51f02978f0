package collector

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkProcesses reads every pushed field of all processes of this machine, of which this many sleep, as the collector
// does at each tick. Its figure is the processor time of this whole program for one process, user and system; it is to be
// compared with that of testdata/floor.c.
func BenchmarkProcesses(b *testing.B) {
	for _, which := range []string{"proc", "bpf"} {
		for _, n := range []int{2000, 10000} {
			b.Run(fmt.Sprintf("%s/%d", which, n), func(b *testing.B) {
				s, err := openSources(which, "/proc", slog.Default())
				needs(b, fmt.Sprintf("the source (%v)", err), err == nil)
				defer s.close()
				sleepers(b, n)
				table := newTable(s.processes, newUsers("/etc"), uptimeClock)
				now := time.Now()
				scan := func() int {
					now = now.Add(time.Second)
					if _, err := table.scan(now, 0); err != nil {
						b.Fatal(err)
					}
					return len(table.list(true))
				}
				for range lookEvery + 1 { // until every process has been looked at
					scan()
				}
				processes := 0
				b.ReportAllocs()
				before := processorTime(b)
				for b.Loop() {
					processes += scan()
				}
				b.ReportMetric(float64(processorTime(b)-before)/float64(processes), "ns/process")
			})
		}
	}
}

// sleepers adds this many sleeping processes to the machine, until the test ends. They are the children of parent.
func sleepers(t testing.TB, n int) (parent int) {
	t.Helper()
	cmd := exec.Command(compiled(t, "crowd"), strconv.Itoa(n))
	cmd.Stderr = os.Stderr
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
	t.Cleanup(func() {
		_ = input.Close()
		_, _ = io.Copy(io.Discard, output) // until the last has ended
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(output).ReadString('\n'); line != "ready\n" {
		t.Fatalf("crowd says %q, %v", line, err)
	}
	return cmd.Process.Pid
}

// compiled is the program of a C file in testdata.
func compiled(t testing.TB, name string) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), name)
	if said, err := exec.Command("gcc", "-O2", "-o", program, "testdata/"+name+".c").CombinedOutput(); err != nil {
		needs(t, fmt.Sprintf("gcc (%v: %s)", err, said), false)
	}
	return program
}

// processorTime is what this program has used, user and system.
func processorTime(t testing.TB) time.Duration {
	t.Helper()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
