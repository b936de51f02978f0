package control

import (
	"fmt"
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

// denial is what refused sign-ins have in common that share a record.
type denial struct {
	account, actor, address string
	many                    bool // the common record of all that are too many
}

var manyDenied = denial{account: "(many accounts)", address: manyAddresses, many: true}

// denials sums the refused sign-ins of the current minute, and in the common record those of the hour.
type denials struct {
	mu     sync.Mutex
	minute int64
	sums   map[denial]*sum
	own    Budget
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
	key := denial{account: account, actor: actor, address: address}
	if d.sums[key] == nil && !d.own.Room(l.now()) {
		key = manyDenied
	}
	if sum := d.sums[key]; sum != nil {
		return l.addTo(sum, deniedMessage(key, sum.count+1, reason))
	}
	sum, err := l.beginSum(Entry{
		LogType: deniedType, Target: key.account, Actor: key.actor, Source: key.address, RetStatus: Failed, Message: deniedMessage(key, 1, reason),
	})
	if err != nil {
		return err
	}
	d.sums[key] = sum
	if !key.many {
		d.own.Take()
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
		if err := l.saveSum(sum); err != nil {
			return err
		}
		if all || !key.many || newHour {
			delete(d.sums, key)
		}
	}
	d.minute = minute
	return nil
}

func deniedMessage(key denial, count int, reason string) string {
	again := key.actor != "" // it was no sign-in: who was signed in gave the password again
	switch {
	case !again && count == 1:
		return "sign-in refused: " + reason
	case key.many:
		return fmt.Sprintf("%d sign-ins refused within an hour; the last: %s", count, reason)
	case !again:
		return fmt.Sprintf("%d sign-ins refused within a minute; the last: %s", count, reason)
	case count == 1:
		return "password check refused: " + reason
	}
	return fmt.Sprintf("%d password checks refused within a minute; the last: %s", count, reason)
}
