package collector

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

const (
	timersTimeout = time.Second     // for all of systemd's answers together
	timersFresh   = 2 * time.Second // how long an answer, good or bad, serves further callers
)

// timerCache is what systemd said last. Whoever holds mu asks systemd; the others wait for that answer.
type timerCache struct {
	mu    sync.Mutex
	asked time.Time
	tasks []ScheduledTask
	err   error
}

// timerTasks are the active timers of systemd, by name. Where systemd does not run there are none, and that is no error.
// Source: org.freedesktop.systemd1(5), systemd.timer(5).
func (r *HostReader) timerTasks(ctx context.Context) ([]ScheduledTask, error) {
	if !r.exists("/run/systemd/system") { // sd_booted(3)
		return nil, nil
	}
	c := &r.timers
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked.IsZero() || time.Since(c.asked) > timersFresh {
		// The answer is for all who wait: it must not end with the one who asked.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timersTimeout)
		defer cancel()
		c.tasks, c.err = r.askTimers(ctx)
		if c.err != nil && ctx.Err() != nil {
			c.err = errors.New("systemd did not answer within a second") // timersTimeout
		}
		c.asked = time.Now()
	}
	return c.tasks, c.err
}

func (r *HostReader) askTimers(ctx context.Context) (tasks []ScheduledTask, err error) {
	conn, err := dbus.NewConnection(func() (*godbus.Conn, error) { return r.dialSystemd(ctx) })
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	units, err := conn.ListUnitsByPatternsContext(ctx, []string{}, []string{"*.timer"})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(units, func(a, b dbus.UnitStatus) int { return strings.Compare(a.Name, b.Name) })
	for _, unit := range units {
		if unit.ActiveState == "inactive" {
			continue // loaded, because something mentions it, but not started
		}
		task, taskErr := r.timerTask(ctx, conn, unit)
		if ctx.Err() != nil {
			return tasks, taskErr
		}
		if taskErr != nil {
			err = fmt.Errorf("%s: %w", unit.Name, taskErr)
		}
		tasks = append(tasks, task)
	}
	return tasks, err
}

// dialSystemd connects to the bus that systemd is on. Root reaches systemd without a bus daemon too.
func (r *HostReader) dialSystemd(ctx context.Context) (*godbus.Conn, error) {
	address := r.bus
	if address == "" {
		address = "unix:path=" + r.path("/run/dbus/system_bus_socket")
	}
	self := godbus.AuthExternal(strconv.Itoa(os.Geteuid()))
	conn, err := godbus.Connect(address, godbus.WithContext(ctx), godbus.WithAuth(self))
	if err == nil || r.bus != "" || os.Geteuid() != 0 {
		return conn, err
	}
	conn, directErr := godbus.Dial("unix:path="+r.path("/run/systemd/private"), godbus.WithContext(ctx))
	if directErr != nil {
		return nil, err
	}
	if directErr = conn.Auth([]godbus.Auth{self}); directErr != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// timerTask asks for what a timer is about. With an error, the task holds what is known without.
func (r *HostReader) timerTask(ctx context.Context, conn *dbus.Conn, unit dbus.UnitStatus) (ScheduledTask, error) {
	task := ScheduledTask{Kind: "timer", Source: unit.Name}
	timer, err := conn.GetUnitTypePropertiesContext(ctx, unit.Name, "Timer")
	if err != nil {
		return task, err
	}
	task.Schedule = timerSchedule(timer["TimersCalendar"], timer["TimersMonotonic"])
	task.Command, _ = timer["Unit"].(string)
	task.Next = r.timerNext(timer["NextElapseUSecRealtime"], timer["NextElapseUSecMonotonic"])
	task.User = "root"
	if strings.HasSuffix(task.Command, ".service") {
		property, err := conn.GetUnitTypePropertyContext(ctx, task.Command, "Service", "User")
		if err != nil {
			return task, err
		}
		if user, _ := property.Value.Value().(string); user != "" {
			task.User = user
		}
	}
	return task, nil
}

// timerSchedule writes a timer's settings as its unit file would: OnCalendar's expressions as they are, the others with
// their names. Both are lists of a setting, its value and its next elapse.
func timerSchedule(calendar, monotonic any) string {
	var parts []string
	for _, setting := range settings(calendar) {
		if expression, ok := setting[1].(string); ok {
			parts = append(parts, expression)
		}
	}
	for _, setting := range settings(monotonic) {
		name, _ := setting[0].(string)
		if microseconds, ok := setting[1].(uint64); ok {
			parts = append(parts, strings.TrimSuffix(name, "USec")+"Sec="+timeSpan(microseconds))
		}
	}
	return strings.Join(parts, "; ")
}

func settings(property any) [][]any {
	list, _ := property.([][]any)
	return slices.DeleteFunc(list, func(setting []any) bool { return len(setting) != 3 })
}

// timeSpan writes microseconds as systemd.time(7) does: 1d 30min.
func timeSpan(microseconds uint64) string {
	if microseconds == 0 {
		return "0"
	}
	var parts []string
	for _, unit := range []struct {
		name string
		size uint64
	}{{"d", 86400e6}, {"h", 3600e6}, {"min", 60e6}, {"s", 1e6}, {"ms", 1e3}, {"us", 1}} {
		if n := microseconds / unit.size; n > 0 {
			parts = append(parts, strconv.FormatUint(n, 10)+unit.name)
			microseconds %= unit.size
		}
	}
	return strings.Join(parts, " ")
}

// timerNext is the earlier of the two times at which a timer elapses; nil when it does not, or not before its unit stops. Both are microseconds: one
// since 1970, the other of CLOCK_MONOTONIC. 0 and the greatest number mean never.
func (r *HostReader) timerNext(realtime, monotonic any) *time.Time {
	var next *time.Time
	if us, ok := realtime.(uint64); ok && us != 0 && us < math.MaxInt64 {
		at := time.UnixMicro(int64(us))
		next = &at
	}
	var clock unix.Timespec
	known := unix.ClockGettime(unix.CLOCK_MONOTONIC, &clock) == nil
	if us, ok := monotonic.(uint64); ok && known && us != 0 && us < math.MaxInt64/1000 {
		at := r.now().Round(0).Add(time.Duration(us)*time.Microsecond - time.Duration(clock.Nano()))
		if next == nil || at.Before(*next) {
			next = &at
		}
	}
	return next
}
