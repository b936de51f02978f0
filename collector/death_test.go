package collector

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func fork(parent, pid int, start uint64) event {
	return event{what: eventFork, parent: parent, pid: pid, tgid: pid, at: start * nanosecondsPerTick}
}

func thread(pid, tid int) event { return event{what: eventFork, parent: pid, pid: tid, tgid: pid} }

func executed(pid int) event { return event{what: eventExec, pid: pid, tgid: pid} }

func died(pid, tid int, status uint32, at uint64) event {
	return event{what: eventExit, pid: tid, tgid: pid, status: status, at: at * nanosecondsPerTick}
}

// story is a host in memory, told of by events and seen by scans.
type story struct {
	t      *testing.T
	source *fakeSource
	table  *table
	scan   func() []*process
	lives  lives
	later  func() // what happens only after the next scan
}

func newStory(t *testing.T) *story {
	s := &story{t: t, source: newFakeSource(), lives: newLives()}
	s.table, s.scan = newFakeTable(t, s.source)
	s.live(1, 1, "init")
	s.read()
	return s
}

// live puts a process among those that a scan finds.
func (s *story) live(pid int, start uint64, comm string) {
	s.source.counted[pid] = counts{pid: pid, ppid: 1, start: start, comm: comm, state: "S", threads: 1}
	s.source.told[pid] = details{cmdline: comm + " --x", argv0: comm}
}

// zombie has a process ended, and some threads still running, or its parent not asking.
func (s *story) zombie(pid, threads int) {
	c := s.source.counted[pid]
	c.state, c.threads = "Z", threads
	s.source.counted[pid] = c
}

func (s *story) gone(pid int) { delete(s.source.counted, pid) }

// tell applies events; look is whether there is time to look at the processes.
func (s *story) tell(look bool, events ...event) {
	for i := range events {
		p := s.lives.apply(&events[i])
		if c, err := s.source.counts(events[i].tgid); p != nil && look && err == nil {
			d := s.source.told[events[i].tgid]
			p.see(&c, &d)
		}
	}
}

// read takes a reading as the collector does, and tells who has ended.
func (s *story) read() string {
	ended := s.lives.takeEnded()
	current := s.lives.takeCurrent()
	s.table.prepare(current)
	vanished := s.scan()
	if s.later != nil {
		s.later()
		s.later = nil
	}
	late := s.lives.takeEnded()
	var list []string
	for _, e := range s.table.bury(vanished, current, ended, late) {
		how := "?"
		if e.ExitCode != nil {
			how = fmt.Sprint(*e.ExitCode)
		}
		if e.Signal != nil {
			how = fmt.Sprint("signal ", *e.Signal)
		}
		listed := ""
		if e.Listed {
			listed = " listed"
		}
		list = append(list, fmt.Sprintf("%d:%d %s=%s%s", e.Process.PID, e.Process.StartTime, e.Process.Comm, how, listed))
	}
	s.table.list(true)
	s.lives.headless = s.table.headless()
	return strings.Join(list, ", ")
}

