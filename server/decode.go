package server

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/gofiber/fiber/v2"
)

// decode reads the request's body, one JSON object in UTF-8, into v, a pointer to a struct. What does not fit is
// "invalid", with a message that names the field.
func decode(c *fiber.Ctx, v any) error {
	limit := maxBody
	if sessionOf(c) == nil {
		limit = maxStrangerBody
	}
	tooLarge := refuse(codeInvalid, "the body is larger than %d bytes", limit)
	if c.Request().Header.ContentLength() > limit {
		return tooLarge // without waiting for it
	}
	var body []byte
	if stream := c.Context().RequestBodyStream(); stream != nil {
		var err error
		connectionOf(c).busy.Store(false) // who sends slowly may have to go
		body, err = io.ReadAll(io.LimitReader(stream, int64(limit)+1))
		connectionOf(c).busy.Store(true)
		if err != nil {
			return refuse(codeInvalid, "the body did not arrive whole")
		}
	}
	if len(body) > limit {
		return tooLarge
	}
	c.Locals(localWhole, true)
	return decodeObject(body, v)
}

func connectionOf(c *fiber.Ctx) *connection {
	conn, _ := c.Locals(localConn).(*connection)
	return conn
}

// decodeObject takes one JSON object and nothing else, and reads it in one way only (RFC 7493): a name is a field's in the
// very same letters, and is there once. Another reader, such as a proxy that filters, might take the first of two.
func decodeObject(body []byte, v any) error {
	if !utf8.Valid(body) {
		return refuse(codeInvalid, "the body must be JSON in UTF-8")
	}
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return refuse(codeInvalid, "the body must be a JSON object")
	}
	err := json.Unmarshal(body, v, json.RejectUnknownMembers(true))
	if err == nil {
		return nil
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return refuse(codeInvalid, "field %q is given twice", fieldPath(syntax.JSONPointer))
		}
		return refuse(codeInvalid, "the body is not valid JSON: %s", syntax.Err)
	}
	var wrong *json.SemanticError
	if !errors.As(err, &wrong) {
		return refuse(codeInvalid, "the body cannot be read")
	}
	field := fieldPath(wrong.JSONPointer)
	if errors.Is(err, json.ErrUnknownName) {
		return refuse(codeInvalid, "unknown field %q", field)
	}
	return refuse(codeInvalid, "field %q must not be a %s", field, kindName(wrong))
}

// fieldPath writes where in a body something is: "watch.limit".
func fieldPath(at jsontext.Pointer) string {
	var names []string
	for name := range at.Tokens() {
		names = append(names, name)
	}
	return shorten(strings.Join(names, "."))
}

func kindName(wrong *json.SemanticError) string {
	switch wrong.JSONKind {
	case jsontext.KindBeginObject:
		return "object"
	case jsontext.KindBeginArray:
		return "array"
	case jsontext.KindNumber:
		return strings.TrimSpace("number " + shorten(string(wrong.JSONValue)))
	}
	return wrong.JSONKind.String()
}
