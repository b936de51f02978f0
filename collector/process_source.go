package collector

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
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
	opened    Source
	trust     *trust // nil when nothing is read by BPF
	processes processSource
	holders   holderSource
	close     func()
}

// source tells where is read from now.
func (s *sources) source() Source {
	if s.trust != nil {
		if reason := s.trust.lost.Load(); reason != nil {
			return Source{"proc", *reason}
		}
	}
	return s.opened
}

// trust is what those who read by BPF share: when one of them cannot go on, all read from /proc until topdeck starts again.
type trust struct {
	log  *slog.Logger
	lost atomic.Pointer[string] // why, once it is
}

func (t *trust) holds() bool { return t.lost.Load() == nil }

func (t *trust) lose(err error) {
	reason := err.Error() + "; so /proc is read until topdeck starts again"
	if t.lost.CompareAndSwap(nil, &reason) {
		t.log.Warn("reading processes", "source", "proc", "not-bpf", reason)
	}
}

// openSources returns the sources that are asked for: "proc", "bpf", or "auto" for the best that can be had. Only "bpf"
// fails, where it cannot be had at the start; when it fails later, /proc is read all the same.
func openSources(wanted, root string, log *slog.Logger) (*sources, error) {
	reason := ""
	switch wanted {
	case "", "auto", "bpf":
		s, err := openBPFSources(root, log)
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
	return &sources{Source{"proc", reason}, nil, processes, newProcHolders(root), processes.close}, nil
}

func openBPFSources(root string, log *slog.Logger) (*sources, error) {
	if err := bpfAllowed(root); err != nil {
		return nil, err
	}
	kernel, err := loadKernelTypes()
	if err != nil {
		return nil, err
	}
	trust := &trust{log: log}
	processes, err := newBPFSource(kernel, root, trust)
	if err != nil {
		return nil, err
	}
	holders, err := newBPFHolders(kernel, root, trust)
	if err != nil {
		processes.close()
		return nil, err
	}
	return &sources{Source{Name: "bpf"}, trust, processes, holders, func() {
		processes.close()
		holders.close()
	}}, nil
}
