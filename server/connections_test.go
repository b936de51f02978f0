package server

import (
	"errors"
	"log/slog"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
)

// shortOfDescriptors fails twice as accept4(2) does when no descriptor is left, then is closed.
type shortOfDescriptors struct {
	net.Listener
	asked int
}

func (l *shortOfDescriptors) Accept() (net.Conn, error) {
	if l.asked++; l.asked <= 2 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return nil, net.ErrClosed
}

func TestListenerGoesOnWithoutDescriptors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &shortOfDescriptors{}
		l := &patientListener{Listener: inner, logger: slog.New(slog.DiscardHandler), stop: make(chan struct{}), room: func() bool { return false }}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) || inner.asked != 3 {
			t.Errorf("ended with %v after %d tries; want to go on until it is closed", err, inner.asked)
		}
	})
}
