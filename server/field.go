package server

import (
	"cmp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// fieldKind tells how a query compares a field.
type fieldKind uint8

const (
	textField   fieldKind = iota // holds the value, in any letter case
	enumField                    // one of a few words: equals the value
	numberField                  // also percentages and seconds
	bytesField                   // a number that may be asked for as 100M
	timeField
)

// field describes one field of a row: what a query and a sort order can do with it. The getter of its kind is set.
type field[Row any] struct {
	name    string // as in JSON
	aliases []string
	kind    fieldKind

	text func(*Row) string                          // textField, enumField
	any  func(row *Row, ok func(float64) bool) bool // numbers: whether one of them is ok; false when none is known
	time func(*Row) (at time.Time, known bool)      // timeField

	compare    func(a, b *Row) int // sort order, ascending; nil when rows cannot be sorted by it
	descending bool                // the order when a sort names none

	searched   bool                                   // bare words look in it
	bareNumber bool                                   // a bare number that equals it meets the row
	bareWord   func(value string) func(*Row) bool     // another meaning of a bare word; nil, or gives nil, when there is none
	holds      func(value string) (f func(*Row) bool) // replaces what field:value means for a text
}

// alias adds short names.
func (f field[Row]) alias(names ...string) field[Row] {
	f.aliases = append(f.aliases, names...)
	return f
}

// named makes a number one that names something, as a PID does: a bare number asks for it, and its order is ascending.
func (f field[Row]) named() field[Row] {
	f.bareNumber, f.descending = true, false
	return f
}

// text is a field that bare words look in.
func text[Row any](name string, get func(*Row) string) field[Row] {
	return field[Row]{name: name, kind: textField, text: get, searched: true,
		compare: func(a, b *Row) int { return compareFold(get(a), get(b)) }}
}

// words is a field of several words, which are asked for by its name only.
func words[Row any](name string, get func(*Row) []string) field[Row] {
	f := text(name, func(row *Row) string { return strings.Join(get(row), " ") })
	f.searched = false
	return f
}

// enum is a text of a few known words.
func enum[Row any](name string, get func(*Row) string) field[Row] {
	f := text(name, get)
	f.kind = enumField
	return f
}

// number is a field that is always known.
func number[Row any](name string, kind fieldKind, get func(*Row) float64) field[Row] {
	return optional(name, kind, func(row *Row) (float64, bool) { return get(row), true })
}

// optional is a number that may be unknown.
func optional[Row any](name string, kind fieldKind, get func(*Row) (n float64, known bool)) field[Row] {
	return field[Row]{name: name, kind: kind, descending: true,
		any: func(row *Row, ok func(float64) bool) bool {
			n, known := get(row)
			return known && ok(n)
		},
		compare: func(a, b *Row) int {
			x, known := get(a)
			y, knownToo := get(b)
			if !known || !knownToo {
				return compareBool(known, knownToo)
			}
			return cmp.Compare(x, y)
		}}
}

// list is a field of several numbers that name something; its order is that of the first.
func list[Row any](name string, get func(*Row) []int) field[Row] {
	return field[Row]{name: name, kind: numberField, bareNumber: true,
		any: func(row *Row, ok func(float64) bool) bool {
			for _, n := range get(row) {
				if ok(float64(n)) {
					return true
				}
			}
			return false
		},
		compare: func(a, b *Row) int {
			x, y := get(a), get(b)
			if len(x) == 0 || len(y) == 0 {
				return compareBool(len(x) > 0, len(y) > 0)
			}
			return cmp.Compare(x[0], y[0])
		}}
}

// at is a time that may be unknown.
func at[Row any](name string, get func(*Row) (time.Time, bool)) field[Row] {
	return field[Row]{name: name, kind: timeField, time: get, descending: true,
		compare: func(a, b *Row) int {
			x, known := get(a)
			y, knownToo := get(b)
			if !known || !knownToo {
				return compareBool(known, knownToo)
			}
			return x.Compare(y)
		}}
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// compareFold orders texts without regard to letter case.
func compareFold(a, b string) int {
	for a != "" && b != "" {
		x, n := utf8.DecodeRuneInString(a)
		y, m := utf8.DecodeRuneInString(b)
		if x != y {
			if c := cmp.Compare(foldRune(x), foldRune(y)); c != 0 {
				return c
			}
		}
		a, b = a[n:], b[m:]
	}
	return cmp.Compare(len(a), len(b))
}

// findField finds a field by its name or a short name, in any letter case.
func findField[Row any](fields []field[Row], name string) *field[Row] {
	for i := range fields {
		if strings.EqualFold(fields[i].name, name) {
			return &fields[i]
		}
	}
	for i := range fields {
		for _, alias := range fields[i].aliases {
			if strings.EqualFold(alias, name) {
				return &fields[i]
			}
		}
	}
	return nil
}

func fieldNames[Row any](fields []field[Row]) []string {
	names := make([]string, len(fields))
	for i := range fields {
		names[i] = fields[i].name
	}
	return names
}

// addressTest is what a search for an address means: the address holds the value, the port is the value, or, for
// address:port (IPv6 in brackets, * for any address), both.
func addressTest[Row any](value string, address func(*Row) string, port func(*Row) int) func(*Row) bool {
	whole := newNeedle(value)
	head, tail := "", value
	if i := strings.LastIndexByte(value, ':'); i >= 0 {
		head, tail = value[:i], value[i+1:]
	}
	wanted, err := strconv.ParseUint(tail, 10, 16)
	bracketed := strings.HasPrefix(head, "[") && strings.HasSuffix(head, "]")
	if err != nil || strings.Contains(head, ":") && !bracketed {
		whole = newNeedle(strings.Trim(value, "[]"))
		return func(row *Row) bool { return whole.in(address(row)) }
	}
	part := newNeedle(strings.Trim(head, "[]*"))
	return func(row *Row) bool {
		return port(row) == int(wanted) && part.in(address(row)) || whole.in(address(row))
	}
}
