package collector

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestCleanShowsWhatHasNoShape(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain":              {"sleep 1", "sleep 1"},
		"backslash":          {`dev-disk-by\x2duuid.swap`, `dev-disk-by\x2duuid.swap`},
		"letters and emoji":  {"进程 café 🚀", "进程 café 🚀"},
		"escape":             {"\x1b[31mred", `\x1b[31mred`},
		"newline and tab":    {"a\nb\tc", `a\x0ab\x09c`},
		"delete":             {"a\x7f", `a\x7f`},
		"C1 control":         {"a\u0085b", `a\x85b`},
		"invalid UTF-8":      {"a\xff\xc3", `a\xff\xc3`},
		"right to left":      {"photo\u202egpj.exe", `photo\u202egpj.exe`},
		"isolate":            {"\u2066x\u2069", `\u2066x\u2069`},
		"line separator":     {"a\u2028b", `a\u2028b`},
		"zero width":         {"ad\u200bmin\ufeff", `ad\u200bmin\ufeff`},
		"tag outside of BMP": {"a\U000e0041", `a\U000e0041`},
	} {
		if got := clean(c.in, 100); got != c.want {
			t.Errorf("%s: clean(%q) = %q, want %q", name, c.in, got, c.want)
		}
	}
}

func TestCleanIsBounded(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"12345678", "12345678"},
		{"123456789", "12345…"},
		{"123\x01\x01", "123…"},
		{"1234\x01", `1234\x01`},
		{"éééé", "éééé"},
		{"ééééé", "éé…"},
	} {
		if got := clean(c.in, 8); got != c.want {
			t.Errorf("clean(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "bash", "\x00\x1b", "\u202e\u2066", "é\xff", strings.Repeat("\x01", 100), "\ufffd"} {
		f.Add(s, 16)
	}
	f.Fuzz(func(t *testing.T, s string, max int) {
		max = 3 + (max&0xfff+0xfff)%0xfff
		got := clean(s, max)
		if len(got) > max {
			t.Fatalf("clean(%q, %d) has %d bytes", s, max, len(got))
		}
		if !utf8.ValidString(got) {
			t.Fatalf("clean(%q) is not UTF-8: %q", s, got)
		}
		for _, r := range got {
			if !unicode.IsGraphic(r) {
				t.Fatalf("clean(%q) leaves %U", s, r)
			}
		}
		if again := clean(got, max); again != got {
			t.Fatalf("clean is not stable: %q, then %q", got, again)
		}
	})
}
