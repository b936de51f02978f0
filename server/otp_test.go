package server

import (
	"encoding/base32"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// rfcSecret is that of RFC 6238, appendix B, for HMAC-SHA-1.
var rfcSecret = base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))

// TestRFC6238 holds codes against appendix B. It has eight digits; six digits are the last ones of those (RFC 4226, 5.3).
func TestRFC6238(t *testing.T) {
	for seconds, want := range map[int64]string{
		59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924", 2000000000: "69279037", 20000000000: "65353130",
	} {
		at := time.Unix(seconds, 0)
		got, err := totp.GenerateCodeCustom(rfcSecret, at, totp.ValidateOpts{Period: 30, Digits: otp.DigitsEight, Algorithm: otp.AlgorithmSHA1})
		if err != nil || got != want {
			t.Errorf("at %d the library makes %s %v, want %s", seconds, got, err, want)
		}
		if step, ok := stepOf(rfcSecret, want[2:], at, 0); !ok || step != seconds/30 {
			t.Errorf("at %d the code %s is of step %d, %v", seconds, want[2:], step, ok)
		}
	}
}

func TestStepOf(t *testing.T) {
	const step = 41152263
	code := "005924" // of it
	for name, c := range map[string]struct {
		steps int64 // that our clock is ahead
		code  string
		after int64
		ok    bool
	}{
		"now":                       {0, code, 0, true},
		"the phone is a step ahead": {-1, code, 0, true},
		"the phone is a step late":  {1, code, 0, true},
		"two ahead":                 {-2, code, 0, false},
		"two late":                  {2, code, 0, false},
		"the last one was older":    {0, code, step - 1, true},
		"taken":                     {0, code, step, false},
		"taken, with a late clock":  {-1, code, step, false},
		"a newer one was taken":     {1, code, step + 1, false},
		"another code":              {0, "005925", 0, false},
		"too short":                 {0, "05924", 0, false},
		"nothing":                   {0, "", 0, false},
	} {
		for _, second := range []int64{0, 29} {
			got, ok := stepOf(rfcSecret, c.code, time.Unix((step+c.steps)*30+second, 0), c.after)
			if ok != c.ok || ok && got != step {
				t.Errorf("%s, at second %d: got %d %v", name, second, got, ok)
			}
		}
	}
}

func TestPlainCode(t *testing.T) {
	for typed, want := range map[string]struct {
		code   string
		isTime bool
	}{
		"123456":                {"123456", true},
		" 123 456 ":             {"123456", true},
		"12345":                 {"12345", false},
		"1234567":               {"1234567", false},
		"12345a":                {"12345a", false},
		"ABCD-efgh ijkl-MNOP":   {"abcdefghijklmnop", false},
		"２３４５６７":                {"２３４５６７", false},
		"- ":                    {"", false},
		"2345-6723-4567-234567": {"234567234567234567", false},
	} {
		if got := plainCode(typed); got != want.code || isTimeCode(got) != want.isTime {
			t.Errorf("%q: got %q, of an app: %v", typed, got, isTimeCode(got))
		}
	}
}

func TestNewKey(t *testing.T) {
	one, err := newKey("ann")
	if err != nil {
		t.Fatal(err)
	}
	other, err := newKey("ann")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base32.StdEncoding.DecodeString(one.Secret())
	if err != nil || len(raw) != 20 || one.Secret() == other.Secret() {
		t.Errorf("the secret %s has %d bytes, and the next is %s: %v", one.Secret(), len(raw), other.Secret(), err)
	}
	if !regexp.MustCompile(`^otpauth://totp/topdeck:ann@[^?/]+\?`).MatchString(one.URL()) || one.Issuer() != "topdeck" || one.Period() != 30 || one.Digits() != 6 {
		t.Errorf("got %s", one.URL())
	}
}

func TestRecoveryCodes(t *testing.T) {
	codes, hashes := newRecoveryCodes()
	if len(codes) != 10 || len(hashes) != 10 {
		t.Fatalf("got %d codes and %d hashes", len(codes), len(hashes))
	}
	for i, code := range codes {
		if !regexp.MustCompile(`^([a-z2-7]{4}-){3}[a-z2-7]{4}$`).MatchString(code) { // 16 of 32 letters: 80 bits
			t.Errorf("got %q", code)
		}
		if recoveryHash(plainCode(strings.ToUpper(code))) != hashes[i] || strings.Contains(hashes[i], plainCode(code)) {
			t.Errorf("%q has the hash %s", code, hashes[i])
		}
		if slices.Contains(codes[:i], code) {
			t.Errorf("%q is there twice", code)
		}
	}
}

// TestQRRows looks at what every QR code has: the three marks in its corners, and one module that is always dark, which tells a
// mirrored one (ISO/IEC 18004, 6.3.3 and 7.9.1).
func TestQRRows(t *testing.T) {
	rows, err := qrRows("otpauth://totp/topdeck:ann@host?algorithm=SHA1&digits=6&issuer=topdeck&period=30&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
	if err != nil {
		t.Fatal(err)
	}
	n := len(rows)
	if n < 21 || n%4 != 1 {
		t.Fatalf("%d rows", n)
	}
	mark := []string{"1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111"}
	for i, want := range mark {
		if len(rows[i]) != n || rows[i][:8] != want+"0" || rows[i][n-8:] != "0"+want || rows[n-7+i][:8] != want+"0" {
			t.Errorf("row %d: %s", i, rows[i])
		}
	}
	if rows[n-8][8] != '1' {
		t.Error("the dark module is light")
	}
}
