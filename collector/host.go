package collector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// HostConfig tells a HostReader where to read. What is empty means the running host.
type HostConfig struct {
	Root           string           // holds /run, /usr, /var and the marks that containers leave
	Proc, Sys, Etc string           // roots of their own; empty means those below Root
	Bus            string           // D-Bus address that reaches systemd; empty means the sockets below Root/run
	Now            func() time.Time // nil means time.Now
	Source         func() Source    // what the Collector says; nil when nobody collects, from /proc
}

// HostReader reads the facts of the host and its scheduled tasks, each time anew. It is safe for concurrent use.
type HostReader struct {
	root, proc, sys, etc string
	bus                  string
	now                  func() time.Time
	source               func() Source
	timers               timerCache
}

// NewHostReader returns a reader; it reads nothing yet.
func NewHostReader(config HostConfig) *HostReader {
	if config.Root == "" {
		config.Root = "/"
	}
	below := func(path, name string) string {
		if path == "" {
			return filepath.Join(config.Root, name)
		}
		return path
	}
	r := &HostReader{
		root: config.Root,
		proc: below(config.Proc, "proc"),
		sys:  below(config.Sys, "sys"),
		etc:  below(config.Etc, "etc"),
		bus:  config.Bus,
		now:  config.Now,

		source: config.Source,
	}
	if r.source == nil {
		r.source = func() Source { return Source{Name: "proc"} }
	}
	if r.now == nil {
		r.now = time.Now
	}
	return r
}

// Host reads the facts of the host. It always returns them: what cannot be had is told in Errors. ServiceManagers is left
// empty. It takes a few milliseconds, and at most about a second when systemd does not answer; callers within two seconds
// share what systemd said.
// Sources: proc_sys_kernel(5), os-release(5), proc_stat(5), proc_cpuinfo(5), proc_meminfo(5), proc_uptime(5), uname(2).
func (r *HostReader) Host(ctx context.Context) *Host {
	source := r.source()
	h := &Host{Source: source.Name, ServiceManagers: []string{}, Errors: map[string]string{}}
	told := func(field string, err error) {
		if err != nil {
			h.Errors[field] = clean(r.reason(err), maxReason)
		}
	}
	if source.Reason != "" {
		told("source", errors.New(source.Reason))
	}
	var err error
	h.Hostname, err = r.line("/proc/sys/kernel/hostname")
	told("hostname", err)
	h.OS, err = r.osName()
	told("os", err)
	h.Kernel, err = r.kernel()
	told("kernel", err)
	h.Architecture, err = architecture()
	told("architecture", err)
	h.Virtualization, err = r.virtualization()
	told("virtualization", err)
	h.Uptime, err = r.uptime()
	told("uptime", err)
	h.CPUModel, err = r.cpuModel()
	told("cpuModel", err)

	stat, err := r.stat()
	if h.CPUCount = len(stat.CPU); err == nil && h.CPUCount == 0 {
		told("cpuCount", errors.New("/proc/stat names no CPU"))
	}
	told("cpuCount", err)
	if stat.BootTime != 0 {
		boot := time.Unix(int64(stat.BootTime), 0)
		h.BootTime = &boot
	} else if err == nil {
		told("bootTime", errors.New("/proc/stat tells no btime"))
	}
	told("bootTime", err)
	h.MemoryTotal, err = r.memoryTotal()
	told("memoryTotal", err)

	var zone *time.Location
	h.Timezone, zone, err = r.timezone()
	told("timezone", err)
	h.ScheduledTasks, err = r.scheduledTasks(ctx, zone)
	told("scheduledTasks", err)
	return h
}

// kernel is what uname -srv prints.
func (r *HostReader) kernel() (string, error) {
	var words []string
	for _, name := range []string{"ostype", "osrelease", "version"} {
		word, err := r.line("/proc/sys/kernel/" + name)
		if err != nil {
			return "", err
		}
		words = append(words, word)
	}
	return strings.Join(words, " "), nil
}

func architecture() (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	return unix.ByteSliceToString(name.Machine[:]), nil
}

func (r *HostReader) uptime() (*float64, error) {
	line, err := r.line("/proc/uptime")
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(line, " ")
	seconds, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return nil, fmt.Errorf("/proc/uptime: %w", err)
	}
	return &seconds, nil
}

// cpuModel is the name of the first CPU. What it is called differs between architectures; ARM tells only the board's.
func (r *HostReader) cpuModel() (string, error) {
	data, err := r.read("/proc/cpuinfo", 64<<10)
	if err != nil {
		return "", err
	}
	found := map[string]string{}
	for line := range strings.Lines(string(data)) {
		key, value, _ := strings.Cut(line, ":")
		if key, value = strings.TrimSpace(key), strings.TrimSpace(value); found[key] == "" {
			found[key] = value
		}
	}
	for _, key := range []string{"model name", "Model Name", "cpu model", "cpu", "uarch", "Model", "Hardware"} {
		if found[key] != "" {
			return clean(found[key], maxName), nil
		}
	}
	if board, err := r.line("/sys/firmware/devicetree/base/model"); err == nil && board != "" {
		return board, nil
	}
	return "", errors.New("/proc/cpuinfo names no model")
}

func (r *HostReader) stat() (procfs.Stat, error) {
	proc, err := procfs.NewFS(r.proc)
	if err != nil {
		return procfs.Stat{}, err
	}
	return proc.Stat()
}

func (r *HostReader) memoryTotal() (uint64, error) {
	proc, err := procfs.NewFS(r.proc)
	if err != nil {
		return 0, err
	}
	memory, err := proc.Meminfo()
	if err != nil {
		return 0, err
	}
	if memory.MemTotalBytes == nil {
		return 0, errors.New("/proc/meminfo tells no MemTotal")
	}
	return *memory.MemTotalBytes, nil
}

// path is where name, an absolute path of the host, is found.
func (r *HostReader) path(name string) string {
	for prefix, root := range map[string]string{"/proc/": r.proc, "/sys/": r.sys, "/etc/": r.etc} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return filepath.Join(root, rest)
		}
	}
	return filepath.Join(r.root, name)
}

func (r *HostReader) exists(name string) bool {
	_, err := os.Stat(r.path(name))
	return err == nil
}

// read reads at most limit bytes of a file of the host. Only a regular file is read: a pipe could hold the reader up.
func (r *HostReader) read(name string, limit int64) ([]byte, error) {
	file, err := os.OpenFile(r.path(name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, named(name, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, named(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, named(name, errors.New("not a regular file"))
	}
	data, err := io.ReadAll(io.LimitReader(file, limit))
	return data, named(name, err)
}

// line is the first line of a file of the host, clean.
func (r *HostReader) line(name string) (string, error) {
	data, err := r.read(name, 4<<10)
	if err != nil {
		return "", err
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return clean(strings.TrimRight(string(line), "\x00"), maxName), nil
}

// named puts the host's name of a file before the cause of an error, in place of the path where it was looked for.
func named(name string, err error) error {
	if err == nil {
		return nil
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// reason is the text of an error with the host's own paths, also when it comes from a package that was given the roots.
func (r *HostReader) reason(err error) string {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		if rest, ok := strings.CutPrefix(pathErr.Path, r.proc); ok {
			return named("/proc"+rest, pathErr.Err).Error()
		}
	}
	return err.Error()
}
