// Command bench measures topdeck beside the kernel's floor and beside its peers, prints one table and writes it into the
// README between two markers. `make bench` runs it; it is not shipped.
//
// Machines are noisy, so every figure is a ratio: what is measured and what it is compared with take turns within each
// round, and the table has the median of the rounds' ratios with the least and the greatest. Costs are processor time, user
// and system, of whole trees of processes. What cannot be measured here (a peer that is not installed, a source that this
// kernel does not give) has a line that says so.
//
// The program starts itself anew for the sides of a measurement that must be processes of their own (fan, drain).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// bench is one run.
type bench struct {
	ctx     context.Context
	rounds  int
	topdeck string // the built program
	dir     string // for what is compiled and stored; removed at the end
	table   table
}

func main() {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "fan":
			exit(runFan(os.Args[2:]))
		case "drain":
			exit(runDrain(os.Args[2:]))
		}
	}
	rounds := flag.Int("rounds", 5, "how often each measurement is taken")
	only := flag.String("only", "", "regular expression of the sections to run (README is left alone)")
	topdeck := flag.String("topdeck", "bin/topdeck", "the built program")
	readme := flag.String("readme", "README.md", "where the table goes, between <!-- bench --> and <!-- /bench -->")
	flag.Parse()
	exit(run(*rounds, *only, *topdeck, *readme))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// sections are run in this order.
var sections = []struct {
	name string
	run  func(*bench) error
}{
	{"processes", (*bench).processes},
	{"sockets", (*bench).sockets},
	{"watched", (*bench).watched},
	{"idle", (*bench).idle},
	{"fanout", (*bench).fanOut},
	{"log", (*bench).log},
	{"page", (*bench).page},
	{"growth", (*bench).growth}, // when the connections of fanout are gone (TIME_WAIT)
	{"opening", (*bench).opening},
	{"start", (*bench).start},
}

func run(rounds int, only, topdeck, readme string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	pick, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	if topdeck, err = filepath.Abs(topdeck); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "topdeck-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := raiseFileLimit(); err != nil {
		return err
	}
	b := &bench{ctx: ctx, rounds: max(1, rounds), topdeck: topdeck, dir: dir}
	if err := b.compile(); err != nil {
		return err
	}
	began := time.Now()
	var failed []string
	for _, s := range sections {
		if !pick.MatchString(s.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%5.0f s  %s\n", time.Since(began).Seconds(), s.name)
		if err := s.run(b); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			fmt.Fprintf(os.Stderr, "         %s: %v\n", s.name, err)
			b.table.skip(s.name, "failed: "+err.Error())
			failed = append(failed, s.name)
		}
	}
	text := b.table.markdown(machine(), b.rounds, time.Since(began))
	fmt.Print(text)
	if only == "" {
		if err := writeBetween(readme, text); err != nil {
			return err
		}
	}
	if failed != nil {
		return errors.New("could not measure: " + strings.Join(failed, ", "))
	}
	return nil
}

// compile builds the C programs, and the test binaries that hold benchmarks.
func (b *bench) compile() error {
	for _, source := range []string{
		"cmd/bench/testdata/herd.c", "cmd/bench/testdata/idle.c", "collector/testdata/diagfloor.c",
	} {
		if err := b.command("cc", "-O2", "-o", b.tool(strings.TrimSuffix(filepath.Base(source), ".c")), source).Run(); err != nil {
			return fmt.Errorf("cannot compile %s: %w", source, err)
		}
	}
	for _, pkg := range []string{"collector", "control"} {
		if err := b.command("go", "test", "-c", "-o", b.tool(pkg+".test"), "./"+pkg).Run(); err != nil {
			return fmt.Errorf("cannot compile the tests of %s: %w", pkg, err)
		}
	}
	return nil
}

func (b *bench) tool(name string) string { return filepath.Join(b.dir, name) }

// command is ended with the run; its complaints are seen.
func (b *bench) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(b.ctx, name, args...)
	cmd.Stderr = os.Stderr
	return cmd
}

// pause waits, unless the run is to end.
func (b *bench) pause(d time.Duration) {
	select {
	case <-b.ctx.Done():
	case <-time.After(d):
	}
}

// raiseFileLimit lets this program and what it starts open as many files as they may.
func raiseFileLimit() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}
