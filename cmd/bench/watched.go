package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	watchedProcesses = 2000
	watchedChanging  = 50
	watchedSockets   = 4000
	watchedWindow    = 5 * time.Second
	idleWindow       = 6 * time.Second
	peerWarmUp       = 12 * time.Second
	signedFor        = time.Minute      // after which the memory is looked at
	warmUp           = 20 * time.Second // a process that is new is read again up to its 16th sample
)

// source starts topdeck with one way of reading processes. Where it cannot, why is in the table.
func (b *bench) source(work, source string) *served {
	s, err := b.serveSigned("--source", source)
	if err != nil {
		b.table.skip(work, "skipped: "+err.Error())
		return nil
	}
	return s
}

// peer is another program that shows what topdeck does, once a second.
type peer struct {
	name   string
	args   []string
	target [2]float64 // of topdeck by BPF and by /proc; 0: none
	page   string     // what its page asks for each second, where it works only when asked
	tree   int        // its process
	end    func()
}

// peers are measured one group after the other: what the others do (each opens sockets and starts programs) is not to be in the
// figures, neither in theirs nor in ours.
func peers() [][]*peer {
	return [][]*peer{
		{{name: "top -b -d1", args: []string{"top", "-b", "-d1"}, target: [2]float64{0.3, 0.6}}},
		{{name: "netdata", args: []string{"netdata", "-D"}, target: [2]float64{0.12, 0}}},
		{{name: "glances -w -t 1", args: []string{"glances", "-w", "-t", "1", "-B", "127.0.0.1", "-p", "61208"},
			page: "http://127.0.0.1:61208/api/3/all"}},
		{
			{name: "pidstat -u -r -p ALL 1", args: []string{"pidstat", "-u", "-r", "-p", "ALL", "1"}},
			{name: "htop -d 10", args: []string{"script", "-qec", "stty rows 50 cols 200; exec htop -d 10", "/dev/null"}},
			{name: "atop 1", args: []string{"atop", "1"}},
		},
	}
}

// start runs a peer; what it needs is in the environment of every terminal.
func (p *peer) start(b *bench) error {
	program := p.args[0]
	if program == "script" {
		program = strings.Fields(p.name)[0]
	}
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("%s is not installed", program)
	}
	cmd := exec.CommandContext(b.ctx, p.args[0], p.args[1:]...)
	cmd.Env = append(cmd.Environ(), "TERM=xterm", "COLUMNS=200", "LINES=50")
	in, err := cmd.StdinPipe() // kept open: script ends with its input
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.tree = cmd.Process.Pid
	p.end = func() {
		for _, pid := range slices.Backward(append([]int{p.tree}, below(p.tree)...)) {
			kill(pid)
		}
		in.Close()
		_ = cmd.Wait()
	}
	return nil
}

// ask does what an open page of the peer does each second. What fails shows in the table as a peer that does nothing.
func (p *peer) ask() {
	if p.page == "" {
		return
	}
	if response, err := http.Get(p.page); err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
}

// watched measures the whole server while one page watches, by each source, beside its peers in the same seconds.
func (b *bench) watched() error {
	if err := b.calm(); err != nil {
		return err
	}
	herd, err := b.herd(watchedProcesses, watchedChanging, watchedSockets)
	if err != nil {
		return err
	}
	defer herd.end()
	sources := []string{"bpf", "proc"}
	var servers []*served
	for i, name := range sources {
		s := b.source("one page watching, by "+name, name)
		servers = append(servers, s)
		if s == nil {
			continue
		}
		defer s.end()
		p, err := s.open("summary", "processes", "sockets")
		if err != nil {
			return err
		}
		defer p.close()
		if i == 0 || servers[0] == nil {
			narrow, err := s.open("processes")
			if err != nil {
				return err
			}
			defer narrow.close()
			defer func() {
				b.table.absolute("bytes a tick to a page, 2,000 processes, 50 changing", narrow.deltas(), kilobytes, 6e3)
			}()
		}
	}
	b.pause(warmUp)
	for _, group := range peers() {
		if err := b.beside(group, sources, servers); err != nil {
			return err
		}
	}
	for i, s := range servers {
		if s != nil {
			b.pause(time.Until(s.signed.Add(signedFor)))
			b.table.absolute("memory (RSS) a minute after sign-in, watching, by "+sources[i], []float64{status(s.pid(), "VmRSS")}, megabytes, 40e6)
		}
	}
	return nil
}

