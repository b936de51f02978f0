package collector

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/procfs"
)

// The parser agrees with the library's on every process of this machine, and on names made to mislead.
func TestStatIsReadAsTheLibraryReadsIt(t *testing.T) {
	f := newStage(t)
	var texts []string
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			texts = append(texts, string(text))
		}
	}
	_, rest, _ := strings.Cut(texts[0], ")")
	for _, comm := range []string{"", ")", "(", ") R 1 2 3", "a\nb", "\xff\x00", "(())"} {
		texts = append(texts, "7 ("+comm+")"+rest)
	}
	for _, text := range texts {
		f.write("proc/9/stat", text)
		p, err := f.fs().Proc(9)
		if err != nil {
			t.Fatal(err)
		}
		want, err := p.Stat()
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		var c counts
		comm, ok := parseStat([]byte(text), &c)
		if !ok {
			t.Fatalf("%q is not read", text)
		}
		check(t, "command", string(comm), want.Comm)
		check(t, "figures", fmt.Sprint(c), fmt.Sprint(asCounts(&want)))
	}
}

func asCounts(s *procfs.ProcStat) counts {
	return counts{
		state: s.State, ppid: s.PPID, faults: uint64(s.MinFlt) + uint64(s.MajFlt), used: uint64(s.UTime+s.STime) * nanosecondsPerTick,
		nice: s.Nice, threads: s.NumThreads, start: s.Starttime, vsize: uint64(s.VSize), rss: uint64(s.RSS),
		traces: traces{code: s.StartCode, stack: s.StartStack},
	}
}

func TestWhatIsNoStatIsRefused(t *testing.T) {
	good := "7 (a) S 1 7 7 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 99 4096 10 18446744073709551615 1 2 3"
	var c counts
	if _, ok := parseStat([]byte(good), &c); !ok || c.start != 99 || c.traces.stack != 3 {
		t.Fatalf("a good one gives %+v, %v", c, ok)
	}
	for _, bad := range []string{"", "7", "7 (a", "7 a) S", "7 )a( S", "7 (a)", "7 (a) ", good[:len(good)-2], strings.Replace(good, " 99 ", " x ", 1),
		strings.Replace(good, " 99 ", "x99 ", 1)} {
		if _, ok := parseStat([]byte(bad), &c); ok {
			t.Errorf("%q is taken for a stat", bad)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("7 (a b) S 1 7 7 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 99 4096 -10 18446744073709551615 1 2 3 4"))
	f.Add([]byte("7 ()"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var c counts
		comm, ok := parseStat(text, &c)
		if ok && (len(c.state) != 1 || !strings.Contains(string(text), "("+string(comm)+")")) {
			t.Fatalf("%q gives %q and %+v", text, comm, c)
		}
	})
}
