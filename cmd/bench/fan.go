package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"topdeck/collector"
	"topdeck/control"
	"topdeck/frontend"
	"topdeck/server"
)

const (
	fanProcesses = 2000
	fanChanging  = 200  // rows of a tick: about 50 KB
	fanSession   = 1500 // clients of one session
)

// fanResult is what one run of `bench fan` found. Processor times are of the whole tick, in nanoseconds.
type fanResult struct {
	Bytes           float64   // a client and tick
	Ours, Floor     []float64 // a tick, and one write(2) to each client
	Memory          float64   // bytes a client
	Calm, Disturbed []float64 // from the sample to the last client's last byte, without and with a client that never reads
	Left            float64   // memory above that before, once all have gone
}

// fanOut measures what a sample costs that goes to many clients.
func (b *bench) fanOut() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, n := range []int{1000, 5000} {
		ticks := 12 // of a round
		if n > 1000 {
			ticks = 4 // of more work each
		}
		results := map[string]fanResult{}
		floor := 0.0
		for _, mode := range []string{"plain", "deflate"} {
			out, _, err := ran(b.command(self, "fan", mode, strconv.Itoa(n), strconv.Itoa(ticks*b.rounds), fmt.Sprintf("%.0f", floor)))
			if err != nil {
				return err
			}
			var r fanResult
			if err := json.Unmarshal([]byte(out), &r); err != nil {
				return err
			}
			results[mode] = r
			if mode == "plain" {
				floor = r.Bytes
			}
		}
		plain, deflate := results["plain"], results["deflate"]
		for _, r := range []*fanResult{&plain, &deflate} {
			for _, values := range []*[]float64{&r.Ours, &r.Floor, &r.Calm, &r.Disturbed} {
				*values = medians(*values, b.rounds)
			}
		}
		b.table.compare(fmt.Sprintf("a sample to %d pages, %.1f KB each", n, plain.Bytes/1e3), plain.Ours, plain.Floor, milliseconds,
			"one write(2) of the same bytes to each", 1.15)
		b.table.compare(fmt.Sprintf("the same to %d pages, compressed once for all to %.1f KB", n, deflate.Bytes/1e3), deflate.Ours, deflate.Floor,
			milliseconds, "one write(2) of the bytes before compression to each", 0.9)
		b.table.absolute(fmt.Sprintf("memory a page, %d pages", n), []float64{deflate.Memory}, kilobytes, 20e3)
		b.table.absolute(fmt.Sprintf("memory that stays when %d pages have gone", n), []float64{deflate.Left}, megabytes, 0)
		b.table.compare(fmt.Sprintf("until the last of %d pages has a sample, while one page reads nothing", n), plain.Disturbed, plain.Calm,
			milliseconds, "without that page", 0)
	}
	return nil
}

// played is a collector whose samples are made up.
type played struct {
	rows []*collector.Process // of the last sample; those that have not changed are handed on, as the collector does
}

func (*played) Watch(collector.Parts) func() { return func() {} }
func (*played) Collect(context.Context, collector.Parts) (*collector.Sample, error) {
	return nil, errors.New("there is nothing to collect")
}
func (*played) History() (time.Duration, []collector.Point) { return time.Second, nil }

// sample is the made-up host at a tick: fanChanging processes differ from the tick before.
func (c *played) sample(turn int) *collector.Sample {
	rows := make([]*collector.Process, fanProcesses)
	for i := range rows {
		pid, changing := i+1, i%(fanProcesses/fanChanging) == 0
		if c.rows != nil && !changing {
			rows[i] = c.rows[i]
			continue
		}
		p := collector.Process{PID: pid, StartTime: uint64(pid) * 100, StartedAt: time.Unix(int64(pid), 0), PPID: 1, User: "www-data", State: "S",
			Comm: fmt.Sprintf("worker-%d", pid), Cmdline: fmt.Sprintf("/usr/sbin/worker --number=%d --config=/etc/worker.conf", pid),
			Argv0: "/usr/sbin/worker", RSS: uint64(pid) << 14, VSize: uint64(pid) << 20, Threads: 3, Unit: "worker.service"}
		if changing {
			p.CPUPercent, p.RSS = float64((turn*7+pid)%1000)/10, p.RSS+uint64(turn*pid%512)<<12
		}
		rows[i] = &p
	}
	c.rows = rows
	return &collector.Sample{Time: time.Now(), Parts: collector.PartProcesses, Processes: rows, Errors: map[string]string{},
		Summary: collector.Summary{Errors: map[string]string{}}}
}

