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
// does at each tick, from each source, and in turns with it has testdata/floor.c read the same. Its figures are the processor
// time of the whole program, user and system, for one process. What else the machine does comes and goes, so that they are to be
// compared with each other only.
func BenchmarkProcesses(b *testing.B) {
	const readings = 5 // in a turn: the first finds little of what it needs in the processor's caches
	for _, n := range []int{2000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			sleepers(b, n)
			scans, spent := map[string]func() int{}, map[string]time.Duration{}
			for _, which := range []string{"proc", "bpf"} {
				s, err := openSources(which, "/proc", slog.New(slog.DiscardHandler))
				if err != nil {
					b.Logf("without %s: %v", which, err)
					continue
				}
				defer s.close()
				table := newTable(s.processes, newUsers("/etc"), uptimeClock)
				now := time.Now()
				scans[which] = func() int {
					now = now.Add(time.Second)
					if _, err := table.scan(now, 0); err != nil {
						b.Fatal(err)
					}
					return len(table.list(true))
				}
				for range lookEvery + 1 { // until every process has been looked at
					scans[which]()
				}
			}
			floor := floorOf(b)
			processes := map[string]int{}
			bare, turns := 0.0, 0
			for b.Loop() {
				for range readings {
					bare += floor() / readings
				}
				turns++
				for which, scan := range scans {
					before := processorTime(b)
					for range readings {
						processes[which] += scan()
					}
					spent[which] += processorTime(b) - before
				}
			}
			b.ReportMetric(bare/float64(turns), "floor-ns/process")
			for which, time := range spent {
				b.ReportMetric(float64(time)/float64(processes[which]), which+"-ns/process")
			}
		})
	}
}

// floorOf starts testdata/floor.c, which has one process cost so many nanoseconds each time it is called.
func floorOf(b *testing.B) (read func() float64) {
	cmd := exec.Command(compiled(b, "floor"))
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = input.Close()
		_ = cmd.Wait()
	})
	return func() (cost float64) {
		if _, err := input.Write([]byte{'\n'}); err != nil {
			b.Fatal(err)
		}
		if _, err := fmt.Fscanln(output, &cost); err != nil || cost == 0 {
			b.Fatalf("the floor costs %v: %v", cost, err)
		}
		return cost
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
