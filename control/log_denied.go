package control

import (
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"time"
)

const deniedType = "session.denied"

const (
	// maxDenied is how many records of their own combinations of account, actor and address get at once.
	maxDenied = 100
	// deniedEvery is how often one more may get one when there have been as many. Whoever tries many names from many addresses, for as long
	// as they like, fills one common record an hour beyond that: neither the disk, nor the log in place of what it holds. In 400 days that is a
	// tenth of a million.
	deniedEvery = 6 * time.Minute
)

// manyAddresses is the source of a record that is common to many.
const manyAddresses = "(many addresses)"

// manyDenied is the key of the common record.
var manyDenied = [3]string{"(many accounts)", "", manyAddresses}

// denials sums the refused sign-ins of the current minute, and in the common record those of the hour.
type denials struct {
	mu     sync.Mutex
	minute int64
	sums   map[[3]string]*denial
	own    Budget
}

type denial struct {
	id             string
	key            [3]string
	count, written int
	reason         string
}

// Denied records a refused sign-in, or, with an actor, that somebody who was signed in gave a wrong password for the account. Those of
// one account, actor and address within one minute share a record, and all those that are too many share one within an hour: its first is on
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
	if d.sums[key] == nil && !d.own.Room(l.now()) {
		key = manyDenied
	}
	sum := d.sums[key]
	if sum == nil {
		sum = &denial{key: key, count: 1, written: 1, reason: reason}
		op, err := l.first(event, Entry{
			LogType: deniedType, Target: key[0], Actor: key[1], Source: key[2], RetStatus: Failed, Message: sum.message(),
		}, false) // a flood of them would leave no room for others
		if err != nil {
			return err
		}
		if d.sums == nil {
			d.sums = map[[3]string]*denial{}
		}
		sum.id = op.ID
		d.sums[key] = sum
		if key != manyDenied {
			d.own.Take()
		}
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
	newHour := minute/60 != d.minute/60
	for key, sum := range d.sums {
		if sum.written < sum.count {
			if err := l.writeSum(sum); err != nil && !errors.Is(err, ErrNotFound) { // retention may have been faster
				return err
			}
		}
		if all || key != manyDenied || newHour {
			delete(d.sums, key)
		}
	}
	d.minute = minute
	return nil
}

func (l *Log) writeSum(sum *denial) error {
	_, err := l.Finish(sum.id, Outcome{RetStatus: Failed, Message: sum.message()})
	if err == nil {
		sum.written = sum.count
	}
	return err
}

func (d *denial) message() string {
	again := d.key[1] != "" // it was no sign-in: who was signed in gave the password again
	switch {
	case !again && d.count == 1:
		return "sign-in refused: " + d.reason
	case d.key == manyDenied:
		return fmt.Sprintf("%d sign-ins refused within an hour; the last: %s", d.count, d.reason)
	case !again:
		return fmt.Sprintf("%d sign-ins refused within a minute; the last: %s", d.count, d.reason)
	case d.count == 1:
		return "password check refused: " + d.reason
	}
	return fmt.Sprintf("%d password checks refused within a minute; the last: %s", d.count, d.reason)
}
