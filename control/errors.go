package control

import "errors"

// What went wrong, for errors.Is; the error itself says it for a person.
var (
	ErrNotFound    = errors.New("not found")
	ErrConflict    = errors.New("conflict")
	ErrInvalid     = errors.New("invalid")
	ErrTooMany     = errors.New("too many")
	ErrUnavailable = errors.New("unavailable")
)

// failure is an error of one of the kinds above with a text of its own.
type failure struct {
	kind error
	text string
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.kind }
