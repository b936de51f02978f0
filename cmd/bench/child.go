package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// child is a process that runs beside the measurement until end.
type child struct {
	cmd   *exec.Cmd
	input io.WriteCloser // most end with it
	lines *bufio.Scanner
}

// begin starts a program that prints lines and ends with its input.
func begin(cmd *exec.Cmd) (*child, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &child{cmd, in, bufio.NewScanner(out)}, nil
}

func (c *child) line() (string, error) {
	if !c.lines.Scan() {
		return "", errors.Join(errors.New("the program ended early"), c.lines.Err())
	}
	return c.lines.Text(), nil
}

func (c *child) end() {
	c.input.Close()
	_ = c.cmd.Wait() // how it ended says nothing about what it did
}

// herd makes processes and sockets (testdata/herd.c), and is there when it returns.
func (b *bench) herd(processes, changing, sockets int) (*child, error) {
	c, err := begin(b.command(b.tool("herd"), strconv.Itoa(processes), strconv.Itoa(changing), strconv.Itoa(sockets)))
	if err != nil {
		return nil, err
	}
	if _, err := c.line(); err != nil {
		c.end()
		return nil, fmt.Errorf("cannot make %d processes and %d sockets: %w", processes, sockets, err)
	}
	return c, nil
}

// ran runs a program to its end and gives what it printed and the processor time that it took, in nanoseconds.
func ran(cmd *exec.Cmd) (out string, cpu float64, err error) {
	text, err := cmd.Output()
	if cmd.ProcessState == nil {
		return "", 0, err
	}
	return string(text), float64(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()), err
}

// processCPU is the processor time of one process, all its threads, those that have ended too, in nanoseconds. Its clock is that of
// clock_getcpuclockid(3).
func processCPU(pid int) float64 {
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|2, &t); err != nil {
		return 0
	}
	return float64(t.Nano())
}

// treeCPU is the processor time of a process and of all below it that still live.
func treeCPU(root int) float64 {
	total := 0.0
	for _, pid := range append(below(root), root) {
		total += processCPU(pid)
	}
	return total
}

// below are the processes that descend from one.
func below(root int) (pids []int) {
	children := map[int][]int{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
		fields := strings.Fields(string(data)[strings.LastIndexByte(string(data), ')')+1:])
		if len(fields) > 1 {
			parent, _ := strconv.Atoi(fields[1])
			children[parent] = append(children[parent], pid)
		}
	}
	for next := children[root]; len(next) > 0; {
		pids = append(pids, next...)
		var more []int
		for _, pid := range next {
			more = append(more, children[pid]...)
		}
		next = more
	}
	return slices.Compact(pids)
}

// status is a size in /proc/PID/status, in bytes.
func status(pid int, name string) float64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb * 1024
		}
	}
	return 0
}

func kill(pid int) { _ = unix.Kill(pid, unix.SIGKILL) }
