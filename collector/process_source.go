package collector

import (
	"errors"
	"fmt"
)

// ErrNoSource is what New returns when processes cannot be read from where they must be.
var ErrNoSource = errors.New("cannot read processes by BPF")

// Source is where processes, and which of them hold which sockets, are read from.
type Source struct {
	Name   string // "proc" or "bpf"
	Reason string // why it is not the better one, where that was wanted
}

// sources are what is behind it.
type sources struct {
	Source
	processes processSource
	holders   holderSource
	close     func()
}

// openSources returns the sources that are asked for: "proc", "bpf", or "auto" for the best that can be had. Only "bpf"
// fails, where it cannot be had.
func openSources(wanted, root string) (*sources, error) {
	reason := ""
	switch wanted {
	case "", "auto", "bpf":
		s, err := openBPFSources(root)
		if err == nil {
			return s, nil
		}
		if wanted == "bpf" {
			return nil, fmt.Errorf("%w: %w", ErrNoSource, err)
		}
		reason = err.Error()
	case "proc":
	default:
		return nil, fmt.Errorf("cannot read processes from %q: give auto, bpf or proc", wanted)
	}
	processes := newProcSource(root)
	return &sources{Source{"proc", reason}, processes, newProcHolders(root), processes.close}, nil
}

func openBPFSources(root string) (*sources, error) {
	if err := bpfAllowed(root); err != nil {
		return nil, err
	}
	kernel, err := loadKernelTypes()
	if err != nil {
		return nil, err
	}
	processes, err := newBPFSource(kernel, root)
	if err != nil {
		return nil, err
	}
	holders, err := newBPFHolders(kernel)
	if err != nil {
		processes.close()
		return nil, err
	}
	return &sources{Source{Name: "bpf"}, processes, holders, func() {
		processes.close()
		holders.close()
	}}, nil
}
