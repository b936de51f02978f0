package collector

import (
	"testing"

	"golang.org/x/sys/unix"
)

// A sign changes with what is shown of a process and is in no counter, and only then. One that does not answer holds up
// nobody else.
func TestSignsChangeWithTheDetails(t *testing.T) {
	f := newStage(t)
	for pid := 400; pid < 403; pid++ {
		f.process(pid, 0, 1)
	}
	s := newProcSource(f.path("proc"))
	pids := []int{400, 401, 402, 999} // the last is not there
	signs := func() map[int]uint64 {
		got := make(map[int]uint64)
		s.signs(pids, func(i int, sign uint64) { got[pids[i]] = sign })
		return got
	}
	last := signs()
	if len(last) != 3 || last[400] == 0 {
		t.Fatalf("signs are %v", last)
	}
	check(t, "sign of the same", signs()[400], last[400])
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
		if _, told := now[400]; told || now[401] != last[401] || now[402] != last[402] {
			t.Errorf("beside a silent process the signs are %v", now)
		}
		check(t, "silent", s.cmdlines.isSilent(400), true)
	}
	f.write("proc/400/cmdline", "") // lets the reader go, which then is not silent any more
}
