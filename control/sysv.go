package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	statusTimeout = 5 * time.Second
	statusAtOnce  = 4
	// statusAge is how old an answer may be before the scripts are asked again, and statusShare is the part of the time
	// that asking may take at most: scripts are programs, and slow ones are not asked more often than they can bear.
	statusAge   = 10 * time.Second
	statusShare = 20
	// failedAge is how much older it may be for who only wants to know what failed.
	failedAge = time.Minute
	maxScript = 256 << 10
)

// sysv is the scripts of /etc/init.d (LSB, chapter 22). A script is asked for its status only if it says that it can
// tell: it has an LSB header and a branch for status, and none but root or we ourselves may change it. Any other is listed with
// the state "unknown": to run it with a word that it does not know might do anything.
type sysv struct {
	root    string
	logger  *slog.Logger
	changed func()

	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	list   []Service
	err    error
	next   time.Time     // when to ask again
	asking chan struct{} // closed when the answers are there; nil while nobody asks
}

func newSysV(cfg Config, changed func()) *sysv {
	s := &sysv{root: cfg.Root, logger: cfg.Logger, changed: changed}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

func (s *sysv) name() string { return "sysv" }

func (s *sysv) found() bool {
	files, _ := s.files()
	return len(files) > 0
}

func (s *sysv) close() {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	s.done.Wait()
}

// services gives what is known, and has the scripts asked in the background when that is old. Only the first call waits.
func (s *sysv) services(ctx context.Context) ([]Service, error) {
	s.mu.Lock()
	s.askAfter(s.next)
	list, err, asking := s.list, s.err, s.asking
	s.mu.Unlock()
	if list == nil && asking != nil {
		select {
		case <-asking:
		case <-ctx.Done():
			return nil, fmt.Errorf("cannot ask the scripts of /etc/init.d: %w", ctx.Err())
		}
		s.mu.Lock()
		list, err = s.list, s.err
		s.mu.Unlock()
	}
	copied := make([]Service, len(list))
	for i, service := range list {
		service.PIDs, service.Ports, service.Actions = []int{}, []int{}, slices.Clone(service.Actions)
		copied[i] = service
	}
	return copied, err
}

// failed has the scripts asked, too, but seldom.
func (s *sysv) failed() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.askAfter(s.next.Add(failedAge))
	for _, service := range s.list {
		if service.ActiveState == "failed" {
			names = append(names, service.Name)
		}
	}
	return names
}

// askAfter has the scripts asked if it is so late, and nobody asks them already. The lock is held.
func (s *sysv) askAfter(next time.Time) {
	if s.asking == nil && !time.Now().Before(next) && s.ctx.Err() == nil {
		s.asking = make(chan struct{})
		s.done.Go(s.ask)
	}
}

// ask asks all scripts, a few at once.
func (s *sysv) ask() {
	start := time.Now()
	files, err := s.files()
	list := make([]Service, len(files))
	var group sync.WaitGroup
	slots := make(chan struct{}, statusAtOnce)
	for i, file := range files {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			list[i] = s.service(s.read(file))
		})
	}
	group.Wait()
	s.mu.Lock()
	differs := s.list == nil || !sameServices(s.list, list) || (s.err == nil) != (err == nil)
	s.list, s.err = list, err
	s.next = time.Now().Add(max(statusAge, statusShare*time.Since(start)))
	close(s.asking)
	s.asking = nil
	s.mu.Unlock()
	if differs {
		s.changed()
	}
}

func sameServices(a, b []Service) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || a[i].SubState != b[i].SubState || a[i].UnitFileState != b[i].UnitFileState ||
			a[i].MainPID != b[i].MainPID || a[i].Description != b[i].Description {
			return false
		}
	}
	return true
}

// script is one file of /etc/init.d.
type script struct {
	name, path, description string
	header                  bool // of LSB
	tellsStatus             bool
	knows                   []string // those of Actions that it has a branch for; nil where that cannot be told
}

// files are the scripts that can be run.
func (s *sysv) files() ([]fs.FileInfo, error) {
	dir := filepath.Join(s.root, "etc/init.d")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the service scripts: %w", err)
	}
	var list []fs.FileInfo
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && scriptName.MatchString(e.Name()) {
			list = append(list, info)
		}
	}
	return list, nil
}

func (s *sysv) path(name string) string { return filepath.Join(s.root, "etc/init.d", name) }

// scriptName is what a script may be called, as for run-parts(8), and a dot: not what a package manager leaves behind.
var scriptName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

var (
	branch = regexp.MustCompile(`(?m)^[ \t]*\(?((?:[^\s()#|]+[ \t]*\|[ \t]*)*[^\s()#|]+)[ \t]*\)`)
	// Debian's init-d-script(5) has the branches itself.
	debianScript = regexp.MustCompile(`(?m)\A#! ?(?:/usr/bin/env )?/lib/init/init-d-script\b|[ \t]\. /lib/init/init-d-script$`)
	debianReload = regexp.MustCompile(`(?m)^[ \t]*(?:RELOAD_SIGNAL=|(?:alias[ \t]+)?do_reload(?:_cmd)?\b)`)
)

