package collector

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// maxDetailing is how many processes are read in depth at once. Their memory maps cost the kernel time.
const maxDetailing = 4

// ErrEnded says that there is no such process, or not any more.
var ErrEnded = errors.New("there is no such process")

// ProcessDetail is one process in depth. Texts are clean, as in Process. What cannot be had is empty or null, and its reason stands in
// Errors under its JSON name. Source: the files of proc_pid(5) that each part names.
type ProcessDetail struct {
	Process     Process           `json:"process"`
	CWD         string            `json:"cwd"`
	Executable  string            `json:"exe"`
	CGroup      string            `json:"cgroup"` // path in the unified hierarchy, or in systemd's own
	Limits      []Limit           `json:"limits"`
	Descriptors *Descriptors      `json:"descriptors"`
	Memory      *ProcessMemory    `json:"memory"`
	IO          *ProcessIO        `json:"io"`
	Status      *ProcessStatus    `json:"status"`
	Sockets     []Socket          `json:"sockets"`              // those of this network namespace that it holds, alone or with others
	Children    []Process         `json:"children"`             // by PID
	Environment []Variable        `json:"environment,omitzero"` // absent unless it was asked for
	Errors      map[string]string `json:"errors"`

	inodes map[uint32]bool // of its sockets
}

// Detailer reads single processes in depth. Its methods may be called from any goroutine.
type Detailer struct {
	fs     procfs.FS
	source processSource
	proc   string
	etc    string
	slots  chan struct{}
}

// NewDetailer reads below the roots proc and etc; empty means /proc and /etc.
func NewDetailer(proc, etc string) (*Detailer, error) {
	if proc == "" {
		proc = "/proc"
	}
	if etc == "" {
		etc = "/etc"
	}
	fs, err := procfs.NewFS(proc)
	if err != nil {
		return nil, fmt.Errorf("cannot read processes without the proc file system at %s: %w", proc, err)
	}
	return &Detailer{fs: fs, source: newProcSource(proc), proc: proc, etc: etc, slots: make(chan struct{}, maxDetailing)}, nil
}

// Detail reads the process that has this PID now; its environment, which may hold secrets, only where that is asked for. What
// takes a sample (CPU percent, sockets, children) is left to Complete. ErrEnded: there is no such process, or it ended, or
// its PID became another's, while it was read; so parts of two processes are never mixed.
func (d *Detailer) Detail(ctx context.Context, pid int, environment bool) (*ProcessDetail, error) {
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	before, err := d.source.counts(pid)
	if err != nil {
		return nil, ended(err)
	}
	read := d.read(&before, environment)
	after, err := d.source.counts(pid)
	switch {
	case err != nil:
		return nil, ended(err)
	case after.start != before.start:
		return nil, ErrEnded
	}
	return read, nil
}

// ended tells ErrEnded from what else went wrong.
func ended(err error) error {
	if errors.Is(err, errGone) {
		return ErrEnded
	}
	return fmt.Errorf("cannot read the process: %w", err)
}

