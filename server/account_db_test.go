package server

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

func TestOpenDBMakesAPrivateFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "data")
	db, err := OpenDB(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantMode(t, dir, 0o700)
	wantMode(t, filepath.Join(dir, dbFile), 0o600)

	// What is ours is closed again.
	for path, mode := range map[string]os.FileMode{dir: 0o755, filepath.Join(dir, dbFile): 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if db, err = OpenDB(dir); err != nil {
		t.Fatal(err)
	}
	db.Close()
	wantMode(t, dir, 0o700)
	wantMode(t, filepath.Join(dir, dbFile), 0o600)
}

// TestWhatOthersPutIntoTheDataFolderIsNotUsed: while a folder was open, anybody may have put a data file with an administrator of theirs, or a
// certificate, into it.
func TestWhatOthersPutIntoTheDataFolderIsNotUsed(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to give files away")
	}
	for _, name := range []string{dbFile, "tls-key.pem", "setup-url"} {
		for _, mode := range []os.FileMode{0o777, 0o700} {
			dir := t.TempDir()
			db, err := OpenDB(dir)
			if err != nil {
				t.Fatal(err)
			}
			db.Close()
			path := filepath.Join(dir, name)
			if name == "setup-url" {
				err = os.Symlink("/dev/null", path)
			} else if name != dbFile {
				mustWrite(t, path, "theirs")
			}
			if err = errors.Join(err, os.Lchown(path, 65534, 65534), os.Chmod(dir, mode)); err != nil {
				t.Fatal(err)
			}
			if db, err = OpenDB(dir); err == nil || !strings.Contains(err.Error(), name+" in it belongs to user 65534") {
				t.Errorf("%s of another, in a folder with mode %o: %v", name, mode, err)
			}
			if err == nil {
				db.Close()
			}
			wantMode(t, dir, mode)
		}
	}
}

func wantMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("%s has mode %o, want %o", path, got, want)
	}
}

