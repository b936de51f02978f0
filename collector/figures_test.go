package collector

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The tests of this file compare samples with what ps(1), free(1) and top(1) say of this machine, which goes on meanwhile.
// So each figure is read before the sample and after it, and must be one of the two, or lie between them; and because
// something may move there and back, a comparison that fails is made again a few times.
const comparisons = 20

// agree compares until nothing differs.
func agree(t *testing.T, compare func() (differences []string)) {
	t.Helper()
	var differences []string
	for range comparisons {
		if differences = compare(); len(differences) == 0 {
			return
		}
		t.Logf("%d differ, such as: %s", len(differences), differences[0])
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("after %d comparisons these differ:\n%s", comparisons, strings.Join(differences[:min(20, len(differences))], "\n"))
}

// output runs a program in the C locale and UTC.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	needs(t, name, err == nil)
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC", "COLUMNS=10000")
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(text)
}

// crowd starts some two hundred processes of many kinds.
func crowd(t *testing.T) {
	t.Helper()
	start := func(change func(*exec.Cmd)) *exec.Cmd {
		cmd := exec.Command("sleep", "300")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		change(cmd)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		return cmd
	}
	for i := range 190 {
		cmd := start(func(c *exec.Cmd) {
			switch {
			case i%10 == 1:
				c.Args[0] = "an odd  name"
			case i%10 == 2 && os.Getuid() == 0: // a user with a name, and one without
				c.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
			case i%10 == 3 && os.Getuid() == 0:
				c.SysProcAttr.Credential = &syscall.Credential{Uid: 54321, Gid: 54321}
			}
		})
		if i%10 == 4 {
			if err := syscall.Setpriority(syscall.PRIO_PROCESS, cmd.Process.Pid, 7); err != nil {
				t.Fatal(err)
			}
		}
		if i%10 == 5 {
			if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 3 {
		startHelper(t, "zombie", "1").line()
		startHelper(t, "wait").line()
	}
	startHelper(t, "headless", "0")
}

// psRow is what ps tells of a process, by column.
type psRow map[string]string

// ps lists the processes that were there before and after, under PID and start.
func ps(t *testing.T) map[int]psRow {
	t.Helper()
	rows := make(map[int]psRow)
	columns := []string{"pid", "ppid", "user", "stat", "ni", "nlwp", "rss", "vsz", "weekday", "month", "day", "time", "year", "args"}
	for line := range strings.Lines(output(t, "ps", "-ww", "-eo", "pid=,ppid=,user:32=,stat=,ni=,nlwp=,rss=,vsz=,lstart=,args=")) {
		row := make(psRow)
		rest := strings.TrimSuffix(line, "\n")
		for i, column := range columns {
			rest = strings.TrimLeft(rest, " ")
			if i == len(columns)-1 {
				row[column] = strings.TrimRight(rest, " ")
				break
			}
			row[column], rest, _ = strings.Cut(rest, " ")
		}
		pid, err := strconv.Atoi(row["pid"])
		if err != nil {
			t.Fatalf("ps says %q", line)
		}
		rows[pid] = row
	}
	for line := range strings.Lines(output(t, "ps", "-eo", "pid=,comm=")) {
		pid, comm, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatalf("ps says %q", line)
		}
		if row := rows[n]; row != nil {
			row["comm"] = strings.TrimSuffix(strings.TrimSpace(comm), " <defunct>")
		}
	}
	return rows
}

// asPs gives a row in the words of ps.
func asPs(p *Process) psRow {
	args := strings.TrimRight(strings.ReplaceAll(p.Cmdline, `\x0a`, " "), " ") // as ps shows the end of a line
	switch {
	case p.State == "Z": // we tell what it was, if we have seen it
		args = "[" + p.Comm + "] <defunct>"
	case p.Cmdline == "":
		args = "[" + p.Comm + "]"
	}
	return psRow{
		"pid": strconv.Itoa(p.PID), "ppid": strconv.Itoa(p.PPID), "user": p.User, "stat": p.State, "ni": strconv.Itoa(p.Nice),
		"nlwp": strconv.Itoa(p.Threads), "rss": strconv.FormatUint(p.RSS/1024, 10), "vsz": strconv.FormatUint(p.VSize/1024, 10),
		"args": args, "comm": p.Comm,
		"weekday": p.StartedAt.Format("Mon"), "month": p.StartedAt.Format("Jan"), "day": p.StartedAt.Format("2"),
		"time": p.StartedAt.Format("15:04:05"), "year": p.StartedAt.Format("2006"),
	}
}

// differ tells whether ours is neither of what ps said before and after, nor between. Quiet tells that the process does
// nothing; the memory of another may be anything near.
func differ(column, before, ours, after string, quiet bool) bool {
	if ours == before || ours == after {
		return false
	}
	switch column {
	case "stat":
		const moving = "RSDI" // a process that is awake changes between these at any time
		b, a := before[:1], after[:1]
		return ours != b && ours != a && !(strings.Contains(moving, ours) && strings.Contains(moving, b) && strings.Contains(moving, a))
	case "ni":
		return before != "-" // of a real-time process ps shows none
	case "args", "comm":
		// A kernel's worker is named for its work of the moment; ps shortens long lines, and replaces what is not ASCII and what
		// has no shape of its own.
		return !strings.Contains(before, "kworker/") && plain(before) && !strings.Contains(before, "?") && !strings.Contains(ours, `\x`) && len(before) < maxCmdline
	case "rss", "vsz", "nlwp":
		b, _ := strconv.Atoi(before)
		o, _ := strconv.Atoi(ours)
		a, _ := strconv.Atoi(after)
		slack := 0
		if !quiet {
			slack = max(a, b)/5 + 4096
		}
		return !between(b, o, a, slack)
	}
	return true
}

func TestProcessesAreThoseOfPs(t *testing.T) {
	crowd(t)
	c, _ := realCollector(t, time.Minute, 0)
	seen := make(map[string]int)
	agree(t, func() (differences []string) {
		time.Sleep(fresh) // or the sample would be the last comparison's
		began := time.Now()
		before := ps(t)
		s, err := c.Collect(t.Context(), PartProcesses)
		if err != nil {
			t.Fatal(err)
		}
		after := ps(t)
		if !slices.IsSortedFunc(s.Processes, func(a, b *Process) int { return a.PID - b.PID }) {
			t.Error("the processes are not in the order of their PIDs")
		}
		ours := make(map[int]bool)
		clear(seen)
		for _, p := range s.Processes {
			ours[p.PID] = true
			b, a := before[p.PID], after[p.PID]
			if b == nil || a == nil {
				if b == nil && a == nil && p.StartedAt.Before(began.Add(-2*time.Second)) {
					differences = append(differences, fmt.Sprintf("process %d (%s): ps does not know it", p.PID, p.Comm))
				}
				continue
			}
			for column, value := range asPs(p) {
				if differ(column, b[column], value, a[column], p.PPID == os.Getpid()) {
					differences = append(differences, fmt.Sprintf("process %d (%s): %s is %q, ps says %q and then %q",
						p.PID, p.Comm, column, value, b[column], a[column]))
				}
			}
			seen[p.State]++
			seen["user "+p.User]++
			seen["nice "+strconv.Itoa(p.Nice)]++
		}
		for pid, row := range before {
			if after[pid] != nil && after[pid]["time"] == row["time"] && !ours[pid] {
				differences = append(differences, fmt.Sprintf("process %d (%s) is missing", pid, row["comm"]))
			}
		}
		return differences
	})
	for what, least := range map[string]int{"T": 19, "Z": 4, "S": 100, "nice 7": 19} {
		if seen[what] < least {
			t.Errorf("%d processes are %s, want at least %d", seen[what], what, least)
		}
	}
	if os.Getuid() == 0 && (seen["user nobody"] < 19 || seen["user 54321"] < 19) {
		t.Errorf("users are %v", seen)
	}
}

// between tells that a figure is not further than slack outside of two others.
func between[T int | uint64 | float64](a, x, b, slack T) bool {
	low, high := min(a, b), max(a, b)
	return x+slack >= low && x <= high+slack
}

func TestMemoryIsThatOfFree(t *testing.T) {
	_, samples := realCollector(t, 100*time.Millisecond, 0)
	free := func() (figures []uint64) {
		lines := strings.Split(output(t, "free", "-b", "-w"), "\n")
		for _, field := range slices.Concat(strings.Fields(lines[1])[1:], strings.Fields(lines[2])[1:]) {
			n, err := strconv.ParseUint(field, 10, 64)
			if err != nil {
				t.Fatalf("free says %q", lines)
			}
			figures = append(figures, n)
		}
		return figures // total used free shared buffers cache available, swap total used free
	}
	agree(t, func() (differences []string) {
		before := free()
		s := next(t, samples)
		after := free()
		const moved = 4 << 20
		for _, f := range []struct {
			name          string
			before, after uint64
			ours          uint64
		}{
			{"total", before[0], after[0], s.Summary.Memory.Total},
			{"used", before[1], after[1], s.Summary.Memory.Used},
			{"free", before[2], after[2], s.Summary.Memory.Free},
			{"buff/cache", before[4] + before[5], after[4] + after[5], s.Summary.Memory.BuffCache},
			{"available", before[6], after[6], s.Summary.Memory.Available},
			{"swap total", before[7], after[7], s.Summary.Swap.Total},
			{"swap used", before[8], after[8], s.Summary.Swap.Used},
			{"swap free", before[9], after[9], s.Summary.Swap.Free},
		} {
			if !between(f.before, f.ours, f.after, moved) {
				differences = append(differences, fmt.Sprintf("%s is %d, free says %d and then %d", f.name, f.ours, f.before, f.after))
			}
		}
		return differences
	})
}

// topLines reads the figures of top's summary, by their names there: "total", "running", "us", …
func topLines(t *testing.T, text string) map[string]float64 {
	t.Helper()
	figures := make(map[string]float64)
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(line, ":")
		prefix := map[string]string{"Tasks": "tasks ", "%Cpu(s)": "", "MiB Mem ": "memory ", "MiB Swap": "swap "}
		p, known := prefix[name]
		if !ok || !known {
			continue
		}
		for figure := range strings.SplitSeq(strings.ReplaceAll(rest, ". ", ", "), ",") {
			fields := strings.Fields(figure)
			n, err := strconv.ParseFloat(fields[0], 64)
			if err != nil {
				t.Fatalf("top says %q", line)
			}
			figures[p+fields[1]] = n
		}
	}
	return figures
}

