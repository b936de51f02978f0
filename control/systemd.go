package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// Names of org.freedesktop.systemd1(5).
const (
	sdName     = "org.freedesktop.systemd1"
	sdPath     = dbus.ObjectPath("/org/freedesktop/systemd1")
	sdUnits    = sdPath + "/unit/"
	sdManager  = sdName + ".Manager"
	sdUnit     = sdName + ".Unit"
	sdService  = sdName + ".Service"
	properties = "org.freedesktop.DBus.Properties"
)

const (
	callTimeout = 5 * time.Second // of a call that only reads; systemd forgets some when its bus goes
	// How long changes are gathered before all units or unit files are listed anew. The latter costs systemd much.
	settle      = 100 * time.Millisecond
	settleFiles = time.Second
	retryFiles  = 10 * time.Second // after a list of unit files that could not be had
)

// systemd is the service manager of that name. One goroutine, run, follows its signals and owns what it knows; services
// reads the immutable list that run has published last.
type systemd struct {
	bus     string
	root    string
	logger  *slog.Logger
	changed func()
	groups  groupUsage
	journal journal
	own     string // the service that this process belongs to

	ctx    context.Context // of all connections: none belongs to a request
	cancel context.CancelFunc
	done   sync.WaitGroup
	ready  chan struct{} // closed when the first list, or the first reason why there is none, is known

	mu    sync.Mutex
	conn  *dbus.Conn // nil while there is none
	units []unit
	err   error // why units may be out of date, or lack some
	// How the loading of services went whose files systemd cannot take in. It forgets such a unit at once, and its list is without it.
	unread map[string]string

	files map[string]unitFile // as listed last, by whichever connection; run's own. nil: not yet

	watches  map[*watch]bool
	vigils   map[*vigil]bool
	commands map[dbus.ObjectPath]*commandUnit
}

func newSystemd(cfg Config, changed func()) *systemd {
	s := &systemd{
		bus: cfg.Bus, root: cfg.Root, logger: cfg.Logger, changed: changed, ready: make(chan struct{}),
		journal: journal{root: cfg.Root}, own: ownService(), unread: map[string]string{}, watches: map[*watch]bool{}, vigils: map[*vigil]bool{}, commands: map[dbus.ObjectPath]*commandUnit{},
		groups: groupUsage{root: filepath.Join(cfg.Root, "sys/fs/cgroup")},
		err:    errors.New("cannot reach systemd yet"),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.done.Go(s.run)
	return s
}

func (s *systemd) name() string { return "systemd" }
func (s *systemd) found() bool  { return true }

func (s *systemd) close() {
	s.cancel()
	s.done.Wait()
}

func (s *systemd) services(ctx context.Context) ([]Service, error) {
	select {
	case <-s.ready:
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot list systemd's services: %w", ctx.Err())
	}
	s.mu.Lock()
	units, unread, err := s.units, maps.Clone(s.unread), s.err
	s.mu.Unlock()
	list := make([]Service, 0, len(units))
	for _, u := range units {
		service := u.service()
		if state := unread[u.Name]; state != "" && u.path == "" {
			service.LoadState = state
		}
		list = append(list, service)
	}
	s.groups.fill(list, units)
	return list, err
}

// noteLoad takes in how the loading of a unit went that somebody asked about.
func (s *systemd) noteLoad(id, state string) {
	if state != "bad-setting" && state != "error" {
		state = ""
	}
	s.mu.Lock()
	before := s.unread[id]
	if state == "" {
		delete(s.unread, id)
	} else {
		s.unread[id] = state
	}
	s.mu.Unlock()
	if state != before {
		s.changed()
	}
}

func (s *systemd) failed() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.units {
		if s.units[i].ActiveState == "failed" {
			names = append(names, s.units[i].Name)
		}
	}
	return names
}

// run keeps a connection and follows it, until close.
func (s *systemd) run() {
	var first sync.Once
	known := func() { first.Do(func() { close(s.ready) }) }
	defer known()
	const shortest, longest = 100 * time.Millisecond, 5 * time.Second
	wait := shortest
	for {
		err := s.follow(func() {
			wait = shortest
			known()
		})
		if s.ctx.Err() != nil {
			return
		}
		s.mu.Lock()
		s.conn, s.err = nil, fmt.Errorf("cannot reach systemd: %w; trying again", err)
		s.mu.Unlock()
		s.logger.Warn("lost systemd; trying again", "error", err, "wait", wait)
		known()
		s.changed()
		select {
		case <-s.ctx.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, longest)
	}
}

