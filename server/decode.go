package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
)

// decode reads the request's body, one JSON object in UTF-8, into v, a pointer to a struct. What does not fit is
// "invalid", with a message that names the field.
func decode(c *fiber.Ctx, v any) error {
	limit := maxBody
	if sessionOf(c) == nil {
		limit = maxStrangerBody
	}
	var body []byte
	if stream := c.Context().RequestBodyStream(); stream != nil {
		var err error
		if body, err = io.ReadAll(io.LimitReader(stream, int64(limit)+1)); err != nil {
			return refuse(codeInvalid, "the body did not arrive whole")
		}
	}
	if len(body) > limit {
		return refuse(codeInvalid, "the body is larger than %d bytes", limit)
	}
	return decodeObject(body, v)
}

func decodeObject(body []byte, v any) error {
	if !utf8.Valid(body) {
		return refuse(codeInvalid, "the body must be JSON in UTF-8")
	}
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return refuse(codeInvalid, "the body must be a JSON object")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(v)
	if err == nil {
		if _, err := decoder.Token(); err != io.EOF {
			return refuse(codeInvalid, "the body must be one JSON object and nothing after it")
		}
		return nil
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		if wrong.Field == "" {
			return refuse(codeInvalid, "the body must not hold a %s here", wrong.Value)
		}
		return refuse(codeInvalid, "field %q must not be a %s", wrong.Field, wrong.Value)
	}
	// The package has no type for this one.
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return refuse(codeInvalid, "unknown field %s", field)
	}
	return refuse(codeInvalid, "the body is not valid JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
}
