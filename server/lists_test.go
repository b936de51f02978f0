package server

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"topdeck/collector"
	"topdeck/control"
)

// playHost gives the server a host with something of everything on it.
func playHost(cfg *Config) {
	host := newFakeHost()
	host.sample.Time = time.Date(2026, 2, 3, 4, 5, 6, 7_000_000, time.UTC)
	host.sample.Processes = pointers([]collector.Process{process(1, 0), process(2, 50.5), process(10, 7)})
	host.sample.Processes[1].Unit, host.sample.Processes[1].RSS = "web.service", 4096
	host.sample.Sockets = []*collector.Socket{
		{Protocol: "tcp", LocalAddress: "0.0.0.0", LocalPort: 443, State: "LISTEN", PID: 2, Program: "p2", Unit: "web.service", Cookie: "11"},
		{Protocol: "tcp6", LocalAddress: "::1", LocalPort: 80, RemoteAddress: "::1", RemotePort: 443, State: "ESTABLISHED", Cookie: "12"},
		{Protocol: "udp", LocalAddress: "127.0.0.1", LocalPort: 53, State: "UNCONN", PID: 2, Program: "p2", Cookie: "13"},
	}
	host.sample.Errors = map[string]string{"owners": "not root", "events": "no connector"}
	host.sample.Summary.Tasks = &collector.Tasks{Total: 3}
	host.services = []control.Service{
		{Name: "web.service", Manager: "systemd", ActiveState: "active", MainPID: 2},
		{Name: "cron", Manager: "sysv", ActiveState: "inactive"},
		{Name: "web", Manager: "sysv", PIDs: []int{10}, Ports: []int{8080}, CPUPercent: new(1.0), Memory: new(uint64(9))},
	}
	host.failed = []string{"db.service"}
	host.reasons = map[string]string{"supervisord": "not found"}
	host.facts = collector.Host{Hostname: "box", ScheduledTasks: []collector.ScheduledTask{
		{Kind: "cron", Command: "backup --password=secret"}, {Kind: "timer", Command: "logrotate.service"},
	}}
	cfg.Collector, cfg.Services, cfg.Host = host, host, host
}

