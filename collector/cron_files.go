package collector

import (
	"bytes"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	maxCrontab      = 256 << 10 // bytes of a crontab that are read
	maxCrontabTasks = 500       // of one crontab: no user's may crowd out the others'
	maxBadLines     = 3         // of one crontab that are told one by one
)

// cronTasks adds what cron and anacron run: the system's crontabs, anacron's jobs, the scripts in the folders that one of
// these runs, and the users' crontabs. Source: cron(8), crontab(5), anacrontab(5), run-parts(8).
func (r *HostReader) cronTasks(s *schedule, zone *time.Location) {
	c := &crontabs{
		HostReader: r,
		s:          s,
		now:        r.now(),
		zone:       zone,
		debian:     r.exists("/etc/debian_version"),
		oneZone:    r.exists("/usr/sbin/cron") && !r.exists("/usr/sbin/crond"),
		anacron:    r.exists("/usr/sbin/anacron") || r.exists("/usr/bin/anacron"),
	}
	c.read("/etc/crontab", "")
	for _, file := range c.list("/etc/cron.d", c.debian) {
		c.read(file, "")
	}
	if c.anacron {
		c.readAnacrontab("/etc/anacrontab")
	}
	for _, folder := range []string{"/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly"} {
		c.scripts(folder)
	}
	spool := "/var/spool/cron"
	for _, folder := range []string{"crontabs", "tabs"} { // Debian, SUSE
		if r.exists(filepath.Join(spool, folder)) {
			spool = filepath.Join(spool, folder)
			break
		}
	}
	for _, file := range c.list(spool, false) {
		c.read(file, filepath.Base(file))
	}
}

// crontabs reads the crontabs of one host into a schedule.
type crontabs struct {
	*HostReader
	s       *schedule
	now     time.Time
	zone    *time.Location
	debian  bool // its cron and run-parts refuse file names that others take
	oneZone bool // it has Debian's cron, which knows no CRON_TZ
	anacron bool // it is installed
	zones   int  // that were looked up
}

// read adds the entries of a crontab. An empty user means that every entry names its own.
func (c *crontabs) read(name, user string) {
	zone := c.zone
	left := maxCrontabTasks
	bad := 0
	defer func() {
		if more := bad - maxBadLines; more > 0 {
			c.s.doubt("%s: %d more lines cannot be read", name, more)
		}
	}()
	for number, line := range c.lines(name) {
		if variable, value, ok := parseCronVariable(line); ok {
			if variable == "CRON_TZ" && !c.oneZone {
				zone = c.cronZone(name, number, value)
			}
			continue
		}
		if left--; left < 0 {
			c.s.doubt("%s: only its first %d entries are listed", name, maxCrontabTasks)
			return
		}
		entry, err := parseCronLine(line, user == "")
		if err != nil {
			if bad++; bad <= maxBadLines {
				c.s.doubt("%s line %d: %v", name, number, err)
			}
		}
		task := ScheduledTask{Kind: "cron", Schedule: entry.schedule, User: user, Command: entry.command, Source: name}
		if user == "" {
			task.User = entry.user
		}
		if entry.when != nil && zone != nil {
			if next := entry.when.next(c.now, zone); !next.IsZero() {
				task.Next = &next
			}
		}
		c.s.add(task)
	}
}

// cronZone is the time zone that a crontab's variable names for the lines below it; nil when there is none of that name.
func (c *crontabs) cronZone(name string, number int, value string) *time.Location {
	if value == "" {
		return c.zone
	}
	if c.zones++; c.zones > maxCrontabTasks {
		c.s.doubt("%s line %d: too many time zones", name, number)
		return nil
	}
	zone, err := time.LoadLocation(value)
	if err != nil {
		c.s.doubt("%s line %d: %s is no time zone", name, number, quoted(value))
		return nil
	}
	return zone
}

// lines are the lines of a crontab that say something, with their numbers.
func (c *crontabs) lines(name string) iter.Seq2[int, string] {
	data, err := c.HostReader.read(name, maxCrontab)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		c.s.doubt("%v", err)
	case len(data) == maxCrontab:
		c.s.doubt("%s: only its first %d KiB are read", name, maxCrontab>>10)
		data = data[:bytes.LastIndexByte(data, '\n')+1]
	case len(data) > 0 && data[len(data)-1] != '\n':
		c.s.doubt("%s: no newline at its end, so cron refuses the last line", name)
	}
	return func(yield func(int, string) bool) {
		number := 0
		for line := range bytes.Lines(data) {
			number++
			text := strings.TrimSpace(string(line))
			if text != "" && text[0] != '#' && !yield(number, text) {
				return
			}
		}
	}
}

