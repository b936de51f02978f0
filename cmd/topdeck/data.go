package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// dataDir is the data folder: the flag's, else $STATE_DIRECTORY (systemd.exec(5)), else topdeck in $XDG_STATE_HOME, which
// is ~/.local/state where it is not set.
func dataDir(flag string) (string, error) {
	if flag != "" {
		return filepath.Abs(flag)
	}
	if dir, _, _ := strings.Cut(os.Getenv("STATE_DIRECTORY"), ":"); dir != "" { // a unit may have several
		return filepath.Abs(dir)
	}
	// The XDG Base Directory Specification has relative paths ignored.
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "topdeck"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("cannot choose a data folder: neither $STATE_DIRECTORY, $XDG_STATE_HOME nor $HOME is set; name one with --data")
	}
	return filepath.Join(home, ".local", "state", "topdeck"), nil
}
