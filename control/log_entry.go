package control

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// kind is what an entry of the chain tells.
type kind byte

const (
	intent  kind = iota + 1 // an operation begins
	outcome                 // the operation of an earlier entry ended, or its sum rose
	event                   // both at once, for what has already happened
	cut                     // retention removed everything up to and including entry op, whose hash is in detail
)

// entry is one link of the chain. Its bytes are canonical: an entry has one encoding only, so what is hashed is what is
// stored.
type entry struct {
	prev      hash // of the entry before
	kind      kind
	time      time.Time
	op        uint64 // outcome: the entry that began it; cut: the last one removed
	logType   string
	target    string
	actor     string
	source    string
	retStatus RetStatus
	message   string
	detail    string
	exitCode  *int
	duration  float64 // seconds
	seen      bool    // need not be looked at when it ends well
}

type hash [sha256.Size]byte

const entryVersion = 1

// Longest texts of an entry, in bytes.
const (
	maxName    = 256
	maxTarget  = 4096
	maxMessage = 500
	maxDetail  = 64 << 10
)

// hashOf is the hash of a stored entry. The key is part of it, so that entries cannot change places.
func hashOf(key, value []byte) hash {
	h := sha256.New()
	h.Write(key)
	h.Write(value)
	return hash(h.Sum(nil))
}

func (e *entry) texts() [7]*string {
	return [7]*string{&e.logType, &e.target, &e.actor, &e.source, (*string)(&e.retStatus), &e.message, &e.detail}
}

func (e *entry) encode() []byte {
	b := make([]byte, 0, 160+len(e.target)+len(e.message)+len(e.detail))
	b = append(b, entryVersion)
	b = append(b, e.prev[:]...)
	b = append(b, byte(e.kind))
	b = binary.BigEndian.AppendUint64(b, uint64(e.time.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, e.op)
	b = binary.BigEndian.AppendUint64(b, math.Float64bits(e.duration))
	for _, s := range e.texts() {
		b = binary.BigEndian.AppendUint32(b, uint32(len(*s)))
		b = append(b, *s...)
	}
	if e.exitCode != nil {
		b = append(b, 1)
		b = binary.BigEndian.AppendUint64(b, uint64(*e.exitCode))
	} else {
		b = append(b, 0)
	}
	if e.seen {
		return append(b, 1)
	}
	return append(b, 0)
}

var errEntry = errors.New("it cannot be read")

// decodeEntry reads what encode wrote, and nothing else. The result keeps nothing of b.
func decodeEntry(b []byte) (e entry, err error) {
	r := reader{b: b}
	if r.byte() != entryVersion {
		return e, errEntry
	}
	copy(e.prev[:], r.take(len(e.prev)))
	e.kind = kind(r.byte())
	e.time = time.Unix(0, int64(r.uint64())).UTC()
	e.op = r.uint64()
	e.duration = math.Float64frombits(r.uint64())
	for _, s := range e.texts() {
		*s = string(r.take(int(binary.BigEndian.Uint32(r.take(4)))))
	}
	if r.flag() {
		code := int(r.uint64())
		e.exitCode = &code
	}
	e.seen = r.flag()
	if r.bad || len(r.b) > 0 || e.kind < intent || e.kind > cut {
		return entry{}, errEntry
	}
	return e, nil
}

// begins tells whether an operation begins with a stored entry; without reading all of it.
func begins(b []byte) bool {
	at := 1 + len(hash{}) // of its kind
	return len(b) > at && (kind(b[at]) == intent || kind(b[at]) == event)
}

// reader takes from the front of b; past the end it gives zeros and remembers that it did.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return make([]byte, 8)[:min(max(n, 0), 8)]
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

func (r *reader) byte() byte     { return r.take(1)[0] }
func (r *reader) uint64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

func (r *reader) flag() bool {
	b := r.byte()
	r.bad = r.bad || b > 1
	return b == 1
}

// oneLine makes any text fit into one line of at most limit bytes: escape sequences go, what cannot be printed becomes a space.
func oneLine(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, shorten(plain(s), limit))
	return strings.TrimSpace(s)
}

// shorten cuts a text to at most limit bytes of valid UTF-8 and shows that it did.
func shorten(s string, limit int) string {
	const mark = "…"
	if len(s) > limit {
		s = s[:limit-len(mark)]
		for i := 0; i < utf8.UTFMax && len(s) > 0; i++ { // a rune that the cut went through
			if r, n := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || n != 1 {
				break
			}
			s = s[:len(s)-1]
		}
		s += mark
	}
	if utf8.ValidString(s) {
		return s
	}
	// A byte that is not UTF-8 becomes "?", which is no longer than it was.
	return strings.ToValidUTF8(s, "?")
}

// bound brings all texts into their limits.
func (e *entry) bound() {
	e.logType = oneLine(e.logType, maxName)
	e.target = oneLine(e.target, maxTarget)
	e.actor = oneLine(e.actor, maxName)
	e.source = oneLine(e.source, maxName)
	e.message = oneLine(e.message, maxMessage)
	e.detail = shorten(e.detail, maxDetail)
}
