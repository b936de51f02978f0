package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"topdeck/collector"
	"topdeck/control"
	"topdeck/control/sdhost"
)

// sampled is a line of topdeck sample.
type sampled struct {
	Host      collector.Host
	Summary   collector.Summary
	Processes []collector.Process
	Sockets   []collector.Socket
	Services  []control.Service
	Errors    map[string]string
}

// everyPart asks for all there is.
const everyPart = " sample --count 1 --part host --part summary --part processes --part sockets --part services"

// reasonsOf reads a sample. No list may be empty without its reason; zero names those that are empty in truth.
func reasonsOf(t *testing.T, cmd *exec.Cmd, zero ...string) (s sampled) {
	t.Helper()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		t.Fatalf("%v: %v: %s %.300s", cmd.Args, err, &stderr, text)
	}
	for list, has := range map[string]struct {
		n      int
		reason string
	}{
		"processes": {len(s.Processes), s.Errors["processes"]}, "sockets": {len(s.Sockets), s.Errors["sockets"]},
		"services": {len(s.Services), s.Errors["systemd"] + s.Errors["sysv"] + s.Errors["serviceManagers"]},
		"tasks":    {s.Summary.Tasks.Total, s.Errors["tasks"]}, "memory": {int(s.Summary.Memory.Total >> 10), s.Errors["memory"]},
	} {
		if has.n == 0 && has.reason == "" && !strings.Contains(strings.Join(zero, " "), list) {
			t.Errorf("there are no %s, and nothing says why: %v", list, s.Errors)
		}
	}
	return s
}

// tells compares reasons with what they must hold; all that are there must be named.
func tells(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for part, text := range want {
		if !strings.Contains(got[part], text) {
			t.Errorf("%s: %s says %q, want %q", what, part, got[part], text)
		}
	}
	for part, text := range got {
		if _, named := want[part]; !named && part != "scheduledTasks" {
			t.Errorf("%s: %s says %q without need", what, part, text)
		}
	}
}

// TestEveryMissingPartSaysWhy runs topdeck where the kernel keeps something from it: for real, in namespaces of its own, as another
// user, and with system calls that fail.
func TestEveryMissingPartSaysWhy(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, for namespaces")
	}
	binary := buildStatic(t)
	if err := os.Chmod(filepath.Dir(filepath.Dir(binary)), 0o755); err != nil { // for nobody too
		t.Fatal(err)
	}
	here := reasonsOf(t, exec.Command("sh", "-c", binary+everyPart))
	if here.Host.Source != "bpf" {
		t.Skipf("needs BPF: %v", here.Host.Errors)
	}
	nobody := "setpriv --reuid=65534 --regid=65534 --clear-groups "
	type reasons = map[string]string
	places := []struct {
		name, how    string // $TOPDECK is the program
		zero, source string
		errors, host reasons
	}{
		{"as root", "$TOPDECK", "", "bpf", reasons{}, reasons{}},
		{
			"not root", nobody + "$TOPDECK", "", "proc", reasons{"events": "only to root", "owners": "run topdeck as root"},
			reasons{"source": "only root use BPF"},
		},
		{
			"hidepid=2", "unshare --mount sh -c 'mount -t proc -o hidepid=2 proc /proc && exec " + nobody + "$TOPDECK'", "", "proc",
			reasons{"events": "only to root", "owners": "hidepid", "processes": "hidepid", "tasks": "hidepid"}, reasons{"source": "only root use BPF"},
		},
		{
			"no BTF", "unshare --mount sh -c 'mount --bind /dev/null /sys/kernel/btf/vmlinux && exec $TOPDECK'", "", "proc", reasons{},
			reasons{"source": "does not describe its data (BTF)"},
		},
		{
			"no netlink", "strace -f -qq -o /dev/null -e trace=socket -e inject=socket:error=EAFNOSUPPORT $TOPDECK", "", "bpf",
			reasons{"sockets": "cannot open a sock_diag socket: address family not supported", "events": "address family not supported"}, reasons{},
		},
		{"a network namespace", "unshare --net $TOPDECK", "sockets", "bpf", reasons{"events": "not the initial network namespace"}, reasons{}},
		{
			"a PID namespace", "unshare --pid --fork --mount-proc $TOPDECK", "", "proc", reasons{"events": "not the initial PID namespace"},
			reasons{"source": "not the initial PID namespace"},
		},
		{
			"no service manager", "unshare --mount sh -c 'mount -t tmpfs none /etc/init.d; mount -t tmpfs none /run; exec $TOPDECK'", "", "bpf",
			reasons{"serviceManagers": "neither systemd nor scripts"}, reasons{},
		},
	}
	for _, c := range places {
		t.Run(c.name, func(t *testing.T) {
			s := reasonsOf(t, exec.Command("sh", "-c", strings.ReplaceAll(c.how, "$TOPDECK", binary+everyPart)), c.zero)
			tells(t, "the sample", s.Errors, c.errors)
			tells(t, "the host", s.Host.Errors, c.host)
			if s.Host.Source != c.source {
				t.Errorf("processes are from %s, want %s", s.Host.Source, c.source)
			}
		})
	}
	t.Logf("row 17: %d places where something is kept from topdeck, from \"not root\" to \"no service manager\": each missing part says why", len(places)-1)
}

// TestEveryMissingPartSaysWhyInAContainer runs it in a systemd of its own, as a unit that may open no netlink socket.
func TestEveryMissingPartSaysWhyInAContainer(t *testing.T) {
	host := sdhost.Boot(t, nil)
	text, err := os.ReadFile(buildStatic(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(host.Root, "usr/local/bin/topdeck"), text, 0o755); err != nil {
		t.Fatal(err)
	}
	run := append(strings.Fields("systemd-run --wait --pipe --quiet -p RestrictAddressFamilies=AF_UNIX"), strings.Fields("/usr/local/bin/topdeck"+everyPart)...)
	s := reasonsOf(t, host.Command(run...))
	tells(t, "the sample", s.Errors, map[string]string{"sockets": "address family not supported", "events": "not the initial PID namespace"})
	tells(t, "the host", s.Host.Errors, map[string]string{"source": "not the initial PID namespace"})
	if s.Host.Virtualization != "systemd-nspawn" || len(s.Host.ServiceManagers) != 1 || s.Host.ServiceManagers[0] != "systemd" {
		t.Errorf("it is told to be on %q, with %v", s.Host.Virtualization, s.Host.ServiceManagers)
	}
	t.Log("row 17: in a container, as a unit without netlink: each missing part says why")
}
