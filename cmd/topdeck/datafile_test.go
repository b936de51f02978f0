package main

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// TestADataFileThatCannotBeUsed: one line that says what to do, and the file stays as it is.
func TestADataFileThatCannotBeUsed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if code, _, stderr := outcome(t, userPassword+"\n", "user", "add", "ann", "--role", "admin", "--data", dir); code != exitDone {
		t.Fatal(stderr)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "topdeck.db"))
	if err != nil {
		t.Fatal(err)
	}
	change := func(format string, bucket string) []byte {
		path := filepath.Join(t.TempDir(), "db")
		if format != "" {
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists([]byte(bucket))
			if err != nil {
				return err
			}
			return b.Put([]byte("format"), []byte(format+"0"))
		})
		if err != nil {
			t.Fatal(err)
		}
		db.Close()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	noise := make([]byte, len(whole))
	rand.Read(noise)
	files := map[string]struct {
		text []byte
		says string
	}{
		"empty":             {[]byte{}, "it is empty"},
		"one byte":          {whole[:1], "damaged"},
		"cut short":         {whole[:5*4096], "damaged"},
		"cut by a page":     {whole[:8192], "damaged"},
		"noise":             {noise, "damaged"},
		"zeros":             {make([]byte, len(whole)), "damaged"},
		"a text":            {[]byte(strings.Repeat("not a database\n", 5000)), "damaged"},
		"another program's": {change("", "things"), "database of another program"},
		"a newer one":       {change("9", "meta"), "a newer topdeck wrote it"},
	}
	for name, test := range files {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "topdeck.db")
			if err := os.WriteFile(path, test.text, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, args := range [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"user", "list"}, {"log", "verify"}} {
				code, _, stderr := outcome(t, "", append(args, "--data", dir)...)
				if code != exitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, test.says) || !strings.Contains(stderr, path) {
					t.Errorf("%s: exit code %d, %q; want 1 and one line with %q", args[0], code, stderr, test.says)
				}
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(after, test.text) {
				t.Error("the file was changed")
			}
		})
	}
	t.Run("a folder", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "topdeck.db"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		code, _, stderr := outcome(t, "", "serve", "--listen", "127.0.0.1:0", "--data", dir)
		if code != exitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "not a plain file") {
			t.Errorf("exit code %d, %q", code, stderr)
		}
	})
	t.Logf("row 9: %d kinds of files that are no data file, and a folder: each refused in one line, none changed", len(files))
}
