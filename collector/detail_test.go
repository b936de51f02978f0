package collector

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// detailChild makes this test binary the process that TestDetailOfARealProcess looks at: it holds what it is to be found with, says so,
// and waits.
func detailChild(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	file, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	child := osexec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	fmt.Println("port", ln.Addr().(*net.TCPAddr).Port)
	fmt.Scanln() // until our parent closes our input
}

func TestDetailOfARealProcess(t *testing.T) {
	if os.Getenv("DETAIL_CHILD") != "" {
		detailChild(t)
		return
	}
	cmd := osexec.Command(os.Args[0], "-test.run=^TestDetailOfARealProcess$")
	cmd.Env = []string{"DETAIL_CHILD=yes", "SECRET=a\x1b[31m\u202eb", "PATH=" + os.Getenv("PATH"), "EMPTY="}
	cmd.Dir = t.TempDir()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		cmd.Wait()
	}()
	var port uint16
	if _, err := fmt.Fscanf(out, "port %d\n", &port); err != nil {
		t.Fatal(err)
	}

	c, err := New(Config{Interval: minInterval})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx, func(*Sample) {}) }()
	defer func() {
		stop()
		<-ended
	}()
	sample, err := c.Collect(ctx, PartProcesses|PartSockets)
	if err != nil {
		t.Fatal(err)
	}

	detailer, err := NewDetailer("", "")
	if err != nil {
		t.Fatal(err)
	}
	d, err := detailer.Detail(ctx, cmd.Process.Pid, true)
	if err != nil {
		t.Fatal(err)
	}
	alone := d.Process
	d.Complete(sample)
	for name, reason := range d.Errors {
		if name != "io" { // a kernel may be built without
			t.Errorf("%s: %s", name, reason)
		}
	}
	listed := byPID(t, sample.Processes, cmd.Process.Pid)
	if alone.StartTime != listed.StartTime || alone.Cmdline != listed.Cmdline || alone.User != listed.User || alone.PPID != os.Getpid() ||
		alone.StartedAt.Sub(listed.StartedAt).Abs() > 2*time.Second {
		t.Errorf("by itself it is %+v, listed %+v", alone, listed)
	}
	check(t, "row", d.Process, listed)
	folder, err := filepath.EvalSymlinks(cmd.Dir)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "working folder", d.CWD, folder)
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	check(t, "program", d.Executable, self)
	if !strings.HasPrefix(d.CGroup, "/") {
		t.Errorf("control group is %q", d.CGroup)
	}
	if i := slices.IndexFunc(d.Limits, func(l Limit) bool { return l.Name == "Max open files" }); i < 0 || d.Limits[i].Unit != "files" || len(d.Limits) < 10 {
		t.Errorf("limits are %+v", d.Limits)
	}
	if k := d.Descriptors.Kinds; k["socket"] != 1 || k["pipe"] < 2 || k["file"] < 1 || k["eventpoll"] != 1 || d.Descriptors.Total != len(d.Descriptors.Open) {
		t.Errorf("descriptors are %+v", d.Descriptors)
	}
	if m := d.Memory; m.RSS == 0 || m.PSS == 0 || m.USS == 0 || m.USS > m.PSS || m.PSS > m.RSS {
		t.Errorf("memory is %+v", m)
	}
	if s := d.Status; s.RealUser != listed.User || s.PeakRSS == 0 || s.VoluntarySwitches == 0 || s.Seccomp == "" {
		t.Errorf("status is %+v", s)
	}
	if d.IO != nil && d.IO.WriteChars == 0 {
		t.Errorf("it wrote %+v", d.IO)
	}
	if len(d.Sockets) != 1 || d.Sockets[0].LocalPort != port || d.Sockets[0].State != "LISTEN" {
		t.Errorf("sockets are %+v, want one that listens on %d", d.Sockets, port)
	}
	if len(d.Children) != 1 || d.Children[0].Cmdline != "sleep 1000" {
		t.Errorf("children are %+v", d.Children)
	}
	want := []Variable{{"DETAIL_CHILD", "yes"}, {"SECRET", `a\x1b[31m\u202eb`}}
	if len(d.Environment) < 4 || !slices.Equal(d.Environment[:2], want) || !slices.Contains(d.Environment, Variable{"EMPTY", ""}) {
		t.Errorf("environment is %q", d.Environment)
	}
	if d, err := detailer.Detail(ctx, cmd.Process.Pid, false); err != nil || d.Environment != nil {
		t.Errorf("without being asked for it the environment is %q, %v", d.Environment, err)
	}
	if d, err := detailer.Detail(ctx, 1<<30, false); !errors.Is(err, ErrEnded) {
		t.Errorf("a process that is not there: %+v, %v", d, err)
	}
	over, end := context.WithCancel(ctx)
	end()
	for range maxDetailing {
		detailer.slots <- struct{}{}
	}
	if _, err := detailer.Detail(over, cmd.Process.Pid, false); !errors.Is(err, context.Canceled) {
		t.Errorf("with all hands busy it ends with %v", err)
	}
}

