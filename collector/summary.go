package collector

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/prometheus/procfs"
)

// summaryReader reads the cheap part of a summary: a dozen small files, whatever runs on the host.
type summaryReader struct {
	fs       procfs.FS
	proc     string
	disks    disks
	files    *fileSystems
	counters window[counters]
	last     reading[counters]
	mark     reading[counters] // what the next point of the history is measured from
	boot     uint64            // when the host booted, in seconds since 1970
}

// counters is what rates are made of.
type counters struct {
	cpu        procfs.CPUStat
	cores      map[int64]procfs.CPUStat
	disks      []diskCounters
	interfaces procfs.NetDev
}

func newSummaryReader(fs procfs.FS, config Config) *summaryReader {
	return &summaryReader{
		fs: fs, proc: config.Proc,
		disks: disks{proc: config.Proc, sys: config.Sys},
		files: newFileSystems(fs),
	}
}

// read returns the summary, whose rates are measured from a reading at least basis before. What fails has its reason in
// the summary's Errors under its JSON name.
func (r *summaryReader) read(now time.Time) Summary {
	s := Summary{Time: now, Errors: make(map[string]string)}
	fail := func(field string, err error) {
		if err != nil {
			s.Errors[field] = err.Error()
		}
	}

	base := r.counters.base(now)
	c := r.count(now, fail)
	if base.at.IsZero() {
		base = reading[counters]{now.Add(-basis), c}
	}
	over := now.Sub(base.at)
	s.CPU = shares(base.value.cpu, c.cpu)
	s.Cores = busy(base.value.cores, c.cores)
	s.Disks = diskRates(base.value.disks, c.disks, over)
	s.Interfaces = interfaceRates(base.value.interfaces, c.interfaces, over)

	var err error
	s.Memory, s.Swap, err = memory(r.fs)
	fail("memory", err)
	s.Load, err = load(r.fs)
	fail("load", err)
	s.Uptime, err = uptime(r.proc)
	fail("uptime", err)
	s.Pressure, err = pressure(r.fs)
	fail("pressure", err)
	s.FileSystems, err = r.files.read(now)
	fail("fileSystems", err)
	return s
}

// count reads the counters and keeps them to measure from.
func (r *summaryReader) count(now time.Time, fail func(field string, err error)) (c counters) {
	stat, err := r.fs.Stat()
	if err != nil {
		fail("cpu", fmt.Errorf("cannot read processor times: %w", err))
		c.cpu, c.cores = r.last.value.cpu, r.last.value.cores
	} else {
		c.cpu, c.cores, r.boot = stat.CPUTotal, stat.CPU, stat.BootTime
	}
	c.disks, err = r.disks.read()
	fail("disks", err)
	c.interfaces, err = interfaces(r.fs)
	fail("interfaces", err)
	r.counters.add(now, c)
	r.last = reading[counters]{now, c}
	return c
}

// point makes the history's next point of the last summary; its rates reach back to the point before.
func (r *summaryReader) point(s *Summary) Point {
	p := Point{Time: s.Time, CPU: s.CPU, Memory: s.Memory, Swap: s.Swap, Load: s.Load, Pressure: s.Pressure}
	before, after := r.mark, r.last
	r.mark = r.last
	over := after.at.Sub(before.at)
	if before.at.IsZero() || over <= 0 {
		return p
	}
	p.CPU = shares(before.value.cpu, after.value.cpu)
	stacked := make(map[string]bool)
	for _, d := range after.value.disks {
		stacked[d.name] = d.stacked
	}
	for _, d := range diskRates(before.value.disks, after.value.disks, over) {
		if !stacked[d.Name] {
			p.ReadBytesPerSecond += d.ReadBytesPerSecond
			p.WriteBytesPerSecond += d.WriteBytesPerSecond
		}
	}
	for _, i := range interfaceRates(before.value.interfaces, after.value.interfaces, over) {
		if i.Name != "lo" {
			p.ReceiveBytesPerSecond += i.ReceiveBytesPerSecond
			p.TransmitBytesPerSecond += i.TransmitBytesPerSecond
		}
	}
	return p
}

// load reads /proc/loadavg, proc_loadavg(5).
func load(fs procfs.FS) ([3]float64, error) {
	l, err := fs.LoadAvg()
	if err != nil {
		return [3]float64{}, fmt.Errorf("cannot read the load: %w", err)
	}
	return [3]float64{l.Load1, l.Load5, l.Load15}, nil
}

// uptime reads /proc/uptime, in seconds; proc_uptime(5).
func uptime(proc string) (float64, error) {
	data, err := os.ReadFile(filepath.Join(proc, "uptime"))
	if err != nil {
		return 0, fmt.Errorf("cannot read the uptime: %w", err)
	}
	first, _, _ := bytes.Cut(data, []byte(" "))
	seconds, err := strconv.ParseFloat(string(bytes.TrimSpace(first)), 64)
	if err != nil {
		return 0, fmt.Errorf("cannot read the uptime: %w", err)
	}
	return seconds, nil
}
