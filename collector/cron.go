package collector

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// cronLine is an entry of a crontab. Source: crontab(5).
type cronLine struct {
	schedule string    // as written
	user     string    // empty where the file's name tells it
	command  string    // what the shell is given: the text up to the first %, as cron does
	when     *cronTime // nil for @reboot, and when cron cannot read the line
}

// parseCronLine reads an entry. The user's name stands before the command in the system's crontabs. When there is an
// error, the parts that could be told apart are returned with it.
func parseCronLine(line string, withUser bool) (cronLine, error) {
	line = strings.TrimPrefix(strings.TrimSpace(line), "-") // on SUSE and Red Hat: do not log it
	count := 5
	if strings.HasPrefix(line, "@") {
		count = 1
	}
	fields, rest := cutFields(line, count)
	entry := cronLine{schedule: strings.Join(fields, " ")}
	if withUser {
		var user []string
		user, rest = cutFields(rest, 1)
		entry.user = strings.Join(user, "")
	}
	entry.command = cronCommand(rest)
	if entry.command == "" {
		return cronLine{command: line}, errors.New("too few fields")
	}

	if count == 1 {
		if fields[0] == "@reboot" {
			return entry, nil
		}
		full := nickname(fields[0])
		if full == "" {
			return entry, fmt.Errorf("%s is no schedule", quoted(fields[0]))
		}
		fields = strings.Fields(full)
	}
	when, err := parseCronTime(fields)
	if err == nil {
		entry.when = when
	}
	return entry, err
}

// nickname is the five fields that a word such as @daily stands for.
func nickname(word string) string {
	switch word {
	case "@yearly", "@annually":
		return "0 0 1 1 *"
	case "@monthly":
		return "0 0 1 * *"
	case "@weekly":
		return "0 0 * * 0"
	case "@daily", "@midnight":
		return "0 0 * * *"
	case "@hourly":
		return "0 * * * *"
	}
	return ""
}

// cutFields takes up to count words from the start of text.
func cutFields(text string, count int) (fields []string, rest string) {
	rest = strings.TrimLeft(text, " \t")
	for range count {
		if rest == "" {
			break
		}
		end := strings.IndexAny(rest, " \t")
		if end < 0 {
			end = len(rest)
		}
		fields = append(fields, rest[:end])
		rest = strings.TrimLeft(rest[end:], " \t")
	}
	return fields, rest
}

// cronCommand is what the shell gets: the rest after a % would be its standard input, \% stands for %.
func cronCommand(text string) string {
	var command strings.Builder
	for i := 0; i < len(text) && text[i] != '%'; i++ {
		if text[i] == '\\' && i+1 < len(text) && text[i+1] == '%' {
			i++
		}
		command.WriteByte(text[i])
	}
	return strings.TrimSpace(command.String())
}

// parseCronVariable reads a line that sets a variable, as MAILTO=root does; ok is false for any other line.
func parseCronVariable(line string) (name, value string, ok bool) {
	name, value, ok = strings.Cut(strings.TrimSpace(line), "=")
	name, value = unquoteCron(strings.TrimSpace(name)), unquoteCron(strings.TrimSpace(value))
	return name, value, ok && name != "" && !strings.ContainsAny(name, " \t")
}

func unquoteCron(text string) string {
	if n := len(text); n >= 2 && text[0] == text[n-1] && (text[0] == '"' || text[0] == '\'') {
		return text[1 : n-1]
	}
	return text
}

// cronTime tells when an entry runs.
type cronTime struct {
	spec cron.SpecSchedule // in UTC; it is asked about wall clocks only
	// wild tells that minutes or hours begin with *. Such entries follow the wall clock when it jumps; the others run
	// once: right after a jump that skips their time, and only at the first of two equal times. Source: cron(8).
	wild bool
}

// cronStar marks a day field that begins with *: then both day fields must match, else one of them is enough.
const cronStar = 1 << 63

