package collector

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestProcFileIsReadAnewAndWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	f := procFile{path: path}
	defer f.close()
	if _, err := f.read(); !os.IsNotExist(err) {
		t.Errorf("without a file the error is %v", err)
	}
	for _, n := range []int{10, 4096, 0, 4095, 100_000, 3} {
		want := strings.Repeat("x", n)
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := f.read()
		if err != nil || string(got) != want {
			t.Errorf("%d bytes: got %d, %v", n, len(got), err)
		}
	}
}

// The summary is read at each tick for as long as the program runs.
func TestSummaryMakesLittleGarbage(t *testing.T) {
	c, err := New(Config{Interval: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	r := c.reader.summary
	defer r.close()
	now := time.Now()
	r.read(now)
	devices, interfaces := len(r.disks.kinds), len(r.last.value.interfaces)
	got := testing.AllocsPerRun(100, func() {
		now = now.Add(time.Millisecond) // file systems are asked now and then, which this is not about
		r.read(now)
	})
	if most := float64(60 + 3*devices + 4*interfaces); got > most {
		t.Errorf("a reading makes %v allocations with %d devices and %d interfaces; %v are enough", got, devices, interfaces, most)
	}
	before := descriptors(t)
	for range 10 {
		r.read(now)
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors are open, %d before", after, before)
	}
}

func TestNumbersOfProcFiles(t *testing.T) {
	for text, want := range map[string]float64{"0": 0, "12.5": 12.5, "0.07": 0.07, "3.": 3} {
		if got, ok := fraction([]byte(text)); !ok || got != want {
			t.Errorf("%q is %v %t", text, got, ok)
		}
	}
	for _, text := range []string{"", ".", "-1", "1e3", "1.x", "99999999999999999999999", " 1"} {
		if got, ok := fraction([]byte(text)); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
	if n, ok := digits([]byte("18446744073709551599")); !ok || n != 18446744073709551599 {
		t.Errorf("got %d %t", n, ok)
	}
}

func FuzzSummaryFiles(f *testing.F) {
	for _, name := range []string{"stat", "meminfo", "loadavg", "uptime", "diskstats", "net/dev", "pressure/io"} {
		text, err := os.ReadFile(filepath.Join("testdata/live/proc", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	path := filepath.Join(f.TempDir(), "file")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		file := procFile{path: path}
		defer file.close()
		all, cores, _, _ := processorTimes(&file)
		for _, c := range append(cores, coreTimes{CPUStat: all}) {
			if s := shares(all, c.CPUStat); s.Idle < 0 || s.Idle > 100 {
				t.Errorf("the shares are %+v", s)
			}
		}
		if m, _, err := memory(&file); err == nil && m.Used > m.Total {
			t.Errorf("the memory is %+v", m)
		}
		list, _ := interfaces(&file)
		interfaceRates(list[:len(list)/2], list, time.Second)
		disks := disks{stats: procFile{path: path}, sys: "testdata/live/sys"}
		defer disks.stats.close()
		_, _ = disks.read()
		files := [3]procFile{{path: path}, {path: path}, {path: path}}
		if p, err := pressure(&files); err == nil && math.IsNaN(p.CPU.Some) {
			t.Errorf("the pressure is %+v", p)
		}
		for i := range files {
			files[i].close()
		}
		if l, err := load(&file); err == nil && l[0] < 0 {
			t.Errorf("the load is %v", l)
		}
		_, _ = uptime(&file)
	})
}
