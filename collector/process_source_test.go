package collector

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// failingRecords is an iterator that tells so many bytes, and then no more.
type failingRecords struct {
	records
	left int
}

func (f *failingRecords) read(size int, visit func([]byte)) error {
	err := f.records.read(size, func(b []byte) {
		b = b[:min(len(b), f.left-f.left%size)]
		f.left -= len(b)
		if len(b) > 0 {
			visit(b)
		}
	})
	return errors.Join(err, errors.New("the kernel has changed its mind"))
}

// Whichever iterator fails, in the middle or at once, all is read from /proc from then on; that is told, and in the log once.
func TestBPFThatFailsLeavesProc(t *testing.T) {
	kernel(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for _, c := range []struct {
		name string
		fail func(*bpfSource, *bpfHolders)
	}{
		{"the tasks at once", func(p *bpfSource, _ *bpfHolders) { p.iterator = &failingRecords{p.iterator, 0} }},
		{"the tasks in the middle", func(p *bpfSource, _ *bpfHolders) { p.iterator = &failingRecords{p.iterator, 10*recordSize + 3} }},
		{"the open files at once", func(_ *bpfSource, h *bpfHolders) { h.files = &failingRecords{h.files, 0} }},
		{"the open files in the middle", func(_ *bpfSource, h *bpfHolders) { h.files = &failingRecords{h.files, heldRecordSize} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var said strings.Builder
			collector, err := New(Config{Interval: time.Second, Logger: slog.New(slog.NewTextHandler(&said, nil))})
			if err != nil {
				t.Fatal(err)
			}
			r := collector.reader
			defer r.end()
			host := NewHostReader(HostConfig{Source: collector.Source})
			look := func() {
				t.Helper()
				s := r.sample(time.Now(), PartProcesses|PartSockets|PartTasks, true)
				check(t, "errors", fmt.Sprint(s.Errors), "map[]")
				check(t, "processes", listed(s, os.Getpid()) && listed(s, 1), true)
				owner := 0
				for _, one := range s.Sockets {
					if int(one.LocalPort) == listener.Addr().(*net.TCPAddr).Port {
						owner = one.PID
					}
				}
				check(t, "owner of our socket", owner, os.Getpid())
				check(t, "tasks are those of the list", s.Summary.Tasks.Total, len(s.Processes))
			}
			look()
			if h := host.Host(t.Context()); h.Source != "bpf" || h.Errors["source"] != "" {
				t.Errorf("the source is %s (%s)", h.Source, h.Errors["source"])
			}
			c.fail(r.sources.processes.(*bpfSource), r.sources.holders.(*bpfHolders))
			for range 3 {
				r.sockets.owners.swept = time.Time{} // a search is due
				look()
			}
			if h := host.Host(t.Context()); h.Source != "proc" || !strings.Contains(h.Errors["source"], "the kernel has changed its mind; so /proc is read") {
				t.Errorf("the source is %s (%s)", h.Source, h.Errors["source"])
			}
			check(t, "times it is told in the log", strings.Count(said.String(), "changed its mind"), 1)
		})
	}
}
