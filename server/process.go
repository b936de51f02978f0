package server

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"topdeck/collector"
)

// ProcessReader reads single processes in depth. collector.Detailer is one.
type ProcessReader interface {
	// Detail reads the process that has this PID now; collector.ErrEnded where there is none.
	Detail(ctx context.Context, pid int, environment bool) (*collector.ProcessDetail, error)
}

var _ ProcessReader = (*collector.Detailer)(nil)

// processID is the PID in a request's path.
func processID(c *fiber.Ctx) (int, error) {
	pid, err := strconv.ParseUint(c.Params("pid"), 10, 31)
	if err != nil || pid == 0 || strconv.FormatUint(pid, 10) != c.Params("pid") {
		return 0, refuse(codeNotFound, "there is no process %q", shorten(c.Params("pid")))
	}
	return int(pid), nil
}

// showProcess answers GET /processes/{pid}. With startTime it is that process or none; with environment=true, for
// administrators whose password was just given, it has the environment too, which is recorded.
func (s *Server) showProcess(c *fiber.Ctx) error {
	given, err := parameters(c, "environment", "startTime")
	if err != nil {
		return err
	}
	if err := oneOf("environment", given["environment"], "true", "false"); err != nil {
		return err
	}
	environment := given["environment"] == "true"
	if environment {
		if err := s.demand(sessionOf(c), forAdmin, true); err != nil {
			return err
		}
		if err := s.spend(c); err != nil {
			return err
		}
	}
	pid, err := processID(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.requests, collectWait)
	defer cancel()
	detail, err := s.cfg.Processes.Detail(ctx, pid, environment)
	start := given["startTime"]
	switch {
	case errors.Is(err, collector.ErrEnded), err == nil && start != "" && start != strconv.FormatUint(detail.Process.StartTime, 10):
		return refuse(codeNotFound, "there is no such process, or not any more")
	case errors.Is(err, context.DeadlineExceeded):
		return tooMany("too many processes are being looked into", collectWait)
	case err != nil:
		return err
	}
	if p := detail.Process; environment {
		s.accounts.record("process.environment", actorOf(c), fmt.Sprintf("%d:%d", p.PID, p.StartTime), fmt.Sprintf("the environment of process %d (%s) was read", p.PID, p.Comm))
	}
	sample, err := s.cfg.Collector.Collect(ctx, collector.PartProcesses|collector.PartSockets)
	if err != nil {
		s.cfg.Logger.Warn("cannot tell the sockets and children of a process", "error", err)
		sample = &collector.Sample{Errors: map[string]string{"processes": "cannot be read now", "sockets": "cannot be read now"}}
	}
	detail.Complete(sample)
	return reply(c, detail)
}
