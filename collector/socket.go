package collector

// At 100,000 sockets the kernel's own work is 1.0 µs a socket; what is done here after it must not double that. Making rows
// anew costs 0.8 µs and three allocations each, and finding owners 0.4 µs (BPF) or 4 µs (/proc). So a socket is kept from one
// reading to the next, by its cookie: one that has not changed costs a comparison of 72 bytes, allocates nothing, and keeps its
// row, which those who hold the row before can tell by its address.

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const tcpClose = 7 // not a connection, nor a listener; for UDP, one without a peer

// Names of the kernel's socket states, net/tcp_states.h.
var (
	tcpStates = [...]string{
		1: "ESTABLISHED", 2: "SYN_SENT", 3: "SYN_RECV", 4: "FIN_WAIT1", 5: "FIN_WAIT2", 6: "TIME_WAIT",
		8: "CLOSE_WAIT", 9: "LAST_ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN_RECV",
	}
	udpStates = [...]string{1: "ESTABLISHED", tcpClose: "UNCONN"}
)

// socketKinds are the lists that make up the whole.
var socketKinds = [...]diagKind{
	{"tcp", unix.AF_UNSPEC, unix.IPPROTO_TCP}, {"udp", unix.AF_INET, unix.IPPROTO_UDP}, {"udp6", unix.AF_INET6, unix.IPPROTO_UDP},
}

// socketReader reads the TCP and UDP sockets of our network namespace.
type socketReader struct {
	owners *owners
	users  *users
	dump   func(kind diagKind, visit func([]byte)) error

	number   uint64    // of the reading; one that is interrupted counts again
	sockets  []*socket // of the last reading, in the kernel's order
	before   []*socket // of the one before, whose array the next takes over
	byCookie map[uint64]*socket
	next     int       // where in before the next socket is looked for
	names    int       // edition of the user names in the rows
	rows     []*Socket // of the last sample
	changed  bool      // something differs from rows

	addresses  map[netip.Addr]string // texts of addresses, which come again and again
	interfaces map[uint32]string     // names by index, of this reading
}

// socket is what is kept of a socket.
type socket struct {
	cookie uint64
	seen   uint64                // number of the last reading that met it
	told   [diagMessageSize]byte // by the kernel, the last time that something had changed
	inode  uint32                // 0: nobody can hold it
	at     int                   // index among the sockets of the last reading, -1 for none
	row    *Socket
	holding
}

func newSocketReader(owners *owners, users *users) *socketReader {
	return &socketReader{
		owners: owners, users: users, dump: new(diag).dump, byCookie: make(map[uint64]*socket),
		addresses: make(map[netip.Addr]string), interfaces: make(map[uint32]string),
	}
}

// read returns the sockets with their owners; processes are those that the same sample has just read, or nil. One error tells
// what of the list is missing, the other why owners are.
func (r *socketReader) read(now time.Time, processes map[int]*process) (rows []*Socket, listError, ownersError error) {
	r.users.refresh()
	if len(r.addresses) > 1<<16 {
		clear(r.addresses)
	}
	clear(r.interfaces)
	r.before, r.sockets = r.sockets, r.before[:0]
	r.next, r.changed = 0, false
	var failures []string
	for _, kind := range socketKinds {
		if err := r.list(kind); err != nil {
			failures = append(failures, kind.name+": "+err.Error())
		}
	}
	r.forget()
	ownersError = r.owners.update(now, r.sockets, processes)
	if len(failures) > 0 {
		listError = fmt.Errorf("cannot list all sockets: %s", strings.Join(failures, "; "))
	}
	return r.show(), listError, ownersError
}

// list reads the sockets of one kind, each once: while the kernel goes through its tables, one may move and be met again.
func (r *socketReader) list(kind diagKind) error {
	start, next := len(r.sockets), r.next
	for range dumpTries {
		clear(r.sockets[start:])
		r.sockets, r.next = r.sockets[:start], next
		r.number++
		err := r.dump(kind, func(message []byte) { r.take(kind.protocol, message) })
		if !errors.Is(err, errDumpInterrupted) {
			return err
		}
	}
	return errDumpInterrupted
}

// take takes in a struct inet_diag_msg. One that is cut, of another family or without a state that has a name, as a TCP socket
// that is closing down for good, is passed over.
func (r *socketReader) take(protocol uint8, b []byte) {
	if len(b) < diagMessageSize || nameOf(protocol, b[0]) == "" || stateOf(protocol, b[1]) == "" {
		return
	}
	cookie := uint64(binary.NativeEndian.Uint32(b[44:])) | uint64(binary.NativeEndian.Uint32(b[48:]))<<32
	var s *socket
	if r.next < len(r.before) && r.before[r.next].cookie == cookie {
		s = r.before[r.next] // as a rule the order is that of the last reading
	} else if s = r.byCookie[cookie]; s == nil {
		s = &socket{cookie: cookie, at: -1}
		r.byCookie[cookie] = s
		r.changed = true
	}
	if s.seen == r.number {
		return
	}
	s.seen = r.number
	if s.at >= 0 {
		r.next = s.at + 1
	}
	// Bytes 2 and 3, and 52 to 55, tell of timers, which run all the time and are not shown.
	if s.row == nil || !bytes.Equal(b[4:52], s.told[4:52]) || !bytes.Equal(b[56:72], s.told[56:72]) || b[0] != s.told[0] || b[1] != s.told[1] {
		r.changed = true
		r.update(s, protocol, b)
	}
	r.sockets = append(r.sockets, s)
}