func TestLists(t *testing.T) {
	s := startServer(t, playHost)
	admin, viewer := s.signedIn("ann", Admin), s.signedIn("vic", Viewer)

	processes := func(b *browser, query string) (pids string, reply ProcessesReply) {
		t.Helper()
		reply = into[ProcessesReply](t, b.want(200, "GET", "/processes"+query, nil))
		for _, p := range reply.Processes {
			pids += fmt.Sprint(p.PID, " ")
		}
		return strings.TrimSpace(pids), reply
	}
	for query, want := range map[string]string{
		"":                             "1 2 10",
		"?q=":                          "1 2 10",
		"?sort=cpu":                    "2 10 1",
		"?sort=cpuPercent&order=asc":   "1 10 2",
		"?sort=comm":                   "1 10 2",
		"?order=desc":                  "10 2 1",
		"?q=cpu%3E1&sort=pid":          "2 10",
		"?sort=pid&order=desc&limit=2": "10 2",
		"?limit=1":                     "1",
		"?limit=0":                     "1 2 10",
		"?limit=999999999":             "1 2 10",
		"?q=secret2":                   "2",
		"?sort=startedAt":              "1 2 10", // all equal: by PID
		"?sort=unit&order=desc":        "2 1 10",
	} {
		if pids, _ := processes(admin, query); pids != want {
			t.Errorf("processes%s are %s, want %s", query, pids, want)
		}
	}
	_, reply := processes(admin, "?q=cpu%3E1&limit=1")
	if reply.Total != 3 || reply.Matched != 2 || len(reply.Processes) != 1 || reply.Time.Nanosecond() != 7_000_000 ||
		reply.Errors["events"] == "" || reply.Errors["owners"] != "" {
		t.Errorf("processes: %+v", reply)
	}
	if pids, _ := processes(viewer, "?q=secret2"); pids != "" {
		t.Errorf("a viewer found %s by an argument", pids)
	}
	if _, reply := processes(viewer, ""); reply.Processes[0].Cmdline != "/bin/p1" {
		t.Errorf("a viewer sees %+v", reply.Processes[0])
	}

	for query, want := range map[string]string{
		"": "11 12 13", "?protocol=tcp": "11", "?state=ESTABLISHED": "12", "?q=443&protocol=tcp6": "12", "?q=port:443&sort=localPort&order=desc": "11 12",
		"?protocol=udp&state=LISTEN": "",
	} {
		reply := into[SocketsReply](t, viewer.want(200, "GET", "/sockets"+query, nil))
		var cookies []string
		for _, k := range reply.Sockets {
			cookies = append(cookies, k.Cookie)
		}
		if got := strings.Join(cookies, " "); got != want {
			t.Errorf("sockets%s are %s, want %s", query, got, want)
		}
		if reply.Total != 3 || reply.Matched != len(cookies) || reply.Errors["owners"] == "" {
			t.Errorf("sockets%s: %+v", query, reply)
		}
	}

	services := into[ServicesReply](t, viewer.want(200, "GET", "/services?q=web", nil))
	if services.Total != 3 || services.Matched != 2 || fmt.Sprint(services.Managers) != "[systemd]" || services.Errors["supervisord"] == "" {
		t.Errorf("services: %+v", services)
	}
	sysv, systemd := services.Services[0], services.Services[1]
	if *sysv.CPUPercent != 1 || *sysv.Memory != 9 || fmt.Sprint(sysv.PIDs, sysv.Ports) != "[10] [8080]" {
		t.Errorf("what the manager said was changed: %+v", sysv)
	}
	if *systemd.CPUPercent != 50.5 || *systemd.Memory != 4096 || fmt.Sprint(systemd.PIDs, systemd.Ports) != "[2] [53 443]" {
		t.Errorf("joined: %+v", systemd)
	}
	body := string(viewer.want(200, "GET", "/services?q=cron", nil).body)
	if !strings.Contains(body, `"pids":[],"ports":[],"cpuPercent":null,"memory":null`) {
		t.Errorf("a service without anything is %s", body)
	}

	summary := into[SummaryReply](t, viewer.want(200, "GET", "/summary", nil))
	if tasks := summary.Tasks; tasks == nil || tasks.Total != 3 {
		t.Errorf("tasks: %+v", tasks)
	}
	if failed := fmt.Sprint(summary.FailedServices); failed != "{1 [db.service]}" {
		t.Errorf("failed services: %s", failed)
	}
	if body := string(viewer.want(200, "GET", "/summary/history", nil).body); body != `{"interval":1,"points":[]}` {
		t.Errorf("history: %s", body)
	}
	for b, want := range map[*browser]string{viewer: "backup", admin: "backup --password=secret"} {
		host := into[collector.Host](t, b.want(200, "GET", "/host", nil))
		if host.Hostname != "box" || host.ScheduledTasks[0].Command != want || host.ScheduledTasks[1].Command != "logrotate.service" || host.ServiceManagers[0] != "systemd" {
			t.Errorf("host: %+v", host)
		}
	}
}

