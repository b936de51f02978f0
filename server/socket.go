package server

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	fast "github.com/fasthttp/websocket"
	"github.com/gofiber/contrib/websocket"
	"golang.org/x/sys/unix"
)

// readBuffer is enough for what a page says; what is longer is read past it.
const readBuffer = 256

// socketWire is a wire over a WebSocket. The WebSocket library reads through it; what it writes by itself, pongs and close
// frames that answer the other side, goes between our messages.
//
// What a page costs in memory decides how many there can be, and most of it is what the handshake holds on to: fasthttp's buffer
// for 16 KB of headers, which a hijacked connection reads through for all its life, the request, and its copy in contrib/websocket.
// With them a page takes 38 KB, without them 16 (TestPagesAreSmall). So the handshake is theirs, and after it the connection
// below is adopted by a new Conn of the same library, and they are let go of.
type socketWire struct {
	net.Conn // TCP or TLS
	raw      net.Conn
	tcp      syscall.RawConn // nil below TLS: there try gives up at once
	conn     *fast.Conn
	deflate  bool
	early    []byte // what the client sent behind its handshake
	shaken   bool   // the answer to the handshake is out

	writing sync.Mutex // held from a frame's first byte to its last
	rest    []byte     // of the frame that try could not finish
}

// adopt takes over the connection of a finished handshake, in which compression was agreed on or not.
func adopt(conn *websocket.Conn, deflate bool) (*socketWire, error) {
	w := &socketWire{Conn: conn.NetConn(), deflate: deflate}
	var err error
	if outer, ok := w.Conn.(interface{ UnsafeConn() net.Conn }); ok {
		if w.early, err = buffered(w.Conn); err != nil {
			return nil, err
		}
		w.Conn = outer.UnsafeConn()
	}
	w.raw = rawConn(w.Conn)
	if tcp, ok := w.raw.(syscall.Conn); ok {
		raw, err := tcp.SyscallConn()
		if err != nil {
			return nil, err
		}
		// Without it all works, only a slow client lags more.
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, maxUnsent) })
		if w.raw == w.Conn {
			w.tcp = raw
		}
	}
	request := &http.Request{Method: http.MethodGet, Header: http.Header{ // all of it was checked by the true handshake
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="},
		"Sec-Websocket-Extensions": {"permessage-deflate"},
	}}
	upgrader := fast.Upgrader{
		ReadBufferSize: readBuffer, WriteBufferSize: 1, EnableCompression: deflate, // it writes no messages
		CheckOrigin: func(*http.Request) bool { return true }, // guard has seen to that
	}
	if w.conn, err = upgrader.Upgrade(adoption{w}, request, nil); err != nil {
		return nil, err
	}
	return w, nil
}

// buffered takes what was read ahead of a hijacked connection: what can be read of it when nothing more comes.
func buffered(conn net.Conn) (early []byte, err error) {
	if err := conn.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return nil, err
	}
	early, err = io.ReadAll(io.LimitReader(conn, maxHeaders))
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, err
	}
	return early, conn.SetReadDeadline(time.Time{})
}

// adoption plays the request of a handshake to the library.
type adoption struct{ *socketWire }

func (a adoption) Header() http.Header         { return http.Header{} }
func (a adoption) WriteHeader(int)             {}
func (a adoption) Write(p []byte) (int, error) { return len(p), nil }

func (a adoption) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return a.socketWire, bufio.NewReadWriter(bufio.NewReaderSize(a.socketWire, 16), bufio.NewWriterSize(io.Discard, 16)), nil
}

// Read is for the library.
func (w *socketWire) Read(p []byte) (int, error) {
	if len(w.early) > 0 {
		n := copy(p, w.early)
		w.early = w.early[n:]
		return n, nil
	}
	return w.Conn.Read(p)
}

// Write is for the library: of control frames, after the answer to the handshake, which has gone out already.
func (w *socketWire) Write(p []byte) (int, error) {
	if !w.shaken {
		w.shaken = true
		return len(p), nil
	}
	w.writing.Lock()
	defer w.writing.Unlock()
	return len(p), w.writeAll(p)
}

// SetWriteDeadline and SetDeadline are for the library, whose deadlines are not ours.
func (w *socketWire) SetWriteDeadline(time.Time) error { return nil }
func (w *socketWire) SetDeadline(time.Time) error      { return nil }

// try writes as much of a message as the kernel takes at once.
func (w *socketWire) try(m *message) (sent bool, err error) {
	frame := m.frame(w.deflate)
	if w.tcp == nil || !w.writing.TryLock() {
		return false, nil
	}
	n := 0
	// Only what keeps the descriptor open meanwhile: RawConn.Write also asks the poller, for a write that may wait.
	closed := w.tcp.Control(func(fd uintptr) { n, err = writeAtOnce(fd, frame) })
	switch {
	case closed != nil:
		err = closed
	case err == unix.EAGAIN || err == unix.EINTR:
		n, err = 0, nil
	}
	if err == nil && n < len(frame) {
		w.rest = frame[n:] // write goes on, with the lock held
		return false, nil
	}
	w.writing.Unlock()
	return err == nil, err
}

// writeAtOnce is write(2) to a socket that does not block, without Go's scheduler being told: its monitor would take the processor
// away within these calls and look at it each 20 µs meanwhile, a sixth of what a sample to a thousand pages cost (perf record of the fan-out).
func writeAtOnce(fd uintptr, p []byte) (n int, err error) {
	r, _, errno := unix.RawSyscall(unix.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}

// write writes what try left of a message.
func (w *socketWire) write(m *message) error {
	rest := w.rest
	if rest == nil {
		w.writing.Lock()
		rest = m.frame(w.deflate)
	}
	w.rest = nil
	defer w.writing.Unlock()
	return w.writeAll(rest)
}

func (w *socketWire) writeAll(p []byte) error {
	if err := w.Conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	_, err := w.Conn.Write(p)
	return errors.Join(err, w.Conn.SetWriteDeadline(time.Time{}))
}

// drain reads what is still on its way after a close frame was sent: a connection that is closed with something unread
// is reset, and then the other side may never see the close frame.
func (w *socketWire) drain() {
	_ = w.raw.SetReadDeadline(time.Now().Add(closeWait / 2))
	_, _ = io.Copy(io.Discard, io.LimitReader(w.raw, 1<<20))
}

func (w *socketWire) hangUp() { _ = w.raw.Close() }
