package collector

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCommandLinesAreBounded(t *testing.T) {
	f := newStage(t)
	source := newProcSource(f.path("proc"))
	for name, c := range map[string]struct{ in, cmdline, argv0 string }{
		"empty":                {"", "", ""},
		"only zeros":           {"\x00\x00\x00", "", ""},
		"empty argument":       {"a\x00\x00b\x00", "a  b", "a"},
		"title with no end":    {"postgres: ann db idle", "postgres: ann db idle", "postgres: ann db idle"},
		"title with much room": {"sshd: ann\x00\x00\x00\x00", "sshd: ann", "sshd: ann"},
		"at the bound":         {strings.Repeat("x", maxCmdline), strings.Repeat("x", maxCmdline), strings.Repeat("x", maxCmdline)},
		"too long":             {"x\x00" + strings.Repeat("y", 1<<20), "x " + strings.Repeat("y", maxCmdline-5) + "…", "x"},
	} {
		f.write("proc/303/cmdline", c.in)
		d, err := source.details(303)
		if err != nil || d.cmdline != c.cmdline || d.argv0 != c.argv0 {
			t.Errorf("%s: %.50q (%d bytes), %.50q, %v", name, d.cmdline, len(d.cmdline), d.argv0, err)
		}
	}
}

// A sign changes with what is shown of a process and is in no counter, and only then. One that does not answer holds up
// nobody else.
func TestSignsChangeWithTheDetails(t *testing.T) {
	f := newStage(t)
	for pid := 400; pid < 403; pid++ {
		f.process(pid, 0, 1)
	}
	s := newProcSource(f.path("proc"))
	signs := func() map[int]uint64 {
		got := make(map[int]uint64)
		pids := []int{400, 401, 402, 999} // the last is not there
		s.review([]look{{pid: 400}, {pid: 401}, {pid: 402}, {pid: 999}}, func(i int, sign uint64, _ *details) { got[pids[i]] = sign })
		return got
	}
	last := signs()
	if len(last) != 3 || last[400] == 0 {
		t.Fatalf("signs are %v", last)
	}
	check(t, "sign of the same", signs()[400], last[400])
	s.review([]look{{400, last[400]}, {401, last[400]}}, func(i int, sign uint64, d *details) {
		if i != 1 || sign != last[401] {
			t.Errorf("what is known is told again: %d, %v", i, d)
		}
	})
	for _, change := range []struct{ name, text string }{
		{"cmdline", "worker\x00-m\x00"}, {"cgroup", "0::/system.slice/x.service\n"}, {"cmdline", ""}, {"comm", "kworker/0:1-events\n"},
	} {
		f.write("proc/400/"+change.name, change.text)
		now := signs()
		if now[400] == last[400] || now[401] != last[401] {
			t.Errorf("with another %s the signs are %v, before %v", change.name, now, last)
		}
		last = now
	}
	f.remove("proc/400/cmdline")
	if err := unix.Mkfifo(f.path("proc/400/cmdline"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it is asked, and then known to be silent
		now := signs()
		if now[400] != 0 || now[401] != last[401] || now[402] != last[402] {
			t.Errorf("beside a silent process the signs are %v", now)
		}
		check(t, "silent", s.unanswered.holds(400), true)
	}
	f.write("proc/400/cmdline", "") // lets the reader go, which then is not silent any more
}
