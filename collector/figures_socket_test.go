package collector

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// must is for what has to work on any machine.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// connections opens sockets of all kinds, and keeps them until the test ends.
func connections(t *testing.T) {
	t.Helper()
	keep := func(c interface{ Close() error }) { t.Cleanup(func() { _ = c.Close() }) }
	listen := func(network, address string) *net.TCPListener {
		l := must[net.Listener](t)(net.Listen(network, address)).(*net.TCPListener)
		keep(l)
		return l
	}
	dial := func(network, address string) net.Conn {
		c := must[net.Conn](t)(net.Dial(network, address))
		keep(c)
		return c
	}
	for _, loopback := range []string{"127.0.0.1:0", "[::1]:0"} {
		l := listen("tcp", loopback)
		address := l.Addr().String()
		for range 3 { // connected
			dial("tcp", address)
			keep(must[net.Conn](t)(l.Accept()))
		}
		for range 2 { // not accepted yet
			dial("tcp", address)
		}
		for range 20 { // time-wait
			c := dial("tcp", address)
			for {
				s := must[net.Conn](t)(l.Accept())
				keep(s)
				if s.RemoteAddr().String() == c.LocalAddr().String() {
					c.Close()
					_, _ = s.Read(make([]byte, 1))
					s.Close()
					break
				}
			}
		}
		unread := dial("tcp", address)
		must[int](t)(unread.Write(make([]byte, 1000)))
		half := dial("tcp", address) // fin-wait-2 and close-wait
		if err := half.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}

		u := must[net.PacketConn](t)(net.ListenPacket("udp", loopback))
		keep(u)
		c := dial("udp", u.LocalAddr().String())
		must[int](t)(c.Write(make([]byte, 100))) // unread
	}
	// Both families at once, and IPv4 as IPv6 sees it.
	both := listen("tcp", ":0")
	_, port, _ := net.SplitHostPort(both.Addr().String())
	dial("tcp4", "127.0.0.1:"+port)
	keep(must[net.Conn](t)(both.Accept()))
	only := listen("tcp6", "[::]:0")
	keep(must[net.PacketConn](t)(net.ListenPacket("udp", ":0")))

	// Bound to one interface, as link-local addresses have to be.
	onlyLo := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if controlErr := c.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), "lo") }); controlErr != nil {
			return controlErr
		}
		return err
	}}
	for _, loopback := range []string{"127.0.0.1:0", "[::1]:0"} {
		keep(must[net.Listener](t)(onlyLo.Listen(t.Context(), "tcp", loopback)))
		keep(must[net.PacketConn](t)(onlyLo.ListenPacket(t.Context(), "udp", loopback)))
	}
	for _, address := range linkLocal(t) {
		listen("tcp", net.JoinHostPort(address, "0"))
	}

	// Two processes hold one socket, and a child alone holds another.
	inherit := func(l *net.TCPListener) {
		file := must[*os.File](t)(l.File())
		defer file.Close()
		cmd := exec.Command("sleep", "300")
		cmd.ExtraFiles = []*os.File{file}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	inherit(only)
	alone := listen("tcp", "127.0.0.1:0")
	inherit(alone)
	alone.Close()
}

// linkLocal lists the link-local addresses of this machine, with their zones.
func linkLocal(t *testing.T) (addresses []string) {
	t.Helper()
	for _, i := range must[[]net.Interface](t)(net.Interfaces()) {
		for _, a := range must[[]net.Addr](t)(i.Addrs()) {
			if n, ok := a.(*net.IPNet); ok && n.IP.To4() == nil && n.IP.IsLinkLocalUnicast() && i.Flags&net.FlagUp != 0 {
				addresses = append(addresses, n.IP.String()+"%"+i.Name)
			}
		}
	}
	return addresses
}

