package server

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"topdeck/control"
)

const doVerify = "log.verify"

// VerifyLog verifies the operation log in the data folder dir against heads that were told earlier. A server that runs on
// that folder is asked to do it; else it is done here, and nothing is written.
func VerifyLog(ctx context.Context, dir string, heads []control.Head) (control.Verified, error) {
	r := AdminRequest{Do: doVerify, Heads: heads}
	reply, err := askServer(dir, r)
	if err == nil && reply.Log != nil {
		return *reply.Log, nil
	}
	if !isNoServer(err) {
		return control.Verified{}, err
	}
	db, err := openToRead(dir)
	if errors.Is(err, errLocked) { // a server that has just started
		reply, askErr := askServer(dir, r)
		if askErr == nil && reply.Log != nil {
			return *reply.Log, nil
		}
	}
	if err != nil {
		return control.Verified{}, err
	}
	defer db.Close()
	return control.VerifyLog(ctx, db, heads...)
}

// openToRead opens the database in dir without changing anything.
func openToRead(dir string) (*bbolt.DB, error) {
	path := filepath.Join(dir, dbFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, refuse(codeNotFound, "cannot find %s in %s; name topdeck's data folder with --data", dbFile, dir)
	}
	return openDB(path, true)
}

// logFault tells whoever asked on the admin socket what is wrong with the log.
func logFault(err error) error {
	var broken *control.BreakError
	if errors.As(err, &broken) {
		return refuse(codeConflict, "%s", err)
	}
	return err
}
