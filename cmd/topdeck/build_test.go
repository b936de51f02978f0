package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
		t.Errorf("two builds, two hashes: %x and %x", sums[0], sums[1])
	}
	t.Logf("two builds, one hash: %x", sums[0])
}

func mkdir(t *testing.T, dir string) string {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestKnownAdvisories holds the modules to the versions that mend what is known against them (https://pkg.go.dev/vuln/). govulncheck
// knows more, where its data can be reached.
func TestKnownAdvisories(t *testing.T) {
	for module, mended := range map[string][3]int{
		"github.com/valyala/fasthttp": {1, 70, 0},  // GO-2026-4950
		"github.com/gofiber/fiber/v2": {2, 52, 15}, // what was mended in 2.52
		"golang.org/x/crypto":         {0, 45, 0},  // GO-2025-4134, GO-2025-4135
		"golang.org/x/net":            {0, 38, 0},  // GO-2025-3595
	} {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", module).Output()
		var has [3]int
		if _, scan := fmt.Sscanf(string(out), "v%d.%d.%d", &has[0], &has[1], &has[2]); err != nil || scan != nil || slices.Compare(has[:], mended[:]) < 0 {
			t.Errorf("%s is %s, want at least %v", module, out, mended)
		}
	}
}
