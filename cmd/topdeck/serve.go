package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"topdeck/collector"
	"topdeck/control"
	"topdeck/frontend"
	"topdeck/server"
)

// closeTime bounds the end: after SIGTERM everything is closed, or left, within it.
const closeTime = 5 * time.Second

// minLogCount keeps a slip of the finger from emptying the operation log.
const minLogCount = 1000

type serveCmd struct {
	Listen       string        `default:"127.0.0.1:7373" env:"TOPDECK_LISTEN" placeholder:"ADDRESS:PORT" help:"Where to listen; any address but loopback gets TLS."`
	Data         string        `env:"TOPDECK_DATA" placeholder:"DIR" help:"Data folder (default: $STATE_DIRECTORY, else $XDG_STATE_HOME/topdeck)."`
	Interval     time.Duration `default:"1s" env:"TOPDECK_INTERVAL" help:"Time between samples, 100ms to 60s."`
	TLSCert      string        `name:"tls-cert" env:"TOPDECK_TLS_CERT" placeholder:"FILE" help:"TLS certificate, PEM."`
	TLSKey       string        `name:"tls-key" env:"TOPDECK_TLS_KEY" placeholder:"FILE" help:"Its key, PEM."`
	PublicURL    string        `name:"public-url" env:"TOPDECK_PUBLIC_URL" placeholder:"URL" help:"Where a reverse proxy shows this server, such as https://deck.example.org."`
	Commands     string        `default:"any" enum:"any,off" env:"TOPDECK_COMMANDS" placeholder:"any|off" help:"Whether administrators may run commands on this host: any or off."`
	SecondFactor roles         `name:"second-factor" env:"TOPDECK_SECOND_FACTOR" placeholder:"ROLE,…" help:"Roles whose accounts must set up a second factor (TOTP) before they may do anything, such as admin,operator."`
	LogMaxAge    retention     `name:"log-max-age" default:"400d" env:"TOPDECK_LOG_MAX_AGE" placeholder:"AGE" help:"Age after which records leave the operation log, such as 400d or 36h; 0 keeps all."`
	LogMaxCount  int           `name:"log-max-count" default:"1000000" env:"TOPDECK_LOG_MAX_COUNT" placeholder:"N" help:"How many records the operation log keeps; 0 keeps all."`
	Source       string        `default:"auto" enum:"auto,bpf,proc" env:"TOPDECK_SOURCE" placeholder:"auto|bpf|proc" help:"Where to read processes from: the kernel's tasks by BPF, /proc, or the best that can be had."`
	Pprof        string        `env:"TOPDECK_PPROF" placeholder:"ADDRESS:PORT" help:"Serve Go profiles of this program there; a loopback address such as 127.0.0.1:6060."`
	Config       string        `env:"TOPDECK_CONFIG" placeholder:"FILE" help:"JSON file with values for these flags (default: ${config})."`
}

// BeforeResolve lets kong take what the command line and the environment did not give from the configuration file.
func (s *serveCmd) BeforeResolve(ctx *kong.Context) error {
	path := ""
	for _, flag := range ctx.Flags() {
		if flag.Name == "config" {
			path, _ = ctx.FlagValue(flag).(string)
		}
	}
	config, err := readConfig(path)
	if err != nil {
		return err
	}
	ctx.AddResolver(config)
	return nil
}

