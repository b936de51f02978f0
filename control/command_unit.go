package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	commandUnits = "topdeck-command-" // and the operation's id
	// What is asked to end and does not within termTime is killed by systemd, which may take as long again; then it is killed once more.
	termTime = 2 * time.Second
	killTime = 3 * termTime
	// backstop is how much longer than wanted systemd lets a command run when topdeck does not end it.
	backstop = 30 * time.Second
	// askAgain is how often systemd is asked for a command whose end it should have told.
	askAgain = 5 * time.Second
)

// commandUnit is what systemd told of a unit that runs a command. Its fields belong to systemd.mu.
type commandUnit struct {
	name         string
	path         dbus.ObjectPath
	begun        time.Time     // when it was asked for
	changed      chan struct{} // gets something when it is worth a look
	active       string
	code, status int // of its main process, waitid(2)
	left         bool
	doubt        bool // it may have ended unheard: ask

	ref *dbus.Conn // over which systemd was told to keep it; belongs to the runner
}

// over tells whether it has ended. Before its start it is inactive, too, but then no process of it has ended.
func (u *commandUnit) over() bool {
	return u.active == "failed" || u.active == "inactive" && u.code != 0
}

func (u *commandUnit) look() {
	select {
	case u.changed <- struct{}{}:
	default:
	}
}

// take notes changed properties. Those of the service are told before those of the unit, so when it has ended, how is known.
func (u *commandUnit) take(changed map[string]dbus.Variant) {
	for name, value := range changed {
		switch name {
		case "ActiveState":
			assign(&u.active, value)
		case "SubState": // its main process has ended, and there are others
			sub, _ := value.Value().(string)
			u.left = u.left || strings.HasPrefix(sub, "stop-") || strings.HasPrefix(sub, "final-")
		case "ExecMainCode":
			assign(&u.code, value)
		case "ExecMainStatus":
			assign(&u.status, value)
		}
	}
}

// tellCommands takes in what a signal tells of the units of commands.
func (s *systemd) tellCommands(signal *dbus.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch signal.Name {
	case properties + ".PropertiesChanged":
		var iface string
		var changed map[string]dbus.Variant
		var invalidated []string
		if u := s.commands[signal.Path]; u != nil && dbus.Store(signal.Body, &iface, &changed, &invalidated) == nil {
			u.take(changed)
			u.look()
		}
	case sdManager + ".UnitRemoved": // also at a reload, where it comes again
		var name string
		var path dbus.ObjectPath
		if dbus.Store(signal.Body, &name, &path) == nil && s.commands[path] != nil {
			s.commands[path].doubt = true
			s.commands[path].look()
		}
	}
}

// doubtCommands has systemd asked for all of them: a connection is new, or systemd was not itself for a while.
func (s *systemd) doubtCommands() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.commands {
		u.doubt = true
		u.look()
	}
}

// unitPath is the object of a unit, sd_bus_path_encode(3).
func unitPath(name string) dbus.ObjectPath {
	var b strings.Builder
	for i, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' && i > 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return sdUnits + dbus.ObjectPath(b.String())
}

// transientUnits runs commands as transient units: systemd starts them and knows all that comes of one by its control group,
// whatever that does to its session or environment. They live on without topdeck, hence backstop and endLeft.
type transientUnits struct {
	s       *systemd
	starter []string // as in Config
}

func (t transientUnits) ready() error {
	_, err := t.s.connected()
	return err
}

