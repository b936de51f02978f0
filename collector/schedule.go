package collector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	maxTasks   = 2000 // of a host
	maxReasons = 10   // why the list may be incomplete
	maxReason  = 4096 // bytes, all together
)

// schedule gathers scheduled tasks, and the reasons why it may be incomplete.
type schedule struct {
	tasks   []ScheduledTask
	left    int // tasks that found no room
	reasons []string
}

func (s *schedule) add(task ScheduledTask) {
	if len(s.tasks) == maxTasks {
		s.left++
		return
	}
	task.Schedule = clean(task.Schedule, maxName)
	task.User = clean(task.User, maxName)
	task.Command = clean(task.Command, maxCmdline)
	task.Source = clean(task.Source, maxName)
	s.tasks = append(s.tasks, task)
}

func (s *schedule) doubt(format string, args ...any) {
	s.reasons = append(s.reasons, fmt.Sprintf(format, args...))
}

func (s *schedule) err() error {
	reasons := s.reasons
	if more := len(reasons) - maxReasons; more > 0 {
		reasons = append(reasons[:maxReasons:maxReasons], fmt.Sprintf("and %d more", more))
	}
	if s.left > 0 {
		reasons = append(reasons[:len(reasons):len(reasons)], fmt.Sprintf("%d more tasks are not listed", s.left))
	}
	if len(reasons) == 0 {
		return nil
	}
	return errors.New(strings.Join(reasons, "; "))
}

// scheduledTasks are the entries of crontabs, then the scripts in cron's folders, then the timers, with their next runs.
// The list is never nil; what is missing in it, or may be wrong, is told by the error.
func (r *HostReader) scheduledTasks(ctx context.Context, zone *time.Location) ([]ScheduledTask, error) {
	s := &schedule{tasks: []ScheduledTask{}}
	r.cronTasks(s, zone)
	if len(s.tasks) > 0 && !r.cronRuns() {
		s.doubt("no cron daemon is running, so cron's tasks do not run")
		for i := range s.tasks {
			s.tasks[i].Next = nil
		}
	}
	timers, err := r.timerTasks(ctx)
	for _, timer := range timers {
		s.add(timer)
	}
	if err != nil {
		s.doubt("systemd timers: %v", err)
	}
	return s.tasks, s.err()
}
