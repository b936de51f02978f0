package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"

	"topdeck/control"
)

const (
	doBackup   = "backup"
	backupWait = 20 * time.Second // for a piece of a backup to be taken
)

// Backup writes the data file of the data folder dir, as it is at one moment, to a new file for the owner alone. A server
// that runs on the folder goes on meanwhile.
func Backup(dir, file string) (err error) {
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("cannot make the backup: %s is there already; name another file", file)
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".topdeck-backup-") // 0600
	if err != nil {
		return fmt.Errorf("cannot make the backup: %w", err)
	}
	defer os.Remove(f.Name())
	if err = askBackup(dir, f); isNoServer(err) {
		var db *bbolt.DB
		if db, err = openToRead(dir); err == nil {
			err = errors.Join(db.View(func(tx *bbolt.Tx) error { _, err := tx.WriteTo(f); return err }), db.Close())
		}
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	copied, err := openDB(f.Name(), true) // a backup that cannot be read is none
	if err != nil {
		return err
	}
	return errors.Join(copied.Close(), moveNew(f.Name(), file))
}

// askBackup has the server that runs on dir write its data file to w.
func askBackup(dir string, w io.Writer) error {
	conn, release, err := dialServer(dir)
	if err != nil {
		return err
	}
	defer release()
	var reply adminReply
	answer := json.NewDecoder(conn)
	if err = json.NewEncoder(conn).Encode(AdminRequest{Do: doBackup}); err == nil {
		conn.SetReadDeadline(time.Now().Add(adminTime))
		err = answer.Decode(&reply)
	}
	switch {
	case err != nil:
		return fmt.Errorf("cannot get an answer from the running server: %w", err)
	case reply.Error != nil:
		return &Error{Code: reply.Error.Code, Message: reply.Error.Message}
	}
	// The bytes follow the newline that ends the reply.
	body := io.MultiReader(answer.Buffered(), &patientConn{conn})
	if _, err := io.CopyN(io.Discard, body, 1); err != nil {
		return fmt.Errorf("cannot get the backup from the running server: %w", err)
	}
	if _, err := io.CopyN(w, body, reply.Size); err != nil {
		return fmt.Errorf("cannot get the backup from the running server whole: %w", err)
	}
	return nil
}

// patientConn gives each piece its time, not all together.
type patientConn struct{ net.Conn }

func (c *patientConn) Read(p []byte) (int, error) {
	c.SetReadDeadline(time.Now().Add(backupWait))
	return c.Conn.Read(p)
}

func (c *patientConn) Write(p []byte) (int, error) {
	c.SetWriteDeadline(time.Now().Add(backupWait))
	return c.Conn.Write(p)
}

// backup answers with the data file: its size as JSON on a line, then its bytes. What goes wrong after that ends the answer
// too early.
func (s *adminSocket) backup(conn net.Conn, by Actor) error {
	if !s.reading.TryLock() {
		return errReading()
	}
	defer s.reading.Unlock()
	s.accounts.record("data.backup", by, dbFile, "a backup of the data file was made")
	err := control.Careful(func() error {
		return s.db.View(func(tx *bbolt.Tx) error {
			out := &patientConn{conn}
			if err := json.NewEncoder(out).Encode(adminReply{Size: tx.Size()}); err != nil {
				return err
			}
			_, err := tx.WriteTo(out)
			return err
		})
	})
	if err != nil {
		s.logger.Error("cannot make a backup", "error", err)
	}
	return nil
}

// Restore puts a backup in the place of the data file in dir, and returns where that is kept. Who was signed in is not any
// more, and no device is known. No server may run on dir. There is a data file in its place at any moment: the one that was there, or the
// backup whole. A log that does not verify is restored all the same, and broken tells what is wrong with it.
func Restore(dir, file string) (kept string, broken error, err error) {
	if err := privateFolder(dir); err != nil {
		return "", nil, err
	}
	path := filepath.Join(dir, dbFile)
	old, err := openPlain(path, unix.O_NOFOLLOW)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, errNotPlain):
		return "", nil, fmt.Errorf("cannot restore to %s: it is not a plain file; move it away first", path)
	case err != nil:
		return "", nil, fmt.Errorf("cannot open the database: %w", err)
	default:
		defer old.Close()
		if err := lockFile(old, false); err != nil { // it need not be a database that can still be read
			return "", nil, fmt.Errorf("cannot restore to %s: it is %w by %s; stop that first", path, errLocked, lockHolder(path))
		}
	}
	in, err := openPlain(file, 0)
	if err != nil {
		return "", nil, fmt.Errorf("cannot read the backup: %w", err)
	}
	defer in.Close()
	f, err := os.CreateTemp(dir, "."+dbFile+"-")
	if err != nil {
		return "", nil, fmt.Errorf("cannot restore the backup: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, in)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", nil, fmt.Errorf("cannot restore the backup: %w", err)
	}
	if broken, err = freshen(f.Name(), file); err != nil {
		return "", nil, err
	}
	if old == nil {
		return "", broken, moveNew(f.Name(), path)
	}
	kept = path + time.Now().Format(".20060102-150405.000000")
	if err := os.Link(path, kept); err != nil {
		return "", nil, fmt.Errorf("cannot keep the data file that is there: %w", err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return "", nil, errors.Join(fmt.Errorf("cannot restore the backup: %w", err), os.Remove(kept))
	}
	return kept, broken, syncFolder(dir)
}

var errNotPlain = errors.New("it is not a plain file")

// openPlain opens a file to read it: a pipe would be waited for, and a device may have no end.
func openPlain(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|flags, 0)
	if errors.Is(err, unix.ENXIO) || errors.Is(err, unix.ELOOP) && flags&unix.O_NOFOLLOW != 0 { // a socket; a link
		return nil, &fs.PathError{Op: "open", Path: path, Err: errNotPlain}
	}
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, cmp.Or(err, error(&fs.PathError{Op: "open", Path: path, Err: errNotPlain}))
	}
	return f, nil
}

// freshen makes a copy of a backup into a data file: it forgets who was signed in and from which devices, and records where it came from.
func freshen(path, from string) (broken error, err error) {
	db, err := openDB(path, false)
	if err == nil {
		defer db.Close()
		_, err = readAccounts(db)
	}
	if unusable, ok := errors.AsType[*unusableFile](err); ok {
		return nil, fmt.Errorf("cannot restore %s: %s; nothing was changed: take another backup, or the topdeck that wrote this one", from, unusable.what)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot restore %s: %w", from, err)
	}
	log, err := control.OpenLog(db, control.LogConfig{Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		return nil, err
	}
	defer log.Close()
	err = control.Careful(func() error {
		return db.Update(func(tx *bbolt.Tx) error {
			for _, name := range []string{sessionsBucket, devicesBucket} {
				if err := tx.DeleteBucket([]byte(name)); err != nil && !errors.Is(err, berrors.ErrBucketNotFound) {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	by := localActor(os.Getuid())
	_, err = log.Record(control.Entry{
		LogType: "data.restore", Target: from, Actor: by.Name, Source: by.Source, Message: "a backup was put in the place of the data file",
	})
	if err != nil {
		return nil, err
	}
	_, broken = log.Verify(context.Background())
	return broken, nil
}

// moveNew gives a file a name that no other has, and has that outlive a loss of power.
func moveNew(from, to string) error {
	if err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return syncFolder(filepath.Dir(to))
}

// syncFolder has the names in a folder outlive a loss of power.
func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
