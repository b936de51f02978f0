package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"topdeck/collector"
	"topdeck/control"
	"topdeck/server"
)

type sampleCmd struct {
	Part     []string      `default:"summary" enum:"host,summary,processes,sockets,services" help:"What to sample: host, summary, processes, sockets or services; several with commas, or given more than once."`
	Count    int           `default:"1" help:"How many samples; 0 goes on until interrupted."`
	Interval time.Duration `default:"1s" help:"Time between samples, 100ms to 60s."`
	Source   string        `default:"auto" enum:"auto,bpf,proc" placeholder:"auto|bpf|proc" help:"Where to read processes from: the kernel's tasks by BPF, /proc, or the best that can be had."`
}

// sampleLine is one line of topdeck sample; what was not asked for is absent.
type sampleLine struct {
	Time      time.Time             `json:"time"`
	Host      *collector.Host       `json:"host,omitempty"`
	Summary   *collector.Summary    `json:"summary,omitempty"`
	Processes *[]*collector.Process `json:"processes,omitempty"`
	Sockets   *[]*collector.Socket  `json:"sockets,omitempty"`
	Services  *[]control.Service    `json:"services,omitempty"`
	Errors    map[string]string     `json:"errors"`
}

// Run prints one JSON object a sample.
func (s *sampleCmd) Run(std streams) error {
	if s.Count < 0 {
		return usageError{errors.New("--count must not be negative; 0 goes on until interrupted")}
	}
	logger := slog.New(slog.NewTextHandler(std.err, nil))
	c, err := collector.New(collector.Config{Interval: s.Interval, Source: s.Source, Logger: logger})
	if err != nil {
		return startError(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ctx, finish := context.WithCancelCause(ctx)
	defer finish(nil)

	host := collector.NewHostReader(collector.HostConfig{Source: c.Source})
	manager := control.NewManager(control.Config{Logger: logger})
	defer manager.Close()
	parts := s.parts()
	defer c.Watch(parts)()

	encoder := json.NewEncoder(std.out)
	encoder.SetEscapeHTML(false)
	printed := 0
	err = c.Run(ctx, func(sample *collector.Sample) {
		if ctx.Err() != nil || !sample.Parts.Has(parts) {
			return
		}
		if err := encoder.Encode(s.line(ctx, sample, host, manager)); err != nil {
			finish(err) // nobody reads any more
			return
		}
		if printed++; printed == s.Count {
			finish(nil)
		}
	})
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// startError tells a collector's wrong usage from what this host has not.
func startError(err error) error {
	if errors.Is(err, collector.ErrNoSource) {
		return err
	}
	return usageError{err}
}

// parts are those of the collector that the parts asked for stand on.
func (s *sampleCmd) parts() collector.Parts {
	var parts collector.Parts
	for _, name := range s.Part {
		switch name {
		case "summary":
			parts |= collector.PartTasks
		case "processes":
			parts |= collector.PartProcesses
		case "sockets":
			parts |= collector.PartSockets
		case "services":
			parts |= collector.PartProcesses | collector.PartSockets
		}
	}
	return parts
}

func (s *sampleCmd) line(ctx context.Context, sample *collector.Sample, host *collector.HostReader, manager *control.Manager) sampleLine {
	line := sampleLine{Time: sample.Time, Errors: maps.Clone(sample.Errors)}
	if line.Errors == nil {
		line.Errors = map[string]string{}
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(s.Part))) {
		switch name {
		case "host":
			line.Host = host.Host(ctx)
			line.Host.ServiceManagers = manager.Managers()
		case "summary":
			line.Summary = &sample.Summary
		case "processes":
			line.Processes = &sample.Processes
		case "sockets":
			line.Sockets = &sample.Sockets
		case "services":
			services, failed := manager.Services(ctx)
			services = server.JoinServices(services, sample)
			line.Services = &services
			maps.Copy(line.Errors, failed)
		}
	}
	return line
}
