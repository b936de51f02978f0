package server

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

type decoded struct {
	Name  string   `json:"name"`
	Count *int     `json:"count"`
	IDs   []string `json:"ids"`
	In    struct {
		Deep bool `json:"deep"`
	} `json:"in"`
}

func TestDecode(t *testing.T) {
	cases := []struct{ body, want string }{ // want is part of the message; empty: taken
		{`{}`, ""},
		{` {"name":"ä","count":null,"ids":[],"in":{"deep":true}} ` + "\r\n\t", ""},
		{`{"name":"a","name":"b"}`, `field "name" is given twice`},
		{`{"name":"a","n\u0061me":"b"}`, `field "name" is given twice`},
		{`{"in":{"deep":true,"deep":true}}`, `field "in.deep" is given twice`},
		{`{"Name":"a"}`, `unknown field "Name"`},
		{`{"NAME":"a"}`, `unknown field "NAME"`},
		{`{"in":{"Deep":true}}`, `unknown field "in.Deep"`},
		{`{"nａme":"a"}`, `unknown field "nａme"`},
		{`{"\u017fame":"a"}`, "unknown field"},
		{`{"name":"\ud800"}`, "not valid JSON"},
		{``, "must be a JSON object"},
		{`null`, "must be a JSON object"},
		{`[]`, "must be a JSON object"},
		{`"{}"`, "must be a JSON object"},
		{"\ufeff{}", "must be a JSON object"},
		{`{`, "not valid JSON"},
		{`{"name":}`, "not valid JSON"},
		{`{'name':'a'}`, "not valid JSON"},
		{`{"name":"a",}`, "not valid JSON"},
		{`{}{}`, "after top-level value"},
		{`{} x`, "after top-level value"},
		{`{}]`, "after top-level value"},
		{`{"other":1}`, `unknown field "other"`},
		{`{"in":{"other":1}}`, `unknown field "in.other"`},
		{`{"name":1}`, `field "name" must not be a number`},
		{`{"name":{}}`, `field "name" must not be a object`},
		{`{"count":"1"}`, `field "count" must not be a string`},
		{`{"count":1.5}`, `field "count" must not be a number 1.5`},
		{`{"count":99999999999999999999}`, `field "count" must not be a number`},
		{`{"ids":["a",2]}`, `field "ids.1" must not be a number`},
		{`{"in":{"deep":"yes"}}`, `field "in.deep" must not be a string`},
		{`{"name":"` + "\xff" + `"}`, "UTF-8"},
		{`{"name":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`, "depth"},
	}
	for _, c := range cases {
		var v decoded
		err := decodeObject([]byte(c.body), &v)
		var refusal *Error
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%.40s: got %v", c.body, err)
		case c.want != "" && (!errors.As(err, &refusal) || refusal.Code != codeInvalid || !strings.Contains(refusal.Message, c.want)):
			t.Errorf("%.40s: got %v, want a refusal with %q", c.body, err, c.want)
		}
	}
}

// FuzzDecode holds decodeObject to: it refuses with "invalid", or what it took is an object that encoding/json takes too.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{}`, `{"name":"a","count":3,"ids":["x"],"in":{"deep":true}}`, `{"name":1}`, `{"x":1}`, `[]`, `{}{}`, "{\"name\":\"\xff\"}", `{"count":1e400}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var v decoded
		err := decodeObject(body, &v)
		var refusal *Error
		switch {
		case err == nil:
			if !utf8.Valid(body) || !json.Valid(body) {
				t.Errorf("took what is no JSON: %q", body)
			}
		case !errors.As(err, &refusal) || refusal.Code != codeInvalid || refusal.Message == "":
			t.Errorf("%q: got %v", body, err)
		}
	})
}
