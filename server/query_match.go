package server

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// query is a compiled q for rows of one type. It is immutable; matching a row allocates nothing.
type query[Row any] struct {
	// canonical is the same for queries that mean the same, however they were written.
	canonical string
	tests     []func(*Row) bool
}

// matches reports whether the row meets every term.
func (q *query[Row]) matches(row *Row) bool {
	for _, test := range q.tests {
		if !test(row) {
			return false
		}
	}
	return true
}

// compileQuery reads q for rows that have the given fields. Errors are *Error of code invalid, with a position.
func compileQuery[Row any](q string, fields []field[Row]) (*query[Row], error) {
	terms, err := parseQuery(q)
	if err != nil {
		return nil, err
	}
	compiled := new(query[Row])
	var canonical []string
	for _, t := range terms {
		test, name, err := compileTerm(q, t, fields)
		if err != nil {
			return nil, err
		}
		if t.negated {
			positive := test
			test = func(row *Row) bool { return !positive(row) }
			name = "-" + name
		}
		compiled.tests = append(compiled.tests, test)
		canonical = append(canonical, name)
	}
	slices.Sort(canonical)
	compiled.canonical = strings.Join(slices.Compact(canonical), " ")
	return compiled, nil
}

func compileTerm[Row any](q string, t term, fields []field[Row]) (test func(*Row) bool, canonical string, err error) {
	if t.field == "" {
		if t.value == "" {
			return nil, "", queryError(q, t.valueAt, "nothing stands between the quotes")
		}
		return compileWord(t, fields), canonicalWord(t), nil
	}
	f := findField(fields, t.field)
	if f == nil {
		hint := "put the word in quotes to look for it as text"
		if strings.HasPrefix(t.value, "//") {
			hint = "put an address like this one in quotes"
		}
		return nil, "", queryError(q, t.at, "there is no field %q here (%s); %s", shorten(t.field), strings.Join(fieldNames(fields), " "), hint)
	}
	if t.value == "" && !t.quoted {
		return nil, "", queryError(q, t.valueAt, "a value must follow %s%s without a space", t.field, t.op)
	}
	canonical = f.name + t.op + canonicalValue(t)
	switch f.kind {
	case textField, enumField:
		if t.op != ":" && t.op != "=" {
			return nil, "", queryError(q, t.opAt, "%s is text and cannot be compared; write %s:value", t.field, t.field)
		}
		wanted := newNeedle(t.value)
		if f.holds != nil && t.op == ":" && t.value != "" {
			return f.holds(t.value), canonical, nil
		}
		if f.kind == enumField || t.op == "=" || t.value == "" {
			return func(row *Row) bool { return wanted.equals(f.text(row)) }, canonical, nil
		}
		return func(row *Row) bool { return wanted.in(f.text(row)) }, canonical, nil
	case timeField:
		from, until, ok := parseTime(t.value)
		if !ok {
			return nil, "", queryError(q, t.valueAt, "%s wants a time such as 2026-01-31 or 2026-01-31T18:00:00Z", t.field)
		}
		return func(row *Row) bool {
			at, known := f.time(row)
			return known && compareTime(t.op, at, from, until)
		}, canonical, nil
	}
	wanted, ok := parseNumber(t.value, f.kind == bytesField)
	if !ok {
		example := "50"
		if f.kind == bytesField {
			example = "100M"
		}
		return nil, "", queryError(q, t.valueAt, "%s wants a number such as %s", t.field, example)
	}
	compare := func(have float64) bool { return compareNumber(t.op, have, wanted) }
	return func(row *Row) bool { return f.any(row, compare) }, canonical, nil
}

// compileWord looks for a word in every text, and for a number in the fields that are met by a bare number.
func compileWord[Row any](t term, fields []field[Row]) func(*Row) bool {
	var tests []func(*Row) bool
	wanted := newNeedle(t.value)
	number, isNumber := parseNumber(t.value, false)
	equal := func(have float64) bool { return have == number }
	for i := range fields {
		f := &fields[i]
		if f.searched {
			tests = append(tests, func(row *Row) bool { return wanted.in(f.text(row)) })
		}
		if f.bareNumber && isNumber && !t.quoted {
			tests = append(tests, func(row *Row) bool { return f.any(row, equal) })
		}
		if f.bareWord != nil && !t.quoted {
			if test := f.bareWord(t.value); test != nil {
				tests = append(tests, test)
			}
		}
	}
	return func(row *Row) bool {
		for _, test := range tests {
			if test(row) {
				return true
			}
		}
		return false
	}
}

