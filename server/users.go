package server

import (
	"github.com/gofiber/fiber/v2"
)

// listUsers answers GET /users.
func (s *Server) listUsers(c *fiber.Ctx) error {
	return c.JSON(UsersReply{Users: s.accounts.List()})
}

// addUser answers POST /users.
func (s *Server) addUser(c *fiber.Ctx) error {
	var body struct {
		Username string `json:"username"`
		Password string `json:"password"`
		Role     Role   `json:"role"`
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	row, err := s.accounts.Add(actorOf(c), body.Username, body.Password, body.Role)
	if err != nil {
		return err
	}
	return c.Status(fiber.StatusCreated).JSON(row)
}

// changeUser answers PATCH /users/{name}. Anybody may change their own password, giving the one they have; the rest is for
// administrators who have just given theirs.
func (s *Server) changeUser(c *fiber.Ctx) error {
	var body struct {
		Role            *Role   `json:"role"`
		Password        *string `json:"password"`
		CurrentPassword *string `json:"currentPassword"`
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	session, name := sessionOf(c), c.Params("name")
	own := name == session.Username
	if !own || body.Role != nil {
		if err := s.demand(session, forAdmin, true); err != nil {
			return err
		}
	}
	if body.Role == nil && body.Password == nil {
		return refuse(codeInvalid, "nothing to change: give role, password or both")
	}
	if own && body.Password != nil {
		if body.CurrentPassword == nil {
			return refuse(codeInvalid, "currentPassword is needed to change your own password")
		}
		if err := CheckPassword(*body.Password); err != nil {
			return err
		}
		if _, err := s.checkPassword(c, name, *body.CurrentPassword, refuse(codeForbidden, "the current password is wrong")); err != nil {
			return err
		}
	} else if body.CurrentPassword != nil {
		return refuse(codeInvalid, "currentPassword goes with your own new password only")
	}
	goesOn, changed := own && body.Password != nil, s.accounts.changed
	if goesOn {
		changed = s.goOn(session)
	}
	one, err := s.accounts.update(actorOf(c), name, body.Role, body.Password, changed)
	if err != nil {
		return err
	}
	if goesOn {
		// All sessions of the account have ended, this one too; the browser that gave the password goes on with a new one.
		s.enter(c, one)
	}
	return c.JSON(one.row())
}

// removeUser answers DELETE /users/{name}.
func (s *Server) removeUser(c *fiber.Ctx) error {
	if err := s.accounts.Remove(actorOf(c), c.Params("name")); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}
