package collector

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestParsePasswd(t *testing.T) {
	names := parsePasswd([]byte(`# comment:x:5:
root:x:0:0:root:/root:/bin/bash
toor:x:0:0:second name of the same user:/root:/bin/sh
www-data:x:33:33::/var/www:/usr/sbin/nologin
+nis:x:7:7:::
broken
no-number:x:abc:1:::
negative:x:-1:1:::
too-large:x:4294967296:1:::
last:x:4294967294:1:::
:x:9:9:::
bad` + "\x1b[2J" + `:x:10:10:::
no newline at the end:x:11:11`))
	want := map[uint32]string{
		0: "root", 33: "www-data", 4294967294: "last", 10: `bad\x1b[2J`, 11: "no newline at the end",
	}
	for uid, name := range want {
		if names[uid] != name {
			t.Errorf("user %d is %q, want %q", uid, names[uid], name)
		}
	}
	if len(names) != len(want) {
		t.Errorf("%d users, want %d: %v", len(names), len(want), names)
	}
}

func TestUsersAreReadAgainWhenTheFileChanges(t *testing.T) {
	etc := t.TempDir()
	file := filepath.Join(etc, "passwd")
	write := func(text string, modified time.Time) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, modified, modified); err != nil {
			t.Fatal(err)
		}
	}
	u := newUsers(etc)
	if !u.refresh() || u.name(1000) != "1000" {
		t.Errorf("without a file user 1000 is %q, want the number", u.name(1000))
	}
	write("ann:x:1000:1000:::\n", time.Unix(1000, 0))
	if !u.refresh() || u.name(1000) != "ann" {
		t.Errorf("user 1000 is %q, want ann", u.name(1000))
	}
	if u.refresh() {
		t.Error("an unchanged file is read again")
	}
	write("bob:x:1000:1000:::\n", time.Unix(2000, 0))
	if !u.refresh() || u.name(1000) != "bob" {
		t.Errorf("user 1000 is %q, want bob", u.name(1000))
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if !u.refresh() || u.name(1000) != "1000" {
		t.Errorf("after the file went away user 1000 is %q, want the number", u.name(1000))
	}
	if u.refresh() {
		t.Error("a missing file is a change each time")
	}
}

func FuzzParsePasswd(f *testing.F) {
	f.Add([]byte("root:x:0:0:root:/root:/bin/bash\n"))
	f.Add([]byte("a:b:1\n::\n+::::\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for uid, name := range parsePasswd(data) {
			if name == "" || len(name) > maxName {
				t.Fatalf("user %d has the name %q", uid, name)
			}
		}
	})
}
