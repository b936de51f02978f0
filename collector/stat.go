package collector

import (
	"bytes"
	"fmt"
	"math"

	"github.com/prometheus/procfs"
)

// userHZ is the unit of processor times in /proc: a clock tick of 1/100 s on every architecture that Linux still has (time(7)).
const userHZ = 100

// coreTimes is a line cpuN of /proc/stat.
type coreTimes struct {
	id uint64
	procfs.CPUStat
}

// processorTimes reads /proc/stat, proc_stat(5): the times of all processors together and of each, and when the host booted, in
// seconds since 1970.
func processorTimes(f *procFile) (all procfs.CPUStat, cores []coreTimes, boot uint64, err error) {
	text, err := f.read()
	if err != nil {
		return all, nil, 0, fmt.Errorf("cannot read processor times: %w", err)
	}
	var n [10]uint64 // user nice system idle iowait irq softirq steal guest guest_nice
	found := false
	for line := range bytes.Lines(text) {
		name, rest, _ := bytes.Cut(line, []byte(" "))
		switch core, isCPU := bytes.CutPrefix(name, []byte("cpu")); {
		case isCPU:
			n = [10]uint64{}
			if numbers(rest, n[:]) < 4 {
				return all, nil, 0, unreadable("/proc/stat", line)
			}
			t := procfs.CPUStat{
				User: float64(n[0]) / userHZ, Nice: float64(n[1]) / userHZ, System: float64(n[2]) / userHZ, Idle: float64(n[3]) / userHZ,
				Iowait: float64(n[4]) / userHZ, IRQ: float64(n[5]) / userHZ, SoftIRQ: float64(n[6]) / userHZ, Steal: float64(n[7]) / userHZ,
				Guest: float64(n[8]) / userHZ, GuestNice: float64(n[9]) / userHZ,
			}
			if len(core) == 0 {
				all, found = t, true
			} else if id, ok := digits(core); ok {
				cores = append(cores, coreTimes{id, t})
			}
		case string(name) == "btime":
			if numbers(rest, n[:]) != 1 {
				return all, nil, 0, unreadable("/proc/stat", line)
			}
			boot = n[0]
		}
	}
	if !found {
		return all, nil, 0, unreadable("/proc/stat", text[:min(len(text), 80)])
	}
	return all, cores, boot, nil
}

// shares tells how the time between two readings was spent, in percent to two decimals that add up to 100. The kernel
// counts guest time within user and nice, so those two columns hold it already. A time that went back (idle and iowait do,
// at times) counts as none, as in top(1).
func shares(before, after procfs.CPUStat) CPU {
	delta := [...]float64{
		after.User - before.User, after.System - before.System, after.Nice - before.Nice, after.Idle - before.Idle,
		after.Iowait - before.Iowait, after.IRQ - before.IRQ, after.SoftIRQ - before.SoftIRQ, after.Steal - before.Steal,
	}
	total := 0.0
	for i := range delta {
		delta[i] = max(0, delta[i])
		total += delta[i]
	}
	if total == 0 || before == (procfs.CPUStat{}) { // nothing to measure from: the reading before failed
		return CPU{Idle: 100}
	}
	rest, largest := 100.0, 0
	for i := range delta {
		delta[i] = math.Round(delta[i]/total*10000) / 100
		rest -= delta[i]
		if delta[i] > delta[largest] {
			largest = i
		}
	}
	// What rounding lost or won goes to the largest share, where it matters least.
	delta[largest] = math.Round((delta[largest]+rest)*100) / 100
	return CPU{
		User: delta[0], System: delta[1], Nice: delta[2], Idle: delta[3],
		IOWait: delta[4], HardIRQ: delta[5], SoftIRQ: delta[6], Steal: delta[7],
	}
}

// busy tells how much of the time between two readings each core worked, in percent, in the order of their numbers, which is
// the kernel's. A core that has just come online has no reading before and counts as idle.
func busy(before, after []coreTimes) []float64 {
	cores := make([]float64, 0, len(after))
	for _, now := range after {
		for len(before) > 0 && before[0].id < now.id {
			before = before[1:]
		}
		old := now
		if len(before) > 0 && before[0].id == now.id {
			old = before[0]
		}
		s := shares(old.CPUStat, now.CPUStat)
		cores = append(cores, max(0, round(100-s.Idle-s.IOWait)))
	}
	return cores
}
