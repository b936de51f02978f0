package collector

// entry is what a source remembers of a process from scan to scan.
type entry struct {
	pid    int
	file   int    // descriptor of its stat, or -1
	comm   string // the last name that name has given
	used   uint64 // processor time in the last scan
	weight weight // when exact was read
	exact  uint64 // resident set, in bytes
}

// weight is what shows that a process may have another resident set.
type weight struct{ start, faults, ticks, vsize, rough uint64 }

// name is the command's name as a text, the same one again as long as it does not change.
func (e *entry) name(comm []byte) string {
	if e.comm != string(comm) { // does not allocate
		e.comm = string(comm)
	}
	return e.comm
}

// roll keeps the entries of processes from scan to scan. The kernel lists processes in the order of their PIDs, so going
// through two lists side by side finds them, at a tenth of what a map costs.
type roll struct {
	entries []*entry // of this scan
	before  []*entry // of the one before, from next on not yet found
	next    int
	lost    []*entry
}

// begin starts a scan. Then of must be called with ascending PIDs.
func (r *roll) begin() {
	r.entries, r.before = r.before[:0], r.entries
	r.next = 0
	r.lost = r.lost[:0]
}

// of is the entry of a process, a new one where there was none.
func (r *roll) of(pid int) *entry {
	for r.next < len(r.before) && r.before[r.next].pid < pid {
		r.lost = append(r.lost, r.before[r.next])
		r.next++
	}
	var e *entry
	if r.next < len(r.before) && r.before[r.next].pid == pid {
		e = r.before[r.next]
		r.next++
	} else {
		e = &entry{pid: pid, file: -1}
	}
	r.entries = append(r.entries, e)
	return e
}

// drop forgets the entry that of has just given.
func (r *roll) drop() { r.entries = r.entries[:len(r.entries)-1] }

// end tells, after a scan, the entries that were not asked for; they are forgotten, and good until the next begin.
func (r *roll) end() []*entry {
	r.lost = append(r.lost, r.before[r.next:]...)
	clear(r.before)
	return r.lost
}
