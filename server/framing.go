package server

import (
	"bytes"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// framedInOneWay tells whether everybody who reads a request's head sees the same end of it and of its body. A proxy before us that sees another
// one would take for a part of it what we take for a request, or the other way round (request smuggling). fasthttp refuses most of what is odd,
// but reads folded lines, lines that end with a line feed alone, a coding beside a length, and "identity".
func framedInOneWay(h *fasthttp.RequestHeader) bool {
	lines := h.RawHeaders()
	coded, length := false, false
	for len(lines) > 0 {
		line, rest, whole := bytes.Cut(lines, []byte("\r\n"))
		if !whole || bytes.ContainsAny(line, "\r\n") || len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
			return false
		}
		lines = rest
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte(fiber.HeaderTransferEncoding)):
			if coded = true; !bytes.EqualFold(bytes.Trim(value, " \t"), []byte("chunked")) {
				return false
			}
		case bytes.EqualFold(name, []byte(fiber.HeaderContentLength)):
			length = true
		}
	}
	return !coded || !length
}