func canonicalWord(t term) string {
	if t.quoted {
		return canonicalValue(t)
	}
	return foldString(t.value)
}

func canonicalValue(t term) string {
	return strconv.Quote(foldString(t.value))
}

// parseNumber reads a plain decimal number; where sizes are meant, K M G T P (or KB, KiB …) multiply by powers of 1024.
func parseNumber(s string, size bool) (float64, bool) {
	unit := strings.TrimLeft(s, "-0123456789.")
	digits := s[:len(s)-len(unit)]
	scale, ok := 1.0, unit == "" || unit == "%" && !size
	if size {
		for i, letter := range [...]string{"", "K", "M", "G", "T", "P"} {
			if strings.EqualFold(unit, letter) || strings.EqualFold(unit, letter+"B") || letter != "" && strings.EqualFold(unit, letter+"iB") {
				scale, ok = float64(int64(1)<<(10*i)), true
			}
		}
	}
	if !ok || digits == "" || !isDigit(digits[len(digits)-1]) || !isDigit(strings.TrimPrefix(digits, "-")[0]) {
		return 0, false
	}
	n, err := strconv.ParseFloat(digits, 64)
	return n * scale, err == nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// parseTime reads a time, or a date or an interval FROM/UNTIL: then from and until are its start and end.
func parseTime(s string) (from, until time.Time, ok bool) {
	if day, err := time.Parse(time.DateOnly, s); err == nil {
		return day, day.AddDate(0, 0, 1).Add(-1), true
	}
	if start, end, is := strings.Cut(s, "/"); is {
		from, isFrom := parseInstant(start)
		until, isUntil := parseInstant(end)
		return from, until.Add(-1), isFrom && isUntil
	}
	at, ok := parseInstant(s)
	return at, at, ok
}

func parseInstant(s string) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339Nano, strings.ToUpper(s))
	return at, err == nil
}

func compareNumber(op string, have, wanted float64) bool {
	switch op {
	case ">":
		return have > wanted
	case ">=":
		return have >= wanted
	case "<":
		return have < wanted
	case "<=":
		return have <= wanted
	}
	return have == wanted
}

func compareTime(op string, at, from, until time.Time) bool {
	switch op {
	case ">":
		return at.After(until)
	case ">=":
		return !at.Before(from)
	case "<":
		return at.Before(from)
	case "<=":
		return !at.After(until)
	}
	return !at.Before(from) && !at.After(until)
}

// needle is a text to be looked for in any letter case, folded once.
type needle struct {
	folded string
	runes  []rune
	ascii  bool
}

func newNeedle(s string) needle {
	folded := foldString(s)
	return needle{folded: folded, runes: []rune(folded), ascii: isASCII(folded)}
}

// in reports whether s holds the needle.
func (n *needle) in(s string) bool {
	if n.ascii && len(s) >= len(n.folded) && n.inASCII(s) {
		return true
	}
	if isASCII(s) {
		return n.folded == "" // an ASCII needle was looked for above, and no other can be here
	}
	for i := range s {
		if _, ok := n.prefixOf(s[i:]); ok {
			return true
		}
	}
	return len(n.runes) == 0
}

// inASCII finds a needle of ASCII letters among the ASCII letters of s.
func (n *needle) inASCII(s string) bool {
	folded := n.folded
	if folded == "" {
		return true
	}
	for i := 0; i+len(folded) <= len(s); i++ {
		j := 0
		for j < len(folded) && lowerASCII(s[i+j]) == folded[j] {
			j++
		}
		if j == len(folded) {
			return true
		}
	}
	return false
}

// equals reports whether s is the needle.
func (n *needle) equals(s string) bool {
	rest, ok := n.prefixOf(s)
	return ok && rest == ""
}

func (n *needle) prefixOf(s string) (rest string, ok bool) {
	for _, want := range n.runes {
		r, size := utf8.DecodeRuneInString(s)
		if size == 0 || foldRune(r) != want {
			return s, false
		}
		s = s[size:]
	}
	return s, true
}

// foldString makes texts equal that differ in letter case only.
func foldString(s string) string { return strings.Map(foldRune, s) }

// foldRune picks one of the letters that Unicode's simple case folding holds to be the same: a lower-case one for ASCII.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		return rune(lowerASCII(byte(r)))
	}
	least := r
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		least = min(least, other)
	}
	if least < utf8.RuneSelf { // such as the Kelvin sign
		return rune(lowerASCII(byte(least)))
	}
	return least
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
