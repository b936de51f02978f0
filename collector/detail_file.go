package collector

import (
	"bytes"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Bounds of what is read of one process.
const (
	maxDetailFile  = 64 << 10
	maxEnvironment = 256 << 10
	maxDescriptors = 100_000 // looked at
	maxOpen        = 500     // listed one by one
)

// Limit is one resource limit; null is unlimited. Source: proc_pid_limits(5).
type Limit struct {
	Name string  `json:"name"` // as the kernel names it, Max open files
	Soft *uint64 `json:"soft"`
	Hard *uint64 `json:"hard"`
	Unit string  `json:"unit"`
}

// Descriptors are a process's open files. Source: proc_pid_fd(5).
type Descriptors struct {
	Total int            `json:"total"`
	Kinds map[string]int `json:"kinds"` // file directory device socket pipe, or what the kernel names: eventpoll eventfd …
	Open  []Descriptor   `json:"open"`  // the first 500
}

// Descriptor is one open file.
type Descriptor struct {
	FD     int    `json:"fd"`
	Kind   string `json:"kind"`
	Target string `json:"target"`
}

// ProcessMemory is in bytes. Source: proc_pid_smaps(5), the rollup.
type ProcessMemory struct {
	RSS  uint64 `json:"rss"`
	PSS  uint64 `json:"pss"` // with a share of what others have mapped too
	USS  uint64 `json:"uss"` // what its end would free
	Swap uint64 `json:"swap"`
}

// ProcessIO is what a process has read and written since its start, in bytes and calls. Source: proc_pid_io(5).
type ProcessIO struct {
	ReadBytes      uint64 `json:"readBytes"`      // from disks
	WriteBytes     uint64 `json:"writeBytes"`     // to disks
	ReadChars      uint64 `json:"readChars"`      // by read(2) and the like, from anywhere
	WriteChars     uint64 `json:"writeChars"`     // by write(2) and the like
	ReadCalls      uint64 `json:"readCalls"`      // of them
	WriteCalls     uint64 `json:"writeCalls"`     // of them
	CancelledBytes uint64 `json:"cancelledBytes"` // written, and gone before they were on a disk
}

// ProcessStatus is what proc_pid_status(5) tells beyond the row of a list.
type ProcessStatus struct {
	RealUser            string `json:"realUser"`
	GID                 uint64 `json:"gid"`     // effective
	PeakRSS             uint64 `json:"peakRss"` // bytes
	TracerPID           int    `json:"tracerPid"`
	NoNewPrivileges     bool   `json:"noNewPrivileges"`
	Seccomp             string `json:"seccomp" ts:"'' | 'off' | 'strict' | 'filter'"`
	VoluntarySwitches   uint64 `json:"voluntarySwitches"`
	InvoluntarySwitches uint64 `json:"involuntarySwitches"`
}

// Variable is one of the environment. Source: proc_pid_environ(5).
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// parseLimits reads a table whose first column is 26 wide; lines that do not fit are passed over.
func parseLimits(file string) []Limit {
	const column = 26
	limits := []Limit{}
	for line := range strings.Lines(file) {
		if len(line) < column || strings.HasPrefix(line, "Limit ") {
			continue
		}
		rest := strings.Fields(line[column:])
		if len(rest) < 2 {
			continue
		}
		soft, ok1 := parseLimit(rest[0])
		hard, ok2 := parseLimit(rest[1])
		if !ok1 || !ok2 {
			continue
		}
		l := Limit{Name: clean(strings.TrimSpace(line[:column]), maxName), Soft: soft, Hard: hard}
		if len(rest) > 2 {
			l.Unit = clean(rest[2], maxName)
		}
		limits = append(limits, l)
	}
	return limits
}

func parseLimit(text string) (*uint64, bool) {
	if text == "unlimited" {
		return nil, true
	}
	n, err := strconv.ParseUint(text, 10, 64)
	return &n, err == nil
}

// parsePairs calls visit for each "Name: value …" of a file, with the value's words.
func parsePairs(file string, visit func(name string, value []string)) {
	for line := range strings.Lines(file) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			if words := strings.Fields(value); len(words) > 0 {
				visit(name, words)
			}
		}
	}
}

