package collector

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink/nl"
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
	source := newProcSource(f.fs(), f.path("proc"))
	r := newSocketReader(newOwners(f.fs(), f.path("proc"), source), newUsers(f.path("etc")))
	r.dump = func(family, protocol uint8, visit func([]byte)) error {
		switch {
		case protocol == unix.IPPROTO_TCP && family == unix.AF_INET:
			visit(diagMessage(10, "0.0.0.0:80", "0.0.0.0:0", 1<<40+1, 3, 128, 1000, 55))
			visit(diagMessage(1, "127.0.0.1:80", "127.0.0.1:40000", 2, 5, 6, 0, 56))
			visit(diagMessage(6, "127.0.0.1:80", "127.0.0.1:40001", 3, 0, 0, 0, 0))
			visit(diagMessage(12, "127.0.0.1:80", "127.0.0.1:40002", 4, 0, 0, 0, 0))
			visit(diagMessage(1, "127.0.0.1:80", "127.0.0.1:40000", 2, 5, 6, 0, 56)) // met twice
			visit(diagMessage(7, "127.0.0.1:80", "127.0.0.1:40000", 5, 0, 0, 0, 0))  // closed for good
			visit(make([]byte, 20))
		case protocol == unix.IPPROTO_TCP:
			visit(diagMessage(8, "[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:40003", 6, 0, 0, 4711, 57))
		case family == unix.AF_INET6:
			visit(diagMessage(7, "[::]:53", "[::]:0", 7, 0, 0, 0, 58))
			visit(diagMessage(1, "[2001:db8::1]:53", "[2001:db8::2]:9", 8, 0, 0, 0, 59))
			visit(diagMessage(2, "[::]:53", "[::]:0", 9, 0, 0, 0, 60)) // no such state
		}
		return nil
	}
	sockets, listError, ownersError := r.read(time.Now())
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
	source := newProcSource(f.fs(), f.path("proc"))
	r := newSocketReader(newOwners(f.fs(), f.path("proc"), source), newUsers(f.path("etc")))
	asked := make(map[[2]uint8]int)
	interruptions := 2
	r.dump = func(family, protocol uint8, visit func([]byte)) error {
		asked[[2]uint8{family, protocol}]++
		switch {
		case family == unix.AF_INET6:
			return nil
		case protocol == unix.IPPROTO_UDP:
			return unix.EPERM
		}
		visit(diagMessage(10, "0.0.0.0:80", "0.0.0.0:0", 1, 0, 0, 0, 55))
		if asked[[2]uint8{family, protocol}] <= interruptions {
			return nl.ErrDumpInterrupted
		}
		return nil
	}
	sockets, err, _ := r.read(time.Now())
	if len(sockets) != 1 || err == nil || err.Error() != "cannot list all sockets: udp: operation not permitted" {
		t.Errorf("%d sockets, %v", len(sockets), err)
	}
	interruptions = 1000
	sockets, err, _ = r.read(time.Now())
	if len(sockets) != 1 || err == nil || !strings.Contains(err.Error(), "tcp: the list changed") {
		t.Errorf("%d sockets, %v", len(sockets), err)
	}
}

func FuzzParseSocket(f *testing.F) {
	f.Add(diagMessage(1, "127.0.0.1:80", "127.0.0.1:40000", 2, 5, 6, 0, 56))
	f.Add(diagMessage(1, "[::1]:80", "[::1]:40000", 2, 5, 6, 0, 56))
	f.Add([]byte{})
	r := newSocketReader(nil, newUsers("nowhere"))
	f.Fuzz(func(t *testing.T, b []byte) {
		raw, ok := parseSocket(b)
		if !ok {
			return
		}
		for _, protocol := range []uint8{unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
			if s, ok := r.socket("x", protocol, raw); ok && (s.State == "" || s.LocalAddress == "" || s.RemoteAddress == "") {
				t.Fatalf("%x gives %+v", b, s)
			}
		}
	})
}

func (f *stage) link(target, name string) {
	f.t.Helper()
	if err := os.Symlink(target, f.path(name)); err != nil {
		f.t.Fatal(err)
	}
}

// hold gives a process of the stage an open descriptor on a socket.
func (f *stage) hold(pid, descriptor, inode int) {
	f.t.Helper()
	f.write(fmt.Sprintf("proc/%d/fd/.keep", pid), "")
	f.link(fmt.Sprintf("socket:[%d]", inode), fmt.Sprintf("proc/%d/fd/%d", pid, descriptor))
}

