package collector

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of texts that any local user may choose, in bytes after escaping.
const (
	maxCmdline = 16 << 10
	maxName    = 256 // of a command, a user, a unit
)

// clean makes a text that anybody may have chosen fit to be shown: what has no shape of its own (control and bidi
// characters, line separators, invalid UTF-8) becomes a visible escape like \x1b or \u202e, and what is longer than max
// bytes ends in "…". Backslashes stay as they are, so names that systemd escaped are told as systemd tells them.
func clean(s string, max int) string {
	if len(s) <= max && plain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(min(len(s), max))
	end := 0 // the longest prefix that leaves room for the ellipsis
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case unicode.IsGraphic(r):
			b.WriteString(s[i : i+n])
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += n
		if b.Len() > max {
			return b.String()[:end] + "…"
		}
		if b.Len() <= max-len("…") {
			end = b.Len()
		}
	}
	return b.String()
}

// plain tells whether s is printable ASCII, which nearly every text is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
