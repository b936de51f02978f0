package collector

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A process can change its title, its user and its control group, and no counter shows it. So the table looks anew at some
// processes in each scan. To read, clean and store the texts takes 70 µs; a look reads them, 25 µs, and tells them apart by a
// hash, the sign, so that nothing is made anew of what is known already: with a look each 64 scans that is less than 0.5 µs a
// process and scan.

// look asks for the details of a process, unless they are those that the sign stands for.
type look struct {
	pid  int
	sign uint64 // 0: none is known
}

// details of a process, with clean texts.
type details struct {
	uid      uint32 // effective
	comm     string // its whole name where it has no command line (the counters tell only the start of a kernel thread's); else empty
	cmdline  string
	argv0    string
	silent   bool // it does not show its command line at this time
	unit     string
	slice    string
	userUnit bool
}

// detailReader reads the details of processes from /proc. It is safe for concurrent use.
type detailReader struct {
	root       string
	init       groups // below which the control groups of units are
	unanswered unanswered
	seed       maphash.Seed // of signs
	readers    sync.Pool    // of *detailFiles
}

// detailFiles are what one goroutine reads with: the command line, or the name, must be there while the groups are read.
type detailFiles struct{ title, groups files }

// maxGroups bounds how much of a list of control groups is read, in bytes.
const maxGroups = 64 << 10

func newDetailReader(root string) *detailReader {
	r := &detailReader{root: root, seed: maphash.MakeSeed()}
	r.readers.New = func() any { return &detailFiles{newFiles(root, maxCmdline+1), newFiles(root, maxGroups)} }
	if file, err := readBounded(filepath.Join(root, "1/cgroup"), maxGroups); err == nil {
		r.init = parseGroups(string(file)).roots()
	}
	return r
}

// details reads those of one process.
func (r *detailReader) details(pid int) (d details, err error) {
	err = errGone
	r.review([]look{{pid: pid}}, func(_ int, _ uint64, read *details) { d, err = *read, nil })
	return d, err
}

// answer is what a look has found. What is as it was has no details.
type answer struct {
	sign    uint64
	details *details
}

// maxAsked is how many looks are answered by one goroutine: what they found is held until all are.
const maxAsked = 256

// review reads the details of these processes, and calls visit with those that are not as they were. Processes that have ended
// are left out.
//
// A command line is in the memory of its process, and one whose memory is locked (it waits for a disk or a server that does not
// answer, say) holds up whoever reads it, for as long as it lasts; so all is read by a goroutine beside. One that is held up ends
// with the process's wait, and another takes over; until then the process is not asked for its command line again.
func (r *detailReader) review(looks []look, visit func(i int, sign uint64, d *details)) {
	tell := func(i int, a answer) {
		if a.details != nil {
			visit(i, a.sign, a.details)
		}
	}
	for from := 0; from < len(looks); {
		asked := r.ask(looks[from:min(len(looks), from+maxAsked)])
		answers := asked.wait(&r.unanswered)
		for i, a := range answers {
			tell(from+i, a)
		}
		from += len(answers)
		if len(answers) < len(asked.looks) { // this one holds the goroutine up
			tell(from, r.withoutTitle(looks[from].pid))
			from++
		}
	}
}

// asked are looks that a goroutine goes through. To hand it one after the other would cost a third of a look each.
type asked struct {
	looks   []look
	answers []answer
	at      atomic.Int64  // the look that is being answered; heldUp when it takes too long
	done    chan struct{} // closed when all are answered
}

const heldUp = -1

