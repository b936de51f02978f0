package collector

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParseCronLine(t *testing.T) {
	for _, test := range []struct {
		name, line string
		withUser   bool
		want       cronLine // when is not compared
		runs       bool     // at times that can be told
		err        string
	}{
		{name: "five fields", line: "*/15 2-4,8 1 jan mon  echo  hi", want: cronLine{schedule: "*/15 2-4,8 1 jan mon", command: "echo  hi"}, runs: true},
		{name: "tabs and a user", line: "17\t*\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly", withUser: true,
			want: cronLine{schedule: "17 * * * *", user: "root", command: "cd / && run-parts --report /etc/cron.hourly"}, runs: true},
		{name: "nickname", line: "@daily backup", want: cronLine{schedule: "@daily", command: "backup"}, runs: true},
		{name: "nickname and a user", line: "@midnight www-data backup now", withUser: true, want: cronLine{schedule: "@midnight", user: "www-data", command: "backup now"}, runs: true},
		{name: "at boot", line: "@reboot start me", want: cronLine{schedule: "@reboot", command: "start me"}},
		{name: "percent ends the command", line: `0 0 * * * mail -s "\%d" root%Hello%there`, want: cronLine{schedule: "0 0 * * *", command: `mail -s "%d" root`}, runs: true},
		{name: "not logged", line: "-*/10 * * * * root sa1", withUser: true, want: cronLine{schedule: "*/10 * * * *", user: "root", command: "sa1"}, runs: true},
		{name: "equals sign in the command", line: "* * * * * A=b cmd", want: cronLine{schedule: "* * * * *", command: "A=b cmd"}, runs: true},
		{name: "names in any case, ranges of names", line: "0 0 * FEB-apr Mon-FRI x", want: cronLine{schedule: "0 0 * FEB-apr Mon-FRI", command: "x"}, runs: true},
		{name: "sunday is 7 too", line: "0 0 * * 5-7 x", want: cronLine{schedule: "0 0 * * 5-7", command: "x"}, runs: true},

		{name: "hour out of range", line: "0 24 * * * root x", withUser: true, want: cronLine{schedule: "0 24 * * *", user: "root", command: "x"}, err: `"24" is no hour: "24" is not within 0-23`},
		{name: "month zero", line: "0 0 1 0 * x", want: cronLine{schedule: "0 0 1 0 *", command: "x"}, err: `"0" is no month: "0" is not within 1-12`},
		{name: "backwards", line: "30-10 * * * * x", want: cronLine{schedule: "30-10 * * * *", command: "x"}, err: `"30-10" is no minute: "30-10" runs backwards`},
		{name: "step of zero", line: "*/0 * * * * x", want: cronLine{schedule: "*/0 * * * *", command: "x"}, err: `"*/0" is no minute: "0" is no step`},
		{name: "step without a range", line: "5/15 * * * * x", want: cronLine{schedule: "5/15 * * * *", command: "x"}, err: `"5/15" is no minute: a step needs a range or *`},
		{name: "empty part of a list", line: "1,,2 * * * * x", want: cronLine{schedule: "1,,2 * * * *", command: "x"}, err: `"1,,2" is no minute: "" is not within 0-59`},
		{name: "question mark", line: "0 0 ? * * x", want: cronLine{schedule: "0 0 ? * *", command: "x"}, err: `"?" is no day of the month: "?" is not within 1-31`},
		{name: "a sign", line: "+5 * * * * x", want: cronLine{schedule: "+5 * * * *", command: "x"}, err: `"+5" is no minute: "+5" is not within 0-59`},
		{name: "random time", line: "0~30 1 * * * x", want: cronLine{schedule: "0~30 1 * * *", command: "x"}, err: `"0~30" is no minute: a random time, which cron chooses when it starts`},
		{name: "unknown nickname", line: "@fortnightly x", want: cronLine{schedule: "@fortnightly", command: "x"}, err: `"@fortnightly" is no schedule`},
		{name: "too few fields", line: "* * * * x", want: cronLine{command: "* * * * x"}, err: "too few fields"},
		{name: "no command after the user", line: "* * * * * root", withUser: true, want: cronLine{command: "* * * * * root"}, err: "too few fields"},
		{name: "a zone before the fields", line: "TZ=UTC", want: cronLine{command: "TZ=UTC"}, err: "too few fields"},
		{name: "nothing", line: "", err: "too few fields"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseCronLine(test.line, test.withUser)
			if text := fmt.Sprint(err); err != nil && text != test.err || err == nil && test.err != "" {
				t.Errorf("error %q, want %q", text, test.err)
			}
			if (got.when != nil) != test.runs {
				t.Errorf("has a time: %v, want %v", got.when != nil, test.runs)
			}
			got.when = nil
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}

func TestParseCronVariable(t *testing.T) {
	for _, test := range []struct {
		line, name, value string
		ok                bool
	}{
		{"MAILTO=root", "MAILTO", "root", true},
		{"CRON_TZ = Europe/Berlin ", "CRON_TZ", "Europe/Berlin", true},
		{`"PATH"='/bin:/usr/bin'`, "PATH", "/bin:/usr/bin", true},
		{"MAILTO=", "MAILTO", "", true},
		{"* * * * * A=b", "", "", false},
		{"@reboot A=b c", "", "", false},
		{"=b", "", "", false},
		{"nothing", "", "", false},
	} {
		name, value, ok := parseCronVariable(test.line)
		if ok != test.ok || ok && (name != test.name || value != test.value) {
			t.Errorf("%q: %q, %q, %v; want %q, %q, %v", test.line, name, value, ok, test.name, test.value, test.ok)
		}
	}
}

func zoneOf(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func cronTimeOf(t testing.TB, schedule string) *cronTime {
	t.Helper()
	when, err := parseCronTime(strings.Fields(schedule))
	if err != nil {
		t.Fatal(err)
	}
	return when
}

func TestCronNext(t *testing.T) {
	for _, test := range []struct {
		name, schedule, zone, after string
		want                        string // empty: never
	}{
		{"the next minute, not this one", "* * * * *", "UTC", "2026-05-01T10:00:00Z", "2026-05-01T10:01:00Z"},
		{"within a minute", "* * * * *", "UTC", "2026-05-01T10:00:59.9Z", "2026-05-01T10:01:00Z"},
		{"steps", "*/20 * * * *", "UTC", "2026-05-01T10:41:00Z", "2026-05-01T11:00:00Z"},
		{"steps in a range", "10-50/20 * * * *", "UTC", "2026-05-01T10:31:00Z", "2026-05-01T10:50:00Z"},
		{"tomorrow", "25 6 * * *", "UTC", "2026-05-01T06:25:00Z", "2026-05-02T06:25:00Z"},
		{"names", "0 0 * feb mon", "UTC", "2026-05-01T00:00:00Z", "2027-02-01T00:00:00Z"},
		{"7 is sunday", "0 0 * * 7", "UTC", "2026-05-01T00:00:00Z", "2026-05-03T00:00:00Z"},
		{"a range that ends on 7", "0 0 * * 6-7", "UTC", "2026-05-02T00:00:00Z", "2026-05-03T00:00:00Z"},
		{"day of the month or of the week", "0 0 13 * 5", "UTC", "2026-05-09T00:00:00Z", "2026-05-13T00:00:00Z"},
		{"day of the month or of the week, the latter", "0 0 20 * 5", "UTC", "2026-05-09T00:00:00Z", "2026-05-15T00:00:00Z"},
		{"a star with a step wants both days", "0 0 */2 * 1", "UTC", "2026-05-05T00:00:00Z", "2026-05-11T00:00:00Z"},
		{"a star with a step for the week wants both", "0 0 4 * */2", "UTC", "2026-05-05T00:00:00Z", "2026-06-04T00:00:00Z"},
		{"leap day", "0 0 29 2 *", "UTC", "2026-05-01T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"never", "0 0 30 2 *", "UTC", "2026-05-01T00:00:00Z", ""},
		{"never, with a wild hour", "0 * 31 4 *", "Europe/Berlin", "2026-05-01T00:00:00Z", ""},
		{"in the host's zone", "25 6 * * *", "Asia/Shanghai", "2026-05-01T00:00:00Z", "2026-05-02T06:25:00+08:00"},

		// Berlin's clocks jump from 02:00 to 03:00 on 29 March 2026.
		{"a skipped time runs after the jump", "30 2 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T03:00:00+02:00"},
		{"and then at its time", "30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T02:30:00+02:00"},
		{"a skipped wild time is lost", "*/30 2 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-30T02:00:00+02:00"},
		{"every hour over the jump", "0 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", "2026-03-29T03:00:00+02:00"},
		// They go back from 03:00 to 02:00 on 25 October 2026.
		{"a repeated time runs the first time", "30 2 * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T02:30:00+02:00"},
		{"but not the second", "30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T02:30:00+01:00"},
		{"nor when asked between the two", "30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", "2026-10-26T02:30:00+01:00"},
		{"a wild time runs both times", "*/30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00+01:00"},
		{"skipped to the west of Greenwich", "30 2 * * *", "America/New_York", "2026-03-08T05:00:00Z", "2026-03-08T03:00:00-04:00"},
		{"repeated there", "30 1 * * *", "America/New_York", "2026-11-01T04:00:00Z", "2026-11-01T01:30:00-04:00"},
		// Where the jump is at midnight, or of half an hour.
		{"no midnight", "0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-04T01:00:00-02:00"},
		{"half an hour skipped", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-04T02:30:00+11:00"},
		{"half an hour repeated", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", "2026-04-05T01:45:00+11:00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			after, err := time.Parse(time.RFC3339, test.after)
			if err != nil {
				t.Fatal(err)
			}
			got := cronTimeOf(t, test.schedule).next(after, zoneOf(t, test.zone))
			text := got.Format(time.RFC3339)
			if got.IsZero() {
				text = ""
			}
			if text != test.want {
				t.Errorf("got %s, want %s", text, test.want)
			}
		})
	}
}

// TestCronNextAgainstEveryMinute compares next with a look at each minute, as cron itself does it.
func TestCronNextAgainstEveryMinute(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	field := func(low, high int) string {
		n := func() int { return low + random.IntN(high-low+1) }
		a, b := n(), n()
		switch random.IntN(5) {
		case 0:
			return fmt.Sprint(a)
		case 1:
			return fmt.Sprintf("%d-%d", min(a, b), max(a, b))
		case 2:
			return fmt.Sprintf("*/%d", 1+random.IntN(7))
		case 3:
			return fmt.Sprintf("%d,%d-%d/2", a, min(a, b), max(a, b))
		default:
			return "*"
		}
	}
	berlin := zoneOf(t, "Europe/Berlin")
	for range 500 {
		minutes := "*/" + fmt.Sprint(1+random.IntN(30)) // wild: each minute of the clock counts, whatever it does
		schedule := strings.Join([]string{minutes, field(0, 23), field(1, 31), "*", field(0, 7)}, " ")
		when := cronTimeOf(t, schedule)
		matcher := minuteMatcher(strings.Fields(schedule))
		for _, day := range []string{"2026-03-28T20:00:00Z", "2026-10-24T20:00:00Z", "2026-12-30T20:00:00Z"} {
			after, err := time.Parse(time.RFC3339, day)
			if err != nil {
				t.Fatal(err)
			}
			got := when.next(after, berlin)
			for at := after.Add(time.Minute).In(berlin); at.Before(after.AddDate(0, 0, 3)); at = at.Add(time.Minute) {
				matches := matcher(at)
				if matches && !got.Equal(at) || !matches && got.Equal(at) {
					t.Fatalf("%s after %s: got %s, but at %s the fields match: %v", schedule, day, got, at, matches)
				}
				if matches {
					break
				}
			}
		}
	}
}

// minuteMatcher reads crontab(5) anew: which values does each field list, and do the days have to match both?
func minuteMatcher(fields []string) func(at time.Time) bool {
	lists := func(field string, low, high int) map[int]bool {
		values := map[int]bool{}
		for part := range strings.SplitSeq(field, ",") {
			part = strings.Replace(part, "*", fmt.Sprintf("%d-%d", low, high), 1)
			first, last, step := 0, 0, 1
			if n, _ := fmt.Sscanf(part, "%d-%d/%d", &first, &last, &step); n == 1 {
				last = first
			}
			for v := first; v <= last; v += step {
				values[v] = true
			}
		}
		return values
	}
	minutes, hours := lists(fields[0], 0, 59), lists(fields[1], 0, 23)
	daysOfMonth, daysOfWeek := lists(fields[2], 1, 31), lists(fields[4], 0, 7)
	both := fields[2][0] == '*' || fields[4][0] == '*'
	return func(at time.Time) bool {
		dayOfMonth := daysOfMonth[at.Day()]
		dayOfWeek := daysOfWeek[int(at.Weekday())] || at.Weekday() == 0 && daysOfWeek[7]
		days := dayOfMonth || dayOfWeek
		if both {
			days = dayOfMonth && dayOfWeek
		}
		return days && minutes[at.Minute()] && hours[at.Hour()]
	}
}

func FuzzParseCronLine(f *testing.F) {
	for _, line := range []string{
		"* * * * * root x", "@reboot x y", "*/5 1-3/2,7 jan-dec * sun-7 u c%d\\%", "TZ= * * * * *", "CRON_TZ=\x00 ", "-@daily a b",
		"99999999999999999999 * * * * x y", "0 0 29 2 1 x y", "\xff\xfe * * * * x y", "0 0 */65535 * * x y",
	} {
		f.Add(line)
	}
	after := time.Date(2026, 10, 25, 0, 30, 0, 0, time.UTC)
	berlin := zoneOf(f, "Europe/Berlin")
	f.Fuzz(func(t *testing.T, line string) {
		parseCronVariable(line)
		for _, withUser := range []bool{false, true} {
			entry, err := parseCronLine(line, withUser)
			if err != nil && !utf8.ValidString(err.Error()) {
				t.Errorf("the reason %q is no text", err)
			}
			if err != nil && entry.when != nil {
				t.Errorf("%q is refused, and still has a time", line)
			}
			if entry.when == nil {
				continue
			}
			next := entry.when.next(after, berlin)
			if !next.IsZero() && (!next.After(after) || next.Second() != 0) {
				t.Errorf("%q runs at %s, after %s", line, next, after)
			}
			if again := entry.when.next(after, berlin); !again.Equal(next) {
				t.Errorf("%q runs at %s and at %s", line, next, again)
			}
		}
	})
}
