package collector

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	// connectorBuffer is how much the kernel may keep for us, in bytes: the events of some 20,000 short processes.
	connectorBuffer = 8 << 20
	// connectorBatch is how many events are taken in before what they tell is looked at.
	connectorBatch = 512
	// connectorPatience is how long to wait for the end of a process that is already gone from /proc.
	connectorPatience = 20 * time.Millisecond

	// The inodes of the initial namespaces, linux/proc_ns.h.
	initialPIDNamespace  = "pid:[4026531836]"
	initialUserNamespace = "user:[4026531837]"
)

// connector follows births, changes and deaths of processes with the kernel's proc connector. A goroutine of its own
// reads the socket, and looks at a process the moment that it begins or executes a program: a short-lived one is gone by
// the next tick. What it learns waits in lives until the collector's goroutine takes it.
type connector struct {
	source processSource // used by the goroutine alone
	socket *nl.NetlinkSocket
	file   *os.File // the same socket, for our own reads
	done   chan struct{}
	news   chan struct{} // holds a token when a process has ended

	mu    sync.Mutex
	lives lives
	lost  bool  // events are missing since the last reading
	err   error // why the goroutine gave up
}

// connect subscribes to the events. Its error says why there are none.
func connect(proc string, source processSource) (*connector, error) {
	if err := initialNamespaces(proc, "and the kernel tells only that one which processes start and end"); err != nil {
		return nil, err
	}
	socket, err := nl.Subscribe(unix.NETLINK_CONNECTOR, netlink.CN_IDX_PROC)
	if err != nil {
		return nil, silence(err)
	}
	c := &connector{source: source, socket: socket, done: make(chan struct{}), news: make(chan struct{}, 1), lives: newLives()}
	if err := socket.SetReceiveBufferSize(connectorBuffer, true); err != nil {
		// Not CAP_NET_ADMIN after all: as much as net.core.rmem_max allows. A short buffer is noticed when it overflows.
		_ = socket.SetReceiveBufferSize(connectorBuffer, false)
	}
	// The library's Receive makes a new 64 KiB buffer for each event, so reading is done here, on a descriptor of our own.
	fd, err := unix.FcntlInt(uintptr(socket.GetFd()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		socket.Close()
		return nil, silence(err)
	}
	c.file = os.NewFile(uintptr(fd), "proc connector")
	if err := c.control(nl.PROC_CN_MCAST_LISTEN); err != nil {
		c.file.Close()
		socket.Close()
		return nil, silence(err)
	}
	go c.run()
	return c, nil
}

// silence says why the kernel refuses. Who is not root is told so when opening, or (Linux 6.6 and later) when listening.
func silence(err error) error {
	switch {
	case errors.Is(err, unix.EPERM):
		return errors.New("the kernel tells births and deaths only to root (CAP_NET_ADMIN)")
	case errors.Is(err, unix.EPROTONOSUPPORT), errors.Is(err, unix.ECONNREFUSED): // another namespace refuses what is sent, or all of it
		return errors.New("no proc connector: the kernel lacks CONFIG_PROC_EVENTS, or this is not the initial network namespace")
	}
	return fmt.Errorf("cannot listen to the proc connector: %w", err)
}

// initialNamespaces tells when PIDs or users are not the kernel's own here, and why that matters.
func initialNamespaces(proc, why string) error {
	for _, n := range []struct{ name, want, is string }{
		{"pid", initialPIDNamespace, "PID"}, {"user", initialUserNamespace, "user"},
	} {
		got, err := os.Readlink(filepath.Join(proc, "self/ns", n.name))
		if err != nil {
			return fmt.Errorf("cannot tell the %s namespace: %w", n.is, err)
		}
		if got != n.want {
			return fmt.Errorf("this is not the initial %s namespace, %s", n.is, why)
		}
	}
	return nil
}

func (c *connector) control(operation uint32) error {
	return c.socket.Send(&nl.NetlinkRequest{
		NlMsghdr: unix.NlMsghdr{Type: unix.NLMSG_DONE},
		Data:     []nl.NetlinkRequestData{nl.NewCnMsg(netlink.CN_IDX_PROC, netlink.CN_VAL_PROC, operation)},
	})
}

// close ends the subscription and the goroutine.
func (c *connector) close() {
	_ = c.control(nl.PROC_CN_MCAST_IGNORE) // older kernels go on counting events for a socket that is only closed
	c.file.Close()
	<-c.done
	c.socket.Close()
}

func (c *connector) run() {
	defer close(c.done)
	raw, err := c.file.SyscallConn()
	if err != nil {
		c.fail(err)
		return
	}
	buffer := make([]byte, 8<<10)
	batch := make([]event, 0, connectorBatch)
	seen := make(sequence)
	for {
		batch = batch[:0]
		lost := false
		var failure error
		err := raw.Read(func(fd uintptr) bool {
			for len(batch) < cap(batch) {
				n, from, err := unix.Recvfrom(int(fd), buffer, 0)
				switch {
				case err == unix.EINTR:
					continue
				case err == unix.EAGAIN:
					return len(batch) > 0 || lost
				case err == unix.ENOBUFS:
					lost = true
					continue
				case err != nil:
					failure = err
					return true
				}
				if sender, ok := from.(*unix.SockaddrNetlink); !ok || sender.Pid != nl.PidKernel {
					continue
				}
				if e, ok := parseEvent(buffer[:n]); ok {
					lost = !seen.follows(e) || lost
					batch = append(batch, e)
				}
			}
			return true
		})
		c.take(batch, lost)
		if err = errors.Join(err, failure); err != nil {
			if !errors.Is(err, os.ErrClosed) {
				c.fail(err)
			}
			return
		}
	}
}

func (c *connector) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// take notes a batch of events, and then looks at the processes that it tells of.
func (c *connector) take(batch []event, lost bool) {
	suspended := suspendedTime()
	var looks []*life
	c.mu.Lock()
	c.lost = c.lost || lost
	ended := len(c.lives.ended)
	for i := range batch {
		batch[i].at += suspended
		if p := c.lives.apply(&batch[i]); p != nil && !p.due {
			p.due = true
			looks = append(looks, p)
		}
	}
	news := len(c.lives.ended) > ended
	c.mu.Unlock()
	if news {
		select {
		case c.news <- struct{}{}:
		default:
		}
	}
	for _, p := range looks {
		c.look(p)
	}
}

// suspendedTime is how long the host has slept since it booted, in nanoseconds: events tell a clock that stands still
// meanwhile, start times one that does not.
func suspendedTime() uint64 {
	var monotonic, boot unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic) != nil || unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil {
		return 0
	}
	return less(uint64(boot.Nano()), uint64(monotonic.Nano()))
}

