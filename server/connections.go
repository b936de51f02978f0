package server

import (
	"cmp"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	maxConnections = 2048 // that are not WebSockets; each holds a buffer of maxHeaders
	// acceptPause is how long no connection is taken after one could not be.
	acceptPause = 200 * time.Millisecond
)

// connection is one of HTTP.
type connection struct {
	address string      // of the other side, see networkOf
	since   uint64      // the order in which they came
	busy    atomic.Bool // it is being answered: nobody waits for the other side
	known   atomic.Bool // a session came with it
}

// connections are those that have not become WebSockets. When there is no room for one more, some of those that only wait go:
// first of strangers, first from the addresses that have most, first the oldest. So nobody shuts others out by opening many,
// and a browser whose idle connection is gone opens another one.
type connections struct {
	mu     sync.Mutex
	count  uint64
	open   map[net.Conn]*connection
	left   map[net.Conn]struct{} // answered and read to the end, see linger
	over   bool
	reader sync.WaitGroup // one for each of left
}

func newConnections() *connections {
	return &connections{open: map[net.Conn]*connection{}, left: map[net.Conn]struct{}{}}
}

// follow is fasthttp's ConnState.
func (c *connections) follow(conn net.Conn, state fasthttp.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case fasthttp.StateNew:
		if len(c.open)+len(c.left) >= maxConnections {
			c.makeRoom()
		}
		c.count++
		c.open[conn] = &connection{address: networkOf(addressOf(conn.RemoteAddr())), since: c.count}
	case fasthttp.StateHijacked, fasthttp.StateClosed:
		delete(c.open, conn)
	}
}

// of is what is known of a connection; one that was just closed to make room is nobody's.
func (c *connections) of(conn net.Conn) *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one := c.open[conn]; one != nil {
		return one
	}
	return &connection{}
}

// room closes a share of the connections that wait, and tells whether there were any.
func (c *connections) room() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.makeRoom() > 0
}

func (c *connections) makeRoom() int {
	type waiting struct {
		net.Conn
		*connection
		from int // connections of its address
	}
	from := map[string]int{}
	for _, one := range c.open {
		from[one.address]++
	}
	var all []waiting
	for conn, one := range c.open {
		if !one.busy.Load() {
			all = append(all, waiting{conn, one, from[one.address]})
		}
	}
	slices.SortFunc(all, func(a, b waiting) int {
		if known := a.known.Load(); known != b.known.Load() {
			if known {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(b.from, a.from), cmp.Compare(a.since, b.since))
	})
	all = all[:min(len(all), maxConnections/16)] // not one by one: each time costs a look at all
	for _, one := range all {
		delete(c.open, one.Conn)
		rawConn(one.Conn).Close()
	}
	for conn := range c.left {
		rawConn(conn).Close()
	}
	return len(all) + len(c.left)
}

// linger sends an answer to a client that may still be sending its request, and reads on for a while: a connection that is closed
// with something unread is reset, and then the client may never see the answer. It closes conn.
func (c *connections) linger(conn net.Conn, answer []byte) {
	defer rawConn(conn).Close()
	c.mu.Lock()
	if c.over {
		c.mu.Unlock()
		return
	}
	c.left[conn] = struct{}{}
	c.reader.Add(1)
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.left, conn)
		c.mu.Unlock()
		c.reader.Done()
	}()
	if err := conn.SetDeadline(time.Now().Add(bodyTime)); err != nil {
		return
	}
	if _, err := conn.Write(answer); err != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, conn, maxDrain)
}

// close closes all that are left, and returns when nobody lingers.
func (c *connections) close() {
	c.mu.Lock()
	c.over = true
	for conn := range c.open {
		rawConn(conn).Close()
	}
	for conn := range c.left {
		rawConn(conn).Close()
	}
	c.mu.Unlock()
	c.reader.Wait()
}

// rawConn is the TCP connection below conn: closing what fasthttp or TLS put around it may do nothing, or wait for the other
// side.
func rawConn(conn net.Conn) net.Conn {
	if outer, ok := conn.(interface{ UnsafeConn() net.Conn }); ok {
		conn = outer.UnsafeConn()
	}
	if outer, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = outer.NetConn()
	}
	return conn
}

// addressOf is the IP address of a remote end.
func addressOf(remote net.Addr) string {
	if tcp, ok := remote.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("").String()
	}
	return remote.String()
}

// patientListener goes on when a connection cannot be taken: descriptors or memory may be short for a while, because of
// anybody who opens many connections, and that must not end the server.
type patientListener struct {
	net.Listener
	logger *slog.Logger
	stop   <-chan struct{}
	room   func() bool // closes some connections that only wait, if there are any
}

// Accept waits for the next connection. It returns an error only once the listener is closed.
func (l *patientListener) Accept() (net.Conn, error) {
	for failed := 0; ; failed++ {
		conn, err := l.Listener.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) {
			return conn, err
		}
		if failed == 0 {
			l.logger.Warn("cannot take a connection; trying again until it works", "error", err)
		}
		l.room()
		select {
		case <-l.stop:
		case <-time.After(acceptPause):
		}
	}
}
