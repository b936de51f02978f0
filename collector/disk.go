package collector

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// disks reads /proc/diskstats and knows which of its lines are disks.
type disks struct {
	stats procFile
	sys   string
	kinds map[string]diskKind // by name
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

// read returns the counters of the disks (proc_diskstats(5)), in the kernel's order.
func (d *disks) read() ([]diskCounters, error) {
	text, err := d.stats.read()
	if err != nil {
		return nil, fmt.Errorf("cannot read disks: %w", err)
	}
	var list []diskCounters
	known := make(map[string]diskKind, len(d.kinds))
	for line := range bytes.Lines(text) {
		// major minor name, then reads, merged, sectors, ms; writes, merged, sectors, ms; in flight, ms busy
		name, rest := third(line)
		var n [10]uint64
		if numbers(rest, n[:]) < len(n) {
			return nil, unreadable("/proc/diskstats", line)
		}
		kind, ok := d.kinds[string(name)]
		if !ok {
			if kind, err = d.kind(string(name)); err != nil {
				return nil, err
			}
		}
		known[string(name)] = kind
		if kind == notDisk {
			continue
		}
		list = append(list, diskCounters{
			name: clean(string(name), maxName), stacked: kind == stackedDisk,
			reads: n[0], readBytes: n[2] * sectorSize, writes: n[4], writeBytes: n[6] * sectorSize, busy: time.Duration(n[9]) * time.Millisecond,
		})
	}
	d.kinds = known // forgets those that went away
	return list, nil
}

// sectorSize is the unit of /proc/diskstats, whatever the device's is.
const sectorSize = 512

// third is the third word of a line, and what follows it.
func third(line []byte) (word, rest []byte) {
	for range 3 {
		line = bytes.TrimLeft(line, " ")
		word, line, _ = bytes.Cut(line, []byte(" "))
	}
	return word, line
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
