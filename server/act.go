package server

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"topdeck/control"
)

// Controller acts on the host. control.Manager is one. Its acts are done, and recorded, after they return; errors are of
// control's kinds, and any other error of an act means that nothing was done.
type Controller interface {
	ServiceAction(ctx context.Context, who control.Who, name, action, confirm string) (control.Operation, error)
	Detail(ctx context.Context, name string) (control.ServiceDetail, error)
	Journal(ctx context.Context, name string, lines int) ([]control.JournalLine, error)
	Signal(who control.Who, pid int, startTime uint64, signal string) (control.Operation, error)
	RunCommand(who control.Who, line string, timeout time.Duration) (control.Operation, error)
	Cancel(who control.Who, id string) error
	Output(id string) (text, lost string, err error)
	Follow(id string, f func(piece []byte)) (stop func(), err error)
	FollowJournal(ctx context.Context, name string, lines int, f func([]control.JournalLine)) error
}

var _ Controller = (*control.Manager)(nil)

// asker is who sent a request, for the log.
func asker(c *fiber.Ctx) control.Who {
	by := actorOf(c)
	return control.Who{Actor: by.Name, Source: by.Source}
}

// accepted answers 202 with the record of an act that has begun. What was refused has none, and is an error.
func (s *Server) accepted(c *fiber.Ctx, op control.Operation, err error) error {
	if err == nil {
		c.Status(fiber.StatusAccepted)
		return reply(c, OperationReply{shownOperation(c)(op)})
	}
	if refusal := controlError(err); refusal != nil {
		return refusal
	}
	s.cfg.Logger.Error("cannot act", "path", c.Path(), "error", err)
	return refuse(codeUnavailable, "nothing was done: %s", err)
}

// controlError tells what package control refuses; nil for any other error.
func controlError(err error) *Error {
	for kind, code := range map[error]string{
		control.ErrInvalid: codeInvalid, control.ErrNotFound: codeNotFound, control.ErrConflict: codeConflict,
		control.ErrTooMany: codeTooMany, control.ErrUnavailable: codeUnavailable,
	} {
		if errors.Is(err, kind) {
			return refuse(code, "%s", err)
		}
	}
	return nil
}

// signalRequest names a signal, with or without SIG, and the process that is meant beside its PID.
type signalRequest struct {
	Signal    string  `json:"signal"`
	StartTime *uint64 `json:"startTime"`
}

// sendSignal answers POST /processes/{pid}/signals.
func (s *Server) sendSignal(c *fiber.Ctx) error {
	var request signalRequest
	if err := decode(c, &request); err != nil {
		return err
	}
	signal := strings.TrimPrefix(request.Signal, "SIG")
	if signal == "KILL" {
		if err := s.demand(sessionOf(c), forAdmin, true); err != nil {
			return err
		}
	}
	pid, err := processID(c)
	if err != nil {
		return err
	}
	if request.StartTime == nil {
		return refuse(codeInvalid, "startTime is missing: with the PID it names the process")
	}
	op, err := s.cfg.Control.Signal(asker(c), pid, *request.StartTime, signal)
	return s.accepted(c, op, err)
}

// commandRequest is a command line, and how long it may take, in seconds.
type commandRequest struct {
	Command string   `json:"command"`
	Timeout *float64 `json:"timeout"`
}

// runCommand answers POST /commands.
func (s *Server) runCommand(c *fiber.Ctx) error {
	if !s.cfg.Commands {
		return refuse(codeForbidden, "this server runs no commands: it was started with --commands off")
	}
	var request commandRequest
	if err := decode(c, &request); err != nil {
		return err
	}
	var timeout time.Duration // 0: the usual one
	if seconds := request.Timeout; seconds != nil {
		const day = 86_400 // more than is ever taken, and no overflow
		timeout = time.Duration(math.Max(-1, math.Min(*seconds, day)) * float64(time.Second))
	}
	op, err := s.cfg.Control.RunCommand(asker(c), request.Command, timeout)
	return s.accepted(c, op, err)
}

// showOutput answers GET /operations/{id}/output.
func (s *Server) showOutput(c *fiber.Ctx) error {
	text, lost, err := s.cfg.Control.Output(c.Params("id"))
	if err != nil {
		return orControlError(err)
	}
	return reply(c, OutputReply{Text: text, Truncated: lost != "", Lost: lost})
}

// cancelOperation answers POST /operations/{id}/cancel. How the command then ended, its record tells.
func (s *Server) cancelOperation(c *fiber.Ctx) error {
	id := c.Params("id")
	if err := s.cfg.Control.Cancel(asker(c), id); err != nil {
		return orControlError(err)
	}
	op, err := s.cfg.Log.Get(id)
	return s.accepted(c, op, err)
}

// orControlError is what control refuses, or the error itself, which is not for the client.
func orControlError(err error) error {
	if refusal := controlError(err); refusal != nil {
		return refusal
	}
	return err
}
