package collector

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

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

// holdings plays sockets whose owners are looked for on a stage.
type holdings struct {
	*owners
	t       *testing.T
	now     time.Time
	sockets []*socket
}

func newHoldings(f *stage) *holdings {
	return &holdings{newOwners(newProcSource(f.path("proc")), newProcHolders(f.path("proc"))), f.t, time.Now(), nil}
}

// update has just these sockets there, so long after the update before.
func (h *holdings) update(after time.Duration, inodes ...uint32) {
	h.t.Helper()
	h.now = h.now.Add(after)
	for _, s := range h.sockets {
		if !slices.Contains(inodes, s.inode) {
			h.remove(s)
		}
	}
	h.sockets = nil
	for _, inode := range inodes {
		s := h.byInode[inode]
		if s == nil {
			s = &socket{inode: inode}
			h.add(s)
		}
		h.sockets = append(h.sockets, s)
	}
	if err := h.owners.update(h.now, h.sockets, nil); err != nil {
		h.t.Error(err)
	}
	h.quickCost, h.sweepCost = 0, 0 // the share of time is looked at elsewhere
}

func (h *holdings) of(inode uint32) (o owner) {
	if s := h.byInode[inode]; s != nil && s.owner != nil {
		o = *s.owner
	}
	return o
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
	h := newHoldings(f)
	h.update(0, 10, 11, 12, 13)
	for inode, want := range map[uint32]int{10: 401, 11: 401, 12: 400, 13: 0, 99: 0} {
		check(t, fmt.Sprint("owner of ", inode), h.of(inode).pid, want)
	}
	if w := h.of(10); w.program != "worker" || w.unit != "x.service" || !w.user {
		t.Errorf("the owner is %+v", w)
	}

	f.process(300, 0, 300)
	f.hold(300, 3, 10) // now the lowest
	h.update(time.Second, 10, 11, 12, 13)
	check(t, "owner when nothing seems changed", h.of(10).pid, 401)
	h.update(ownersAge, 10, 11, 12, 13)
	check(t, "owner after ownersAge", h.of(10).pid, 300)

	h.update(time.Second, 10, 11, 12, 13, 99)
	check(t, "owner of a new socket", h.of(99).pid, 400)

	f.remove("proc/300")
	h.update(time.Second, 10, 11, 12, 13, 99)
	check(t, "owner after the first ended", h.of(10).pid, 401)

	f.replace("proc/401/stat", "(worker)", "(other)")
	before := h.of(10).edition
	h.update(time.Second, 10, 11, 12, 13, 99)
	check(t, "name after it changed", h.of(10).program, "other")
	check(t, "rows are to be made anew", h.changed && h.of(10).edition != before, true)
	h.update(time.Second, 10, 11, 12, 13, 99)
	check(t, "rows are to be made anew when nothing changed", h.changed, false)

	f.remove("proc/401/fd")
	f.process(401, 0, 4010) // another process by now
	h.update(time.Second, 10, 11, 12, 13, 99)
	check(t, "owner after the PID was used again", h.of(10).pid, 1500)

	h.update(time.Second, 10)
	check(t, "sockets kept when others are gone", len(h.byInode), 1)
	h.update(ownersAge, 10)
	check(t, "owners kept when their sockets are gone", len(h.known), 1)

	h.quickCost = time.Second
	f.hold(1500, 7, 14)
	h.now = h.now.Add(time.Second)
	s := &socket{inode: 14}
	h.add(s)
	if err := h.owners.update(h.now, []*socket{s}, nil); err != nil || s.owner != nil {
		t.Errorf("a search that takes long is repeated too soon: %v", err)
	}
	h.now = h.now.Add(3 * time.Second)
	if err := h.owners.update(h.now, []*socket{s}, nil); err != nil || s.owner == nil {
		t.Errorf("a search that takes long is not repeated: %v", err)
	}
}

// brokenHolders cannot tell.
type brokenHolders struct{ err error }

func (h brokenHolders) search(bool, func(uint32) bool, func(uint32, int)) (bool, error) {
	return true, h.err
}

func TestOwnersThatCannotBeFound(t *testing.T) {
	f := newStage(t)
	o := newOwners(newProcSource(f.path("proc")), brokenHolders{errClosed(3, 7)})
	for range 2 { // also without a new search
		err := o.update(time.Now(), nil, nil)
		if err == nil || !strings.Contains(err.Error(), "cannot look into 3 of 7 processes") || !strings.Contains(err.Error(), "root") {
			t.Errorf("the reason is %v", err)
		}
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

// notedHolders notes when it is searched, in seconds, and how.
type notedHolders struct {
	whole bool // whatever is asked for, everything is searched
	at    int
	notes []string
}

func (h *notedHolders) search(quick bool, _ func(uint32) bool, _ func(uint32, int)) (whole bool, err error) {
	note := "whole"
	if quick {
		note = "quick"
	}
	h.notes = append(h.notes, fmt.Sprint(note, " ", h.at))
	return h.whole || !quick, nil
}

func TestSearchesComeInTime(t *testing.T) {
	for _, c := range []struct {
		whole bool
		fresh int // when a socket comes that nobody holds
		want  string
	}{
		{false, -1, "whole 0, quick 10, quick 20, whole 30"},
		{false, 12, "whole 0, quick 10, quick 12, whole 12, quick 22, quick 32"},
		{true, 12, "whole 0, quick 10, quick 12, quick 22, quick 32"},
	} {
		h := &notedHolders{whole: c.whole}
		o := newOwners(nil, h)
		began := time.Now()
		var sockets []*socket
		for h.at = range 40 {
			if h.at == c.fresh {
				sockets = append(sockets, &socket{inode: 7})
				o.add(sockets[0])
			}
			if err := o.update(began.Add(time.Duration(h.at)*time.Second), sockets, nil); err != nil {
				t.Fatal(err)
			}
			o.quickCost, o.sweepCost = 0, 0
		}
		if got := strings.Join(h.notes, ", "); got != c.want {
			t.Errorf("searches by a source %+v are %s", c, got)
		}
	}
	// Those that take long are made seldom.
	h := &notedHolders{}
	o := newOwners(nil, h)
	began := time.Now()
	for h.at = range 300 {
		if err := o.update(began.Add(time.Duration(h.at)*time.Second), nil, nil); err != nil {
			t.Fatal(err)
		}
		o.quickCost, o.sweepCost = 500*time.Millisecond, 2*time.Second
	}
	if got := strings.Join(h.notes, ", "); got != "whole 0, quick 50, quick 100, quick 150, whole 200, quick 250" {
		t.Errorf("searches that take long are %s", got)
	}
}
