package control

import (
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// tellingLines is how many of the last lines telling looks at.
const tellingLines = 20

// telling is that one of the last lines of what failed which is most like a reason; of several such, the last. Programs often
// say that they failed after they said why.
func telling(lines []string) string {
	best, most, before := "", -1, ""
	for _, line := range lines[max(0, len(lines)-tellingLines):] {
		lower, score := strings.ToLower(line), 0
		for _, words := range reasonWords {
			if slices.ContainsFunc(words.any, func(word string) bool { return strings.Contains(lower, word) }) {
				score += words.score
			}
		}
		if place.MatchString(line) {
			score++
		}
		if quoted.MatchString(line) {
			score++
		}
		if strings.TrimSpace(line) != "" && score >= most {
			best, most = line, score
			if strings.HasPrefix(before, ">>> ") && !place.MatchString(line) && !quoted.MatchString(line) { // it names nothing; that does, as Redis has it
				best = before
			}
		}
		before = line
	}
	return oneLine(best, maxMessage)
}

// reasonWords are what makes a line look like a reason.
var reasonWords = []struct {
	score int
	any   []string
}{
	{4, errnoTexts()},
	{2, []string{"cannot", "can't", "could not", "unable", "unknown", "unrecognized", "bad ", "wrong", "duplicate", "neither", "invalid", "unexpected", "no such", "not found", "missing", "syntax", "already", "refused", "denied"}},
	{1, []string{"emerg", "alert", "crit", "fatal", "panic", "error", "exception", "fail"}},
}

// place is where in a file something is: "nginx.conf:84", "line 3".
var place = regexp.MustCompile(`\.[a-z]\w*:\d+|\bline \d+`)

// quoted is what a line names: a parameter and its value, a directive, a file.
var quoted = regexp.MustCompile(`"[^"]+"|(^|\W)'[^']+'`)

// errnoTexts are strerror(3)'s words for what the kernel may refuse, in lower case.
func errnoTexts() (texts []string) {
	for n := syscall.Errno(1); n <= syscall.ENOTRECOVERABLE; n++ {
		if text := n.Error(); !strings.HasPrefix(text, "errno ") {
			texts = append(texts, text)
		}
	}
	return texts
}
