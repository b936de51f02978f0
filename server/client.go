package server

import (
	"slices"
	"sync"
	"time"

	fast "github.com/fasthttp/websocket"
)

// Bounds of one client.
const (
	maxQueued      = 256     // messages that wait to be written
	maxQueuedBytes = 4 << 20 // shared with other clients, mostly
	maxWatchID     = 64

	pingEvery = 20 * time.Second
	writeWait = 20 * time.Second // for one message
	closeWait = 700 * time.Millisecond
	slowWait  = 2 * time.Second // for what is being written to a slow client, so that it can be told why
)

// wire is the connection below a client. try and write are called for one message after the other.
type wire interface {
	// try writes a message without waiting; sent is false when write must be called for the rest of it.
	try(*message) (sent bool, err error)
	write(*message) error // returns within writeWait
	// hangUp breaks the connection: whoever reads or writes returns at once. It may be called from anywhere, more than once.
	hangUp()
}

// liveClient is one live connection. One goroutine reads what it asks for; what is for it, the hub's writers write (flush).
// Events wait in a queue, in order; a client that lets it overflow is hung up on. Views wait as a mark only: what to send, a
// delta or a snapshot, is decided when the client is ready for it, so that a slow client skips ahead and costs nothing.
type liveClient struct {
	session, username string
	role              Role
	wire              wire
	ready             func(*liveClient) // has flush called, soon; it never waits

	mu      sync.Mutex
	queue   []*message
	queued  int // bytes
	watches map[string]*view
	follows map[*view]*following
	marked  []*following // in the order of being marked
	ended   bool
	code    int // with which the connection is closed; 0 when there is nobody to tell
	reason  string
	timer   *time.Timer // hangs up when the end takes too long
	writing bool        // flush was called for, or is at it
	pinging bool        // a ping is due
	pinged  time.Time
	said    bool // why it ended

	over chan struct{} // closed by end
	done chan struct{} // closed when it has ended and nothing more is written
}

// following is what a client has of a view.
type following struct {
	view   *view
	count  int // watches that it answers
	seq    uint64
	marked bool
}

func newClient(session, username string, role Role, w wire, ready func(*liveClient)) *liveClient {
	return &liveClient{
		session: session, username: username, role: role, wire: w, ready: ready,
		watches: make(map[string]*view), follows: make(map[*view]*following), pinged: time.Now(),
		over: make(chan struct{}), done: make(chan struct{}),
	}
}

// flush writes what there is to write, as long as the kernel takes it at once. What must wait is left to a goroutine of its own,
// which only a client has that is slow (or speaks TLS): so one that waits delays none, and one that does not costs no stack.
func (c *liveClient) flush() {
	for m := c.next(); m != nil; m = c.next() {
		sent, err := c.wire.try(m)
		switch {
		case err != nil:
			c.end(0, err.Error())
		case !sent:
			go c.wait(m)
			return
		}
	}
}

// wait goes on with a message that could not be written at once.
func (c *liveClient) wait(m *message) {
	if err := c.wire.write(m); err != nil {
		c.end(0, err.Error())
	}
	c.flush()
}

// next takes what is to be written next: events first, then the view that has waited longest; of a client that has ended, why.
// With nil, flushing is over.
func (c *liveClient) next() *message {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		if c.code != 0 && !c.said {
			c.said = true
			return controlMessage(opClose, fast.FormatCloseMessage(c.code, c.reason))
		}
		close(c.done) // writing stays true: it is not called for again
		return nil
	}
	if c.pinging {
		c.pinging = false
		return controlMessage(opPing, nil)
	}
	if len(c.queue) > 0 {
		m := c.queue[0]
		c.queue[0] = nil
		c.queue = c.queue[1:]
		c.queued -= len(m.data)
		return m
	}
	for len(c.marked) > 0 {
		f := c.marked[0]
		c.marked = slices.Delete(c.marked, 0, 1) // which keeps the room for the next one
		f.marked = false
		if f.count == 0 {
			continue
		}
		state := f.view.state.Load()
		if m := state.after(f.seq); m != nil {
			f.seq = state.seq
			return m
		}
	}
	c.queue = nil
	c.writing = false
	return nil
}

