package collector

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"github.com/prometheus/procfs"
)

// summaryReader reads the cheap part of a summary: nine small files, whatever runs on the host.
type summaryReader struct {
	stat, memory, load, uptime, network procFile
	pressure                            [3]procFile // cpu, memory, io

	disks    disks
	files    *fileSystems
	counters window[counters]
	last     reading[counters]
	mark     reading[counters] // what the next point of the history is measured from
	coreMark reading[counters] // and the cores of the next point that has them
	boot     uint64            // when the host booted, in seconds since 1970
}

// counters is what rates are made of.
type counters struct {
	cpu        procfs.CPUStat
	cores      []coreTimes
	disks      []diskCounters
	interfaces []interfaceCounters
}

func newSummaryReader(fs procfs.FS, config Config) *summaryReader {
	in := func(name string) procFile { return procFile{path: filepath.Join(config.Proc, name)} }
	return &summaryReader{
		stat: in("stat"), memory: in("meminfo"), load: in("loadavg"), uptime: in("uptime"), network: in("net/dev"),
		pressure: [3]procFile{in("pressure/cpu"), in("pressure/memory"), in("pressure/io")},
		disks:    disks{stats: in("diskstats"), sys: config.Sys},
		files:    newFileSystems(fs),
	}
}

// close lets go of the open files.
func (r *summaryReader) close() {
	for _, f := range []*procFile{&r.stat, &r.memory, &r.load, &r.uptime, &r.network, &r.pressure[0], &r.pressure[1], &r.pressure[2], &r.disks.stats} {
		f.close()
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
	s.Memory, s.Swap, err = memory(&r.memory)
	fail("memory", err)
	s.Load, err = load(&r.load)
	fail("load", err)
	s.Uptime, err = uptime(&r.uptime)
	fail("uptime", err)
	s.Pressure, err = pressure(&r.pressure)
	fail("pressure", err)
	s.FileSystems, err = r.files.read(now)
	fail("fileSystems", err)
	return s
}

// count reads the counters and keeps them to measure from.
func (r *summaryReader) count(now time.Time, fail func(field string, err error)) (c counters) {
	cpu, cores, boot, err := processorTimes(&r.stat)
	if err != nil {
		fail("cpu", err)
		c.cpu, c.cores = r.last.value.cpu, r.last.value.cores
	} else {
		c.cpu, c.cores, r.boot = cpu, cores, boot
	}
	c.disks, err = r.disks.read()
	fail("disks", err)
	c.interfaces, err = interfaces(&r.network)
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
	p.Cores = r.pointCores()
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

// coreStep is how far apart the points of the history are that have the cores.
const coreStep = 10 * time.Second

// pointCores is how busy each core was since the last point that has them; nil when this point is to have none. Ticks may be
// a little early.
func (r *summaryReader) pointCores() []float64 {
	before, after := r.coreMark, r.last
	if !before.at.IsZero() && after.at.Sub(before.at) < coreStep-coreStep/20 {
		return nil
	}
	r.coreMark = after
	if before.at.IsZero() {
		return nil
	}
	cores := busy(before.value.cores, after.value.cores)
	for i, percent := range cores {
		cores[i] = math.Round(percent)
	}
	return cores
}

// load reads /proc/loadavg, proc_loadavg(5).
func load(f *procFile) (l [3]float64, err error) {
	text, err := f.read()
	if err != nil {
		return l, fmt.Errorf("cannot read the load: %w", err)
	}
	n := 0
	for word := range bytes.FieldsSeq(text) {
		v, ok := fraction(word)
		if !ok || n == len(l) {
			break
		}
		l[n] = v
		n++
	}
	if n < len(l) {
		return l, unreadable("/proc/loadavg", text)
	}
	return l, nil
}

// uptime reads /proc/uptime, in seconds; proc_uptime(5).
func uptime(f *procFile) (float64, error) {
	text, err := f.read()
	if err != nil {
		return 0, fmt.Errorf("cannot read the uptime: %w", err)
	}
	first, _, _ := bytes.Cut(text, []byte(" "))
	seconds, ok := fraction(bytes.TrimSpace(first))
	if !ok {
		return 0, unreadable("/proc/uptime", text)
	}
	return seconds, nil
}
