package collector

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"testing"

	"golang.org/x/sys/unix"
)

func FuzzDiagMessages(f *testing.F) {
	f.Add([]byte("\x14\x00\x00\x00\x03\x00\x02\x00\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x14\x00\x00\x00\x14\x00\x12\x00\x07\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04\x14\x00\x00\x00\x02\x00\x02\x00\x07\x00\x00\x00\x00\x00\x00\x00\xfe\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		size := 0
		_, _, _ = eachMessage(b, 7, func(payload []byte) { size += len(payload) + unix.NLMSG_HDRLEN })
		if size > len(b) {
			t.Fatalf("%d bytes give messages of %d", len(b), size)
		}
	})
}

// Where the kernel does not know how to tell of both families at once, it is asked twice, and tells the same.
func TestBothFamiliesInOnePass(t *testing.T) {
	connections(t)
	kind := socketKinds[0]
	if kind.family != unix.AF_UNSPEC || kind.protocol != unix.IPPROTO_TCP {
		t.Fatalf("the first kind is %+v", kind)
	}
	once, twice := new(diag), &diag{single: true}
	agree(t, func() (differences []string) {
		var lists [2]map[string]int
		for i, d := range []*diag{once, twice} {
			lists[i] = make(map[string]int)
			if err := d.dump(kind, func(b []byte) { lists[i][string(b[:2])+string(b[4:52])]++ }); err != nil {
				return []string{err.Error()}
			}
		}
		if !maps.Equal(lists[0], lists[1]) {
			differences = append(differences, fmt.Sprintf("%d in one pass, %d in two", len(lists[0]), len(lists[1])))
		}
		return differences
	})
	if once.single {
		t.Error("this kernel does not tell of both at once")
	}
	unknown := new(diag).ask(sockDiagRequest(unix.AF_UNIX+100, 0), func([]byte) {})
	if !errors.Is(unknown, unix.EINVAL) && !errors.Is(unknown, unix.ENOENT) {
		t.Errorf("an unknown family is refused with %v", unknown)
	}
}

func TestDiagMessages(t *testing.T) {
	message := func(kind, flags uint16, seq uint32, payload ...byte) []byte {
		b := make([]byte, unix.NLMSG_HDRLEN, 64)
		binary.NativeEndian.PutUint32(b, uint32(unix.NLMSG_HDRLEN+len(payload)))
		binary.NativeEndian.PutUint16(b[4:], kind)
		binary.NativeEndian.PutUint16(b[6:], flags)
		binary.NativeEndian.PutUint32(b[8:], seq)
		b = append(b, payload...)
		for len(b)%unix.NLMSG_ALIGNTO != 0 {
			b = append(b, 0)
		}
		return b
	}
	refused := -int32(unix.EPERM)
	refusal := binary.NativeEndian.AppendUint32(nil, uint32(refused))
	for name, c := range map[string]struct {
		messages      [][]byte
		seen          string
		done, changed bool
		err           error
	}{
		"two and the end":           {[][]byte{message(20, 2, 7, 'a', 'b', 'c'), message(20, 2, 7, 'd'), message(unix.NLMSG_DONE, 2, 7, 0, 0, 0, 0)}, "abcd", true, false, nil},
		"more to come":              {[][]byte{message(20, 2, 7, 'a')}, "a", false, false, nil},
		"the answer to another":     {[][]byte{message(20, 2, 6, 'a'), message(unix.NLMSG_DONE, 2, 6)}, "", false, false, nil},
		"interrupted":               {[][]byte{message(20, 2|unix.NLM_F_DUMP_INTR, 7, 'a'), message(20, 2, 7, 'b')}, "ab", false, true, nil},
		"interrupted at the end":    {[][]byte{message(unix.NLMSG_DONE, 2|unix.NLM_F_DUMP_INTR, 7)}, "", true, true, nil},
		"refused":                   {[][]byte{message(unix.NLMSG_ERROR, 0, 7, refusal...)}, "", true, false, unix.EPERM},
		"failed on the way":         {[][]byte{message(20, 2, 7, 'a'), message(unix.NLMSG_DONE, 2, 7, refusal...)}, "a", true, false, unix.EPERM},
		"longer than what is there": {[][]byte{message(20, 2, 7, 'a')[:16]}, "", false, false, errBrokenMessage},
	} {
		seen := ""
		done, changed, err := eachMessage(bytes.Join(c.messages, nil), 7, func(payload []byte) { seen += string(payload) })
		if seen != c.seen || done != c.done || changed != c.changed || !errors.Is(err, c.err) {
			t.Errorf("%s: %q, done %v, changed %v, %v", name, seen, done, changed, err)
		}
	}
}