func TestTasksAreThoseOfTop(t *testing.T) {
	crowd(t)
	_, samples := realCollector(t, 100*time.Millisecond, PartTasks)
	agree(t, func() (differences []string) {
		before := topLines(t, output(t, "top", "-b", "-n1"))
		s := next(t, samples)
		after := topLines(t, output(t, "top", "-b", "-n1"))
		n := s.Summary.Tasks
		for _, f := range []struct {
			name string
			ours int
		}{
			{"tasks total", n.Total + 1}, // top counts itself
			{"tasks sleeping", n.Sleeping}, {"tasks stopped", n.Stopped}, {"tasks zombie", n.Zombie}, {"tasks running", n.Running + 1},
		} {
			slack := 0
			if f.name == "tasks sleeping" || f.name == "tasks running" {
				slack = 4 // something is always about to run
			}
			if !between(int(before[f.name]), f.ours, int(after[f.name]), slack) {
				differences = append(differences, fmt.Sprintf("%s is %d, top says %v and then %v", f.name, f.ours, before[f.name], after[f.name]))
			}
		}
		if n.Stopped < 19 || n.Zombie < 4 || n.Total != n.Running+n.Sleeping+n.Stopped+n.Zombie {
			differences = append(differences, fmt.Sprintf("tasks are %+v", *n))
		}
		return differences
	})
}