// drain hands over all that has been noted. Whole tells that no end is missing, and trouble what is.
func (c *connector) drain() (current map[int]*life, ended []*life, whole bool, trouble string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := &c.lives
	whole = c.err == nil && !c.lost && l.dropped == 0
	switch {
	case c.err != nil:
		trouble = fmt.Sprintf("the proc connector failed, so that exit codes and short-lived processes are missing: %v", c.err)
	case c.lost:
		trouble = "more happened than the kernel could tell: some exit codes and short-lived processes are missing"
	case l.dropped > 0:
		trouble = fmt.Sprintf("too many short-lived processes: %d are left out", l.dropped)
	case l.unseen > 0:
		trouble = fmt.Sprintf("too many short-lived processes: %d were not looked at", l.unseen)
	}
	c.lost, l.dropped, l.unseen = false, 0, 0
	return l.takeCurrent(), l.takeEnded(), whole, trouble
}

// await hands over processes that have ended since, until enough says that all are there whose end is known from elsewhere.
// The kernel tells an end a moment before or after the process leaves /proc, so the wait is short.
func (c *connector) await(enough func([]*life) bool) (ended []*life) {
	patience := time.NewTimer(connectorPatience)
	defer patience.Stop()
	for {
		c.mu.Lock()
		ended = append(ended, c.lives.takeEnded()...)
		c.mu.Unlock()
		if enough(ended) {
			return ended
		}
		select {
		case <-c.news:
		case <-c.done:
			return ended
		case <-patience.C:
			return ended
		}
	}
}

// follow names the processes whose first thread has ended while others live on: the last of those brings the exit status.
func (c *connector) follow(headless map[int]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lives.headless = headless
}

// look reads a process while it is there. It may have ended already: until its parent has taken note, some can be read.
func (c *connector) look(p *life) {
	c.mu.Lock()
	p.due = false
	skip := p.taken || !c.lives.mayLook(p, time.Now())
	c.mu.Unlock()
	if skip {
		return // the collector's goroutine reads it itself
	}
	counts, err := c.source.counts(p.pid)
	if err != nil {
		return
	}
	var told *details
	if d, err := c.source.details(p.pid); err == nil {
		told = &d
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p.see(&counts, told)
}
