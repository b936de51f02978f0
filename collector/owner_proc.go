package collector

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// A readlink of every descriptor of every process costs 50 µs a process and 4 µs a socket. What a search finds is therefore
// kept, and a quick one looks into new processes and into those where the number of open descriptors has changed (2 µs a
// process to tell) or where a socket was closed; and there only at the descriptors that did not stand for a socket which still
// lives. What escapes it, such as a file that took the place of a socket which another process holds too, the next whole search
// finds.

// procHolders finds the holders of sockets through /proc/PID/fd, proc_pid_fd(5).
type procHolders struct {
	root    string
	tables  map[int]*descriptorTable // by PID
	counted bool                     // the size of /proc/PID/fd is the number of open descriptors (Linux 6.2 and later)
	number  uint64                   // of the search
	folders []byte                   // buffers of getdents(2)
	entries []byte
	spare   []heldSocket
}

// descriptorTable is what a search found of one process.
type descriptorTable struct {
	inode   uint64 // of the folder: that of another process has another
	size    int64
	number  uint64 // of the last search that met it
	denied  bool
	sockets []heldSocket
}

// heldSocket is a descriptor that stands for a socket.
type heldSocket struct {
	descriptor, inode uint32
	live              bool // it was a TCP or UDP socket that is there
}

func newProcHolders(root string) *procHolders {
	h := &procHolders{root: root, tables: make(map[int]*descriptorTable), folders: make([]byte, 32<<10), entries: make([]byte, 32<<10)}
	var info unix.Stat_t
	h.counted = unix.Stat(root+"/self/fd", &info) == nil && info.Size > 0
	return h
}

func (h *procHolders) search(quick bool, live func(uint32) bool, visit func(uint32, int)) (whole bool, err error) {
	dir, err := unix.Open(h.root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, fmt.Errorf("cannot list processes: %w", os.NewSyscallError("open", err))
	}
	defer unix.Close(dir)
	h.number++
	closed, total := 0, 0
	var failure error
	err = eachEntry(dir, h.folders, func(name []byte) {
		pid, ok := decimal(name)
		if !ok {
			return
		}
		t, err := h.look(dir, int(pid), quick, live)
		switch {
		case gone(err) == errGone:
			return
		case errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM):
			closed++
		case err != nil:
			failure = fmt.Errorf("cannot read the open files of process %d: %w", pid, err)
		}
		total++
		if t == nil {
			return
		}
		t.number = h.number
		for i := range t.sockets {
			visit(t.sockets[i].inode, int(pid))
		}
	})
	for pid, t := range h.tables {
		if t.number != h.number {
			delete(h.tables, pid)
		}
	}
	switch {
	case err != nil:
		failure = fmt.Errorf("cannot list processes: %w", err)
	case failure == nil && closed > 0:
		failure = errClosed(closed, total)
	}
	return !quick, failure
}

// look tells what sockets a process holds.
func (h *procHolders) look(proc, pid int, quick bool, live func(uint32) bool) (*descriptorTable, error) {
	folder := strconv.Itoa(pid) + "/fd"
	var info unix.Stat_t
	if err := unix.Fstatat(proc, folder, &info, 0); err != nil {
		return nil, err
	}
	t := h.tables[pid]
	if t == nil || t.inode != info.Ino {
		t = &descriptorTable{inode: info.Ino, size: -1}
		h.tables[pid] = t
	}
	if quick && h.counted && t.size == info.Size && t.stands(live) {
		if t.denied {
			return t, unix.EACCES
		}
		return t, nil
	}
	t.size = info.Size
	old := t.sockets
	if !quick || pid == os.Getpid() { // in the place of what we closed may be the very folder that is read
		old = nil
	}
	err := h.list(proc, folder, t, old, live)
	t.denied = errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)
	return t, err
}

// stands tells whether the sockets are all there that were.
func (t *descriptorTable) stands(live func(uint32) bool) bool {
	for i := range t.sockets {
		s := &t.sockets[i]
		now := live(s.inode)
		if s.live && !now {
			return false
		}
		s.live = now
	}
	return true
}

// list reads the descriptors of one process. What an earlier search found of one is believed while that socket lives.
func (h *procHolders) list(proc int, folder string, t *descriptorTable, old []heldSocket, live func(uint32) bool) error {
	found := h.spare[:0]
	defer func() {
		t.sockets = append(t.sockets[:0], found...)
		h.spare = found
	}()
	dir, err := unix.Openat(proc, folder, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	var link [64]byte
	return eachEntry(dir, h.entries, func(name []byte) {
		descriptor, ok := decimal(name)
		if !ok {
			return
		}
		for len(old) > 0 && old[0].descriptor < descriptor { // both are in ascending order
			old = old[1:]
		}
		if len(old) > 0 && old[0].descriptor == descriptor && old[0].live && live(old[0].inode) {
			found = append(found, old[0])
			return
		}
		n, err := unix.Readlinkat(dir, string(name), link[:])
		if err != nil {
			return // closed meanwhile
		}
		if inode, ok := socketInode(link[:n]); ok {
			found = append(found, heldSocket{descriptor, inode, live(inode)})
		}
	})
}

// eachEntry calls visit for each name in an open folder, which visit must not keep.
func eachEntry(dir int, buffer []byte, visit func(name []byte)) error {
	for {
		n, err := unix.Getdents(dir, buffer)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return err
		}
		for entries := buffer[:n]; ; {
			name, rest, ok := nextEntry(entries)
			if !ok {
				break
			}
			visit(name)
			entries = rest
		}
	}
}

// nextEntry takes the first name off a buffer of struct linux_dirent64, getdents(2).
func nextEntry(b []byte) (name, rest []byte, ok bool) {
	const nameOffset = 19
	if len(b) < nameOffset+1 {
		return nil, nil, false
	}
	size := int(binary.NativeEndian.Uint16(b[16:]))
	if size <= nameOffset || size > len(b) {
		return nil, nil, false
	}
	name, _, _ = bytes.Cut(b[nameOffset:size], []byte{0})
	return name, b[size:], len(name) > 0
}

// decimal reads a number that is a whole name.
func decimal(name []byte) (n uint32, ok bool) {
	if len(name) == 0 || len(name) > 9 {
		return 0, false
	}
	for _, c := range name {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + uint32(c-'0')
	}
	return n, true
}

// socketInode reads the inode from what a descriptor points to, "socket:[12345]".
func socketInode(link []byte) (uint32, bool) {
	rest, ok := bytes.CutPrefix(link, []byte("socket:["))
	digits, whole := bytes.CutSuffix(rest, []byte("]"))
	if !ok || !whole {
		return 0, false
	}
	n, err := strconv.ParseUint(string(digits), 10, 64)
	return uint32(n), err == nil // sock_diag tells the lower half of the number
}
