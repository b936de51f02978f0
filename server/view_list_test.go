package server

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"topdeck/collector"
	"topdeck/control"
)

func TestNth(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 15, 17, 100, 5000} {
		for name, list := range map[string][]int{
			"random": random.Perm(n), "sorted": slices.Sorted(slices.Values(random.Perm(n))), "equal": make([]int, n),
		} {
			sorted := slices.Sorted(slices.Values(list))
			for _, k := range []int{0, n / 3, n / 2, n - 1} {
				if got := nth(slices.Clone(list), k, cmp.Compare[int]); got != sorted[k] {
					t.Errorf("number %d of %d %s: %d, want %d", k, n, name, got, sorted[k])
				}
			}
		}
	}
}

func FuzzAlign(f *testing.F) {
	f.Add([]byte("abcdef"), []byte("abxdef"))
	f.Add([]byte("abcdef"), []byte("acdfg"))
	f.Add([]byte("abcdefghijklmnopqrstuvwxyz"), []byte("zyxabc"))
	f.Fuzz(func(t *testing.T, before, after []byte) {
		next, last := 0, -1
		align(before, after, func(i, j int) {
			if i != next || j >= 0 && (j <= last || before[j] != after[i]) {
				t.Fatalf("%q to %q: %d is said to be %d after %d", before, after, i, j, last)
			}
			next++
			if j >= 0 {
				last = j
			}
		})
		if next != len(after) {
			t.Fatalf("%q to %q: %d elements are told", before, after, next)
		}
	})
}

func TestAlignFindsWhatStayed(t *testing.T) {
	for _, c := range []struct {
		before, after string
		same          int
	}{
		{"abcdef", "abcdef", 6}, {"abcdef", "abxdef", 5}, {"abcdef", "acdef", 5}, {"abcdef", "def", 3}, {"def", "abcdef", 3},
		{"abcdef", "axbcydef", 6}, {"abcdef", "bXdefgh", 4}, {"", "abc", 0}, {"abc", "", 0},
	} {
		same := 0
		align([]byte(c.before), []byte(c.after), func(_, j int) {
			if j >= 0 {
				same++
			}
		})
		if same != c.same {
			t.Errorf("%q to %q: %d stay, want %d", c.before, c.after, same, c.same)
		}
	}
}

// However rows come, change, move and go, and whichever are shown, who follows the deltas has what a snapshot would show.
func TestDeltasLeadToTheSnapshot(t *testing.T) {
	for _, a := range []arguments{{}, {limit: 20}, {limit: 20, sort: "recvQ"}, {q: "recvQ>1"}, {q: "recvQ>1", limit: 10, sort: "localPort", order: "desc"}} {
		random := rand.New(rand.NewPCG(3, 4))
		s, err := selectRows(socketRows(), a)
		if err != nil {
			t.Fatal(err)
		}
		var now []*collector.Socket
		c := &listContent[collector.Socket, string]{selection: s, logger: slog.New(slog.DiscardHandler), source: (*tick).socketFrame}
		client := make(map[string]collector.Socket)
		for turn := range 300 {
			now = slices.Clone(now)
			for range random.IntN(8) { // come
				row := &collector.Socket{Cookie: fmt.Sprint(random.IntN(60)), LocalPort: uint16(random.IntN(50))}
				if !slices.ContainsFunc(now, func(s *collector.Socket) bool { return s.Cookie == row.Cookie }) {
					now = slices.Insert(now, random.IntN(len(now)+1), row)
				}
			}
			for i := range now { // change, or are told anew
				if random.IntN(10) == 0 {
					now[i] = new(*now[i])
					now[i].RecvQ += uint32(random.IntN(2))
				}
			}
			for range random.IntN(6) { // go, or move
				if len(now) > 0 {
					i := random.IntN(len(now))
					row := now[i]
					now = slices.Delete(now, i, i+1)
					if random.IntN(2) == 0 {
						now = append(now, row)
					}
				}
			}
			if random.IntN(40) == 0 {
				now = []*collector.Socket{}
			}
			state, err := c.next(1, uint64(turn+1), &tick{sample: &collector.Sample{Parts: collector.PartSockets, Sockets: now}})
			if err != nil {
				t.Fatal(err)
			}
			var all SnapshotMessage[collector.Socket]
			unmarshal(t, state.snapshot(), &all)
			if turn > 0 {
				var change DeltaMessage[collector.Socket]
				unmarshal(t, state.delta, &change)
				for _, key := range change.Remove {
					if _, ok := client[key]; !ok {
						t.Fatalf("%+v, turn %d: %s is removed and was not there", a, turn, key)
					}
					delete(client, key)
				}
				for _, row := range change.Upsert {
					if client[row.Cookie] == row {
						t.Fatalf("%+v, turn %d: %s is told and has not changed", a, turn, row.Cookie)
					}
					client[row.Cookie] = row
				}
				if all.Matched != change.Matched || all.Total != len(now) {
					t.Fatalf("%+v, turn %d: %d and %d match of %d", a, turn, all.Matched, change.Matched, all.Total)
				}
			} else {
				for _, row := range all.Rows {
					client[row.Cookie] = row
				}
			}
			want, matched := s.list(now)
			if !slices.Equal(all.Rows, want) && len(want) > 0 || matched != all.Matched || len(client) != len(all.Rows) {
				t.Fatalf("%+v, turn %d: the snapshot has %d rows of %d, the list %d of %d, the client %d", a, turn, len(all.Rows), all.Matched, len(want), matched, len(client))
			}
			for _, row := range all.Rows {
				if client[row.Cookie] != row {
					t.Fatalf("%+v, turn %d: the client has %+v, the snapshot %+v", a, turn, client[row.Cookie], row)
				}
			}
		}
	}
}

