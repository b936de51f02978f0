package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// table is what a run found.
type table struct{ rows []row }

// row is one line of it. The texts are Markdown.
type row struct{ work, ours, with, ratio, spread, target, met string }

// unit says a number with what it counts.
type unit func(float64) string

func in(format string, scale float64) unit {
	return func(v float64) string { return fmt.Sprintf(format, v/scale) }
}

var (
	microseconds = in("%.2f µs", 1e3) // from nanoseconds
	milliseconds = in("%.1f ms", 1e6)
	kilobytes    = in("%.1f KB", 1e3)
	megabytes    = in("%.1f MB", 1e6)
	percent      = in("%.3f %%", 1)
)

// compare adds the ratio of each round of ours to the same round of another, and whether its median is within the target (0: none).
func (t *table) compare(work string, ours, with []float64, say unit, withName string, target float64) {
	if len(ours) == 0 || len(ours) != len(with) || slices.Contains(with, 0) {
		t.skip(work, "not measured beside "+withName+": it did not run")
		return
	}
	ratios := make([]float64, len(ours))
	for i := range ours {
		ratios[i] = ours[i] / with[i]
	}
	r := row{
		work: work, ours: say(median(ours)), with: say(median(with)) + " " + withName, ratio: significant(median(ratios)) + " ×",
		spread: spread(ratios, significant),
	}
	if target > 0 {
		r.target, r.met = fmt.Sprintf("≤ %g ×", target), mark(median(ratios) <= target)
	}
	t.add(r)
}

// absolute adds figures that are held against a fixed bound (0: none).
func (t *table) absolute(work string, values []float64, say unit, target float64) {
	if len(values) == 0 {
		t.skip(work, "not measured")
		return
	}
	r := row{work: work, ours: say(median(values)), spread: spread(values, say)}
	if target > 0 {
		r.target, r.met = "≤ "+say(target), mark(median(values) <= target)
	}
	t.add(r)
}

// skip says why there is no figure.
func (t *table) skip(work, reason string) { t.add(row{work: work, ours: reason}) }

func (t *table) add(r row) {
	t.rows = append(t.rows, r)
	fmt.Fprintf(os.Stderr, "         %s: %s  %s  %s %s %s  (%s)\n", r.work, r.ours, r.with, r.ratio, r.target, r.met, r.spread)
}

func (t *table) markdown(machine string, rounds int, took time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s; %d rounds, %s, %s. Medians; the spread is the least and the greatest round.\n\n", machine, rounds,
		took.Round(time.Second), time.Now().UTC().Format(time.DateOnly))
	b.WriteString("| work | topdeck | compared with | ratio | spread | target | |\n|---|---|---|---|---|---|---|\n")
	for _, r := range t.rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", r.work, r.ours, r.with, r.ratio, r.spread, r.target, r.met)
	}
	return b.String()
}

func mark(met bool) string {
	if met {
		return "✓"
	}
	return "missed"
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// medians are those of so many parts of a list, one after the other.
func medians(values []float64, parts int) []float64 {
	list := make([]float64, parts)
	for i := range list {
		list[i] = median(values[i*len(values)/parts : (i+1)*len(values)/parts])
	}
	return list
}

func spread(values []float64, say unit) string {
	if len(values) < 2 {
		return ""
	}
	return say(slices.Min(values)) + " – " + say(slices.Max(values))
}

func significant(v float64) string {
	switch {
	case v >= 10:
		return fmt.Sprintf("%.0f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// machine says what the figures were taken on.
func machine() string {
	kernel, model := "unknown", "unknown processor"
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		kernel = unix.ByteSliceToString(u.Release[:])
	}
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	return fmt.Sprintf("%d cores of %s, Linux %s, %s", runtime.NumCPU(), model, kernel, runtime.Version())
}

const openMarker, closeMarker = "<!-- bench -->", "<!-- /bench -->"

// writeBetween puts text between the markers of a file.
func writeBetween(file, text string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, rest, ok := bytes.Cut(data, []byte(openMarker))
	_, tail, ok2 := bytes.Cut(rest, []byte(closeMarker))
	if !ok || !ok2 {
		return errors.New("cannot find the markers of the table in " + file)
	}
	return os.WriteFile(file, slices.Concat(head, []byte(openMarker+"\n"+text), []byte(closeMarker), tail), 0o644)
}
