package server

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// TestFramingIsReadInOneWay sends requests whose end a proxy may see elsewhere than we do, each with a second one behind it: it is refused,
// and what follows is not read as a request.
func TestFramingIsReadInOneWay(t *testing.T) {
	s := startServer(t)
	s.addUser("ann", Admin)
	host := "Host: " + s.address + "\r\n"
	const signIn = `{"username":"ann","password":"` + testPassword + `"}`
	const body = "5\r\nhello\r\n0\r\n\r\n"
	for name, c := range map[string]struct {
		request string
		refused bool
	}{
		"no body":                        {"GET /healthz HTTP/1.1\r\n" + host + "\r\n", false},
		"a length":                       {"GET /healthz HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\nhello", false},
		"chunks":                         {"GET /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n" + body, false},
		"chunks, in capitals":            {"GET /healthz HTTP/1.1\r\n" + host + "TRANSFER-ENCODING: CHUNKED\r\n\r\n" + body, false},
		"identity":                       {"GET /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding: identity\r\n\r\n", true},
		"identity and a length":          {"GET /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", true},
		"a length and chunks":            {"GET /healthz HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + body, true},
		"chunks and a length":            {"GET /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + body, true},
		"chunks twice":                   {"GET /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + body, true},
		"chunks and identity":            {"GET /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + body, true},
		"a list of codings":              {"GET /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n" + body, true},
		"chunks with a parameter":        {"GET /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked;q=1\r\n\r\n" + body, true},
		"quoted chunks":                  {"GET /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding: \"chunked\"\r\n\r\n" + body, true},
		"an empty coding":                {"GET /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding:\r\n\r\n" + body, true},
		"chunks of HTTP/1.0":             {"GET /healthz HTTP/1.0\r\n" + host + "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + body, true},
		"a space before the colon":       {"GET /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding : chunked\r\n\r\n" + body, true},
		"a tab before the colon":         {"GET /healthz HTTP/1.1\r\n" + host + "Content-Length\t: 5\r\n\r\nhello", true},
		"a folded line":                  {"GET /healthz HTTP/1.1\r\n" + host + "X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n", true},
		"a line folded with a tab":       {"GET /healthz HTTP/1.1\r\n" + host + "X-A: b\r\n\tContent-Length: 5\r\n\r\n", true},
		"a folded coding":                {"GET /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding:\r\n chunked\r\n\r\n" + body, true},
		"a folded length":                {"GET /healthz HTTP/1.1\r\n" + host + "Content-Length:\r\n 5\r\n\r\nhello", true},
		"a bare line feed":               {"GET /healthz HTTP/1.1\r\n" + host + "X-A: b\nTransfer-Encoding: chunked\r\n\r\n" + body, true},
		"line feeds only":                {"GET /healthz HTTP/1.1\n" + strings.TrimSpace(host) + "\nContent-Length: 5\n\nhello", true},
		"a bare line feed at the end":    {"GET /healthz HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\nhello", true},
		"a bare carriage return":         {"GET /healthz HTTP/1.1\r\n" + host + "X-A: b\rContent-Length: 5\r\n\r\nhello", true},
		"two lengths":                    {"GET /healthz HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", true},
		"one length twice":               {"GET /healthz HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", true},
		"a list of lengths":              {"GET /healthz HTTP/1.1\r\n" + host + "Content-Length: 5, 5\r\n\r\nhello", true},
		"a length with a sign":           {"GET /healthz HTTP/1.1\r\n" + host + "Content-Length: +5\r\n\r\nhello", true},
		"a length in hex":                {"GET /healthz HTTP/1.1\r\n" + host + "Content-Length: 0x5\r\n\r\nhello", true},
		"a length below zero":            {"GET /healthz HTTP/1.1\r\n" + host + "Content-Length: -5\r\n\r\nhello", true},
		"an empty length":                {"GET /healthz HTTP/1.1\r\n" + host + "Content-Length:\r\n\r\nhello", true},
		"a length that overflows":        {"GET /healthz HTTP/1.1\r\n" + host + "Content-Length: 18446744073709551621\r\n\r\nhello", true},
		"two hosts":                      {"GET /healthz HTTP/1.1\r\n" + host + host + "\r\n", true},
		"a zero byte in a name":          {"GET /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding\x00: chunked\r\n\r\n" + body, true},
		"a zero byte in a value":         {"GET /healthz HTTP/1.1\r\n" + host + "X-A: b\x00\r\n\r\n", true},
		"a line without a colon":         {"GET /healthz HTTP/1.1\r\n" + host + "Transfer-Encoding\r\n\r\n", true},
		"a line before the first header": {"GET /healthz HTTP/1.1\r\n X-A: b\r\n" + host + "\r\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			answer := s.throw([]byte(c.request + "GET /api/v1/session HTTP/1.1\r\n" + host + "\r\n"))
			first, _, _ := bytes.Cut(answer, []byte("\r\n"))
			again := bytes.Count(answer, []byte("HTTP/1.1 ")) > 1
			switch {
			case c.refused && (!bytes.Equal(first, []byte("HTTP/1.1 400 Bad Request")) || again):
				t.Errorf("answered with %s, and what follows is read as a request: %v", first, again)
			case !c.refused && !bytes.Equal(first, []byte("HTTP/1.1 200 OK")):
				t.Errorf("answered with %s", first)
			}
		})
	}
	chunks := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(signIn), signIn)
	answer := s.throw([]byte("POST /api/v1/session HTTP/1.1\r\n" + host + "Origin: http://" + s.address + "\r\nContent-Type: application/json\r\n" +
		"Transfer-Encoding: chunked\r\n\r\n" + chunks + "GET /api/v1/session HTTP/1.1\r\n" + host + "\r\n"))
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 OK\r\n")) || bytes.Count(answer, []byte("HTTP/1.1 ")) > 1 {
		t.Errorf("a sign-in in chunks, and a request behind it, are answered with %s", answer)
	}
	t.Log("row 1: requests whose end could be seen in two places: each refused with 400, and nothing behind it is read")
}
