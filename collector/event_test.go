package collector

import (
	"encoding/binary"
	"testing"
)

// record builds what the kernel sends.
func record(what, cpu, seq uint32, at uint64, fields ...uint32) []byte {
	b := make([]byte, eventBody+24)
	native := binary.NativeEndian
	native.PutUint32(b, uint32(len(b)))
	native.PutUint16(b[4:], 3) // NLMSG_DONE
	native.PutUint32(b[netlinkHeader:], 1)
	native.PutUint32(b[netlinkHeader+4:], 1)
	native.PutUint32(b[connectorSeq:], seq)
	native.PutUint16(b[netlinkHeader+16:], uint16(len(b)-eventStart))
	native.PutUint32(b[eventStart:], what)
	native.PutUint32(b[eventStart+4:], cpu)
	native.PutUint64(b[eventStart+8:], at)
	for i, field := range fields {
		native.PutUint32(b[eventBody+4*i:], field)
	}
	return b
}

func TestParseEvent(t *testing.T) {
	for name, c := range map[string]struct {
		in   []byte
		want event
	}{
		"fork":   {record(eventFork, 1, 7, 99, 10, 11, 12, 13), event{what: eventFork, cpu: 1, seq: 7, at: 99, parent: 11, pid: 12, tgid: 13}},
		"exec":   {record(eventExec, 1, 7, 99, 10, 11), event{what: eventExec, cpu: 1, seq: 7, at: 99, pid: 10, tgid: 11}},
		"user":   {record(eventUser, 1, 7, 99, 10, 11, 0, 33), event{what: eventUser, cpu: 1, seq: 7, at: 99, pid: 10, tgid: 11}},
		"exit":   {record(eventExit, 1, 7, 99, 10, 11, 256, 17, 1, 1), event{what: eventExit, cpu: 1, seq: 7, at: 99, pid: 10, tgid: 11, status: 256}},
		"answer": {record(eventNone, 1, 7, 99, 1), event{cpu: 1, seq: 7, at: 99}},
		"other":  {record(0x80, 1, 7, 99, 1, 2), event{what: 0x80, cpu: 1, seq: 7, at: 99}},
	} {
		got, ok := parseEvent(c.in)
		if !ok || got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, ok, c.want)
		}
	}
	whole := record(eventFork, 0, 0, 0, 1, 2, 3, 4)
	for n := range eventBody + 16 {
		if _, ok := parseEvent(whole[:n]); ok {
			t.Fatalf("a record cut after %d bytes is read", n)
		}
	}
	whole[netlinkHeader] = 2
	if _, ok := parseEvent(whole); ok {
		t.Error("a record of another connector is read")
	}
}

func TestSequenceFindsGaps(t *testing.T) {
	s := make(sequence)
	for i, c := range []struct {
		cpu, seq uint32
		want     bool
	}{
		{0, 5, true}, {1, 70, true}, {0, 6, true}, {1, 71, true}, {0, 8, false}, {0, 9, true},
		{^uint32(0), 3, true}, {1, 72, true}, {1, 71, false}, {2, ^uint32(0), true}, {2, 0, true},
	} {
		if got := s.follows(event{cpu: c.cpu, seq: c.seq}); got != c.want {
			t.Errorf("event %d (%+v): %v", i, c, got)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add(record(eventFork, 1, 7, 99, 10, 11, 12, 13))
	f.Add(record(eventExit, 1, 7, 99, 10, 11, 256, 17))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		lives := newLives()
		if e, ok := parseEvent(b); ok {
			lives.apply(&e)
			lives.apply(&e)
			if len(lives.current) > 1 || len(lives.ended) > 2 {
				t.Fatalf("%+v: %d lives, %d ended", e, len(lives.current), len(lives.ended))
			}
		}
	})
}
