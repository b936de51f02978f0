package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"topdeck/control"
)

const (
	adminFile     = "admin.sock"
	adminTime     = 30 * time.Second // for one request, hashing included
	adminLongTime = 30 * time.Minute // for one that reads the whole data file
	adminReadTime = 2 * time.Second  // for a request to arrive
	maxAdminBody  = 1 << 20          // some thousands of heads of the log
	adminAtOnce   = 4
	localSource   = "local"
	maxSocketPath = 107 // bytes, unix(7)
)

// AdminRequest is what the command line asks of a running server: list, add, passwd, role, remove-second-factor or remove of
// accounts, or log.verify, or backup; and what that needs.
type AdminRequest struct {
	Do       string         `json:"do"`
	Name     string         `json:"name,omitempty"`
	Password string         `json:"password,omitempty"`
	Role     Role           `json:"role,omitempty"`
	Heads    []control.Head `json:"heads,omitempty"`
}

// long tells whether the answer may take as long as it takes to read the whole data file.
func (r AdminRequest) long() bool { return r.Do == doVerify }

// adminReply answers it: what was asked for, or Error.
type adminReply struct {
	Users []UserRow         `json:"users,omitempty"`
	Log   *control.Verified `json:"log,omitempty"`
	Size  int64             `json:"size,omitempty"` // bytes of a backup, which follow
	Error *ErrorBody        `json:"error,omitempty"`
}

// Administer does what r asks for on the accounts in the data folder dir, and returns all accounts after it. A server that
// runs on that folder is asked to do it, through its socket, so that it takes effect at once; else it is done here.
func Administer(dir string, r AdminRequest, logger *slog.Logger) ([]UserRow, error) {
	reply, err := askServer(dir, r)
	if err == nil || !isNoServer(err) {
		return reply.Users, err
	}
	if _, err := os.Stat(filepath.Join(dir, dbFile)); r.Do != "add" && errors.Is(err, fs.ErrNotExist) {
		return nil, refuse(codeNotFound, "cannot find accounts in %s: there is no %s; name topdeck's data folder with --data", dir, dbFile)
	}
	db, err := OpenDB(dir)
	if errors.Is(err, errLocked) { // a server that has just started
		reply, askErr := askServer(dir, r)
		if askErr == nil || !isNoServer(askErr) {
			return reply.Users, askErr
		}
	}
	if err != nil {
		return nil, err
	}
	defer db.Close()
	log, err := control.OpenLog(db, control.LogConfig{Logger: logger, Now: time.Now, Outlives: control.Outlives})
	if err != nil {
		return nil, err
	}
	defer log.Close()
	accounts, err := newAccounts(db, log, logger, time.Now, fullCost)
	if err != nil {
		return nil, err
	}
	return accounts.administer(localActor(os.Getuid()), r)
}

func isNoServer(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ECONNREFUSED)
}

// localActor is who uses the command line.
func localActor(uid int) Actor {
	name := "user " + strconv.Itoa(uid)
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		name = u.Username
	}
	return Actor{Name: name + " (local)", Source: localSource}
}

// administer does what r asks for.
func (a *Accounts) administer(by Actor, r AdminRequest) ([]UserRow, error) {
	var err error
	switch r.Do {
	case "list":
	case "add":
		_, err = a.Add(by, r.Name, r.Password, r.Role)
	case "passwd":
		_, err = a.Update(by, r.Name, nil, &r.Password)
	case "role":
		_, err = a.Update(by, r.Name, &r.Role, nil)
	case "remove":
		err = a.Remove(by, r.Name)
	case "remove-second-factor":
		_, err = a.disable(by, r.Name, a.changed)
	default:
		err = refuse(codeInvalid, "cannot do %q", r.Do)
	}
	if err != nil {
		return nil, err
	}
	return a.List(), nil
}

// askServer sends r to the server that runs on dir.
func askServer(dir string, r AdminRequest) (reply adminReply, err error) {
	conn, release, err := dialServer(dir)
	if err != nil {
		return reply, err
	}
	defer release()
	wait := adminTime
	if r.long() {
		wait = adminLongTime
	}
	conn.SetDeadline(time.Now().Add(wait))
	if err = json.NewEncoder(conn).Encode(r); err == nil {
		err = json.NewDecoder(conn).Decode(&reply)
	}
	if err != nil {
		return reply, fmt.Errorf("cannot get an answer from the running server: %w", err)
	}
	if reply.Error != nil {
		return reply, &Error{Code: reply.Error.Code, Message: reply.Error.Message}
	}
	return reply, nil
}

// dialServer connects to the server that runs on dir, until release.
func dialServer(dir string) (conn net.Conn, release func(), err error) {
	path, done, err := socketPath(dir)
	if err != nil {
		return nil, nil, err
	}
	conn, err = net.DialTimeout("unix", path, time.Second)
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("cannot reach the server through %s: %w", filepath.Join(dir, adminFile), err)
	}
	return conn, func() { conn.Close(); done() }, nil
}

