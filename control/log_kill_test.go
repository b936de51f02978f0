package control

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const killedEnv = "TOPDECK_TEST_KILLED_LOG"

// TestKilledWriter is not a test of its own: it is what TestNothingIsLostByAKill starts and kills.
func TestKilledWriter(t *testing.T) {
	path := os.Getenv(killedEnv)
	if path == "" {
		t.Skip("runs only as a part of TestNothingIsLostByAKill")
	}
	l := must[*Log](t)(OpenLog(openDB(t, path, false), LogConfig{}))
	for {
		op := must[Operation](t)(l.Begin(Entry{LogType: "service.stop"}))
		fmt.Println("begun", op.ID)
		op = must[Operation](t)(l.Finish(op.ID, Outcome{RetStatus: Succeeded}))
		fmt.Println("ended", op.ID)
	}
}

func TestNothingIsLostByAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	want := map[string]RetStatus{}
	for round := range 5 {
		child := exec.Command(os.Args[0], "-test.run=^TestKilledWriter$")
		child.Env = append(os.Environ(), killedEnv+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		killed := false
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			if n == 11+4*round { // in the middle of something
				killed = true
				child.Process.Kill()
			}
			did, id, _ := strings.Cut(lines.Text(), " ")
			switch did {
			case "begun":
				want[id] = Interrupted
			case "ended":
				want[id] = Succeeded
			}
		}
		child.Wait()
		if !killed {
			t.Fatalf("round %d: it ended by itself", round)
		}
	}
	l := must[*Log](t)(OpenLog(openDB(t, path, false), LogConfig{}))
	defer l.Close()
	for id, status := range want {
		op, err := l.Get(id)
		switch {
		case errors.Is(err, ErrNotFound):
			t.Errorf("operation %s was acknowledged, and is lost", id)
		case err != nil:
			t.Error(err)
		case op.RetStatus == Running, status == Succeeded && op.RetStatus != Succeeded:
			t.Errorf("operation %s is %s, want %s", id, op.RetStatus, status)
		}
	}
	if page := must[Page](t)(l.List(Filter{})); page.Total < len(want) || page.Total > len(want)+5 {
		t.Errorf("%d operations, want %d and at most one more for each kill", page.Total, len(want))
	}
	if _, err := l.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}
