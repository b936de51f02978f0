package server

import (
	"cmp"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

const (
	cookieName   = "topdeck"
	securePrefix = "__Host-" // binds a cookie to this very host, and browsers send it back over TLS only
)

// errSignIn refuses whoever is not signed in, and tells why not any more, where that is known.
func errSignIn(why string) error {
	return refuse(codeUnauthenticated, "%s", cmp.Or(why, "sign in first"))
}

// errNeedsCode refuses a sign-in whose password is right.
func errNeedsCode(message string) *Error {
	return &Error{Code: codeUnauthenticated, NeedsCode: true, Message: message}
}

// sessionOf is who sent the request. It is nil only on routes for anybody.
func sessionOf(c *fiber.Ctx) *Session {
	session, _ := c.Locals(localSession).(*Session)
	return session
}

// actorOf is who sent the request, for the record. A stranger has no name.
func actorOf(c *fiber.Ctx) Actor {
	by := Actor{Source: sourceOf(c)}
	if session := sessionOf(c); session != nil {
		by.Name = session.Username
	}
	return by
}

// sourceOf is the address that the request came from. No header is believed: behind a proxy it is the proxy's.
func sourceOf(c *fiber.Ctx) string {
	return addressOf(c.Context().RemoteAddr())
}

// overTLS tells whether the browser speaks TLS with us, or with the proxy at the public URL.
func overTLS(ctx *fasthttp.RequestCtx) bool {
	own, _ := ctx.UserValue(localOrigin).(string)
	return strings.HasPrefix(own, "https://")
}

// cookieNameOf is the name of the session's cookie. It holds the port, where that is not the scheme's own: browsers share cookies
// among all ports of a host, and whoever has tunnels to several servers open, each at a port of 127.0.0.1, is signed in to each.
func cookieNameOf(ctx *fasthttp.RequestCtx) string {
	name := cookieName
	own, _ := ctx.UserValue(localOrigin).(string)
	if _, port, ok := splitHost(own[strings.LastIndexByte(own, '/')+1:]); ok && port != "" {
		name += "-" + port
	}
	if overTLS(ctx) {
		return securePrefix + name
	}
	return name
}

// tokenOf is the session token that came with the request.
func tokenOf(ctx *fasthttp.RequestCtx) string {
	return cookieOf(ctx, cookieNameOf(ctx))
}

// cookieOf is the value of a cookie of ours. Ours are for the path /, and so come last of those with a name (RFC 6265, 5.4): what is for
// a longer path, a server at another port of this host has planted.
func cookieOf(ctx *fasthttp.RequestCtx, name string) (value string) {
	for key, one := range ctx.Request.Header.Cookies() {
		if string(key) == name {
			value = string(one)
		}
	}
	return value
}

// setToken has the browser keep a token; an empty one has it forget the last.
func setToken(c *fiber.Ctx, token string) {
	cookie := newCookie(c, "", token)
	if token == "" {
		cookie.SetExpire(fasthttp.CookieExpireDelete)
	}
	c.Response().Header.SetCookie(cookie)
}

// enter signs the account in: a new session, whose token replaces the one that the request came with.
func (s *Server) enter(c *fiber.Ctx, one account) *Session {
	before := s.sessions.find(tokenOf(c.Context()))
	token, session := s.sessions.create(one, sourceOf(c), c.Get(fiber.HeaderUserAgent))
	if before != nil {
		s.sessions.endID(before.ID, endedAnew)
	}
	setToken(c, token)
	s.rememberDevice(c, one)
	return session
}

// goOn is what is called when an account of one's own is no longer what it was: all its sessions end, but the browser that
// did it comes back with the one that enter makes.
func (s *Server) goOn(session *Session) changed {
	return func(name, why string) {
		s.hub.reconnect(session.ID)
		s.accounts.changed(name, why)
	}
}

func (s *Server) sessionReply(session *Session) SessionReply {
	r := SessionReply{Username: session.Username, Role: session.Role, ExpiresAt: session.expiresAt(), MustEnrol: s.mustEnrol(session.Username)}
	if session.unsaved != "" {
		r.Warning = "this session is kept in memory only, and ends when topdeck does: " + session.unsaved
	}
	return r
}

// admit lets one try a password or a code of an account, as often as the throttle does.
func (s *Server) admit(c *fiber.Ctx, name string) (*attempt, error) {
	key, device, by := name, s.deviceOf(c, name), actorOf(c)
	if !userName.MatchString(name) {
		key = ""
	}
	var attempt *attempt
	var wait time.Duration
	if device != "" {
		attempt, wait = s.throttle.admitDevice(device)
	} else {
		attempt, wait = s.throttle.admit("account "+key, by.Source)
	}
	if attempt == nil {
		s.accounts.denied(name, by, "too many attempts")
		return nil, tooMany("too many wrong passwords", wait)
	}
	attempt.trusted = device != "" || by.Name != ""
	return attempt, nil
}

// tryPassword finds out whether it is the account's. A wrong one is recorded and refused with wrong; a right one leaves the attempt
// to the caller.
func (s *Server) tryPassword(c *fiber.Ctx, name, password string, wrong *Error) (account, *attempt, error) {
	attempt, err := s.admit(c, name)
	if err != nil {
		return account{}, nil, err
	}
	one, right, err := s.accounts.verify(attempt.standing, name, password)
	switch {
	case err != nil:
		attempt.unchecked()
		return account{}, nil, err
	case !right:
		by, reason := actorOf(c), "wrong user name or password"
		if by.Name != "" {
			reason = "wrong password"
		}
		s.accounts.denied(name, by, reason)
		return account{}, nil, wrong
	}
	return one, attempt, nil
}

// checkPassword is tryPassword where the password is all that there is to give.
func (s *Server) checkPassword(c *fiber.Ctx, name, password string, wrong *Error) (account, error) {
	one, attempt, err := s.tryPassword(c, name, password, wrong)
	if err == nil {
		attempt.right()
	}
	return one, err
}

// signIn answers POST /session. That an account has a second factor is told to nobody but who gives the right password.
func (s *Server) signIn(c *fiber.Ctx) error {
	var body struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Code     string `json:"code"` // of the app, or a recovery code
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	if body.Username == "" || body.Password == "" {
		return refuse(codeInvalid, "username and password are needed")
	}
	one, attempt, err := s.tryPassword(c, body.Username, body.Password, refuse(codeUnauthenticated, "the user name or the password is wrong"))
	if err != nil {
		return err
	}
	switch {
	case one.SecondFactor == nil:
		attempt.right()
	case plainCode(body.Code) == "":
		attempt.unchecked() // neither a failure nor a success, which would have earlier wrong codes forgotten
		return errNeedsCode("a code of the second factor is needed, or a recovery code")
	default:
		if err := s.checkCode(c, one, body.Code, attempt, errNeedsCode(errWrongCode.Error())); err != nil {
			return err
		}
	}
	session := s.enter(c, one)
	s.accounts.signedIn(one.Name)
	s.accounts.record("session.login", Actor{Name: one.Name, Source: sourceOf(c)}, one.Name, "signed in as "+string(one.Role))
	return c.JSON(s.sessionReply(session))
}

// showSession answers GET /session.
func (s *Server) showSession(c *fiber.Ctx) error {
	return c.JSON(s.sessionReply(sessionOf(c)))
}

// showEntry answers GET /entry: who is signed in, if anybody is. The app asks it when it opens, because a browser tells a refusal,
// which GET /session answers to strangers, on its console as an error.
func (s *Server) showEntry(c *fiber.Ctx) error {
	token := tokenOf(c.Context())
	session := s.sessions.find(token)
	if session == nil {
		return c.JSON(EntryReply{Ended: s.sessions.lost(token)})
	}
	connectionOf(c).known.Store(true)
	reply := s.sessionReply(session)
	return c.JSON(EntryReply{Session: &reply})
}

// signOut answers DELETE /session.
func (s *Server) signOut(c *fiber.Ctx) error {
	session := sessionOf(c)
	if s.sessions.endID(session.ID, endedSignedOut) > 0 {
		s.accounts.record("session.logout", actorOf(c), session.Username, "signed out")
	}
	setToken(c, "")
	return c.SendStatus(fiber.StatusNoContent)
}

// confirmPassword answers POST /session/confirm. The password is enough: a code was given to open the session, and what this guards
// against is somebody at a browser that was left alone. What would weaken the second factor itself asks for a code of its own.
func (s *Server) confirmPassword(c *fiber.Ctx) error {
	var body struct {
		Password string `json:"password"`
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	if body.Password == "" {
		return refuse(codeInvalid, "password is needed")
	}
	session := sessionOf(c)
	if _, err := s.checkPassword(c, session.Username, body.Password, refuse(codeForbidden, "the password is wrong")); err != nil {
		return err
	}
	if err := s.sessions.confirmed(session.ID); err != nil {
		return err
	}
	s.accounts.record("session.confirm", actorOf(c), session.Username, "gave the password again")
	return c.SendStatus(fiber.StatusNoContent)
}

// listSessions answers GET /sessions: an administrator sees all, anybody else their own.
func (s *Server) listSessions(c *fiber.Ctx) error {
	session := sessionOf(c)
	reply := SessionsReply{Sessions: []SessionRow{}}
	for _, one := range s.sessions.list() {
		if one.Username == session.Username || session.Role == Admin {
			reply.Sessions = append(reply.Sessions, SessionRow{
				ID: one.ID, Username: one.Username, Role: one.Role, CreatedAt: one.CreatedAt, LastUsed: one.LastUsed,
				ExpiresAt: one.expiresAt(), Address: one.Address, UserAgent: one.UserAgent, Current: one.ID == session.ID,
			})
		}
	}
	return c.JSON(reply)
}

// endSession answers DELETE /sessions/{id}. To others than an administrator a session of another is not there.
func (s *Server) endSession(c *fiber.Ctx) error {
	session, id := sessionOf(c), c.Params("id")
	owner := ""
	ended := s.sessions.end(func(one *Session) string {
		switch {
		case one.ID != id:
			return ""
		case one.Username == session.Username:
			owner = one.Username
			return endedByOwner
		case session.Role == Admin:
			owner = one.Username
			return endedByAdmin
		}
		return ""
	})
	if ended == 0 {
		return refuse(codeNotFound, "there is no such session; it may have ended")
	}
	s.accounts.record("session.revoke", actorOf(c), owner, "a session of "+owner+" was ended")
	if id == session.ID {
		setToken(c, "")
	}
	return c.SendStatus(fiber.StatusNoContent)
}
