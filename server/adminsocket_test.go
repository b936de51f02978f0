package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// adminStep is a request and what must come of it.
type adminStep struct {
	r    AdminRequest
	want string // the accounts after it, or the error's code
}

var adminSteps = []adminStep{
	{AdminRequest{Do: "list"}, ""},
	{AdminRequest{Do: "add", Name: "ann", Password: testPassword, Role: Admin}, "ann admin"},
	{AdminRequest{Do: "add", Name: "bob", Password: testPassword, Role: Viewer}, "ann admin, bob viewer"},
	{AdminRequest{Do: "add", Name: "bob", Password: testPassword, Role: Viewer}, codeConflict},
	{AdminRequest{Do: "add", Name: "Bob", Password: testPassword, Role: Viewer}, codeInvalid},
	{AdminRequest{Do: "add", Name: "cid", Password: "short", Role: Viewer}, codeInvalid},
	{AdminRequest{Do: "add", Name: "cid", Password: testPassword, Role: "root"}, codeInvalid},
	{AdminRequest{Do: "role", Name: "bob", Role: Operator}, "ann admin, bob operator"},
	{AdminRequest{Do: "role", Name: "ann", Role: Operator}, codeConflict},
	{AdminRequest{Do: "role", Name: "cid", Role: Operator}, codeNotFound},
	{AdminRequest{Do: "passwd", Name: "bob", Password: newTestPassword}, "ann admin, bob operator"},
	{AdminRequest{Do: "passwd", Name: "bob"}, codeInvalid},
	{AdminRequest{Do: "remove-second-factor", Name: "bob"}, codeNotFound},
	{AdminRequest{Do: "remove-second-factor", Name: "cid"}, codeNotFound},
	{AdminRequest{Do: "remove", Name: "ann"}, codeConflict},
	{AdminRequest{Do: "remove", Name: "bob"}, "ann admin"},
	{AdminRequest{Do: "remove", Name: "bob"}, codeNotFound},
	{AdminRequest{Do: "reboot"}, codeInvalid},
	{AdminRequest{Do: "list"}, "ann admin"},
}

func administerAll(t *testing.T, dir string) {
	t.Helper()
	administer(t, dir, adminSteps)
}

func administer(t *testing.T, dir string, requests []adminStep) {
	t.Helper()
	for _, c := range requests {
		rows, err := Administer(dir, c.r, slog.New(slog.DiscardHandler))
		var list []string
		for _, row := range rows {
			list = append(list, row.Name+" "+string(row.Role))
		}
		got := strings.Join(list, ", ")
		var refusal *Error
		if errors.As(err, &refusal) {
			got = refusal.Code
		} else if err != nil {
			t.Errorf("%+v: %v", c.r, err)
		}
		if got != c.want {
			t.Errorf("%+v: got %q, want %q", c.r, got, c.want)
		}
	}
}

func TestAdministerWithoutServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	administer(t, dir, []adminStep{{AdminRequest{Do: "list"}, codeNotFound}}) // most likely a wrong --data
	if _, err := os.Stat(dir); err == nil {
		t.Error("a folder was made by looking at it")
	}
	administer(t, dir, adminSteps[1:])
	wantMode(t, dir, 0o700)
}

func TestAdministerThroughServer(t *testing.T) {
	s := startServer(t)
	administerAll(t, s.cfg.DataDir)
	wantMode(t, filepath.Join(s.cfg.DataDir, adminFile), 0o600)
	var local []string
	for _, o := range s.operations() {
		if strings.HasSuffix(o, " (local)") {
			local = append(local, o)
		}
	}
	if len(local) != 5 || !strings.HasPrefix(local[0], "user.add ann ") {
		t.Errorf("recorded are %q", local)
	}
	page, err := s.log.Get("1")
	if err != nil || page.Source != "local" {
		t.Errorf("got %+v %v", page, err)
	}
}

