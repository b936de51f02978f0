package collector

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// maxPasswd bounds how much of the user database is read, in bytes.
const maxPasswd = 8 << 20

// users names user ids from the passwd(5) file, which is read again when it changes. Users known only to other sources
// (LDAP, systemd's dynamic users) have no name here and are shown by number.
type users struct {
	path     string
	modified time.Time
	size     int64
	names    map[uint32]string
	edition  int // another whenever names may have changed
}

func newUsers(etc string) *users { return &users{path: filepath.Join(etc, "passwd")} }

// refresh reads the file when it is not the one that was read before. It tells whether the names may have changed.
func (u *users) refresh() (changed bool) {
	info, err := os.Stat(u.path)
	if err != nil {
		changed = u.names == nil || len(u.names) > 0
		if changed {
			*u = users{path: u.path, names: map[uint32]string{}, edition: u.edition + 1}
		}
		return changed
	}
	if u.names != nil && info.ModTime().Equal(u.modified) && info.Size() == u.size {
		return false
	}
	file, err := os.Open(u.path)
	if err != nil {
		return false
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxPasswd))
	if err != nil {
		return false
	}
	u.names, u.modified, u.size = parsePasswd(data), info.ModTime(), info.Size()
	u.edition++
	return true
}

// name is the user's name, or the number when there is none.
func (u *users) name(uid uint32) string {
	if name, ok := u.names[uid]; ok {
		return name
	}
	return strconv.FormatUint(uint64(uid), 10)
}

// parsePasswd reads the lines of a passwd(5) file. The first name of an id counts, as for getpwuid(3); lines that are not
// users (comments, NIS markers, broken ones) are passed over.
func parsePasswd(data []byte) map[uint32]string {
	names := make(map[uint32]string)
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxPasswd)
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		_, rest, _ = strings.Cut(rest, ":") // the password
		id, _, ok := strings.Cut(rest, ":")
		if !ok || name == "" || strings.ContainsAny(name[:1], "#+-") {
			continue
		}
		uid, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			continue
		}
		if _, known := names[uint32(uid)]; !known {
			names[uint32(uid)] = clean(name, maxName)
		}
	}
	return names
}