// forget drops the sockets that are not there any more, and notes where the others stand.
func (r *socketReader) forget() {
	moved := len(r.sockets) != len(r.before) || r.changed
	for i, s := range r.sockets {
		moved = moved || s.at != i
		s.at = i
	}
	r.changed = moved
	clear(r.before)
	if len(r.byCookie) == len(r.sockets) {
		return
	}
	for cookie, s := range r.byCookie {
		if s.at < 0 || s.at >= len(r.sockets) || r.sockets[s.at] != s {
			delete(r.byCookie, cookie)
			r.owners.remove(s)
		}
	}
}

// update makes the row anew, as far as the kernel's message goes.
func (r *socketReader) update(s *socket, protocol uint8, b []byte) {
	number := func(offset int) uint32 { return binary.NativeEndian.Uint32(b[offset:]) }
	row := &Socket{
		Protocol: nameOf(protocol, b[0]), State: stateOf(protocol, b[1]),
		LocalPort: binary.BigEndian.Uint16(b[4:]), RemotePort: binary.BigEndian.Uint16(b[6:]),
		RecvQ: number(56), SendQ: number(60), Inode: number(68),
	}
	if old := s.row; old != nil && old.Protocol == row.Protocol && bytes.Equal(b[8:44], s.told[8:44]) {
		row.LocalAddress, row.RemoteAddress, row.Cookie = old.LocalAddress, old.RemoteAddress, old.Cookie
	} else {
		row.Cookie = strconv.FormatUint(s.cookie, 10)
		row.LocalAddress, row.RemoteAddress = r.address(b[0], b[8:24]), r.address(b[0], b[24:40])
		if index := number(40); index != 0 { // bound to one interface: shown as ss(8) does
			row.LocalAddress += "%" + r.interfaceName(index)
		}
	}
	if row.Inode != 0 { // what a connection leaves behind (TIME_WAIT), or is before it is accepted, belongs to nobody
		row.User = r.users.name(number(64))
	}
	if row.Inode != s.inode {
		r.owners.remove(s)
		s.inode = row.Inode
		if s.inode != 0 {
			r.owners.add(s)
		}
	}
	copy(s.told[:], b)
	s.row = row
	s.fill(row)
}

// show is the list of rows. Where nothing has changed since the last one it is that one.
func (r *socketReader) show() []*Socket {
	renamed := r.names != r.users.edition
	r.names = r.users.edition
	if !r.changed && !renamed && !r.owners.changed && r.rows != nil {
		return r.rows
	}
	rows := make([]*Socket, len(r.sockets))
	for i, s := range r.sockets {
		user := s.row.User
		if renamed && s.inode != 0 {
			user = r.users.name(binary.NativeEndian.Uint32(s.told[64:]))
		}
		if user != s.row.User || s.shown != s.edition() {
			row := *s.row
			row.User = user
			s.fill(&row)
			s.row = &row
		}
		rows[i] = s.row
	}
	r.rows = rows
	return rows
}

func nameOf(protocol, family uint8) string {
	switch {
	case protocol == unix.IPPROTO_TCP && family == unix.AF_INET:
		return "tcp"
	case protocol == unix.IPPROTO_TCP && family == unix.AF_INET6:
		return "tcp6"
	case protocol == unix.IPPROTO_UDP && family == unix.AF_INET:
		return "udp"
	case protocol == unix.IPPROTO_UDP && family == unix.AF_INET6:
		return "udp6"
	}
	return ""
}

func stateOf(protocol, state uint8) string {
	states := tcpStates[:]
	if protocol == unix.IPPROTO_UDP {
		states = udpStates[:]
	}
	if int(state) >= len(states) {
		return ""
	}
	return states[state]
}

func (r *socketReader) address(family uint8, b []byte) string {
	a := netip.AddrFrom4([4]byte(b[:4]))
	if family == unix.AF_INET6 {
		a = netip.AddrFrom16([16]byte(b[:16]))
	}
	text, ok := r.addresses[a]
	if !ok {
		text = a.String()
		r.addresses[a] = text
	}
	return text
}

func (r *socketReader) interfaceName(index uint32) string {
	name, ok := r.interfaces[index]
	if !ok {
		name = strconv.FormatUint(uint64(index), 10)
		if i, err := net.InterfaceByIndex(int(index)); err == nil {
			name = clean(i.Name, maxName)
		}
		r.interfaces[index] = name
	}
	return name
}