func (t transientUnits) run(ctx context.Context, o order, out io.Writer) (ending, error) {
	s := t.s
	read, write, err := os.Pipe()
	if err != nil {
		return ending{}, err
	}
	defer read.Close()
	u, forget := s.commandUnit(o.id)
	defer forget()
	if len(t.starter) > 0 {
		o.args = append(slices.Clone(t.starter), o.encode())
		o.path = t.starter[0]
	}
	err = s.startCommand(ctx, u.name, o, write)
	write.Close() // systemd has its own
	if err != nil {
		doubtful := unanswered(err) // it may have begun
		if doubtful {
			err = errors.Join(errors.New("the connection to systemd was lost as it began, so it was ended"), s.endCommand(u))
		}
		if ctx.Err() != nil {
			return ending{}, nil
		}
		if doubtful {
			return ending{}, err
		}
		return ending{}, errors.New(reason(err))
	}
	s.keepCommand(ctx, u)
	defer s.dropCommand(u)
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		io.Copy(out, read) // ends with what holds the other end, or with the deadline
	}()
	defer func() {
		// By now nothing of it runs, but it may have given its output to somebody else.
		read.SetReadDeadline(time.Now().Add(2 * time.Second))
		<-copied
	}()
	end, err := s.awaitCommand(ctx, u)
	if end.code == 0 && ctx.Err() != nil {
		return ending{}, s.endCommand(u)
	}
	return end, err
}

// commandUnit is the unit of the command of an operation, of which signals are taken in until forget.
func (s *systemd) commandUnit(id string) (u *commandUnit, forget func()) {
	u = &commandUnit{name: commandUnits + id + ".service", begun: time.Now(), changed: make(chan struct{}, 1)}
	u.path = unitPath(u.name)
	s.mu.Lock()
	s.commands[u.path] = u
	s.mu.Unlock()
	return u, func() {
		s.mu.Lock()
		delete(s.commands, u.path)
		s.mu.Unlock()
	}
}

// startCommand makes the unit and starts it. It returns when that is on its way.
func (s *systemd) startCommand(ctx context.Context, name string, o order, out *os.File) error {
	conn, err := s.reachable(ctx)
	if err != nil {
		return err
	}
	if !conn.SupportsUnixFDs() {
		return errors.New("this connection to systemd cannot carry the command's output")
	}
	args := make([]string, len(o.args))
	for i, a := range o.args {
		args[i] = strings.ReplaceAll(a, "$", "$$") // else systemd puts in variables
	}
	limit := maxCommandTimeout
	if deadline, ok := ctx.Deadline(); ok {
		limit = time.Until(deadline)
	}
	fd := dbus.UnixFD(out.Fd())
	type property struct {
		Name  string
		Value dbus.Variant
	}
	var props []property
	for _, p := range []struct {
		name  string
		value any
	}{
		{"Description", "command of topdeck's operation " + o.id}, // not what it is: everybody may read this
		{"Type", "simple"},
		{"ExecStart", []struct {
			Path   string
			Args   []string
			Ignore bool
		}{{o.path, args, false}}},
		{"RemainAfterExit", false},
		{"CollectMode", "inactive-or-failed"},
		{"KillMode", "control-group"},
		{"IgnoreSIGPIPE", false},
		{"TimeoutStopUSec", uint64(termTime.Microseconds())},
		{"RuntimeMaxUSec", uint64((limit + backstop).Microseconds())},
		{"WorkingDirectory", "/"},
		{"Environment", scriptEnv()},
		{"StandardInput", "null"},
		{"StandardOutputFileDescriptor", fd},
		{"StandardErrorFileDescriptor", fd},
	} {
		props = append(props, property{p.name, dbus.MakeVariant(p.value)})
	}
	none := []struct {
		Name  string
		Props []property
	}{}
	ctx, cancel := context.WithTimeout(ctx, filesTimeout) // systemd may be reading all its files
	defer cancel()
	return conn.Object(sdName, sdPath).CallWithContext(ctx, sdManager+".StartTransientUnit", 0, name, "fail", props, none).Err
}

