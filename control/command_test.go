package control

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestSplitWords(t *testing.T) {
	for _, test := range []struct {
		line string
		want []string // nil: refused
	}{
		{"supervisorctl -c /etc/supervisord.conf restart all", []string{"supervisorctl", "-c", "/etc/supervisord.conf", "restart", "all"}},
		{"  a\t b  ", []string{"a", "b"}},
		{`a "b c" 'd e'`, []string{"a", "b c", "d e"}},
		{`a b" c"'d'e`, []string{"a", "b cde"}},
		{`a "" ''`, []string{"a", "", ""}},
		{`a b\ c \"d \' \n`, []string{"a", "b c", `"d`, "'", "n"}},
		{`a "b\"c\\d\e\$x"`, []string{"a", `b"c\d\e$x`}},
		{`a '\'`, []string{"a", `\`}},
		{"a $HOME * ~ {x,y} ! # $'x'", []string{"a", "$HOME", "*", "~", "{x,y}", "!", "#", "$x"}},
		{"a '$(b)' \"`c`\" ';|&<>()\n'", []string{"a", "$(b)", "`c`", ";|&<>()\n"}},
		{"a \\\n b", []string{"a", "b"}},
		{"", nil}, {"  ", nil}, {`""`, nil},
		{"a; b", nil}, {"a | b", nil}, {"a && b", nil}, {"a > b", nil}, {"a < b", nil}, {"$(a)", nil}, {"a `b`", nil}, {"a\nb", nil},
		{`a "b`, nil}, {"a 'b", nil}, {`a \`, nil}, {"a \x00", nil}, {"a \\\x00", nil},
	} {
		got, err := splitWords(test.line)
		if (err == nil) != (test.want != nil) || !slices.Equal(got, test.want) || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %q, %v, want %q", test.line, got, err, test.want)
		}
	}
}

func FuzzSplitWords(f *testing.F) {
	f.Add(`a "b c" 'd' \e`)
	f.Add("a \\\n \"\\\n\"")
	f.Fuzz(func(t *testing.T, line string) {
		words, err := splitWords(line)
		if err != nil {
			return
		}
		// Quoted again, it is the same again.
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		again, err := splitWords(strings.Join(quoted, " "))
		if err != nil || !slices.Equal(again, words) {
			t.Errorf("%q: %q, and again %q, %v", line, words, again, err)
		}
	})
}

func commander(t *testing.T) (*Manager, *Log) {
	l := openLog(t, LogConfig{})
	m := NewManager(Config{Root: t.TempDir(), Log: l})
	t.Cleanup(m.Close)
	return m, l
}

func TestCommands(t *testing.T) {
	m, l := commander(t)
	t.Setenv("TD_SECRET", "secret")
	testCommands(t, m, l)
	op := outcomeOf(t, l, must[Operation](t)(m.RunCommand(ann, "sh -c 'sleep 2 & echo left'", 0)))
	if op.Message != "sh ended well; what it left running goes on" || op.Detail != "left\n" {
		t.Errorf("%+v", op)
	}
	before := must[Page](t)(l.List(t.Context(), Filter{})).Total
	for line, want := range map[string]error{
		"no-such-program-at-all": ErrNotFound, "/nonexistent/program": ErrNotFound, "/etc/passwd": ErrNotFound, "/bin": ErrNotFound,
		"echo a | cat": ErrInvalid, "": ErrInvalid, "echo \xff": ErrInvalid, "echo " + strings.Repeat("a", maxCommand): ErrInvalid,
	} {
		if _, err := m.RunCommand(ann, line, 0); !errors.Is(err, want) {
			t.Errorf("%.50s: %v, want %v", line, err, want)
		}
	}
	for line, want := range map[string]string{
		"./td-none":   "cannot run /td-none: no such file or directory",
		"/etc/passwd": "cannot run /etc/passwd: it is no program: nobody may execute it",
	} {
		if _, err := m.RunCommand(ann, line, 0); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", line, err, want)
		}
	}
	if _, err := m.RunCommand(ann, "true", -1); !errors.Is(err, ErrInvalid) {
		t.Errorf("a timeout of -1: %v", err)
	}
	if after := must[Page](t)(l.List(t.Context(), Filter{})).Total; after != before {
		t.Errorf("%d records of what was refused", after-before)
	}
	if err := m.Cancel(bob, "999"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such command: %v", err)
	}
}

