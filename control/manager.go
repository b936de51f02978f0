package control

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// backend is one service manager. Its methods may be called from any goroutine.
type backend interface {
	name() string
	// found tells whether it has anything to manage.
	found() bool
	// services are all that it knows, in any order. With an error, they are what was known last.
	services(ctx context.Context) ([]Service, error)
	// failed names those that have failed, as known last, in any order. It waits for nobody.
	failed() []string
	// resolve gives the manager's own name of the service that is called exactly name, "" if there is none.
	resolve(ctx context.Context, name string) (string, error)
	// guards tells why the host stands on a service, "" if it does not.
	guards(id string) string
	// depends tells what a service depends on and what on it, by kind of dependency.
	depends(ctx context.Context, id string) (map[string][]string, error)
	// tail is the end of a service's journal.
	tail(ctx context.Context, id string, lines int) ([]JournalLine, error)
	// lastRun is the end of the journal of a service's last run, or of the one that goes on.
	lastRun(ctx context.Context, id string) ([]JournalLine, error)
	// followJournal is the end of a service's journal and then what comes, until ctx ends.
	followJournal(ctx context.Context, id string, lines int, f func([]JournalLine)) error
	// revives names the service that starts a process again when a signal ends it, "" if none does or it cannot be told at once.
	revives(ctx context.Context, pid int, signal string) string
	// act does one of Actions and waits for its end, or for that of ctx.
	act(ctx context.Context, id, action string) Outcome
	close()
}

// Config is what a Manager stands on. All fields are optional.
type Config struct {
	Log    *Log         // nil: nothing can be acted on; to be closed after the Manager
	Logger *slog.Logger // nil: silent
	Root   string       // where the host's file system is; "" is /
	Bus    string       // D-Bus address of the system bus; "" is where D-Bus says it is
	// Starter begins a command line that hands its next word to Exec: a path, and arguments. Commands are started by it where systemd
	// starts them; without it, a reload of systemd at the wrong moment may change their words.
	Starter []string
}

// Manager is the host's service managers as one. Its methods may be called from any goroutine.
type Manager struct {
	backends []backend
	runner   runner
	log      *Log
	logger   *slog.Logger
	root     string

	aftermath time.Duration // aftermath, but in tests

	ctx    context.Context // of all acts: none ends with the request that began it
	cancel context.CancelFunc
	done   sync.WaitGroup // acts, and what NewManager began

	reads chan struct{} // holds a token for each reading of a journal that was asked for

	mu          sync.Mutex
	acting      int                                // acts that run, or are about to
	acts        map[string]context.CancelCauseFunc // by operation, those that run
	turns       map[string]*turn                   // by service
	reading     int                                // calls of FollowJournal
	commands    map[string]*command                // by operation, those that run and the last that ended
	kept        []string                           // keys of commands, from the oldest on
	running     map[*command]bool
	subscribers []func()
}

// NewManager finds the service managers of this host: systemd where it runs, else the scripts of /etc/init.d. It returns at
// once; a manager that cannot be reached is tried again and again. Close ends it.
func NewManager(cfg Config) *Manager {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Root == "" {
		cfg.Root = "/"
	}
	m := &Manager{
		log: cfg.Log, logger: cfg.Logger, root: cfg.Root, commands: map[string]*command{}, running: map[*command]bool{},
		runner: processGroup{}, acts: map[string]context.CancelCauseFunc{}, turns: map[string]*turn{}, aftermath: aftermath,
		reads: make(chan struct{}, maxReads),
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	// sd_booted(3)
	if _, err := os.Stat(filepath.Join(cfg.Root, "run/systemd/system")); !errors.Is(err, fs.ErrNotExist) {
		s := newSystemd(cfg, m.changed)
		m.backends = append(m.backends, s)
		if os.Geteuid() == 0 { // nobody else may make units
			m.runner = transientUnits{s, cfg.Starter}
		}
		m.takeOver(s)
	} else {
		m.backends = append(m.backends, newSysV(cfg, m.changed))
		m.takeOver(nil)
	}
	return m
}

// Close ends what NewManager started. What is being done goes on without it, and is recorded as interrupted.
func (m *Manager) Close() {
	m.mu.Lock()
	m.cancel()
	m.mu.Unlock()
	m.done.Wait()
	for _, b := range m.backends {
		b.close()
	}
}

// Managers names the service managers that were found; there may be none.
func (m *Manager) Managers() []string {
	names := []string{}
	for _, b := range m.backends {
		if b.found() {
			names = append(names, b.name())
		}
	}
	return names
}

// Services are all services of all managers, by name, and for each manager that could not tell, why: its services are
// then as they were last known. Without any manager that is the reason, of "serviceManagers". PIDs and Ports are empty; CPUPercent and Memory are those of a service's control group,
// or nil. CPUPercent needs two calls.
func (m *Manager) Services(ctx context.Context) ([]Service, map[string]string) {
	all, reasons := []Service{}, map[string]string{}
	for _, b := range m.backends {
		services, err := b.services(ctx)
		if err != nil {
			reasons[b.name()] = err.Error()
		}
		all = append(all, services...)
	}
	if len(all)+len(reasons) == 0 && len(m.Managers()) == 0 {
		reasons["serviceManagers"] = "neither systemd nor scripts in /etc/init.d were found"
	}
	slices.SortFunc(all, func(a, b Service) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Manager, b.Manager))
	})
	return all, reasons
}

// Failed names the services that have failed, of all managers, by name, as they were last known. It waits for nobody and costs next to
// nothing: it is for who looks again and again.
func (m *Manager) Failed() []string {
	names := []string{}
	for _, b := range m.backends {
		names = append(names, b.failed()...)
	}
	slices.Sort(names)
	return names
}

// Subscribe has f called whenever Services may give another answer than before, memory and CPU aside. f must not block.
func (m *Manager) Subscribe(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subscribers = append(m.subscribers, f)
}

func (m *Manager) changed() {
	m.mu.Lock()
	subscribers := slices.Clone(m.subscribers)
	m.mu.Unlock()
	for _, f := range subscribers {
		f()
	}
}
