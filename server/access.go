package server

import (
	"bytes"
	"fmt"
	"mime"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// confirmFor is how long a password given counts as just given.
const confirmFor = 5 * time.Minute

// Keys of what the rules below leave for handlers in the request's locals.
const (
	localOrigin  = "origin"  // string: the origin that a browser would name for this request's Host
	localSession = "session" // *Session: who is signed in
	localConn    = "conn"    // *connection: what it came over
	localWhole   = "whole"   // the body was read to its end
)

// front stands before Fiber: whatever the request is, its Host is checked, a panic ends nothing but the request, and the
// answer carries the security headers.
func (s *Server) front(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		conn := s.connections.of(ctx.Conn())
		ctx.SetUserValue(localConn, conn)
		conn.busy.Store(true)
		defer conn.busy.Store(false)
		defer s.answerFirst(ctx)
		defer s.secure(ctx)
		defer func() {
			if r := recover(); r != nil {
				s.cfg.Logger.Error("a handler panicked", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
				ctx.Response.Reset()
				writeError(ctx, s.cfg.Logger, refuse(codeInternal, "panic"))
			}
		}()
		oneWay := framedInOneWay(&ctx.Request.Header)
		if !oneWay || ctx.Request.Header.ContentLength() == -1 { // chunks, too, may end elsewhere for others; no browser sends them
			ctx.Response.Header.SetConnectionClose()
		}
		if !oneWay {
			writeError(ctx, s.cfg.Logger, refuse(codeInvalid, "the head of this request can be read in more ways than one"))
			return
		}
		host := string(ctx.Request.Header.Host())
		var local netip.AddrPort
		if tcp, ok := ctx.LocalAddr().(*net.TCPAddr); ok {
			local = tcp.AddrPort()
		}
		origin, ok := s.ownOrigin(host, local)
		// An absolute request URI brings a host of its own, which must not differ.
		if !ok || !strings.EqualFold(string(ctx.Request.URI().Host()), host) {
			writeError(ctx, s.cfg.Logger, refuse(codeForbidden, "this server does not answer to that Host; "+
				"use localhost, the address it listens on, or the address given with --public-url"))
			return
		}
		ctx.SetUserValue(localOrigin, origin)
		if !slices.Contains(fiber.DefaultMethods, string(ctx.Method())) { // Fiber's answer to it is not ours
			writeError(ctx, s.cfg.Logger, fiber.ErrMethodNotAllowed)
			return
		}
		next(ctx)
	}
}

// answerFirst has an answer sent before the rest of a large body is read, or is not: the answer to a request that is refused
// need not wait for what its client may never send.
func (s *Server) answerFirst(ctx *fasthttp.RequestCtx) {
	const little = 64 << 10 // fasthttp reads that after its answer, and the connection goes on
	length := ctx.Request.Header.ContentLength()
	if ctx.UserValue(localWhole) != nil || length >= 0 && length <= little || length < -1 || ctx.Response.IsBodyStream() {
		return
	}
	ctx.Response.Header.SetConnectionClose()
	ctx.Response.SkipBody = ctx.IsHead()
	var answer bytes.Buffer
	if _, err := ctx.Response.WriteTo(&answer); err != nil {
		return
	}
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(conn net.Conn) { s.connections.linger(conn, answer.Bytes()) })
}

// secure sets the headers that every answer carries.
func (s *Server) secure(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	h.SetBytesV(fiber.HeaderDate, fasthttp.AppendHTTPDate(nil, s.cfg.Now()))
	h.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "+
		"font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	h.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	if len(h.Peek(fiber.HeaderCacheControl)) == 0 {
		h.Set(fiber.HeaderCacheControl, "no-store")
	}
	// Not for loopback names: there it would bind every other server of this machine too.
	if origin, _ := ctx.UserValue(localOrigin).(string); strings.HasPrefix(origin, "https://") {
		if name, _, ok := splitHost(strings.TrimPrefix(origin, "https://")); ok && !isLoopback(name) {
			h.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000")
		}
	}
}

// ownOrigin checks the Host of a request that came in on the address local, and returns the origin that a page of ours has
// under it. Any other Host may be a foreign name that was made to point here (DNS rebinding).
func (s *Server) ownOrigin(host string, local netip.AddrPort) (own string, ok bool) {
	name, port, ok := splitHost(strings.ToLower(host))
	if !ok {
		return "", false
	}
	if public := s.cfg.PublicURL; public != nil && strings.EqualFold(public.Hostname(), name) &&
		(port == "" || port == portOf(public.Scheme, public.Port())) {
		return origin(public.Scheme, name, public.Port()), true
	}
	scheme := "http"
	if s.cfg.TLS {
		scheme = "https"
	}
	address, err := netip.ParseAddr(name)
	listening := err == nil && address == local.Addr().Unmap().WithZone("") && (port == "" || port == strconv.Itoa(int(local.Port())))
	if !listening && !isLoopback(name) {
		return "", false
	}
	return origin(scheme, name, port), true
}

