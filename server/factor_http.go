package server

import (
	"errors"
	"slices"

	"github.com/gofiber/fiber/v2"
)

// mustEnrol tells whether an account may do nothing before it has a second factor. It is asked at each request, so that it holds at
// once for who gets such a role, and for sessions from before the role needed one.
func (s *Server) mustEnrol(name string) bool {
	one, _ := s.accounts.get(name)
	return one.SecondFactor == nil && slices.Contains(s.cfg.SecondFactor, one.Role)
}

func errMustEnrol(role Role) error {
	return refuse(codeForbidden, "set up a second factor first, in the app or with POST %s/second-factor: the role %s may do nothing without one", apiPrefix, role)
}

// checkCode takes a code of the account, each once, and refuses a wrong one with wrong. attempt is the account's so far: the password was
// right, or somebody is signed in. Nobody else gets here, and so nobody else can have an account wait for its guesses. Six digits can be guessed from many
// addresses, so they are counted for the account, wherever they come from; a device that it has signed in with is counted by itself
// already, and recovery codes cannot be guessed: with either, the owner is never locked out.
func (s *Server) checkCode(c *fiber.Ctx, one account, code string, attempt *attempt, wrong *Error) error {
	by := actorOf(c)
	guess := attempt.none()
	if isTimeCode(plainCode(code)) && s.deviceOf(c, one.Name) == "" {
		admitted, wait := s.throttle.admitCode(one.Name)
		if admitted == nil {
			s.accounts.denied(one.Name, by, "too many wrong codes")
			return tooMany("too many wrong codes", wait)
		}
		guess = admitted
	}
	who := by
	who.Name = one.Name
	err := s.accounts.spend(one, who, code)
	switch {
	case err == nil:
		guess.right()
		attempt.right()
	case errors.Is(err, errWrongCode):
		s.accounts.denied(one.Name, by, "wrong code")
		return wrong
	default:
		guess.unchecked()
		attempt.unchecked()
	}
	return err
}

// showFactor answers GET /second-factor.
func (s *Server) showFactor(c *fiber.Ctx) error {
	one, _ := s.accounts.get(sessionOf(c).Username)
	reply := SecondFactorReply{Required: slices.Contains(s.cfg.SecondFactor, one.Role)}
	if factor := one.SecondFactor; factor != nil {
		reply.Active, reply.Since, reply.RecoveryCodes = true, &factor.Since, len(factor.Recovery)
	}
	return c.JSON(reply)
}

// enrol answers POST /second-factor: the secret of a second factor to be, which takes the place of one that the session got
// before. It is in memory until a right code is given.
func (s *Server) enrol(c *fiber.Ctx) error {
	if err := decode(c, &struct{}{}); err != nil {
		return err
	}
	session := sessionOf(c)
	if one, _ := s.accounts.get(session.Username); one.SecondFactor != nil {
		return errHasFactor()
	}
	key, err := newKey(session.Username)
	if err != nil {
		return err
	}
	rows, err := qrRows(key.URL())
	if err != nil {
		return err
	}
	if err := s.sessions.enrol(session.ID, key.Secret()); err != nil {
		return err
	}
	return c.JSON(EnrolmentReply{Secret: key.Secret(), URI: key.URL(), QR: rows})
}

// activateFactor answers POST /second-factor/activate. Wrong codes are not counted: whoever tries has just been told the secret.
func (s *Server) activateFactor(c *fiber.Ctx) error {
	code, err := codeOf(c)
	if err != nil {
		return err
	}
	session := sessionOf(c)
	if session.enrolling == "" {
		return refuse(codeConflict, "there is no second factor to turn on: begin with POST %s/second-factor", apiPrefix)
	}
	one, codes, err := s.accounts.enable(actorOf(c), session.Username, session.enrolling, code, s.goOn(session))
	if errors.Is(err, errWrongCode) {
		return refuse(codeForbidden, "the code is wrong; if it stays so, set the phone's clock and this server's, which says %s", s.accounts.now().Format("15:04:05 MST"))
	}
	if err != nil {
		return err
	}
	s.enter(c, one)
	return c.JSON(RecoveryCodesReply{RecoveryCodes: codes})
}

// disableFactor answers POST /second-factor/disable: who has nothing but an open session and the password cannot.
func (s *Server) disableFactor(c *fiber.Ctx) error {
	if err := s.takeOwnCode(c); err != nil {
		return err
	}
	session := sessionOf(c)
	one, err := s.accounts.disable(actorOf(c), session.Username, s.goOn(session))
	if err != nil {
		return err
	}
	s.enter(c, one)
	return c.SendStatus(fiber.StatusNoContent)
}

// renewRecoveryCodes answers POST /second-factor/recovery-codes.
func (s *Server) renewRecoveryCodes(c *fiber.Ctx) error {
	if err := s.takeOwnCode(c); err != nil {
		return err
	}
	codes, err := s.accounts.renewCodes(actorOf(c), sessionOf(c).Username)
	if err != nil {
		return err
	}
	return c.JSON(RecoveryCodesReply{RecoveryCodes: codes})
}

// removeFactor answers DELETE /users/{name}/second-factor, for who has lost theirs.
func (s *Server) removeFactor(c *fiber.Ctx) error {
	name := c.Params("name")
	if name == sessionOf(c).Username {
		return refuse(codeConflict, "turn your own second factor off with a code of it, on the page of your account")
	}
	if _, err := s.accounts.disable(actorOf(c), name, s.accounts.changed); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// takeOwnCode takes the code in the body, of who is signed in.
func (s *Server) takeOwnCode(c *fiber.Ctx) error {
	code, err := codeOf(c)
	if err != nil {
		return err
	}
	name := sessionOf(c).Username
	one, _ := s.accounts.get(name)
	if one.SecondFactor == nil {
		return errNoFactor(name)
	}
	attempt, err := s.admit(c, name)
	if err != nil {
		return err
	}
	return s.checkCode(c, one, code, attempt, refuse(codeForbidden, "%s", errWrongCode))
}

func codeOf(c *fiber.Ctx) (string, error) {
	var body struct {
		Code string `json:"code"`
	}
	if err := decode(c, &body); err != nil {
		return "", err
	}
	if plainCode(body.Code) == "" {
		return "", refuse(codeInvalid, "code is needed")
	}
	return body.Code, nil
}
