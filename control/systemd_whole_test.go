package control

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"topdeck/control/sdhost"
)

// A list that comes without a reason why it may be wrong has every service, whatever becomes of the bus: also between a new connection
// and its first list of unit files.
func TestAListWithoutAReasonIsWhole(t *testing.T) {
	t.Parallel()
	h := sdhost.Boot(t, map[string]string{
		"td-nap.service":            "[Service]\nExecStart=/bin/sleep 1000\n",
		"td-unused.service":         "[Service]\nExecStart=/bin/sleep 1000\n",
		"dbus.service.d/again.conf": "[Unit]\nStartLimitIntervalSec=0\n",
	})
	m := NewManager(Config{Root: h.Root, Bus: h.Bus()})
	defer m.Close()
	names := func() (list []string, whole bool) {
		services, reasons := m.Services(t.Context())
		for _, s := range services {
			list = append(list, s.Name)
		}
		return list, len(reasons) == 0
	}
	all, whole := names()
	if !whole || !slices.Contains(all, "td-unused.service") {
		t.Fatalf("at first, whole: %v, %q", whole, all)
	}

	end := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() { // systemd has something to tell at every moment
		for {
			select {
			case <-end:
				return
			default:
				_ = h.Command("systemctl", "restart", "td-nap").Run() // fails while systemd looks for its bus
			}
		}
	})
	var asked int
	missing := map[string]int{}
	done.Go(func() {
		for {
			select {
			case <-end:
				return
			default:
			}
			time.Sleep(time.Millisecond)
			list, whole := names()
			if !whole {
				continue
			}
			asked++
			for _, name := range []string{"td-unused.service", "td-nap.service", "dbus.service"} {
				if !slices.Contains(list, name) {
					missing[fmt.Sprintf("%s, in a list of %d", name, len(list))]++
				}
			}
		}
	})
	for i := range 5 {
		gone := m.backends[0].(*systemd)
		before, err := gone.connected()
		if err != nil {
			t.Fatal(err)
		}
		if out, err := h.Command("systemctl", "kill", "--signal=KILL", "dbus.service").CombinedOutput(); err != nil {
			t.Fatalf("kill %d: %v: %s", i, err, out)
		}
		<-before.Context().Done()
		until(t, "another connection", func() bool {
			_, whole := names()
			conn, err := gone.connected()
			return whole && err == nil && conn != before
		})
	}
	close(end)
	done.Wait()
	if asked == 0 || len(missing) > 0 {
		t.Errorf("asked %d times; at first there were %d; missing without a reason: %v", asked, len(all), missing)
	}
}
