package collector

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/prometheus/procfs"
)

// pressure reads /proc/pressure, the kernel's pressure stall information.
func pressure(fs procfs.FS) (*Pressure, error) {
	var p Pressure
	for _, resource := range []struct {
		name  string
		share *PressureShare
	}{{"cpu", &p.CPU}, {"memory", &p.Memory}, {"io", &p.IO}} {
		stats, err := fs.PSIStatsForResource(resource.name)
		if err != nil {
			return nil, pressureError(err)
		}
		if stats.Some != nil {
			resource.share.Some = stats.Some.Avg10
		}
		if stats.Full != nil { // the processor has none before Linux 5.13
			resource.share.Full = stats.Full.Avg10
		}
	}
	return &p, nil
}

func pressureError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("this kernel tells no pressure: it needs CONFIG_PSI and, where off by default, psi=1 on its command line")
	case errors.Is(err, syscall.EOPNOTSUPP):
		return errors.New("pressure is switched off in this kernel: boot it with psi=1")
	}
	return fmt.Errorf("cannot read the pressure: %w", err)
}
