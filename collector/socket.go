package collector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	// dumpTries is how often a list that changed while the kernel gave it is asked for.
	dumpTries = 3

	diagRequestSize = 56 // struct inet_diag_req_v2, linux/inet_diag.h
	diagMessageSize = 72 // struct inet_diag_msg

	allStates = 1<<13 - 1 // TCP_ESTABLISHED to TCP_NEW_SYN_RECV; not the sockets that are only bound
	tcpClose  = 7         // not a connection, nor a listener; for UDP, one without a peer
)

// Names of the kernel's socket states, net/tcp_states.h.
var (
	tcpStates = [...]string{
		1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1", 5: "FIN_WAIT2", 6: "TIME_WAIT",
		8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN_RECV",
	}
	udpStates = [...]string{1: "ESTABLISHED", tcpClose: "UNCONN"}
)

// socketReader reads the TCP and UDP sockets of our network namespace, sock_diag(7).
type socketReader struct {
	owners    *owners
	users     *users
	dump      func(family, protocol uint8, visit func([]byte)) error
	addresses map[netip.Addr]string // texts of addresses, which come again and again
}

func newSocketReader(owners *owners, users *users) *socketReader {
	return &socketReader{owners: owners, users: users, dump: dumpSockets, addresses: make(map[netip.Addr]string)}
}

// read returns the sockets with their owners. One error tells what of the list is missing, the other why owners are.
func (r *socketReader) read(now time.Time) (sockets []Socket, listError, ownersError error) {
	r.users.refresh()
	if len(r.addresses) > 1<<16 {
		clear(r.addresses)
	}
	var failures []string
	inodes := make(map[uint32]bool)
	for _, kind := range []struct {
		name             string
		family, protocol uint8
	}{
		{"tcp", unix.AF_INET, unix.IPPROTO_TCP}, {"tcp6", unix.AF_INET6, unix.IPPROTO_TCP},
		{"udp", unix.AF_INET, unix.IPPROTO_UDP}, {"udp6", unix.AF_INET6, unix.IPPROTO_UDP},
	} {
		found, err := r.list(kind.name, kind.family, kind.protocol)
		if err != nil {
			failures = append(failures, kind.name+": "+err.Error())
		}
		for i := range found {
			if found[i].Inode != 0 {
				inodes[found[i].Inode] = true
			}
		}
		sockets = append(sockets, found...)
	}
	ownersError = r.owners.update(now, inodes)
	for i := range sockets {
		s := &sockets[i]
		if o := r.owners.of(s.Inode); o != nil {
			s.PID, s.Program, s.Unit, s.UserUnit = o.pid, o.program, o.unit, o.user
		}
	}
	if len(failures) > 0 {
		listError = fmt.Errorf("cannot list all sockets: %s", strings.Join(failures, "; "))
	}
	return sockets, listError, ownersError
}

// list reads the sockets of one family and protocol, each once: while the kernel goes through its tables, one may move and
// be met again.
func (r *socketReader) list(name string, family, protocol uint8) (sockets []Socket, err error) {
	for range dumpTries {
		sockets = sockets[:0]
		seen := make(map[uint64]bool, cap(sockets))
		err = r.dump(family, protocol, func(message []byte) {
			raw, ok := parseSocket(message)
			if !ok || seen[raw.cookie] {
				return
			}
			if s, ok := r.socket(name, protocol, raw); ok {
				seen[raw.cookie] = true
				sockets = append(sockets, s)
			}
		})
		if !errors.Is(err, nl.ErrDumpInterrupted) {
			return sockets, err
		}
	}
	return sockets, errors.New("the list changed whenever it was read; some sockets may be missing")
}

// rawSocket is what sock_diag tells of a socket.
type rawSocket struct {
	state         uint8
	local, remote netip.AddrPort
	cookie        uint64
	recvQ, sendQ  uint32
	uid, inode    uint32
}

// parseSocket reads a struct inet_diag_msg. It is false when the message is cut or of another family.
func parseSocket(b []byte) (s rawSocket, ok bool) {
	if len(b) < diagMessageSize {
		return rawSocket{}, false
	}
	var local, remote netip.Addr
	switch b[0] {
	case unix.AF_INET:
		local, remote = netip.AddrFrom4([4]byte(b[8:12])), netip.AddrFrom4([4]byte(b[24:28]))
	case unix.AF_INET6:
		local, remote = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	default:
		return rawSocket{}, false
	}
	number := func(offset int) uint32 { return binary.NativeEndian.Uint32(b[offset:]) }
	return rawSocket{
		state:  b[1],
		local:  netip.AddrPortFrom(local, binary.BigEndian.Uint16(b[4:])),
		remote: netip.AddrPortFrom(remote, binary.BigEndian.Uint16(b[6:])),
		cookie: uint64(number(44)) | uint64(number(48))<<32,
		recvQ:  number(56), sendQ: number(60), uid: number(64), inode: number(68),
	}, true
}

// socket makes the row. It is false for a TCP socket that is closing down for good.
func (r *socketReader) socket(name string, protocol uint8, raw rawSocket) (s Socket, ok bool) {
	states := tcpStates[:]
	if protocol == unix.IPPROTO_UDP {
		states = udpStates[:]
	}
	if int(raw.state) >= len(states) || states[raw.state] == "" {
		return Socket{}, false
	}
	s = Socket{
		Protocol: name, State: states[raw.state],
		RecvQ: raw.recvQ, SendQ: raw.sendQ,
		LocalAddress: r.address(raw.local.Addr()), LocalPort: raw.local.Port(),
		RemoteAddress: r.address(raw.remote.Addr()), RemotePort: raw.remote.Port(),
		Inode: raw.inode, Cookie: strconv.FormatUint(raw.cookie, 10),
	}
	if raw.inode != 0 { // what a connection leaves behind (TIME_WAIT), or is before it is accepted, belongs to nobody
		s.User = r.users.name(raw.uid)
	}
	return s, true
}

func (r *socketReader) address(a netip.Addr) string {
	text, ok := r.addresses[a]
	if !ok {
		text = a.String()
		r.addresses[a] = text
	}
	return text
}

// dumpSockets asks the kernel for all sockets of a family and protocol. The library's own calls ask for TCP's extended
// figures too, which nobody reads here.
func dumpSockets(family, protocol uint8, visit func([]byte)) error {
	request := make([]byte, diagRequestSize)
	request[0], request[1] = family, protocol
	binary.NativeEndian.PutUint32(request[4:], allStates)
	// A dump goes by the states alone; the rest of the request, which could name one socket, stays empty.
	message := nl.NewNetlinkRequest(nl.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP)
	message.AddRawData(request)
	err := message.ExecuteIter(unix.NETLINK_INET_DIAG, nl.SOCK_DIAG_BY_FAMILY, func(b []byte) bool {
		visit(b)
		return true
	})
	if errors.Is(err, netlink.ErrDumpInterrupted) {
		return nl.ErrDumpInterrupted
	}
	if errors.Is(err, unix.ENOENT) {
		return errors.New("the kernel has no support for listing them: load its modules tcp_diag and udp_diag")
	}
	return err
}
