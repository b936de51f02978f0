package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"topdeck/control"
)

// nginxConf has nginx answer on a port of the loopback, and on nothing else.
func nginxConf(port int) string {
	return fmt.Sprintf(`pid /run/nginx.pid;
error_log stderr;
events {}
http { access_log off; server { listen 127.0.0.1:%d; location / { return 200 "it works"; } } }
`, port)
}

// supervisordConf has supervisord keep two programs.
const supervisordConf = `[unix_http_server]
file=/run/supervisor.sock
[supervisord]
logfile=/run/supervisord.log
pidfile=/run/supervisord.pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix:///run/supervisor.sock
[program:one]
command=/bin/sleep 100001
startsecs=0
[program:two]
command=/bin/sleep 100002
startsecs=0
`

// needs fails a test that real daemons of Debian are needed for and that are not there; make test installs them. On a
// machine that is not for tests it is skipped.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := os.Stat(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
}

// answers is what nginx answers on a port, or why it does not.
func answers(port int) string {
	r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", port))
	if err != nil {
		return err.Error()
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	return string(text)
}

// sleeping are the PIDs of the programs that supervisord keeps, as /proc tells them.
func sleeping(proc string) (pids []string) {
	stats, _ := filepath.Glob(filepath.Join(proc, "[0-9]*/cmdline"))
	for _, path := range stats {
		line, _ := os.ReadFile(path)
		if strings.HasPrefix(string(line), "/bin/sleep\x00") && (strings.Contains(string(line), "100001") || strings.Contains(string(line), "100002")) {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

func disjoint(a, b []string) bool {
	return !slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// TestDaemonsOfDebian acts on a real web server and a real supervisord, as Debian's packages make them units.
func TestDaemonsOfDebian(t *testing.T) {
	needs(t, "/usr/sbin/nginx", "/usr/bin/supervisord")
	host := install(t, map[string]string{
		// Debian's unit, but for the place of its configuration.
		"supervisor.service.d/place.conf": "[Service]\nExecStart=\nExecStart=/usr/bin/supervisord -n -c /etc/supervisord.conf\nExecStop=\nExecStop=/usr/bin/supervisorctl -c /etc/supervisord.conf shutdown\n",
	})
	admin := host.as("admin")
	port := freePort(t)
	host.put("etc/nginx/nginx.conf", nginxConf(port))
	ends := func(t *testing.T, op control.Operation, want control.RetStatus, message string) {
		t.Helper()
		if op.RetStatus != want || !strings.Contains(op.Message, message) {
			t.Errorf("%s %s: %s %q, want %s with %q\n%s", op.LogType, op.Target, op.RetStatus, op.Message, want, message, op.Detail)
		}
	}
	broken := strings.Replace(nginxConf(port), "return 200", "retrn 200", 1)
	const reason = `unknown directive "retrn" in /etc/nginx/nginx.conf:4`

	t.Run("nginx starts", func(t *testing.T) {
		ends(t, admin.act("nginx", "start"), control.Succeeded, "it is active (running)")
		if got := answers(port); got != "it works" {
			t.Errorf("it answers %q", got)
		}
		host.until("its port and processes are told", func() bool {
			s := admin.service("nginx.service")
			return s != nil && slices.Equal(s.Ports, []int{port}) && len(s.PIDs) >= 2 && slices.Contains(s.Actions, "reload")
		})
	})
	t.Run("nginx takes in a new configuration", func(t *testing.T) {
		host.put("etc/nginx/nginx.conf", strings.Replace(nginxConf(port), "it works", "it is new", 1))
		ends(t, admin.act("nginx", "reload"), control.Succeeded, "reload done")
		host.until("it is new", func() bool { return answers(port) == "it is new" })
	})
	t.Run("nginx refuses a broken configuration", func(t *testing.T) {
		host.put("etc/nginx/nginx.conf", broken)
		ends(t, admin.act("nginx", "reload"), control.Failed, reason)
		if got := answers(port); got != "it is new" {
			t.Errorf("after a refused reload it answers %q", got)
		}
		op := admin.act("nginx", "restart")
		ends(t, op, control.Failed, reason)
		if op.ExitCode == nil || *op.ExitCode != 1 || !strings.Contains(op.Message, "exit status 1 of ExecStartPre=/usr/sbin/nginx") || !strings.Contains(op.Detail, "test failed") {
			t.Errorf("%+v", op)
		}
	})
	t.Run("nginx finds its port taken", func(t *testing.T) {
		host.put("etc/nginx/nginx.conf", nginxConf(port))
		ends(t, admin.act("nginx", "start"), control.Succeeded, "")
		host.put("etc/nginx/nginx.conf", strings.Replace(nginxConf(port), fmt.Sprint(port, ";"), strings.TrimPrefix(host.url, "http://127.0.0.1:")+";", 1))
		ends(t, admin.act("nginx", "restart"), control.Failed, "Address already in use")
	})
	t.Run("nginx stops", func(t *testing.T) {
		host.put("etc/nginx/nginx.conf", nginxConf(port))
		ends(t, admin.act("nginx", "start"), control.Succeeded, "")
		ends(t, admin.act("nginx", "stop"), control.Succeeded, "it is inactive (dead)")
		if got := answers(port); got == "it works" {
			t.Error("it still answers")
		}
	})

	host.put("etc/supervisord.conf", supervisordConf)
	proc := filepath.Join(host.Root, "proc")
	t.Run("supervisorctl restarts all", func(t *testing.T) {
		ends(t, admin.act("supervisor", "start"), control.Succeeded, "")
		host.until("it keeps both", func() bool { return len(sleeping(proc)) == 2 })
		before := sleeping(proc)
		op := admin.command("supervisorctl -c /etc/supervisord.conf restart all")
		ends(t, op, control.Succeeded, "supervisorctl ended well")
		if !strings.Contains(op.Detail, "one: started") || !strings.Contains(op.Detail, "two: started") {
			t.Errorf("it says %q", op.Detail)
		}
		// supervisord says "started" of what it has forked, before that is the program.
		again := func() bool { after := sleeping(proc); return len(after) == 2 && disjoint(before, after) }
		host.until("both are there again", again)
		host.until("the command's unit is gone", func() bool {
			return !strings.Contains(host.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "topdeck-command-*"), "topdeck-command-")
		})
		if !again() {
			t.Errorf("programs %v became %v at the end of the command", before, sleeping(proc))
		}
		ends(t, admin.command("supervisorctl -c /etc/supervisord.conf restart nosuch"), control.Failed, "nosuch: ERROR (no such process)")
		ends(t, admin.act("supervisor", "stop"), control.Succeeded, "")
		ends(t, admin.command("supervisorctl -c /etc/supervisord.conf restart all"), control.Failed, "no such file")
	})
	t.Run("a command starts no daemon", func(t *testing.T) {
		ends(t, admin.command("supervisord -c /etc/supervisord.conf"), control.Succeeded, "what it left running was ended: a service may stay, a command may not")
		if left := sleeping(proc); len(left) > 0 {
			t.Errorf("%v are left", left)
		}
	})
}

// TestDaemonsWithoutSystemd acts on the same by their scripts, where no systemd runs: this machine, with an /etc and a /run that
// nobody else sees, as a container has them.
func TestDaemonsWithoutSystemd(t *testing.T) {
	needs(t, "/usr/sbin/nginx", "/usr/bin/supervisord", "/etc/init.d/nginx", "/usr/sbin/update-rc.d")
	if os.Geteuid() != 0 {
		t.Skip("needs root, for namespaces of its own")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	port, binary := freePort(t), buildStatic(t)
	d := &deck{t: t, url: fmt.Sprintf("http://127.0.0.1:%d", freePort(t)), client: &http.Client{}}
	// The folder is a tmpfs, since no overlay can stand on an overlay, as the temporary folder of a container often is.
	stderr := newChildLog(t)
	cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-ec", `cd "$1"
mount -t tmpfs tmpfs . && cd . && mkdir upper work
mount -t overlay overlay -o lowerdir=/etc,upperdir=upper,workdir=work /etc
mount -t tmpfs tmpfs /run
"$2" serve --listen "$3" --data "$4" & wait`, "sh", dir, binary, strings.TrimPrefix(d.url, "http://"), filepath.Join(t.TempDir(), "data"))
	cmd.Stdout, cmd.Stderr = stderr.File, stderr.File
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	data := cmd.Args[len(cmd.Args)-1]
	d.logged = func() []byte { return []byte(stderr.String()) }
	d.topdeck = func(args ...string) *exec.Cmd { return exec.Command(binary, append(args, "--data", data)...) }
	d.until("it serves", func() bool {
		r, err := d.client.Get(d.url + "/healthz")
		if err == nil {
			r.Body.Close()
		}
		return err == nil
	})
	admin := d.as("admin")
	ends := func(op control.Operation, want control.RetStatus, message string) {
		t.Helper()
		if op.RetStatus != want || !strings.Contains(op.Message, message) {
			t.Errorf("%s %s: %s %q, want %s with %q\n%s", op.LogType, op.Target, op.RetStatus, op.Message, want, message, op.Detail)
		}
	}
	// write puts a file into the /etc that only the server sees.
	write := func(path, text string) {
		t.Helper()
		ends(admin.command("sh -c 'printf %s \"$1\" >\"$2\"' sh '"+text+"' "+path), control.Succeeded, "")
	}
	write("/etc/nginx/nginx.conf", nginxConf(port))
	nginx := func(state string, actions ...string) {
		t.Helper()
		d.until("nginx is "+state, func() bool {
			s := admin.service("nginx")
			return s != nil && s.Manager == "sysv" && s.ActiveState == state && slices.Equal(s.Actions, actions)
		})
	}

	ends(admin.act("nginx", "enable"), control.Succeeded, "") // make test has it disabled
	nginx("inactive", "start", "disable")
	op := admin.act("nginx", "start")
	ends(op, control.Succeeded, "")
	if op.ExitCode == nil || *op.ExitCode != 0 || answers(port) != "it works" {
		t.Errorf("%+v, and it answers %q", op, answers(port))
	}
	nginx("active", "restart", "stop", "reload", "disable")
	d.until("its port and processes are told", func() bool {
		s := admin.service("nginx")
		return slices.Equal(s.Ports, []int{port}) && len(s.PIDs) >= 2 && s.MainPID > 0
	})
	write("/etc/nginx/nginx.conf", strings.Replace(nginxConf(port), "return 200", "retrn 200", 1))
	op = admin.act("nginx", "restart")
	if ends(op, control.Failed, "exit status 1"); op.ExitCode == nil || *op.ExitCode != 1 || op.Detail == "" {
		t.Errorf("%+v", op)
	}
	ends(admin.act("nginx", "disable"), control.Succeeded, "")
	nginx("active", "restart", "stop", "reload", "enable")
	ends(admin.act("nginx", "enable"), control.Succeeded, "")
	nginx("active", "restart", "stop", "reload", "disable")
	ends(admin.act("nginx", "stop"), control.Succeeded, "")
	nginx("inactive", "start", "disable")
	if got := answers(port); got == "it works" {
		t.Error("it still answers")
	}
	ends(admin.act("nginx", "reset-failed"), control.Failed, "that is not for service scripts")

	// A command stays a daemon's way to start where there is no systemd.
	write("/etc/supervisord.conf", strings.ReplaceAll(supervisordConf, "'", ""))
	ends(admin.command("supervisord -c /etc/supervisord.conf"), control.Succeeded, "what it left running goes on")
	proc := fmt.Sprintf("/proc/%d/root/proc", childOf(t, cmd.Process.Pid))
	d.until("it keeps both", func() bool { return len(sleeping(proc)) == 2 })
	before := sleeping(proc)
	op = admin.command("supervisorctl -c /etc/supervisord.conf restart all")
	if ends(op, control.Succeeded, "supervisorctl ended well"); !strings.Contains(op.Detail, "one: started") || !strings.Contains(op.Detail, "two: started") {
		t.Errorf("it says %q", op.Detail)
	}
	d.until("both are there again", func() bool { after := sleeping(proc); return len(after) == 2 && disjoint(before, after) })
	ends(admin.command("supervisorctl -c /etc/supervisord.conf shutdown"), control.Succeeded, "")
	d.until("all of it has ended", func() bool { return len(sleeping(proc)) == 0 })
}

// childOf is the one child of a process.
func childOf(t *testing.T, pid int) (child int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(string(text), &child); err != nil {
		t.Fatalf("the children of %d are %q", pid, text)
	}
	return child
}
