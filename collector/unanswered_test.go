package collector

import (
	"maps"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A process whose memory is locked holds up whoever reads its command line. A pipe that nobody writes to does the same.
func TestProcessThatDoesNotShowItsCommandLine(t *testing.T) {
	f := newStage(t)
	source := newProcSource(f.path("proc"))
	table := newTable(source, newUsers(f.path("etc")), func() time.Duration { return 0 }) // so that all are new, and read again
	scan := func() Process {
		t.Helper()
		if _, err := table.scan(time.Now(), 1); err != nil {
			t.Fatal(err)
		}
		return byPID(t, table.list(true), 303)
	}
	check(t, "command line", scan().Cmdline, "vi")
	f.remove("proc/303/cmdline")
	if err := unix.Mkfifo(f.path("proc/303/cmdline"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := scan()
	check(t, "command line while it is silent", p.Cmdline, "vi")
	check(t, "unit while it is silent", p.Unit, "session-2.scope")
	source.unanswered.mu.Lock()
	if len(source.unanswered.pids) != 1 || !source.unanswered.pids[303] {
		t.Errorf("silent are %v", source.unanswered.pids)
	}
	source.unanswered.mu.Unlock()
	if d, err := source.details(303); err != nil || !d.silent {
		t.Errorf("details are %+v, %v", d, err)
	}
	if err := os.WriteFile(f.path("proc/303/cmdline"), []byte("less\x00"), 0o600); err != nil { // lets the reader go
		t.Fatal(err)
	}
	f.remove("proc/303/cmdline")
	f.write("proc/303/cmdline", "less\x00")
	deadline := time.Now().Add(patience)
	for {
		if d, err := source.details(303); err == nil && d.cmdline == "less" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("a process that answers again is not asked")
		}
		time.Sleep(time.Millisecond)
	}
}

// Those who are asked together with it are told all the same, each in its place.
func TestProcessesBesideOneThatDoesNotShowItsCommandLine(t *testing.T) {
	f := newStage(t)
	for _, pid := range []string{"1", "303"} {
		f.remove("proc/" + pid + "/cmdline")
		if err := unix.Mkfifo(f.path("proc/"+pid+"/cmdline"), 0o600); err != nil {
			t.Fatal(err)
		}
		defer os.WriteFile(f.path("proc/"+pid+"/cmdline"), nil, 0o600) // lets its reader go
	}
	source := newProcSource(f.path("proc"))
	pids := []int{300, 1, 301, 303, 302}
	var looks []look
	for _, pid := range pids {
		looks = append(looks, look{pid: pid})
	}
	told := map[int]bool{} // by PID, whether it is silent
	source.review(looks, func(i int, _ uint64, d *details) { told[pids[i]] = d.silent })
	if want := map[int]bool{300: false, 1: true, 301: false, 303: true, 302: false}; !maps.Equal(told, want) {
		t.Errorf("told of %v, want %v", told, want)
	}
}
