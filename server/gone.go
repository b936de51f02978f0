package server

import (
	"context"
	"net"
	"syscall"
	"time"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/sys/unix"
)

// lookEvery is how often it is looked whether a client is still there.
const lookEvery = 100 * time.Millisecond

// untilGone is a context that ends after a time, or when whoever sent the request hangs up.
func (s *Server) untilGone(c *fiber.Ctx, after time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(s.requests, after)
	conn := c.Context().Conn() // c may not be used once the handler has returned
	go func() {
		ticker := time.NewTicker(lookEvery)
		defer ticker.Stop()
		for !hungUp(conn) {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
		cancel()
	}()
	return ctx, cancel
}

// hungUp tells whether the other end of a connection has closed it, without reading from it. Source: poll(2).
func hungUp(conn net.Conn) bool {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	plain, ok := conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := plain.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		events := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		n, pollErr := unix.Poll(events, 0)
		gone = pollErr == nil && n > 0
	})
	return gone || err != nil
}