// runFan is `bench fan MODE CLIENTS TICKS FLOOR`: the real server, with a played collector, in this process, and its clients in
// another one. FLOOR is how many bytes the floor writes to each; 0: as many as the server does.
func runFan(args []string) error {
	if len(args) != 4 {
		return errors.New("fan takes a mode, clients, ticks and floor")
	}
	n, _ := strconv.Atoi(args[1])
	ticks, _ := strconv.Atoi(args[2])
	floorBytes, _ := strconv.Atoi(args[3])
	if err := raiseFileLimit(); err != nil {
		return err
	}
	host := &played{}
	srv, address, end, err := fanServer(host)
	if err != nil {
		return err
	}
	defer end()
	var cookies []string
	for range (n + fanSession - 1) / fanSession {
		cookie, err := signIn(address)
		if err != nil {
			return err
		}
		cookies = append(cookies, cookie)
	}
	bare, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer bare.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	turn := 0
	var sample *collector.Sample
	prepare := func() { turn++; sample = host.sample(turn) }
	tick := func() (began time.Time) {
		began = time.Now()
		srv.Publish(sample)
		return began
	}
	prepare()
	tick()
	debug.FreeOSMemory()
	before := status(os.Getpid(), "VmRSS")

	cmd := exec.Command(self, append([]string{"drain", args[0], args[1], address, bare.Addr().String()}, cookies...)...)
	cmd.Stderr = os.Stderr
	drain, err := begin(cmd)
	if err != nil {
		return err
	}
	defer drain.end()
	// quiet waits until nothing has come to the clients for a while; it gives what has, and when the last byte did.
	quiet := func() (bytes int, last time.Duration, err error) {
		line, err := drain.line()
		if err == nil {
			_, err = fmt.Sscan(line, &bytes, &last)
		}
		return bytes, last, err
	}
	var r fanResult
	if _, _, err := quiet(); err != nil { // connected, and all have their snapshot
		return err
	}
	for range 3 {
		prepare()
		tick()
		bytes, _, err := quiet()
		if err != nil {
			return err
		}
		r.Bytes = float64(bytes) / float64(n)
	}
	debug.FreeOSMemory()
	r.Memory = (status(os.Getpid(), "VmRSS") - before) / float64(n)

	floor, err := newFloor(bare, n, drain)
	if err != nil {
		return err
	}
	ours := func() error {
		prepare()
		from := used()
		began := tick()
		bytes, last, err := quiet()
		r.Ours = append(r.Ours, used()-from)
		r.Bytes = float64(bytes) / float64(n)
		r.Calm = append(r.Calm, float64(last-monotonic(began)))
		return err
	}
	bareWrites := func() error {
		size := floorBytes
		if size == 0 {
			size = int(r.Bytes)
		}
		from := used()
		if err := floor.write(size); err != nil {
			return err
		}
		_, _, err := quiet()
		r.Floor = append(r.Floor, used()-from)
		return err
	}
	for i := range ticks {
		turns := []func() error{ours, bareWrites}
		if i%2 == 1 {
			slices.Reverse(turns)
		}
		for _, turn := range turns {
			if err := turn(); err != nil {
				return err
			}
		}
	}
	if err := drain.tell("stall"); err != nil {
		return err
	}
	if _, _, err := quiet(); err != nil {
		return err
	}
	for range ticks {
		prepare()
		began := tick()
		_, last, err := quiet()
		if err != nil {
			return err
		}
		r.Disturbed = append(r.Disturbed, float64(last-monotonic(began)))
	}
	drain.end()
	floor.close()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > n/2 && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
	debug.FreeOSMemory()
	r.Left = status(os.Getpid(), "VmRSS") - before
	return json.NewEncoder(os.Stdout).Encode(r)
}

