package main

import (
	"encoding/binary"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
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
}
