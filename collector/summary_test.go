package collector

import (
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/procfs"
)

func TestSummaryOfAFixture(t *testing.T) {
	f := newStage(t)
	r := newSummaryReader(f.fs(), f.config(time.Second))
	start := time.Now()
	r.read(start)

	f.replace("proc/stat", "cpu  1000 200 500 8000 250 10 40 0 300 100", "cpu  1050 210 520 8100 260 12 42 6 340 105")
	f.replace("proc/stat", "cpu0 500 100 250 4000 125", "cpu0 550 110 270 4005 130")
	f.replace("proc/stat", "cpu1 500 100 250 4000 125", "cpu1 500 100 250 4095 130")
	f.replace("proc/diskstats", "sda 1000 10 8000 500 2000 20 16000 900 0 3000", "sda 1010 10 8200 500 2040 20 16600 900 0 4000")
	f.replace("proc/diskstats", "dm-0 700 0 5000 300 1500 0 12000", "dm-0 710 0 5200 300 1540 0 12600")
	f.replace("proc/net/dev", "eth0: 1000000    2000    1    2", "eth0: 1004000    2010    2    3")
	f.replace("proc/net/dev", "500000    1500    3    4", "502000    1506    4    5")
	f.replace("proc/net/dev", "lo:    5000      50", "lo:    7000      54")
	s := r.read(start.Add(2 * time.Second))

	check(t, "cpu", s.CPU, CPU{User: 25, Nice: 5, System: 10, Idle: 50, IOWait: 5, HardIRQ: 1, SoftIRQ: 1, Steal: 3})
	if want := []float64{88.9, 0}; !slices.Equal(s.Cores, want) {
		t.Errorf("cores are %v, want %v", s.Cores, want)
	}
	check(t, "memory", s.Memory, Memory{Total: 8192000000, Free: 1024000000, Used: 3072000000, BuffCache: 3379200000, Available: 5120000000})
	check(t, "swap", s.Swap, Swap{Total: 2048000000, Free: 1536000000, Used: 512000000})
	check(t, "load", s.Load, [3]float64{0.5, 1.25, 2})
	check(t, "uptime", s.Uptime, 5000.25)
	check(t, "pressure", *s.Pressure, Pressure{
		CPU: PressureShare{Some: 1.5}, Memory: PressureShare{Some: 0.25, Full: 0.12}, IO: PressureShare{Some: 3, Full: 2},
	})
	if want := []Disk{
		{Name: "sda", ReadBytesPerSecond: 51200, WriteBytesPerSecond: 153600, ReadsPerSecond: 5, WritesPerSecond: 20, BusyPercent: 50},
		{Name: "nvme0n1"},
		{Name: "dm-0", ReadBytesPerSecond: 51200, WriteBytesPerSecond: 153600, ReadsPerSecond: 5, WritesPerSecond: 20},
	}; !slices.Equal(s.Disks, want) {
		t.Errorf("disks are %+v, want %+v", s.Disks, want)
	}
	if want := []Interface{
		{
			Name: "eth0", ReceiveBytesPerSecond: 2000, TransmitBytesPerSecond: 1000,
			ReceivePacketsPerSecond: 5, TransmitPacketsPerSecond: 3, ErrorsPerSecond: 2,
		},
		{Name: "lo", ReceiveBytesPerSecond: 1000, ReceivePacketsPerSecond: 2},
	}; !slices.Equal(s.Interfaces, want) {
		t.Errorf("interfaces are %+v, want %+v", s.Interfaces, want)
	}
	if len(s.Errors) > 0 {
		t.Errorf("errors: %v", s.Errors)
	}

	r.mark = r.counters.older
	p := r.point(&s)
	check(t, "cpu of the point", p.CPU, s.CPU)
	check(t, "bytes read, without those of dm-0 again", p.ReadBytesPerSecond, 51200)
	check(t, "bytes written", p.WriteBytesPerSecond, 153600)
	check(t, "bytes received, without those of lo", p.ReceiveBytesPerSecond, 2000)
	check(t, "bytes sent", p.TransmitBytesPerSecond, 1000)
}

func TestPointsHaveTheCoresEveryTenSeconds(t *testing.T) {
	f := newStage(t)
	r := newSummaryReader(f.fs(), f.config(time.Second))
	start := time.Now()
	read := func(second float64) []float64 {
		s := r.read(start.Add(time.Duration(second * float64(time.Second))))
		return r.point(&s).Cores
	}
	if cores := read(0); cores != nil {
		t.Errorf("the first point has cores, measured from nothing: %v", cores)
	}
	f.replace("proc/stat", "cpu0 500 100 250 4000 125", "cpu0 600 100 250 4000 125")
	for second := range 9 {
		if cores := read(float64(second) + 1); cores != nil {
			t.Errorf("after %d s: cores %v", second+1, cores)
		}
	}
	f.replace("proc/stat", "cpu0 600 100 250 4000 125", "cpu0 600 100 250 4050 150")
	if cores, want := read(9.9), []float64{57, 0}; !slices.Equal(cores, want) { // 100 of 175
		t.Errorf("after ten seconds, a little early: cores %v, want %v", cores, want)
	}
	f.replace("proc/stat", "cpu1 500 100 250 4000 125", "cpu1 510 100 250 4000 125")
	if cores := read(11); cores != nil {
		t.Errorf("a second later: cores %v", cores)
	}
	if cores, want := read(20), []float64{0, 100}; !slices.Equal(cores, want) {
		t.Errorf("ten seconds later: cores %v, want %v", cores, want)
	}
}

