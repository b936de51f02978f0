package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// retention is an age as a flag: days, such as 400d, or a duration of Go; 0 is none.
type retention time.Duration

const (
	day     = 24 * time.Hour
	minAge  = time.Hour
	maxDays = 100 * 365
)

// Decode is what kong calls. It takes the next word whatever it is: -5d is a wrong age, not a flag.
func (r *retention) Decode(ctx *kong.DecodeContext) error {
	text := ""
	if word := ctx.Scan.Pop(); !word.IsEOL() {
		text = word.String()
	}
	var age time.Duration
	var err error
	if number, isDays := strings.CutSuffix(text, "d"); isDays {
		var days int
		if days, err = strconv.Atoi(number); err == nil && (days < 0 || days > maxDays) {
			err = strconv.ErrRange
		}
		age = time.Duration(days) * day
	} else {
		age, err = time.ParseDuration(text)
	}
	if err != nil || age != 0 && (age < minAge || age > maxDays*day) {
		return fmt.Errorf("cannot keep records for %q: it must be an age such as 400d or 36h, at least 1h, or 0 to keep all", text)
	}
	*r = retention(age)
	return nil
}
