package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"topdeck/control"
	"topdeck/server"
)

var toldHead = regexp.MustCompile(`head=(\d+:[0-9a-f]{64})`)

// tamper changes the data file of a server that does not run.
func tamper(t *testing.T, dir string, change func(entries *bbolt.Bucket)) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, "topdeck.db"), 0o600, &bbolt.Options{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Update(func(tx *bbolt.Tx) error {
		change(tx.Bucket([]byte("operations")).Bucket([]byte("entries")))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func number(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

func TestLogVerify(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	verify := func(exit int, says string, heads ...string) string {
		t.Helper()
		code, stdout, stderr := outcome(t, "", append([]string{"log", "verify", "--data", dir}, heads...)...)
		if code != exit || !strings.Contains(stdout+stderr, says) || exit != exitDone && strings.Count(stderr, "\n") != 1 {
			t.Errorf("log verify: exit code %d, %q %q; want %d and %q", code, stdout, stderr, exit, says)
		}
		return stdout
	}
	verify(exitFailed, "--data") // there is nothing
	s := serve(t, dir)
	for _, name := range []string{"ann", "bob", "cid"} {
		if code, _, stderr := outcome(t, userPassword+"\n", "user", "add", name, "--role", "admin", "--data", dir); code != exitDone {
			t.Fatal(stderr)
		}
	}
	running := verify(exitDone, "is whole: entries 1 to 3, 3 operations")
	if again := "topdeck log verify --data " + dir + " $("; !strings.Contains(running, again) {
		t.Errorf("how to verify more is told as %q, want %q in it", running, again)
	}
	online := toldHead.FindStringSubmatch(running)
	if online == nil {
		t.Fatalf("no head in %q", running)
	}
	s.stop(t)
	told := toldHead.FindAllString(s.stderr.String(), -1)
	if len(told) == 0 || told[len(told)-1] != online[0] {
		t.Fatalf("the server told the heads %q, and log verify %s", told, online[0])
	}
	offline := verify(exitDone, "told earlier that it still holds: 2", online[1], told[len(told)-1])
	if !strings.Contains(offline, online[0]) {
		t.Errorf("offline it is %s, online it was %s", offline, online[0])
	}
	verify(exitUsage, "64 hexadecimal digits", "3:1234")

	var second, third []byte
	tamper(t, dir, func(entries *bbolt.Bucket) {
		second = append([]byte(nil), entries.Get(number(2))...)
		entries.Put(number(2), append(second[:len(second)-1:len(second)-1], 1))
	})
	verify(exitFailed, "broken at entry 2: it was changed")
	s = serve(t, dir) // it works, and says the same
	verify(exitFailed, "broken at entry 2: it was changed")
	s.stop(t)
	tamper(t, dir, func(entries *bbolt.Bucket) { entries.Put(number(2), second) })
	verify(exitDone, "is whole", online[1])

	// Whoever takes care that the end looks like an end is found out by what the server told.
	db, err := bbolt.Open(filepath.Join(dir, "topdeck.db"), 0o600, &bbolt.Options{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		books := tx.Bucket([]byte("operations"))
		third = append([]byte(nil), books.Bucket([]byte("entries")).Get(number(3))...)
		if err := books.Bucket([]byte("entries")).Delete(number(3)); err != nil || len(third) == 0 {
			return err
		}
		if err := books.Bucket([]byte("entries")).SetSequence(2); err != nil {
			return err
		}
		if err := books.Bucket([]byte("state")).Delete(number(3)); err != nil {
			return err
		}
		for _, name := range []string{"all", "logType=user.add\x00"} {
			if err := books.Bucket([]byte("count")).Put([]byte(name), number(2)); err != nil {
				return err
			}
		}
		return books.Bucket([]byte("count")).Delete([]byte("head"))
	})
	db.Close()
	if err != nil {
		t.Fatal(err)
	}
	verify(exitDone, "entries 1 to 2, 2 operations")
	verify(exitFailed, "broken at entry 3: it is missing", online[1])
	t.Log("row 10: a tail that was cut off without a trace shows by the head that the journal was told")
}

func TestRetentionIsAFlag(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	db, err := server.OpenDB(dir)
	if err != nil {
		t.Fatal(err)
	}
	db.NoSync = true
	log, err := control.OpenLog(db, control.LogConfig{})
	if err != nil {
		t.Fatal(err)
	}
	const n = 1700
	for i := range n {
		if _, err := log.Record(control.Entry{LogType: "user.add", Target: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	head, err := log.Head()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(log.Close(), db.Close()); err != nil {
		t.Fatal(err)
	}
	verify := func() (first, last, operations int) {
		t.Helper()
		code, stdout, stderr := outcome(t, "", "log", "verify", head.String(), "--data", dir)
		if code != exitDone {
			t.Fatal(stderr)
		}
		if _, err := fmt.Sscanf(stdout, "the operation log is whole: entries %d to %d, %d operations", &first, &last, &operations); err != nil {
			t.Fatalf("%q: %v", stdout, err)
		}
		return first, last, operations
	}
	serve(t, dir).stop(t)
	if first, _, operations := verify(); first != 1 || operations != n {
		t.Errorf("by default %d of %d are kept, from %d on", operations, n, first)
	}
	config := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(config, []byte(`{"log-max-count": 1000, "log-max-age": "10d"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serve(t, dir, "--config", config)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if _, _, operations := verify(); operations == 1000 {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("%d operations are left, want 1000", operations)
		}
	}
	s.stop(t)
	if first, last, operations := verify(); first != n-1000+1 || last <= n || operations != 1000 {
		t.Errorf("entries %d to %d, %d operations are left", first, last, operations)
	}
}