// origin writes an origin as browsers do: without the scheme's own port.
func origin(scheme, name, port string) string {
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if port == "" || port == portOf(scheme, "") {
		return scheme + "://" + name
	}
	return scheme + "://" + name + ":" + port
}

// portOf is the port, or that of the scheme where there is none.
func portOf(scheme, port string) string {
	switch {
	case port != "":
		return port
	case scheme == "https":
		return "443"
	}
	return "80"
}

// splitHost takes a Host header apart; an IPv6 address comes without its brackets.
func splitHost(host string) (name, port string, ok bool) {
	name = host
	if rest, bracket := strings.CutPrefix(host, "["); bracket {
		name, port, ok = strings.Cut(rest, "]")
		if address, err := netip.ParseAddr(name); !ok || err != nil || !address.Is6() || address.Zone() != "" {
			return "", "", false
		}
		if port == "" {
			return name, "", true
		}
		if port[0] != ':' {
			return "", "", false
		}
		port = port[1:]
	} else if name, port, ok = strings.Cut(host, ":"); !ok {
		return name, "", name != ""
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return name, port, err == nil && n > 0 && name != "" && strconv.FormatUint(n, 10) == port
}

// isLoopback knows the names that always mean this machine. Browsers ask nobody for them.
func isLoopback(name string) bool {
	address, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && !address.Is4In6() && address.IsLoopback()
}

// guard wraps a route's handler in its rule.
func (s *Server) guard(r route) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if err := checkSource(c, r); err != nil {
			return err
		}
		if s.accounts.none() && r.path != setupPath {
			return errNotSetUp()
		}
		if r.access != anybody {
			token := tokenOf(c.Context())
			session := s.sessions.find(token)
			if session == nil {
				return errSignIn(s.sessions.lost(token))
			}
			if !r.enrolling && s.mustEnrol(session.Username) {
				return errMustEnrol(session.Role)
			}
			if err := s.demand(session, r.access, r.confirm); err != nil {
				return err
			}
			c.Locals(localSession, session)
			connectionOf(c).known.Store(true)
		}
		if r.acts {
			if err := s.spend(c); err != nil {
				return err
			}
		}
		if !r.query {
			if _, err := parameters(c); err != nil {
				return err
			}
		}
		return r.handle(c)
	}
}

// demand refuses a session whose role is not enough, or whose password was given too long ago.
func (s *Server) demand(session *Session, rule access, confirm bool) error {
	if !session.Role.may(rule) {
		return refuse(codeForbidden, "your role, %s, may not do this", session.Role)
	}
	if confirm && s.accounts.now().Sub(session.PasswordAt) > confirmFor {
		return refuse(codeReauthenticate, "give your password again to do this")
	}
	return nil
}

// checkSource refuses what a page of another site made the browser send: whatever changes something, and a WebSocket,
// must come from our own origin.
func checkSource(c *fiber.Ctx, r route) error {
	changes := r.method != fiber.MethodGet
	header := &c.Request().Header
	site, sites := only(header, "Sec-Fetch-Site")
	own, _ := c.Locals(localOrigin).(string)
	origin, origins := only(header, fiber.HeaderOrigin)
	if !changes && !r.socket {
		if r.recorded && (sites > 0 && site != "same-origin" && site != "none" || origins > 0 && origin != own) {
			return refuse(codeForbidden, "this was sent by a page of another origin, and would be recorded as an act of yours")
		}
		return nil
	}
	switch {
	case origins == 1 && own != "" && origin == own:
	case origins == 0 && !r.socket && site == "same-origin":
	case origins == 0:
		return refuse(codeForbidden, "this needs an Origin header that names this server: %s", own)
	default:
		return refuse(codeForbidden, "this was sent by a page of another origin; only %s may", own)
	}
	if !changes {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(string(header.ContentType())); err != nil || kind != fiber.MIMEApplicationJSON {
		return refuse(codeInvalid, "Content-Type must be application/json")
	}
	if len(header.ContentEncoding()) > 0 {
		return refuse(codeInvalid, "the body must not be compressed")
	}
	return nil
}

// only returns the value of a header that is there once, and how often it is there.
func only(header *fasthttp.RequestHeader, name string) (string, int) {
	values := header.PeekAll(name) // the next PeekAll overwrites them
	if len(values) != 1 {
		return "", len(values)
	}
	return string(values[0]), 1
}
