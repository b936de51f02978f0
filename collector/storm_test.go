package collector

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// stormMemory is what a fork storm may cost at most, in bytes, beside the rows of the processes that stay.
const stormMemory = 64 << 20

// TestForkStorm has 2,000 processes sleep, and 20,000 with TOPDECK_SOAK=1, while 3,000 a second begin and end, for two seconds and
// for a minute. Memory stays bounded, what the kernel could not tell is told, no sleeper is ever missing, and the list is right again.
func TestForkStorm(t *testing.T) {
	connected(t)
	n, seconds := 2000, 2
	if os.Getenv("TOPDECK_SOAK") != "" {
		n, seconds = 20_000, 60
	}
	parent := sleepers(t, n)
	const rate = 3000
	_, samples := realCollector(t, time.Second, PartProcesses)
	asleep := func(s *Sample) (pids []int) {
		for _, p := range s.Processes {
			if p.PPID == parent {
				pids = append(pids, p.PID)
			}
		}
		return pids
	}
	all := asleep(await(t, samples, "the sleepers", func(s *Sample) bool { return len(asleep(s)) == n }))
	before, most := heap(), uint64(0)
	storm := exec.Command(compiled(t, "storm"), strconv.Itoa(rate), strconv.Itoa(seconds))
	var said strings.Builder
	storm.Stdout, storm.Stderr = &said, &said
	if err := storm.Start(); err != nil {
		t.Fatal(err)
	}
	began, ended := time.Now(), time.Time{}
	done := make(chan error, 1)
	go func() { done <- storm.Wait() }()
	made, told, troubled, counted := 0, 0, "", 0
	take := func(s *Sample) {
		counted++
		for _, e := range s.Ended {
			if slices.Contains(all, e.Process.PID) && e.Process.PPID == parent {
				t.Errorf("a sleeper is told to have ended: %+v", e.Process)
			}
			if e.Process.PPID == storm.Process.Pid {
				told++
			}
		}
		if got := len(asleep(s)); got != n {
			t.Errorf("%d of %d sleepers are listed", got, n)
		}
		troubled = first(s.Errors["events"], troubled)
		if len(s.Ended) > maxLives {
			t.Errorf("%d ends in one sample", len(s.Ended))
		}
		most = max(most, heap())
	}
	timeout := time.After(10 * time.Minute) // a slow machine is slow
	for ended.IsZero() {
		select {
		case s := <-samples:
			take(s)
		case err := <-done:
			ended = time.Now()
			if _, scan := fmt.Sscan(said.String(), &made); err != nil || scan != nil {
				t.Fatalf("the storm ended with %v: %s", err, said.String())
			}
		case <-timeout:
			_ = storm.Process.Kill()
			t.Fatal("the storm does not end")
		}
	}
	take(next(t, samples)) // with the last of them
	if told < made && troubled == "" {
		t.Errorf("of %d processes %d are told, and nothing is said of the others", made, told)
	}
	if grown := int64(most) - int64(before); grown > stormMemory {
		t.Errorf("the memory grew by %d MiB, from %d", grown>>20, before>>20)
	}
	right := time.Time{}
	for deadline := time.Now().Add(patience); right.IsZero(); {
		early, s := pids(t), next(t, samples)
		late := pids(t)
		wrong := ""
		listed := make(map[int]bool, len(s.Processes))
		for _, p := range s.Processes {
			listed[p.PID] = true
			if !early[p.PID] && !late[p.PID] && p.StartTime*uint64(nanosecondsPerTick) < uint64(uptimeClock()-10*time.Second) {
				wrong = fmt.Sprintf("%d (%s) is not there", p.PID, p.Comm)
			}
		}
		for pid := range early {
			if late[pid] && !listed[pid] {
				wrong = fmt.Sprintf("%d is not listed", pid)
			}
		}
		switch {
		case wrong == "" && s.Errors["events"] == "" && s.Errors["processes"] == "":
			right = s.Time
		case time.Now().After(deadline):
			t.Fatalf("the list is never right again: %s, %v", wrong, s.Errors)
		}
	}
	lasted := ended.Sub(began)
	t.Logf("row 14: %d processes asleep, %d forks in %v (%d a second), %d samples: %d ends told, and of the others %q; memory from %d to at most %d MiB; right again %v after the end",
		n, made, lasted.Round(time.Millisecond), int64(made)*int64(time.Second)/int64(lasted), counted, told, troubled, before>>20, most>>20,
		right.Sub(ended).Round(time.Millisecond))
}

// heap is what is in use, garbage not counted, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// pids are those of all processes now.
func pids(t *testing.T) map[int]bool {
	t.Helper()
	folder, err := os.Open("/proc")
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		t.Fatal(err)
	}
	there := make(map[int]bool, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			there[pid] = true
		}
	}
	return there
}