func unmarshal(t *testing.T, m *message, v any) {
	t.Helper()
	if err := json.Unmarshal(m.data, v); err != nil {
		t.Fatalf("%v: %s", err, m.data)
	}
}

// fill gives every field of a row a value that takes care to write; turn chooses which.
func fill(row any, turn int) {
	texts := []string{"", "plain", `quote " and \ and <html> & 'so'`, "tab\tline\nnull\x00\x1f\x7f\b\f\r", "é 中 😀 \u2028\u2029", "broken \xff\xc3 utf-8", "\ufeff\ufffd"}
	numbers := []float64{0, 1, 0.1, 99.9, 1e-7, 123456789.5, 1e21, 3}
	v := reflect.ValueOf(row).Elem()
	for i := range v.NumField() {
		n := turn + i
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(texts[n%len(texts)])
		case reflect.Int, reflect.Int64:
			f.SetInt(int64(n*7919 - 40000))
		case reflect.Uint16, reflect.Uint32, reflect.Uint64:
			f.SetUint(uint64(n) * 4099 & 0xffff)
		case reflect.Float64:
			f.SetFloat(numbers[n%len(numbers)])
		case reflect.Bool:
			f.SetBool(n%2 == 0)
		case reflect.Struct:
			f.Set(reflect.ValueOf(time.Unix(int64(n)*86413, int64(n%3)*50_000_000).UTC()))
		default:
			panic(fmt.Sprint("a field of kind ", f.Kind(), " that the test does not know"))
		}
	}
}

// What is written by hand has the bytes that encoding/json would write, of every field there is.
func TestRowsAreEncodedAsByTheLibrary(t *testing.T) {
	for turn := range 60 {
		p, s := new(collector.Process), new(collector.Socket)
		fill(p, turn)
		fill(s, turn)
		sameAsLibrary(t, p, string(appendProcess(nil, p)))
		sameAsLibrary(t, s, string(appendSocket(nil, s)))
		service := &control.Service{Name: p.Comm}
		at := p.StartedAt
		errors := map[string]string{"b": "<why>", "a": p.Comm}
		sameMessages(t, appendProcess, p, at, errors)
		sameMessages(t, appendSocket, s, at, errors)
		sameMessages(t, nil, service, at, errors)
	}
}

func sameMessages[Row any](t *testing.T, write func([]byte, *Row) []byte, row *Row, at time.Time, errors map[string]string) {
	t.Helper()
	for _, rows := range [][]*Row{{}, {row}, {row, row}} {
		snapshot := SnapshotMessage[*Row]{Type: "snapshot", View: 3, Seq: 4, Time: at, Total: 5, Matched: 6, Rows: rows, Errors: errors}
		sameMessage(t, snapshot, snapshotOf[Row]{snapshot, write})
		delta := DeltaMessage[*Row]{Type: "delta", View: 3, Seq: 4, Time: at, Total: 5, Matched: 6, Upsert: rows, Remove: []string{"1:2", "<\x01>"}[:len(rows)],
			Ended: []EndedRow[*Row]{{Key: "1", Row: &row, ExitCode: new(1)}, {Key: "2"}}[:len(rows)], Errors: errors}
		sameMessage(t, delta, deltaOf[Row]{delta, write})
	}
}

func sameMessage(t *testing.T, plain any, own appender) {
	t.Helper()
	got, err := own.appendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	sameAsLibrary(t, plain, string(got))
}

func sameAsLibrary(t *testing.T, v any, got string) {
	t.Helper()
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSuffix(b.String(), "\n"); got != want {
		t.Errorf("written\n%s, by the library\n%s", got, want)
	}
}

func TestMaskedRowsKeepTheirAddresses(t *testing.T) {
	rows := pointers([]collector.Process{process(1, 0), process(2, 0), process(3, 0)})
	var m maskedRows
	first := m.of(rows)
	changed := slices.Clone(rows)
	changed[1] = new(process(2, 5))
	second := m.of(changed)
	if second[0] != first[0] || second[1] == first[1] || second[2] != first[2] || second[1].CPUPercent != 5 {
		t.Errorf("%v, then %v", first, second)
	}
	for i, row := range append(first, second...) {
		if row.Cmdline != row.Argv0 || rows[i%3].Cmdline == rows[i%3].Argv0 {
			t.Errorf("a viewer sees %+v", row)
		}
	}
	if m.of(nil) != nil {
		t.Error("rows that could not be read are none")
	}
}
