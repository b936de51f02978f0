package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// figure is one line of a Go benchmark: its figures by unit.
type figure struct {
	name  string
	units map[string]float64
}

// goBench runs the benchmarks of a compiled test binary whose name matches.
func (b *bench) goBench(pkg, pattern string, args ...string) ([]figure, error) {
	cmd := exec.CommandContext(b.ctx, b.tool(pkg+".test"), append([]string{"-test.run", "^$", "-test.bench", pattern, "-test.timeout", "8m"}, args...)...)
	cmd.Dir = pkg
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w %s", pattern, err, lastLines(string(out), 5))
	}
	var list []figure
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) < 4 || !strings.HasPrefix(words[0], "Benchmark") {
			continue
		}
		name := words[0]
		if cut := strings.LastIndexByte(name, '-'); cut > 0 && regexp.MustCompile(`^-\d+$`).MatchString(name[cut:]) {
			name = name[:cut]
		}
		f := figure{name: strings.TrimPrefix(name, "Benchmark"), units: map[string]float64{}}
		for i := 2; i+1 < len(words); i += 2 {
			if v, err := strconv.ParseFloat(words[i], 64); err == nil {
				f.units[words[i+1]] = v
			}
		}
		list = append(list, f)
	}
	return list, nil
}

// one runs one benchmark and gives its figure of a unit.
func (b *bench) one(pkg, name, unit string, args ...string) (float64, error) {
	list, err := b.goBench(pkg, "^Benchmark"+strings.ReplaceAll(name, "/", "$/^")+"$", args...)
	if err != nil {
		return 0, err
	}
	for _, f := range list {
		if v, ok := f.units[unit]; ok && f.name == name {
			return v, nil
		}
	}
	return 0, fmt.Errorf("there is no benchmark %s with %s (it may not be possible here)", name, unit)
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], " ")
}

// floor runs a C program and gives the number after a word that it prints.
func (b *bench) floor(tool, word string, args ...string) (float64, error) {
	out, _, err := ran(b.command(b.tool(tool), args...))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(line, word+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(rest), 64)
		}
	}
	return 0, fmt.Errorf("%s printed no %s: %s", tool, word, out)
}

// processes measures one reading of all processes. The benchmark has the C floor read the same ones in turns with it.
func (b *bench) processes() error {
	for _, n := range []int{2000, 10_000} {
		costs := map[string][]float64{}
		rounds, turns := b.rounds, 12
		if n > 2000 {
			rounds, turns = min(rounds, 3), 3 // each takes twenty seconds
		}
		for range rounds {
			list, err := b.goBench("collector", "^BenchmarkProcesses$/^"+strconv.Itoa(n)+"$", "-test.benchtime", fmt.Sprintf("%dx", turns))
			if err != nil {
				return err
			}
			for _, f := range list {
				for unit, v := range f.units {
					costs[unit] = append(costs[unit], v)
				}
			}
		}
		for _, s := range []struct {
			source string
			target float64
		}{{"proc", 0.85}, {"bpf", 0.15}} {
			work := fmt.Sprintf("a process, %d of them, every field, by %s", n, s.source)
			ours, floor := costs[s.source+"-ns/process"], costs["floor-ns/process"]
			if len(ours) == 0 {
				b.table.skip(work, "skipped: the benchmark has no figure for it (it may not be possible here)")
				continue
			}
			b.table.compare(work, ours, floor, microseconds, "open, read, close of /proc/PID/stat in C", s.target)
		}
	}
	return nil
}

// sockets measures one reading of all sockets.
func (b *bench) sockets() error {
	for _, n := range []int{4000, 100_000} {
		rounds := b.rounds
		if n > 10_000 {
			rounds = min(rounds, 2) // each takes half a minute
		}
		sources := []string{"diag", "bpf", "proc"}
		ours, failed := map[string][]float64{}, map[string]error{}
		var floor, ss []float64
		for range rounds {
			herd, err := b.herd(max(100, n/100), 0, n)
			if err != nil {
				return err
			}
			v, err := b.floor("diagfloor", "ns/socket", strconv.Itoa(max(1, 100_000/n)))
			if err == nil {
				floor = append(floor, v)
				var cpu float64
				_, cpu, err = ran(b.command("ss", "-tanp"))
				ss = append(ss, cpu/float64(n))
			}
			herd.end()
			if err != nil {
				return err
			}
			for _, source := range sources {
				if failed[source] != nil {
					continue
				}
				v, err := b.one("collector", fmt.Sprintf("Sockets/%s/%d", source, n), "ns/socket")
				if failed[source] = err; err == nil {
					ours[source] = append(ours[source], v)
				}
			}
		}
		for _, source := range sources {
			work := fmt.Sprintf("a socket, %d of them, with its process, by %s", n, source)
			if source == "diag" {
				work = fmt.Sprintf("a socket, %d of them, without its process", n)
			}
			if failed[source] != nil {
				b.table.skip(work, "skipped: "+failed[source].Error())
				continue
			}
			target, targetSS := 0.0, 0.0
			if source == "bpf" && n == 100_000 {
				target, targetSS = 1.6, 0.04
			}
			b.table.compare(work, ours[source], floor, microseconds, "one sock_diag dump in C", target)
			if source != "diag" {
				b.table.compare(work, ours[source], ss, microseconds, "`ss -tanp`", targetSS)
			}
		}
	}
	return nil
}

