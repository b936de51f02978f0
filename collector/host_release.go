package collector

import (
	"errors"
	"io/fs"
	"strings"
)

// osName is the operating system's name for people. Source: os-release(5).
func (r *HostReader) osName() (string, error) {
	const name, fallback = "/etc/os-release", "/usr/lib/os-release"
	data, err := r.read(name, 64<<10)
	if errors.Is(err, fs.ErrNotExist) {
		if data, err = r.read(fallback, 64<<10); errors.Is(err, fs.ErrNotExist) {
			return "", errors.New("neither " + name + " nor " + fallback + " exists")
		}
	}
	if err != nil {
		return "", err
	}
	if pretty := parseRelease(string(data)); pretty != "" {
		return clean(pretty, maxName), nil
	}
	return "", errors.New(name + " names no operating system")
}

// parseRelease returns the pretty name in the text of an os-release file, or else the name and version.
func parseRelease(text string) string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[key] = unquote(value)
		}
	}
	if values["PRETTY_NAME"] != "" {
		return values["PRETTY_NAME"]
	}
	return strings.TrimSpace(values["NAME"] + " " + values["VERSION"])
}

// unquote takes the quotes and backslashes from a value as the shell would, but expands nothing.
func unquote(value string) string {
	var text strings.Builder
	quote := rune(0)
	escaped := false
	for _, c := range value {
		switch {
		case escaped:
			if quote == '"' && !strings.ContainsRune("\"\\$`", c) {
				text.WriteByte('\\')
			}
			text.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped = true
		case c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && (c == ' ' || c == '\t'):
			return text.String() // the shell would see another word
		default:
			text.WriteRune(c)
		}
	}
	return text.String()
}
