package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestDataDir(t *testing.T) {
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ flag, state, xdg, home, want string }{
		"the flag":                {"/a", "/b", "/c", "/d", "/a"},
		"a relative flag":         {"a", "/b", "/c", "/d", here + "/a"},
		"of the service manager":  {"", "/b", "/c", "/d", "/b"},
		"the first of several":    {"", "/b:/bb", "/c", "/d", "/b"},
		"of the user":             {"", "", "/c", "/d", "/c/topdeck"},
		"a relative one of XDG":   {"", "", "c", "/d", "/d/.local/state/topdeck"},
		"the home's":              {"", "", "", "/d", "/d/.local/state/topdeck"},
		"none":                    {"", "", "", "", "cannot choose a data folder: "},
		"of a service, no others": {"", "/b", "", "", "/b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("STATE_DIRECTORY", c.state)
			t.Setenv("XDG_STATE_HOME", c.xdg)
			t.Setenv("HOME", c.home)
			got, err := dataDir(c.flag)
			if err != nil {
				got = err.Error()
			}
			if got != c.want && (err == nil || !strings.HasPrefix(got, c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
