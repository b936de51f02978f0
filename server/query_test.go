package server

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"topdeck/collector"
	"topdeck/control"
)

var queryProcesses = []collector.Process{
	{PID: 1, StartTime: 2, User: "root", State: "S", Comm: "systemd", Cmdline: "/sbin/init splash", RSS: 12 << 20, Threads: 1, Unit: "init.scope",
		StartedAt: time.Date(2026, 1, 31, 23, 59, 0, 0, time.UTC)},
	{PID: 100, StartTime: 3, User: "www-data", State: "R", Comm: "nginx", Cmdline: "nginx: worker process", CPUPercent: 51.5, RSS: 100 << 20, Threads: 4, Unit: "nginx.service",
		StartedAt: time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)},
	{PID: 4242, StartTime: 4, PPID: 100, User: "Émile", State: "S", Comm: "Straße", Cmdline: `sh -c "echo \ http://x/" --user=a`, CPUPercent: 50, RSS: 1 << 30, Threads: 12,
		StartedAt: time.Date(2026, 2, 2, 0, 0, 0, 0, time.UTC)},
	{PID: 5000, StartTime: 5, User: "root", State: "Z", Comm: "defunct", Cmdline: "run 4242 times"},
}

func TestQueryMatchesProcesses(t *testing.T) {
	for _, test := range []struct {
		q    string
		want []int
	}{
		{"", []int{1, 100, 4242, 5000}},
		{"   ", []int{1, 100, 4242, 5000}},
		{"nginx", []int{100}},
		{"NGINX WORKER", []int{100}},
		{"root", []int{1, 5000}},
		{"-root", []int{100, 4242}},
		{"root -splash", []int{5000}},
		{`"worker process"`, []int{100}},
		{`"worker  process"`, nil},
		{`-"worker process" ngin`, nil},
		{`"nginx:"`, []int{100}},
		{`"c \"echo \\ h"`, []int{4242}},
		{`"\ http"`, []int{4242}},
		{`"http://x"`, []int{4242}},
		{`"--user"`, []int{4242}},
		{"--user", []int{1, 100, 5000}}, // the word -user, negated
		{"4242", []int{4242, 5000}},
		{`"4242"`, []int{5000}},
		{"42", []int{5000}},
		{"pid:4242", []int{4242}},
		{"pid:42", nil},
		{"ppid=100", []int{4242}},
		{"-pid:4242 -pid:1", []int{100, 5000}},
		{"user:WWW", []int{100}},
		{"user=www", nil},
		{"user=WWW-DATA", []int{100}},
		{"USER:root", []int{1, 5000}},
		{"name:nginx", []int{100}},
		{"name:work", nil},
		{"cpu>50", []int{100}},
		{"cpu>=50", []int{100, 4242}},
		{"cpu>=50%", []int{100, 4242}},
		{"cpuPercent<1", []int{1, 5000}},
		{"cpu=51.5", []int{100}},
		{"nice>-1", []int{1, 100, 4242, 5000}},
		{"mem>=100M", []int{100, 4242}},
		{"mem>100M", []int{4242}},
		{"mem:100MiB", []int{100}},
		{"rss<=12582912", []int{1, 5000}},
		{"mem=1g", []int{4242}},
		{"mem>1t", nil},
		{"threads<=4", []int{1, 100, 5000}},
		{"-threads>1", []int{1, 5000}},
		{"state:r", []int{100}},
		{"-state:S", []int{100, 5000}},
		{"state:running", []int{100}},
		{"running", []int{100}},
		{"\"running\"", nil},
		{"-state:sleeping", []int{100, 5000}},
		{`unit:""`, []int{4242, 5000}},
		{`-unit:""`, []int{1, 100}},
		{"émile", []int{4242}},
		{"ÉMILE", []int{4242}},
		{"STRASSE", nil},
		{"straẞe", []int{4242}},    // capital sharp s
		{"\u017Fystemd", []int{1}}, // long s
		{"startedAt>2026-01-31", []int{100, 4242}},
		{"startedAt:2026-02-01", []int{100}},
		{"startedAt<2026-02-01", []int{1, 5000}},
		{"startedAt<=2026-02-01", []int{1, 100, 5000}},
		{"startedAt>=2026-02-01T12:00:00Z", []int{100, 4242}},
		{"startedAt>2026-02-01T13:00:00+01:00", []int{4242}},
		{"startedAt:2026-01-31T23:59:00Z/2026-02-02T00:00:00Z", []int{1, 100}},
		{"-startedAt:2026-01-31T23:59:00Z/2026-02-02T00:00:00Z", []int{4242, 5000}},
		{"startedAt>2026-01-31T00:00:00Z/2026-02-01T00:00:00Z", []int{100, 4242}},
		{"startedAt<2026-02-01T00:00:00Z/2026-02-02T00:00:00Z", []int{1, 5000}},
		{"12:30", nil},
		{"\u3000nginx\u3000cpu>50\u3000", []int{100}}, // ideographic space
		{"进程", nil},
	} {
		t.Run(test.q, func(t *testing.T) {
			q, err := compileQuery(test.q, processRows().fields)
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			for i := range queryProcesses {
				if q.matches(&queryProcesses[i]) {
					got = append(got, queryProcesses[i].PID)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("matched %v, want %v", got, test.want)
			}
		})
	}
}

func TestQueryMatchesSockets(t *testing.T) {
	sockets := []collector.Socket{
		{Cookie: "1", Protocol: "tcp", LocalAddress: "0.0.0.0", LocalPort: 80, RemoteAddress: "0.0.0.0", State: "LISTEN", PID: 7, Program: "nginx"},
		{Cookie: "2", Protocol: "tcp6", LocalAddress: "::1", LocalPort: 80, RemoteAddress: "fe80::80", RemotePort: 5353, State: "ESTABLISHED"},
		{Cookie: "3", Protocol: "udp", LocalAddress: "10.0.0.80", LocalPort: 53, RemoteAddress: "10.0.0.1", RemotePort: 80, State: "ESTABLISHED"},
		{Cookie: "480", Protocol: "udp6", LocalAddress: "::", LocalPort: 5353, RemoteAddress: "::", State: "UNCONN", PID: 80, Inode: 80},
	}
	for _, test := range []struct{ q, want string }{
		{"port:80", "1 2 3"},
		{"port>80", "2 480"},
		{"-port:80", "480"},
		{"localPort:80", "1 2"},
		{"remotePort:80", "3"},
		{"local:80", "1 2 3"}, // 10.0.0.80 too
		{"local:10.0.0.80:53", "3"},
		{"local:0.0.0.0:80", "1"},
		{"local:*:80", "1 2"},
		{"local:[::1]:80", "2"},
		{"local:[::1", "2"},
		{"local:::1", "2"},
		{"remote:10.0.0.1:80", "3"},
		{"remote:10.0.0.1:81", ""},
		{"10.0.0.1:80", "3"},
		{"10.0.0.80:53", "3"},
		{"[::1]:80", "2"},
		{":5353", "2 480"},
		{"::1", "2"},
		{"fe80::80", "2"},
		{"fe80::", "2"},
		{"80", "1 2 3 480"},
		{"proto:tcp", "1"},
		{"proto:TCP6", "2"},
		{"tcp", "1 2"},
		{"state:established", "2 3"},
		{"state:LIST", ""},
		{`program:""`, "2 3 480"},
		{"pid:0", "2 3"},
		{"cookie:480", "480"},
		{"name:ngi", "1"},
	} {
		t.Run(test.q, func(t *testing.T) {
			q, err := compileQuery(test.q, socketRows().fields)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i := range sockets {
				if q.matches(&sockets[i]) {
					got = append(got, sockets[i].Cookie)
				}
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("matched %v, want %v", got, test.want)
			}
		})
	}
}

func TestQueryMatchesServices(t *testing.T) {
	services := []control.Service{
		{Name: "a.service", ActiveState: "active", Ports: []int{80, 443}, PIDs: []int{7}, CPUPercent: new(3.5), Memory: new(uint64(5 << 20)), Since: new(time.Unix(5, 0))},
		{Name: "b.service", ActiveState: "inactive"},
	}
	for q, want := range map[string]string{
		"port:443": "a.service", "ports>100": "a.service", "port:44": "", "443": "a.service", "pid:7": "a.service",
		"state:active": "a.service", "activeState:inactive": "b.service", "active": "a.service b.service",
		"cpu<5": "a.service", "-cpu<5": "b.service", "mem:5M": "a.service", "since<2000-01-01": "a.service", "name:b": "b.service",
	} {
		compiled, err := compileQuery(q, serviceRows().fields)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range services {
			if compiled.matches(&services[i]) {
				got = append(got, services[i].Name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s matched %v, want %v", q, got, want)
		}
	}
}

func TestQueryErrorsNameThePlace(t *testing.T) {
	for _, test := range []struct {
		q        string
		position int
		says     string
	}{
		{"foo:bar", 0, `there is no field "foo" here (pid startTime`},
		{"nginx foo>5", 6, `there is no field "foo"`},
		{"𝄞 foo:1", 3, "at character 4"}, // two UTF-16 units
		{"http://x", 0, "quotes"},
		{"-foo:1", 0, "quotes"},
		{"localhost:80", 0, `"localhost"`},
		{"-", 0, "nothing follows the -"},
		{"a - b", 2, "nothing follows the -"},
		{`a "b`, 2, "never closed"},
		{`user:"b`, 5, "never closed"},
		{`"a"b`, 3, "space"},
		{`""`, 0, "nothing stands between"},
		{"user:", 5, "a value must follow"},
		{"cpu> 50", 4, "a value must follow"},
		{"cpu:fifty", 4, "wants a number such as 50"},
		{"cpu>1e3", 4, "wants a number"},
		{"cpu>NaN", 4, "wants a number"},
		{"cpu>0x10", 4, "wants a number"},
		{"cpu>5M", 4, "wants a number"},
		{"cpu>.", 4, "wants a number"},
		{"cpu>-", 4, "wants a number"},
		{"cpu>1.2.3", 4, "wants a number"},
		{"cpu>1-2", 4, "wants a number"},
		{"mem>5X", 4, "100M"},
		{"mem>5iB", 4, "100M"},
		{`pid:""`, 4, "wants a number"},
		{"user>a", 4, "write user:value"},
		{"state<=a", 5, "write state:value"},
		{"startedAt>yesterday", 10, "2026-01-31"},
		{"a\xffb", 1, "UTF-8"},
		{strings.Repeat("x", 1025), 1024, "longer than 1024"},
		{strings.Repeat("𝄞", 513), 1024, "longer than 1024"},
		{strings.Repeat("x ", 33), 64, "more than 32 terms"},
	} {
		t.Run(test.q, func(t *testing.T) {
			_, err := compileQuery(test.q, processRows().fields)
			var refusal *Error
			if !errors.As(err, &refusal) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if refusal.Code != "invalid" || refusal.Position == nil || *refusal.Position != test.position || !strings.Contains(refusal.Message, test.says) {
				t.Errorf("got %q at %v, want position %d and %q", refusal.Message, refusal.Position, test.position, test.says)
			}
		})
	}
}

func TestQueryLimitsAreAllowed(t *testing.T) {
	for _, q := range []string{strings.Repeat("x", 1024), strings.Repeat("x ", 32), strings.Repeat("𝄞", 512)} {
		if _, err := compileQuery(q, processRows().fields); err != nil {
			t.Errorf("%.9s…: %v", q, err)
		}
	}
}

func TestQueriesThatMeanTheSameShareTheirName(t *testing.T) {
	for _, test := range []struct {
		a, b string
		same bool
	}{
		{"nginx cpu>50", " CPU>50   Nginx nginx", true},
		{"name:a", `comm:"A"`, true},
		{"a b", `"a b"`, false},
		{"-a", `"-a"`, false},
		{"pid:1", "-pid:1", false},
		{"user:a", "user=a", false},
		{"42", `"42"`, false},
	} {
		var names [2]string
		for i, q := range []string{test.a, test.b} {
			compiled, err := compileQuery(q, processRows().fields)
			if err != nil {
				t.Fatal(err)
			}
			names[i] = compiled.canonical
		}
		if (names[0] == names[1]) != test.same {
			t.Errorf("%q is named %q, %q is named %q", test.a, names[0], test.b, names[1])
		}
	}
}

// Short names are the same in every list as far as its rows have such a field.
func TestShortNames(t *testing.T) {
	for _, name := range []string{"cpu", "mem", "name"} {
		if findField(processRows().fields, name) == nil || findField(serviceRows().fields, name) == nil {
			t.Errorf("no field %s", name)
		}
	}
	for _, name := range []string{"name", "port", "local", "remote", "proto"} {
		if findField(socketRows().fields, name) == nil {
			t.Errorf("no field %s of sockets", name)
		}
	}
}

func TestMatchingAllocatesNothing(t *testing.T) {
	q, err := compileQuery(`ROOT straẞe cpu>1 -mem<5M port unit:x startedAt>2026-01-01 4242 "a b"`, processRows().fields)
	if err != nil {
		t.Fatal(err)
	}
	row := &queryProcesses[2]
	if n := testing.AllocsPerRun(100, func() {
		for _, test := range q.tests {
			test(row)
		}
	}); n != 0 {
		t.Errorf("%v allocations per row", n)
	}
}

func FuzzQuery(f *testing.F) {
	for _, q := range []string{"", "nginx cpu>50", `-"a b" user:"x\"y"`, "foo:bar", `"`, "-", "::1 [::1]:80", "mem>=1.5GiB", "\xff", "进程:1", "startedAt>2026-01-01"} {
		f.Add(q)
	}
	processes, sockets, services, operations := processRows().fields, socketRows().fields, serviceRows().fields, operationFields()
	f.Fuzz(func(t *testing.T, q string) {
		fuzzFields(t, q, processes, queryProcesses)
		fuzzFields(t, q, sockets, []collector.Socket{{Cookie: "1", LocalAddress: "::1", LocalPort: 80}})
		fuzzFields(t, q, services, []control.Service{{Name: "a"}, {Name: "b", PIDs: []int{1}}})
		fuzzFields(t, q, operations, []control.Operation{{ID: "1", LogType: "session.login"}})
	})
}

// fuzzFields checks that a query is refused with a place in it, or can be matched.
func fuzzFields[Row any](t *testing.T, q string, fields []field[Row], rows []Row) {
	compiled, err := compileQuery(q, fields)
	if err != nil {
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Position == nil || *refusal.Position < 0 || *refusal.Position > len(q) || !utf8.ValidString(refusal.Message) {
			t.Fatalf("%q is refused with %#v", q, err)
		}
		return
	}
	for i := range rows {
		compiled.matches(&rows[i])
	}
}

func FuzzNeedle(f *testing.F) {
	f.Add("Kelvin", "\u212aELVIN")
	f.Add("", "")
	f.Add("ß", "STRAẞE")
	f.Fuzz(func(t *testing.T, part, whole string) {
		if !utf8.ValidString(part) || !utf8.ValidString(whole) {
			return
		}
		n := newNeedle(part)
		if want := strings.Contains(foldString(whole), foldString(part)); n.in(whole) != want {
			t.Errorf("%q in %q: got %v", part, whole, !want)
		}
		if want := strings.EqualFold(whole, part); n.equals(whole) != want {
			t.Errorf("%q equals %q: got %v", part, whole, !want)
		}
		if (compareFold(part, whole) == 0) != strings.EqualFold(part, whole) {
			t.Errorf("%q and %q: compared as %d", part, whole, compareFold(part, whole))
		}
	})
}