func TestOpenDBRefuses(t *testing.T) {
	// Each makes a data folder; want is part of the error.
	cases := map[string]struct {
		make func(t *testing.T, dir string)
		want string
	}{
		"an open folder with other things": {func(t *testing.T, dir string) {
			mustWrite(t, filepath.Join(dir, "other"), "")
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}, "chmod 700"},
		"a file for a folder": {func(t *testing.T, dir string) {
			if err := os.Remove(dir); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, dir, "")
		}, "cannot make the data folder"},
		"a folder for the file": {func(t *testing.T, dir string) {
			if err := os.Mkdir(filepath.Join(dir, dbFile), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "not a plain file"},
		"a link for the file": {func(t *testing.T, dir string) {
			if err := os.Symlink("/dev/null", filepath.Join(dir, dbFile)); err != nil {
				t.Fatal(err)
			}
		}, "not a plain file"},
		"a text": {func(t *testing.T, dir string) { mustWrite(t, filepath.Join(dir, dbFile), "hello") }, "damaged"},
		"long text": {func(t *testing.T, dir string) {
			mustWrite(t, filepath.Join(dir, dbFile), strings.Repeat("hello ", 10000))
		}, "damaged"},
		"many zeros": {func(t *testing.T, dir string) {
			mustWrite(t, filepath.Join(dir, dbFile), strings.Repeat("\x00", 100000))
		}, "damaged"},
		"a newer format": {func(t *testing.T, dir string) {
			writeFormat(t, dir, strconv.Itoa(dbFormat+1))
		}, "a newer topdeck wrote it"},
		"no format": {func(t *testing.T, dir string) { writeFormat(t, dir, "x") }, "damaged"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			c.make(t, dir)
			before, _ := os.ReadFile(filepath.Join(dir, dbFile))
			db, err := OpenDB(dir)
			if err == nil {
				db.Close()
				t.Fatal("it was opened")
			}
			if text := err.Error(); !strings.Contains(text, c.want) || !strings.HasPrefix(text, "cannot ") || strings.Contains(text, "\n") {
				t.Errorf("got %q, want one line with %q", text, c.want)
			}
			if after, _ := os.ReadFile(filepath.Join(dir, dbFile)); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func mustWrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func writeFormat(t *testing.T, dir, format string) {
	t.Helper()
	db, err := OpenDB(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(metaBucket)).Put([]byte(formatKey), []byte(format)) })
	if err != nil {
		t.Fatal(err)
	}
}

// TestDamagedDB cuts a database short, and overwrites its pages one after the other.
func TestDamagedDB(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, dbFile)
	db, err := OpenDB(dir)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		// The start reads the accounts, and not the other one.
		for _, name := range []string{usersBucket, "zzz"} {
			b, err := tx.CreateBucketIfNotExists([]byte(name))
			if err != nil {
				return err
			}
			for i := range 1000 {
				if err := b.Put(fmt.Appendf(nil, "key%d", i), bytes.Repeat([]byte("x"), 200)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 { // so that pages at the end are of the other one, and the rest is found in freed pages before them
		err := db.Update(func(tx *bbolt.Tx) error {
			if err := tx.Bucket([]byte(usersBucket)).Delete(fmt.Appendf(nil, "key%d", i)); err != nil {
				return err
			}
			return tx.Bucket([]byte("zzz")).Put(fmt.Appendf(nil, "more%d", i), bytes.Repeat([]byte("x"), 30000))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var used int
	if err := db.View(func(tx *bbolt.Tx) error { used = int(tx.Size()); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string][]byte{}
	for size := 1; size < used; size += 4 * 4095 {
		damage[fmt.Sprintf("cut to %d", size)] = whole[:size]
	}
	for page := 2; page < 12; page++ {
		broken := bytes.Clone(whole)
		copy(broken[page*4096:(page+1)*4096], bytes.Repeat([]byte{0xff}, 4096))
		damage[fmt.Sprintf("page %d", page)] = broken
	}
	refused := 0
	for name, content := range damage {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, dbFile)
			mustWrite(t, path, string(content))
			db, err := OpenDB(dir) // bbolt keeps the lock of a database that it panicked on until the process ends
			if err == nil {
				db.Close()
				if len(content) < used { // else it is a page that is free, say
					t.Error("it was opened")
				}
				return
			}
			refused++
			if text := err.Error(); !strings.HasPrefix(text, "cannot read ") || !strings.Contains(text, "it was left as it is") || strings.Contains(text, "\n") {
				t.Errorf("got %s", text)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(content, after) {
				t.Error("the file was changed")
			}
		})
	}
	if refused < len(damage)*2/3 {
		t.Errorf("%d of %d were refused", refused, len(damage))
	}
}

// TestHelperOpenDB is run as a process of its own, see TestSecondProcessIsTold.
func TestHelperOpenDB(t *testing.T) {
	dir := os.Getenv("TOPDECK_TEST_OPEN")
	if dir == "" {
		t.Skip("a helper of other tests")
	}
	db, err := OpenDB(dir)
	if err != nil {
		fmt.Println("refused:", err)
		return
	}
	defer db.Close()
	fmt.Println("opened")
}

func TestSecondProcessIsTold(t *testing.T) {
	dir := t.TempDir()
	db, err := OpenDB(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestHelperOpenDB$", "-test.v")
	cmd.Env = append(os.Environ(), "TOPDECK_TEST_OPEN="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("it is in use by process %d (%q)", os.Getpid(), strings.TrimSpace(string(comm)))
	if !strings.Contains(string(out), want) || !strings.Contains(string(out), "--data") {
		t.Errorf("got %s, want %q", out, want)
	}
}

func TestBrokenAccountIsTold(t *testing.T) {
	db, err := OpenDB(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bbolt.Tx) error {
		users, err := tx.CreateBucketIfNotExists([]byte(usersBucket))
		if err != nil {
			return err
		}
		return users.Put([]byte("ann"), []byte("{"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newAccounts(db, nil, nil, newTestClock().now, testCost); err == nil || !strings.Contains(err.Error(), `"ann"`) {
		t.Errorf("got %v", err)
	}
}