// beside runs some peers, and compares with each what the servers take meanwhile; beside top also with top and ss together.
func (b *bench) beside(group []*peer, sources []string, servers []*served) error {
	var running []*peer
	for _, p := range group {
		if err := p.start(b); err != nil {
			b.table.skip("one page watching, beside "+p.name, "skipped: "+err.Error())
			continue
		}
		defer p.end()
		running = append(running, p)
	}
	if len(running) == 0 {
		return nil
	}
	withSS := running[0].args[0] == "top"
	b.pause(peerWarmUp)
	ours, theirs := make([][]float64, len(servers)), make([][]float64, len(running))
	var both []float64 // top and ss
	for range b.rounds {
		var from, to []float64
		for _, s := range servers {
			from = append(from, s.cpu())
		}
		for _, p := range running {
			from = append(from, treeCPU(p.tree))
		}
		began, ss := time.Now(), 0.0
		for time.Since(began) < watchedWindow && b.ctx.Err() == nil {
			next := time.Now().Add(time.Second)
			if withSS {
				_, cpu, err := ran(exec.CommandContext(b.ctx, "ss", "-tunap"))
				if err != nil {
					return fmt.Errorf("ss: %w", err)
				}
				ss += cpu
			}
			for _, p := range running {
				p.ask()
			}
			b.pause(time.Until(next))
		}
		for _, s := range servers {
			to = append(to, s.cpu())
		}
		for _, p := range running {
			to = append(to, treeCPU(p.tree))
		}
		seconds := time.Since(began).Seconds()
		for i := range servers {
			ours[i] = append(ours[i], (to[i]-from[i])/seconds)
		}
		for i := range running {
			at := len(servers) + i
			theirs[i] = append(theirs[i], (to[at]-from[at])/seconds)
		}
		both = append(both, theirs[0][len(both)]+ss/seconds)
	}
	for i, s := range servers {
		if s == nil {
			continue
		}
		work := "one page watching all at 1 s, 2,000 processes, 4,000 sockets, by " + sources[i]
		for j, p := range running {
			b.table.compare(work, ours[i], theirs[j], milliseconds, p.name, p.target[i])
		}
		if withSS {
			b.table.compare(work, ours[i], both, milliseconds, "top and `ss -tunap` each second", [2]float64{0.1, 0}[i])
		}
	}
	return nil
}

// calm waits until the connections of what ran before are gone: the kernel keeps each for a minute (TIME_WAIT), and it counts as a
// socket.
func (b *bench) calm() error {
	for deadline := time.Now().Add(90 * time.Second); b.ctx.Err() == nil && time.Now().Before(deadline); b.pause(time.Second) {
		text, err := os.ReadFile("/proc/net/sockstat")
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(string(text), " tw ")
		words := strings.Fields(rest)
		if len(words) == 0 {
			return errors.New("/proc/net/sockstat does not tell how many connections are in TIME_WAIT")
		}
		if n, err := strconv.Atoi(words[0]); err != nil || n < 100 {
			return err
		}
	}
	return b.ctx.Err()
}

// idle measures the server while nobody watches, beside a C program that reads the same files and looks at nothing.
func (b *bench) idle() error {
	s, err := b.serveSigned()
	if err != nil {
		return err
	}
	defer s.end()
	floor := b.command(b.tool("idle"))
	in, err := floor.StdinPipe()
	if err != nil {
		return err
	}
	if err := floor.Start(); err != nil {
		return err
	}
	defer func() {
		in.Close()
		_ = floor.Wait()
	}()
	p, err := s.open("summary", "processes", "sockets")
	if err != nil {
		return err
	}
	b.pause(3 * time.Second)
	p.close()
	b.pause(2 * time.Second)
	var ours, theirs, share []float64
	for range b.rounds {
		from, fromFloor, began := processCPU(s.pid()), processCPU(floor.Process.Pid), time.Now()
		b.pause(idleWindow)
		seconds := time.Since(began).Seconds()
		ours = append(ours, (processCPU(s.pid())-from)/seconds)
		theirs = append(theirs, (processCPU(floor.Process.Pid)-fromFloor)/seconds)
		share = append(share, ours[len(ours)-1]/1e9*100)
	}
	b.table.absolute("nobody watching, share of one core", share, percent, 0.1)
	b.table.compare("nobody watching, a second", ours, theirs, milliseconds, "open, read, close of the same files in C", 0)
	return nil
}
