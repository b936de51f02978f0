package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"topdeck/server"
)

// userCmd manages the accounts of a data folder, through the server that runs on it or, without one, directly.
type userCmd struct {
	Data string `env:"TOPDECK_DATA" placeholder:"DIR" help:"Data folder (default: $STATE_DIRECTORY, else $XDG_STATE_HOME/topdeck)."`

	Add    userAdd    `cmd:"" help:"Add an account; the password is asked for, or read from standard input."`
	List   userList   `cmd:"" help:"List the accounts."`
	Passwd userPasswd `cmd:"" help:"Give an account a new password; its sessions end."`
	Role   userRole   `cmd:"" help:"Give an account another role; its sessions end."`
	Remove userRemove `cmd:"" help:"Remove an account; its sessions end."`

	RemoveSecondFactor userRemoveSecondFactor `cmd:"" help:"Take the second factor of an account away, whose owner has lost it; its sessions end."`
}

type userAdd struct {
	Name string `arg:"" help:"Its name."`
	Role string `required:"" placeholder:"ROLE" help:"admin, operator or viewer."`
}

type userList struct{}

type userPasswd struct {
	Name string `arg:"" help:"The account's name."`
}

type userRole struct {
	Name string `arg:"" help:"The account's name."`
	Role string `arg:"" help:"admin, operator or viewer."`
}

type userRemove struct {
	Name string `arg:"" help:"The account's name."`
}

type userRemoveSecondFactor struct {
	Name string `arg:"" help:"The account's name."`
}

// Run adds an account.
func (a *userAdd) Run(std streams, user *userCmd) error {
	if err := server.CheckName(a.Name); err != nil {
		return usageError{err}
	}
	role, err := server.ParseRole(a.Role)
	if err != nil {
		return usageError{err}
	}
	password, err := newPassword(std)
	if err != nil {
		return err
	}
	_, err = user.do(std, server.AdminRequest{Do: "add", Name: a.Name, Role: role, Password: password})
	return err
}

// Run prints a table.
func (userList) Run(std streams, user *userCmd) error {
	rows, err := user.do(std, server.AdminRequest{Do: "list"})
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tROLE\tSECOND FACTOR\tCREATED\tPASSWORD CHANGED\tLAST LOGIN")
	for _, r := range rows {
		last, factor := "never", "no"
		if r.SecondFactor {
			factor = "yes"
		}
		if r.LastLogin != nil {
			last = r.LastLogin.Local().Format(time.DateTime)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.Role, factor, r.CreatedAt.Local().Format(time.DateTime),
			r.PasswordChanged.Local().Format(time.DateTime), last)
	}
	return table.Flush()
}

// Run gives an account a new password.
func (p *userPasswd) Run(std streams, user *userCmd) error {
	if err := server.CheckName(p.Name); err != nil {
		return usageError{err}
	}
	password, err := newPassword(std)
	if err != nil {
		return err
	}
	_, err = user.do(std, server.AdminRequest{Do: "passwd", Name: p.Name, Password: password})
	return err
}

// Run gives an account another role.
func (r *userRole) Run(std streams, user *userCmd) error {
	if err := server.CheckName(r.Name); err != nil {
		return usageError{err}
	}
	role, err := server.ParseRole(r.Role)
	if err != nil {
		return usageError{err}
	}
	_, err = user.do(std, server.AdminRequest{Do: "role", Name: r.Name, Role: role})
	return err
}

// Run removes an account.
func (r *userRemove) Run(std streams, user *userCmd) error {
	if err := server.CheckName(r.Name); err != nil {
		return usageError{err}
	}
	_, err := user.do(std, server.AdminRequest{Do: "remove", Name: r.Name})
	return err
}

// Run takes the second factor of an account away.
func (r *userRemoveSecondFactor) Run(std streams, user *userCmd) error {
	if err := server.CheckName(r.Name); err != nil {
		return usageError{err}
	}
	_, err := user.do(std, server.AdminRequest{Do: "remove-second-factor", Name: r.Name})
	return err
}

func (u *userCmd) do(std streams, r server.AdminRequest) ([]server.UserRow, error) {
	dir, err := dataDir(u.Data)
	if err != nil {
		return nil, err
	}
	return server.Administer(dir, r, slog.New(slog.NewTextHandler(std.err, &slog.HandlerOptions{Level: slog.LevelWarn})))
}

// newPassword asks twice on a terminal, and elsewhere reads one line of standard input.
func newPassword(std streams) (string, error) {
	file, ok := std.in.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return firstLine(std.in)
	}
	password, err := ask(std.err, file, "Password (at least 12 characters): ")
	if err != nil {
		return "", err
	}
	if err := server.CheckPassword(password); err != nil {
		return "", err
	}
	again, err := ask(std.err, file, "The same again: ")
	if err != nil {
		return "", err
	}
	if password != again {
		return "", errors.New("cannot take the password: the two differ")
	}
	return password, nil
}

// firstLine reads a password from what is no terminal.
func firstLine(in io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(in, 64<<10)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	password := strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if password == "" {
		return "", errors.New("cannot read the password: standard input is empty; give it as one line")
	}
	return password, server.CheckPassword(password)
}

// ask reads a line from the terminal without showing it. A signal leaves the terminal as it was.
func ask(out io.Writer, terminal *os.File, prompt string) (string, error) {
	fd := int(terminal.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	defer close(done)
	go func() {
		select {
		case <-signals:
			_ = term.Restore(fd, state)
			fmt.Fprintln(out)
			os.Exit(exitFailed)
		case <-done:
		}
	}()
	fmt.Fprint(out, prompt)
	line, err := term.ReadPassword(fd)
	fmt.Fprintln(out)
	if err != nil {
		return "", fmt.Errorf("cannot read the password: %w", err)
	}
	return string(line), nil
}