// testCommands are commands that end alike whatever runs them.
func testCommands(t *testing.T, m *Manager, l *Log) {
	for _, test := range []struct {
		line    string
		want    RetStatus
		message string
		output  string
		code    int
	}{
		{"echo '$HOME' * ~", Succeeded, "echo ended well", "$HOME * ~\n", 0},
		{"sh -c 'echo out; echo no such file >&2; exit 3'", Failed, "sh failed, exit status 3: no such file", "out\nno such file\n", 3},
		{"sh -c 'kill -TERM $$'", Failed, "sh failed, killed by SIGTERM", "", -1},
		{"sh -c 'echo [$TD_SECRET] $PATH'", Succeeded, "sh ended well", "[] " + fixedPath + "\n", 0},
		{"/bin/cat", Succeeded, "cat ended well", "", 0}, // its input is empty
		{`printf '%s|' '$HOME' '${HOME}' '$$' '$' 'a b' '' '\n' '%i %%' 'ü' "q\"" ';' '~'`, Succeeded, "printf ended well", `$HOME|${HOME}|$$|$|a b||\n|%i %%|ü|q"|;|~|`, 0},
		{"sh -c 'yes | head -n 1'", Succeeded, "sh ended well", "y\n", 0}, // with SIGPIPE as everybody knows it
		{"pwd", Succeeded, "pwd ended well", "/\n", 0},
		{"sh -c 'echo $0 $#; echo a >/dev/stderr; echo b >/dev/stdout' x y", Succeeded, "sh ended well", "x 1\na\nb\n", 0},
	} {
		op, err := m.RunCommand(ann, test.line, 0)
		if err != nil {
			t.Errorf("%s: %v", test.line, err)
			continue
		}
		op = outcomeOf(t, l, op)
		text, lost, err := m.Output(op.ID)
		if op.RetStatus != test.want || op.Message != test.message || op.Target != test.line || op.LogType != "command.run" ||
			text != test.output || op.Detail != test.output || lost != "" || err != nil {
			t.Errorf("%s: %+v, output %q, %v", test.line, op, text, err)
		}
		if test.code < 0 && op.ExitCode != nil || test.code >= 0 && (op.ExitCode == nil || *op.ExitCode != test.code) {
			t.Errorf("%s: exit code %v, want %d", test.line, op.ExitCode, test.code)
		}
		if err := m.Cancel(bob, op.ID); !errors.Is(err, ErrConflict) {
			t.Errorf("canceled after its end: %v, want ErrConflict", err)
		}
	}
}

// tree is a command that starts a process which leaves its session, and writes both of their PIDs.
func tree(dir string) string {
	return `sh -c 'setsid sh -c "echo \$\$ > ` + dir + `/child; exec sleep 1000" & echo $$ > ` + dir + `/parent; echo begun; wait; sleep 1000'`
}

func runsStill(t *testing.T, dir string) bool {
	for _, name := range []string{"child", "parent"} {
		pid := strings.TrimSpace(string(must[[]byte](t)(os.ReadFile(filepath.Join(dir, name)))))
		if b, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && !strings.Contains(string(b), ") Z ") {
			return true
		}
	}
	return false
}

