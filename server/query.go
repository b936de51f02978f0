package server

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The query language of q, the same in every list and every live view:
//
//	nginx user:www-data cpu>50 port:443 -state:TIME_WAIT "worker process"
//
// A query is terms with spaces between them; a row must meet all of them.
//
//	word            the letters stand in any text of the row, in any letter case; a number is also met by an equal
//	                PID, port or the like
//	"two words"     the same for text with spaces, a leading - or a colon; \" and \\ stand for " and \
//	field:value     a text holds value; a number, a size or a state is equal to it; field:"" is met by an empty text
//	field=value     equal to value, in any letter case
//	field>value     also >= < <=, for numbers, sizes and times
//	-term           the row must not meet the term
//
// Fields have the names of the row's JSON fields, and short ones (cpu mem name port local remote proto). Sizes are bytes, or
// carry a suffix: 100M is 100 · 1024². Times are RFC 3339, or a date (midnight UTC), or
// FROM/UNTIL: all between two times, without the last. Addresses and times of day (127.0.0.1:80, ::1, 12:30) are words;
// another word with a colon in it, such as a URL, wants quotes.
const (
	maxQueryLength = 1024 // UTF-16 code units
	maxQueryTerms  = 32
)

// term is one term of a query as it was written.
type term struct {
	at      int // offset in bytes, for messages
	negated bool
	field   string // as written; empty for a word
	op      string // : = > >= < <=
	opAt    int
	value   string
	valueAt int
	quoted  bool
}

// parseQuery splits a query into its terms. It does not know the fields.
func parseQuery(q string) ([]term, error) {
	if utf16Length(q) > maxQueryLength {
		return nil, &Error{Code: codeInvalid, Message: fmt.Sprintf("cannot read the query: it is longer than %d characters", maxQueryLength), Position: new(maxQueryLength)}
	}
	for i, r := range q {
		if r == utf8.RuneError && !strings.HasPrefix(q[i:], "\uFFFD") {
			return nil, queryError(q, i, "this is not UTF-8 text")
		}
	}
	var terms []term
	for i := skipSpace(q, 0); i < len(q); i = skipSpace(q, i) {
		if len(terms) == maxQueryTerms {
			return nil, queryError(q, i, "more than %d terms", maxQueryTerms)
		}
		t, end, err := parseTerm(q, i)
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
		i = end
	}
	return terms, nil
}

// parseTerm reads the term that starts at q[i], which is no space, and returns the offset after it.
func parseTerm(q string, i int) (t term, end int, err error) {
	t.at = i
	if q[i] == '-' {
		t.negated = true
		i++
		if i == len(q) || startsWithSpace(q[i:]) {
			return t, 0, queryError(q, t.at, "nothing follows the -; put it in quotes to look for it")
		}
	}
	t.valueAt = i
	if q[i] != '"' {
		end = wordEnd(q, i)
		word := q[i:end]
		name := identifier(word)
		op := operatorAt(word[len(name):])
		if name == "" || op == "" || isAddress(word) {
			t.value = word
			return t, end, nil
		}
		t.field, t.op, t.opAt = name, op, i+len(name)
		t.valueAt = t.opAt + len(op)
		if t.valueAt == len(q) || q[t.valueAt] != '"' {
			t.value = q[t.valueAt:end]
			return t, end, nil
		}
	}
	t.quoted = true
	t.value, end, err = parseQuoted(q, t.valueAt)
	if err != nil {
		return t, 0, err
	}
	if end < len(q) && !startsWithSpace(q[end:]) {
		return t, 0, queryError(q, end, "a space must follow the closing quote; a quote within quotes is written \\\"")
	}
	return t, end, nil
}

// parseQuoted reads the quoted text that starts at q[i], a quote. A backslash that precedes neither a quote nor a
// backslash stands for itself.
func parseQuoted(q string, i int) (value string, end int, err error) {
	var b strings.Builder
	for j := i + 1; j < len(q); j++ {
		switch {
		case q[j] == '"':
			return b.String(), j + 1, nil
		case q[j] == '\\' && j+1 < len(q) && (q[j+1] == '"' || q[j+1] == '\\'):
			j++
			b.WriteByte(q[j])
		default:
			b.WriteByte(q[j])
		}
	}
	return "", 0, queryError(q, i, "the quote is never closed")
}

// identifier is the longest start of s that could be a field's name.
func identifier(s string) string {
	for i, r := range s {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r != '_' && (r < '0' || r > '9')) {
			return s[:i]
		}
	}
	return s
}

func operatorAt(s string) string {
	for _, op := range [...]string{">=", "<=", ">", "<", "=", ":"} {
		if strings.HasPrefix(s, op) {
			return op
		}
	}
	return ""
}

// isAddress reports whether a word with a colon in it is no field but an IPv6 or hardware address: hexadecimal digits
// with two colons or more, maybe a zone behind them. What starts with a digit or a bracket is no field anyway.
func isAddress(word string) bool {
	digits, _, _ := strings.Cut(word, "%")
	return strings.Count(digits, ":") > 1 && strings.Trim(digits, "0123456789abcdefABCDEF:.") == ""
}

func skipSpace(q string, i int) int {
	return len(q) - len(strings.TrimLeftFunc(q[i:], unicode.IsSpace))
}

func wordEnd(q string, i int) int {
	if n := strings.IndexFunc(q[i:], unicode.IsSpace); n >= 0 {
		return i + n
	}
	return len(q)
}

func startsWithSpace(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsSpace(r)
}

// queryError refuses a query and names the place, given in bytes.
func queryError(q string, at int, format string, args ...any) *Error {
	position := utf16Length(q[:at])
	return &Error{
		Code:     codeInvalid,
		Message:  fmt.Sprintf("cannot read the query at character %d: %s", position+1, fmt.Sprintf(format, args...)),
		Position: &position,
	}
}

// utf16Length counts s in UTF-16 code units, as a browser does.
func utf16Length(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// shorten bounds a text of the client's for a message to it.
func shorten(s string) string {
	if n := 0; len(s) > 40 {
		for i := range s {
			if n++; n > 40 {
				return s[:i] + "…"
			}
		}
	}
	return s
}