// TestAdministerTakesEffectAtOnce: what the command line changes ends the sessions of a running server.
func TestAdministerTakesEffectAtOnce(t *testing.T) {
	s := startServer(t)
	s.addUser("root", Admin)
	for _, r := range []AdminRequest{
		{Do: "passwd", Password: newTestPassword}, {Do: "role", Role: Operator}, {Do: "remove"},
	} {
		r.Name = "user-" + r.Do
		b := s.signedIn(r.Name, Viewer)
		hungUp, id := s.watchHangUps(), currentSession(t, b).ID
		if _, err := Administer(s.cfg.DataDir, r, s.cfg.Logger); err != nil {
			t.Fatal(err)
		}
		b.want(401, "GET", "/session", nil)
		if !hungUp()[id] {
			t.Errorf("%s: the sockets are not hung up", r.Do)
		}
	}
}

func TestAdminSocketIsThereAgainAfterACrash(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	left, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, adminFile), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	left.Close()
	if _, err := Administer(dir, AdminRequest{Do: "add", Name: "ann", Password: testPassword, Role: Admin}, slog.New(slog.DiscardHandler)); err != nil {
		t.Errorf("with a socket that was left behind, and no server: %v", err)
	}
	s := startServerIn(t, dir, newTestClock())
	if _, err := askServer(dir, AdminRequest{Do: "list"}); err != nil {
		t.Error(err)
	}
	s.stopServing()
	if _, err := os.Lstat(filepath.Join(dir, adminFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

func TestAdminSocketInADeepFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 40), "data")
	s := startServerIn(t, dir, newTestClock())
	if _, err := askServer(dir, AdminRequest{Do: "add", Name: "ann", Password: testPassword, Role: Admin}); err != nil {
		t.Fatal(err)
	}
	if s.accounts.none() {
		t.Error("nothing was added")
	}
}

func TestAdminSocketRefusesNonsense(t *testing.T) {
	s := startServer(t)
	for _, request := range []string{
		"", "\n", "x\n", "[]\n", `{"do":"list","x":1}` + "\n", `{"do":1}` + "\n", strings.Repeat("x", maxAdminBody+2), `{"do":"list"} {}` + "\n",
	} {
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(s.cfg.DataDir, adminFile), Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = conn.Write([]byte(request)) // what is too long is not read to its end
		_ = conn.CloseWrite()
		var reply adminReply
		if err := json.NewDecoder(conn).Decode(&reply); err == nil && (reply.Error == nil || reply.Error.Code != codeInvalid) {
			t.Errorf("%.30q: got %+v", request, reply)
		}
		conn.Close()
	}
	if _, err := askServer(s.cfg.DataDir, AdminRequest{Do: "list"}); err != nil {
		t.Error(err)
	}
}

// TestAdminSocketIsForRootAndUs runs a process as another user, whom only the folder's mode keeps out otherwise.
func TestAdminSocketIsForRootAndUs(t *testing.T) {
	if os.Getuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("needs root")
		}
		t.Skip("needs root to become another user")
	}
	s := startServer(t)
	for dir := s.cfg.DataDir; dir != "/"; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o005 != 0o005 {
			if err := os.Chmod(dir, info.Mode().Perm()|0o005); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Chmod(dir, info.Mode().Perm()) })
		}
	}
	if err := os.Chmod(filepath.Join(s.cfg.DataDir, adminFile), 0o666); err != nil {
		t.Fatal(err)
	}
	for uid, want := range map[uint32]string{0: "answered", 65534: "refused"} {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestHelperAskServer$", "-test.v")
		cmd.Env = append(os.Environ(), "TOPDECK_TEST_ASK="+s.cfg.DataDir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		cmd.Dir = "/"
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("user %d: %v\n%s", uid, err, out)
		}
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("user %d: got %s, want %s", uid, out, want)
		}
	}
	if text := s.stderr.String(); !strings.Contains(text, "user "+strconv.Itoa(65534)+" may not use it") {
		t.Errorf("the log tells %s", text)
	}
}

// TestHelperAskServer is run as a process of its own, see TestAdminSocketIsForRootAndUs.
func TestHelperAskServer(t *testing.T) {
	dir := os.Getenv("TOPDECK_TEST_ASK")
	if dir == "" {
		t.Skip("a helper of another test")
	}
	if _, err := askServer(dir, AdminRequest{Do: "list"}); err != nil {
		t.Log("refused:", err)
	} else {
		t.Log("answered")
	}
}
