package collector

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// storm makes at least n processes that end at once, and returns how many.
func storm(t *testing.T, n int) (made int) {
	t.Helper()
	program := compiled(t, "storm")
	for made < n {
		out, err := exec.Command(program, "1000000", "1").Output() // as many as it can in a second
		if err != nil {
			t.Fatal(err)
		}
		more := 0
		if _, err := fmt.Sscan(string(out), &more); err != nil {
			t.Fatal(err)
		}
		made += more
	}
	return made
}

// eventually polls what a goroutine brings about.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// Of more processes than are remembered, as many as are remembered are told, and that there were others.
func TestMoreEndsThanAreRememberedAreNoticed(t *testing.T) {
	connected(t)
	c, err := connect("/proc", newFakeSource())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	made := storm(t, 3*maxUnlisted)
	eventually(t, "the last of the storm", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.lost || c.lives.unlisted == maxUnlisted && c.lives.dropped >= made-maxUnlisted
	})
	_, ended, whole, trouble := c.drain()
	switch {
	case !whole && strings.Contains(trouble, "more happened than the kernel could tell"): // on a machine so busy that this is so too
	case whole, len(ended) < maxUnlisted, !strings.Contains(trouble, "too many short-lived processes"):
		t.Errorf("of %d processes %d are told; whole: %v, trouble: %q", made, len(ended), whole, trouble)
	}
}

// stalledSource looks at no process before it may.
type stalledSource struct {
	*fakeSource
	gate chan struct{}
}

func (s stalledSource) counts(int) (counts, error) {
	<-s.gate
	return counts{}, errGone
}

// What the kernel throws away, because nobody took it in time, is noticed.
func TestMoreThanTheKernelKeepsIsNoticed(t *testing.T) {
	connected(t)
	source := stalledSource{newFakeSource(), make(chan struct{})}
	c, err := connect("/proc", source)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := unix.SetsockoptInt(c.socket.GetFd(), unix.SOL_SOCKET, unix.SO_RCVBUF, 64<<10); err != nil {
		t.Fatal(err)
	}
	storm(t, 3000)
	close(source.gate)
	eventually(t, "the news that some are missing", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.lost
	})
	if _, _, whole, trouble := c.drain(); whole || !strings.Contains(trouble, "more happened than the kernel could tell") {
		t.Errorf("whole: %v, trouble: %q", whole, trouble)
	}
}