func TestListsRefuse(t *testing.T) {
	s := startServer(t, playHost)
	b := s.signedIn("vic", Viewer)
	for path, says := range map[string]string{
		"/processes?q=foo:1":                    "character 1",
		"/processes?q=%22":                      "never closed",
		"/processes?q=%ff":                      "UTF-8",
		"/processes?sort=colour":                "cannot sort",
		"/processes?sort=port":                  "cannot sort",
		"/processes?sort=pid&order=up":          "order",
		"/processes?limit=-1":                   "limit",
		"/processes?limit=1.5":                  "limit",
		"/processes?limit=ten":                  "limit",
		"/processes?limit=99999999999999999999": "limit",
		"/processes?colour=red":                 `"colour"`,
		"/processes?protocol=tcp":               `"protocol"`,
		"/processes?q=a&q=b":                    "twice",
		"/sockets?protocol=sctp":                "protocol",
		"/sockets?state=OPEN":                   "state",
		"/services?state=active":                `"state"`,
		"/summary?q=x":                          `"q"`,
		"/summary/history?x=":                   `"x"`,
		"/host?x=1":                             `"x"`,
	} {
		if a := b.want(http.StatusBadRequest, "GET", path, nil); a.code() != codeInvalid || !strings.Contains(a.message(), says) {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	if a := b.send("GET", "/processes?q=%F0%9D%84%9E%20foo:1", nil); *into[ErrorReply](t, a).Error.Position != 3 {
		t.Errorf("the place is wrong in %s", a.body)
	}
}

func TestListsWithoutSample(t *testing.T) {
	s := startServer(t, playHost, func(cfg *Config) { cfg.Collector.(*fakeHost).failure = errors.New("stopped") })
	b := s.signedIn("vic", Viewer)
	for _, path := range []string{"/summary", "/processes", "/sockets", "/services"} {
		if a := b.send("GET", path, nil); a.StatusCode != http.StatusServiceUnavailable || a.code() != codeUnavailable {
			t.Errorf("%s: %s %s", path, a.Status, a.body)
		}
	}
}

func TestServicesAreJoined(t *testing.T) {
	tree := []collector.Process{
		{PID: 1}, {PID: 20, PPID: 1, CPUPercent: 0.25, RSS: 1}, {PID: 21, PPID: 20, CPUPercent: 0.5, RSS: 2}, {PID: 22, PPID: 21, CPUPercent: 1, RSS: 4},
		{PID: 30, PPID: 1, CPUPercent: 9, RSS: 8, Unit: "u.service"}, {PID: 40, PPID: 41}, {PID: 41, PPID: 40}, // a reading may be torn
	}
	ports := []*collector.Socket{
		{State: "LISTEN", LocalPort: 80, PID: 22}, {State: "LISTEN", LocalPort: 80, PID: 20}, {State: "ESTABLISHED", LocalPort: 81, PID: 20},
		{State: "UNCONN", LocalPort: 53, PID: 21}, {State: "UNCONN", PID: 21}, {State: "LISTEN", LocalPort: 443, Unit: "u.service"}, {State: "LISTEN", LocalPort: 90},
	}
	sample := &collector.Sample{Processes: pointers(tree), Sockets: ports}
	for _, test := range []struct {
		name    string
		service control.Service
		sample  *collector.Sample
		want    string
	}{
		{"unit", control.Service{Name: "u.service", Manager: "systemd", MainPID: 20}, sample, "[30] [443] 9 8"},
		{"unit that has no process", control.Service{Name: "v.service", Manager: "systemd", MainPID: 20}, sample, "[] [] - -"},
		{"main process", control.Service{Name: "u.service", Manager: "sysv", MainPID: 20}, sample, "[20 21 22] [53 80] 1.8 7"},
		{"main process that is gone", control.Service{Manager: "sysv", MainPID: 99}, sample, "[] [] - -"},
		{"no main process", control.Service{Manager: "sysv"}, sample, "[] [] - -"},
		{"ring", control.Service{Manager: "sysv", MainPID: 40}, sample, "[40 41] [] 0 0"},
		{"told by the manager", control.Service{Manager: "sysv", PIDs: []int{21}, Ports: []int{7}, CPUPercent: new(3.0), Memory: new(uint64(5))}, sample, "[21] [7] 3 5"},
		{"no sample", control.Service{Name: "u.service", Manager: "systemd"}, nil, "[] [] - -"},
	} {
		got := JoinServices([]control.Service{test.service}, test.sample)[0]
		cpu, memory := "-", "-"
		if got.CPUPercent != nil {
			cpu = fmt.Sprint(*got.CPUPercent)
		}
		if got.Memory != nil {
			memory = fmt.Sprint(*got.Memory)
		}
		if text := fmt.Sprint(got.PIDs, got.Ports, " ", cpu, " ", memory); text != test.want || got.PIDs == nil || got.Ports == nil {
			t.Errorf("%s: %s, want %s", test.name, text, test.want)
		}
	}
}
