package control

import (
	"path/filepath"
	"testing"
	"time"
)

func TestUsageOfControlGroups(t *testing.T) {
	root := t.TempDir()
	set := func(group, file, text string) { t.Helper(); write(t, filepath.Join(root, group, file), text, 0o644) }
	set("a", "memory.current", "4096\n")
	set("a", "cpu.stat", "usage_usec 1000000\nuser_usec 1\n")
	set("b", "memory.current", "max\n")
	set("b", "cpu.stat", "user_usec 1\n")
	set("off", "memory.current", "1\n")
	active := func(group string) unit { return unit{group: group, Service: Service{ActiveState: "active"}} }
	units := []unit{active("a"), active("b"), active("gone"), active(""), {group: "off", Service: Service{ActiveState: "inactive"}}}
	g := groupUsage{root: root}
	fill := func() []Service {
		services := make([]Service, len(units))
		g.fill(services, units)
		return services
	}
	got := fill()
	if got[0].Memory == nil || *got[0].Memory != 4096 || got[0].CPUPercent != nil {
		t.Errorf("at first: %+v", got[0])
	}
	for i, s := range got[1:] {
		if s.Memory != nil || s.CPUPercent != nil {
			t.Errorf("%s: %+v, want nothing", units[i+1].group, s)
		}
	}
	back := func(d time.Duration) { // as if the last reading was that long ago
		last := g.last["a"]
		last.at = last.at.Add(-d)
		g.last["a"] = last
	}
	back(10 * time.Second)
	set("a", "cpu.stat", "usage_usec 6000000\n")
	if p := fill()[0].CPUPercent; p == nil || *p < 45 || *p > 50 {
		t.Errorf("5 s of CPU in 10 s: %v%%", p)
	}
	set("a", "cpu.stat", "usage_usec 7000000\n")
	if p := fill()[0].CPUPercent; p == nil || *p < 45 || *p > 50 {
		t.Errorf("asked again at once: %v%%, want the same", p)
	}
	back(10 * time.Second)
	set("a", "cpu.stat", "usage_usec 5\n")
	if p := fill()[0].CPUPercent; p != nil {
		t.Errorf("a group that was made anew: %g%%", *p)
	}
}
