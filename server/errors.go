package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// The contract's error codes.
const (
	codeInvalid         = "invalid"
	codeUnauthenticated = "unauthenticated"
	codeForbidden       = "forbidden"
	codeReauthenticate  = "reauthenticate"
	codeNotFound        = "not_found"
	codeConflict        = "conflict"
	codeGone            = "gone"
	codeTooMany         = "too_many"
	codeUnavailable     = "unavailable"
	codeInternal        = "internal"
)

// Error is a refusal as the contract tells it. Anything else that a handler returns becomes "internal", and its text goes
// to the log only.
type Error struct {
	Code       string // one of the contract's: invalid, unauthenticated, forbidden …
	Message    string
	Position   *int          // in a query, see ErrorBody
	RetryAfter time.Duration // of too_many: when to come back, as far as that is known
	NeedsCode  bool          // of unauthenticated, see ErrorBody
}

func (e *Error) Error() string { return e.Message }

// refuse makes the Error that a handler returns.
func refuse(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// tooMany refuses for the time being; what names what there was too much of.
func tooMany(what string, wait time.Duration) *Error {
	seconds := max(1, int(math.Ceil(wait.Seconds())))
	unit := "seconds"
	if seconds == 1 {
		unit = "second"
	}
	return &Error{
		Code: codeTooMany, Message: fmt.Sprintf("%s: try again in %d %s", what, seconds, unit),
		RetryAfter: time.Duration(seconds) * time.Second,
	}
}

func (e *Error) status() int {
	switch e.Code {
	case codeInvalid:
		return fiber.StatusBadRequest
	case codeUnauthenticated:
		return fiber.StatusUnauthorized
	case codeForbidden, codeReauthenticate:
		return fiber.StatusForbidden
	case codeNotFound:
		return fiber.StatusNotFound
	case codeConflict:
		return fiber.StatusConflict
	case codeGone:
		return fiber.StatusGone
	case codeTooMany:
		return fiber.StatusTooManyRequests
	case codeUnavailable:
		return fiber.StatusServiceUnavailable
	}
	return fiber.StatusInternalServerError
}

// errUnsaved is wrapped in the error of whatever could not be written to the data file: its disk is full, or worse.
var errUnsaved = errors.New("cannot write to the data file")

func unsaved(err error) error { return fmt.Errorf("%w: %w", errUnsaved, err) }

// errorFor turns what a handler, Fiber or fasthttp failed with into a refusal; nil stands for "internal", whose text
// is not for the client.
func errorFor(err error) *Error {
	var own *Error
	if errors.As(err, &own) && own.Code != codeInternal {
		return own
	}
	if errors.Is(err, errUnsaved) {
		return refuse(codeUnavailable, "nothing was changed: %s", err)
	}
	var theirs *fiber.Error
	if !errors.As(err, &theirs) {
		return nil
	}
	switch theirs.Code {
	case fiber.StatusNotFound, fiber.StatusMethodNotAllowed:
		return refuse(codeNotFound, "there is nothing at this path for this method")
	case fiber.StatusRequestEntityTooLarge:
		return refuse(codeInvalid, "the request's body is too large")
	case fiber.StatusRequestHeaderFieldsTooLarge:
		return refuse(codeInvalid, "the request's headers are too large")
	case fiber.StatusRequestTimeout:
		return refuse(codeInvalid, "the request did not arrive in time")
	case fiber.StatusUpgradeRequired:
		return refuse(codeInvalid, "this path is for WebSocket connections only")
	}
	if theirs.Code >= 400 && theirs.Code < 500 {
		return refuse(codeInvalid, "cannot read the request: it is not valid HTTP")
	}
	return nil
}

// writeError answers with err as the contract tells it, and logs what is no refusal.
func writeError(ctx *fasthttp.RequestCtx, logger *slog.Logger, err error) {
	e := errorFor(err)
	if e == nil {
		logger.Error("cannot answer", "method", string(ctx.Method()), "path", string(ctx.Path()), "error", err)
		e = refuse(codeInternal, "something went wrong in the server; its log tells more")
	}
	if e.Code == codeTooMany {
		ctx.Response.Header.Set(fiber.HeaderRetryAfter, strconv.Itoa(max(1, int(e.RetryAfter.Seconds()))))
	}
	body, err := json.Marshal(ErrorReply{ErrorBody{Code: e.Code, Message: e.Message, Position: e.Position, SecondFactor: e.NeedsCode}})
	if err != nil {
		panic(err) // plain fields
	}
	ctx.Response.ResetBody()
	ctx.Response.Header.Del(fiber.HeaderContentEncoding)
	ctx.Response.Header.Del(fiber.HeaderAllow)
	ctx.SetStatusCode(e.status())
	ctx.SetContentType(fiber.MIMEApplicationJSON)
	ctx.SetBody(body)
}
