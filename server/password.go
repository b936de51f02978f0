package server

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// A password has as many Unicode code points. Whatever they are, they are kept as they came.
const (
	minPassword = 12
	maxPassword = 256
)

// CheckPassword tells whether a new password will do.
func CheckPassword(password string) error {
	if n := utf8.RuneCountInString(password); n < minPassword || n > maxPassword || !utf8.ValidString(password) {
		return refuse(codeInvalid, "a password must have %d to %d characters", minPassword, maxPassword)
	}
	return nil
}

// hashCost is what argon2id (RFC 9106) is asked to spend.
type hashCost struct {
	memory  uint32 // KiB
	passes  uint32
	threads uint8
}

var fullCost = hashCost{memory: 64 << 10, passes: 3, threads: 1}

const (
	saltLength = 16
	keyLength  = 32
)

// hasher makes and checks password hashes, a few at a time: each takes 64 MiB and a core for a good while.
type hasher struct {
	cost hashCost
	line hashLine
	made atomic.Int64 // hashes, for those who look whether one was
}

func newHasher(cost hashCost) *hasher { return &hasher{cost: cost} }

// key makes a hash when it is their turn.
func (h *hasher) key(who standing, password string, salt []byte, cost hashCost, length uint32) ([]byte, error) {
	if err := h.line.enter(who); err != nil {
		return nil, err
	}
	defer func() {
		if h.line.leave() && h.cost == fullCost {
			debug.FreeOSMemory() // 64 MiB that nobody needs until the next sign-in
		}
	}()
	h.made.Add(1)
	return argon2.IDKey([]byte(password), salt, cost.passes, cost.memory, cost.threads, length), nil
}

// hash returns the password's hash as a PHC string, which holds the cost and the salt:
//
//	$argon2id$v=19$m=65536,t=3,p=1$SALT$KEY
func (h *hasher) hash(password string) (string, error) {
	salt := make([]byte, saltLength)
	rand.Read(salt)
	key, err := h.key(trusted, password, salt, h.cost, keyLength)
	if err != nil {
		return "", err
	}
	return phc(h.cost, salt, key), nil
}

// nobodysHash is a hash that no password has, for names without an account: to check it costs what every check costs.
func (h *hasher) nobodysHash() string {
	random := make([]byte, saltLength+keyLength)
	rand.Read(random)
	return phc(h.cost, random[:saltLength], random[saltLength:])
}

// verify tells whether the password has this hash. An error says that it could not be found out now.
func (h *hasher) verify(who standing, hash, password string) (bool, error) {
	cost, salt, key, err := readPHC(hash)
	if err != nil {
		return false, err
	}
	got, err := h.key(who, password, salt, cost, uint32(len(key)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, key) == 1, nil
}

func phc(cost hashCost, salt, key []byte) string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, cost.memory, cost.passes, cost.threads,
		b64.EncodeToString(salt), b64.EncodeToString(key))
}

// readPHC takes what phc writes, of any cost that this program may have had.
func readPHC(text string) (cost hashCost, salt, key []byte, err error) {
	bad := fmt.Errorf("cannot read a stored password hash: set the password anew with topdeck user passwd")
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return cost, nil, nil, bad
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &cost.memory, &cost.passes, &cost.threads); err != nil {
		return cost, nil, nil, bad
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	key, keyErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || keyErr != nil || len(salt) < 8 || len(key) < 16 || len(key) > 64 || phc(cost, salt, key) != text ||
		cost.memory < 8 || cost.memory > 1<<20 || cost.passes < 1 || cost.passes > 100 || cost.threads < 1 {
		return cost, nil, nil, bad
	}
	return cost, salt, key, nil
}
