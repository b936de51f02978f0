package main

import (
	"fmt"
	"path/filepath"

	"topdeck/server"
)

type backupCmd struct {
	File string `arg:"" help:"Where to write it: a new file."`
	Data string `env:"TOPDECK_DATA" placeholder:"DIR" help:"Data folder (default: $STATE_DIRECTORY, else $XDG_STATE_HOME/topdeck)."`
}

// Run writes the backup and tells nothing.
func (b *backupCmd) Run() error {
	dir, err := dataDir(b.Data)
	if err != nil {
		return err
	}
	return server.Backup(dir, b.File)
}

type restoreCmd struct {
	File string `arg:"" help:"A backup."`
	Data string `env:"TOPDECK_DATA" placeholder:"DIR" help:"Data folder (default: $STATE_DIRECTORY, else $XDG_STATE_HOME/topdeck)."`
}

// Run tells where the data file went that was there before.
func (r *restoreCmd) Run(std streams) error {
	dir, err := dataDir(r.Data)
	if err != nil {
		return err
	}
	file, err := filepath.Abs(r.File)
	if err != nil {
		return err
	}
	kept, broken, err := server.Restore(dir, file)
	if err != nil {
		return err
	}
	if kept != "" {
		fmt.Fprintf(std.out, "what was there before is kept as %s\n", kept)
	}
	if broken != nil {
		fmt.Fprintf(std.err, "topdeck: it is restored, but %v\n", broken)
	}
	return nil
}