// keepCommand has systemd keep the unit after its end, so that it can be asked how it ended when no signal told. That lasts as
// long as the connection, and cannot be had without a bus.
func (s *systemd) keepCommand(ctx context.Context, u *commandUnit) {
	conn, err := s.connected()
	if err != nil || conn == u.ref {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if conn.Object(sdName, sdPath).CallWithContext(ctx, sdManager+".RefUnit", 0, u.name).Err == nil {
		u.ref = conn
	}
}

func (s *systemd) dropCommand(u *commandUnit) {
	if u.ref != nil {
		ctx, cancel := context.WithTimeout(s.ctx, time.Second)
		defer cancel()
		u.ref.Object(sdName, sdPath).CallWithContext(ctx, sdManager+".UnrefUnit", 0, u.name)
	}
}

// awaitCommand waits for the end of a unit, or of ctx, also over a loss of the connection.
func (s *systemd) awaitCommand(ctx context.Context, u *commandUnit) (ending, error) {
	tick := time.NewTicker(askAgain)
	defer tick.Stop()
	var gone <-chan time.Time
	for {
		s.mu.Lock()
		over, doubt, end := u.over(), u.doubt, ending{code: u.code, status: u.status}
		if u.left {
			end.left = "what it left running was ended: a service may stay, a command may not"
		}
		u.doubt = false
		s.mu.Unlock()
		switch {
		case over && end.code == 0:
			return end, errors.New("systemd could not start it")
		case over:
			return end, nil
		case doubt && gone == nil:
			if s.askForCommand(ctx, u) {
				gone = time.After(time.Second) // an answer may overtake the signals that were sent before it
			}
			u.look() // at what is known now
		}
		select {
		case <-ctx.Done():
			return ending{}, ctx.Err()
		case <-gone:
			// It ended while systemd was executing itself anew: nobody was told then.
			if end, known := s.journal.exitOf(ctx, u.name, u.begun); known {
				return end, nil
			}
			return ending{}, errors.New("systemd has dropped it, and how it ended is not known")
		case <-u.changed:
		case <-tick.C:
			s.mu.Lock()
			u.doubt = true
			s.mu.Unlock()
		}
	}
}

// askForCommand asks for an end that a signal should have told, and tells whether systemd knows no such unit any more.
func (s *systemd) askForCommand(ctx context.Context, u *commandUnit) (gone bool) {
	s.keepCommand(ctx, u)
	conn, err := s.connected()
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var now commandUnit
	for _, iface := range []string{sdUnit, sdService} { // in this order, since what has ended does not run again
		var all map[string]dbus.Variant
		err := conn.Object(sdName, u.path).CallWithContext(ctx, properties+".GetAll", 0, iface).Store(&all)
		switch {
		case isError(err, "org.freedesktop.DBus.Error.UnknownObject"), isError(err, sdName+".NoSuchUnit"):
			return true
		case err != nil:
			return false
		}
		if state, _ := all["LoadState"].Value().(string); state == "not-found" {
			return true
		}
		now.take(all)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.over() && !u.over() { // else this answer may be older than what a signal has told meanwhile
		u.active, u.code, u.status = now.active, now.code, now.status
	}
	return false
}

// endCommand ends all processes of a unit and returns when there are none, or after some time with the reason.
func (s *systemd) endCommand(u *commandUnit) error {
	var err error
	for _, how := range [][]any{{"StopUnit", u.name, "replace"}, {"KillUnit", u.name, "all", int32(9)}} {
		ctx, cancel := context.WithTimeout(s.ctx, killTime)
		err = s.tell(ctx, how[0].(string), how[1:]...)
		if isError(err, sdName+".NoSuchUnit") {
			cancel()
			return nil
		}
		_, err = s.awaitCommand(ctx, u)
		ended := ctx.Err() == nil
		cancel()
		if ended {
			return nil
		}
	}
	s.logger.Error("cannot end a command", "unit", u.name, "error", err)
	return fmt.Errorf("it cannot be ended, and may still run as %s: systemd does not answer, or its processes do not", u.name)
}

// tell calls systemd, and waits for a connection if there is none.
func (s *systemd) tell(ctx context.Context, method string, args ...any) error {
	conn, err := s.reconnected(ctx)
	if err != nil {
		return err
	}
	return conn.Object(sdName, sdPath).CallWithContext(ctx, sdManager+"."+method, 0, args...).Err
}