// parseCronTime reads the five fields of a schedule the way cron does, which knows less than cron.ParseStandard in some
// places and more in others (7 is Sunday, */2 counts as a star).
func parseCronTime(fields []string) (*cronTime, error) {
	months := []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	days := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	when := &cronTime{spec: cron.SpecSchedule{Second: 1, Location: time.UTC}}
	for i, field := range []struct {
		bits      *uint64
		what      string
		low, high int
		names     []string
	}{
		{&when.spec.Minute, "minute", 0, 59, nil},
		{&when.spec.Hour, "hour", 0, 23, nil},
		{&when.spec.Dom, "day of the month", 1, 31, nil},
		{&when.spec.Month, "month", 1, 12, months},
		{&when.spec.Dow, "day of the week", 0, 7, days},
	} {
		for part := range strings.SplitSeq(fields[i], ",") {
			bits, err := parseCronRange(part, field.low, field.high, field.names)
			if err != nil {
				return nil, fmt.Errorf("%s is no %s: %w", quoted(fields[i]), field.what, err)
			}
			*field.bits |= bits
		}
	}
	if when.spec.Dow&(1<<7) != 0 {
		when.spec.Dow = when.spec.Dow&^(1<<7) | 1
	}
	if strings.HasPrefix(fields[2], "*") {
		when.spec.Dom |= cronStar
	}
	if strings.HasPrefix(fields[4], "*") {
		when.spec.Dow |= cronStar
	}
	when.wild = strings.HasPrefix(fields[0], "*") || strings.HasPrefix(fields[1], "*")
	return when, nil
}

// parseCronRange reads *, a number, a name or a range, the latter and * with a step, and returns a bit for each value.
func parseCronRange(text string, low, high int, names []string) (bits uint64, err error) {
	number := func(text string) (int, error) {
		for i, name := range names {
			if strings.EqualFold(text, name) {
				return low + i, nil
			}
		}
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || int(n) < low || int(n) > high {
			return 0, fmt.Errorf("%s is not within %d-%d", quoted(text), low, high)
		}
		return int(n), nil
	}
	if strings.Contains(text, "~") {
		return 0, errors.New("a random time, which cron chooses when it starts")
	}
	span, stepText, stepped := strings.Cut(text, "/")
	first, last := low, high
	if span != "*" {
		from, to, ranged := strings.Cut(span, "-")
		if first, err = number(from); err != nil {
			return 0, err
		}
		last = first
		if ranged {
			if last, err = number(to); err != nil {
				return 0, err
			}
		} else if stepped {
			return 0, errors.New("a step needs a range or *")
		}
		if first > last {
			return 0, fmt.Errorf("%s runs backwards", quoted(span))
		}
	}
	step := uint64(1)
	if stepped {
		if step, err = strconv.ParseUint(stepText, 10, 16); err != nil || step == 0 {
			return 0, fmt.Errorf("%s is no step", quoted(stepText))
		}
	}
	for value := uint64(first); value <= uint64(last); value += step {
		bits |= 1 << value
	}
	return bits, nil
}

// next is the first run after a moment, with the rules of zone for summer time; zero when there is none within five years.
func (c *cronTime) next(after time.Time, zone *time.Location) time.Time {
	if c.wild {
		return c.nextByClock(after, zone)
	}
	for clock := wallClock(after.In(zone)); ; {
		if clock = c.spec.Next(clock); clock.IsZero() {
			return clock
		}
		if at := firstInstant(clock, zone); at.After(after) {
			return at
		}
	}
}

// nextByClock looks for the next run in each span of time in which the zone keeps its distance to UTC.
func (c *cronTime) nextByClock(after time.Time, zone *time.Location) time.Time {
	for earliest := after.Truncate(time.Second).Add(time.Second).In(zone); ; {
		_, offset := earliest.Zone()
		_, end := earliest.ZoneBounds()
		clock := c.spec.Next(wallClock(earliest).Add(-1))
		if clock.IsZero() {
			return clock
		}
		at := clock.Add(-time.Duration(offset) * time.Second).In(zone)
		if end.IsZero() || at.Before(end) {
			return at
		}
		earliest = end
	}
}

// wallClock is what a clock at t's place shows, as if it were in UTC.
func wallClock(t time.Time) time.Time {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	return time.Date(year, month, day, hour, minute, second, t.Nanosecond(), time.UTC)
}

// firstInstant is when the zone's clocks show clock for the first time, or jump over it.
func firstInstant(clock time.Time, zone *time.Location) time.Time {
	t := time.Date(clock.Year(), clock.Month(), clock.Day(), clock.Hour(), clock.Minute(), clock.Second(), 0, zone)
	start, end := t.ZoneBounds()
	shown := wallClock(t)
	switch {
	case shown.After(clock): // jumped over, and t is after the jump
		return start
	case shown.Before(clock):
		return end
	case start.IsZero():
		return t
	}
	_, offset := t.Zone()
	_, before := start.Add(-time.Second).Zone()
	if earlier := t.Add(time.Duration(offset-before) * time.Second); before > offset && earlier.Before(start) {
		return earlier
	}
	return t
}

// quoted is a piece of a crontab for a reason.
func quoted(text string) string {
	if len(text) > 40 {
		text = text[:40] + "…"
	}
	return strconv.Quote(text)
}
