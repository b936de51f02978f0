package server

import (
	"strings"
	"testing"
)

func TestCheckPassword(t *testing.T) {
	cases := []struct {
		name, password string
		ok             bool
	}{
		{"11 characters", strings.Repeat("x", 11), false},
		{"12 characters", strings.Repeat("x", 12), true},
		{"256 characters", strings.Repeat("x", 256), true},
		{"257 characters", strings.Repeat("x", 257), false},
		{"12 characters of 4 bytes", strings.Repeat("🦊", 12), true},
		{"256 characters of 4 bytes", strings.Repeat("🦊", 256), true},
		{"11 characters of 4 bytes", strings.Repeat("🦊", 11), false},
		{"spaces", strings.Repeat(" ", 12), true},
		{"not UTF-8", strings.Repeat("\xff", 12), false},
		{"empty", "", false},
	}
	for _, c := range cases {
		if err := CheckPassword(c.password); (err == nil) != c.ok {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// TestRealHash makes one hash of the cost that is served with.
func TestRealHash(t *testing.T) {
	h := newHasher(fullCost)
	hash, err := h.hash(testPassword)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=65536,t=3,p=1$") {
		t.Errorf("got %s", hash)
	}
	if right, err := h.verify(standing{}, hash, testPassword); !right || err != nil {
		t.Errorf("the right password: %v %v", right, err)
	}
	if right, err := h.verify(standing{}, hash, testPassword+" "); right || err != nil {
		t.Errorf("a wrong password: %v %v", right, err)
	}
}

// TestKnownHash checks a hash that another implementation made (the test vector of the argon2 reference program:
// echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32).
func TestKnownHash(t *testing.T) {
	h := newHasher(testCost)
	const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if right, err := h.verify(standing{}, hash, "password"); !right || err != nil {
		t.Errorf("got %v %v", right, err)
	}
}

func TestHashesAreSalted(t *testing.T) {
	h := newHasher(testCost)
	one, err := h.hash(testPassword)
	if err != nil {
		t.Fatal(err)
	}
	two, err := h.hash(testPassword)
	if err != nil {
		t.Fatal(err)
	}
	if nobody, again := h.nobodysHash(), h.nobodysHash(); one == two || nobody == again {
		t.Error("two hashes are the same")
	}
	if right, err := h.verify(standing{}, h.nobodysHash(), testPassword); right || err != nil {
		t.Errorf("nobody's password: %v %v", right, err)
	}
}

func TestBrokenHashes(t *testing.T) {
	h := newHasher(testCost)
	good, err := h.hash(testPassword)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := readPHC(good); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"", "x", "$", testPassword, strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=18", 1),
		strings.Replace(good, "m=8", "m=4", 1), strings.Replace(good, "m=8", "m=99999999", 1), strings.Replace(good, "t=1", "t=0", 1),
		strings.Replace(good, "p=1", "p=0", 1), strings.Replace(good, "p=1", "p=999", 1), strings.Replace(good, "m=8", "m=-8", 1),
		good + "$", good[:40],
	} {
		if right, err := h.verify(standing{}, bad, testPassword); right || err == nil {
			t.Errorf("%q: got %v %v", bad, right, err)
		}
	}
}

func FuzzReadPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=8,t=1,p=1$$")
	f.Fuzz(func(t *testing.T, text string) {
		cost, salt, key, err := readPHC(text)
		if err == nil && phc(cost, salt, key) != text {
			t.Errorf("%q is read as %q", text, phc(cost, salt, key))
		}
	})
}
