package collector

import (
	"fmt"
	"log/slog"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// crowdSize is how many sockets one process of a crowd holds at most; RLIMIT_NOFILE is 20,000 on many machines.
const crowdSize = 15_000

// holdSockets opens so many connected TCP sockets of the loopback interface, both ends of each connection.
func holdSockets(n int) error {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := unix.Listen(listener, 16); err != nil {
		return err
	}
	address, err := unix.Getsockname(listener)
	if err != nil {
		return err
	}
	for range n / 2 {
		client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if err := unix.Connect(client, address); err != nil {
			return err
		}
		server, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		if err != nil {
			return err
		}
		for _, end := range []int{client, server} { // reset when they end, so that the kernel keeps none for a minute (TIME_WAIT)
			if err := unix.SetsockoptLinger(end, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
				return err
			}
		}
	}
	return nil
}

// cpuTime is what this process has used, of user and system.
func cpuTime(tb testing.TB) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSockets is what one reading of all sockets costs, one reading a second, in CPU time (ns/socket): diag without
// owners, bpf and proc with them. The readings go on as they do in the server, so owners are searched when one is missing and
// every few seconds; in bpf-search and proc-search they are searched by each reading. The sockets are connections of other
// processes on the loopback interface. Compare with testdata/diagfloor.c and `ss -tanp` in the same minute.
func BenchmarkSockets(b *testing.B) {
	for _, c := range []struct {
		name    string
		holders func(testing.TB) holderSource
		always  bool
	}{
		{"diag", func(testing.TB) holderSource { return brokenHolders{} }, false},
		{"bpf", realBPFHolders, false}, {"bpf-search", realBPFHolders, true},
		{"proc", realProcHolders, false}, {"proc-search", realProcHolders, true},
	} {
		for _, n := range []int{4000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", c.name, n), func(b *testing.B) {
				for left := n; left > 0; left -= crowdSize {
					startHelper(b, "crowd", fmt.Sprint(min(left, crowdSize))).line()
				}
				benchSockets(b, n, c.holders(b), c.always)
			})
		}
	}
}

func realProcHolders(testing.TB) holderSource { return newProcHolders("/proc") }

func realBPFHolders(tb testing.TB) holderSource {
	tb.Helper()
	kernel, err := loadKernelTypes()
	if err != nil {
		tb.Fatal(err)
	}
	h, err := newBPFHolders(kernel, "/proc", &trust{log: slog.Default()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(h.close)
	return h
}

func realSocketReader(tb testing.TB, holders holderSource) *socketReader {
	tb.Helper()
	return newSocketReader(newOwners(newProcSource("/proc"), holders), newUsers("/etc"))
}

func benchSockets(b *testing.B, n int, holders holderSource, always bool) {
	r := realSocketReader(b, holders)
	now := time.Now()
	read := func() int {
		if always {
			r.owners.swept, r.owners.searched = time.Time{}, time.Time{}
		}
		rows, err, ownersError := r.read(now, nil)
		if err != nil || ownersError != nil {
			b.Fatal(err, ownersError)
		}
		now = now.Add(time.Second)
		return len(rows)
	}
	if got := read(); got < n {
		b.Fatalf("%d sockets, want %d", got, n)
	}
	runtime.GC()
	b.ReportAllocs()
	sockets := 0
	before := cpuTime(b)
	for b.Loop() {
		sockets += read()
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(sockets), "ns/socket")
}