// ssSockets lists what ss tells, by cookie, in the words of ours.
func ssSockets(t *testing.T) map[string]string {
	t.Helper()
	states := map[string]string{
		"ESTAB": "ESTABLISHED", "SYN-SENT": "SYN_SENT", "SYN-RECV": "SYN_RECV", "FIN-WAIT-1": "FIN_WAIT1", "FIN-WAIT-2": "FIN_WAIT2",
		"TIME-WAIT": "TIME_WAIT", "CLOSE-WAIT": "CLOSE_WAIT", "LAST-ACK": "LAST_ACK", "LISTEN": "LISTEN", "CLOSING": "CLOSING", "UNCONN": "UNCONN",
	}
	sockets := make(map[string]string)
	for line := range strings.Lines(output(t, "ss", "-tunapeOH")) {
		fields := strings.Fields(line)
		protocol := fields[0]
		if strings.HasPrefix(fields[4], "[") || strings.HasPrefix(fields[4], "*") {
			protocol += "6"
		}
		address := func(text string) string {
			i := strings.LastIndexByte(text, ':')
			host, port := text[:i], strings.Replace(text[i+1:], "*", "0", 1)
			host, scope, scoped := strings.Cut(host, "%")
			host = strings.Trim(host, "[]")
			if host == "*" {
				host = "::"
			}
			if scoped {
				host += "%" + scope
			}
			return host + " " + port
		}
		pid, program, inode, cookie := 0, "", "0", ""
		for _, field := range fields[6:] {
			switch name, value, _ := strings.Cut(field, ":"); name {
			case "users": // (("name",pid=1,fd=2),("name",pid=3,fd=4))
				for user := range strings.SplitSeq(value, "),(") {
					parts := strings.Split(strings.Trim(user, "()"), ",")
					n := must[int](t)(strconv.Atoi(strings.TrimPrefix(parts[len(parts)-2], "pid=")))
					if pid == 0 || n < pid {
						pid, program = n, strings.Trim(strings.Join(parts[:len(parts)-2], ","), `"`)
					}
				}
			case "ino":
				inode = value
			case "sk":
				cookie = strconv.FormatUint(must[uint64](t)(strconv.ParseUint(value, 16, 64)), 10)
			}
		}
		state, ok := states[fields[1]]
		if !ok {
			t.Fatalf("ss says %q", line)
		}
		sockets[cookie] = fmt.Sprintf("%s %s %s/%s %s %s pid %d %s inode %s", protocol, state, fields[2], fields[3],
			address(fields[4]), address(fields[5]), pid, program, inode)
	}
	return sockets
}

