package control

import (
	"fmt"
	"strings"
)

// splitWords splits a command line into words as a shell does (POSIX 2.2, quoting), and does nothing else of what a shell
// does: $, *, ~ and the like stay as they are. What would make a shell do something else than run one program with these
// words is refused where it is not quoted, since it would not do what it says.
func splitWords(line string) ([]string, error) {
	if strings.IndexByte(line, 0) >= 0 {
		return nil, &failure{ErrInvalid, "cannot run a command that holds a zero byte"}
	}
	var words []string
	var word strings.Builder
	inWord := false
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote == '\'':
			if c == '\'' {
				quote = 0
			} else {
				word.WriteByte(c)
			}
		case c == '\\':
			i++
			switch {
			case i == len(line):
				return nil, &failure{ErrInvalid, "cannot run a command that ends with a backslash"}
			case quote == '"' && strings.IndexByte("$`\"\\\n", line[i]) < 0:
				word.WriteByte('\\')
				word.WriteByte(line[i])
			case line[i] != '\n': // a line that goes on in the next
				word.WriteByte(line[i])
				inWord = true
			}
		case c == '"':
			inWord = true
			quote ^= '"'
		case quote == '"':
			word.WriteByte(c)
		case c == '\'':
			inWord, quote = true, c
		case c == ' ' || c == '\t':
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
		case strings.IndexByte("|&;<>()\n\r`", c) >= 0:
			return nil, &failure{ErrInvalid, fmt.Sprintf("cannot run a command with %q in it: no shell is started; quote it, or write sh -c '…'", c)}
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if quote != 0 {
		which := "double quote"
		if quote == '\'' {
			which = "single quote"
		}
		return nil, &failure{ErrInvalid, fmt.Sprintf("cannot run a command in which a %s is not closed", which)}
	}
	if inWord {
		words = append(words, word.String())
	}
	if len(words) == 0 || words[0] == "" {
		return nil, &failure{ErrInvalid, "cannot run an empty command"}
	}
	return words, nil
}