func number(words []string) uint64 {
	n, err := strconv.ParseUint(words[0], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// kibibytes is a figure that the kernel tells in kB, in bytes.
func kibibytes(words []string) uint64 {
	n := number(words)
	if n > 1<<53 {
		return 0
	}
	return n << 10
}

func parseRollup(file string) *ProcessMemory {
	var m ProcessMemory
	parsePairs(file, func(name string, value []string) {
		switch name {
		case "Rss":
			m.RSS = kibibytes(value)
		case "Pss":
			m.PSS = kibibytes(value)
		case "Private_Clean", "Private_Dirty", "Private_Hugetlb":
			m.USS += kibibytes(value)
		case "Swap":
			m.Swap = kibibytes(value)
		}
	})
	return &m
}

func parseIO(file string) *ProcessIO {
	var io ProcessIO
	figures := map[string]*uint64{
		"read_bytes": &io.ReadBytes, "write_bytes": &io.WriteBytes, "rchar": &io.ReadChars, "wchar": &io.WriteChars,
		"syscr": &io.ReadCalls, "syscw": &io.WriteCalls, "cancelled_write_bytes": &io.CancelledBytes,
	}
	parsePairs(file, func(name string, value []string) {
		if figure := figures[name]; figure != nil {
			*figure = number(value)
		}
	})
	return &io
}

func parseStatus(file string, users *users) *ProcessStatus {
	var s ProcessStatus
	parsePairs(file, func(name string, value []string) {
		switch name {
		case "Uid": // real, effective, saved, file system
			s.RealUser = users.name(uint32(number(value)))
		case "Gid":
			if len(value) > 1 {
				s.GID = number(value[1:])
			}
		case "VmHWM":
			s.PeakRSS = kibibytes(value)
		case "TracerPid":
			s.TracerPID = int(number(value))
		case "NoNewPrivs":
			s.NoNewPrivileges = value[0] == "1"
		case "Seccomp":
			s.Seccomp = map[string]string{"0": "off", "1": "strict", "2": "filter"}[value[0]]
		case "voluntary_ctxt_switches":
			s.VoluntarySwitches = number(value)
		case "nonvoluntary_ctxt_switches":
			s.InvoluntarySwitches = number(value)
		}
	})
	return &s
}

// parseEnvironment reads what the process was started with, or has put in its place: a program may use the room for
// anything, so a part without "=" is a name without a value.
func parseEnvironment(data []byte) []Variable {
	list := []Variable{}
	for part := range bytes.SplitSeq(data, []byte{0}) {
		if len(part) == 0 {
			continue
		}
		name, value, _ := strings.Cut(string(part), "=")
		list = append(list, Variable{Name: clean(name, maxName), Value: clean(value, maxCmdline)})
	}
	return list
}

// readDescriptors reads the folder fd of a process, and notes the inodes of its sockets. Cut tells that there were more
// than are looked at.
func readDescriptors(folder string, inodes map[uint32]bool) (d *Descriptors, cut bool, err error) {
	dir, err := unix.Open(folder, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, false, err
	}
	defer unix.Close(dir)
	d = &Descriptors{Kinds: map[string]int{}, Open: []Descriptor{}}
	buffer, link := make([]byte, 32<<10), make([]byte, maxCmdline+1)
	for {
		n, err := unix.Getdents(dir, buffer)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, false, err
		}
		if n <= 0 {
			return d, false, nil
		}
		for entries := buffer[:n]; ; {
			name, rest, ok := nextEntry(entries)
			if !ok {
				break
			}
			entries = rest
			fd, err := strconv.Atoi(string(name))
			if err != nil {
				continue
			}
			if d.Total == maxDescriptors {
				return d, true, nil
			}
			n, err := unix.Readlinkat(dir, string(name), link)
			if err != nil {
				continue // closed meanwhile
			}
			target := link[:n]
			if inode, ok := socketInode(target); ok {
				inodes[inode] = true
			}
			kind := descriptorKind(dir, string(name), string(target))
			d.Total++
			d.Kinds[kind]++
			if len(d.Open) < maxOpen {
				d.Open = append(d.Open, Descriptor{FD: fd, Kind: kind, Target: clean(string(target), maxCmdline)})
			}
		}
	}
}

// descriptorKind tells what a descriptor is. What has a path is looked at, without asking the server of a network file system,
// which may not answer.
func descriptorKind(dir int, name, target string) string {
	if !filepath.IsAbs(target) {
		kind, rest, _ := strings.Cut(target, ":")
		if kind == "anon_inode" {
			kind = strings.Trim(rest, "[]")
		}
		return clean(kind, maxName)
	}
	if strings.HasPrefix(target, "/memfd:") {
		return "memfd"
	}
	var info unix.Statx_t
	if err := unix.Statx(dir, name, unix.AT_STATX_DONT_SYNC|unix.AT_NO_AUTOMOUNT, unix.STATX_TYPE, &info); err != nil {
		return "file"
	}
	switch info.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return "directory"
	case unix.S_IFCHR, unix.S_IFBLK:
		return "device"
	case unix.S_IFIFO:
		return "pipe"
	case unix.S_IFSOCK:
		return "socket"
	}
	return "file"
}