// ping has the other side asked whether it is still there, when it was not for pingEvery.
func (c *liveClient) ping(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.pinged) >= pingEvery-sweepEvery/2 && !c.ended {
		c.pinged, c.pinging = now, true
		c.signal()
	}
}

// say queues an event that is for this client only.
func (c *liveClient) say(v any) error {
	m, err := newMessage(v)
	if err == nil {
		c.send(m)
	}
	return err
}

// send queues an event. A client that has no room for it is too slow, and ends.
func (c *liveClient) send(m *message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sendLocked(m)
}

func (c *liveClient) sendLocked(m *message) {
	if c.ended {
		return
	}
	if len(c.queue) == maxQueued || c.queued+len(m.data) > maxQueuedBytes {
		c.endLocked(closeSlow, "slow")
		return
	}
	c.queue = append(c.queue, m)
	c.queued += len(m.data)
	c.signal()
}

// wake marks a view that has something new.
func (c *liveClient) wake(f *following) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark(f)
}

func (c *liveClient) mark(f *following) {
	if !f.marked && !c.ended {
		f.marked = true
		c.marked = append(c.marked, f)
		c.signal()
	}
}

// signal has flush called, unless it was already.
func (c *liveClient) signal() {
	if !c.writing {
		c.writing = true
		c.ready(c)
	}
}

// watch answers the watch id with the name of the view, to be followed by its snapshot.
func (c *liveClient) watch(id string, v *view) (*following, error) {
	m, err := newMessage(WatchingMessage{Type: "watching", ID: id, View: v.id})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.watches[id] != nil:
		return nil, refuse(codeConflict, "there is a watch with this id already")
	case len(c.watches) == maxWatches:
		return nil, refuse(codeTooMany, "there are %d watches already; end one first", maxWatches)
	}
	c.watches[id] = v
	f := c.follows[v]
	if f == nil {
		f = &following{view: v}
		c.follows[v] = f
	}
	f.count++
	f.seq = 0 // the snapshot again: what this id shows starts from it
	c.sendLocked(m)
	c.mark(f)
	return f, nil
}

// unwatch forgets the watch id; last tells that the client follows v no more.
func (c *liveClient) unwatch(id string) (v *view, last bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v = c.watches[id]
	if v == nil {
		return nil, false, refuse(codeNotFound, "there is no watch with this id")
	}
	delete(c.watches, id)
	f := c.follows[v]
	if f.count--; f.count > 0 {
		return v, false, nil
	}
	delete(c.follows, v)
	return v, true, nil
}

// isWatching reports whether the client watches anything.
func (c *liveClient) isWatching() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.watches) > 0
}

// drop forgets all watches and gives the views that were followed.
func (c *liveClient) drop() map[*view]*following {
	c.mu.Lock()
	defer c.mu.Unlock()
	follows := c.follows
	c.watches, c.follows, c.marked, c.queue = nil, nil, nil, nil
	return follows
}

// end has the connection closed with a code and a reason, or, with 0, broken off. Only the first call counts; it never waits. Within
// closeWait (slowWait for a slow client) the connection is gone, whatever the other side does.
func (c *liveClient) end(code int, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.endLocked(code, reason)
}

func (c *liveClient) endLocked(code int, reason string) {
	if c.ended {
		return
	}
	c.ended, c.code, c.reason = true, code, reason
	c.queue, c.queued, c.marked = nil, 0, nil
	close(c.over)
	c.signal()
	switch code {
	case 0:
		c.wire.hangUp()
	case closeSlow:
		c.timer = time.AfterFunc(slowWait, c.wire.hangUp)
	default:
		c.timer = time.AfterFunc(closeWait, c.wire.hangUp)
	}
}

// why tells what the client ended with.
func (c *liveClient) why() (code int, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code, c.reason
}

// isOver reports whether the client has ended.
func (c *liveClient) isOver() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// stopTimer is for when the connection is gone.
func (c *liveClient) stopTimer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
}
