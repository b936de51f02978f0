package collector

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// hidden tells why processes are missing: the first one, which is always there, cannot be seen. Source: hidepid in proc(5).
func hidden(proc string, euid int) string {
	if euid == 0 {
		return ""
	}
	if _, err := os.Stat(filepath.Join(proc, "1")); !errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return "the kernel hides the processes of other users here (hidepid): run topdeck as root"
}
