package control

import (
	"testing"
	"time"
)

func TestPlain(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"none", "cannot reach the database: [31m", "cannot reach the database: [31m"},
		{"colours", "\x1b[31mERROR\x1b[0m cannot reach \x1b[1;38;5;9mdb\x1b[m", "ERROR cannot reach db"},
		{"a private mode, as Debian's scripts set it", "\x1b[?25l\x1b[?1cstarted", "started"},
		{"a title", "\x1b]0;mysqld\x07started", "started"},
		{"a title, ended otherwise", "\x1b]0;mysqld\x1b\\started", "started"},
		{"short ones", "\x1b7\x1b(Bstarted\x1b8", "started"},
		{"one that is cut", "started\x1b[3", "started"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := plain(c.text); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Second: "1 second", 2 * time.Second: "2 seconds", 1500 * time.Millisecond: "1.5 seconds", 90 * time.Second: "90 seconds",
		time.Minute: "1 minute", 5 * time.Minute: "5 minutes", time.Hour: "1 hour",
	} {
		if got := inWords(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