// socketPath is where the socket of dir is. Where that is too long for a socket address, it leads through an open
// descriptor of dir, until release.
func socketPath(dir string) (path string, release func(), err error) {
	path = filepath.Join(dir, adminFile)
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	folder, err := os.Open(dir)
	if err != nil {
		return "", nil, fmt.Errorf("cannot open the data folder: %w", err)
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), adminFile), func() { folder.Close() }, nil
}

// adminSocket lets root and the user that the server runs as administer it while it runs. Each connection asks once.
type adminSocket struct {
	listener *net.UnixListener
	accounts *Accounts
	db       *bbolt.DB
	log      *control.Log
	logger   *slog.Logger
	ctx      context.Context // of all requests
	cancel   context.CancelFunc
	serving  sync.WaitGroup
	reading  sync.Mutex // held by a request that reads the whole data file: one at a time
}

// openAdminSocket listens in dir. The caller has the database of dir locked, so a socket that is there was left behind.
func openAdminSocket(dir string, db *bbolt.DB, accounts *Accounts, log *control.Log, logger *slog.Logger) (*adminSocket, error) {
	path, release, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot remove the old admin socket: %w", err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot listen on the admin socket: %w", err)
	}
	listener.SetUnlinkOnClose(false) // by its address it could be another's by then; see close
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("cannot make the admin socket private: %w", err)
	}
	s := &adminSocket{listener: listener, db: db, accounts: accounts, log: log, logger: logger}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.serving.Go(s.accept)
	return s, nil
}

// close ends the listening and waits for what is being done, until ctx ends.
func (s *adminSocket) close(ctx context.Context, dir string) {
	os.Remove(filepath.Join(dir, adminFile))
	s.listener.Close()
	s.cancel()
	done := make(chan struct{})
	go func() {
		s.serving.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

func (s *adminSocket) accept() {
	slots := make(chan struct{}, adminAtOnce)
	for {
		conn, err := s.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, most likely
			s.logger.Error("cannot accept on the admin socket", "error", err)
			time.Sleep(time.Second)
			continue
		}
		slots <- struct{}{}
		s.serving.Go(func() {
			defer func() { <-slots }()
			defer conn.Close()
			if err := s.serve(conn); err != nil {
				s.logger.Warn("a request on the admin socket failed", "error", err)
			}
		})
	}
}

func (s *adminSocket) serve(conn *net.UnixConn) error {
	conn.SetReadDeadline(time.Now().Add(adminReadTime))
	uid, err := peerUID(conn)
	if err != nil {
		return err
	}
	if uid != 0 && uid != os.Geteuid() {
		return fmt.Errorf("user %d may not use it", uid)
	}
	// One line is one request; one more byte than that is too much.
	body := make([]byte, 0, 512)
	for len(body) == 0 || body[len(body)-1] != '\n' {
		if len(body) > maxAdminBody {
			return errors.New("the request is too long")
		}
		chunk := make([]byte, 4096)
		n, err := conn.Read(chunk)
		body = append(body, chunk[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	var r AdminRequest
	var reply adminReply
	err = decodeObject(body, &r)
	if err == nil && r.Do == doBackup {
		if err = s.backup(conn, localActor(uid)); err == nil {
			return nil
		}
	} else if err == nil {
		reply, err = s.answer(conn, localActor(uid), r)
	}
	if err != nil {
		e := errorFor(err)
		if e == nil {
			s.logger.Error("cannot do what was asked on the admin socket", "do", r.Do, "name", r.Name, "error", err)
			e = refuse(codeInternal, "%s", err) // its reader is root or the server's own user
		}
		reply = adminReply{Error: &ErrorBody{Code: e.Code, Message: e.Message}}
	}
	conn.SetWriteDeadline(time.Now().Add(adminReadTime))
	return json.NewEncoder(conn).Encode(reply)
}

func errReading() error {
	return refuse(codeConflict, "the data file is being read as a whole already; wait for that to end")
}

// answer does what r asks for.
func (s *adminSocket) answer(conn *net.UnixConn, by Actor, r AdminRequest) (reply adminReply, err error) {
	if !r.long() {
		reply.Users, err = s.accounts.administer(by, r)
		return reply, err
	}
	if !s.reading.TryLock() {
		return reply, errReading()
	}
	defer s.reading.Unlock()
	ctx, cancel := context.WithTimeout(s.ctx, adminLongTime)
	defer cancel()
	conn.SetReadDeadline(time.Time{})
	s.serving.Go(func() { // whoever asked has gone when this returns
		_, _ = conn.Read(make([]byte, 1))
		cancel()
	})
	found, err := s.log.Verify(ctx, r.Heads...)
	return adminReply{Log: &found}, logFault(err)
}

// peerUID is the user at the other end. Source: SO_PEERCRED, unix(7).
func peerUID(conn *net.UnixConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var credentials *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		credentials, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err = errors.Join(err, credErr); err != nil {
		return 0, fmt.Errorf("cannot tell who asks: %w", err)
	}
	return int(credentials.Uid), nil
}