// ask starts a goroutine that answers these looks. It ends with the last, and when it was held up, with the process's wait.
func (r *detailReader) ask(looks []look) *asked {
	looks = slices.Clone(looks) // the caller goes on with them when it has given up
	a := &asked{looks: looks, answers: make([]answer, len(looks)), done: make(chan struct{})}
	go func() {
		f := r.readers.Get().(*detailFiles)
		defer r.readers.Put(f)
		for i, l := range looks {
			if r.unanswered.holds(l.pid) {
				a.answers[i] = r.withoutTitle(l.pid)
			} else {
				a.answers[i] = r.read(f, l)
			}
			if !a.at.CompareAndSwap(int64(i), int64(i+1)) { // whoever asked has given up
				r.unanswered.end(l.pid)
				return
			}
		}
		close(a.done)
	}()
	return a
}

// wait gives the answers: all, or those before the one that has taken cmdlinePatience, or up to twice that.
func (a *asked) wait(u *unanswered) []answer {
	patience := time.NewTicker(cmdlinePatience)
	defer patience.Stop()
	for before := int64(0); ; {
		select {
		case <-a.done:
			return a.answers
		case <-patience.C:
		}
		at := a.at.Load()
		if at == before && at < int64(len(a.looks)) && u.begin(a.looks[at].pid, func() bool { return a.at.CompareAndSwap(at, heldUp) }) {
			return a.answers[:at]
		}
		before = at
	}
}

// read is one look.
func (r *detailReader) read(f *detailFiles, l look) (a answer) {
	uid, err := f.owner(l.pid)
	if err != nil {
		return answer{}
	}
	// What may not be read counts as empty.
	title, err := f.title.read(l.pid, "cmdline")
	if gone(err) == errGone {
		return answer{}
	}
	named := len(title) == 0
	if named {
		title, _ = f.title.read(l.pid, "comm")
	}
	groups, _ := f.groups.read(l.pid, "cgroup")

	var hash maphash.Hash
	hash.SetSeed(r.seed)
	_, _ = hash.Write(title)
	_ = hash.WriteByte(0)
	_, _ = hash.Write(groups)
	_, _ = hash.Write(binary.NativeEndian.AppendUint32(make([]byte, 0, 4), uid))
	if a.sign = hash.Sum64(); a.sign == l.sign {
		return a
	}
	a.details = r.told(uid, groups)
	if named {
		a.details.comm = clean(string(bytes.TrimSuffix(title, []byte("\n"))), maxName)
	} else {
		a.details.cmdline, a.details.argv0 = parseCmdline(title)
	}
	return a
}

// withoutTitle is a look at a process that does not show its command line. It has no sign, so that the next finds all new.
func (r *detailReader) withoutTitle(pid int) (a answer) {
	f := r.readers.Get().(*detailFiles)
	defer r.readers.Put(f)
	uid, err := f.owner(pid)
	if err != nil {
		return answer{}
	}
	groups, _ := f.groups.read(pid, "cgroup")
	a.details = r.told(uid, groups)
	a.details.silent = true
	return a
}

func (r *detailReader) told(uid uint32, file []byte) *details {
	d := &details{uid: uid}
	groups := parseGroups(string(file))
	d.unit, d.userUnit = groups.unit(r.init)
	d.slice = groups.slice(r.init)
	return d
}

// owner is the effective user: the folder belongs to that one, even where the process hides from others (proc_pid(5)).
func (f *detailFiles) owner(pid int) (uint32, error) {
	folder, err := f.title.open(pid, "")
	if err != nil {
		return 0, err
	}
	defer unix.Close(folder)
	var info unix.Stat_t
	err = unix.Fstat(folder, &info)
	return info.Uid, err
}

func readBounded(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, limit))
}

// gone turns the errors of a process that has ended into errGone.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, io.EOF) {
		return errGone
	}
	return err
}

// parseCmdline gives the text of a proc_pid_cmdline(5), and its first word. There is no more of it than is shown: arguments can
// be megabytes long, and anybody can make them so.
func parseCmdline(data []byte) (cmdline, argv0 string) {
	text := strings.TrimRight(string(data), "\x00")
	first, _, _ := strings.Cut(text, "\x00")
	return clean(strings.ReplaceAll(text, "\x00", " "), maxCmdline), clean(first, maxCmdline)
}
