package control

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestAFullDiskRefusesTheAct(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("needs the right to mount a small tmpfs:", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	db := openDB(t, filepath.Join(dir, "db"), false)
	l := must[*Log](t)(OpenLog(db, LogConfig{}))
	running := must[Operation](t)(l.Begin(Entry{LogType: "service.stop"}))
	before := must[Operation](t)(l.Record(Entry{LogType: "user.add"}))

	filler := filepath.Join(dir, "filler")
	f := must[*os.File](t)(os.Create(filler))
	for chunk := make([]byte, 4096); ; {
		if _, err := f.Write(chunk); err != nil {
			break
		}
	}
	f.Close()
	acknowledged := 0
	var err error
	for range 500 { // pages that are free inside of the file are used first
		if _, err = l.Begin(Entry{LogType: "service.stop", Detail: string(make([]byte, 4096))}); err != nil {
			break
		}
		acknowledged++
	}
	if err == nil {
		t.Fatal("500 records fit on a full disk")
	}
	if _, err := l.Finish(running.ID, Outcome{RetStatus: Succeeded, Detail: string(make([]byte, 16<<10))}); err == nil {
		t.Error("an outcome fits on a full disk")
	}
	if op := must[Operation](t)(l.Get(before.ID)); op.LogType != "user.add" {
		t.Errorf("read on a full disk: %+v", op)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if err := l.saveUnsaved(); err != nil {
		t.Fatal(err)
	}
	if op := must[Operation](t)(l.Get(running.ID)); op.RetStatus != Succeeded {
		t.Errorf("the outcome was lost: %+v", op)
	}
	must[Operation](t)(l.Begin(Entry{LogType: "service.stop"}))
	if page := must[Page](t)(l.List(t.Context(), Filter{})); page.Total != 3+acknowledged {
		t.Errorf("%d operations, want the %d that were acknowledged", page.Total, 3+acknowledged)
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
