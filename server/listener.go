package server

import (
	"errors"
	"log/slog"
	"net"
	"time"
)

// acceptPause is how long no connection is taken after one could not be.
const acceptPause = 200 * time.Millisecond

// patientListener goes on when a connection cannot be taken: descriptors or memory may be short for a while, because of
// anybody who opens many connections, and that must not end the server.
type patientListener struct {
	net.Listener
	logger *slog.Logger
	stop   <-chan struct{}
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
		select {
		case <-l.stop:
		case <-time.After(acceptPause):
		}
	}
}
