package server

// Role is what an account may do; each includes the one before it.
type Role string

const (
	Viewer   Role = "viewer"
	Operator Role = "operator"
	Admin    Role = "admin"
)

// ParseRole reads a role as the command line and the API write it.
func ParseRole(text string) (Role, error) {
	switch role := Role(text); role {
	case Viewer, Operator, Admin:
		return role, nil
	}
	return "", refuse(codeInvalid, "role must be admin, operator or viewer")
}

// may tells whether the role is enough for a rule. No role is enough for a missing rule.
func (r Role) may(a access) bool {
	switch a {
	case anybody, forViewer:
		return r == Viewer || r == Operator || r == Admin
	case forOperator:
		return r == Operator || r == Admin
	case forAdmin:
		return r == Admin
	}
	return false
}
