package collector

// A sock_diag dump in pure Go, at the price of the same dump in C (testdata/diagfloor.c): 1.0 µs a socket, nearly all of it
// the kernel's. vishvananda/netlink carries the request; its own way of receiving copies each message and makes a slice of
// each, which doubles the time (2.2 µs a socket; procfs takes 3.7), so the answer is read here, in place.

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	// dumpTries is how often a list that changed while the kernel gave it is asked for.
	dumpTries = 3
	// diagBuffer takes the kernel's longest message, 32 KiB, in one piece; a shorter one would be cut without a word.
	diagBuffer = 64 << 10
	// diagPatience is how long the kernel may take for one message, in milliseconds. It answers while we wait for it.
	diagPatience = 5000

	tcpDiagGetSock = 18 // TCPDIAG_GETSOCK, linux/inet_diag.h: TCP sockets of both families in one pass

	diagRequestSize    = 56 // struct inet_diag_req_v2
	diagOldRequestSize = 60 // struct inet_diag_req
	diagMessageSize    = 72 // struct inet_diag_msg

	allStates = 1<<13 - 1 // TCP_ESTABLISHED to TCP_NEW_SYN_RECV; not the sockets that are only bound
)

var (
	errDumpInterrupted = errors.New("the list changed whenever it was read; some sockets may be missing")
	errBrokenMessage   = errors.New("sock_diag sent a broken message")
)

// diagKind is one list of sockets that the kernel gives.
type diagKind struct {
	name             string
	family, protocol uint8 // family 0: both
}

// diag asks the kernel for sockets, sock_diag(7).
type diag struct {
	buffer []byte
	single bool // the kernel does not know the request for both families at once
}

// dump calls visit for each socket of a kind, with a struct inet_diag_msg that visit must not keep.
func (d *diag) dump(kind diagKind, visit func([]byte)) error {
	if kind.family != unix.AF_UNSPEC {
		return d.ask(sockDiagRequest(kind.family, kind.protocol), visit)
	}
	if !d.single {
		met := false
		err := d.ask(tcpDiagRequest(), func(b []byte) {
			met = true
			visit(b)
		})
		var refused unix.Errno
		if met || !errors.As(err, &refused) {
			return err
		}
		d.single = true
	}
	return errors.Join(
		d.ask(sockDiagRequest(unix.AF_INET, kind.protocol), visit),
		d.ask(sockDiagRequest(unix.AF_INET6, kind.protocol), visit))
}

// A dump goes by the states alone; the rest of a request, which could name one socket, stays empty.

func sockDiagRequest(family, protocol uint8) *nl.NetlinkRequest {
	b := make([]byte, diagRequestSize)
	b[0], b[1] = family, protocol
	binary.NativeEndian.PutUint32(b[4:], allStates)
	return diagRequest(nl.SOCK_DIAG_BY_FAMILY, b)
}

func tcpDiagRequest() *nl.NetlinkRequest {
	b := make([]byte, diagOldRequestSize)
	binary.NativeEndian.PutUint32(b[52:], allStates)
	return diagRequest(tcpDiagGetSock, b)
}

func diagRequest(kind int, data []byte) *nl.NetlinkRequest {
	request := nl.NewNetlinkRequest(kind, unix.NLM_F_DUMP)
	request.AddRawData(data)
	return request
}

// ask sends one request and takes in all that answers it. Each has a socket of its own, so that what is left of one that
// failed is not taken for an answer to the next.
func (d *diag) ask(request *nl.NetlinkRequest, visit func([]byte)) error {
	socket, err := nl.Subscribe(unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return fmt.Errorf("cannot open a sock_diag socket: %w", err)
	}
	defer socket.Close()
	if err := socket.Send(request); err != nil {
		return fmt.Errorf("cannot ask sock_diag: %w", err)
	}
	if d.buffer == nil {
		d.buffer = make([]byte, diagBuffer)
	}
	interrupted := false
	for {
		n, err := receive(socket.GetFd(), d.buffer)
		if err != nil {
			return err
		}
		done, changed, err := eachMessage(d.buffer[:n], request.Seq, visit)
		interrupted = interrupted || changed
		switch {
		case errors.Is(err, unix.ENOENT):
			return fmt.Errorf("the kernel has no support for listing them, load its modules tcp_diag and udp_diag: %w", err)
		case err != nil:
			return err
		case done && interrupted:
			return errDumpInterrupted
		case done:
			return nil
		}
	}
}

// receive reads what the kernel, and nobody else, has sent in one piece.
func receive(fd int, buffer []byte) (int, error) {
	for {
		n, from, err := unix.Recvfrom(fd, buffer, unix.MSG_TRUNC)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, diagPatience)
			if err != nil && err != unix.EINTR {
				return 0, os.NewSyscallError("poll", err)
			}
			if ready == 0 && err == nil {
				return 0, errors.New("sock_diag does not answer")
			}
			continue
		case err != nil:
			return 0, os.NewSyscallError("recvfrom", err)
		}
		if n > len(buffer) {
			return 0, fmt.Errorf("sock_diag sent %d bytes at once, more than can be taken", n)
		}
		if sender, ok := from.(*unix.SockaddrNetlink); ok && sender.Pid == nl.PidKernel {
			return n, nil
		}
	}
}

// eachMessage calls visit with the payload of each message in b that answers request number seq. Done tells that it was the
// last, changed that the list changed while it was given.
func eachMessage(b []byte, seq uint32, visit func([]byte)) (done, changed bool, err error) {
	for len(b) >= unix.NLMSG_HDRLEN {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.NLMSG_HDRLEN || size > len(b) {
			return false, changed, errBrokenMessage
		}
		payload := b[unix.NLMSG_HDRLEN:size]
		if binary.NativeEndian.Uint32(b[8:]) == seq {
			changed = changed || binary.NativeEndian.Uint16(b[6:])&unix.NLM_F_DUMP_INTR != 0
			switch binary.NativeEndian.Uint16(b[4:]) {
			case unix.NLMSG_DONE, unix.NLMSG_ERROR:
				if len(payload) >= 4 {
					if code := int32(binary.NativeEndian.Uint32(payload)); code < 0 {
						return true, changed, unix.Errno(-code)
					}
				}
				return true, changed, nil
			case unix.NLMSG_NOOP:
			default:
				visit(payload)
			}
		}
		b = b[min((size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1), len(b)):]
	}
	return false, changed, nil
}
