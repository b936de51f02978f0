package server

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"
)

const (
	dbFile     = "topdeck.db"
	dbLockWait = time.Second
	// dbFormat is raised when an older program could no longer make sense of the file. 2: the operation log keeps its head. 3: accounts
	// may have a second factor, without which an older program would let them in. 4: the
	// chain alone lists the operations, and all may be marked as seen at once.
	dbFormat    = 4
	metaBucket  = "meta"
	formatKey   = "format"
	usersBucket = "users"
	// mapSize is address space, not memory: within it the file grows without bbolt mapping it anew, for which it would
	// have to wait for all who read.
	mapSize = 1 << 30 << (^uint(0) >> 63 * 3) // 8 GiB; 1 GiB on 32 bits
	growBy  = 1 << 20
)

// errLocked is wrapped in OpenDB's error when another process holds the database.
var errLocked = errors.New("in use")

// OpenDB opens topdeck.db in the data folder dir. Both are made where they are not there, for the owner alone. A second
// process gets an error that names the first; a damaged file gets one that says what to do, and stays as it is.
func OpenDB(dir string) (*bbolt.DB, error) {
	if err := privateFolder(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, dbFile)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := makeDB(dir, path); err != nil {
			return nil, fmt.Errorf("cannot make the database: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("cannot open the database: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("cannot open the database: %s is not a plain file", path)
	case info.Mode().Perm()&0o077 != 0:
		if err := os.Chmod(path, 0o600); err != nil {
			return nil, fmt.Errorf("cannot make the database private: %w", err)
		}
	}
	return openDB(path, false)
}

// makeDB makes an empty database. It is there whole or not at all: an empty file at path is one that was damaged, and
// must not be taken for a first start.
func makeDB(dir, path string) error {
	f, err := os.CreateTemp(dir, "."+dbFile+"-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	f.Close()
	db, err := bbolt.Open(f.Name(), 0o600, nil)
	if err != nil {
		return err
	}
	if err := errors.Join(setFormat(db), db.Close()); err != nil {
		return err
	}
	err = moveNew(f.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) { // another process was faster: its file is as good
		return err
	}
	return nil
}

// openDB opens a database that is there.
func openDB(path string, readOnly bool) (db *bbolt.DB, err error) {
	// What checkPages does not look at may still make bbolt panic, or fault.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, damaged(path, r)
		}
	}()
	var broken error
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: dbLockWait, ReadOnly: readOnly, InitialMmapSize: mapSize,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag&^os.O_CREATE, mode)
			if err != nil {
				return nil, err
			}
			if err = lockFile(f, readOnly); err == nil { // nobody changes it while it is looked at
				broken = checkPages(f)
				err = broken
			}
			if now, statErr := os.Stat(name); err == nil && (statErr != nil || !sameFile(f, now)) {
				err = &fs.PathError{Op: "open", Path: name, Err: errors.New("another file was put in its place; try again")}
			}
			if err != nil {
				f.Close()
				return nil, err
			}
			return f, nil
		},
	})
	switch {
	case broken != nil:
		return nil, damaged(path, broken)
	case errors.Is(err, berrors.ErrTimeout):
		return nil, fmt.Errorf("cannot open %s: it is %w by %s; stop that first, or name another folder with --data", path, errLocked, lockHolder(path))
	case errors.As(err, new(*fs.PathError)), errors.As(err, new(syscall.Errno)):
		return nil, fmt.Errorf("cannot open the database: %w", err)
	case err != nil:
		return nil, damaged(path, err)
	}
	db.AllocSize = growBy
	if err := checkDB(db); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

func sameFile(f *os.File, other os.FileInfo) bool {
	info, err := f.Stat()
	return err == nil && os.SameFile(info, other)
}

// lockFile takes the lock that bbolt takes, which is then its own.
func lockFile(f *os.File, shared bool) error {
	how := unix.LOCK_EX
	if shared {
		how = unix.LOCK_SH
	}
	for deadline := time.Now().Add(dbLockWait); ; time.Sleep(50 * time.Millisecond) {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		if err != unix.EWOULDBLOCK {
			return err
		}
		if time.Now().After(deadline) {
			return berrors.ErrTimeout
		}
	}
}

// unusableFile is a data file that cannot be used: what is wrong with it, and what to do.
type unusableFile struct{ verb, path, what, advice string }

func (u *unusableFile) Error() string {
	return fmt.Sprintf("cannot %s %s: %s; %s", u.verb, u.path, u.what, u.advice)
}