// Run serves until SIGTERM or SIGINT.
func (s *serveCmd) Run(std streams) error {
	logger := slog.New(slog.NewTextHandler(std.err, nil))
	if os.Getenv("GOGC") == "" {
		// Most of what is made lives for a tick: collecting at half the growth takes 15 MB less at 2,000 processes and 4,000
		// sockets, and 8 % more processor time while somebody watches. A quarter would take as much again, and save nothing.
		debug.SetGCPercent(50)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	public, err := publicURL(s.PublicURL)
	if err != nil {
		return err
	}
	watch, err := collector.New(collector.Config{Interval: s.Interval, Source: s.Source, Logger: logger})
	if err != nil {
		return startError(err)
	}
	details, err := collector.NewDetailer("", "")
	if err != nil {
		return err
	}
	if s.LogMaxCount != 0 && s.LogMaxCount < minLogCount {
		return usageError{fmt.Errorf("--log-max-count is %d: it must be at least %d, or 0 to keep all records", s.LogMaxCount, minLogCount)}
	}
	if (s.TLSCert == "") != (s.TLSKey == "") {
		return usageError{errors.New("--tls-cert and --tls-key go together: give both or none")}
	}
	dir, err := dataDir(s.Data)
	if err != nil {
		return err
	}
	ln, err := s.listen() // before anything is written: a second server leaves no trace
	if err != nil {
		return err
	}
	defer ln.Close()
	profiles, err := servePprof(s.Pprof, logger)
	if err != nil {
		return err
	}
	if profiles != nil {
		defer profiles.Close()
	}
	db, err := server.OpenDB(dir)
	if err != nil {
		return err
	}
	defer db.Close()
	tlsConfig, err := s.tlsConfig(dir)
	if err != nil {
		return err
	}
	log, err := control.OpenLog(db, control.LogConfig{
		Logger: logger, Now: time.Now, MaxAge: time.Duration(s.LogMaxAge), MaxCount: s.LogMaxCount, Outlives: control.Outlives,
	})
	if err != nil {
		return err
	}
	defer log.Close()
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find this program: %w", err)
	}
	manager := control.NewManager(control.Config{Log: log, Logger: logger, Starter: []string{program, "exec"}})
	defer manager.Close()
	app, err := fs.Sub(frontend.Dist, "dist")
	if err != nil {
		return err
	}
	srv, err := server.New(server.Config{
		DB: db, DataDir: dir, Collector: watch, Host: collector.NewHostReader(collector.HostConfig{Source: watch.Source}), Processes: details,
		Log: log, Services: manager, Control: manager, Commands: s.Commands == "any", SecondFactor: s.SecondFactor, App: app, PublicURL: public, TLS: tlsConfig != nil, Logger: logger, Now: time.Now, Elapsed: sinceBoot,
	})
	if err != nil {
		return err
	}

	manager.Subscribe(srv.ServicesChanged)
	address := baseURL(ln.Addr(), tlsConfig != nil, public)
	logger.Info("serving", "url", address, "data", dir, "version", version())
	if tlsConfig != nil {
		logger.Info("TLS", "certificate-sha256", server.Fingerprint(tlsConfig))
		ln = tls.NewListener(ln, tlsConfig)
	}
	if err := tellSetup(srv, log, std, logger, dir, address); err != nil {
		return err
	}

	collecting, stopCollecting := context.WithCancel(context.Background())
	collected := make(chan error, 1)
	go func() { collected <- watch.Run(collecting, srv.Publish) }()
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	notify(logger, daemon.SdNotifyReady)
	go watchdog(collecting, srv, logger)

	select {
	case <-ctx.Done():
		stop() // a second signal ends the program at once
		logger.Info("closing")
		notify(logger, daemon.SdNotifyStopping)
	case err = <-served:
	case err = <-collected:
		collected <- nil
	}
	closing, cancel := context.WithTimeout(context.Background(), closeTime-time.Second)
	defer cancel()
	closeErr := srv.Close(closing)
	stopCollecting()
	<-collected
	return errors.Join(err, closeErr)
}

// notify tells systemd how the service stands, where it asks to be told. Source: sd_notify(3).
func notify(logger *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		logger.Warn("cannot tell systemd how the service stands", "error", err)
	}
}

// watchdog tells systemd that the server is not stuck, where it asks for that, until ctx ends. Source: sd_watchdog_enabled(3).
func watchdog(ctx context.Context, srv *server.Server, logger *slog.Logger) {
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		logger.Warn("cannot read what systemd asks of the watchdog", "error", err)
	}
	if every <= 0 {
		return
	}
	ticker := time.NewTicker(every / 2)
	defer ticker.Stop()
	for {
		srv.Alive()
		notify(logger, daemon.SdNotifyWatchdog)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// tellSetup prints the set-up URL on a terminal while there is no account; elsewhere it writes it to a file that only the
// owner can read, because logs are read by others.
func tellSetup(srv *server.Server, log *control.Log, std streams, logger *slog.Logger, dir, address string) error {
	file := filepath.Join(dir, "setup-url")
	token, needed, err := srv.StartSetup()
	if err != nil {
		return err
	}
	if !needed {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("cannot remove the old set-up URL: %w", err)
		}
		return nil
	}
	setupURL := address + "/setup#token=" + token
	if stderr, ok := std.err.(*os.File); ok && term.IsTerminal(int(stderr.Fd())) {
		fmt.Fprintf(std.err, "\nNo account yet. Open this within 15 minutes to make the first administrator:\n\n    %s\n\n", setupURL)
		return nil
	}
	if err := os.WriteFile(file, []byte(setupURL+"\n"), 0o600); err != nil {
		return fmt.Errorf("cannot write the set-up URL: %w", err)
	}
	log.Subscribe(func(op *control.Operation, _ int) {
		if op != nil && op.LogType == "setup.done" {
			_ = os.Remove(file) // its token is used; the next start tries again
		}
	})
	logger.Info("no account yet: open the URL in this file within 15 minutes", "file", file)
	return nil
}

// sinceBoot is the time since the machine started, its sleep counted. Source: CLOCK_BOOTTIME of clock_gettime(2).
func sinceBoot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic(err) // every Linux since 2.6.39 has it
	}
	return time.Duration(t.Nano())
}
