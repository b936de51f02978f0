package collector

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func TestFileSystemsThatHoldData(t *testing.T) {
	f := newStage(t)
	infos, err := f.fs().GetMounts()
	if err != nil {
		t.Fatal(err)
	}
	mounts, left := choose(infos)
	want := []mount{
		{"/dev/sda1", "/", "ext4"},
		{"above", "/data", "tmpfs"},
		{"server:/export", "/mnt/a share", "nfs4"},
		{"tmpfs", "/run", "tmpfs"},
		{"/dev/sda2", "/srv/x", "xfs"},
	}
	if fmt.Sprint(mounts) != fmt.Sprint(want) || left != 0 {
		t.Errorf("mounts are %v and %d more, want %v", mounts, left, want)
	}
}

func TestFileSystemsAreBounded(t *testing.T) {
	f := newStage(t)
	var lines strings.Builder
	for i := range maxFileSystems + 5 {
		fmt.Fprintf(&lines, "%d 1 9:%d / /mnt/%d rw - ext4 /dev/x%d rw\n", i, i, i, i)
	}
	f.write("proc/self/mountinfo", lines.String())
	infos, err := f.fs().GetMounts()
	if err != nil {
		t.Fatal(err)
	}
	if mounts, left := choose(infos); len(mounts) != maxFileSystems || left != 5 {
		t.Errorf("%d mounts and %d more", len(mounts), left)
	}
}

// A server that does not answer must hold up neither the reading nor the other file systems, and must not be asked again
// meanwhile.
func TestFileSystemThatDoesNotAnswer(t *testing.T) {
	f := newStage(t)
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan error)
		asked := 0
		files := newFileSystems(f.fs())
		files.statfs = func(path string, s *unix.Statfs_t) error {
			*s = unix.Statfs_t{Blocks: 100, Bfree: 50, Bavail: 40, Frsize: 1024, Bsize: 4096}
			switch path {
			case "/mnt/a share":
				asked++
				return <-answer
			case "/run":
				return errors.New("not allowed")
			case "/data":
				s.Blocks = 0
			}
			return nil
		}
		read := func(wait time.Duration) (points string, err error) {
			time.Sleep(wait)
			synctest.Wait()
			list, err := files.read(time.Now())
			for _, s := range list {
				points += s.MountPoint + " "
				check(t, s.MountPoint, s, FileSystem{
					Device: s.Device, MountPoint: s.MountPoint, Type: s.Type, Total: 102400, Free: 51200, Available: 40960,
				})
			}
			return points, err
		}
		if _, err := read(0); err != nil {
			t.Errorf("at once: %v", err)
		}
		if points, err := read(time.Second); points != "/ /srv/x " || err != nil {
			t.Errorf("after a second: %q, %v", points, err)
		}
		for range 5 {
			points, err := read(4 * time.Second)
			if points != "/ /srv/x " || err == nil || !strings.Contains(err.Error(), "does not answer: /mnt/a share") {
				t.Errorf("later: %q, %v", points, err)
			}
		}
		if asked != 1 {
			t.Errorf("the silent server was asked %d times", asked)
		}
		answer <- nil
		if points, err := read(0); points != "/ /mnt/a share /srv/x " || err != nil {
			t.Errorf("after its answer: %q, %v", points, err)
		}
		f.replace("proc/self/mountinfo", "26 20 0:40 / /mnt/a\\040share rw - nfs4 server:/export rw,addr=192.0.2.1\n", "")
		if points, err := read(5 * time.Second); points != "/ /srv/x " || err != nil {
			t.Errorf("after it was unmounted: %q, %v", points, err)
		}
		synctest.Wait()
	})
}

func FuzzUnescape(f *testing.F) {
	f.Add(`/mnt/a\040b\134`)
	f.Add(`\04`)
	f.Fuzz(func(t *testing.T, s string) {
		if got := unescape(s); len(got) > len(s) {
			t.Fatalf("unescape(%q) = %q", s, got)
		}
	})
}
