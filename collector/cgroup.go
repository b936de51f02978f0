package collector

import "strings"

// groups is the part of a /proc/PID/cgroup that tells of units, cgroups(7): the path in the unified hierarchy (v2), and in
// the one named "systemd" (v1; on a hybrid host both are there).
type groups struct {
	unified, named string
}

func parseGroups(file string) (g groups) {
	for line := range strings.Lines(file) {
		_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		switch controllers, path, _ := strings.Cut(rest, ":"); controllers {
		case "":
			g.unified = path
		case "name=systemd":
			g.named = path
		}
	}
	return g
}

// roots are the groups that hold those of the host's units, found from the groups of its first process: nothing, except
// in a container that sees the names of the host around it.
func (g groups) roots() groups {
	root := func(path string) string {
		if root, ok := strings.CutSuffix(path, "/init.scope"); ok {
			return root
		}
		return ""
	}
	return groups{root(g.unified), root(g.named)}
}

// unit tells the systemd unit that a process in these groups belongs to; empty when it is in none. User tells that a
// user's manager runs the unit: its name may be that of a system unit, or any other that the user likes.
func (g groups) unit(roots groups) (unit string, user bool) {
	if unit, user = pathUnit(g.unified, roots.unified); unit == "" {
		unit, user = pathUnit(g.named, roots.named)
	}
	return unit, user
}

// pathUnit tells the unit of a control group's path. It is the first one below the slices: what lies deeper is the unit's
// own business, and what lies below other groups is not this host's (the systemd of a container names its groups like
// units, too). Only a user's manager is looked into, since its units are this host's.
func pathUnit(path, root string) (unit string, user bool) {
	path, ok := strings.CutPrefix(strings.TrimSuffix(path, " (deleted)"), root+"/")
	if !ok {
		return "", false
	}
	manager := ""
	for part := range strings.SplitSeq(path, "/") {
		switch {
		case strings.HasSuffix(part, ".slice"):
		case !isUnit(part):
			return manager, false
		case manager != "" && part == "init.scope": // the manager itself
			return manager, false
		case manager == "" && strings.HasPrefix(part, "user@") && strings.HasSuffix(part, ".service"):
			manager = clean(part, maxName)
		default:
			return clean(part, maxName), manager != ""
		}
	}
	return manager, false
}

// slice tells the slice that a process in these groups belongs to, systemd.slice(5); empty when it is in none. A unit that a
// user's manager runs is in the slice of that manager. The slices above it follow from its name.
func (g groups) slice(roots groups) string {
	if slice := pathSlice(g.unified, roots.unified); slice != "" {
		return slice
	}
	return pathSlice(g.named, roots.named)
}

func pathSlice(path, root string) string {
	path, ok := strings.CutPrefix(path, root+"/")
	if !ok {
		return ""
	}
	slice := ""
	for part := range strings.SplitSeq(path, "/") {
		if !strings.HasSuffix(part, ".slice") {
			break
		}
		slice = part
	}
	return clean(slice, maxName)
}

// isUnit tells whether a control group's name is that of a unit that can hold processes, systemd.unit(5).
func isUnit(name string) bool {
	for _, suffix := range []string{".service", ".scope", ".socket", ".mount", ".swap"} {
		if len(name) > len(suffix) && strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}
