package server

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/gofiber/fiber/v2"

	"topdeck/control"
)

const (
	operationsPage    = 50
	maxOperationsPage = 200
	maxSeen           = 10_000 // ids of one request
	searchTime        = 5 * time.Second
)

// operationFilter reads the parameters that choose records, and what whoever asks may see of them.
func operationFilter(c *fiber.Ctx, given map[string]string) (filter control.Filter, show func(control.Operation) control.Operation, err error) {
	filter = control.Filter{LogType: given["logType"], RetStatus: given["retStatus"], LogStatus: given["logStatus"], Before: given["before"]}
	if err := oneOf("retStatus", filter.RetStatus, string(control.Running), string(control.Succeeded), string(control.Failed), string(control.Interrupted)); err != nil {
		return filter, nil, err
	}
	if err := oneOf("logStatus", filter.LogStatus, string(control.New), string(control.Seen)); err != nil {
		return filter, nil, err
	}
	wanted, err := compileQuery(given["q"], operationFields())
	if err != nil {
		return filter, nil, err
	}
	show = shownOperation(c)
	if len(wanted.tests) > 0 {
		filter.Match = func(op *control.Operation) bool {
			shown := show(*op)
			return wanted.matches(&shown)
		}
	}
	return filter, show, nil
}

// listOperations answers GET /operations.
func (s *Server) listOperations(c *fiber.Ctx) error {
	given, err := parameters(c, "q", "logType", "retStatus", "logStatus", "before", "limit")
	if err != nil {
		return err
	}
	filter, show, err := operationFilter(c, given)
	if err != nil {
		return err
	}
	if filter.Limit, err = wholeNumber("limit", given["limit"]); err != nil {
		return err
	}
	if filter.Limit == 0 {
		filter.Limit = operationsPage
	}
	filter.Limit = min(filter.Limit, maxOperationsPage)
	ctx, cancel := s.untilGone(c, searchTime)
	defer cancel()
	page, err := s.cfg.Log.List(ctx, filter)
	if err != nil {
		return logError(err)
	}
	answer := OperationsReply{Total: page.Total, AtLeast: page.AtLeast, Unseen: s.cfg.Log.Unseen(), Next: page.Next, Operations: make([]control.Operation, len(page.Operations))}
	for i, op := range page.Operations {
		answer.Operations[i] = show(op)
	}
	return reply(c, answer)
}

// showOperation answers GET /operations/{id}.
func (s *Server) showOperation(c *fiber.Ctx) error {
	op, err := s.cfg.Log.Get(c.Params("id"))
	if err != nil {
		return logError(err)
	}
	return reply(c, OperationReply{shownOperation(c)(op)})
}

// seenRequest names the operations that somebody has looked at, by their ids or as all there are.
type seenRequest struct {
	IDs []string `json:"ids"`
	All bool     `json:"all"`
}

// markSeen answers POST /operations/seen.
func (s *Server) markSeen(c *fiber.Ctx) error {
	var request seenRequest
	if err := decode(c, &request); err != nil {
		return err
	}
	switch {
	case request.All == (request.IDs != nil):
		return refuse(codeInvalid, "give either ids or all, which is then true")
	case len(request.IDs) > maxSeen:
		return refuse(codeInvalid, "give at most %d ids", maxSeen)
	}
	unseen, err := s.cfg.Log.Seen(request.IDs, request.All, sessionOf(c).Username)
	if err != nil {
		return logError(err)
	}
	return reply(c, UnseenReply{Unseen: unseen})
}

// logError tells what the log refuses.
func logError(err error) error {
	if refusal := controlError(err); refusal != nil {
		return refusal
	}
	return err
}

// shownOperation is what whoever sent the request may see of a record.
func shownOperation(c *fiber.Ctx) func(control.Operation) control.Operation {
	if sessionOf(c).Role == Viewer {
		return maskOperation
	}
	return func(op control.Operation) control.Operation { return op }
}

// maskOperation is a record as a viewer sees it: of a command that was run only argv[0], because the rest of its line
// and what is told of its output may hold secrets; of an act on a service nothing of what the service wrote, as a viewer may not read
// its journal either; of a process that was signalled not its command line.
func maskOperation(op control.Operation) control.Operation {
	if strings.HasPrefix(op.LogType, "service.") {
		op.Message, op.Detail = withoutWritten(op.Message, op.Detail), ""
	}
	if strings.HasPrefix(op.LogType, "process.") {
		op.Detail = ""
	}
	if !strings.HasPrefix(op.LogType, "command.") {
		return op
	}
	op.Target, op.Detail, op.Message = firstWord(op.Target), "", string(op.RetStatus)
	if op.RetStatus == control.Failed && op.ExitCode != nil {
		op.Message = fmt.Sprintf("ended with exit status %d", *op.ExitCode)
	}
	return op
}

// withoutWritten is a message without the line at its end that a service wrote, which is one of those in detail.
func withoutWritten(message, detail string) string {
	if _, lines, found := strings.Cut(detail, "\n\n"); found { // before them is what its manager tells
		detail = lines
	}
	detail = strings.Map(func(r rune) rune { // as a message has it, in one line
		if unicode.IsControl(r) && r != '\n' || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, detail)
	for i := range message {
		rest, found := strings.CutPrefix(message[i:], ": ")
		if rest = strings.TrimSpace(strings.TrimSuffix(rest, "…")); found && rest != "" && strings.Contains(detail, rest) {
			return message[:i]
		}
	}
	return message
}

// firstWord is the first word of a command line as a shell would split it, with its quotes.
func firstWord(line string) string {
	line = strings.TrimLeftFunc(line, unicode.IsSpace)
	var quote rune
	escaped := false
	for i, r := range line {
		switch {
		case escaped:
			escaped = false
		case r == '\\' && quote != '\'':
			escaped = true
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '"' || r == '\'':
			quote = r
		case unicode.IsSpace(r):
			return line[:i]
		}
	}
	return line
}
