package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestBuildIsReproducible builds the program twice, in folders of different names, as make does: to one hash.
func TestBuildIsReproducible(t *testing.T) {
	var sums [2][sha256.Size]byte
	for i, name := range []string{"one", "another"} {
		dir := filepath.Join(t.TempDir(), name)
		if out, err := exec.Command("cp", "-a", "--reflink=auto", "../../cmd", "../../server", "../../collector", "../../control", "../../go.mod", "../../go.sum", mkdir(t, dir)).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		if out, err := exec.Command("sh", "-ec", `mkdir "$1/frontend" && cp -a ../../frontend/*.go ../../frontend/dist "$1/frontend"`, "sh", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", "topdeck", "./cmd/topdeck")
		build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
		binary, err := os.ReadFile(filepath.Join(dir, "topdeck"))
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(binary)
	}
	if sums[0] != sums[1] {
		t.Fatalf("two builds, two hashes: %x and %x", sums[0], sums[1])
	}
	t.Logf("row 21: two builds in two folders, one hash: %x", sums[0])
}

func mkdir(t *testing.T, dir string) string {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestKnownAdvisories holds what is built in to the versions that mend what is known against it, as the README tells. govulncheck and npm
// audit know more, where their data can be reached.
func TestKnownAdvisories(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "<!-- advisories -->\n")
	table, _, ok := strings.Cut(table, "<!-- /advisories -->")
	rows := slices.Collect(strings.Lines(table))
	if !ok || len(rows) < 3 {
		t.Fatal("the README has no table of advisories")
	}
	id := regexp.MustCompile(`^(GO-20\d\d-\d{4}|GHSA(-[0-9a-z]{4}){3})$`)
	for _, row := range rows[2:] {
		cells := strings.Split(strings.Trim(row, "| \n"), " | ")
		if len(cells) != 4 {
			t.Errorf("%q has %d cells", row, len(cells))
			continue
		}
		module, mended := cells[0], cells[3]
		for one := range strings.SplitSeq(cells[1], ", ") {
			if !id.MatchString(one) {
				t.Errorf("%s: %q is no advisory", module, one)
			}
		}
		if has := pinned(t, module); !atLeast(t, has, mended) {
			t.Errorf("%s is %s, want at least %s (%s)", module, has, mended, cells[1])
		}
	}
}

// pinned is the version of a Go module or a package of the app, or that of Go itself.
func pinned(t *testing.T, module string) string {
	t.Helper()
	if module != "Go" && !strings.Contains(module, "/") {
		text, err := os.ReadFile("../../frontend/package-lock.json")
		if err != nil {
			t.Fatal(err)
		}
		var lock struct {
			Packages map[string]struct{ Version string }
		}
		if err := json.Unmarshal(text, &lock); err != nil {
			t.Fatal(err)
		}
		return lock.Packages["node_modules/"+module].Version
	}
	args := []string{"list", "-m", "-f", "{{.Version}}", module}
	if module == "Go" {
		args = []string{"env", "GOVERSION"}
	}
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimLeft(strings.TrimSpace(string(out)), "gov")
}

func atLeast(t *testing.T, has, want string) bool {
	t.Helper()
	var numbers [2][3]int
	for i, text := range []string{has, want} {
		if _, err := fmt.Sscanf(text+".0", "%d.%d.%d", &numbers[i][0], &numbers[i][1], &numbers[i][2]); err != nil {
			t.Errorf("%q is no version: %v", text, err)
		}
	}
	return slices.Compare(numbers[0][:], numbers[1][:]) >= 0
}
