package server

import (
	"cmp"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheAPIIsDescribed holds API.md against what there is: every route and topic with who may use it, every message, every type of record.
func TestTheAPIIsDescribed(t *testing.T) {
	page := readFile(t, "API.md")
	marks := map[access]string{anybody: "–", forViewer: "V", forOperator: "O", forAdmin: "A"}
	parameter := regexp.MustCompile(`:(\w+)`)
	want := map[string]string{}
	for _, r := range startServer(t).routes() {
		call, who := r.method+" "+parameter.ReplaceAllString(r.path, "{$1}"), marks[r.access]
		if r.confirm {
			who += " ⚿"
		}
		if r.recorded {
			call += " †"
		}
		want[call] = who
	}
	for topic, rule := range topics() {
		want[topic] = marks[rule]
	}
	got := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`( †)? \\| (–|[VOA](?: ⚿)?) \\|").FindAllStringSubmatch(page, -1) {
		got[m[1]+m[2]] = m[3]
	}
	same(t, "calls and topics", got, want)

	messages, live := map[string]string{}, section(t, page, "The server sends", "## The log")
	for _, m := range []any{
		HelloMessage{}, WatchingMessage{}, ErrorMessage{}, SnapshotMessage[row]{}, DeltaMessage[row]{}, SummaryMessage{},
		FailedMessage{}, OperationMessage{}, UnseenMessage{}, JournalMessage{}, OutputMessage{},
	} {
		field, _ := reflect.TypeOf(m).FieldByName("Type")
		messages[strings.Trim(field.Tag.Get("ts"), "'")] = ""
	}
	same(t, "messages", names(live, "(?m)^\\| `(\\w+)` \\|"), messages)

	// The app has a word for each type of record.
	words := section(t, readFile(t, "../frontend/src/lib/i18n/en/log.ts"), "logTypes: {", "}")
	same(t, "types of records", names(section(t, page, "## The log", ""), "`(\\w+\\.[\\w-]+)`"), names(words, `(?m)^    '([\w.-]+)':`))
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// section is what stands in a text between two others; up to its end where there is no second.
func section(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, found := strings.Cut(text, from)
	if !found {
		t.Fatalf("there is no %q", from)
	}
	if to != "" {
		rest, _, _ = strings.Cut(rest, to)
	}
	return rest
}

// names are all first groups of a pattern in a text.
func names(text, pattern string) map[string]string {
	all := map[string]string{}
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all[m[1]] = ""
	}
	return all
}

func same(t *testing.T, what string, described, there map[string]string) {
	t.Helper()
	if len(there) == 0 {
		t.Errorf("%s: there are none", what)
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		if told, ok := described[name]; !ok || told != there[name] {
			t.Errorf("%s: API.md has %s for %s, which is %s", what, cmp.Or(told, "nothing"), name, cmp.Or(there[name], "there"))
		}
	}
	for name := range described {
		if _, ok := there[name]; !ok {
			t.Errorf("%s: API.md has %s, which is not there", what, name)
		}
	}
}
