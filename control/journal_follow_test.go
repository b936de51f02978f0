package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"topdeck/control/sdhost"
)

func TestFollowJournal(t *testing.T) {
	t.Parallel()
	h := sdhost.Boot(t, map[string]string{
		"td-many.service":  "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'i=0; while [ $$i -lt 450 ]; do echo line $$i; i=$$((i+1)); done'\n",
		"td-fails.service": "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo why; exit 1'\n",
		"td-nasty.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/printf '\\\\xff<b>\\\\033[31mred\\\\xe2\\\\x80\\\\xae\\\\n'\n",
		"td-talks.service": "[Service]\nExecStart=/bin/sh -c 'i=0; while :; do echo said $$i; i=$$((i+1)); sleep 0.05; done'\n",
	})
	m := NewManager(Config{Root: h.Root, Bus: h.Bus()})
	defer m.Close()
	m.Services(t.Context())
	run := func(args ...string) {
		t.Helper()
		if out, err := h.Command(args...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v: %s", args, err, out)
		}
	}
	// follow gives all that has come until now, and a function that ends it and gives its error.
	follow := func(name string, lines int) (got func() []string, end func() error) {
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var all []string
		result := make(chan error, 1)
		go func() {
			result <- m.FollowJournal(ctx, name, lines, func(piece []JournalLine) {
				mu.Lock()
				defer mu.Unlock()
				if len(piece) == 0 || len(piece) > maxPiece {
					t.Errorf("%d lines at once", len(piece))
				}
				for _, l := range piece {
					if l.PID > 1 {
						all = append(all, l.Text)
					}
				}
			})
		}()
		return func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(all) },
			sync.OnceValue(func() error { cancel(); return <-result })
	}

	t.Run("what there is and what comes", func(t *testing.T) {
		run("systemctl", "start", "td-many")
		got, end := follow("td-many", 5000)
		defer end()
		until(t, "what there is", func() bool { return len(got()) == 450 })
		run("systemctl", "start", "td-many")
		until(t, "what comes", func() bool { return len(got()) >= 900 })
		for i, text := range got() {
			if text != fmt.Sprint("line ", i%450) {
				t.Fatalf("line %d is %q", i, text)
			}
		}
		if err := end(); !errors.Is(err, context.Canceled) {
			t.Errorf("its end: %v", err)
		}
	})
	t.Run("only the last lines", func(t *testing.T) {
		got, end := follow("td-many.service", 10)
		defer end()
		until(t, "the last line", func() bool { return slices.Contains(got(), "line 449") })
		if list := got(); len(list) > 10 {
			t.Errorf("%d lines", len(list))
		}
	})
	t.Run("only what comes, of this service alone", func(t *testing.T) {
		got, end := follow("td-talks", 0)
		defer end()
		run("systemctl", "start", "td-talks")
		until(t, "some lines", func() bool { return len(got()) > 3 })
		run("systemctl", "start", "td-many")
		run("systemctl", "stop", "td-talks")
		for i, text := range got() {
			if !strings.HasPrefix(text, "said ") || i > 0 && text == got()[i-1] {
				t.Errorf("%q", text)
			}
		}
	})
	t.Run("any bytes", func(t *testing.T) {
		run("systemctl", "start", "td-nasty")
		got, end := follow("td-nasty", 100)
		defer end()
		until(t, "its line", func() bool { return len(got()) == 1 })
		if text := got()[0]; text != "?<b>red\u202e" {
			t.Errorf("%q", text)
		}
	})
	t.Run("what another user says of it", func(t *testing.T) {
		run("systemctl", "start", "td-talks")
		defer run("systemctl", "stop", "td-talks")
		out, err := h.Command("systemctl", "show", "-P", "InvocationID", "td-talks").Output()
		if err != nil {
			t.Fatal(err)
		}
		id := strings.TrimSpace(string(out))
		forged := "MESSAGE=forged: no such file\\nPRIORITY=3\\nINVOCATION_ID=" + id + "\\nUNIT=td-talks.service\\nOBJECT_SYSTEMD_UNIT=td-talks.service\\n"
		run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c",
			"i=0; while [ $i -lt 120 ]; do printf '"+forged+"' | logger --journald; i=$((i+1)); done")
		run("journalctl", "--sync")
		if out, err := h.Command("journalctl", "--quiet", "--output=cat", "INVOCATION_ID="+id, "_UID=65534").Output(); err != nil || strings.Count(string(out), "forged") != 120 {
			t.Fatalf("%v: the journal has %q", err, out)
		}
		lines, err := journal{root: h.Root}.ofInvocation(t.Context(), "td-talks.service", id, time.Time{})
		if err != nil || len(lines) == 0 {
			t.Fatalf("%d lines, %v", len(lines), err)
		}
		for _, l := range lines {
			if !strings.HasPrefix(l.Text, "said ") && l.PID != 1 {
				t.Fatalf("told as of this run: %+v", l)
			}
		}
		got, end := follow("td-talks", 1000)
		defer end()
		until(t, "its lines", func() bool { return len(got()) > 10 })
		if list := got(); slices.ContainsFunc(list, func(text string) bool { return !strings.HasPrefix(text, "said ") }) {
			t.Errorf("followed: %q", list)
		}
	})
	t.Run("too many read at once", func(t *testing.T) {
		if err := h.Command("systemctl", "start", "td-fails").Run(); err == nil {
			t.Error("td-fails does not")
		}
		until(t, "its failure", func() bool {
			d, err := m.Detail(t.Context(), "td-fails")
			return err == nil && d.Service.Result != ""
		})
		reads := map[string]func(context.Context) ([]JournalLine, error){
			"the journal": func(ctx context.Context) ([]JournalLine, error) { return m.Journal(ctx, "td-fails", 10) },
			"what it said before it failed": func(ctx context.Context) ([]JournalLine, error) {
				d, err := m.Detail(ctx, "td-fails")
				return d.LastLines, err
			},
		}
		said := func(l JournalLine) bool { return l.Text == "why" }
		for name, read := range reads { // and each gives its turn back
			for range maxReads + 1 {
				if lines, err := read(t.Context()); err != nil || !slices.ContainsFunc(lines, said) {
					t.Fatalf("%s: %v %v", name, lines, err)
				}
			}
		}
		for range maxReads {
			m.reads <- struct{}{}
		}
		for name, read := range reads {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := read(ctx); !errors.Is(err, ErrTooMany) {
				t.Errorf("%s: %v", name, err)
			}
			cancel()
		}
		for range maxReads {
			<-m.reads
		}
	})
	t.Run("nothing to follow", func(t *testing.T) {
		for name, want := range map[string]error{"no-such": ErrNotFound, "td-*": ErrNotFound, "": ErrNotFound} {
			if err := m.FollowJournal(t.Context(), name, 10, nil); !errors.Is(err, want) {
				t.Errorf("%q: %v, want %v", name, err, want)
			}
		}
		for _, lines := range []int{-1, maxJournalLines + 1} {
			if err := m.FollowJournal(t.Context(), "td-many", lines, nil); !errors.Is(err, ErrInvalid) {
				t.Errorf("%d lines: %v", lines, err)
			}
		}
	})
	t.Run("the Manager is closed", func(t *testing.T) {
		got, end := follow("td-many", 10)
		until(t, "it is followed", func() bool { return len(got()) > 0 })
		m.Close()
		if err := m.FollowJournal(t.Context(), "td-many", 1, nil); !errors.Is(err, ErrUnavailable) {
			t.Errorf("after it: %v", err)
		}
		if err := end(); err == nil {
			t.Error("it did not end")
		}
	})
}

