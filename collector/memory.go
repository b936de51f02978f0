package collector

import (
	"bytes"
	"fmt"
)

// memory reads /proc/meminfo, proc_meminfo(5), by the definitions of free(1) and top(1), procps 4.
func memory(f *procFile) (m Memory, s Swap, err error) {
	text, err := f.read()
	if err != nil {
		return m, s, fmt.Errorf("cannot read the memory: %w", err)
	}
	var buffers, cached, reclaimable uint64
	hasAvailable := false
	for line := range bytes.Lines(text) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		var field *uint64
		switch string(name) {
		case "MemTotal":
			field = &m.Total
		case "MemFree":
			field = &m.Free
		case "MemAvailable":
			field, hasAvailable = &m.Available, true
		case "Buffers":
			field = &buffers
		case "Cached":
			field = &cached
		case "SReclaimable":
			field = &reclaimable
		case "SwapTotal":
			field = &s.Total
		case "SwapFree":
			field = &s.Free
		default:
			continue
		}
		var n [1]uint64
		if numbers(rest, n[:]) != 1 {
			return Memory{}, Swap{}, unreadable("/proc/meminfo", line)
		}
		*field = n[0] << 10 // they are told in KiB
	}
	if m.Total == 0 {
		return Memory{}, Swap{}, unreadable("/proc/meminfo", text[:min(len(text), 80)])
	}
	m.BuffCache = buffers + cached + reclaimable
	if !hasAvailable || m.Available > m.Total {
		m.Available = m.Free // before Linux 3.14, and in some containers
	}
	m.Used = less(m.Total, m.Available)
	s.Used = less(s.Total, s.Free)
	return m, s, nil
}