// list are the files in a folder of crontabs or scripts that cron does not pass over, by name.
func (c *crontabs) list(folder string, debian bool) []string {
	entries, err := os.ReadDir(c.path(folder))
	switch {
	case errors.Is(err, fs.ErrPermission):
		c.s.doubt("%v (it takes root to see what is there)", named(folder, err))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		c.s.doubt("%v", named(folder, err))
	}
	var files []string
	for _, entry := range entries {
		if !entry.IsDir() && accepted(entry.Name(), debian) {
			files = append(files, filepath.Join(folder, entry.Name()))
		}
	}
	return files
}

// accepted tells whether cron and run-parts take a file of that name. Debian's want letters, digits, _ and - only, so that
// nothing that an editor or a package manager left is run; the others have a list of endings that they refuse.
func accepted(name string, debian bool) bool {
	if debian {
		return strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
	}
	refused := []string{"~", ",", ".rpmsave", ".rpmorig", ".rpmnew", ".swp", ",v", ".cfsaved"}
	return name[0] != '.' && name[0] != '#' && !slices.ContainsFunc(refused, func(ending string) bool {
		return strings.HasSuffix(name, ending)
	})
}

// readAnacrontab adds anacron's jobs. When they run next is not told: it depends on when anacron itself is started.
func (c *crontabs) readAnacrontab(name string) {
	for number, line := range c.lines(name) {
		if _, _, ok := parseCronVariable(line); ok {
			continue
		}
		fields, command := cutFields(line, 3) // period in days, delay in minutes, name
		if command == "" {
			c.s.doubt("%s line %d: too few fields", name, number)
			continue
		}
		c.s.add(ScheduledTask{
			Kind: "cron", Schedule: "anacron: " + fields[0] + " " + fields[1], User: "root", Command: command, Source: name,
		})
	}
}

// scripts adds the scripts in a folder as run-parts runs them, at the time of the entry that runs the folder.
func (c *crontabs) scripts(folder string) {
	var runner *ScheduledTask
	for i := range c.s.tasks {
		task := &c.s.tasks[i]
		// Debian's crontab leaves the folder to anacron where that is installed.
		left := c.anacron && strings.Contains(task.Command, "/anacron") && task.Source != "/etc/anacrontab"
		if !left && runsFolder(task.Command, folder) {
			runner = task
			break
		}
	}
	found := 0
	for _, file := range c.list(folder, c.debian) {
		info, err := os.Stat(c.path(file))
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			continue // run-parts passes over it too
		}
		found++
		task := ScheduledTask{Kind: "cron", Command: file, Source: file}
		if runner != nil {
			task.Schedule, task.User, task.Next = runner.Schedule, runner.User, runner.Next
		}
		c.s.add(task)
	}
	if found > 0 && runner == nil {
		c.s.doubt("%s: no crontab runs this folder, so when its files run is not known; it holds %d", folder, found)
	}
}

// runsFolder tells whether a command runs all scripts of a folder.
func runsFolder(command, folder string) bool {
	_, rest, found := strings.Cut(command, folder)
	return found && strings.Contains(command, "run-parts") && (rest == "" || strings.ContainsRune(" \t;)/&|", rune(rest[0])))
}

// cronRuns tells whether a cron daemon runs, or might: false only where every process can be seen and none is one.
func (r *HostReader) cronRuns() bool {
	isCron := func(pid string) bool {
		comm, err := r.line("/proc/" + pid + "/comm")
		return err == nil && (comm == "cron" || comm == "crond" || comm == "cronie")
	}
	if pid, err := r.line("/run/crond.pid"); err == nil && isCron(strings.TrimSpace(pid)) {
		return true
	}
	if !r.exists("/proc/1/comm") {
		return true // mounted with hidepid
	}
	entries, err := os.ReadDir(r.proc)
	return err != nil || slices.ContainsFunc(entries, func(entry fs.DirEntry) bool {
		return entry.Name()[0] >= '0' && entry.Name()[0] <= '9' && isCron(entry.Name())
	})
}
