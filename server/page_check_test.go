package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"topdeck/control"
)

// TestFlippedBits damages a data file at random. Whatever comes of it, nothing panics, hangs or writes to a file that was
// refused.
func TestFlippedBits(t *testing.T) {
	dir := t.TempDir()
	db, err := OpenDB(dir)
	if err != nil {
		t.Fatal(err)
	}
	db.NoSync = true
	log, err := control.OpenLog(db, control.LogConfig{})
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := newAccounts(db, log, slog.New(slog.DiscardHandler), time.Now, testCost)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		if i%30 == 0 {
			if _, err := accounts.Add(Actor{Name: "x"}, fmt.Sprint("user", i), testPassword, Admin); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := log.Record(control.Entry{LogType: "service.stop", Target: fmt.Sprint(i), Detail: strings.Repeat("x", i*3)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	used := 0
	if err := db.View(func(tx *bbolt.Tx) error { used = int(tx.Size()); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, dbFile))
	if err != nil {
		t.Fatal(err)
	}
	n := 200
	if os.Getenv("TOPDECK_SOAK") != "" {
		n = 5000
	}
	refused, broken := 0, 0
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range n {
		text := bytes.Clone(whole)
		page := random.IntN(used / 4096)
		switch random.IntN(4) {
		case 0: // anywhere
			text[random.IntN(used)] ^= 1 << random.IntN(8)
		case 1: // in the header and the elements of a page
			text[page*4096+random.IntN(200)] ^= 1 << random.IntN(8)
		case 2: // a page becomes another one
			copy(text[page*4096:(page+1)*4096], whole[random.IntN(used/4096)*4096:])
		case 3: // a number becomes another one
			copy(text[page*4096+8*random.IntN(20):], text[8*random.IntN(used/8-8):][:8])
		}
		path := filepath.Join(t.TempDir(), dbFile)
		mustWrite(t, path, string(text))
		done := make(chan string, 1)
		go func() { done <- useDamaged(path) }()
		select {
		case what := <-done:
			switch {
			case strings.HasPrefix(what, "panic"):
				t.Errorf("seed %d, round %d: %s", seed, i, what)
			case strings.HasPrefix(what, "refused"):
				refused++
				if after, _ := os.ReadFile(path); !bytes.Equal(after, text) {
					t.Errorf("seed %d, round %d: it was changed: %s", seed, i, what)
				}
			case what != "":
				broken++
			}
		case <-time.After(time.Minute):
			t.Fatalf("seed %d, round %d hangs", seed, i)
		}
		os.Remove(path)
	}
	t.Logf("row 9: of %d damaged data files %d were refused at once and %d later; no panic, none hangs, none that was refused is changed", n, refused, broken)
	if refused < n/20 {
		t.Errorf("of %d damaged files %d were refused", n, refused)
	}
}

// useDamaged does with a data file what a server does, and tells how that ended.
func useDamaged(path string) (what string) {
	defer func() {
		if r := recover(); r != nil {
			what = fmt.Sprint("panic: ", r)
		}
	}()
	db, err := openDB(path, false)
	if err != nil {
		if strings.Contains(err.Error(), "\n") {
			return "panic: more than one line: " + err.Error()
		}
		return "refused: " + err.Error()
	}
	db.NoSync = true
	silent := slog.New(slog.DiscardHandler)
	log, err := control.OpenLog(db, control.LogConfig{MaxCount: 100})
	if err != nil {
		return err.Error()
	}
	defer log.Close()
	accounts, err := newAccounts(db, log, silent, time.Now, testCost)
	if err != nil {
		return err.Error()
	}
	_, addErr := accounts.Add(Actor{Name: "x"}, "newcomer", testPassword, Viewer)
	_, listErr := log.List(context.Background(), control.Filter{LogType: "service.stop", Limit: 200})
	op, beginErr := log.Begin(control.Entry{LogType: "service.start"})
	if beginErr == nil {
		_, beginErr = log.Finish(op.ID, control.Outcome{RetStatus: control.Succeeded})
	}
	_, seenErr := log.Seen(nil, true, "ann")
	_, verifyErr := log.Verify(context.Background())
	if err := errors.Join(addErr, listErr, beginErr, seenErr, verifyErr); err != nil {
		return err.Error()
	}
	return ""
}
