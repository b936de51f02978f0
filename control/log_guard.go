package control

import (
	"errors"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// errDamaged is wrapped in the error of whatever met pages that make no sense.
var errDamaged = errors.New("the data file is damaged")

// Careful runs f, which uses a bbolt database. bbolt panics on pages that make no sense, and a file that was cut short faults
// when its missing pages are read: both become errors.
func Careful(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w (%v): stop topdeck, and put a backup in its place with topdeck restore", errDamaged, r)
		}
	}()
	return f()
}

// viewBooks runs f in a reading transaction.
func viewBooks(db *bbolt.DB, f func(b books) error) error {
	return Careful(func() error { return db.View(func(tx *bbolt.Tx) error { return f(openBooks(tx)) }) })
}
