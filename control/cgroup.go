package control

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// groupUsage reads memory and CPU time of control groups, version 2 (cgroups(7)); elsewhere it knows nothing.
type groupUsage struct {
	root string

	mu   sync.Mutex
	last map[string]usage // by control group
}

type usage struct {
	at      time.Time
	micros  uint64 // CPU time used until then
	percent *float64
}

// least is the shortest time over which a CPU percentage is taken: within it, the one before is given again.
const least = 500 * time.Millisecond

// fill sets Memory and CPUPercent of services, which are those of units in the same order.
func (g *groupUsage) fill(services []Service, units []unit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	next := make(map[string]usage, len(g.last))
	for i, u := range units {
		if u.group == "" || !u.runs() {
			continue
		}
		dir := filepath.Join(g.root, u.group)
		if n, ok := readNumber(filepath.Join(dir, "memory.current")); ok {
			services[i].Memory = &n
		}
		if now, ok := g.cpu(dir, g.last[u.group]); ok {
			services[i].CPUPercent = now.percent
			next[u.group] = now
		}
	}
	g.last = next
}

func (g *groupUsage) cpu(dir string, before usage) (usage, bool) {
	if !before.at.IsZero() && time.Since(before.at) < least {
		return before, true
	}
	b, err := os.ReadFile(filepath.Join(dir, "cpu.stat"))
	if err != nil {
		return usage{}, false
	}
	for line := range strings.Lines(string(b)) {
		value, ok := strings.CutPrefix(line, "usage_usec ")
		if !ok {
			continue
		}
		micros, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
		if err != nil {
			break
		}
		now := usage{at: time.Now(), micros: micros}
		// A group that was made anew starts from 0.
		if !before.at.IsZero() && micros >= before.micros {
			percent := float64(micros-before.micros) / float64(now.at.Sub(before.at).Microseconds()) * 100
			now.percent = &percent
		}
		return now, true
	}
	return usage{}, false
}

func readNumber(path string) (uint64, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil
}
