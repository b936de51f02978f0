package collector

import (
	"bytes"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// parseStat reads proc_pid_stat(5): all but the PID, and the resident set in pages. The command stands there as it is, any
// bytes between the first "(" and the last ")".
func parseStat(stat []byte, c *counts) (comm []byte, ok bool) {
	from := bytes.IndexByte(stat, '(')
	to := from
	for { // forwards: many bytes at a time
		n := bytes.IndexByte(stat[to+1:], ')')
		if n < 0 {
			break
		}
		to += n + 1
	}
	if from < 0 || to == from || len(stat) < to+4 {
		return nil, false
	}
	var field [29]uint64 // by their numbers in the manual, from ppid on
	at := to + 3
	for i := 4; i < len(field); i++ {
		if field[i], at, ok = takeNumber(stat, at); !ok {
			return nil, false
		}
	}
	*c = counts{
		at: c.at, state: string(stat[to+2 : to+3]), ppid: int(field[4]), faults: field[10] + field[12],
		used: (field[14] + field[15]) * nanosecondsPerTick, nice: int(field[19]), threads: int(field[20]), start: field[22],
		vsize: field[23], rss: uint64(max(0, int64(field[24]))), traces: traces{code: field[26], stack: field[28]},
	}
	return stat[from+1 : to], true
}

// takeNumber reads a space and a decimal number at a place of a text, and tells where it ends: to make a slice of each number takes longer. Of a
// negative one it gives what converts to int.
func takeNumber(text []byte, at int) (n uint64, end int, ok bool) {
	if at >= len(text) || text[at] != ' ' {
		return 0, at, false
	}
	at++
	negative := at < len(text) && text[at] == '-'
	if negative {
		at++
	}
	first := at
	for ; at < len(text) && '0' <= text[at] && text[at] <= '9'; at++ {
		n = n*10 + uint64(text[at]-'0')
	}
	if negative {
		n = -n
	}
	return n, at, at > first
}

// files reads files of processes without allocating. One goroutine at a time may use it.
type files struct {
	root string
	path []byte // the last one opened, and a zero
	data []byte // what was read, and no more than fits
}

func newFiles(root string, size int) files { return files{root: root, data: make([]byte, size)} }

// open is open(2), which the packages unix and os give a copy of the path each time.
func (f *files) open(pid int, name string) (file int, err error) {
	f.path = append(append(f.path[:0], f.root...), '/')
	f.path = append(append(strconv.AppendInt(f.path, int64(pid), 10), '/'), name...)
	f.path = append(f.path, 0)
	here := unix.AT_FDCWD
	for {
		n, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(here), uintptr(unsafe.Pointer(&f.path[0])), unix.O_RDONLY|unix.O_CLOEXEC, 0, 0, 0)
		if errno == 0 {
			return int(n), nil
		}
		if errno != unix.EINTR {
			return -1, errno
		}
	}
}

// read reads the start of a file, as much as fits. The bytes are good until the next read.
func (f *files) read(pid int, name string) ([]byte, error) {
	file, err := f.open(pid, name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(file)
	for n := 0; ; {
		m, err := unix.Read(file, f.data[n:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n += m; m == 0 || n == len(f.data) {
			return f.data[:n], nil
		}
	}
}