// reused is a process source in which a PID becomes another's after some readings.
type reused struct {
	processSource
	after int
}

func (r *reused) counts(pid int) (counts, error) {
	c, err := r.processSource.counts(pid)
	if r.after--; r.after < 0 {
		c.start++
	}
	return c, err
}

func TestDetailNeverMixesTwoProcesses(t *testing.T) {
	f := newStage(t)
	f.process(77, 5, 500)
	d, err := NewDetailer(f.path("proc"), f.path("etc"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.Detail(t.Context(), 77, false); err != nil || got.Process.StartTime != 500 || got.Process.Comm != "worker" {
		t.Fatalf("undisturbed: %+v, %v", got, err)
	}
	d.source = &reused{d.source, 1}
	if got, err := d.Detail(t.Context(), 77, false); !errors.Is(err, ErrEnded) {
		t.Errorf("after its PID was used again: %+v, %v", got, err)
	}
}

// Every part that cannot be had is told with its reason, and the others are there.
func TestDetailTellsWhatIsMissing(t *testing.T) {
	f := newStage(t)
	f.process(77, 5, 500)
	f.write("proc/77/limits", "Limit                     Soft Limit           Hard Limit           Units     \nMax open files            20000                unlimited            files     \n")
	d, err := NewDetailer(f.path("proc"), f.path("etc"))
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range [][2]string{{"R", "this kernel does not tell"}, {"Z", "none: the process has ended and waits for its parent to notice"}} {
		what, want := state[0], state[1]
		if what == "Z" {
			f.replace("proc/77/stat", ") R ", ") Z ")
		}
		got, err := d.Detail(t.Context(), 77, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"cwd", "exe", "memory", "io", "status", "descriptors", "sockets", "environment"} {
			check(t, what+": "+part, got.Errors[part], want)
		}
		check(t, "parts that are missing", len(got.Errors), 8)
		if len(got.Limits) != 1 || *got.Limits[0].Soft != 20000 || got.Limits[0].Hard != nil || got.CGroup != "/" {
			t.Errorf("limits are %+v, control group %q", got.Limits, got.CGroup)
		}
	}
	check(t, "what may not be read", missing(&counts{}, os.ErrPermission), "not permitted: run topdeck as root")
	check(t, "what a thread of the kernel lacks", missing(&counts{state: "I"}, errGone), "none: this is a thread of the kernel")
}

func TestDetailTellsOfAnotherNetworkNamespace(t *testing.T) {
	f := newStage(t)
	f.process(77, 5, 500)
	f.hold(77, 3, 4711)
	f.write("proc/self/ns/.keep", "")
	f.write("proc/77/ns/.keep", "")
	f.link("net:[1]", "proc/self/ns/net")
	for _, test := range []struct{ name, net, want string }{
		{"not known", "", ""},
		{"ours", "net:[1]", ""},
		{"another", "net:[2]", "another network namespace"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f.remove("proc/77/ns/net")
			if test.net != "" {
				f.link(test.net, "proc/77/ns/net")
			}
			d, err := NewDetailer(f.path("proc"), f.path("etc"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.Detail(t.Context(), 77, false)
			if err != nil {
				t.Fatal(err)
			}
			if reason := got.Errors["sockets"]; (reason == "") != (test.want == "") || !strings.Contains(reason, test.want) {
				t.Errorf("%q, want %q", reason, test.want)
			}
		})
	}
}

func TestDetailDescriptors(t *testing.T) {
	f := newStage(t)
	f.process(77, 5, 500)
	f.write("file", "x")
	folder := f.path("proc/77/fd")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for fd, target := range map[string]string{
		"0": "/dev/null", "1": f.path("file"), "2": f.root, "3": "socket:[4711]", "4": "pipe:[12]", "5": "anon_inode:[eventpoll]", "6": "anon_inode:inotify",
		"7": "/memfd:x (deleted)", "8": "/no/such/file (deleted)", "9": "net:[4026531840]", "x": "/dev/null",
	} {
		if err := os.Symlink(target, filepath.Join(folder, fd)); err != nil {
			t.Fatal(err)
		}
	}
	inodes := map[uint32]bool{}
	d, cut, err := readDescriptors(folder, inodes)
	if err != nil || cut || d.Total != 10 || len(inodes) != 1 || !inodes[4711] {
		t.Fatalf("%+v, cut %v, inodes %v, %v", d, cut, inodes, err)
	}
	kinds := map[int]string{}
	for _, one := range d.Open {
		kinds[one.FD] = one.Kind
	}
	for fd, kind := range []string{"device", "file", "directory", "socket", "pipe", "eventpoll", "inotify", "memfd", "file", "net"} {
		check(t, fmt.Sprint("kind of ", fd), kinds[fd], kind)
	}
	check(t, "files", d.Kinds["file"], 2)
}

func TestDetailFiles(t *testing.T) {
	users := &users{names: map[uint32]string{1000: "ann"}}
	check(t, "rollup", *parseRollup("55-7f ---p 00000000 00:00 0   [rollup]\nRss:     1728 kB\nPss:  195 kB\nPss_Dirty: 9 kB\nPrivate_Clean: 40 kB\nPrivate_Dirty: 112 kB\n" +
		"Private_Hugetlb: 1 kB\nSwap: 3 kB\nSwapPss: 2 kB\n"), ProcessMemory{RSS: 1728 << 10, PSS: 195 << 10, USS: 153 << 10, Swap: 3 << 10})
	check(t, "io", *parseIO("rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\ncancelled_write_bytes: 7\n"),
		ProcessIO{ReadChars: 1, WriteChars: 2, ReadCalls: 3, WriteCalls: 4, ReadBytes: 5, WriteBytes: 6, CancelledBytes: 7})
	check(t, "status", *parseStatus("Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t1\t2\t3\t4\nVmHWM:\t  5 kB\nTracerPid:\t6\nNoNewPrivs:\t1\nSeccomp:\t2\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t8\n", users),
		ProcessStatus{RealUser: "ann", GID: 2, PeakRSS: 5 << 10, TracerPID: 6, NoNewPrivileges: true, Seccomp: "filter", VoluntarySwitches: 7, InvoluntarySwitches: 8})
	if got := parseEnvironment([]byte("A=1\x00B=x=y\x00\x00C\x00\xff=\n")); !slices.Equal(got, []Variable{{"A", "1"}, {"B", "x=y"}, {"C", ""}, {`\xff`, `\x0a`}}) {
		t.Errorf("environment is %q", got)
	}
}

func FuzzDetailFiles(f *testing.F) {
	f.Add([]byte("Max open files            20000                unlimited            files     \n"))
	f.Add([]byte("Rss:     1728 kB\nUid:\t1\nGid:\t1\nSeccomp:\t9\nrchar: -1\n"))
	f.Add([]byte("A=1\x00\x1b=\xff\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parseRollup(string(data))
		parseIO(string(data))
		parseStatus(string(data), &users{})
		for _, l := range parseLimits(string(data)) {
			if len(l.Name) > maxName || len(l.Unit) > maxName || !plainOrGraphic(l.Name+l.Unit) {
				t.Errorf("limit is %+v", l)
			}
		}
		for _, v := range parseEnvironment(data) {
			if len(v.Name) > maxName || len(v.Value) > maxCmdline || !plainOrGraphic(v.Name+v.Value) {
				t.Errorf("variable is %q", v)
			}
		}
	})
}

// plainOrGraphic tells whether a text is one that clean leaves alone.
func plainOrGraphic(s string) bool { return clean(s, len(s)) == s }
