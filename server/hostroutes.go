package server

import (
	"context"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/gofiber/fiber/v2"

	"topdeck/collector"
)

// hostWait is how long reading the facts of the host may take.
const hostWait = 5 * time.Second

// HostReader reads the facts of the host. collector.HostReader is one.
type HostReader interface {
	Host(context.Context) *collector.Host
}

// showHost answers GET /host. A viewer sees of what crontabs run only the program, as of any command line: neither its
// arguments nor the variables set for it, which may hold secrets.
func (s *Server) showHost(c *fiber.Ctx) error {
	ctx, cancel := context.WithTimeout(s.requests, hostWait)
	defer cancel()
	host := *s.cfg.Host.Host(ctx)
	host.ServiceManagers = orNone(s.cfg.Services.Managers())
	tasks := make([]collector.ScheduledTask, len(host.ScheduledTasks))
	for i, task := range host.ScheduledTasks {
		if task.Kind == "cron" && sessionOf(c).Role == Viewer {
			task.Command = programOf(task.Command)
		}
		tasks[i] = task
	}
	host.ScheduledTasks = tasks
	host.Errors = orEmpty(host.Errors)
	return reply(c, host)
}

// programOf is the first word of a command line that sets no variable.
func programOf(line string) string {
	for {
		line = strings.TrimLeftFunc(line, unicode.IsSpace)
		word := firstWord(line)
		name, _, sets := strings.Cut(word, "=")
		if !sets || !variableName.MatchString(name) {
			return word
		}
		line = line[len(word):]
	}
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// showSummary answers GET /summary.
func (s *Server) showSummary(c *fiber.Ctx) error {
	sample, err := s.collect(c, collector.PartTasks)
	if err != nil {
		return err
	}
	return reply(c, newSummaryReply(sample, s.cfg.Services))
}

// How many of the services that failed are named: beside the figures of each second, and where they are told when others have.
const (
	maxFailed     = 10
	maxFailedTold = 100
)

func newSummaryReply(sample *collector.Sample, services ServiceLister) SummaryReply {
	return SummaryReply{Summary: sample.Summary, FailedServices: firstFailed(services.Failed(), maxFailed)}
}

func firstFailed(failed []string, most int) FailedServices {
	return FailedServices{Total: len(failed), Names: orNone(failed[:min(len(failed), most)])}
}

// showHistory answers GET /summary/history.
func (s *Server) showHistory(c *fiber.Ctx) error {
	interval, points := s.cfg.Collector.History()
	if points == nil {
		points = []collector.Point{}
	}
	return reply(c, HistoryReply{Interval: interval.Seconds(), Points: points})
}