// Top is given the same files to read as we are, so that nothing moves and every digit must be right.
func TestSummaryIsThatOfTop(t *testing.T) {
	needs(t, "root, to give top other files", os.Getuid() == 0)
	_, err := exec.LookPath("unshare")
	needs(t, "unshare", err == nil)
	f := newStage(t)
	// Top of procps 4.0.2 counts guest time twice in the sum that its shares are of; without guests it is right.
	f.replace("proc/stat", " 300 100", " 0 0")
	r := newSummaryReader(f.fs(), f.config(time.Second))
	start := time.Now()
	r.read(start)

	top := exec.Command("unshare", "-m", "sh", "-c",
		`mount --bind "$0/stat" /proc/stat && mount --bind "$0/meminfo" /proc/meminfo && exec top -b -n2 -d1`, f.path("proc"))
	top.Env = append(os.Environ(), "LC_ALL=C", "COLUMNS=200")
	var text strings.Builder
	first := make(chan struct{})
	top.Stdout = writerFunc(func(b []byte) {
		if text.Len() == 0 {
			close(first)
		}
		text.Write(b)
	})
	if err := top.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-first:
	case <-time.After(patience):
	}
	f.replace("proc/stat", "cpu  1000 200 500 8000 250 10 40 0", "cpu  1050 210 523 8101 261 12 43 7")
	if err := top.Wait(); err != nil {
		needs(t, fmt.Sprintf("a mount of its own for top (%v)", err), false)
	}
	frames := strings.SplitAfter(text.String(), "top - ")
	got := topLines(t, frames[len(frames)-1])

	s := r.read(start.Add(time.Second))
	mib := func(bytes uint64) float64 { return float64(bytes) / (1 << 20) }
	for name, ours := range map[string]float64{
		"us": s.CPU.User, "sy": s.CPU.System, "ni": s.CPU.Nice, "id": s.CPU.Idle,
		"wa": s.CPU.IOWait, "hi": s.CPU.HardIRQ, "si": s.CPU.SoftIRQ, "st": s.CPU.Steal,
		"memory total": mib(s.Memory.Total), "memory free": mib(s.Memory.Free), "memory used": mib(s.Memory.Used),
		"memory buff/cache": mib(s.Memory.BuffCache), "swap avail": mib(s.Memory.Available),
		"swap total": mib(s.Swap.Total), "swap free": mib(s.Swap.Free), "swap used": mib(s.Swap.Used),
	} {
		theirs, ok := got[name]
		if !ok || math.Abs(theirs-ours) > 0.0501 {
			t.Errorf("%s is %v, top says %v", name, ours, theirs)
		}
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) {
	f(b)
	return len(b), nil
}
