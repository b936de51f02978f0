package server

import (
	"encoding/binary"
	"time"

	"github.com/gofiber/fiber/v2"
	"go.etcd.io/bbolt"

	"topdeck/control"
)

// Storage is a fiber.Storage in one bucket of a bbolt database, which it shares with others. A value is stored behind
// eight bytes that tell when it expires (Unix nanoseconds, big-endian; 0 is never). It starts no goroutine: whoever made
// it calls Sweep from time to time.
type Storage struct {
	db     *bbolt.DB
	bucket []byte
	now    func() time.Time
}

var _ fiber.Storage = (*Storage)(nil)

// NewStorage makes the bucket where it is not there yet. The database stays the caller's to close.
func NewStorage(db *bbolt.DB, bucket string, now func() time.Time) (*Storage, error) {
	s := &Storage{db: db, bucket: []byte(bucket), now: now}
	there := false
	err := db.View(func(tx *bbolt.Tx) error {
		there = tx.Bucket(s.bucket) != nil
		return nil
	})
	if err != nil || there { // a disk that is full does not matter here
		return s, err
	}
	if err := s.update(func(*bbolt.Bucket) error { return nil }); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Storage) update(change func(*bbolt.Bucket) error) error {
	err := control.Careful(func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			b, err := tx.CreateBucketIfNotExists(s.bucket)
			if err != nil {
				return err
			}
			return change(b)
		})
	})
	if err != nil {
		return unsaved(err)
	}
	return nil
}

// Get returns a copy of the value, or nil when there is none or it has expired.
func (s *Storage) Get(key string) (value []byte, err error) {
	now := s.now()
	err = s.db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(s.bucket); b != nil {
			value = unwrap(b.Get([]byte(key)), now)
		}
		return nil
	})
	return value, err
}

// Set stores a value, to expire after exp; 0 means never. An empty key or value is ignored.
func (s *Storage) Set(key string, value []byte, exp time.Duration) error {
	if key == "" || len(value) == 0 {
		return nil
	}
	wrapped := make([]byte, 8, 8+len(value))
	if exp > 0 {
		binary.BigEndian.PutUint64(wrapped, uint64(s.now().Add(exp).UnixNano()))
	}
	wrapped = append(wrapped, value...)
	return s.update(func(b *bbolt.Bucket) error { return b.Put([]byte(key), wrapped) })
}

// Delete removes a value, if it is there.
func (s *Storage) Delete(key string) error {
	if key == "" {
		return nil
	}
	return s.update(func(b *bbolt.Bucket) error { return b.Delete([]byte(key)) })
}

// Reset removes every value.
func (s *Storage) Reset() error {
	return s.update(func(b *bbolt.Bucket) error {
		if err := b.Tx().DeleteBucket(s.bucket); err != nil {
			return err
		}
		_, err := b.Tx().CreateBucket(s.bucket)
		return err
	})
}

// Close does nothing: the database is not the Storage's.
func (s *Storage) Close() error { return nil }

// Sweep removes what has expired.
func (s *Storage) Sweep() error {
	now := s.now()
	return s.update(func(b *bbolt.Bucket) error {
		var expired [][]byte
		err := b.ForEach(func(k, v []byte) error {
			if unwrap(v, now) == nil {
				expired = append(expired, append([]byte(nil), k...))
			}
			return nil
		})
		for _, k := range expired {
			if err := b.Delete(k); err != nil {
				return err
			}
		}
		return err
	})
}

// Each calls f with a copy of every value that has not expired, in one transaction: f must not use the database.
func (s *Storage) Each(f func(key string, value []byte)) error {
	now := s.now()
	return s.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(s.bucket)
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			if value := unwrap(v, now); value != nil {
				f(string(k), value)
			}
			return nil
		})
	})
}

// unwrap copies the value out of what is stored, which dies with its transaction; nil when it has expired.
func unwrap(stored []byte, now time.Time) []byte {
	if len(stored) <= 8 {
		return nil
	}
	expires := binary.BigEndian.Uint64(stored)
	if expires != 0 && now.UnixNano() >= int64(expires) {
		return nil
	}
	return append([]byte(nil), stored[8:]...)
}
