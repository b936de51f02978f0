package server

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image/color"
	"os"
	"strings"
	"time"

	"github.com/boombuler/barcode/qr"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

// Codes are as every authenticator app makes them (RFC 6238): HMAC-SHA-1, six digits, thirty seconds of the wall clock.
const (
	codeDigits = otp.DigitsSix
	stepTime   = 30 * time.Second
	codeSkew   = 1 // steps that a phone's clock may be off, either way
	secretSize = 20

	recoveryCodes  = 10
	recoveryLength = 16 // letters of five bits each
)

// newKey makes the secret of a second factor, 160 random bits. An app shows the name of this host with it: one person may have
// codes of several.
func newKey(name string) (*otp.Key, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	return totp.Generate(totp.GenerateOpts{
		Issuer: "topdeck", AccountName: name + "@" + host, SecretSize: secretSize,
		Period: uint(stepTime.Seconds()), Digits: codeDigits, Algorithm: otp.AlgorithmSHA1,
	})
}

// qrRows draws a text as a QR code, a string for each row, in which 1 is dark. The light margin around it is left to who
// shows it.
func qrRows(text string) ([]string, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("cannot draw a QR code: %w", err)
	}
	size := code.Bounds()
	var rows []string
	for y := size.Min.Y; y < size.Max.Y; y++ {
		row := make([]byte, 0, size.Dx())
		for x := size.Min.X; x < size.Max.X; x++ {
			if code.At(x, y) == color.Black {
				row = append(row, '1')
			} else {
				row = append(row, '0')
			}
		}
		rows = append(rows, string(row))
	}
	return rows, nil
}

// plainCode is a code without what people and apps put into it to read it more easily.
func plainCode(typed string) string {
	return strings.ToLower(strings.NewReplacer(" ", "", "-", "").Replace(typed))
}

// isTimeCode tells a code of an authenticator app from a recovery code; both are plain.
func isTimeCode(code string) bool {
	return len(code) == codeDigits.Length() && strings.Trim(code, "0123456789") == ""
}

// stepOf finds the time step whose code this is, among those that are taken at that time: the current one and its neighbours,
// and none up to the step after.
func stepOf(secret, code string, now time.Time, after int64) (step int64, ok bool) {
	current := now.Unix() / int64(stepTime.Seconds())
	opts := hotp.ValidateOpts{Digits: codeDigits, Algorithm: otp.AlgorithmSHA1}
	for step := max(current-codeSkew, after+1); step <= current+codeSkew; step++ {
		if right, err := hotp.ValidateCustom(code, uint64(step), secret, opts); err == nil && right {
			return step, true
		}
	}
	return 0, false
}

// newRecoveryCodes makes the codes that are told once, and the hashes of them, which are kept. A code has 80 random bits, so
// a plain SHA-256 is enough: nobody can try them all, which a slow hash is for.
func newRecoveryCodes() (codes, hashes []string) {
	for range recoveryCodes {
		code := strings.ToLower(rand.Text()[:recoveryLength])
		codes = append(codes, strings.Join([]string{code[:4], code[4:8], code[8:12], code[12:]}, "-"))
		hashes = append(hashes, recoveryHash(code))
	}
	return codes, hashes
}

// recoveryHash is what is kept of a plain recovery code.
func recoveryHash(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}
