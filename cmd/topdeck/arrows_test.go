package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestImportArrows keeps who may import whom (README, "Structure"): producers know nothing of ours, server wraps them,
// cmd wires. It looks at what is built, not at tests.
func TestImportArrows(t *testing.T) {
	may := map[string][]string{
		"topdeck/collector":      {},
		"topdeck/control":        {},
		"topdeck/control/sdhost": {}, // boots a systemd for tests
		"topdeck/frontend":       {},
		"topdeck/server":         {"topdeck/collector", "topdeck/control"},
		"topdeck/cmd/bench":      {"topdeck/collector", "topdeck/control", "topdeck/frontend", "topdeck/server"},
		"topdeck/cmd/topdeck":    {"topdeck/collector", "topdeck/control", "topdeck/frontend", "topdeck/server"},
	}
	for pkg, imports := range list(t, "{{.ImportPath}} {{join .Imports \" \"}}") {
		allowed, ok := may[pkg]
		if !ok {
			t.Errorf("package %s has no place in the table of arrows", pkg)
		}
		for _, i := range imports {
			if strings.HasPrefix(i, "topdeck/") && !slices.Contains(allowed, i) {
				t.Errorf("%s imports %s: that arrow is not in the design", pkg, i)
			}
		}
	}
}

// TestEveryPackageIsDocumented wants a doc.go, or for a command its main.go, that tells what the package is.
func TestEveryPackageIsDocumented(t *testing.T) {
	for pkg, doc := range list(t, "{{.ImportPath}} {{.Doc}}") {
		if len(doc) == 0 {
			t.Errorf("package %s has no package comment", pkg)
		}
	}
}

// list runs go list over the module and returns, for the first word of each line, the other words.
func list(t *testing.T, format string) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", format, "topdeck/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	packages := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		packages[words[0]] = words[1:]
	}
	return packages
}
