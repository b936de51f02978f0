package collector

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/prometheus/procfs"
)

// interfaces reads /proc/net/dev, proc_pid_net(5): the counters of the interfaces of our network namespace.
func interfaces(fs procfs.FS) (procfs.NetDev, error) {
	lines, err := fs.NetDev()
	if err != nil {
		return nil, fmt.Errorf("cannot read network interfaces: %w", err)
	}
	return lines, nil
}

// interfaceRates are the rates over the given time, by name. An interface that is new has none yet, nor one whose counters
// were reset.
func interfaceRates(before, after procfs.NetDev, over time.Duration) []Interface {
	list := make([]Interface, 0, len(after))
	for _, name := range slices.Sorted(maps.Keys(after)) {
		now := after[name]
		old, ok := before[name]
		if !ok {
			old = now
		}
		list = append(list, Interface{
			Name:                     clean(name, maxName),
			ReceiveBytesPerSecond:    math.Round(rate(now.RxBytes, old.RxBytes, over)),
			TransmitBytesPerSecond:   math.Round(rate(now.TxBytes, old.TxBytes, over)),
			ReceivePacketsPerSecond:  round(rate(now.RxPackets, old.RxPackets, over)),
			TransmitPacketsPerSecond: round(rate(now.TxPackets, old.TxPackets, over)),
			ErrorsPerSecond: round(rate(now.RxErrors, old.RxErrors, over) + rate(now.RxDropped, old.RxDropped, over) +
				rate(now.TxErrors, old.TxErrors, over) + rate(now.TxDropped, old.TxDropped, over)),
		})
	}
	return list
}
