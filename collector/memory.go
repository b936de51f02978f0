package collector

import (
	"fmt"

	"github.com/prometheus/procfs"
)

// memory reads /proc/meminfo, proc_meminfo(5), by the definitions of free(1) and top(1), procps 4.
func memory(fs procfs.FS) (Memory, Swap, error) {
	info, err := fs.Meminfo()
	if err != nil {
		return Memory{}, Swap{}, fmt.Errorf("cannot read the memory: %w", err)
	}
	m := Memory{
		Total:     value(info.MemTotalBytes),
		Free:      value(info.MemFreeBytes),
		BuffCache: value(info.BuffersBytes) + value(info.CachedBytes) + value(info.SReclaimableBytes),
		Available: value(info.MemAvailableBytes),
	}
	if info.MemAvailableBytes == nil || m.Available > m.Total {
		m.Available = m.Free // before Linux 3.14, and in some containers
	}
	m.Used = less(m.Total, m.Available)
	s := Swap{Total: value(info.SwapTotalBytes), Free: value(info.SwapFreeBytes)}
	s.Used = less(s.Total, s.Free)
	return m, s, nil
}

func value(v *uint64) uint64 {
	if v == nil {
		return 0
	}
	return *v
}
