package control

import (
	"errors"
	"fmt"
	"math/bits"
	"sync"
)

const deniedType = "session.denied"

// maxDenied is how many combinations of account, actor and address get records of their own within a minute. Whoever tries many names
// from many addresses fills one common record beyond that, not the disk.
const maxDenied = 100

// denials sums the refused sign-ins of the current minute.
type denials struct {
	mu     sync.Mutex
	minute int64
	sums   map[[3]string]*denial
}

type denial struct {
	id             string
	again          bool // it was no sign-in: who was signed in gave the password again
	count, written int
	reason         string
}

// Denied records a refused sign-in, or, with an actor, that somebody who was signed in gave a wrong password for the account. Those of
// one account, actor and address within one minute share a record: its first is on
// the disk when Denied returns, and so is each time that their number doubles; the rest follows within seconds of the
// minute's end.
func (l *Log) Denied(account, actor, address, reason string) error {
	// The rest of a long name would only serve to make it a new one each time.
	account, address = oneLine(account, 64), oneLine(address, 64)
	if err := l.sumDenied(false); err != nil {
		return err
	}
	d := &l.denied
	d.mu.Lock()
	defer d.mu.Unlock()
	key := [3]string{account, actor, address}
	sum := d.sums[key]
	if sum == nil && len(d.sums) >= maxDenied {
		key = [3]string{"(many accounts)", "", "(many addresses)"}
		sum = d.sums[key]
	}
	if sum == nil {
		again := key[1] != ""
		op, err := l.record(Entry{
			LogType: deniedType, Target: key[0], Actor: key[1], Source: key[2], RetStatus: Failed, Message: deniedMessage(1, again, reason),
		}, false) // a flood of them would leave no room for others
		if err != nil {
			return err
		}
		if d.sums == nil {
			d.sums = map[[3]string]*denial{}
		}
		d.sums[key] = &denial{id: op.ID, again: again, count: 1, written: 1, reason: reason}
		return nil
	}
	sum.count++
	sum.reason = reason
	if bits.OnesCount(uint(sum.count)) == 1 {
		return l.writeSum(sum)
	}
	return nil
}

// sumDenied writes the sums of a minute that is over, or all, and forgets them.
func (l *Log) sumDenied(all bool) error {
	d := &l.denied
	d.mu.Lock()
	defer d.mu.Unlock()
	minute := l.now().Unix() / 60
	if minute == d.minute && !all {
		return nil
	}
	for key, sum := range d.sums {
		if sum.written < sum.count {
			if err := l.writeSum(sum); err != nil && !errors.Is(err, ErrNotFound) { // retention may have been faster
				return err
			}
		}
		delete(d.sums, key)
	}
	d.minute = minute
	return nil
}

func (l *Log) writeSum(sum *denial) error {
	_, err := l.Finish(sum.id, Outcome{RetStatus: Failed, Message: deniedMessage(sum.count, sum.again, sum.reason)})
	if err == nil {
		sum.written = sum.count
	}
	return err
}

func deniedMessage(count int, again bool, reason string) string {
	switch {
	case !again && count == 1:
		return "sign-in refused: " + reason
	case !again:
		return fmt.Sprintf("%d sign-ins refused within a minute; the last: %s", count, reason)
	case count == 1:
		return "password check refused: " + reason
	}
	return fmt.Sprintf("%d password checks refused within a minute; the last: %s", count, reason)
}
