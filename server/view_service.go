package server

import (
	"math"
	"slices"

	"topdeck/collector"
	"topdeck/control"
)

// serviceParts is what a list of services needs beside the managers.
const serviceParts = collector.PartProcesses | collector.PartSockets

// JoinServices fills in what the managers leave open, from the processes and sockets of a sample: PIDs, listening ports,
// CPU and memory. The processes of a systemd service are those of its unit; of another one, its main process and what
// descends from it. Nothing of services is changed; sample may be nil.
func JoinServices(services []control.Service, sample *collector.Sample) []control.Service {
	of := newHolders(sample)
	joined := slices.Clone(services)
	for i := range joined {
		s := &joined[i]
		unit := ""
		if s.Manager == "systemd" {
			unit = s.Name
		}
		s.PIDs = slices.Clone(s.PIDs)
		if len(s.PIDs) == 0 {
			s.PIDs = of.processes(unit, s.MainPID)
		}
		var cpu float64
		var memory uint64
		known := false
		for _, pid := range s.PIDs {
			if p := of.byPID[pid]; p != nil {
				cpu, memory, known = cpu+p.CPUPercent, memory+p.RSS, true
			}
		}
		if known && s.CPUPercent == nil {
			s.CPUPercent = new(math.Round(cpu*10) / 10)
		}
		if known && s.Memory == nil {
			s.Memory = &memory
		}
		if len(s.Ports) == 0 {
			s.Ports = of.ports(unit, s.PIDs)
		}
	}
	return joined
}

// holders finds the processes of a sample, and the ports that they listen on.
type holders struct {
	byPID     map[int]*collector.Process
	byUnit    map[string][]int
	children  map[int][]int
	unitPorts map[string][]int
	pidPorts  map[int][]int
}

func newHolders(sample *collector.Sample) *holders {
	h := &holders{byPID: map[int]*collector.Process{}, byUnit: map[string][]int{}, children: map[int][]int{},
		unitPorts: map[string][]int{}, pidPorts: map[int][]int{}}
	if sample == nil {
		return h
	}
	for _, p := range sample.Processes {
		h.byPID[p.PID] = p
		h.children[p.PPID] = append(h.children[p.PPID], p.PID)
		if p.Unit != "" && !p.UserUnit { // a unit of a user's manager is another, whatever its name
			h.byUnit[p.Unit] = append(h.byUnit[p.Unit], p.PID)
		}
	}
	for _, s := range sample.Sockets {
		if s.State != "LISTEN" && s.State != "UNCONN" || s.LocalPort == 0 {
			continue
		}
		if s.Unit != "" && !s.UserUnit {
			h.unitPorts[s.Unit] = append(h.unitPorts[s.Unit], int(s.LocalPort))
		}
		if s.PID != 0 {
			h.pidPorts[s.PID] = append(h.pidPorts[s.PID], int(s.LocalPort))
		}
	}
	return h
}

// processes are those of a unit, or of a main process where there is no unit; ascending.
func (h *holders) processes(unit string, main int) []int {
	if unit != "" {
		return append([]int{}, h.byUnit[unit]...)
	}
	if h.byPID[main] == nil || main <= 1 {
		return []int{}
	}
	pids := []int{main}
	for i := 0; i < len(pids) && len(pids) <= len(h.byPID); i++ {
		pids = append(pids, h.children[pids[i]]...)
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// ports are those that a unit or any of pids listens on; ascending, each once.
func (h *holders) ports(unit string, pids []int) []int {
	ports := append([]int{}, h.unitPorts[unit]...)
	for _, pid := range pids {
		ports = append(ports, h.pidPorts[pid]...)
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// equalServices compares what a client sees of two services.
func equalServices(a, b *control.Service) bool {
	return a.Name == b.Name && a.Manager == b.Manager && a.Description == b.Description && a.LoadState == b.LoadState &&
		a.ActiveState == b.ActiveState && a.SubState == b.SubState && a.UnitFileState == b.UnitFileState && a.MainPID == b.MainPID &&
		a.Result == b.Result && equalPointers(a.ExitCode, b.ExitCode) && a.Signal == b.Signal &&
		slices.Equal(a.PIDs, b.PIDs) && slices.Equal(a.Ports, b.Ports) && slices.Equal(a.Actions, b.Actions) &&
		equalPointers(a.CPUPercent, b.CPUPercent) && equalPointers(a.Memory, b.Memory) &&
		(a.Since == b.Since || a.Since != nil && b.Since != nil && a.Since.Equal(*b.Since))
}

func equalPointers[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}
