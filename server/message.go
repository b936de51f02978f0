package server

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"sync"

	"github.com/klauspost/compress/flate"
)

const (
	// compressFrom is the size from which compression is worth it.
	compressFrom = 512
	// maxHeader is that of a frame which a server sends (RFC 6455, 5.2).
	maxHeader = 10

	opText, opClose, opPing = 1, 8, 9
	finished, compressed    = 0x80, 0x40 // bits of a frame's first byte; the second is RSV1 of RFC 7692
)

// message is one live message, encoded and framed once for all clients that get it: writing it is one write(2) of the same bytes to
// each, which is what fan-out costs at least. Frames are made here and not by the WebSocket library because it does not hand out
// those that it prepares.
//
// What views show is compressed, also once for all, without context takeover (each message stands alone). One who sees the
// lengths of what is sent, and can put text of their own into a compressed message that holds a secret, can guess at
// the secret (CRIME, BREACH). So nothing of a session is in these messages; the arguments of commands are not in what
// viewers get; and the lines of journals and outputs, where strangers' words (a request that a server logs) stand beside
// what is meant for operators, are never compressed. Names and arguments of processes are: who can start processes here
// can read them of others without guessing, unless /proc is mounted with hidepid.
type message struct {
	data   []byte        // JSON, within plain; empty for a control frame
	plain  []byte        // the frame
	packed func() []byte // the compressed frame; nil where there is none
}

// newMessage encodes an event.
func newMessage(v any) (*message, error) {
	room, err := encodeAfter(maxHeader, v)
	if err != nil {
		return nil, err
	}
	return &message{data: room[maxHeader:], plain: putHeader(finished|opText, room)}, nil
}

// encode writes JSON that is never part of a page: < > & stay as they are.
func encode(v any) ([]byte, error) { return encodeAfter(0, v) }

// encodeAfter leaves room before the JSON.
func encodeAfter(room int, v any) ([]byte, error) {
	if a, ok := v.(appender); ok {
		return a.appendJSON(make([]byte, room))
	}
	var b bytes.Buffer
	b.Write(make([]byte, room))
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// newViewMessage encodes what a view shows, which is compressed for those who can take it.
func newViewMessage(v any) (*message, error) {
	m, err := newMessage(v)
	if err == nil && len(m.data) >= compressFrom {
		m.packed = sync.OnceValue(func() []byte { return pack(m.data) })
	}
	return m, err
}

// frame is what is written to a client.
func (m *message) frame(deflate bool) []byte {
	if deflate && m.packed != nil {
		return m.packed()
	}
	return m.plain
}

// controlMessage is a ping or a close frame; the text is at most 125 bytes.
func controlMessage(op byte, text []byte) *message {
	return &message{plain: putHeader(finished|op, append(make([]byte, maxHeader), text...))}
}

// putHeader writes the header of a frame right before its payload, which begins at maxHeader, and returns the frame.
func putHeader(first byte, room []byte) []byte {
	n := len(room) - maxHeader
	begin := maxHeader - 2
	switch {
	case n < 126:
		room[begin+1] = byte(n)
	case n <= 0xffff:
		begin -= 2
		room[begin+1] = 126
		binary.BigEndian.PutUint16(room[begin+2:], uint16(n))
	default:
		begin -= 8
		room[begin+1] = 127
		binary.BigEndian.PutUint64(room[begin+2:], uint64(n))
	}
	room[begin] = first
	return room[begin:]
}

// packLevel is what pays: a tick of 2,000 processes with 50 changed takes about 0.1 ms, once, whoever watches.
const packLevel = 5

// packers keep their tables, of 1 MB, from message to message: to make them anew took ten times as long as to compress a tick.
var packers = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, packLevel)
	if err != nil {
		panic(err) // the level is wrong
	}
	return w
}}

// pack is the frame of a compressed message (RFC 7692, 7.2.1).
func pack(data []byte) []byte {
	var b bytes.Buffer
	b.Grow(maxHeader + len(data)/4)
	b.Write(make([]byte, maxHeader))
	w := packers.Get().(*flate.Writer)
	w.Reset(&b)
	_, _ = w.Write(data) // a buffer takes everything
	_ = w.Flush()
	w.Reset(nil)
	packers.Put(w)
	return putHeader(finished|compressed|opText, bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff}))
}
