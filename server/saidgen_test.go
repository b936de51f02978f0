package server

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const saidFile = "../frontend/src/lib/i18n/said.gen.ts"

// TestWhatIsSaidIsInStep collects the forms of the messages that may reach a client, for which the app has words in its
// other languages, and compares them with the file in the project. make generate writes it anew.
func TestWhatIsSaidIsInStep(t *testing.T) {
	forms := saidForms(t)
	for _, form := range []string{
		"there is no user %q", "too many wrong passwords", "sign-in refused: %s", "%s was canceled by %s", "a process failed", "signed in as %s", "sent SIG%s to process %d (%s)",
		"this server does not answer to that Host; use localhost, the address it listens on, or the address given with --public-url",
	} {
		if !slices.Contains(forms, form) {
			t.Errorf("%q was not found in the sources", form)
		}
	}
	for _, form := range []string{"cannot answer", "cannot make the backup: %w", "model name"} {
		if slices.Contains(forms, form) {
			t.Errorf("%q is shown to nobody", form)
		}
	}
	var b strings.Builder
	b.WriteString("// Made from the Go sources by `make generate`; not written by hand.\n\n/** The forms of what the server says, as Go writes them. */\nexport type Form =\n")
	for _, form := range forms {
		fmt.Fprintf(&b, "\t| %s\n", tsString(form))
	}
	if *update {
		if err := os.WriteFile(saidFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(saidFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Errorf("%s is not what the Go sources say: run `make generate`", saidFile)
	}
}

// unsaid are texts that no client is shown, by file: all of it, or what begins so. They go to a terminal, to the log of
// the program, or are no words.
var unsaid = map[string][]string{
	"server/access.go":            {"default-src", "camera="},
	"server/account.go":           {"the account %q cannot be read", "(not a user name)"},
	"server/account_db.go":        {""},
	"server/adminlog.go":          {""},
	"server/adminsocket.go":       {""},
	"server/asset.go":             {""},
	"server/backup.go":            {"cannot", "it is not a plain file"},
	"server/hub.go":               {"the session was renewed", "the server is going away"},
	"server/live.go":              {"a message is at most"},
	"server/operations_export.go": {"text/csv", "attachment"},
	"server/page_check.go":        {""},
	"server/password.go":          {"cannot read a stored"},
	"server/row_json.go":          {""},
	"server/server.go":            {""},
	"server/session_http.go":      {"account "},
	"server/throttle.go":          {"codes of ", "device "},
	"server/tls.go":               {""},
	"server/view_topic.go":        {"cannot watch", "%s mask="},
	"control/aftermath.go":        {"operation: "}, // a line of what is known, read in parts
	"control/command_unit.go":     {"command of topdeck's"},
	"control/command_words.go":    {""},
	"control/errors.go":           {""},
	"control/log.go":              {"cannot open"},
	"control/log_chain.go":        {""},
	"control/log_denied.go":       {"(many"},
	"control/reason.go":           {""},
	"control/signal.go":           {"user: ", "command line: "}, // lines of what is known, read in parts
	"control/sysv.go":             {"#", "(?m)"},
	"control/systemd_job.go":      {"journal: "},
	"control/systemd_reason.go":   {"%s %s[%d]", "job: ", "unit: ", "unit file: ", "dependency: ", "result: ", "journal: "}, // lines of what is known, read in parts
	"collector/cgroup.go":         {""},
	"collector/collector.go":      {"cannot collect every", "cannot run a collector"},
	"collector/connector.go":      {"proc connector"},
	"collector/cron_files.go":     {"anacron: "},
	"collector/detail.go":         {"cannot read processes without"},
	"collector/detail_file.go":    {""},
	"collector/host.go":           {"model name", "Model Name", "cpu model"},
	"collector/pressure.go":       {" avg10="},
	"collector/process_source.go": {"cannot read processes from", "reading processes"},
	"collector/reader.go":         {"cannot collect without"},
	"collector/virtualization.go": {""},
}

// wording is a text that somebody reads: two words, or a word and a value, or what is added to others.
var wording = regexp.MustCompile(`[a-z]{2,}[^a-zA-Z]* .*[a-z]|[a-z]{2,}.* [a-zA-Z]*%|%.* [a-z]{2,}|^[ ;:,].*[a-z]{2,}`)

// saidForms are all strings in the sources that are words, sorted.
func saidForms(t *testing.T) []string {
	found := map[string]bool{}
	set := token.NewFileSet()
	for _, folder := range []string{"server", "control", "collector"} {
		files, err := filepath.Glob("../" + folder + "/*.go")
		if err != nil || len(files) == 0 {
			t.Fatalf("there are no sources of %s: %v", folder, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(set, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			hidden := unsaid[strings.TrimPrefix(name, "../")]
			collectForms(file, func(form string) {
				if wording.MatchString(form) && !slices.ContainsFunc(hidden, func(begin string) bool { return strings.HasPrefix(form, begin) }) {
					found[form] = true
				}
			})
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// collectForms calls f with every string literal below a node, and with every sum of strings as one, %s standing in it for what is no
// literal.
func collectForms(below ast.Node, f func(form string)) {
	ast.Inspect(below, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec, *ast.Field:
			return false
		case *ast.CallExpr:
			return !toNobody(n)
		case *ast.BasicLit:
			if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
				f(text)
			}
		case *ast.BinaryExpr:
			if n.Op == token.ADD {
				f(sum(n, f))
				return false
			}
		}
		return true
	})
}

// sum is the form of an expression, and collects those within it.
func sum(e ast.Expr, f func(form string)) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value) // "" of a number, which is in no sum that is words
		return text
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return sum(e.X, f) + sum(e.Y, f)
		}
	}
	collectForms(e, f)
	return "%s"
}

// toNobody tells of a call whose words no client sees: it logs, panics, or compiles an expression.
func toNobody(call *ast.CallExpr) bool {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name == "panic"
	case *ast.SelectorExpr:
		switch on := f.X.(type) {
		case *ast.SelectorExpr:
			return on.Sel.Name == "Logger" || on.Sel.Name == "logger"
		case *ast.Ident:
			return on.Name == "logger" || on.Name == "regexp"
		}
	}
	return false
}

func tsString(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // of a string
	}
	return string(b)
}
