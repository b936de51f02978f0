package control

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const lsbScript = `#!/bin/sh
### BEGIN INIT INFO
# Provides:          %s
# Short-Description: the %s of a test
### END INIT INFO
echo "$1" >> "$0.asked"
env > "$0.env"
case "$1" in
  %s)
	%s
	;;
  *)
	exit 3
	;;
esac
`

// initTree is a file system with the given scripts in /etc/init.d.
func initTree(t *testing.T, scripts map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range scripts {
		write(t, filepath.Join(root, "etc/init.d", name), text, 0o755)
	}
	return root
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func lsb(name, branch, body string) string { return fmt.Sprintf(lsbScript, name, name, branch, body) }

func TestServicesOfScripts(t *testing.T) {
	root := initTree(t, map[string]string{
		"runs":      lsb("runs", "status", "exit 0"),
		"dead":      lsb("dead", "start|status", "exit 1"),
		"down":      lsb("down", "status", "exit 1"),
		"locked":    lsb("locked", `"status"`, "exit 2"),
		"stopped":   lsb("stopped", "(status", "exit 3"),
		"unclear":   lsb("unclear", "status", "exit 4"),
		"killed":    lsb("killed", "status", "kill -9 $$"),
		"no-status": lsb("no-status", "start|stop|'reload'", "exit 0"),
		"no-header": "#!/bin/sh\necho $1 >> $0.asked\ncase $1 in\nstatus) exit 0;;\nesac\n",
		"README":    "not a program",
		"x.dpkg~":   lsb("x", "status", "exit 0"),
	})
	os.Chmod(filepath.Join(root, "etc/init.d/README"), 0o644)
	write(t, filepath.Join(root, "etc/init.d/anybodys"), lsb("anybodys", "status", "exit 0"), 0o757)
	write(t, filepath.Join(root, "run/runs.pid"), fmt.Sprintln(os.Getpid()), 0o644)
	write(t, filepath.Join(root, "run/dead.pid"), fmt.Sprintln(os.Getpid()), 0o644)
	write(t, filepath.Join(root, "etc/rc3.d/S01runs"), "", 0o644)
	write(t, filepath.Join(root, "etc/rc3.d/K01dead"), "", 0o644)
	t.Setenv("TD_SECRET", "secret")

	m := NewManager(Config{Root: root})
	defer m.Close()
	if got := m.Managers(); !slices.Equal(got, []string{"sysv"}) {
		t.Fatalf("managers: %v", got)
	}
	services, reasons := m.Services(t.Context())
	if len(reasons) > 0 {
		t.Fatal(reasons)
	}
	var got []string
	for _, s := range services {
		got = append(got, strings.Join([]string{s.Name, s.ActiveState, s.SubState, s.UnitFileState, s.Description, strings.Join(s.Actions, " ")}, ","))
		if s.Manager != "sysv" || s.PIDs == nil || s.Ports == nil || s.Memory != nil || s.Since != nil {
			t.Errorf("%+v", s)
		}
		if want := map[string]int{"runs": os.Getpid()}[s.Name]; s.MainPID != want {
			t.Errorf("%s: main PID %d, want %d", s.Name, s.MainPID, want)
		}
	}
	want := []string{
		"anybodys,unknown,unknown,disabled,the anybodys of a test,start restart stop",
		"dead,failed,dead,disabled,the dead of a test,start",
		"down,inactive,dead,disabled,the down of a test,start",
		"killed,unknown,unknown,disabled,the killed of a test,start restart stop",
		"locked,failed,dead,disabled,the locked of a test,start",
		"no-header,unknown,unknown,disabled,,start restart stop",
		"no-status,unknown,unknown,disabled,the no-status of a test,start stop reload",
		"runs,active,running,enabled,the runs of a test,restart stop",
		"stopped,inactive,dead,disabled,the stopped of a test,start",
		"unclear,unknown,unknown,disabled,the unclear of a test,start restart stop",
	}
	if !slices.Equal(got, want) {
		t.Errorf("services:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	if failed := m.Failed(); !slices.Equal(failed, []string{"dead", "locked"}) {
		t.Errorf("failed: %v", failed)
	}

	// Asking again at once asks no script again, and those that cannot tell were never asked.
	m.Services(t.Context())
	for name, want := range map[string]string{"runs": "status\n", "no-status": "", "no-header": "", "anybodys": ""} {
		asked, _ := os.ReadFile(filepath.Join(root, "etc/init.d", name+".asked"))
		if string(asked) != want {
			t.Errorf("%s was asked %q, want %q", name, asked, want)
		}
	}
	env, err := os.ReadFile(filepath.Join(root, "etc/init.d/runs.env"))
	if err != nil || strings.Contains(string(env), "TD_SECRET") || !strings.Contains(string(env), "PATH=/usr/local/sbin:") {
		t.Errorf("environment of a script: %v, %s", err, env)
	}
}

func TestAScriptThatHangsIsEnded(t *testing.T) {
	root := initTree(t, map[string]string{"hangs": lsb("hangs", "status", `echo $$ > $0.pid; sleep 1000`)})
	m := NewManager(Config{Root: root})
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.Services(t.Context())
	}()
	pidFile := filepath.Join(root, "etc/init.d/hangs.pid")
	until(t, "it runs", func() bool { b, _ := os.ReadFile(pidFile); return strings.HasSuffix(string(b), "\n") })
	pid, _ := os.ReadFile(pidFile)
	m.Close()
	<-done
	until(t, "nothing of it runs", func() bool {
		out, _ := exec.Command("ps", "-o", "pid=", "-s", strings.TrimSpace(string(pid))).Output()
		return len(strings.TrimSpace(string(out))) == 0
	})
}

func TestSubscribersAreToldOfAScriptsNewState(t *testing.T) {
	root := initTree(t, map[string]string{"a": lsb("a", "status", `[ -e "$0.on" ] && exit 0; exit 3`)})
	m := NewManager(Config{Root: root})
	defer m.Close()
	told := make(chan struct{}, 100)
	m.Subscribe(func() { told <- struct{}{} })
	if list, _ := m.Services(t.Context()); list[0].ActiveState != "inactive" {
		t.Fatalf("%+v", list)
	}
	<-told
	write(t, filepath.Join(root, "etc/init.d/a.on"), "", 0o644)
	b := m.backends[0].(*sysv)
	b.mu.Lock()
	b.next = time.Time{} // as if time had passed
	b.mu.Unlock()
	m.Services(t.Context())
	select {
	case <-told:
	case <-time.After(30 * time.Second):
		t.Fatal("nobody told")
	}
	if list, _ := m.Services(t.Context()); list[0].ActiveState != "active" {
		t.Errorf("%+v", list)
	}
}

func TestAHostWithoutServiceManager(t *testing.T) {
	m := NewManager(Config{Root: t.TempDir()})
	defer m.Close()
	services, reasons := m.Services(t.Context())
	if m.Managers() == nil || len(m.Managers()) != 0 || services == nil || len(services) != 0 || len(reasons) != 1 || !strings.HasPrefix(reasons["serviceManagers"], "neither systemd nor") {
		t.Errorf("managers %v, services %v, reasons %v", m.Managers(), services, reasons)
	}
}

func TestTheScriptsOfThisMachine(t *testing.T) {
	m := NewManager(Config{})
	defer m.Close()
	if !slices.Equal(m.Managers(), []string{"sysv"}) {
		t.Skip("no SysV scripts are in charge of this machine")
	}
	services, reasons := m.Services(t.Context())
	if len(services) == 0 || len(reasons) > 0 {
		t.Errorf("%v, %v", services, reasons)
	}
	for _, s := range services {
		t.Logf("%s: %s, %s: %s", s.Name, s.ActiveState, s.UnitFileState, s.Description)
	}
}

func FuzzLSBHeader(f *testing.F) {
	f.Add(lsb("a", "status", "exit 0"))
	f.Add("### BEGIN INIT INFO\n# Short-Description:\xff\n### END INIT INFO")
	f.Add("### END INIT INFO\n### BEGIN INIT INFO")
	f.Fuzz(func(t *testing.T, text string) {
		if description, ok := lsbHeader(text); !ok && description != "" || len(description) > maxMessage {
			t.Errorf("%q: %q, %t", text, description, ok)
		}
		branches(text)
	})
}
