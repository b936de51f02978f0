package server

import (
	"bytes"
	"fmt"
	"testing"
	"time"
)

func newTestStorage(t *testing.T) (*Storage, *testClock) {
	t.Helper()
	db, err := OpenDB(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	clock := newTestClock()
	s, err := NewStorage(db, "things", clock.now)
	if err != nil {
		t.Fatal(err)
	}
	return s, clock
}

func mustGet(t *testing.T, s *Storage, key string) []byte {
	t.Helper()
	value, err := s.Get(key)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func mustSet(t *testing.T, s *Storage, key, value string, exp time.Duration) {
	t.Helper()
	if err := s.Set(key, []byte(value), exp); err != nil {
		t.Fatal(err)
	}
}

func TestStorageKeepsUntilExpired(t *testing.T) {
	s, clock := newTestStorage(t)
	if got := mustGet(t, s, "a"); got != nil {
		t.Errorf("nothing was set, got %q", got)
	}
	mustSet(t, s, "a", "1", 0)
	mustSet(t, s, "b", "2", time.Minute)
	mustSet(t, s, "a", "3", 0)
	clock.add(time.Minute - time.Nanosecond)
	if a, b := mustGet(t, s, "a"), mustGet(t, s, "b"); string(a) != "3" || string(b) != "2" {
		t.Errorf("got %q and %q", a, b)
	}
	clock.add(time.Nanosecond)
	if a, b := mustGet(t, s, "a"), mustGet(t, s, "b"); string(a) != "3" || b != nil {
		t.Errorf("after a minute: got %q and %q", a, b)
	}
	clock.add(1000 * time.Hour)
	if a := mustGet(t, s, "a"); string(a) != "3" {
		t.Errorf("what never expires: got %q", a)
	}
}

func TestStorageRemoves(t *testing.T) {
	s, clock := newTestStorage(t)
	keys := func() (list []string) {
		if err := s.Each(func(key string, value []byte) { list = append(list, key+"="+string(value)) }); err != nil {
			t.Fatal(err)
		}
		return list
	}
	for i := range 200 {
		mustSet(t, s, fmt.Sprintf("k%03d", i), "x", time.Duration(i%2)*time.Minute)
	}
	if err := s.Delete("k000"); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"k000", "", "never"} {
		if err := s.Delete(key); err != nil {
			t.Errorf("removing %q again: %v", key, err)
		}
	}
	clock.add(time.Hour)
	if n := len(keys()); n != 99 {
		t.Errorf("%d are told, want 99", n)
	}
	if err := s.Sweep(); err != nil {
		t.Fatal(err)
	}
	clock.add(-time.Hour) // had they not been removed, they would be there again
	if n := len(keys()); n != 99 {
		t.Errorf("%d are left after the sweep, want 99", n)
	}
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	if list := keys(); list != nil {
		t.Errorf("after Reset: %q", list)
	}
	mustSet(t, s, "a", "1", 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := mustGet(t, s, "a"); string(got) != "1" {
		t.Errorf("the database is not the storage's to close: got %q", got)
	}
}

func TestStorageIgnoresEmpty(t *testing.T) {
	s, _ := newTestStorage(t)
	mustSet(t, s, "", "x", 0)
	mustSet(t, s, "a", "", 0)
	if got := mustGet(t, s, ""); got != nil {
		t.Errorf("got %q", got)
	}
	if got := mustGet(t, s, "a"); got != nil {
		t.Errorf("got %q", got)
	}
}

// TestStorageCopies changes what went in and what came out: neither may reach the database or fault.
func TestStorageCopies(t *testing.T) {
	s, _ := newTestStorage(t)
	value := []byte("value")
	if err := s.Set("a", value, 0); err != nil {
		t.Fatal(err)
	}
	copy(value, "xxxxx")
	got := mustGet(t, s, "a")
	copy(got, "yyyyy") // bbolt's own memory is read-only
	var each []byte
	if err := s.Each(func(_ string, v []byte) { each = v }); err != nil {
		t.Fatal(err)
	}
	copy(each, "zzzzz")
	if got := mustGet(t, s, "a"); !bytes.Equal(got, []byte("value")) {
		t.Errorf("got %q", got)
	}
}
