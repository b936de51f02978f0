package collector

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// diagMessage builds what sock_diag answers.
func diagMessage(state uint8, local, remote string, cookie uint64, recvQ, sendQ, uid, inode uint32) []byte {
	b := make([]byte, diagMessageSize, diagMessageSize+8)
	from, to := netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote)
	b[0], b[1] = unix.AF_INET, state
	if from.Addr().Is6() {
		b[0] = unix.AF_INET6
	}
	binary.BigEndian.PutUint16(b[4:], from.Port())
	binary.BigEndian.PutUint16(b[6:], to.Port())
	copy(b[8:24], from.Addr().AsSlice())
	copy(b[24:40], to.Addr().AsSlice())
	for offset, n := range map[int]uint32{44: uint32(cookie), 48: uint32(cookie >> 32), 56: recvQ, 60: sendQ, 64: uid, 68: inode} {
		binary.NativeEndian.PutUint32(b[offset:], n)
	}
	return append(b, 5, 0, 8, 0, 0, 0, 0, 0) // attributes follow
}

func TestSocketsOfADump(t *testing.T) {
	f := newStage(t)
	source := newProcSource(f.path("proc"))
	r := newSocketReader(newOwners(source, newProcHolders(f.path("proc"))), newUsers(f.path("etc")))
	r.dump = func(kind diagKind, visit func([]byte)) error {
		switch kind.name {
		case "tcp":
			visit(diagMessage(10, "0.0.0.0:80", "0.0.0.0:0", 1<<40+1, 3, 128, 1000, 55))
			visit(diagMessage(1, "127.0.0.1:80", "127.0.0.1:40000", 2, 5, 6, 0, 56))
			visit(diagMessage(6, "127.0.0.1:80", "127.0.0.1:40001", 3, 0, 0, 0, 0))
			visit(diagMessage(12, "127.0.0.1:80", "127.0.0.1:40002", 4, 0, 0, 0, 0))
			visit(diagMessage(1, "127.0.0.1:80", "127.0.0.1:40000", 2, 5, 6, 0, 56)) // met twice
			visit(diagMessage(7, "127.0.0.1:80", "127.0.0.1:40000", 5, 0, 0, 0, 0))  // closed for good
			visit(make([]byte, 20))
			visit(diagMessage(8, "[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:40003", 6, 0, 0, 4711, 57))
		case "udp6":
			visit(diagMessage(7, "[::]:53", "[::]:0", 7, 0, 0, 0, 58))
			visit(diagMessage(1, "[2001:db8::1]:53", "[2001:db8::2]:9", 8, 0, 0, 0, 59))
			visit(diagMessage(2, "[::]:53", "[::]:0", 9, 0, 0, 0, 60)) // no such state
		}
		return nil
	}
	sockets, listError, ownersError := r.read(time.Now(), nil)
	if listError != nil || ownersError != nil {
		t.Errorf("errors are %v, %v", listError, ownersError)
	}
	var got []string
	for _, s := range sockets {
		got = append(got, fmt.Sprintf("%s %s %d/%d %s %d %s %d %s %d %s", s.Protocol, s.State, s.RecvQ, s.SendQ,
			s.LocalAddress, s.LocalPort, s.RemoteAddress, s.RemotePort, s.User, s.Inode, s.Cookie))
	}
	want := []string{
		"tcp LISTEN 3/128 0.0.0.0 80 0.0.0.0 0 ann 55 1099511627777",
		"tcp ESTABLISHED 5/6 127.0.0.1 80 127.0.0.1 40000 root 56 2",
		"tcp TIME_WAIT 0/0 127.0.0.1 80 127.0.0.1 40001  0 3",
		"tcp SYN_RECV 0/0 127.0.0.1 80 127.0.0.1 40002  0 4",
		"tcp6 CLOSE_WAIT 0/0 ::ffff:127.0.0.1 80 ::ffff:127.0.0.1 40003 4711 57 6",
		"udp6 UNCONN 0/0 :: 53 :: 0 root 58 7",
		"udp6 ESTABLISHED 0/0 2001:db8::1 53 2001:db8::2 9 root 59 8",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("sockets are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestInterruptedDumpIsRepeated(t *testing.T) {
	f := newStage(t)
	source := newProcSource(f.path("proc"))
	r := newSocketReader(newOwners(source, newProcHolders(f.path("proc"))), newUsers(f.path("etc")))
	asked := make(map[string]int)
	interruptions := 2
	r.dump = func(kind diagKind, visit func([]byte)) error {
		asked[kind.name]++
		switch kind.name {
		case "udp6":
			return nil
		case "udp":
			return unix.EPERM
		}
		visit(diagMessage(10, "0.0.0.0:80", "0.0.0.0:0", 1, 0, 0, 0, 55))
		if asked[kind.name] <= interruptions {
			return errDumpInterrupted
		}
		return nil
	}
	sockets, err, _ := r.read(time.Now(), nil)
	if len(sockets) != 1 || err == nil || err.Error() != "cannot list all sockets: udp: operation not permitted" {
		t.Errorf("%d sockets, %v", len(sockets), err)
	}
	interruptions = 1000
	sockets, err, _ = r.read(time.Now(), nil)
	if len(sockets) != 1 || err == nil || !strings.Contains(err.Error(), "tcp: the list changed") {
		t.Errorf("%d sockets, %v", len(sockets), err)
	}
}

// A socket that has not changed keeps its row, and a list in which nothing has is the one before.
func TestUnchangedSocketsKeepTheirRows(t *testing.T) {
	f := newStage(t)
	f.process(400, 0, 400)
	f.hold(400, 3, 55)
	r := newSocketReader(newOwners(newProcSource(f.path("proc")), newProcHolders(f.path("proc"))), newUsers(f.path("etc")))
	listener := diagMessage(10, "0.0.0.0:80", "0.0.0.0:0", 1, 0, 128, 1000, 55)
	client := diagMessage(1, "127.0.0.1:80", "127.0.0.1:40000", 2, 5, 6, 0, 56)
	left := diagMessage(6, "127.0.0.1:80", "127.0.0.1:40001", 3, 0, 0, 0, 0)
	messages := [][]byte{listener, client, left}
	r.dump = func(kind diagKind, visit func([]byte)) error {
		for _, m := range messages {
			if kind.name == "tcp" {
				visit(m)
			}
		}
		return nil
	}
	now := time.Now()
	read := func(want ...string) map[string]*Socket {
		t.Helper()
		now = now.Add(time.Second)
		rows, err, ownersError := r.read(now, nil)
		if err != nil || ownersError != nil {
			t.Error(err, ownersError)
		}
		byCookie := make(map[string]*Socket)
		var cookies []string
		for _, row := range rows {
			byCookie[row.Cookie] = row
			cookies = append(cookies, row.Cookie)
		}
		if !slices.Equal(cookies, want) {
			t.Errorf("sockets %v, want %v", cookies, want)
		}
		return byCookie
	}
	first := read("1", "2", "3")
	list := r.rows
	read("1", "2", "3")
	check(t, "the list is the one before", &r.rows[0] == &list[0], true)

	left[3], left[52] = 7, 9 // a timer
	read("1", "2", "3")
	check(t, "the list with a timer that runs is the one before", &r.rows[0] == &list[0], true)

	client[56] = 77
	next := read("1", "2", "3")
	check(t, "the queue of one that changed", next["2"].RecvQ, 77)
	check(t, "its queue in the sample before", first["2"].RecvQ, 5)
	check(t, "rows of the others are kept", next["1"] == first["1"] && next["3"] == first["3"], true)

	messages = [][]byte{left, client, listener}
	check(t, "row in another order", read("3", "2", "1")["1"] == first["1"], true)
	messages = [][]byte{left, listener}
	read("3", "1")
	check(t, "sockets kept", len(r.byCookie), 2)
	check(t, "inodes kept", len(r.owners.byInode), 1)

	f.replace("proc/400/stat", "(worker)", "(other)")
	next = read("3", "1")
	check(t, "the program's new name", next["1"].Program, "other")
	check(t, "row of another", next["3"] == first["3"], true)
	f.replace("etc/passwd", "ann:", "anna:")
	check(t, "the user's new name", read("3", "1")["1"].User, "anna")

	received := diagMessage(3, "127.0.0.1:80", "127.0.0.1:40005", 4, 0, 0, 0, 0)
	messages = [][]byte{left, received}
	read("3", "4")
	f.hold(400, 4, 57)
	messages = [][]byte{left, diagMessage(1, "127.0.0.1:80", "127.0.0.1:40005", 4, 0, 0, 0, 57)}
	check(t, "owner of one that was accepted", read("3", "4")["4"].PID, 400)

	messages = [][]byte{}
	read()
	check(t, "sockets kept of none", len(r.byCookie)+len(r.owners.byInode), 0)
}

// What is met only in a dump that is interrupted, and made again, leaves nothing behind.
func TestInterruptedDumpLeavesNothing(t *testing.T) {
	r := newSocketReader(newOwners(nil, brokenHolders{}), newUsers("nowhere"))
	try := 0
	r.dump = func(kind diagKind, visit func([]byte)) error {
		if kind.name != "tcp" {
			return nil
		}
		try++
		visit(diagMessage(10, "0.0.0.0:80", "0.0.0.0:0", 1, 0, 0, 0, 55))
		if try == 1 {
			visit(diagMessage(10, "0.0.0.0:81", "0.0.0.0:0", 2, 0, 0, 0, 56))
			return errDumpInterrupted
		}
		visit(diagMessage(10, "0.0.0.0:82", "0.0.0.0:0", 3, 0, 0, 0, 57))
		return nil
	}
	rows, err, _ := r.read(time.Now(), nil)
	if err != nil || len(rows) != 2 || rows[0].Cookie != "1" || rows[1].Cookie != "3" {
		t.Errorf("%d sockets, %v", len(rows), err)
	}
	if len(r.byCookie) != 2 || len(r.owners.byInode) != 2 {
		t.Errorf("%d sockets and %d inodes are kept", len(r.byCookie), len(r.owners.byInode))
	}
}

// However many sockets there are, those that do not change allocate nothing.
func TestUnchangedSocketsAllocateNothing(t *testing.T) {
	allocations := func(n int) float64 {
		r := newSocketReader(newOwners(nil, brokenHolders{}), newUsers("nowhere"))
		messages := make([][]byte, n)
		for i := range messages {
			messages[i] = diagMessage(1, "127.0.0.1:80", fmt.Sprintf("127.0.%d.1:40000", i%200), uint64(i+1), 0, 0, uint32(i%2), uint32(i+1))
		}
		r.dump = func(kind diagKind, visit func([]byte)) error {
			if kind.name == "tcp" {
				for _, m := range messages {
					visit(m)
				}
			}
			return nil
		}
		now := time.Now()
		read := func() {
			now = now.Add(time.Second)
			if rows, err, ownersError := r.read(now, nil); len(rows) != n || err != nil || ownersError != nil {
				t.Fatal(len(rows), err, ownersError)
			}
		}
		read()
		read()
		return testing.AllocsPerRun(20, read)
	}
	if few, many := allocations(100), allocations(10_000); many > few {
		t.Errorf("a reading of 100 sockets makes %v allocations, one of 10,000 makes %v", few, many)
	}
}

// The same on the real kernel: what is left is a few allocations for each message, which tells of some 270 sockets.
func TestSocketsOfTheKernelAllocateNothing(t *testing.T) {
	const sockets = 4000
	startHelper(t, "crowd", fmt.Sprint(sockets)).line()
	r := realSocketReader(t, brokenHolders{})
	now := time.Now()
	r.read(now, nil)
	best := float64(sockets)
	agree(t, func() (differences []string) { // other programs' sockets may come and go
		best = min(best, testing.AllocsPerRun(1, func() { r.read(now, nil) }))
		if best > sockets/10 {
			differences = []string{fmt.Sprintf("%v allocations for %d sockets", best, sockets)}
		}
		return differences
	})
}

func FuzzSocket(f *testing.F) {
	f.Add(diagMessage(1, "127.0.0.1:80", "127.0.0.1:40000", 2, 5, 6, 0, 56), true)
	f.Add(diagMessage(1, "[::1]:80", "[::1]:40000", 2, 5, 6, 0, 56), false)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, b []byte, tcp bool) {
		r := newSocketReader(newOwners(nil, nil), newUsers("nowhere"))
		protocol := uint8(unix.IPPROTO_UDP)
		if tcp {
			protocol = unix.IPPROTO_TCP
		}
		r.number = 1
		r.take(protocol, b)
		for _, s := range r.sockets {
			if row := s.row; row.State == "" || row.LocalAddress == "" || row.RemoteAddress == "" || row.Protocol == "" || row.Cookie == "" {
				t.Fatalf("%x gives %+v", b, row)
			}
		}
	})
}