// used is the processor time of this process, in nanoseconds.
func used() float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

// monotonic is the time of CLOCK_MONOTONIC, which all processes share.
func monotonic(t time.Time) time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0
	}
	return time.Duration(now.Nano()) - time.Since(t)
}

// fanServer starts the server as cmd/topdeck does, but for the collector, and makes the first account.
func fanServer(host *played) (srv *server.Server, address string, end func(), err error) {
	dir, err := os.MkdirTemp("", "topdeck-fan")
	if err != nil {
		return nil, "", nil, err
	}
	logger := slog.New(slog.DiscardHandler)
	db, err := server.OpenDB(dir)
	if err != nil {
		return nil, "", nil, err
	}
	log, err := control.OpenLog(db, control.LogConfig{Logger: logger, Now: time.Now})
	if err != nil {
		return nil, "", nil, err
	}
	manager := control.NewManager(control.Config{Log: log, Logger: logger})
	details, err := collector.NewDetailer("", "")
	if err != nil {
		return nil, "", nil, err
	}
	app, err := fs.Sub(frontend.Dist, "dist")
	if err != nil {
		return nil, "", nil, err
	}
	srv, err = server.New(server.Config{
		DB: db, DataDir: dir, Collector: host, Host: collector.NewHostReader(collector.HostConfig{}), Processes: details,
		Log: log, Services: manager, Control: manager, App: app, Logger: logger, Now: time.Now,
		Elapsed: func() time.Duration { return monotonic(time.Now()) },
	})
	if err != nil {
		return nil, "", nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", nil, err
	}
	token, _, err := srv.StartSetup()
	if err != nil {
		return nil, "", nil, err
	}
	go srv.Serve(ln)
	address = ln.Addr().String()
	for range 100 { // until it listens
		if _, err = post(address, "/setup", map[string]string{"token": token, "username": userName, "password": password}); err == nil ||
			!strings.Contains(err.Error(), "refused") {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return srv, address, func() {
		_ = srv.Close(context.Background())
		manager.Close()
		log.Close()
		db.Close()
		os.RemoveAll(dir)
	}, err
}

// floor is so many bare connections, to each of which one write(2) goes.
type floor struct {
	conns []net.Conn
	fds   []int
	data  []byte
}

func newFloor(ln net.Listener, n int, drain *child) (*floor, error) {
	if err := drain.tell("floor"); err != nil {
		return nil, err
	}
	f := &floor{}
	for range n {
		conn, err := ln.Accept()
		if err != nil {
			return nil, err
		}
		raw, err := conn.(syscall.Conn).SyscallConn()
		if err != nil {
			return nil, err
		}
		err = raw.Control(func(fd uintptr) {
			f.fds = append(f.fds, int(fd))
			_ = unix.SetNonblock(int(fd), false)
		})
		if err != nil {
			return nil, err
		}
		f.conns = append(f.conns, conn)
	}
	return f, nil
}

func (f *floor) write(size int) error {
	if len(f.data) < size {
		f.data = make([]byte, size)
	}
	for _, fd := range f.fds {
		if n, err := unix.Write(fd, f.data[:size]); n != size {
			return fmt.Errorf("wrote %d of %d bytes: %w", n, size, err)
		}
	}
	return nil
}

func (f *floor) close() {
	for _, conn := range f.conns {
		conn.Close()
	}
}
