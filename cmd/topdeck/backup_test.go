package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestBackupAndRestore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	file := filepath.Join(t.TempDir(), "backup.db")
	do := func(exit int, says string, args ...string) {
		t.Helper()
		code, stdout, stderr := outcome(t, "", append(args, "--data", dir)...)
		if code != exit || !strings.Contains(stdout+stderr, says) || exit != exitDone && strings.Count(stderr, "\n") != 1 {
			t.Fatalf("%q: exit code %d, %q %q; want %d and %q", args, code, stdout, stderr, exit, says)
		}
	}
	s := serve(t, dir)
	cookie := signIn(t, s, dir, "ann", "admin")
	admin := asCaller(t, s, cookie)
	var group sync.WaitGroup
	stop := make(chan struct{})
	acted := 0
	group.Go(func() { // the server goes on
		for {
			select {
			case <-stop:
				return
			default:
			}
			if status, text := admin.call("POST", "/commands", map[string]string{"command": fmt.Sprint("true ", acted)}, nil); status == http.StatusAccepted {
				acted++
			} else if status != http.StatusTooManyRequests {
				t.Errorf("an act answers %d %s", status, text)
			}
		}
	})
	backups := rounds(5, 200)
	for i := range backups {
		file := fmt.Sprint(file, i)
		do(exitDone, "", "backup", file)
		copied := filepath.Join(t.TempDir(), "data")
		if code, _, stderr := outcome(t, "", "restore", file, "--data", copied); code != exitDone || stderr != "" {
			t.Fatalf("backup %d: %d %s", i, code, stderr)
		}
		if code, _, stderr := outcome(t, "", "log", "verify", "--data", copied); code != exitDone {
			t.Errorf("backup %d: %s", i, stderr)
		}
		os.RemoveAll(copied)
		os.Remove(file)
	}
	close(stop)
	group.Wait()
	if acted == 0 {
		t.Error("nothing was done meanwhile")
	}

	do(exitDone, "", "backup", file)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup: %v %v", info, err)
	}
	do(exitFailed, "is there already", "backup", file)
	do(exitFailed, "cannot make the backup", "backup", filepath.Join(dir, "no", "folder"))
	signIn(t, s, dir, "bob", "admin")
	do(exitFailed, "stop that first", "restore", file)
	s.stop(t)
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, bytes.Repeat([]byte("x"), 20000), 0o600); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "topdeck.db"))
	if err != nil {
		t.Fatal(err)
	}
	do(exitFailed, "damaged", "restore", wrong)
	do(exitFailed, "cannot read the backup", "restore", filepath.Join(dir, "nothing"))
	if after, _ := os.ReadFile(filepath.Join(dir, "topdeck.db")); !bytes.Equal(before, after) {
		t.Error("a restore that was refused changed the data file")
	}
	do(exitDone, "is kept as", "restore", file)
	kept, err := filepath.Glob(filepath.Join(dir, "topdeck.db.*"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept are %v", kept)
	}
	if text, _ := os.ReadFile(kept[0]); !bytes.Equal(before, text) {
		t.Error("what was kept is not what was there")
	}

	s = serve(t, dir)
	code, users, _ := outcome(t, "", "user", "list", "--data", dir)
	if code != exitDone || !strings.Contains(users, "ann") || strings.Contains(users, "bob") {
		t.Errorf("accounts after the restore: %s", users)
	}
	if status, _ := asCaller(t, s, cookie).call("GET", "/session", nil, nil); status != http.StatusUnauthorized {
		t.Errorf("a session from before the restore answers %d", status)
	}
	do(exitDone, "is whole", "log", "verify")
	s.stop(t)
	if err := os.WriteFile(filepath.Join(dir, "topdeck.db"), []byte("broken"), 0o600); err != nil { // what restore is for
		t.Fatal(err)
	}
	do(exitFailed, "topdeck restore", "serve", "--listen", "127.0.0.1:0")
	do(exitDone, "is kept as", "restore", file)
	do(exitDone, "ann", "user", "list")
	do(exitDone, "", "backup", file+"2") // without a server
	if code, _, stderr := outcome(t, "", "backup", file+"3", "--data", filepath.Join(dir, "elsewhere")); code != exitFailed || !strings.Contains(stderr, "--data") {
		t.Errorf("a backup of nothing: %d %s", code, stderr)
	}
	t.Logf("row 20: %d backups of a server that made %d records meanwhile: each restored and verified", backups, acted)
}
