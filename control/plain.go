package control

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// escape is an escape sequence of a terminal (ECMA-48): a control sequence, as of colours, a string, as of a title, or a short one.
var escape = regexp.MustCompile(`\x1b(?:\[[0-?]*[ -/]*(?:[@-~]|$)|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])`)

// plain is what a program wrote, without its escape sequences: what is kept of it is read where there is no terminal.
func plain(s string) string {
	if !strings.Contains(s, "\x1b") {
		return s
	}
	return escape.ReplaceAllString(s, "")
}

// inWords tells a span of time in the largest unit that it is whole in: 1 hour, 5 minutes, 90 seconds.
func inWords(d time.Duration) string {
	n, unit := d.Seconds(), "second"
	switch {
	case d%time.Hour == 0:
		n, unit = d.Hours(), "hour"
	case d%time.Minute == 0:
		n, unit = d.Minutes(), "minute"
	}
	if n != 1 {
		unit += "s"
	}
	return strconv.FormatFloat(n, 'f', -1, 64) + " " + unit
}