func TestSocketsAreThoseOfSs(t *testing.T) {
	needs(t, "root, to see whose all sockets are", os.Getuid() == 0)
	connections(t)
	c, _ := realCollector(t, time.Minute, 0)
	seen := make(map[string]int)
	agree(t, func() (differences []string) {
		time.Sleep(fresh) // or the sample would be the last comparison's
		before := ssSockets(t)
		s, err := c.Collect(t.Context(), PartSockets)
		if err != nil {
			t.Fatal(err)
		}
		after := ssSockets(t)
		if len(s.Errors) > 0 {
			differences = append(differences, fmt.Sprint(s.Errors))
		}
		ours := make(map[string]bool)
		clear(seen)
		for _, k := range s.Sockets {
			if ours[k.Cookie] {
				t.Errorf("socket %s is told twice", k.Cookie)
			}
			ours[k.Cookie] = true
			text := fmt.Sprintf("%s %s %d/%d %s %d %s %d pid %d %s inode %d", k.Protocol, k.State, k.RecvQ, k.SendQ,
				k.LocalAddress, k.LocalPort, k.RemoteAddress, k.RemotePort, k.PID, k.Program, k.Inode)
			b, a := before[k.Cookie], after[k.Cookie]
			if b != "" && b == a && text != b {
				differences = append(differences, fmt.Sprintf("socket %s is\n\t%s, ss says\n\t%s", k.Cookie, text, b))
			}
			address, scope, _ := strings.Cut(k.LocalAddress, "%")
			if _, err := netip.ParseAddr(address); err != nil {
				t.Error(err)
			}
			if scope != "" {
				seen[k.Protocol+" of one interface"]++
			}
			if k.PID == os.Getpid() || k.State == "TIME_WAIT" {
				seen[k.Protocol+" "+k.State]++
			}
			if k.RecvQ > 0 {
				seen[k.Protocol+" with a queue"]++
			}
			if k.Program == "sleep" {
				seen["only in a child"]++
			}
		}
		for cookie, text := range before {
			if after[cookie] != "" && !ours[cookie] {
				differences = append(differences, "missing: "+text)
			}
		}
		return differences
	})
	for kind, least := range map[string]int{
		"tcp LISTEN": 1, "tcp6 LISTEN": 3, "tcp ESTABLISHED": 8, "tcp6 ESTABLISHED": 9, "tcp TIME_WAIT": 20, "tcp6 TIME_WAIT": 20,
		"tcp FIN_WAIT2": 1, "tcp6 FIN_WAIT2": 1, "udp UNCONN": 1, "udp6 UNCONN": 2, "udp ESTABLISHED": 1, "udp6 ESTABLISHED": 1,
		"tcp with a queue": 2, "tcp6 with a queue": 2, "udp with a queue": 1, "udp6 with a queue": 1, "only in a child": 1,
		"tcp of one interface": 1, "tcp6 of one interface": 1, "udp of one interface": 1, "udp6 of one interface": 1,
	} {
		if seen[kind] < least {
			t.Errorf("%d sockets are %s, want at least %d", seen[kind], kind, least)
		}
	}
}

// Without root, the sockets of others have no owner, and that is told. The test runs itself as another user.
func TestOwnersNeedRoot(t *testing.T) {
	const variable = "COLLECTOR_TEST_UNPRIVILEGED"
	if os.Getenv(variable) == "" {
		needs(t, "root, to become another user", os.Getuid() == 0)
		binary := must[string](t)(os.Executable())
		copied := t.TempDir() + "/collector.test"
		data := must[[]byte](t)(os.ReadFile(binary))
		if err := os.WriteFile(copied, data, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, folder := range []string{t.TempDir(), copied} {
			for ; folder != "/" && folder != os.TempDir(); folder = folder[:strings.LastIndexByte(folder, '/')] {
				if err := os.Chmod(folder, 0o755); err != nil {
					t.Fatal(err)
				}
			}
		}
		listener := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
		defer listener.Close()
		cmd := exec.Command(copied, "-test.run", "^TestOwnersNeedRoot$", "-test.v")
		cmd.Dir = "/"
		cmd.Env = append(os.Environ(), variable+"="+listener.Addr().String(), "TMPDIR=/tmp")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("as another user: %v\n%s", err, text)
		}
		return
	}
	c, _ := realCollector(t, time.Minute, PartProcesses)
	s, err := c.Collect(t.Context(), PartSockets|PartProcesses)
	if err != nil {
		t.Fatal(err)
	}
	if reason := s.Errors["events"]; reason != "" && !strings.Contains(reason, "root") && !strings.Contains(reason, "namespace") {
		t.Errorf("events: %q", reason)
	}
	if !strings.Contains(s.Errors["owners"], "root") {
		t.Errorf("owners: %q", s.Errors["owners"])
	}
	for _, k := range s.Sockets {
		if fmt.Sprintf("%s:%d", k.LocalAddress, k.LocalPort) == os.Getenv(variable) && k.State == "LISTEN" {
			if k.PID != 0 || k.Program != "" || k.User != "root" {
				t.Errorf("the socket is %+v", *k)
			}
			if len(s.Processes) < 2 { // the test, and the one that started it
				t.Errorf("only %d processes are seen", len(s.Processes))
			}
			return
		}
	}
	t.Error("the socket of another user is not listed")
}
