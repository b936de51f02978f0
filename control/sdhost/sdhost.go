// Package sdhost boots a real systemd for tests: an overlay of this machine's root file system in a mount namespace of
// its own, booted by systemd-nspawn. It takes about three seconds, needs root, systemd-container and dbus, and leaves
// nothing behind. The booted host shares this machine's network, kernel and users; its files, processes and mounts are its own.
// It has this machine's services too, but starts none of those that an administrator or a package has enabled here: two web
// servers would want one port.
//
// Only tests import it. A Host belongs to whoever booted it; Command and Bus may be used from several goroutines.
package sdhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ErrUnavailable is what Start's error wraps when this machine cannot boot a systemd: not root, or a program is missing.
var ErrUnavailable = errors.New("no systemd can be booted here")

// errEnded tells that there was no host to wait for: a mount failed, or systemd-nspawn did not like what it found.
var errEnded = errors.New("systemd-nspawn ended")

// How long a host may take to come up and to power off. Both take a few seconds on an idle machine.
const (
	startTimeout = 2 * time.Minute
	stopTimeout  = 10 * time.Second
)

// Host is a booted systemd.
type Host struct {
	// Root is the path of its root folder as this process sees it. What is written there is gone after Stop.
	Root string
	// PID is its systemd, in this process's PID namespace.
	PID int

	dir    string   // upper and work folders of the overlay
	groups []string // its control groups, one in each hierarchy that systemd uses
	nspawn *exec.Cmd
	ended  chan struct{} // closed when nspawn has ended
	log    *bytes.Buffer // what nspawn and the boot printed; not to be read before ended is closed
}

// Boot starts a host for one test with its subtests, and stops it at the test's end. Where none can be booted the test is
// skipped, unless CI=true: then it fails. Units are as for Start.
func Boot(t testing.TB, units map[string]string) *Host {
	t.Helper()
	h, err := Start(units)
	if errors.Is(err, ErrUnavailable) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Stop(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// Start boots a host and returns when all its units have settled. The caller calls Stop. Units are files below
// /etc/systemd/system, by name ("web.service", "web.service.d/limits.conf"); none is enabled or started.
func Start(units map[string]string) (*Host, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: not root", ErrUnavailable)
	}
	for _, program := range []string{"systemd-nspawn", "dbus-daemon", "nsenter", "mount"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	// The overlay's upper folder may not be on an overlay itself, as the temporary folder of a container often is.
	h, err := start(os.TempDir(), units)
	if errors.Is(err, errEnded) && os.TempDir() != "/var/tmp" {
		first := err
		if h, err = start("/var/tmp", units); err != nil {
			err = errors.Join(first, err)
		}
	}
	return h, err
}

func start(temp string, units map[string]string) (h *Host, err error) {
	dir, err := os.MkdirTemp(temp, "sdhost")
	if err != nil {
		return nil, fmt.Errorf("cannot boot a systemd: %w", err)
	}
	h = &Host{dir: dir, ended: make(chan struct{}), log: new(bytes.Buffer)}
	defer func() {
		if err != nil {
			err = fmt.Errorf("cannot boot a systemd in %s: %w", temp, errors.Join(err, h.Stop()))
			h = nil
		}
	}()
	for _, folder := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
			return h, err
		}
	}
	for name, text := range units {
		path := filepath.Join(dir, "upper/etc/systemd/system", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return h, err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return h, err
		}
	}
	// What this machine has enabled is hidden, not removed (overlayfs, "opaque directories").
	enabled := filepath.Join(dir, "upper/etc/systemd/system/multi-user.target.wants")
	if err := os.MkdirAll(enabled, 0o755); err != nil {
		return h, err
	}
	if err := unix.Setxattr(enabled, "trusted.overlay.opaque", []byte("y"), 0); err != nil {
		return h, err
	}
	if err := publish(filepath.Join(dir, "upper")); err != nil {
		return h, err
	}

	// Two hosts in one control group would end each other's services, so each has its own.
	name := "sdhost-" + strings.TrimPrefix(filepath.Base(dir), "sdhost")
	for _, parent := range controlGroups() {
		group := filepath.Join(parent, name)
		if err := os.Mkdir(group, 0o755); err != nil {
			return h, err
		}
		h.groups = append(h.groups, group)
	}

	// The mount lives in a namespace of nspawn's own: it ends with it, however this process ends.
	h.nspawn = exec.Command("sh", "-ec", `cd "$1"
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
machine=$2
shift 2
for group; do echo $$ >"$group/cgroup.procs"; done
exec systemd-nspawn --quiet -D root --boot --register=no --keep-unit -M "$machine"`,
		"sh", dir, name)
	h.nspawn.Args = append(h.nspawn.Args, h.groups...)
	h.nspawn.Stdout, h.nspawn.Stderr = h.log, h.log
	h.nspawn.WaitDelay = time.Second
	h.nspawn.SysProcAttr = &syscall.SysProcAttr{
		Unshareflags: syscall.CLONE_NEWNS,
		Setpgid:      true,            // an interrupt typed at the tests is not for it
		Pdeathsig:    syscall.SIGTERM, // which nspawn turns into a clean power-off
	}
	if err := h.nspawn.Start(); err != nil {
		h.nspawn = nil
		return h, err
	}
	go func() {
		_ = h.nspawn.Wait() // how it ended is of no interest, what it printed is
		close(h.ended)
	}()

	deadline := time.After(startTimeout)
	for !h.settled() {
		select {
		case <-h.ended:
			return h, fmt.Errorf("%w: %s", errEnded, strings.TrimSpace(h.log.String()))
		case <-deadline:
			return h, fmt.Errorf("it did not come up within %v", startTimeout)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return h, nil
}

// publish makes everything in root readable for the users of the host, whatever this process's umask is.
func publish(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return os.Chmod(path, 0o644)
	})
}

