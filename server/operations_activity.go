package server

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"topdeck/control"
)

const (
	activityHours = 24
	maxActivity   = 50_000 // records that one request looks at
)

// showActivity answers GET /operations/activity.
func (s *Server) showActivity(c *fiber.Ctx) error {
	hours, err := activity(s.requests, s.cfg.Log, s.accounts.now())
	if err != nil {
		return err
	}
	return reply(c, ActivityReply{Hours: hours})
}

// activity counts the records of the last hours until now.
func activity(ctx context.Context, log *control.Log, now time.Time) ([]ActivityHour, error) {
	first := now.UTC().Truncate(time.Hour).Add(-(activityHours - 1) * time.Hour)
	hours := make([]ActivityHour, activityHours)
	for i := range hours {
		hours[i].Start = first.Add(time.Duration(i) * time.Hour)
	}
	enough := errors.New("enough")
	seen, whole := 0, 0 // whole: the oldest hour of which all records were looked at
	err := log.Walk(ctx, false, func(op *control.Operation) error {
		if op.LogTime.Before(first) {
			return enough
		}
		i := min(int(op.LogTime.Sub(first)/time.Hour), activityHours-1) // a clock may have been set back
		if seen++; seen > maxActivity {
			whole = i + 1
			return enough
		}
		hour := &hours[i]
		if !isAct(op.LogType) {
			hour.Other++
			return nil
		}
		hour.Acts++
		if op.RetStatus == control.Failed || op.RetStatus == control.Interrupted {
			hour.Failed++
		}
		return nil
	})
	if err != nil && !errors.Is(err, enough) {
		return nil, err
	}
	return hours[whole:], nil
}

// isAct tells whether a record of this type is of an act on the host: service.failed tells what became of one, and
// process.environment that something was read.
func isAct(logType string) bool {
	kind, _, _ := strings.Cut(logType, ".")
	return logType != "service.failed" && logType != "process.environment" && slices.Contains([]string{"service", "process", "command"}, kind)
}
