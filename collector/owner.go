package collector

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

const (
	// ownersAge is how old the knowledge of who holds which socket may be. A socket can be passed on without a trace.
	ownersAge = 5 * time.Second
	// ownersShare keeps the search for owners from taking more than a fifth of the time on a host where sockets come and go.
	ownersShare = 4
)

// owners knows which process holds which socket: of several, the one with the lowest PID. It looks through the open
// files of all processes, which is the most costly reading there is, so it does that only when something has changed.
type owners struct {
	fs       procfs.FS
	proc     string
	source   processSource
	sockets  func(folder string, buffer []byte, visit func(inode uint32)) error
	holders  map[uint32]int // PIDs by inode; 0 for a socket that no process is known to hold
	known    map[int]*owner // by PID
	searched time.Time
	cost     time.Duration // of the last search
	closed   int           // processes that we may not look into
	total    int
	failure  error
}

// owner is what is told of a process beside its sockets.
type owner struct {
	pid     int
	start   uint64
	program string
	unit    string
	user    bool // a user's manager runs the unit
}

func newOwners(fs procfs.FS, proc string, source processSource) *owners {
	return &owners{fs: fs, proc: proc, source: source, sockets: socketsOf, holders: make(map[uint32]int), known: make(map[int]*owner)}
}

// of is the owner of a socket, or nil.
func (o *owners) of(inode uint32) *owner { return o.known[o.holders[inode]] }

// update makes the owners of these sockets known. Its error says whose could not be found out.
func (o *owners) update(now time.Time, inodes map[uint32]bool) error {
	if o.due(now, inodes) {
		o.search(inodes)
		o.searched, o.cost = now, time.Since(now)
	}
	switch {
	case o.failure != nil:
		return o.failure
	case o.closed > 0:
		return fmt.Errorf("cannot look into %d of %d processes, so the owners of their sockets are unknown: run topdeck as root", o.closed, o.total)
	}
	return nil
}

func (o *owners) due(now time.Time, inodes map[uint32]bool) bool {
	age := now.Sub(o.searched)
	if age >= ownersAge {
		return true
	}
	changed := false
	for inode := range inodes {
		if _, ok := o.holders[inode]; !ok {
			changed = true
			break
		}
	}
	if !changed {
		changed = o.refresh()
	}
	return changed && age >= ownersShare*o.cost
}

// refresh reads the owners' names anew, and tells whether one of them has ended.
func (o *owners) refresh() (ended bool) {
	for pid, old := range o.known {
		c, err := o.source.counts(pid)
		if err != nil || c.start != old.start {
			delete(o.known, pid)
			ended = true
			continue
		}
		old.program = clean(c.comm, maxName)
	}
	return ended
}

// search looks for the sockets through all processes, from the lowest PID on.
func (o *owners) search(inodes map[uint32]bool) {
	o.closed, o.total, o.failure = 0, 0, nil
	list, err := o.fs.AllProcs()
	if err != nil {
		o.failure = fmt.Errorf("cannot list processes: %w", err)
		return
	}
	slices.SortFunc(list, func(a, b procfs.Proc) int { return cmp.Compare(a.PID, b.PID) })
	holders := make(map[uint32]int, len(inodes))
	known := make(map[int]*owner)
	buffer := make([]byte, 32<<10)
	for _, p := range list {
		holds := false
		err := o.sockets(filepath.Join(o.proc, strconv.Itoa(p.PID), "fd"), buffer, func(inode uint32) {
			if _, taken := holders[inode]; !taken && inodes[inode] {
				holders[inode] = p.PID
				holds = true
			}
		})
		o.total++
		switch {
		case errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM):
			o.closed++
		case gone(err) == errGone:
			o.total--
		case err != nil:
			o.failure = fmt.Errorf("cannot read the open files of process %d: %w", p.PID, err)
		}
		if holds {
			known[p.PID] = o.describe(p.PID)
		}
	}
	for inode := range inodes {
		if _, found := holders[inode]; !found {
			holders[inode] = 0
		}
	}
	o.holders, o.known = holders, known
}

func (o *owners) describe(pid int) *owner {
	w := &owner{pid: pid}
	if c, err := o.source.counts(pid); err == nil {
		w.start, w.program = c.start, clean(c.comm, maxName)
	}
	if d, err := o.source.details(pid); err == nil {
		w.unit, w.user = d.unit, d.userUnit
	}
	return w
}

// socketsOf calls visit with the inode of each socket that a process has open; folder is its /proc/PID/fd, proc_pid_fd(5).
func socketsOf(folder string, buffer []byte, visit func(inode uint32)) error {
	dir, err := unix.Open(folder, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	var link [64]byte
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
			entries = rest
			if name[0] == '.' {
				continue
			}
			// A descriptor that was closed meanwhile is no error.
			if n, err := unix.Readlinkat(dir, string(name), link[:]); err == nil {
				if inode, ok := socketInode(link[:n]); ok {
					visit(inode)
				}
			}
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
