package server

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// fill has every place taken, and the line before them, until empty.
func (l *hashLine) fill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = hashesAtOnce + 1
	for len(l.waiting) < hashesInLine {
		l.waiting = append(l.waiting, &inLine{trusted, make(chan bool, 1)})
	}
}

func (l *hashLine) empty() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running, l.waiting = 0, nil
}

// TestHashLine fills the line with those who are suspect, and has others come.
func TestHashLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &hashLine{}
		var got []urgency
		busy := 0
		come := func(how urgency) {
			go func() {
				err := l.enter(how)
				var refusal *Error
				switch {
				case err == nil:
					got = append(got, how)
				case errors.As(err, &refusal) && refusal.Code == codeTooMany && refusal.RetryAfter > 0:
					busy++
				default:
					t.Errorf("got %v", err)
				}
			}()
			synctest.Wait()
		}
		for range hashesAtOnce + hashesInLine + 3 {
			come(suspect)
		}
		if len(got) != hashesAtOnce || busy != 3 {
			t.Fatalf("%d are let in and %d refused, want %d and 3", len(got), busy, hashesAtOnce)
		}
		come(trusted) // at once
		come(trusted) // waits, in the place of one who is suspect
		come(fresh)
		come(fresh)
		if len(got) != hashesAtOnce+1 || busy != 6 || l.running != hashesAtOnce+1 {
			t.Fatalf("%d are let in and %d refused, want %d and 6", len(got), busy, hashesAtOnce+1)
		}
		for range hashesInLine + hashesAtOnce + 1 {
			l.leave()
			synctest.Wait()
		}
		want := append([]urgency{suspect, suspect, trusted, trusted, fresh, fresh}, slices.Repeat([]urgency{suspect}, hashesInLine-3)...)
		if !slices.Equal(got, want) || l.running != 0 || len(l.waiting) != 0 {
			t.Errorf("let in were %v, want %v; %d run, %d wait", got, want, l.running, len(l.waiting))
		}
	})
}

// TestHashLineIsLeft has some wait in vain.
func TestHashLineIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &hashLine{}
		l.fill()
		l.waiting = nil
		left := make(chan error, 3)
		for range cap(left) {
			go func() { left <- l.enter(trusted) }()
		}
		synctest.Wait()
		if len(left) != 0 {
			t.Errorf("not waited: %v", <-left)
		}
		time.Sleep(hashWait)
		synctest.Wait()
		if len(left) != cap(left) || len(l.waiting) != 0 {
			t.Fatalf("after %v %d have left, and %d wait", hashWait, len(left), len(l.waiting))
		}
		for range cap(left) {
			if err := <-left; err == nil {
				t.Error("let in, and no place was free")
			}
		}
	})
}