func TestACommandIsEndedWithAllThatItStarted(t *testing.T) {
	for _, test := range []struct {
		name    string
		timeout time.Duration
		end     func(m *Manager, op Operation) error
		want    RetStatus
		message string
	}{
		{"canceled", 0, func(m *Manager, op Operation) error { return m.Cancel(bob, op.ID) }, Failed, "sh was canceled by bob"},
		{"too long", time.Second, func(m *Manager, op Operation) error { return nil }, Failed, "sh took more than 1 second and was ended"},
		{"topdeck ends", 0, func(m *Manager, op Operation) error { m.Close(); return nil }, Interrupted, "sh was ended, because topdeck ends"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, l := commander(t)
			dir := t.TempDir()
			op := must[Operation](t)(m.RunCommand(ann, tree(dir), test.timeout))
			until(t, "both run", func() bool {
				child, _ := os.ReadFile(filepath.Join(dir, "child"))
				text, _, _ := m.Output(op.ID)
				return text == "begun\n" && len(child) > 0
			})
			if err := test.end(m, op); err != nil {
				t.Fatal(err)
			}
			if op = outcomeOf(t, l, op); op.RetStatus != test.want || op.Message != test.message {
				t.Errorf("%+v", op)
			}
			until(t, "nothing of it runs", func() bool { return !runsStill(t, dir) })
		})
	}
}

// lingering is a runner whose commands end well, and whose output ends only when their time is over.
type lingering struct{}

func (lingering) ready() error { return nil }
func (lingering) run(ctx context.Context, _ order, _ io.Writer) (ending, error) {
	<-ctx.Done()
	return ending{code: cldExited}, nil
}

func TestACommandThatEndedInTimeIsNotSaidToHaveTakenTooLong(t *testing.T) {
	m, l := commander(t)
	m.runner = lingering{}
	if op := outcomeOf(t, l, must[Operation](t)(m.RunCommand(ann, "true", time.Second))); op.RetStatus != Succeeded || op.Message != "true ended well" {
		t.Errorf("%+v", op)
	}
}

func TestOutputIsBoundedAndFollowed(t *testing.T) {
	m, l := commander(t)
	testOutput(t, m, l)
}

func testOutput(t *testing.T, m *Manager, l *Log) {
	op := must[Operation](t)(m.RunCommand(ann, "sh -c 'echo first; sleep 0.2; head -c 3000000 /dev/zero | tr \"\\0\" x; echo; echo last; exit 1'", 0))
	var mu sync.Mutex
	var got []byte
	ended := make(chan struct{})
	stop := must[func()](t)(m.Follow(op.ID, func(piece []byte) {
		mu.Lock()
		defer mu.Unlock()
		if piece == nil {
			close(ended)
			return
		}
		got = append(got, piece...)
	}))
	defer stop()
	op = outcomeOf(t, l, op)
	<-ended
	if n := len("first\n") + 3_000_000 + len("\nlast\n"); len(got) != n || !strings.HasSuffix(string(got), "x\nlast\n") {
		t.Errorf("followed %d bytes, want %d", len(got), n)
	}
	text, lost, err := m.Output(op.ID)
	if len(text) != maxOutput || lost != LostEnd || err != nil || !strings.HasPrefix(text, "first\nxxx") {
		t.Errorf("kept %d bytes, lost: %q, %v", len(text), lost, err)
	}
	if op.Message != "sh failed, exit status 1: last" || len(op.Detail) > maxDetail || !strings.HasSuffix(op.Detail, "x\nlast\n") {
		t.Errorf("%s, detail of %d bytes", op.Message, len(op.Detail))
	}
	again := 0
	must[func()](t)(m.Follow(op.ID, func(piece []byte) {
		if again += len(piece); piece == nil {
			again = -again
		}
	}))
	if again != -maxOutput {
		t.Errorf("followed after its end: %d", again)
	}
	if _, err := m.Follow("999", func([]byte) {}); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such command: %v", err)
	}
}

func TestCommandsAtOnceAreBounded(t *testing.T) {
	m, l := commander(t)
	var ops []Operation
	for range maxCommands {
		ops = append(ops, must[Operation](t)(m.RunCommand(ann, "sleep 1000", 0)))
	}
	if _, err := m.RunCommand(ann, "true", 0); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more: %v, want ErrTooMany", err)
	}
	if err := m.Cancel(bob, ops[0].ID); err != nil {
		t.Fatal(err)
	}
	outcomeOf(t, l, ops[0])
	until(t, "there is room again", func() bool { _, err := m.RunCommand(ann, "true", 0); return err == nil })
}
