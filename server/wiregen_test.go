package server

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"topdeck/collector"
	"topdeck/control"
)

var update = flag.Bool("update", false, "write the golden files anew")

const wireFile = "../frontend/src/lib/wire.gen.ts"

// TestWireTypesAreInStep makes the app's TypeScript types from the Go structs and compares them with the file in the
// project. make generate writes it anew.
func TestWireTypesAreInStep(t *testing.T) {
	g := generator{seen: map[reflect.Type]bool{}}
	for _, v := range []any{
		ErrorReply{}, SessionReply{}, EntryReply{}, SecondFactorReply{}, EnrolmentReply{}, RecoveryCodesReply{}, SessionsReply{}, UsersReply{}, collector.Host{}, SummaryReply{}, HistoryReply{},
		ProcessesReply{}, collector.ProcessDetail{}, SocketsReply{}, ServicesReply{}, ServiceReply{}, JournalReply{}, OutputReply{}, OperationsReply{}, ActivityReply{}, OperationReply{}, UnseenReply{},
		HelloMessage{}, WatchingMessage{}, ErrorMessage{}, SnapshotMessage[row]{}, DeltaMessage[row]{}, SummaryMessage{},
		FailedMessage{}, OperationMessage{}, UnseenMessage{}, JournalMessage{}, OutputMessage{}, ClientMessage{},
	} {
		g.declare(reflect.TypeOf(v))
	}
	want := "// Made from the Go structs by `make generate`; not written by hand.\n\n" + g.out.String() +
		"export type ServerMessage<Row = unknown> =\n\t| HelloMessage\n\t| WatchingMessage\n\t| ErrorMessage\n\t| SnapshotMessage<Row>\n" +
		"\t| DeltaMessage<Row>\n\t| SummaryMessage\n\t| FailedMessage\n\t| OperationMessage\n\t| UnseenMessage\n\t| JournalMessage\n\t| OutputMessage\n" +
		"\n/** What a query may ask of each list: the names of its fields, each with its short ones. */\nexport const queryFields: Record<string, readonly QueryField[]> = {\n" +
		tsFields("processes", processRows().fields) + tsFields("sockets", socketRows().fields) + tsFields("services", serviceRows().fields) +
		tsFields("operations", operationFields()) + "}\n\n" +
		"export interface QueryField {\n\tname: string\n\tshort: readonly string[]\n\tkind: 'text' | 'word' | 'number' | 'bytes' | 'time'\n}\n"
	if *update {
		if err := os.WriteFile(wireFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(wireFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the Go structs say: run `make generate`", wireFile)
	}
}

// tsFields are the fields of one list as TypeScript.
func tsFields[Row any](topic string, fields []field[Row]) string {
	kinds := map[fieldKind]string{textField: "text", enumField: "word", numberField: "number", bytesField: "bytes", timeField: "time"}
	var b strings.Builder
	fmt.Fprintf(&b, "\t%s: [\n", topic)
	for _, f := range fields {
		short := ""
		if len(f.aliases) > 0 {
			short = "'" + strings.Join(f.aliases, "', '") + "'"
		}
		fmt.Fprintf(&b, "\t\t{ name: '%s', short: [%s], kind: '%s' },\n", f.name, short, kinds[f.kind])
	}
	return b.String() + "\t],\n"
}

// row stands for the type parameter of the messages that carry rows.
type row struct{}

// literals are the string types of which every value is known.
var literals = map[reflect.Type][]string{
	reflect.TypeFor[Role]():              {string(Viewer), string(Operator), string(Admin)},
	reflect.TypeFor[control.RetStatus](): {string(control.Running), string(control.Succeeded), string(control.Failed), string(control.Interrupted)},
	reflect.TypeFor[control.LogStatus](): {string(control.New), string(control.Seen)},
}

// generator writes TypeScript interfaces for Go structs, each once, what a struct needs before the struct.
type generator struct {
	out  strings.Builder
	seen map[reflect.Type]bool
}

func (g *generator) declare(t reflect.Type) {
	if g.seen[t] || t == reflect.TypeFor[row]() {
		return
	}
	g.seen[t] = true
	var body strings.Builder
	g.fields(t, &body)
	name, generic := typeName(t)
	if generic {
		name += "<Row>"
	}
	fmt.Fprintf(&g.out, "export interface %s {\n%s}\n\n", name, body.String())
}

func (g *generator) fields(t reflect.Type, body *strings.Builder) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			g.fields(f.Type, body)
			continue
		}
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		ts := f.Tag.Get("ts")
		if ts == "" {
			ts = g.typeOf(f.Type)
		}
		if option == "omitempty" || option == "omitzero" {
			name += "?"
			ts = strings.TrimSuffix(ts, " | null")
		}
		fmt.Fprintf(body, "\t%s: %s\n", name, ts)
	}
}

func (g *generator) typeOf(t reflect.Type) string {
	if values, ok := literals[t]; ok {
		return "'" + strings.Join(values, "' | '") + "'"
	}
	if t == reflect.TypeFor[time.Time]() {
		return "string"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float64:
		return "number"
	case reflect.Pointer:
		return g.typeOf(t.Elem()) + " | null"
	case reflect.Array:
		return "[" + strings.TrimSuffix(strings.Repeat(g.typeOf(t.Elem())+", ", t.Len()), ", ") + "]"
	case reflect.Slice:
		return g.typeOf(t.Elem()) + "[]"
	case reflect.Map:
		return "Record<" + g.typeOf(t.Key()) + ", " + g.typeOf(t.Elem()) + ">"
	case reflect.Struct:
		g.declare(t)
		if t == reflect.TypeFor[row]() {
			return "Row"
		}
		name, generic := typeName(t)
		if generic {
			name += "<Row>"
		}
		return name
	}
	panic("the wire has no type for " + t.String())
}

// typeName is the Go name, and whether the type is generic over Row.
func typeName(t reflect.Type) (string, bool) {
	name, rest, _ := strings.Cut(t.Name(), "[")
	return name, rest != ""
}
