package collector

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The tests of this file ask both sources of sockets' owners on this machine. They tell the same, with one exception: what is
// held only by a thread with a table of descriptors of its own, or by a process whose first thread has ended, has an owner by
// BPF and none by /proc/PID/fd, which is the first thread's table.

// eachHolderSource runs a test with each source; age is how long ago the last reading was, as the sockets' reader sees it.
func eachHolderSource(t *testing.T, test func(t *testing.T, read func(age time.Duration) map[string]Socket)) {
	needs(t, "root, to see whose all sockets are", os.Getuid() == 0)
	for name, holders := range map[string]holderSource{"bpf": realBPFHolders(t), "proc": newProcHolders("/proc")} {
		t.Run(name, func(t *testing.T) {
			r := realSocketReader(t, holders)
			now := time.Now()
			test(t, func(age time.Duration) map[string]Socket {
				now = now.Add(age)
				return readSockets(t, r, now)
			})
		})
	}
}

func readSockets(t *testing.T, r *socketReader, now time.Time) map[string]Socket {
	t.Helper()
	r.owners.quickCost, r.owners.sweepCost = 0, 0 // on a loaded machine too, what is due is done
	rows, err, ownersError := r.read(now, nil)
	if err != nil || ownersError != nil {
		t.Fatal(err, ownersError)
	}
	sockets := make(map[string]Socket, len(rows))
	for _, row := range rows {
		sockets[row.Cookie] = *row
	}
	return sockets
}

// listening opens a socket and tells its cookie. (net.Listen's is one of MPTCP, whose cookie is not that of the TCP socket below.)
func listening(t *testing.T) (file *os.File, cookie string) {
	t.Helper()
	fd := must[int](t)(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))
	file = os.NewFile(uintptr(fd), "listener")
	t.Cleanup(func() { file.Close() })
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	return file, strconv.FormatUint(must[uint64](t)(unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)), 10)
}

func TestOwnerSourcesAgree(t *testing.T) {
	needs(t, "root, to see whose all sockets are", os.Getuid() == 0)
	connections(t)
	startHelper(t, "crowd", "300").line()
	crowd(t)
	bpf, proc := realSocketReader(t, realBPFHolders(t)), realSocketReader(t, newProcHolders("/proc"))
	now := time.Now()
	held, free := 0, 0
	agree(t, func() (differences []string) {
		now = now.Add(ownersAge)
		byProc := readSockets(t, proc, now)
		byBPF := readSockets(t, bpf, now)
		held, free = 0, 0
		for cookie, a := range byProc {
			b, ok := byBPF[cookie]
			if ok && (a.PID != b.PID || a.Program != b.Program || a.Unit != b.Unit || a.Inode != b.Inode) {
				differences = append(differences, fmt.Sprintf("by /proc %+v, by BPF %+v", a, b))
			}
			if a.PID != 0 {
				held++
			} else {
				free++
			}
		}
		return differences
	})
	if held < 300+40 || free < 40 { // those of connections, and its TIME_WAIT
		t.Errorf("%d sockets have owners and %d have none", held, free)
	}
}

// A new socket has its owner in the first reading that shows it, and what two processes hold goes to the one that is left.
func TestNewAndSharedSockets(t *testing.T) {
	eachHolderSource(t, func(t *testing.T, read func(time.Duration) map[string]Socket) {
		read(0)
		file, cookie := listening(t)
		check(t, "owner of a new socket", read(time.Second)[cookie].PID, os.Getpid())

		first, second := startHelperWith(t, []*os.File{file}, "wait"), startHelperWith(t, []*os.File{file}, "wait")
		first.line()
		second.line()
		file.Close()
		lowest, other := first, second
		if other.pid < lowest.pid { // PIDs wrap around
			lowest, other = other, lowest
		}
		check(t, "owner after ours was closed, ten seconds later", read(ownersAge)[cookie].PID, lowest.pid)
		lowest.end()
		check(t, "owner after that process ended, at once", read(time.Second)[cookie].PID, other.pid)
		other.end()
		if s, ok := read(time.Second)[cookie]; ok {
			t.Errorf("the socket is still there: %+v", s)
		}
	})
}