func TestSummaryTellsWhatItCannotRead(t *testing.T) {
	f := newStage(t)
	for _, name := range []string{"stat", "meminfo", "loadavg", "uptime", "pressure", "diskstats", "net", "self"} {
		f.remove("proc/" + name)
	}
	s := newSummaryReader(f.fs(), f.config(time.Second)).read(time.Now())
	for _, field := range []string{"cpu", "memory", "load", "uptime", "pressure", "disks", "interfaces", "fileSystems"} {
		if s.Errors[field] == "" {
			t.Errorf("no reason is given for %s", field)
		}
	}
	if s.Pressure != nil {
		t.Errorf("pressure is %v, want none", *s.Pressure)
	}
	check(t, "cpu", s.CPU, CPU{Idle: 100})
}

func TestSummaryDoesNotCountFromBootAfterAFailure(t *testing.T) {
	f := newStage(t)
	stat, err := os.ReadFile(f.path("proc/stat"))
	if err != nil {
		t.Fatal(err)
	}
	f.remove("proc/stat")
	r := newSummaryReader(f.fs(), f.config(time.Second))
	start := time.Now()
	r.read(start)
	f.write("proc/stat", string(stat))
	check(t, "cpu right after the failure", r.read(start.Add(time.Second)).CPU, CPU{Idle: 100})
	f.replace("proc/stat", "cpu  1000", "cpu  1010")
	check(t, "cpu one reading later", r.read(start.Add(2*time.Second)).CPU, CPU{User: 100})
}

func TestSharesAddUpTo100(t *testing.T) {
	zero := procfs.CPUStat{User: 1, Idle: 1}
	for name, c := range map[string]struct {
		before, after procfs.CPUStat
		want          CPU
	}{
		"nothing passed": {zero, zero, CPU{Idle: 100}},
		"idle went back": {procfs.CPUStat{Idle: 100, User: 1}, procfs.CPUStat{Idle: 99, User: 2}, CPU{User: 100}},
		"thirds":         {zero, procfs.CPUStat{User: 2, System: 1, Idle: 2}, CPU{User: 33.34, System: 33.33, Idle: 33.33}},
		"guest is within user": {
			zero, procfs.CPUStat{User: 2, Guest: 1, Idle: 2}, CPU{User: 50, Idle: 50},
		},
		"guest is within nice": {
			zero, procfs.CPUStat{User: 1, Nice: 3, GuestNice: 3, Idle: 2}, CPU{Nice: 75, Idle: 25},
		},
	} {
		got := shares(c.before, c.after)
		check(t, name, got, c.want)
		sum := got.User + got.System + got.Nice + got.Idle + got.IOWait + got.HardIRQ + got.SoftIRQ + got.Steal
		if math.Abs(sum-100) > 1e-9 {
			t.Errorf("%s: the shares add up to %v", name, sum)
		}
	}
}

func TestRatesOfCountersThatStartAnew(t *testing.T) {
	f := newStage(t)
	r := newSummaryReader(f.fs(), f.config(time.Second))
	start := time.Now()
	r.read(start)
	f.replace("proc/net/dev", "eth0: 1000000    2000", "eth0: 10    1")
	f.replace("proc/diskstats", "sda 1000 10 8000", "sda 3 0 24")
	f.replace("proc/diskstats", "sdb 0 0 0 0 0 0 0", "sdb 5 0 40 0 0 0 0")
	f.write("sys/block/sdc/ro", "0\n")
	f.replace("proc/diskstats", "   8      16 sdb", "   8      32 sdc 9 0 72 0 9 0 72 0 0 1 1\n   8      16 sdb")
	s := r.read(start.Add(time.Second))
	for _, d := range s.Disks {
		want := Disk{Name: d.Name}
		if d.Name == "sdb" { // was there and is used for the first time
			want.ReadBytesPerSecond, want.ReadsPerSecond = 20480, 5
		}
		check(t, d.Name, d, want)
	}
	if len(s.Disks) != 5 {
		t.Errorf("%d disks, want 5", len(s.Disks))
	}
	check(t, "bytes received", s.Interfaces[0].ReceiveBytesPerSecond, 0)
}

func TestDisksNeedSysfsToBeToldFromPartitions(t *testing.T) {
	f := newStage(t)
	f.remove("sys/block")
	s := newSummaryReader(f.fs(), f.config(time.Second)).read(time.Now())
	if !strings.Contains(s.Errors["disks"], "partitions") || len(s.Disks) > 0 {
		t.Errorf("disks are %v with the reason %q", s.Disks, s.Errors["disks"])
	}
}

func TestMemoryWithoutAvailable(t *testing.T) {
	f := newStage(t)
	f.replace("proc/meminfo", "MemAvailable:    5000000 kB\n", "")
	m, _, err := memory(&procFile{path: f.path("proc/meminfo")})
	if err != nil {
		t.Fatal(err)
	}
	check(t, "available", m.Available, m.Free)
	check(t, "used", m.Used, m.Total-m.Free)
}

func TestWindowMeasuresFromAReadingThatIsOldEnough(t *testing.T) {
	var w window[string]
	start := time.Now()
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	for _, c := range []struct {
		ms   int
		base string
	}{
		{0, ""}, {1000, "0"}, {1900, "1000"}, {2000, "1000"}, {3000, "1900"}, {3100, "1900"}, {3196, "3000"},
	} {
		if got := w.base(at(c.ms)).value; got != c.base {
			t.Errorf("at %d ms the base is %q, want %q", c.ms, got, c.base)
		}
		w.add(at(c.ms), strconv.Itoa(c.ms))
	}
}
