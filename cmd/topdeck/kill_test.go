package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"topdeck/control"
)

// rounds is how often a test does what it repeats: more often under TOPDECK_SOAK=1.
func rounds(short, soak int) int {
	if os.Getenv("TOPDECK_SOAK") != "" {
		return soak
	}
	return short
}

// tallyUnit counts its starts in a file, and takes a moment.
const tallyUnit = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo start >>/var/tmp/tally; sleep 0.2'\n"

// testKilledInTheMiddle kills topdeck in the middle of acts: every second time as soon as one was acknowledged, else at any
// moment after it was asked for. Needs stubborn.service, which takes a second to stop, and tally.service.
func testKilledInTheMiddle(t *testing.T, host *installed, admin *caller) {
	var acknowledged []string
	ask := func(unit, action string) (begun struct{ Operation control.Operation }, err error) {
		body := strings.NewReader(fmt.Sprintf(`{"action":%q}`, action))
		req, err := http.NewRequest("POST", host.url+"/api/v1/services/"+unit+"/actions", body)
		if err != nil {
			return begun, err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Origin", host.url)
		req.Header.Set("Cookie", admin.cookie)
		r, err := host.client.Do(req)
		if err != nil {
			return begun, err
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusAccepted {
			return begun, fmt.Errorf("%s %s answers %s", action, unit, r.Status)
		}
		return begun, json.NewDecoder(r.Body).Decode(&begun)
	}
	// taken asks until it is done: while systemd is too busy to be asked in time, or not reached yet, it is refused.
	taken := func(unit, action string) control.Operation {
		var begun struct{ Operation control.Operation }
		host.until(action+" of "+unit+" is taken", func() bool {
			status, _ := admin.call("POST", "/services/"+unit+"/actions", map[string]string{"action": action}, &begun)
			return status == http.StatusAccepted
		})
		return begun.Operation
	}
	kills := rounds(20, 200)
	for round := range kills {
		if round%2 == 0 {
			acknowledged = append(acknowledged, taken("stubborn.service", "restart").ID)
			host.run("systemctl", "kill", "--signal=KILL", "topdeck.service")
		} else {
			asked := make(chan struct{})
			go func() {
				defer close(asked)
				if begun, err := ask("tally.service", "start"); err == nil { // else it was killed before it could answer
					acknowledged = append(acknowledged, begun.Operation.ID)
				}
			}()
			time.Sleep(rand.N(400 * time.Millisecond))
			host.run("systemctl", "kill", "--signal=KILL", "topdeck.service")
			<-asked
		}
		host.run("sh", "-c", "systemctl reset-failed topdeck.service; systemctl restart topdeck.service")
		host.client.CloseIdleConnections()
	}
	if op := admin.end(taken("tally.service", "start").ID); op.RetStatus != control.Succeeded {
		t.Error(op.Message)
	}
	interrupted := 0 // not all of the restarts are: the act, or the kill, may be the quicker one
	for _, id := range acknowledged {
		var got struct{ Operation control.Operation }
		if status, text := admin.call("GET", "/operations/"+id, nil, &got); status != http.StatusOK {
			t.Errorf("operation %s was acknowledged, and is lost: %d %s", id, status, text)
		} else if got.Operation.RetStatus == control.Running {
			t.Errorf("operation %s is left running", id)
		} else if got.Operation.RetStatus == control.Interrupted {
			interrupted++
		}
	}
	if interrupted == 0 {
		t.Error("no act was in the middle when topdeck was killed")
	}
	var running, starts struct{ Total int }
	admin.call("GET", "/operations?retStatus=running", nil, &running)
	if running.Total != 0 {
		t.Errorf("%d operations are left running", running.Total)
	}
	admin.call("GET", "/operations?logType=service.start&q=target:tally", nil, &starts)
	tally, err := os.ReadFile(filepath.Join(host.Root, "var/tmp/tally"))
	if done := strings.Count(string(tally), "start"); err != nil || done > starts.Total || done == 0 {
		t.Errorf("%d starts were done, and %d are recorded (%v)", done, starts.Total, err)
	}
	// As the README tells it: nothing is missing that topdeck told the journal of.
	verified := host.run("sh", "-c", `/usr/local/bin/topdeck log verify --data /var/lib/topdeck $(journalctl -u topdeck | grep -o 'head=[0-9a-f:]*')`)
	if !strings.Contains(verified, "is whole") || !strings.Contains(verified, "that it still holds") {
		t.Error(verified)
	}
	t.Logf("row 7: kill -9 of topdeck in the middle of acts × %d: of %d acknowledged none is missing, %d are told to be interrupted, none is left running; %d starts are recorded for %d that were done; the chain is whole",
		kills, len(acknowledged), interrupted, starts.Total, strings.Count(string(tally), "start"))
}
