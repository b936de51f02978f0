package main

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"topdeck/control"
)

// BenchmarkClickToToast acts on services of a real systemd and reports medians in milliseconds: from the click, which is the
// request, to its outcome on a live connection (toast), and what of that is not the job's own time as systemd tells it (over).
func BenchmarkClickToToast(b *testing.B) {
	host := install(b, map[string]string{
		"simple.service": "[Service]\nExecStart=/bin/sleep 1000\nExecReload=/bin/true\n",
		"notify.service": "[Service]\nType=notify\nNotifyAccess=all\nExecStart=/bin/sh -c 'systemd-notify --ready; exec sleep 1000'\n",
		"once.service":   "[Service]\nType=oneshot\nExecStart=/bin/true\n",
		"mute.service":   "[Service]\nType=oneshot\nExecStart=/bin/false\n",
		"fails.service":  "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo no such table >&2; exit 3'\n",
	})
	admin := host.as("admin")
	page := openAt(b, host.url, admin.cookie)
	conn, err := dbus.Connect(host.Bus())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	if err := conn.AddMatchSignal(dbus.WithMatchInterface("org.freedesktop.systemd1.Manager")); err != nil {
		b.Fatal(err)
	}
	if err := conn.Object("org.freedesktop.systemd1", "/org/freedesktop/systemd1").Call("org.freedesktop.systemd1.Manager.Subscribe", 0).Err; err != nil {
		b.Fatal(err)
	}
	jobs := make(chan time.Duration, 100)
	signals := make(chan *dbus.Signal, 1000)
	conn.Signal(signals)
	go func() {
		begun := map[any]time.Time{}
		for s := range signals {
			switch s.Name {
			case "org.freedesktop.systemd1.Manager.JobNew":
				begun[s.Body[0]] = time.Now()
			case "org.freedesktop.systemd1.Manager.JobRemoved":
				jobs <- time.Since(begun[s.Body[0]])
			}
		}
	}()
	for _, act := range []struct {
		service, action string
		want            control.RetStatus
	}{
		{"simple.service", "start", control.Succeeded}, {"simple.service", "reload", control.Succeeded},
		{"simple.service", "restart", control.Succeeded}, {"simple.service", "stop", control.Succeeded},
		{"notify.service", "restart", control.Succeeded}, {"once.service", "start", control.Succeeded}, {"fails.service", "start", control.Failed},
		{"mute.service", "start", control.Failed},
	} {
		b.Run(fmt.Sprint(act.action, " ", act.service), func(b *testing.B) {
			var toast, over []float64
			for b.Loop() {
				switch act.action {
				case "start":
					host.run("systemctl", "stop", act.service)
				case "reload", "stop":
					host.run("systemctl", "start", act.service)
				}
				_, _ = host.Command("systemctl", "reset-failed", act.service).Output() // else systemd soon refuses to start what fails
				time.Sleep(20 * time.Millisecond)                                      // no job of the preparation is told any more
				for len(jobs) > 0 {
					<-jobs
				}
				clicked := time.Now()
				id := admin.begin(act.service, act.action).ID
				for {
					m, err := page.next()
					if err != nil {
						b.Fatal(err)
					}
					if m.Type != "operation" || m.Operation.ID != id || m.Operation.RetStatus == control.Running {
						continue
					}
					took := time.Since(clicked)
					if m.Operation.RetStatus != act.want {
						b.Fatalf("%+v", m.Operation)
					}
					toast = append(toast, took.Seconds()*1e3)
					over = append(over, (took-<-jobs).Seconds()*1e3)
					break
				}
			}
			slices.Sort(toast)
			slices.Sort(over)
			b.ReportMetric(toast[len(toast)/2], "toast-ms")
			b.ReportMetric(over[len(over)/2], "over-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}