func TestOwners(t *testing.T) {
	f := newStage(t)
	for _, pid := range []int{400, 401, 1500} {
		f.process(pid, 0, pid)
	}
	f.write("proc/401/cgroup", "0::/user.slice/user-1.slice/user@1.service/x.service\n")
	f.hold(1500, 3, 10)
	f.hold(401, 3, 10)
	f.hold(401, 4, 11)
	f.hold(400, 5, 12)
	f.hold(400, 6, 99)
	f.link("/dev/null", "proc/400/fd/0")
	f.link("pipe:[10]", "proc/400/fd/1")
	o := newOwners(f.fs(), f.path("proc"), newProcSource(f.fs(), f.path("proc")))
	now := time.Now()
	update := func(after time.Duration, inodes ...uint32) {
		t.Helper()
		now = now.Add(after)
		set := make(map[uint32]bool)
		for _, inode := range inodes {
			set[inode] = true
		}
		if err := o.update(now, set); err != nil {
			t.Error(err)
		}
		o.cost = 0 // the share of time is looked at elsewhere
	}
	owner := func(inode uint32) int {
		if w := o.of(inode); w != nil {
			return w.pid
		}
		return 0
	}
	update(0, 10, 11, 12, 13)
	for inode, want := range map[uint32]int{10: 401, 11: 401, 12: 400, 13: 0, 99: 0} {
		check(t, fmt.Sprint("owner of ", inode), owner(inode), want)
	}
	if w := o.of(10); w == nil || w.program != "worker" || w.unit != "x.service" || !w.user {
		t.Errorf("the owner is %+v", w)
	}

	f.hold(300, 3, 10) // now the lowest
	update(time.Second, 10, 11, 12, 13)
	check(t, "owner when nothing seems changed", owner(10), 401)
	update(5*time.Second, 10, 11, 12, 13)
	check(t, "owner five seconds later", owner(10), 300)

	update(time.Second, 10, 11, 12, 13, 99)
	check(t, "owner of a new socket", owner(99), 400)

	f.remove("proc/300")
	update(time.Second, 10, 11, 12, 13, 99)
	check(t, "owner after the first ended", owner(10), 401)

	f.replace("proc/401/stat", "(worker)", "(other)")
	update(time.Second, 10, 11, 12, 13, 99)
	check(t, "name after it changed", o.of(10).program, "other")

	f.remove("proc/401/fd")
	f.process(401, 0, 4010) // another process by now
	update(time.Second, 10, 11, 12, 13, 99)
	check(t, "owner after the PID was used again", owner(10), 1500)

	o.cost = time.Second
	f.hold(400, 7, 14)
	before := o.searched
	now = now.Add(time.Second)
	if err := o.update(now, map[uint32]bool{14: true}); err != nil || o.searched != before {
		t.Errorf("a search that takes long is repeated too soon: %v", err)
	}
}

func TestOwnersThatMayNotBeSeen(t *testing.T) {
	f := newStage(t)
	f.hold(303, 3, 10)
	for _, pid := range []string{"1", "2", "40", "300", "301", "302"} {
		f.write("proc/"+pid+"/fd/.keep", "")
	}
	o := newOwners(f.fs(), f.path("proc"), newProcSource(f.fs(), f.path("proc")))
	open := o.sockets
	o.sockets = func(folder string, buffer []byte, visit func(uint32)) error {
		if strings.Contains(folder, "/30") {
			return open(folder, buffer, visit)
		}
		return unix.EACCES
	}
	err := o.update(time.Now(), map[uint32]bool{10: true, 11: true})
	if err == nil || !strings.Contains(err.Error(), "cannot look into 3 of 7 processes") || !strings.Contains(err.Error(), "root") {
		t.Errorf("the reason is %v", err)
	}
	check(t, "owner", o.of(10).pid, 303)
	if again := o.update(time.Now(), map[uint32]bool{10: true, 11: true}); again == nil || again.Error() != err.Error() {
		t.Errorf("without a new search the reason is %v", again)
	}
	o.sockets = func(string, []byte, func(uint32)) error { return errors.New("odd") }
	if err := o.update(time.Now().Add(time.Minute), nil); err == nil || !strings.Contains(err.Error(), "odd") {
		t.Errorf("the reason is %v", err)
	}
}

func FuzzNextEntry(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x18\x00\x0a3\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for left := b; ; {
			name, rest, ok := nextEntry(left)
			if !ok {
				return
			}
			if len(name) == 0 || len(rest) >= len(left) {
				t.Fatalf("%x: name %q, %d bytes left", b, name, len(rest))
			}
			left = rest
		}
	})
}

func TestSocketInode(t *testing.T) {
	for link, want := range map[string]uint32{
		"socket:[12345]": 12345, "socket:[4294967297]": 1, "socket:[]": 0, "socket:[1": 0, "pipe:[7]": 0, "/socket:[7]": 0, "socket:[-7]": 0,
	} {
		if got, ok := socketInode([]byte(link)); got != want || ok != (want != 0) {
			t.Errorf("%s gives %d, %v", link, got, ok)
		}
	}
}
