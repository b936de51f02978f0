// Command topdeck shows a Linux host's processes, sockets and services live in the browser and lets an administrator act
// on them. This package is the program: flags, wiring and exit codes.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/alecthomas/kong"

	"topdeck/control"
)

// Exit codes, which are part of the contract.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// cli is the command line; the help texts are its manual.
type cli struct {
	Serve   serveCmd   `cmd:"" default:"withargs" help:"Serve the app (what topdeck alone does)."`
	User    userCmd    `cmd:"" help:"Manage accounts, also while a server runs."`
	Log     logCmd     `cmd:"" help:"Look after the operation log, also while a server runs."`
	Backup  backupCmd  `cmd:"" help:"Write the data file to a new file, also while a server runs."`
	Restore restoreCmd `cmd:"" help:"Put a backup in the place of the data file; no server may run."`
	Sample  sampleCmd  `cmd:"" help:"Print what the collector sees, as JSON lines."`
	Version versionCmd `cmd:"" help:"Print the version."`
	Exec    execCmd    `cmd:"" hidden:"" help:"Become another program; serve uses it to start commands."`

	VersionFlag kong.VersionFlag `name:"version" help:"Print the version."`
}

// streams are the program's standard streams.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	os.Exit(run(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// run does what args say and returns the exit code. One line on standard error tells a failure.
func run(args []string, std streams) int {
	if len(args) > 0 && args[0] == "help" {
		args = append(slices.Clone(args[1:]), "--help")
	}
	exit := -1 // kong ends the program here after --help and --version
	parser, err := kong.New(&cli{},
		kong.Name("topdeck"),
		kong.Description("Shows this host's processes, sockets and services live in the browser, and acts on them."),
		kong.Vars{"config": systemConfig, "version": versionLine()},
		kong.Writers(std.out, std.err),
		kong.Exit(func(code int) { exit = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: false}),
	)
	if err != nil {
		panic(err) // the struct above is wrong, which every test shows
	}
	ctx, err := parser.Parse(args)
	if exit >= 0 {
		return exit
	}
	if err == nil {
		err = ctx.Run(std)
	}
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(std.err, "topdeck:", err)
	var parse *kong.ParseError
	var usage usageError
	if errors.As(err, &parse) || errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// usageError is a fault in how the program was called that kong's parser does not see.
type usageError struct{ error }

// execCmd is what control's Starter names.
type execCmd struct {
	Words string `arg:""`
}

func (e execCmd) Run() error { return control.Exec(e.Words, os.Environ()) }

type versionCmd struct{}

// Run prints one line.
func (versionCmd) Run(std streams) error {
	_, err := fmt.Fprintln(std.out, versionLine())
	return err
}

// versionLine is the version, the commit where the build knows it, and what built it.
func versionLine() string {
	return fmt.Sprintf("topdeck %s %s %s/%s", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// version is the module's version, or the commit it was built from, or devel.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	return "devel"
}
