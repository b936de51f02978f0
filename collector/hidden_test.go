package collector

import (
	"os"
	"path/filepath"
	"testing"
)

func TestHiddenProcessesAreTold(t *testing.T) {
	proc := t.TempDir()
	if hidden(proc, 1000) == "" || hidden(proc, 0) != "" {
		t.Error("without a first process, nothing is told to a user, or something to root")
	}
	if err := os.Mkdir(filepath.Join(proc, "1"), 0o555); err != nil {
		t.Fatal(err)
	}
	if got := hidden(proc, 1000); got != "" {
		t.Errorf("with it, got %q", got)
	}
}
