package control

import (
	"errors"
	"testing"
	"time"
)

// What cannot be asked any more is left out.
func TestOutcomesWithoutAConnection(t *testing.T) {
	s := &systemd{err: errors.New("cannot reach systemd")}
	for result, want := range map[string]Outcome{
		"done":   {RetStatus: Succeeded, Message: "web.service: start done"},
		lost:     {RetStatus: Interrupted, Message: "web.service: the connection to systemd was lost during the start, and how it ended is not known"},
		"failed": {RetStatus: Failed, Message: "web.service: start failed", Detail: "job: failed\n"},
	} {
		var r run
		if o := s.outcome(t.Context(), "web.service", Start, result, time.Now(), &r); o.RetStatus != want.RetStatus || o.Message != want.Message || o.Detail != want.Detail || r.invocation != "" {
			t.Errorf("%s: %+v, want %+v", result, o, want)
		}
	}
}
