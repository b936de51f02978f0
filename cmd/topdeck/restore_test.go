package main

import (
	"bytes"
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"
)

// TestABackupThatIsNone gives topdeck restore what is no backup, or what it cannot put in place: one line that says why, and the data
// file that was there stays, with nothing beside it.
func TestABackupThatIsNone(t *testing.T) {
	dir, files := filepath.Join(t.TempDir(), "data"), t.TempDir()
	if code, _, stderr := outcome(t, userPassword+"\n", "user", "add", "ann", "--role", "admin", "--data", dir); code != exitDone {
		t.Fatal(stderr)
	}
	good := filepath.Join(files, "good")
	if code, _, stderr := outcome(t, "", "backup", good, "--data", dir); code != exitDone {
		t.Fatal(stderr)
	}
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, text []byte) string {
		path := filepath.Join(files, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	changed := func(name string, bucket, key, value string) string {
		path := write(name, whole)
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucket)).Put([]byte(key), []byte(value)) }); err != nil {
			t.Fatal(err)
		}
		return path
	}
	foreign := filepath.Join(files, "foreign")
	db, err := bbolt.Open(foreign, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("things")); return err }); err != nil {
		t.Fatal(err)
	}
	db.Close()
	noise := make([]byte, len(whole))
	rand.Read(noise)
	pipe, dangling, loop := filepath.Join(files, "pipe"), filepath.Join(files, "dangling"), filepath.Join(files, "loop")
	for _, err := range []error{syscall.Mkfifo(pipe, 0o600), os.Symlink("/nonexistent", dangling), os.Symlink(loop, loop)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	socket, err := net.Listen("unix", filepath.Join(files, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()

	before, err := os.ReadFile(filepath.Join(dir, "topdeck.db"))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(name, file, says, dir string) {
		t.Helper()
		code, stdout, stderr := outcome(t, "", "restore", file, "--data", dir)
		if code != exitFailed || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, says) || strings.Contains(stderr, ".topdeck.db-") {
			t.Errorf("%s: exit code %d, %q %q; want 1 and one line with %q", name, code, stdout, stderr, says)
		}
	}
	n := 0
	for name, test := range map[string]struct{ file, says string }{
		"nothing":                       {filepath.Join(files, "nothing"), "no such file"},
		"a pipe":                        {pipe, "not a plain file"},
		"a socket":                      {socket.Addr().String(), "not a plain file"},
		"a folder":                      {files, "not a plain file"},
		"a device without an end":       {"/dev/zero", "not a plain file"},
		"a device without anything":     {"/dev/null", "not a plain file"},
		"a link to nothing":             {dangling, "no such file"},
		"a link to itself":              {loop, "too many levels"},
		"an empty file":                 {write("empty", nil), "nothing was changed: take another backup"},
		"a file cut short":              {write("short", whole[:len(whole)/2]), "the file is damaged"},
		"a file cut within a page":      {write("page", whole[:9000]), "the file is damaged"},
		"noise":                         {write("noise", noise), "the file is damaged"},
		"a database of another program": {foreign, "the database of another program"},
		"one of a newer topdeck":        {changed("newer", "meta", "format", "99"), "a newer topdeck wrote it"},
		"one of a format that is none":  {changed("format", "meta", "format", "x"), "the file is damaged"},
		"accounts that cannot be read":  {changed("accounts", "users", "ann", "}{"), `the account "ann" cannot be read`},
	} {
		refused(name, test.file, test.says, dir)
		n++
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "topdeck.db")); !bytes.Equal(before, after) {
		t.Error("a restore that was refused changed the data file")
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("in the data folder are left %v", left)
	}

	for name, put := range map[string]func(path string) error{
		"a pipe":            func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"a folder":          func(path string) error { return os.Mkdir(path, 0o700) },
		"a link":            func(path string) error { return os.Symlink(good, path) },
		"a link to nothing": func(path string) error { return os.Symlink("/nonexistent", path) },
	} {
		dir := filepath.Join(t.TempDir(), "data")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := put(filepath.Join(dir, "topdeck.db")); err != nil {
			t.Fatal(err)
		}
		refused(name+" in the place of the data file", good, "it is not a plain file; move it away first", dir)
		n++
	}
	t.Logf("row 20: %d things that are no backup, or stand in its place: restore refuses each in one line, and the data file stays", n)
}

// TestARestoreOnAFullDisk: the disk has room for a part of the backup only.
func TestARestoreOnAFullDisk(t *testing.T) {
	dir := filepath.Join(mountTmpfs(t, "4m"), "data")
	file := filepath.Join(t.TempDir(), "backup")
	if code, _, stderr := outcome(t, userPassword+"\n", "user", "add", "ann", "--role", "admin", "--data", dir); code != exitDone {
		t.Fatal(stderr)
	}
	if code, _, stderr := outcome(t, "", "backup", file, "--data", dir); code != exitDone {
		t.Fatal(stderr)
	}
	path := filepath.Join(dir, "topdeck.db")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	filler := fillDisk(t, filepath.Dir(dir))
	info, err := os.Stat(filler)
	if err != nil {
		t.Fatal(err)
	}
	for free := int64(0); ; free += 4096 { // each of them is the last byte that there is room for
		if err := os.Truncate(filler, info.Size()-free); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := outcome(t, "", "restore", file, "--data", dir)
		if code == exitDone {
			if free == 0 {
				t.Error("the disk was not full")
			}
			if kept, err := os.ReadFile(strings.TrimSpace(strings.TrimPrefix(stdout, "what was there before is kept as "))); err != nil || !bytes.Equal(kept, before) {
				t.Errorf("what was there before is not kept: %v %s", err, stdout)
			}
			break
		}
		if code != exitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "no space left") {
			t.Errorf("with room for %d bytes: exit code %d, %q", free, code, stderr)
		}
		left, _ := os.ReadDir(dir)
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) || len(left) != 1 {
			t.Fatalf("with room for %d bytes: the data file is another, or not alone: %v", free, left)
		}
	}
}
