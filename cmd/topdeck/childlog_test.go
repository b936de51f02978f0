package main

import (
	"os"
	"path/filepath"
	"testing"
)

// childLog is a file that collects a child's output while the test reads it. The child writes to the file itself: what it
// wrote before it answered is there when the answer is, as it would not be with a pipe that a goroutine of the test empties.
type childLog struct{ *os.File }

func newChildLog(t *testing.T) childLog {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return childLog{file}
}

func (l childLog) String() string {
	text, err := os.ReadFile(l.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}
