package collector

import "encoding/binary"

// What the proc connector tells, linux/cn_proc.h.
const (
	eventNone = 0x00000000 // the answer to our own request
	eventFork = 0x00000001
	eventExec = 0x00000002
	eventUser = 0x00000004
	eventExit = 0x80000000
)

// Layout of a record: a header of netlink, one of the connector, one of the event, and then what the event tells. All is
// in the byte order of the host.
const (
	netlinkHeader   = 16
	connectorHeader = 20
	eventHeader     = 16

	connectorSeq = netlinkHeader + 8
	eventStart   = netlinkHeader + connectorHeader
	eventBody    = eventStart + eventHeader
)

// event is one record of the proc connector.
type event struct {
	what      uint32
	cpu, seq  uint32 // each processor counts its events
	at        uint64 // nanoseconds, of the monotonic clock
	pid, tgid int    // of the thread and of its process; with eventFork, the new ones
	parent    int    // with eventFork, the process that forked
	status    uint32 // with eventExit, as of wait(2)
}

// parseEvent reads a record. It is false for what is none, and for a record that is cut.
func parseEvent(b []byte) (e event, ok bool) {
	if len(b) < eventBody {
		return event{}, false
	}
	native := binary.NativeEndian
	number := func(offset int) uint32 { return native.Uint32(b[offset:]) }
	if number(netlinkHeader) != 1 || number(netlinkHeader+4) != 1 { // CN_IDX_PROC, CN_VAL_PROC
		return event{}, false
	}
	e = event{
		what: number(eventStart), cpu: number(eventStart + 4), seq: number(connectorSeq),
		at: native.Uint64(b[eventStart+8:]),
	}
	need := 0
	switch e.what {
	case eventFork, eventUser:
		need = 16
	case eventExec:
		need = 8
	case eventExit:
		need = 12
	}
	if len(b) < eventBody+need {
		return event{}, false
	}
	field := func(i int) uint32 { return number(eventBody + 4*i) }
	switch e.what {
	case eventFork:
		e.parent, e.pid, e.tgid = int(field(1)), int(field(2)), int(field(3))
	case eventExec, eventUser:
		e.pid, e.tgid = int(field(0)), int(field(1))
	case eventExit:
		e.pid, e.tgid, e.status = int(field(0)), int(field(1)), field(2)
	}
	return e, true
}

// sequence watches the counters of the processors for gaps.
type sequence map[uint32]uint32

// follows tells whether e is the next event of its processor, as far as is known.
func (s sequence) follows(e event) bool {
	if e.cpu == ^uint32(0) { // an answer of older kernels, outside of the count
		return true
	}
	last, known := s[e.cpu]
	s[e.cpu] = e.seq
	return !known || e.seq == last+1
}