// dial connects to the system bus or, as root, where that is down, to systemd itself.
func (s *systemd) dial() (conn *dbus.Conn, viaBus bool, err error) {
	// By number: looking up its name needs what a static binary does not have.
	auth := []dbus.Auth{dbus.AuthExternal(fmt.Sprint(os.Getuid()))}
	opts := []dbus.ConnOption{
		dbus.WithContext(s.ctx),
		dbus.WithSignalHandler(dbus.NewSequentialSignalHandler()), // the default one gets them out of order
		dbus.WithAuth(auth...),
	}
	if s.bus != "" {
		conn, err = dbus.Connect(s.bus, opts...)
	} else {
		conn, err = dbus.ConnectSystemBus(opts...)
	}
	if err == nil || os.Geteuid() != 0 {
		return conn, true, err
	}
	direct, directErr := dbus.Dial("unix:path="+dbus.EscapeBusAddressValue(filepath.Join(s.root, "run/systemd/private")), opts...)
	if directErr != nil {
		return nil, false, err
	}
	if directErr = direct.Auth(auth); directErr != nil {
		direct.Close()
		return nil, false, err
	}
	return direct, false, nil
}

// follow connects, lists, and then applies signals until the connection ends.
func (s *systemd) follow(listed func()) error {
	conn, viaBus, err := s.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	signals := make(chan *dbus.Signal, 64)
	conn.Signal(signals)
	if viaBus {
		for _, match := range [][]dbus.MatchOption{
			{dbus.WithMatchSender(sdName), dbus.WithMatchPathNamespace(sdPath)},
			{dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, sdName)},
		} {
			if err := conn.AddMatchSignalContext(s.ctx, match...); err != nil {
				return err
			}
		}
	}
	v := &view{conn: conn, ctx: s.ctx, files: s.files}
	if err := v.relist(); err != nil {
		return err
	}
	var noFiles error
	publish := func() {
		// Without unit files there is half a list, and what was asked of a connection that has ended was answered by halves.
		if v.files == nil && noFiles == nil || conn.Context().Err() != nil {
			return
		}
		units := v.list()
		v.dirty = false
		s.mu.Lock()
		fresh := s.conn != conn
		for _, u := range units {
			if u.LoadState == "loaded" { // its file was mended
				delete(s.unread, u.Name)
			}
		}
		s.conn, s.units, s.err = conn, units, noFiles
		s.mu.Unlock()
		if fresh {
			s.doubtCommands()
			s.doubtVigils()
		}
		listed()
		s.changed()
	}
	publish()
	type answer struct {
		files map[string]unitFile
		err   error
	}
	answers := make(chan answer, 1)
	relist, rescan := stoppedTimer(), stoppedTimer()
	defer relist.Stop()
	defer rescan.Stop()
	scanning := false
	scan := func() {
		if scanning {
			rescan.Reset(settleFiles)
			return
		}
		scanning = true
		s.done.Go(func() {
			files, err := listUnitFiles(s.ctx, conn, s.root)
			answers <- answer{files, err}
		})
	}
	scan()
	for {
		select {
		case <-conn.Context().Done():
			return errors.New("the connection ended")
		case a := <-answers:
			scanning = false
			if noFiles = nil; a.err == nil {
				s.files = a.files
				if v.setFiles(a.files) == newList {
					relist.Reset(settle)
				}
			} else if conn.Context().Err() == nil {
				noFiles = fmt.Errorf("cannot list the unit files of systemd, so services that are not loaded may be missing: %w", a.err)
				s.logger.Warn(noFiles.Error())
				rescan.Reset(retryFiles)
			}
			publish()
		case <-rescan.C:
			scan()
		case <-relist.C:
			if v.reloading {
				continue // it is listed when that is over
			}
			if err := v.relist(); err != nil {
				return err
			}
			s.mu.Lock()
			clear(s.unread) // its files were read anew
			s.mu.Unlock()
			publish()
			s.doubtCommands()
			s.doubtVigils()
		case signal, ok := <-signals:
			if !ok {
				return errors.New("the connection ended")
			}
			if signal.Name == sdManager+".JobRemoved" {
				s.tellWatches(signal)
			}
			s.tellCommands(signal)
			s.tellVigils(signal)
			switch v.apply(signal) {
			case newList:
				relist.Reset(settle)
				rescan.Reset(settleFiles)
			case newFiles:
				rescan.Reset(settleFiles)
			}
			// All that is waiting is applied before anybody is told.
			if len(signals) == 0 && v.dirty {
				publish()
			}
		}
	}
}

// stoppedTimer fires when it has been reset.
func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// reason is an error of D-Bus in the words of systemd alone, where those say what is wrong.
func reason(err error) string {
	var e dbus.Error
	if errors.As(err, &e) && (e.Name == "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired" || e.Name == "org.freedesktop.DBus.Error.AccessDenied") {
		return "topdeck has no right to; it needs to run as root, or polkit to allow it"
	}
	if errors.As(err, &e) && len(e.Body) > 0 {
		if text, ok := e.Body[0].(string); ok {
			return strings.TrimSpace(text)
		}
	}
	return err.Error()
}