// log runs the benchmarks of the operation log. What it takes to append is compared with a bare commit of bbolt.
func (b *bench) log() error {
	list, err := b.goBench("control", "^BenchmarkLog$", "-test.benchtime", "300ms")
	if err != nil {
		return err
	}
	for _, f := range list {
		target := 0.0
		switch {
		case strings.Contains(f.name, "/open"):
			target = 200e6
		case strings.Contains(f.name, "/page"), strings.Contains(f.name, "/unseen"):
			target = 2e6
		}
		b.table.absolute("log: "+strings.ReplaceAll(f.name, "_", " "), []float64{f.units["ns/op"]}, in("%.3f ms", 1e6), target)
	}
	var one, sixteen, bare []float64
	for range b.rounds {
		list, err := b.goBench("control", "^BenchmarkLogAppend$", "-test.benchtime", "1000x")
		if err != nil {
			return err
		}
		for _, f := range list {
			if f.units["ns/commit"] > 0 {
				one, bare = append(one, f.units["ns/append"]), append(bare, f.units["ns/commit"])
			} else {
				sixteen = append(sixteen, f.units["ns/op"])
			}
		}
	}
	b.table.compare("log: a durable append", one, bare, in("%.3f ms", 1e6), "one fsync'd bbolt commit", 1.3)
	b.table.compare("log: a durable append, sixteen at a time", sixteen, bare, in("%.3f ms", 1e6), "one fsync'd bbolt commit", 0)
	return nil
}

// page runs the measurement in Chromium: `npm run bench:page` in frontend, whose last line is JSON.
func (b *bench) page() error {
	cmd := b.command("npm", "run", "--silent", "bench:page")
	cmd.Dir = "frontend"
	cmd.Env = append(cmd.Environ(), "TOPDECK_BIN="+b.topdeck)
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("npm run bench:page: %w", err)
	}
	var page struct {
		Rows, Changing, Seconds                                              int
		TickMedian, Tick95, LongestTask, HeapBefore, HeapAfter, Sort, Search float64
	}
	if err := json.Unmarshal([]byte(lastLines(string(out), 1)), &page); err != nil {
		return fmt.Errorf("npm run bench:page: %w", err)
	}
	what := fmt.Sprintf("the page, %d processes, %d changing: ", page.Rows, page.Changing)
	ms, mb := in("%.1f ms", 1), in("%.1f MB", 1)
	b.table.absolute(what+"scripting and layout a tick, median", []float64{page.TickMedian}, ms, 16)
	b.table.absolute(what+"the same, of 95 % of the ticks", []float64{page.Tick95}, ms, 0)
	b.table.absolute(fmt.Sprintf("%slongest task in %d s", what, page.Seconds), []float64{page.LongestTask}, ms, 50)
	b.table.absolute(fmt.Sprintf("%sheap, %.1f MB before", what, page.HeapBefore), []float64{page.HeapAfter}, mb, 80)
	b.table.absolute(what+"sort answers within", []float64{page.Sort}, ms, 100)
	b.table.absolute(what+"search answers within", []float64{page.Search}, ms, 100)
	return nil
}

// opening measures how soon the list of services shows in a browser that knows nothing of the app yet, and what has come by then:
// `npm run bench:opening` in frontend, whose last line is JSON.
func (b *bench) opening() error {
	s, err := b.serveSigned()
	if err != nil {
		return err
	}
	defer s.end()
	cmd := b.command("npm", "run", "--silent", "bench:opening")
	cmd.Dir = "frontend"
	cmd.Env = append(cmd.Environ(), "TOPDECK_URL=http://"+s.address, "TOPDECK_COOKIE="+s.cookie, fmt.Sprintf("TIMES=%d", 2*b.rounds+1))
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("npm run bench:opening: %w", err)
	}
	var opened struct{ Took, Bytes, Requests []float64 }
	if err := json.Unmarshal([]byte(lastLines(string(out), 1)), &opened); err != nil {
		return fmt.Errorf("npm run bench:opening: %w", err)
	}
	const what = "the services' page, opened with nothing cached: "
	b.table.absolute(what+"the list shows after", opened.Took, in("%.1f ms", 1), 500)
	b.table.absolute(what+"downloaded by then", opened.Bytes, kilobytes, 200e3)
	b.table.absolute(what+"requests by then", opened.Requests, in("%.0f", 1), 0)
	return nil
}