func TestWhoHasEnded(t *testing.T) {
	for name, c := range map[string]struct {
		before func(s *story) // then comes a reading
		after  func(s *story)
		want   string
	}{
		"nothing happened": {func(s *story) {}, func(s *story) {}, ""},
		"listed, with its exit code": {
			func(s *story) { s.live(10, 100, "sh") },
			func(s *story) { s.gone(10); s.tell(true, died(10, 10, 3<<8, 200)) },
			"10:100 sh=3 listed",
		},
		"listed, killed with a core dump": {
			func(s *story) { s.live(10, 100, "sh") },
			func(s *story) { s.gone(10); s.tell(true, died(10, 10, 11|0x80, 200)) },
			"10:100 sh=signal 11 listed",
		},
		"listed, nothing told": {
			func(s *story) { s.live(10, 100, "sh") },
			func(s *story) { s.gone(10) },
			"10:100 sh=? listed",
		},
		"listed, told after the scan": {
			func(s *story) { s.live(10, 100, "sh") },
			func(s *story) { s.gone(10); s.later = func() { s.tell(true, died(10, 10, 0, 200)) } },
			"10:100 sh=0 listed",
		},
		"listed, and ran another program meanwhile": {
			func(s *story) { s.live(10, 100, "sh") },
			func(s *story) {
				s.live(10, 100, "env")
				s.tell(true, executed(10))
				s.gone(10)
				s.tell(true, died(10, 10, 0, 200))
			},
			"10:100 env=0 listed",
		},
		"between two readings, looked at": {
			func(s *story) {},
			func(s *story) {
				s.live(10, 100, "sleep")
				s.tell(true, fork(1, 10, 100), executed(10))
				s.gone(10)
				s.tell(true, died(10, 10, 0, 200))
			},
			"10:100 sleep=0",
		},
		"between two readings, too short to be looked at": {
			func(s *story) {},
			func(s *story) { s.tell(true, fork(1, 10, 100), executed(10), died(10, 10, 1<<8, 100)) },
			"10:100 =1",
		},
		"between two readings, still its parent's copy": {
			func(s *story) {},
			func(s *story) { s.tell(true, fork(1, 10, 100), died(10, 10, 1<<8, 100)) },
			"10:100 init=1",
		},
		"between two readings, end not told": {
			func(s *story) {},
			func(s *story) { s.tell(true, fork(1, 10, 100)) },
			"10:100 init=?",
		},
		"between two readings, end told after the scan": {
			func(s *story) {},
			func(s *story) {
				s.live(10, 100, "sleep")
				s.tell(true, fork(1, 10, 100), executed(10))
				s.gone(10)
				s.later = func() { s.tell(true, died(10, 10, 5<<8, 200)) }
			},
			"10:100 sleep=5",
		},
		"born and alive": {
			func(s *story) {},
			func(s *story) { s.live(10, 100, "sleep"); s.tell(true, fork(1, 10, 100), executed(10)) },
			"",
		},
		"born after the scan": {
			func(s *story) {},
			func(s *story) { s.later = func() { s.live(10, 100, "sleep"); s.tell(true, fork(1, 10, 100)) } },
			"",
		},
		"born and ended after the scan": {
			func(s *story) { s.later = func() { s.tell(true, fork(1, 10, 100), died(10, 10, 2<<8, 101)) } },
			func(s *story) {},
			"10:100 init=2",
		},
		"born and ended after the scan, and not reaped": {
			func(s *story) {
				s.later = func() {
					s.live(10, 100, "sh")
					s.zombie(10, 1)
					s.tell(true, fork(1, 10, 100), died(10, 10, 2<<8, 101))
				}
				s.read()
			},
			func(s *story) { s.gone(10) },
			"10:100 sh=2 listed",
		},
		"threads come and go": {
			func(s *story) { s.live(10, 100, "java") },
			func(s *story) { s.tell(true, thread(10, 11), died(10, 11, 0, 150)) },
			"",
		},
		"all threads end together": {
			func(s *story) { s.live(10, 100, "java") },
			func(s *story) {
				s.gone(10)
				s.tell(true, died(10, 11, 7<<8, 150), died(10, 10, 7<<8, 150), died(10, 12, 7<<8, 151))
			},
			"10:100 java=7 listed",
		},
		"zombie": {
			func(s *story) { s.live(10, 100, "sh") },
			func(s *story) { s.zombie(10, 1); s.tell(true, died(10, 10, 0, 200)) },
			"",
		},
		"zombie, reaped": {
			func(s *story) {
				s.live(10, 100, "sh")
				s.read()
				s.zombie(10, 1)
				s.tell(true, died(10, 10, 4<<8, 200))
			},
			func(s *story) { s.gone(10) },
			"10:100 sh=4 listed",
		},
		"zombie at once, reaped": {
			func(s *story) {
				s.tell(true, fork(1, 10, 100), died(10, 10, 4<<8, 100))
				s.live(10, 100, "sh")
				s.zombie(10, 1)
			},
			func(s *story) { s.gone(10) },
			"10:100 sh=4 listed",
		},
		"first thread ended long before the others": {
			func(s *story) {
				s.live(10, 100, "java")
				s.read()
				s.zombie(10, 3)
				s.tell(true, died(10, 10, 0, 150))
				s.read()
			},
			func(s *story) {
				s.gone(10)
				s.tell(true, died(10, 11, 9, 200), died(10, 12, 9, 201))
			},
			"10:100 java=signal 9 listed",
		},
		"first thread ended shortly before the others": {
			func(s *story) { s.live(10, 100, "java") },
			func(s *story) {
				s.gone(10)
				s.tell(true, died(10, 10, 0, 150), died(10, 11, 6<<8, 200))
			},
			"10:100 java=6 listed",
		},
		"another thread than the first executes a program": {
			func(s *story) { s.live(10, 100, "sh") },
			func(s *story) {
				s.live(10, 100, "env")
				s.tell(true, died(10, 10, 0, 150), executed(10))
			},
			"",
		},
		"another thread than the first executes a program, between two readings": {
			func(s *story) {},
			func(s *story) {
				s.tell(true, fork(1, 10, 100), died(10, 10, 0, 100), executed(10), died(10, 10, 3<<8, 101))
			},
			"10:100 =3",
		},
		"another thread than the first executes a program, told in two parts": {
			func(s *story) {
				s.live(10, 100, "sh")
				s.read()
				s.tell(true, died(10, 10, 0, 150))
			},
			func(s *story) {
				s.live(10, 100, "env")
				s.tell(true, executed(10))
				s.read()
				s.gone(10)
			},
			"10:100 env=? listed",
		},
		"the PID is used again": {
			func(s *story) { s.live(10, 100, "old") },
			func(s *story) {
				s.live(10, 300, "new")
				s.tell(true, died(10, 10, 1<<8, 200), fork(1, 10, 300))
			},
			"10:100 old=1 listed",
		},
		"the PID is used again and again": {
			func(s *story) { s.live(10, 100, "old") },
			func(s *story) {
				s.tell(true, died(10, 10, 1<<8, 200), fork(1, 10, 300), died(10, 10, 2<<8, 310), fork(1, 10, 320))
				s.live(10, 320, "new")
			},
			"10:100 old=1 listed, 10:300 init=2",
		},
		"in the order of their ends, the unknown last": {
			func(s *story) { s.live(10, 100, "a"); s.live(11, 101, "b"); s.live(12, 102, "c") },
			func(s *story) {
				s.gone(10)
				s.gone(11)
				s.gone(12)
				s.tell(true, died(12, 12, 0, 200), fork(1, 13, 201), died(13, 13, 0, 202), died(10, 10, 0, 203))
			},
			"12:102 c=0 listed, 13:201 init=0, 10:100 a=0 listed, 11:101 b=? listed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStory(t)
			c.before(s)
			if early := s.read(); early != "" {
				t.Errorf("before: ended are %s", early)
			}
			c.after(s)
			if got := s.read(); got != c.want {
				t.Errorf("ended are %q, want %q", got, c.want)
			}
			if again := s.read(); again != "" {
				t.Errorf("told again: %s", again)
			}
		})
	}
}