// A socket that is passed on leaves no trace in what sock_diag tells: its owner is right again after ownersAge. One that is on its
// way belongs to nobody, like those that the kernel itself holds.
func TestPassedSockets(t *testing.T) {
	eachHolderSource(t, func(t *testing.T, read func(time.Duration) map[string]Socket) {
		pair := must[[2]int](t)(unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))
		theirs := os.NewFile(uintptr(pair[1]), "theirs")
		defer unix.Close(pair[0])
		defer theirs.Close()
		file, cookie := listening(t)
		check(t, "owner at first", read(0)[cookie].PID, os.Getpid())

		if err := unix.Sendmsg(pair[0], []byte{1}, unix.UnixRights(int(file.Fd())), nil, 0); err != nil {
			t.Fatal(err)
		}
		file.Close()
		s, ok := read(ownersAge)[cookie]
		if !ok || s.PID != 0 || s.Program != "" || s.Inode == 0 || s.State != "LISTEN" {
			t.Errorf("on its way the socket is %+v, %v", s, ok)
		}
		receiver := startHelperWith(t, []*os.File{theirs}, "receive")
		receiver.line()
		s = read(ownersAge)[cookie]
		check(t, "owner after it was received", s.PID, receiver.pid)
		check(t, "its program", s.Program, must[counts](t)(newProcSource("/proc").counts(receiver.pid)).comm)
	})
}

// What nobody holds is not searched for again and again.
func TestSocketsOfNobodyAreSearchedOnce(t *testing.T) {
	needs(t, "root, to see whose all sockets are", os.Getuid() == 0)
	counted := &countingHolders{holderSource: newProcHolders("/proc")}
	r := realSocketReader(t, counted)
	now := time.Now()
	readSockets(t, r, now)
	pair := must[[2]int](t)(unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	file, cookie := listening(t)
	if err := unix.Sendmsg(pair[0], []byte{1}, unix.UnixRights(int(file.Fd())), nil, 0); err != nil {
		t.Fatal(err)
	}
	file.Close()
	s, ok := readSockets(t, r, now.Add(time.Second))[cookie]
	if !ok || s.PID != 0 {
		t.Errorf("the socket is %+v, %v", s, ok)
	}
	// Other programs' sockets may come at any time; but not each time.
	agree(t, func() (differences []string) {
		counted.searches = 0
		now = now.Add(time.Second)
		if now.Sub(r.owners.searched) < ownersAge {
			readSockets(t, r, now)
			if counted.searches > 0 {
				return []string{fmt.Sprint(counted.searches, " searches")}
			}
		}
		return nil
	})
}

type countingHolders struct {
	holderSource
	searches int
}

func (h *countingHolders) search(quick bool, live func(uint32) bool, visit func(uint32, int)) (bool, error) {
	h.searches++
	return h.holderSource.search(quick, live, visit)
}

// A quick search of /proc looks into processes that have changed; a whole one finds what it cannot see.
func TestQuickSearch(t *testing.T) {
	h := newProcHolders("/proc")
	helper := startHelper(t, "descriptors")
	helper.line()
	inode := func(descriptor string) uint32 {
		t.Helper()
		link := must[string](t)(os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", helper.pid, descriptor)))
		n, ok := socketInode([]byte(link))
		if !ok {
			t.Fatalf("%s is no socket", link)
		}
		return n
	}
	var there []uint32
	search := func(quick bool) (found []uint32) {
		t.Helper()
		whole, err := h.search(quick, func(inode uint32) bool { return slices.Contains(there, inode) }, func(inode uint32, pid int) {
			if pid == helper.pid && slices.Contains(there, inode) {
				found = append(found, inode)
			}
		})
		if err != nil && !strings.Contains(err.Error(), "root") || whole == quick {
			t.Errorf("whole %v, %v", whole, err)
		}
		return found
	}
	finds := func(what string, quick bool) {
		t.Helper()
		if found := search(quick); !slices.Equal(found, there) {
			t.Errorf("%s: found %v, want %v", what, found, there)
		}
	}
	listen := func() uint32 { return inode(helper.do("listen")) }

	first := helper.do("listen")
	there = []uint32{inode(first)}
	finds("at first", true)
	there = append(there, listen())
	finds("one more", true)
	late := listen()
	finds("one more that the kernel did not tell of yet", true)
	there = append(there, late)
	finds("that one", true)

	helper.do("close " + first)
	there[0] = listen()
	finds("another in the place of one that is gone", true)

	file := helper.do("file")
	finds("a file", true)
	helper.do("close " + file)
	there = append(there, listen())
	if found := search(true); h.counted && len(found) != len(there)-1 {
		t.Errorf("a socket in the place of a file: a quick search finds %v, which it cannot see", found)
	}
	finds("a socket in the place of a file", false)

	helper.end()
	if found := search(true); len(found) > 0 || h.tables[helper.pid] != nil {
		t.Errorf("after the end: %v", found)
	}
}
