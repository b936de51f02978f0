package collector

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

const (
	// fileSystemStep is how often file systems are asked for their figures, which change slowly.
	fileSystemStep = 5 * time.Second
	// fileSystemPatience is how long one may take to answer before that is told.
	fileSystemPatience = 2 * time.Second
	// maxFileSystems bounds the list; a container host has a mount a container.
	maxFileSystems = 256
)

// pseudo are types of file systems that hold no data of their own, or (images) cannot fill up.
var pseudo = []string{
	"autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "cramfs", "debugfs", "devfs", "devpts", "devtmpfs",
	"efivarfs", "fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal", "fuse.snapfuse", "fusectl", "hugetlbfs", "iso9660", "mqueue", "nsfs",
	"proc", "pstore", "ramfs", "rpc_pipefs", "securityfs", "selinuxfs", "smackfs", "squashfs", "sysfs", "tracefs",
}

// fileSystems tells the figures of the mounted file systems. A server that does not answer (NFS) holds statfs(2) for ever,
// so each question is put by a goroutine of its own, one at a time for a mount, and the answer is picked up at a later
// reading. A goroutine that is never answered cannot be ended and stays, as does the mount.
type fileSystems struct {
	fs      procfs.FS
	statfs  func(path string, s *unix.Statfs_t) error
	asked   time.Time
	mounts  []mount
	left    int // mounts beyond the bound
	err     error
	replies chan statfsReply
	flight  map[string]time.Time  // since when a mount point is being asked
	known   map[string]FileSystem // by mount point; the last answers
}

// mount is one line of mountinfo that may be told.
type mount struct {
	device, point, kind string // point is the true path; texts are cleaned when told
}

type statfsReply struct {
	mount mount
	stat  unix.Statfs_t
	err   error
}

func newFileSystems(fs procfs.FS) *fileSystems {
	return &fileSystems{
		fs: fs, statfs: unix.Statfs,
		replies: make(chan statfsReply, maxFileSystems),
		flight:  make(map[string]time.Time),
		known:   make(map[string]FileSystem),
	}
}

// read asks anew when it is time, and returns what is known by now, in the order of mount points; it never waits.
func (f *fileSystems) read(now time.Time) ([]FileSystem, error) {
	if f.asked.IsZero() || now.Sub(f.asked) >= fileSystemStep-early {
		f.ask(now)
	}
	for {
		select {
		case r := <-f.replies:
			f.settle(r)
			continue
		default:
		}
		break
	}
	list := make([]FileSystem, 0, len(f.mounts))
	var silent []string
	for _, m := range f.mounts {
		if since, asked := f.flight[m.point]; asked && now.Sub(since) > fileSystemPatience {
			silent = append(silent, clean(m.point, maxName))
		}
		if k, ok := f.known[m.point]; ok {
			list = append(list, k)
		}
	}
	switch {
	case f.err != nil:
		return list, fmt.Errorf("cannot read the mounts: %w", f.err)
	case len(silent) > 0:
		return list, fmt.Errorf("does not answer: %s", clean(strings.Join(silent, ", "), 1024))
	case f.left > 0:
		return list, fmt.Errorf("%d more are mounted; only the first %d are shown", f.left, maxFileSystems)
	}
	return list, nil
}

// ask reads the mounts, forgets those that are gone, and puts a question to each that has none open.
func (f *fileSystems) ask(now time.Time) {
	f.asked = now
	infos, err := f.fs.GetMounts()
	if f.err = err; err != nil {
		return
	}
	f.mounts, f.left = choose(infos)
	for point := range f.known {
		if !slices.ContainsFunc(f.mounts, func(m mount) bool { return m.point == point }) {
			delete(f.known, point)
		}
	}
	for _, m := range f.mounts {
		if _, asked := f.flight[m.point]; asked || len(f.flight) >= maxFileSystems {
			continue
		}
		f.flight[m.point] = now
		go func() {
			r := statfsReply{mount: m}
			r.err = f.statfs(m.point, &r.stat)
			f.replies <- r // has room for one of each mount in flight
		}()
	}
}

func (f *fileSystems) settle(r statfsReply) {
	delete(f.flight, r.mount.point)
	if r.err != nil || r.stat.Blocks == 0 || !slices.Contains(f.mounts, r.mount) {
		delete(f.known, r.mount.point)
		return
	}
	block := uint64(r.stat.Frsize)
	if block == 0 {
		block = uint64(r.stat.Bsize)
	}
	f.known[r.mount.point] = FileSystem{
		Device: clean(r.mount.device, maxName), MountPoint: clean(r.mount.point, maxCmdline), Type: clean(r.mount.kind, maxName),
		Total: r.stat.Blocks * block, Free: r.stat.Bfree * block, Available: r.stat.Bavail * block,
	}
}

// choose picks the mounts to tell, by mount point: none that hold no data, of several at one point the last, which hides
// the others, and of several of one device (bind mounts, subvolumes) the one with the shortest path.
func choose(infos []*procfs.MountInfo) (mounts []mount, left int) {
	top := make(map[string]*procfs.MountInfo, len(infos))
	for _, m := range infos {
		top[m.MountPoint] = m
	}
	shortest := make(map[string]*procfs.MountInfo)
	for _, m := range infos {
		// A tmpfs below /dev or /sys is scaffolding for what is mounted in it, or shared memory.
		if top[m.MountPoint] != m || slices.Contains(pseudo, m.FSType) ||
			strings.HasPrefix(m.MountPoint, "/dev/") || strings.HasPrefix(m.MountPoint, "/sys/") {
			continue
		}
		best := shortest[m.MajorMinorVer]
		if best == nil || len(m.MountPoint) < len(best.MountPoint) {
			shortest[m.MajorMinorVer] = m
		}
	}
	for _, m := range shortest {
		mounts = append(mounts, mount{unescape(m.Source), unescape(m.MountPoint), m.FSType})
	}
	slices.SortFunc(mounts, func(a, b mount) int { return strings.Compare(a.point, b.point) })
	if left = len(mounts) - maxFileSystems; left > 0 {
		return mounts[:maxFileSystems], left
	}
	return mounts, 0
}

// unescape undoes the \040 that mountinfo writes for a space, and its like.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && octal(s[i+1:i+4]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func octal(s string) bool {
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' && s[2] <= '7'
}
