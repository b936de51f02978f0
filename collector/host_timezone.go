package collector

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// timezone is the IANA name of the host's time zone, and its rules. Without /etc/localtime the C library uses UTC. The
// rules are always there: this process's own when the host's cannot be read. The error is about the name.
// Source: localtime(5), tzfile(5); /etc/timezone on Debian.
func (r *HostReader) timezone() (name string, zone *time.Location, err error) {
	target, err := os.Readlink(r.path("/etc/localtime"))
	if errors.Is(err, fs.ErrNotExist) {
		return "UTC", time.UTC, nil
	}
	if _, name, _ = strings.Cut(target, "zoneinfo/"); name == "" {
		line, lineErr := r.line("/etc/timezone")
		if name = strings.TrimSpace(line); lineErr != nil {
			return "", r.zone(""), fmt.Errorf("/etc/localtime does not link to a zone, and %w", lineErr)
		}
		if name == "" {
			return "", r.zone(""), errors.New("/etc/localtime does not link to a zone, and /etc/timezone is empty")
		}
	}
	name = strings.TrimPrefix(strings.TrimPrefix(name, "posix/"), "right/")
	return clean(name, maxName), r.zone(name), nil
}

// zone is the rules in /etc/localtime; where that cannot be read, as a link that leads nowhere in a tree that is not the
// running host's, the rules that this process knows by the name.
func (r *HostReader) zone(name string) *time.Location {
	if data, err := r.read("/etc/localtime", 1<<20); err == nil {
		if zone, err := time.LoadLocationFromTZData(name, data); err == nil {
			return zone
		}
	}
	if name != "" {
		if zone, err := time.LoadLocation(name); err == nil {
			return zone
		}
	}
	return time.Local
}