func (s *sysv) read(file fs.FileInfo) script {
	sc := script{name: file.Name(), path: s.path(file.Name())}
	if file.Size() > maxScript {
		return sc
	}
	text, err := os.ReadFile(sc.path)
	if err != nil {
		return sc
	}
	sc.description, sc.header = lsbHeader(string(text))
	owner := file.Sys().(*syscall.Stat_t).Uid
	safe := file.Mode()&0o022 == 0 && (owner == 0 || int(owner) == os.Getuid())
	words := branches(string(text))
	sc.tellsStatus = sc.header && safe && words["status"]
	if words[Start] || words[Stop] {
		sc.knows = slices.DeleteFunc(Actions(), func(action string) bool { return !words[action] })
	}
	return sc
}

// branches are the words that a script has a branch of a case for.
func branches(text string) map[string]bool {
	words := map[string]bool{}
	if debianScript.MatchString(text) {
		words = map[string]bool{Start: true, Stop: true, Restart: true, "status": true, Reload: debianReload.MatchString(text)}
	}
	for _, found := range branch.FindAllStringSubmatch(text, -1) {
		for word := range strings.SplitSeq(found[1], "|") {
			words[strings.Trim(word, " \t\"'")] = true
		}
	}
	return words
}

// lsbHeader reads the header of an LSB script, and tells whether there is one.
func lsbHeader(text string) (description string, ok bool) {
	inside := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "### BEGIN INIT INFO":
			inside = true
		case line == "### END INIT INFO":
			return description, inside
		case inside:
			if value, found := strings.CutPrefix(line, "# Short-Description:"); found {
				description = oneLine(value, maxMessage)
			}
		}
	}
	return "", false
}

// service asks one script.
func (s *sysv) service(sc script) (service Service) {
	service = Service{
		Name: sc.name, Manager: "sysv", Description: sc.description, LoadState: "loaded", ActiveState: "unknown",
		SubState: "unknown", UnitFileState: "disabled",
	}
	if started, _ := s.links(sc.name); started {
		service.UnitFileState = "enabled"
	}
	defer func() { service.Actions = s.actions(sc, service) }()
	if !sc.tellsStatus {
		return service
	}
	ctx, cancel := context.WithTimeout(s.ctx, statusTimeout)
	defer cancel()
	// LSB 22.2: what the exit code of status tells.
	switch code := s.status(ctx, sc); code {
	case 0:
		service.ActiveState, service.SubState = "active", "running"
		service.MainPID = s.pid(sc.name)
	case 1, 2:
		// Dead, but its PID or lock file is there; many scripts say 1 for 3, though.
		service.ActiveState, service.SubState = "failed", "dead"
		if _, err := os.Lstat(s.pidFile(sc.name)); code == 1 && errors.Is(err, fs.ErrNotExist) {
			service.ActiveState = "inactive"
		}
	case 3:
		service.ActiveState, service.SubState = "inactive", "dead"
	}
	return service
}

// status is the exit code of SCRIPT status, -1 if there is none.
func (s *sysv) status(ctx context.Context, sc script) int {
	cmd := exec.CommandContext(ctx, sc.path, "status")
	cmd.Dir = "/"
	cmd.Env = scriptEnv()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // all that it started, too
	err := cmd.Run()
	if ctx.Err() != nil {
		s.logger.Warn("a service script does not tell its status in time", "script", sc.path)
		return -1
	}
	if err != nil && cmd.ProcessState == nil {
		return -1
	}
	return cmd.ProcessState.ExitCode()
}

// scriptEnv is all that a script inherits.
func scriptEnv() []string {
	return []string{
		"PATH=" + fixedPath, "LC_ALL=C", "TERM=dumb", "HOME=/",
		"_SYSTEMCTL_SKIP_REDIRECT=1", // what we ask is the script itself
	}
}

const fixedPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// links tells whether a runlevel with users starts the script, and whether any runlevel knows it at all.
func (s *sysv) links(name string) (started, registered bool) {
	for _, level := range "0123456S" {
		links, _ := os.ReadDir(filepath.Join(s.root, fmt.Sprintf("etc/rc%c.d", level)))
		for _, link := range links {
			if how := strings.TrimSuffix(link.Name(), name); linkName.MatchString(how) && how != link.Name() {
				registered = true
				started = started || how[0] == 'S' && !strings.ContainsRune("016", level)
			}
		}
	}
	return started, registered
}

// linkName is the first part of a link's name: whether it starts or kills, and when.
var linkName = regexp.MustCompile(`^[SK][0-9][0-9]$`)

func (s *sysv) pidFile(name string) string { return filepath.Join(s.root, "run", name+".pid") }

// pid is the process in the PID file of the usual name, 0 if that is not there or the process is not.
func (s *sysv) pid(name string) int {
	b, err := os.ReadFile(s.pidFile(name))
	if err != nil || len(b) > 32 {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid <= 0 {
		return 0
	}
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return 0
	}
	return pid
}
