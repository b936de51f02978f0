package control

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// The words of a command do not stand in its unit: systemd writes them into a file, and reads that again at a reload, but not
// always as it wrote them. Version 252 makes \; of a semicolon, and a command that was not begun by then would be another one.

// encode makes one word of an order, of letters, digits, - and _.
func (o order) encode() string {
	return base64.RawURLEncoding.EncodeToString([]byte(o.path + "\x00" + strings.Join(o.args, "\x00")))
}

// Exec becomes the program that was encoded for Config.Starter, with the environment of this process. It returns only if it cannot.
func Exec(encoded string, environment []string) error {
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return errors.New("these are not the words of a command")
	}
	words := strings.Split(string(text), "\x00")
	if len(words) < 2 {
		return errors.New("these are not the words of a command")
	}
	return fmt.Errorf("cannot run %s: %w", words[0], syscall.Exec(words[0], words[1:], environment))
}