// read reads all parts, each of which may fail alone.
func (d *Detailer) read(c *counts, environment bool) *ProcessDetail {
	out := &ProcessDetail{Limits: []Limit{}, Sockets: []Socket{}, Children: []Process{}, Errors: map[string]string{}, inodes: map[uint32]bool{}}
	out.Process = d.row(c)
	folder := filepath.Join(d.proc, strconv.Itoa(c.pid))
	part := func(name string, err error) bool {
		if err != nil {
			out.Errors[name] = missing(c, err)
		}
		return err == nil
	}
	file := func(name, file string, limit int64, parse func(data []byte)) {
		data, err := readBounded(filepath.Join(folder, file), limit)
		if part(name, err) {
			parse(data)
		}
	}
	link := func(name, file string, to *string) {
		target, err := os.Readlink(filepath.Join(folder, file))
		if part(name, err) {
			*to = clean(target, maxCmdline)
		}
	}
	link("cwd", "cwd", &out.CWD)
	link("exe", "exe", &out.Executable)
	file("cgroup", "cgroup", maxGroups, func(data []byte) {
		g := parseGroups(string(data))
		out.CGroup = clean(first(g.unified, g.named), maxCmdline)
	})
	file("limits", "limits", maxDetailFile, func(data []byte) { out.Limits = parseLimits(string(data)) })
	file("memory", "smaps_rollup", maxDetailFile, func(data []byte) { out.Memory = parseRollup(string(data)) })
	file("io", "io", maxDetailFile, func(data []byte) { out.IO = parseIO(string(data)) })
	file("status", "status", maxDetailFile, func(data []byte) { out.Status = parseStatus(string(data), d.users()) })
	descriptors, cut, err := readDescriptors(filepath.Join(folder, "fd"), out.inodes)
	switch {
	case !part("descriptors", err):
		out.Errors["sockets"] = out.Errors["descriptors"]
	case cut:
		out.Errors["descriptors"] = fmt.Sprintf("only the first %d were looked at", maxDescriptors)
		fallthrough
	default:
		out.Descriptors = descriptors
	}
	if len(out.inodes) > 0 && d.elsewhere(folder) {
		out.Errors["sockets"] = "it is in another network namespace, as those of containers are, and only sockets of topdeck's own are looked at"
	}
	if environment {
		out.Environment = []Variable{}
		file("environment", "environ", maxEnvironment+1, func(data []byte) {
			if len(data) > maxEnvironment {
				data = data[:maxEnvironment]
				out.Errors["environment"] = fmt.Sprintf("only the first %d KiB are shown", maxEnvironment>>10)
			}
			out.Environment = parseEnvironment(data)
		})
	}
	return out
}

// elsewhere tells whether a process is known to be in another network namespace than this one. Source: proc_pid_ns(5).
func (d *Detailer) elsewhere(folder string) bool {
	own, err := os.Readlink(filepath.Join(d.proc, "self/ns/net"))
	if err != nil {
		return false
	}
	its, err := os.Readlink(filepath.Join(folder, "ns/net"))
	return err == nil && its != own
}

// users knows today's names; it is cheap beside the rest.
func (d *Detailer) users() *users {
	users := newUsers(d.etc)
	users.refresh()
	return users
}

// row is the process as a list has it, but for its CPU percent.
func (d *Detailer) row(c *counts) Process {
	p := Process{
		PID: c.pid, StartTime: c.start, PPID: c.ppid, State: c.state, Nice: c.nice, Comm: clean(c.comm, maxName),
		RSS: c.rss, VSize: c.vsize, Threads: c.threads,
	}
	if stat, err := d.fs.Stat(); err == nil {
		p.StartedAt = time.Unix(int64(stat.BootTime), 0).Add(sinceBoot(c.start)).UTC()
	}
	if details, err := d.source.details(c.pid); err == nil {
		p.User = d.users().name(details.uid)
		p.Cmdline, p.Argv0, p.Unit, p.Slice, p.UserUnit = details.cmdline, details.argv0, details.unit, details.slice, details.userUnit
	}
	return p
}

// missing tells why a part of a process cannot be had.
func missing(c *counts, err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "not permitted: run topdeck as root"
	case gone(err) != errGone && !errors.Is(err, syscall.EINVAL):
		return "cannot be read: " + err.Error()
	case c.state == "Z":
		return "none: the process has ended and waits for its parent to notice"
	case c.vsize == 0:
		return "none: this is a thread of the kernel"
	}
	return "this kernel does not tell"
}

// Complete adds what a sample with processes and sockets knows of the process: its CPU percent, its sockets and its
// children. A sample that does not hold the process, because it is younger, adds the other two.
func (d *ProcessDetail) Complete(s *Sample) {
	for _, p := range s.Processes {
		switch {
		case p.PID == d.Process.PID && p.StartTime == d.Process.StartTime:
			d.Process = *p
		case p.PPID == d.Process.PID && p.StartTime >= d.Process.StartTime:
			d.Children = append(d.Children, *p)
		}
	}
	for _, socket := range s.Sockets {
		if d.inodes[socket.Inode] && socket.Inode != 0 {
			d.Sockets = append(d.Sockets, *socket)
		}
	}
	for field, part := range map[string]string{"children": "processes", "sockets": "sockets"} {
		if reason := s.Errors[part]; reason != "" {
			d.Errors[field] = reason
		}
	}
}