func TestFollowJournalOfAScript(t *testing.T) {
	m := NewManager(Config{Root: initTree(t, map[string]string{"web": lsb("web", "status", "exit 0")})})
	defer m.Close()
	if err := m.FollowJournal(t.Context(), "web", 10, nil); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "without systemd") {
		t.Errorf("%v", err)
	}
}

func TestJournalPieces(t *testing.T) {
	line := func(text string) string { return `{"__REALTIME_TIMESTAMP":"1","MESSAGE":"` + text + `"}` + "\n" }
	for _, test := range []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"lines", line("a") + line("b"), []string{"a", "b"}},
		{"one without an end", line("a") + strings.TrimSpace(line("b")), []string{"a"}},
		{"one that is none", line("a") + "oops\n" + line("b"), []string{"a", "b"}},
		{"one longer than any buffer", line("a") + line(strings.Repeat("x", 200<<10)) + line("b"), []string{"a", shorten(strings.Repeat("x", 200<<10), maxTarget), "b"}},
		{"one that is too long", line("a") + line(strings.Repeat("x", maxJournal)) + line("b"), []string{"a", "b"}},
		{"many", strings.Repeat(line("a"), 3*maxPiece+1), slices.Repeat([]string{"a"}, 3*maxPiece+1)},
	} {
		var got []string
		journalPieces(iotest.HalfReader(strings.NewReader(test.in)), func(piece []JournalLine) {
			if len(piece) == 0 || len(piece) > maxPiece {
				t.Errorf("%s: %d lines at once", test.name, len(piece))
			}
			for _, l := range piece {
				got = append(got, l.Text)
			}
		})
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %d lines, want %d", test.name, len(got), len(test.want))
		}
	}
}

func FuzzParseJournal(f *testing.F) {
	f.Add(`{"__REALTIME_TIMESTAMP":"1","PRIORITY":"3","_PID":"7","SYSLOG_IDENTIFIER":"a","MESSAGE":"text"}` + "\n")
	f.Add(`{"__REALTIME_TIMESTAMP":"1","MESSAGE":[104,105,255]}` + "\n" + `{"__REALTIME_TIMESTAMP":"2","MESSAGE":null}`)
	f.Add(`{"__REALTIME_TIMESTAMP":"1","MESSAGE":["a","b"]}` + "\n")
	f.Add("{\n[]\n\"\"")
	f.Fuzz(func(t *testing.T, text string) {
		journalPieces(strings.NewReader(text), func(piece []JournalLine) {
			for _, l := range piece {
				if strings.ToValidUTF8(l.Text, "") != l.Text || len(l.Text) > maxTarget {
					t.Errorf("%q: text %q", text, l.Text)
				}
			}
		})
	})
}
