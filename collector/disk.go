package collector

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"github.com/prometheus/procfs/blockdevice"
)

// disks reads /proc/diskstats and knows which of its lines are disks.
type disks struct {
	proc, sys string
	kinds     map[string]diskKind // by name
}

type diskKind uint8

const (
	notDisk     diskKind = iota // a partition, a loop or memory device
	wholeDisk                   // hardware, as far as this kernel sees
	stackedDisk                 // made of other disks (LVM, RAID, dm-crypt), whose activity counts there once more
)

// diskCounters is one disk's line of /proc/diskstats.
type diskCounters struct {
	name                  string
	stacked               bool
	reads, writes         uint64
	readBytes, writeBytes uint64
	busy                  time.Duration
}

// read returns the counters of the disks, in the kernel's order.
func (d *disks) read() ([]diskCounters, error) {
	fs, err := blockdevice.NewFS(d.proc, d.sys)
	if err != nil {
		return nil, fmt.Errorf("cannot read disks: %w", err)
	}
	stats, err := fs.ProcDiskstats()
	if err != nil {
		return nil, fmt.Errorf("cannot read disks: %w", err)
	}
	var list []diskCounters
	known := make(map[string]diskKind, len(stats))
	for _, s := range stats {
		kind, ok := d.kinds[s.DeviceName]
		if !ok {
			if kind, err = d.kind(s.DeviceName); err != nil {
				return nil, err
			}
		}
		known[s.DeviceName] = kind
		if kind == notDisk {
			continue
		}
		list = append(list, diskCounters{
			name: clean(s.DeviceName, maxName), stacked: kind == stackedDisk,
			reads: s.ReadIOs, writes: s.WriteIOs,
			readBytes: s.ReadSectors * procfs.SectorSize, writeBytes: s.WriteSectors * procfs.SectorSize,
			busy: time.Duration(s.IOsTotalTicks) * time.Millisecond,
		})
	}
	d.kinds = known // forgets those that went away
	return list, nil
}

// kind looks a device up in sysfs(5), where only whole disks have a folder in block.
func (d *disks) kind(name string) (diskKind, error) {
	for _, prefix := range []string{"loop", "ram", "zram", "fd", "sr"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok && strings.Trim(rest, "0123456789") == "" {
			return notDisk, nil
		}
	}
	block := filepath.Join(d.sys, "block")
	if _, err := os.Stat(block); err != nil {
		return notDisk, fmt.Errorf("cannot tell disks from partitions: %w", err)
	}
	folder := filepath.Join(block, strings.ReplaceAll(name, "/", "!"))
	if _, err := os.Stat(folder); err != nil {
		return notDisk, nil
	}
	if below, err := os.ReadDir(filepath.Join(folder, "slaves")); err == nil && len(below) > 0 {
		return stackedDisk, nil
	}
	return wholeDisk, nil
}

// diskRates are the rates over the given time, of the disks that were ever used. A disk that is new has none yet.
func diskRates(before, after []diskCounters, over time.Duration) []Disk {
	old := make(map[string]diskCounters, len(before))
	for _, d := range before {
		old[d.name] = d
	}
	list := make([]Disk, 0, len(after))
	for _, d := range after {
		if d.reads|d.writes == 0 {
			continue
		}
		o, ok := old[d.name]
		if !ok || d.reads < o.reads || d.writes < o.writes {
			o = d // new, or another disk of that name
		}
		list = append(list, Disk{
			Name:                d.name,
			ReadBytesPerSecond:  math.Round(rate(d.readBytes, o.readBytes, over)),
			WriteBytesPerSecond: math.Round(rate(d.writeBytes, o.writeBytes, over)),
			ReadsPerSecond:      round(rate(d.reads, o.reads, over)),
			WritesPerSecond:     round(rate(d.writes, o.writes, over)),
			BusyPercent:         min(100, max(0, round((d.busy-o.busy).Seconds()/over.Seconds()*100))),
		})
	}
	return list
}
