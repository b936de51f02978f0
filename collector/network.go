package collector

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// interfaceCounters is one line of /proc/net/dev.
type interfaceCounters struct {
	name                                    string
	rxBytes, rxPackets, rxErrors, rxDropped uint64
	txBytes, txPackets, txErrors, txDropped uint64
}

// interfaces reads /proc/net/dev, proc_pid_net(5): the counters of the interfaces of our network namespace, by name.
func interfaces(f *procFile) ([]interfaceCounters, error) {
	text, err := f.read()
	if err != nil {
		return nil, fmt.Errorf("cannot read network interfaces: %w", err)
	}
	var list []interfaceCounters
	for line := range bytes.Lines(text) {
		colon := bytes.LastIndexByte(line, ':') // a name may hold one
		if colon < 0 {
			continue // the two lines above
		}
		var n [16]uint64
		if numbers(line[colon+1:], n[:]) < len(n) {
			return nil, unreadable("/proc/net/dev", line)
		}
		list = append(list, interfaceCounters{
			string(bytes.TrimSpace(line[:colon])), n[0], n[1], n[2], n[3], n[8], n[9], n[10], n[11],
		})
	}
	slices.SortFunc(list, func(a, b interfaceCounters) int { return strings.Compare(a.name, b.name) })
	return list, nil
}

// interfaceRates are the rates over the given time, by name. An interface that is new has none yet, nor one whose counters
// were reset.
func interfaceRates(before, after []interfaceCounters, over time.Duration) []Interface {
	list := make([]Interface, 0, len(after))
	for _, now := range after {
		for len(before) > 0 && before[0].name < now.name {
			before = before[1:]
		}
		old := now
		if len(before) > 0 && before[0].name == now.name {
			old = before[0]
		}
		list = append(list, Interface{
			Name:                     clean(now.name, maxName),
			ReceiveBytesPerSecond:    math.Round(rate(now.rxBytes, old.rxBytes, over)),
			TransmitBytesPerSecond:   math.Round(rate(now.txBytes, old.txBytes, over)),
			ReceivePacketsPerSecond:  round(rate(now.rxPackets, old.rxPackets, over)),
			TransmitPacketsPerSecond: round(rate(now.txPackets, old.txPackets, over)),
			ErrorsPerSecond: round(rate(now.rxErrors, old.rxErrors, over) + rate(now.rxDropped, old.rxDropped, over) +
				rate(now.txErrors, old.txErrors, over) + rate(now.txDropped, old.txDropped, over)),
		})
	}
	return list
}
