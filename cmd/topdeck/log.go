package main

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"

	"topdeck/control"
	"topdeck/server"
)

// logCmd looks after the operation log of a data folder.
type logCmd struct {
	Data string `env:"TOPDECK_DATA" placeholder:"DIR" help:"Data folder (default: $STATE_DIRECTORY, else $XDG_STATE_HOME/topdeck)."`

	Verify logVerify `cmd:"" help:"Tell whether every record is as it was written, also while a server runs."`
}

type logVerify struct {
	Heads []string `arg:"" optional:"" name:"head" help:"Heads that the server told its log (head=…): a tail that was cut off since shows against them."`
}

// Run prints what the log was found to be, or fails with the first place that is not as it was.
func (v *logVerify) Run(std streams, log *logCmd) error {
	heads := make([]control.Head, len(v.Heads))
	for i, text := range v.Heads {
		head, err := control.ParseHead(text)
		if err != nil {
			return usageError{err}
		}
		heads[i] = head
	}
	dir, err := dataDir(log.Data)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	found, err := server.VerifyLog(ctx, dir, heads)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "the operation log is whole: entries %d to %d, %d operations\nhead=%s\n", found.First, found.Head.Seq, found.Operations, found.Head)
	if known := len(heads) - found.Older; known > 0 {
		fmt.Fprintf(std.out, "heads told earlier that it still holds: %d\n", known)
	}
	if found.Older > 0 {
		fmt.Fprintf(std.out, "heads told earlier of records that retention has removed: %d\n", found.Older)
	}
	if len(heads) == 0 {
		fmt.Fprintf(std.out, "that nothing was cut off its end shows against what the server told its log: topdeck log verify --data %s $(journalctl -u topdeck | grep -o 'head=[0-9a-f:]*')\n", dir)
	}
	return nil
}