// settled finds the host's systemd and tells whether it has started all it wants to start.
func (h *Host) settled() bool {
	if h.PID == 0 {
		if h.PID = childSystemd(h.nspawn.Process.Pid); h.PID == 0 {
			return false
		}
		h.Root = fmt.Sprintf("/proc/%d/root", h.PID)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, _ := h.command(ctx, "systemctl", "is-system-running").Output() // fails for every state but running
	state := strings.TrimSpace(string(out))
	return state == "running" || state == "degraded"
}

// Command is a command to run inside the host, as root.
func (h *Host) Command(args ...string) *exec.Cmd { return h.command(context.Background(), args...) }

func (h *Host) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"-t", strconv.Itoa(h.PID), "-a", "--"}, args...)...)
}

// Bus is the D-Bus address of the host's system bus, reachable from this process.
func (h *Host) Bus() string { return "unix:path=" + h.Root + "/run/dbus/system_bus_socket" }

// Stop powers the host off and removes what it left. It may be called again.
func (h *Host) Stop() error {
	if h.nspawn != nil {
		if h.PID != 0 {
			ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
			defer cancel()
			_ = h.command(ctx, "systemctl", "poweroff", "--force").Run() // the kill below is for when it fails
		} else {
			_ = h.nspawn.Process.Signal(syscall.SIGTERM)
		}
		select {
		case <-h.ended:
		case <-time.After(stopTimeout): // a process that ignores SIGTERM is waited for longer than that
			if h.PID != 0 {
				_ = syscall.Kill(h.PID, syscall.SIGKILL) // it is the first of its PID namespace: all others end with it
			}
			_ = h.nspawn.Process.Kill()
			<-h.ended
		}
	}
	err := os.RemoveAll(h.dir)
	for _, group := range h.groups {
		err = errors.Join(err, removeGroup(group))
	}
	h.groups = nil
	return err
}

// controlGroups are the folders of this process's own groups in the hierarchies that systemd uses. Source: cgroups(7).
func controlGroups() []string {
	data, _ := os.ReadFile("/proc/self/cgroup") // without it there are none
	var groups []string
	for line := range strings.Lines(string(data)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		var mounts []string
		switch {
		case fields[0] == "0":
			mounts = []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}
		case fields[1] == "name=systemd":
			mounts = []string{"/sys/fs/cgroup/systemd"}
		}
		for _, mount := range mounts {
			group := filepath.Join(mount, fields[2])
			if _, err := os.Stat(filepath.Join(group, "cgroup.procs")); err == nil {
				groups = append(groups, group)
				break
			}
		}
	}
	return groups
}

// removeGroup removes a control group and those below it, once the kernel is done with the processes that ended in them.
func removeGroup(group string) error {
	var err error
	for range 100 {
		var folders []string
		_ = filepath.WalkDir(group, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				folders = append(folders, path)
			}
			return nil
		})
		err = nil
		for _, folder := range slices.Backward(folders) {
			if rmErr := syscall.Rmdir(folder); rmErr != nil && rmErr != syscall.ENOENT {
				err = fmt.Errorf("cannot remove %s: %w", folder, rmErr)
			}
		}
		if err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}

// childSystemd is the PID of the systemd that is a child of parent, or 0. Source: proc_pid_stat(5).
func childSystemd(parent int) int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // fails only for a bad pattern
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		pid, rest, _ := strings.Cut(string(data), " (systemd) ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			n, _ := strconv.Atoi(pid) // the kernel's own number
			return n
		}
	}
	return 0
}