func damaged(path string, reason any) error {
	return &unusableFile{"read", path, fmt.Sprintf("the file is damaged (%v)", reason), "it was left as it is: put a backup in its place with topdeck restore, or move it away to start anew"}
}

// checkDB reads what the start depends on, so that damage there shows now, and checks the format.
func checkDB(db *bbolt.DB) error {
	stored, foreign := 0, false
	err := db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) (err error) {
			foreign = true
			switch string(name) {
			case metaBucket:
				text := string(b.Get([]byte(formatKey)))
				if stored, err = strconv.Atoi(text); err != nil {
					return damaged(db.Path(), fmt.Sprintf("its format is %q", text))
				}
			case usersBucket, sessionsBucket:
				return b.ForEach(func(_, _ []byte) error { return nil })
			}
			return nil
		})
	})
	switch {
	case err != nil:
		return err
	case stored > dbFormat:
		return &unusableFile{"use", db.Path(), fmt.Sprintf("a newer topdeck wrote it (format %d, this one knows %d)", stored, dbFormat), "run that version, or name another folder with --data"}
	case stored == 0 && foreign:
		return &unusableFile{"use", db.Path(), "it is the database of another program", "move it away, or name another folder with --data"}
	case stored == dbFormat || db.IsReadOnly():
		return nil
	}
	if err := setFormat(db); err != nil {
		return fmt.Errorf("cannot write to the database %s: %w", db.Path(), err)
	}
	return nil
}

// setFormat marks the database as one of this format. What is new in it, whoever needs it adds where it is not there.
func setFormat(db *bbolt.DB) error {
	return db.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucketIfNotExists([]byte(metaBucket))
		if err != nil {
			return err
		}
		return meta.Put([]byte(formatKey), []byte(strconv.Itoa(dbFormat)))
	})
}

// privateFolder makes dir, or sees to it that it is ours, as all in it is, and closed to others. A folder with other things in it is not
// touched: it may be one that others need.
func privateFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the data folder: %w; name another with --data", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("cannot use the data folder: %w", err)
	}
	if owner := info.Sys().(*syscall.Stat_t).Uid; int(owner) != os.Geteuid() {
		return fmt.Errorf("cannot use the data folder %s: it belongs to user %d, and this is user %d; run topdeck as that user, or name another folder with --data", dir, owner, os.Geteuid())
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cannot use the data folder: %w", err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot use the data folder: %w", err)
		}
		if owner := info.Sys().(*syscall.Stat_t).Uid; int(owner) != os.Geteuid() && owner != 0 {
			return fmt.Errorf("cannot use the data folder %s: %s in it belongs to user %d, who may have put it there for topdeck to read or write; look at it, and remove it", dir, entry.Name(), owner)
		}
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(dir, dbFile)); err != nil && len(entries) > 0 {
		return fmt.Errorf("cannot use %s as the data folder: others may look into it, and there are other things in it; "+
			"name a folder of its own with --data, or close this one with chmod 700", dir)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the data folder private: %w", err)
	}
	return nil
}

// lockHolder names the process that holds the lock on path. Source: /proc/locks, proc_locks(5).
func lockHolder(path string) string {
	unknown := "another process"
	info, err := os.Stat(path)
	if err != nil {
		return unknown
	}
	inode := strconv.FormatUint(info.Sys().(*syscall.Stat_t).Ino, 10)
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return unknown
	}
	defer locks.Close()
	lines := bufio.NewScanner(locks)
	for lines.Scan() {
		// 1: FLOCK  ADVISORY  WRITE 1234 fd:01:5678 0 EOF. The device is not compared: overlay and btrfs have two for one file.
		f := strings.Fields(lines.Text())
		if len(f) < 6 || f[1] != "FLOCK" || !strings.HasSuffix(f[5], ":"+inode) {
			continue
		}
		// Another inode of that number may be locked on another device: the holder must have this file open.
		pid, err := strconv.Atoi(f[4])
		if err != nil || pid <= 0 || !hasOpen(pid, info) {
			continue
		}
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		return fmt.Sprintf("process %d (%+q)", pid, strings.TrimSpace(string(comm)))
	}
	return unknown
}

// hasOpen tells whether the process has the file open, or may have, where we may not look.
func hasOpen(pid int, file os.FileInfo) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		return true
	}
	for _, fd := range fds {
		if info, err := os.Stat(filepath.Join(dir, fd.Name())); err == nil && os.SameFile(info, file) {
			return true
		}
	}
	return false
}
