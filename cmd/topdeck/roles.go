package main

import (
	"strings"

	"topdeck/server"
)

// roles are a flag: names of roles with commas between them.
type roles []server.Role

// UnmarshalText is what kong calls.
func (r *roles) UnmarshalText(text []byte) error {
	var list roles
	for name := range strings.SplitSeq(string(text), ",") {
		role, err := server.ParseRole(strings.TrimSpace(name))
		if err != nil {
			return err
		}
		list = append(list, role)
	}
	*r = list
	return nil
}
