package collector

import (
	"maps"
	"math"
	"slices"

	"github.com/prometheus/procfs"
)

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

// busy tells how much of the time between two readings each core worked, in percent, in the order of their numbers. A
// core that has just come online has no reading before and counts as idle.
func busy(before, after map[int64]procfs.CPUStat) []float64 {
	cores := make([]float64, 0, len(after))
	for _, id := range slices.Sorted(maps.Keys(after)) {
		old, ok := before[id]
		if !ok {
			old = after[id]
		}
		s := shares(old, after[id])
		cores = append(cores, max(0, round(100-s.Idle-s.IOWait)))
	}
	return cores
}