func TestUnlistedProcessHasWhatCouldBeRead(t *testing.T) {
	s := newStory(t)
	s.live(10, 100, "sleep")
	s.source.told[10] = details{uid: 7, cmdline: "sleep 0.05", argv0: "sleep", unit: "x.service"}
	s.tell(true, fork(1, 10, 100), executed(10))
	s.gone(10)
	s.tell(true, died(10, 10, 0, 105))
	ended := s.table.bury(nil, s.lives.takeCurrent(), s.lives.takeEnded(), nil)
	if len(ended) != 1 {
		t.Fatalf("%d ended", len(ended))
	}
	check(t, "row", ended[0].Process, Process{
		PID: 10, StartTime: 100, StartedAt: time.Unix(1700000001, 0).UTC(), PPID: 1, User: "7", State: "S", Comm: "sleep",
		Cmdline: "sleep 0.05", Argv0: "sleep", Threads: 1, Unit: "x.service",
	})
	check(t, "lived", ended[0].Lived, 50*time.Millisecond)
}

func TestHowLongAnEndedProcessLived(t *testing.T) {
	s := newStory(t)
	s.live(10, 100, "told")
	s.live(11, 100, "untold")
	s.read()
	s.gone(10)
	s.gone(11)
	s.tell(false, died(10, 10, 0, 123))
	s.table.uptime = func() time.Duration { return 3 * time.Second }
	for _, e := range s.table.bury(s.scan(), s.lives.takeCurrent(), s.lives.takeEnded(), nil) {
		want := map[string]time.Duration{"told": 230 * time.Millisecond, "untold": 2 * time.Second}[e.Process.Comm]
		check(t, e.Process.Comm, e.Lived, want)
	}
}

// A storm of forks must cost neither memory nor much time, and must not push out the ends of processes that are listed.
func TestForkStormIsBounded(t *testing.T) {
	s := newStory(t)
	s.live(10, 100, "sh")
	s.read()
	for i := range 3 * maxLives {
		pid := 1000 + i%20000
		s.tell(false, fork(1, pid, 200), executed(pid), died(pid, pid, 0, 201))
	}
	s.gone(10)
	s.tell(false, died(10, 10, 3<<8, 300))
	if n := len(s.lives.ended); n != maxUnlisted+1 {
		t.Errorf("%d ends are kept, want %d", n, maxUnlisted+1)
	}
	if want := 3*maxLives - maxUnlisted; s.lives.dropped != want {
		t.Errorf("%d are counted as left out, want %d", s.lives.dropped, want)
	}
	if got := s.read(); !strings.HasSuffix(got, "10:100 sh=3 listed") {
		t.Errorf("the end of the listed process is missing: …%s", got[max(0, len(got)-50):])
	}

	for pid := range 2 * maxLives {
		s.tell(false, fork(1, 1000+pid, 200))
	}
	if n := len(s.lives.current); n != maxLives {
		t.Errorf("%d births are kept, want %d", n, maxLives)
	}
	l := newLives()
	now := time.Now()
	looked := 0
	for i := range 3 * maxLooks {
		if l.mayLook(&life{executed: i >= maxLooks}, now) {
			looked++
		}
	}
	if looked != maxLooks || l.looks != maxLooks || l.unseen != 2*maxLooks-maxLooks/2 {
		t.Errorf("%d processes are looked at, %d are not", looked, l.unseen)
	}
	if !l.mayLook(&life{}, now.Add(time.Second)) {
		t.Error("the next second has no looks")
	}
}

func TestTakenLivesAreNotWrittenTo(t *testing.T) {
	l := newLives()
	e := fork(1, 10, 100)
	p := l.apply(&e)
	current := l.takeCurrent()
	if !p.taken || current[10] != p || len(l.current) != 0 {
		t.Error("a life that was handed over is not marked so")
	}
	e = died(10, 10, 0, 200)
	l.apply(&e)
	if ended := l.takeEnded(); p.ended != nil || len(ended) != 1 || !ended[0].taken || slices.Contains(ended, p) {
		t.Error("the end was noted in a life that was handed over")
	}
}
