package server

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	fast "github.com/fasthttp/websocket"
	"github.com/gofiber/contrib/websocket"
	"github.com/gofiber/fiber/v2"
)

const (
	subprotocol      = "topdeck.v1"
	maxClientMessage = 64 << 10
	pongWait         = pingEvery + 2*writeWait // a ping may wait behind what is being written

	// A client may send this many messages at once, and this many a second; then they are read later.
	messageBurst = 128
	messageRate  = 50

	// maxUnsent is how much the kernel holds back for a client before a write waits. Little, so that a client that
	// is slow skips ahead soon.
	maxUnsent = 128 << 10
)

// openLive answers GET /live. That the Origin is ours, guard has seen to.
func (s *Server) openLive(c *fiber.Ctx) error {
	if !websocket.IsWebSocketUpgrade(c) {
		return refuse(codeInvalid, "this path is for WebSocket connections only")
	}
	offered := false
	for name := range strings.SplitSeq(c.Get(fiber.HeaderSecWebSocketProtocol), ",") {
		offered = offered || strings.TrimSpace(name) == subprotocol
	}
	if !offered {
		return refuse(codeInvalid, "offer the WebSocket subprotocol %s", subprotocol)
	}
	key, keys := only(&c.Request().Header, fiber.HeaderSecWebSocketKey)
	if nonce, err := base64.StdEncoding.Strict().DecodeString(key); keys != 1 || err != nil || len(nonce) != 16 {
		return refuse(codeInvalid, "Sec-WebSocket-Key must be 16 bytes in base64") // RFC 6455, 4.2.1
	}
	session := sessionOf(c)
	if err := s.hub.admit(session.ID); err != nil {
		return err
	}
	deflate := false
	upgrade := websocket.New(func(conn *websocket.Conn) {
		w, err := adopt(conn, deflate)
		if err != nil {
			s.cfg.Logger.Error("cannot take over a live connection", "error", err)
			return
		}
		go s.hub.serve(w, session) // all that the handshake held on to is free once this returns
	}, websocket.Config{
		Subprotocols:      []string{subprotocol},
		Origins:           []string{"*"}, // see above
		EnableCompression: true,
	})
	err := upgrade(c)
	deflate = len(c.Response().Header.Peek(fiber.HeaderSecWebSocketExtensions)) > 0 // known before what is above runs
	return err
}

// serve is the life of one connection: it reads what the client asks for until either side has enough.
func (h *hub) serve(w *socketWire, session *Session) {
	defer w.hangUp()
	defer func() {
		if r := recover(); r != nil {
			h.logger.Error("a live connection panicked", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		}
	}()
	c := newClient(session.ID, session.Username, session.Role, w, func(c *liveClient) { h.ready <- c })
	if err := h.join(c); err != nil {
		_, _ = w.try(controlMessage(opClose, fast.FormatCloseMessage(closeTryLater, err.Error())))
		return
	}
	defer h.leave(c)
	defer func() {
		c.end(0, "panic")
		<-c.done
		c.stopTimer()
		code, reason := c.why()
		h.logger.Debug("a live connection ended", "user", c.username, "code", code, "reason", reason)
	}()
	if why, ended := h.sessions.whyEnded(session.ID); ended { // it may have been revoked since the handshake
		c.end(closeSessionEnded, why)
	}
	c.end(0, h.read(c, w).Error())
}

// read takes the client's messages until the connection ends, and tells why it did.
func (h *hub) read(c *liveClient, w *socketWire) error {
	w.conn.SetReadLimit(maxClientMessage)
	extend := func(string) error {
		if c.isOver() {
			return nil
		}
		return w.conn.SetReadDeadline(time.Now().Add(pongWait))
	}
	w.conn.SetPongHandler(extend)
	w.conn.SetCloseHandler(func(code int, _ string) error {
		if c.isOver() {
			return nil // nothing follows a close frame of ours
		}
		return w.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(closeWait))
	})
	extend("")
	allowed, since := float64(messageBurst), time.Now()
	for {
		kind, reader, err := w.conn.NextReader()
		var data []byte
		if err == nil {
			// The read limit is of what comes over the wire; this one is of what it inflates to.
			data, err = io.ReadAll(io.LimitReader(reader, maxClientMessage+1))
		}
		switch {
		case errors.Is(err, fast.ErrReadLimit): // the close frame has been sent
			w.drain()
			return err
		case err != nil:
			return err
		case c.isOver():
			continue // only the other side's close frame is of interest now
		case len(data) > maxClientMessage:
			c.end(closeTooBig, "a message is at most 65536 bytes")
			continue
		}
		h.receive(c, kind, data)

		now := time.Now()
		allowed = min(allowed+now.Sub(since).Seconds()*messageRate, messageBurst) - 1
		since = now
		if allowed < 0 {
			select {
			case <-time.After(time.Second / messageRate):
			case <-c.over:
			}
		}
	}
}

// receive does what one message asks for, or answers with the reason why not.
func (h *hub) receive(c *liveClient, kind int, data []byte) {
	var m ClientMessage
	id, err := "", error(nil)
	if kind != websocket.TextMessage {
		err = refuse(codeInvalid, "a message must be text that holds one JSON object")
	} else if err = decodeObject(data, &m); err != nil {
		id = claimedID(data)
	}
	switch {
	case err != nil:
	case (m.Watch == nil) == (m.Unwatch == nil):
		err = refuse(codeInvalid, "a message must hold either watch or unwatch")
	case m.Watch != nil:
		id = m.Watch.ID
		err = h.watch(c, *m.Watch)
	default:
		id = m.Unwatch.ID
		err = h.unwatch(c, id)
	}
	if err == nil {
		return
	}
	refusal := errorFor(err)
	if refusal == nil {
		h.logger.Error("cannot answer a live message", "error", err)
		refusal = refuse(codeInternal, "something went wrong in the server; its log tells more")
	}
	if len(id) > maxWatchID {
		id = ""
	}
	if err := c.say(ErrorMessage{Type: "error", ID: id, Error: ErrorBody{Code: refusal.Code, Message: refusal.Message, Position: refusal.Position}}); err != nil {
		h.logger.Error("cannot encode an error", "error", err)
	}
}

// claimedID finds the watch id in a message that does not fit otherwise, so that the client knows which one was refused.
func claimedID(data []byte) string {
	var m struct {
		Watch, Unwatch struct{ ID string }
	}
	_ = json.NewDecoder(bytes.NewReader(data)).Decode(&m) // as far as it goes
	return cmp.Or(m.Watch.ID, m.Unwatch.ID)
}
