package main

import (
	"fmt"
	"os"
	"testing"
	"time"
)

func TestZZRig(t *testing.T) {
	if os.Getenv("RIG") == "" {
		t.Skip()
	}
	host := install(t, map[string]string{
		"ok.service": "[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=multi-user.target\n",
	})
	for _, r := range []string{"admin", "operator", "viewer"} {
		host.as(r)
	}
	os.WriteFile("/tmp/acts/rig", []byte(fmt.Sprintf("URL=%s\nPID=%d\nROOT=%s\n", host.url, host.PID, host.Root)), 0o644)
	for {
		time.Sleep(time.Second)
		if _, err := os.Stat("/tmp/acts/rig"); err != nil {
			return
		}
	}
}
