package collector

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"topdeck/control/sdhost"
)

func TestTimerSchedule(t *testing.T) {
	for _, test := range []struct {
		name                string
		calendar, monotonic any
		want                string
	}{
		{"calendar", [][]any{{"OnCalendar", "*-*-* 06:00:00", uint64(5)}}, [][]any{}, "*-*-* 06:00:00"},
		{"monotonic", [][]any{}, [][]any{{"OnBootUSec", uint64(900e6), uint64(5)}, {"OnUnitActiveUSec", uint64(86400e6), uint64(5)}}, "OnBootSec=15min; OnUnitActiveSec=1d"},
		{"both", [][]any{{"OnCalendar", "Mon *-*-* 00:00:00", uint64(5)}}, [][]any{{"OnStartupUSec", uint64(0), uint64(5)}}, "Mon *-*-* 00:00:00; OnStartupSec=0"},
		{"none", [][]any{}, [][]any{}, ""},
		{"not what was asked for", "x", [][]any{{"OnBootUSec"}, {1, 2, 3}}, ""},
	} {
		if got := timerSchedule(test.calendar, test.monotonic); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestTimeSpan(t *testing.T) {
	for microseconds, want := range map[uint64]string{
		0: "0", 1: "1us", 1500: "1ms 500us", 90e6: "1min 30s", 5400e6: "1h 30min", 8 * 86400e6: "8d", 86400e6 + 1: "1d 1us",
	} {
		if got := timeSpan(microseconds); got != want {
			t.Errorf("%d: %q, want %q", microseconds, got, want)
		}
	}
}

func TestTimerNext(t *testing.T) {
	r := NewHostReader(HostConfig{})
	now := time.Now()
	early, late := uint64(now.Add(time.Hour).UnixMicro()), uint64(now.Add(2*time.Hour).UnixMicro())
	const longAgo = uint64(1) // a microsecond after boot
	for _, test := range []struct {
		name                string
		realtime, monotonic any
		want                string
	}{
		{"never", uint64(0), uint64(0), "never"},
		{"infinity", uint64(math.MaxUint64), uint64(math.MaxUint64), "never"},
		{"calendar", early, uint64(math.MaxUint64), "calendar"},
		{"the earlier one", late, longAgo, "boot"},
		{"boot", uint64(0), longAgo, "boot"},
		{"not there", nil, nil, "never"},
	} {
		got := "never"
		if next := r.timerNext(test.realtime, test.monotonic); next != nil {
			if got = "calendar"; next.Before(now) {
				got = "boot"
			}
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// TestTimersOfASilentBus: somebody takes the connection, and never says a word.
func TestTimersOfASilentBus(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	root := tree(t, map[string]string{"run/systemd/system/x": "", "etc/crontab": "0 0 * * * root x\n"})
	socket := filepath.Join(root, "bus")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dials := make(chan net.Conn, 100)
	go func() {
		defer close(dials)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			dials <- conn
		}
	}()

	r := NewHostReader(HostConfig{Root: root, Bus: "unix:path=" + socket})
	start := time.Now()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			h := r.Host(t.Context())
			if len(h.ScheduledTasks) != 1 || !strings.Contains(h.Errors["scheduledTasks"], "systemd timers: systemd did not answer within a second") {
				t.Errorf("got %v and %q, want cron's one and a reason for the timers", lines(h.ScheduledTasks), h.Errors["scheduledTasks"])
			}
		})
	}
	wg.Wait()
	if took := time.Since(start); took > 8*time.Second {
		t.Errorf("took %v: each of the eight waited on its own", took)
	}
	listener.Close()
	count := 0
	for conn := range dials {
		count++
		conn.Close()
	}
	if count != 1 {
		t.Errorf("%d connections, want one for all eight", count)
	}
}

func TestTimersWithoutABus(t *testing.T) {
	root := tree(t, map[string]string{"run/systemd/system/x": ""})
	h := NewHostReader(HostConfig{Root: root}).Host(t.Context())
	want := "systemd timers: dial unix " + root + "/run/dbus/system_bus_socket: connect: no such file or directory"
	if got := h.Errors["scheduledTasks"]; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestTimersOfARealSystemd compares with what systemctl tells. It also runs itself inside that host, only to print.
func TestTimersOfARealSystemd(t *testing.T) {
	if os.Getenv("PRINT_HOST") != "" {
		if err := json.NewEncoder(os.Stdout).Encode(NewHostReader(HostConfig{}).Host(t.Context())); err != nil {
			t.Fatal(err)
		}
		return
	}
	service := "[Service]\nType=oneshot\nExecStart=/bin/true\n"
	host := sdhost.Boot(t, map[string]string{
		"topdeck-calendar.service": service + "User=nobody\n",
		"topdeck-calendar.timer":   "[Timer]\nOnCalendar=Mon..Fri 04:30\nOnCalendar=Sun 12:00\n",
		"topdeck-boot.service":     "[Unit]\nAfter=topdeck-off.timer\n" + service,
		"topdeck-boot.timer":       "[Timer]\nOnBootSec=2h\nOnUnitActiveSec=1h 30min\n",
		"topdeck-both.service":     service,
		"topdeck-both.timer":       "[Timer]\nOnCalendar=2099-01-01 00:00\nOnBootSec=3h\n",
		"topdeck-past.timer":       "[Timer]\nOnActiveSec=0\nAccuracySec=1us\nUnit=topdeck-boot.service\n",
		"topdeck-busy.service":     "[Service]\nExecStart=/bin/sleep 1000\n",
		"topdeck-busy.timer":       "[Timer]\nOnCalendar=*:*:*\nAccuracySec=1us\n",
		"topdeck-off.service":      service,
		"topdeck-off.timer":        "[Timer]\nOnCalendar=daily\n",
	})
	systemctl := func(args ...string) string {
		t.Helper()
		out, err := host.Command(append([]string{"systemctl"}, args...)...).Output()
		if err != nil {
			t.Fatalf("systemctl %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	systemctl("start", "topdeck-calendar.timer", "topdeck-boot.timer", "topdeck-both.timer", "topdeck-past.timer", "topdeck-busy.timer")
	for timer, state := range map[string]string{"topdeck-past.timer": "elapsed", "topdeck-busy.timer": "running"} {
		for deadline := time.Now().Add(30 * time.Second); systemctl("show", "-P", "SubState", timer) != state; {
			if time.Now().After(deadline) {
				t.Fatalf("%s is not %s", timer, state)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the answer serves others too: it does not depend on who asks
	h := NewHostReader(HostConfig{Root: host.Root}).Host(ctx)
	if strings.Contains(h.Errors["scheduledTasks"], "systemd timers") {
		t.Errorf("reason: %s", h.Errors["scheduledTasks"])
	}
	timers := map[string]ScheduledTask{}
	for _, task := range h.ScheduledTasks {
		if task.Kind == "timer" {
			timers[task.Source] = task
		}
	}

	for _, want := range []ScheduledTask{
		{Schedule: "Mon..Fri *-*-* 04:30:00; Sun *-*-* 12:00:00", User: "nobody", Command: "topdeck-calendar.service", Source: "topdeck-calendar.timer"},
		{Schedule: "OnBootSec=2h; OnUnitActiveSec=1h 30min", User: "root", Command: "topdeck-boot.service", Source: "topdeck-boot.timer"},
		{Schedule: "2099-01-01 00:00:00; OnBootSec=3h", User: "root", Command: "topdeck-both.service", Source: "topdeck-both.timer"},
		{Schedule: "OnActiveSec=0", User: "root", Command: "topdeck-boot.service", Source: "topdeck-past.timer"},
		{Schedule: "*-*-* *:*:*", User: "root", Command: "topdeck-busy.service", Source: "topdeck-busy.timer"},
	} {
		want.Kind = "timer"
		got := timers[want.Source]
		hasNext := want.Source != "topdeck-past.timer" && want.Source != "topdeck-busy.timer"
		if (got.Next != nil) != hasNext {
			t.Errorf("%s: next is %v", want.Source, got.Next)
		}
		got.Next = nil
		// systemd may list a timer's settings in either order.
		if a, b, found := strings.Cut(got.Schedule, "; "); found && got.Schedule != want.Schedule {
			got.Schedule = b + "; " + a
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", want.Source, diff)
		}
	}
	if off, listed := timers["topdeck-off.timer"]; listed {
		t.Errorf("a timer that was not started is listed: %+v", off)
	}

	var told []struct {
		Unit string
		Next uint64 // microseconds since 1970
	}
	if err := json.Unmarshal([]byte(systemctl("list-timers", "--output=json")), &told); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, timer := range told {
		next := timers[timer.Unit].Next
		if timer.Next == 0 || timer.Next == math.MaxUint64 || next == nil {
			continue
		}
		compared++
		if apart := next.Sub(time.UnixMicro(int64(timer.Next))).Abs(); apart > time.Second {
			t.Errorf("%s: next is %v, %v from what systemctl tells", timer.Unit, next, apart)
		}
	}
	if compared < 3 {
		t.Errorf("only %d timers compared, want the test's own three at least", compared)
	}

	// A systemd that hangs holds up nobody for long, though the bus still answers.
	if err := syscall.Kill(host.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	h = NewHostReader(HostConfig{Root: host.Root}).Host(t.Context())
	if err := syscall.Kill(host.PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if reason := h.Errors["scheduledTasks"]; !strings.Contains(reason, "systemd timers: systemd did not answer within a second") {
		t.Errorf("of a systemd that hangs: %q", reason)
	}

	// On a machine without a bus daemon root still reaches systemd, from within its PID namespace.
	systemctl("stop", "dbus.socket", "dbus.service")
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(host.Root, "root/collector.test"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := host.Command("env", "PRINT_HOST=1", "/root/collector.test", "-test.run=^"+t.Name()+"$").Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var inside Host
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&inside); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found := slices.ContainsFunc(inside.ScheduledTasks, func(task ScheduledTask) bool { return task.Source == "topdeck-boot.timer" })
	if !found || strings.Contains(inside.Errors["scheduledTasks"], "systemd timers") {
		t.Errorf("over systemd's own socket: %v, %s", lines(inside.ScheduledTasks), inside.Errors["scheduledTasks"])
	}
	if inside.Virtualization != "systemd-nspawn" {
		t.Errorf("virtualization %q, want systemd-nspawn", inside.Virtualization)
	}
}
