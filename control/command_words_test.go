package control

import (
	"strings"
	"testing"
)

func TestWordsOfACommand(t *testing.T) {
	o := order{"1", "/usr/bin/printf", []string{"printf", "%s|", "a;b", "", "$HOME", `\;`, "ü\n", "-"}}
	word := o.encode()
	if strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Errorf("%q holds more than letters and digits", word)
	}
	for _, word := range []string{"", "!", "L3g", word + "!"} { // L3g is /x
		if err := Exec(word, nil); err == nil || !strings.Contains(err.Error(), "not the words") {
			t.Errorf("%q: %v", word, err)
		}
	}
	if err := Exec(order{path: "/nonexistent/program", args: []string{"program"}}.encode(), nil); err == nil || !strings.Contains(err.Error(), "/nonexistent/program") {
		t.Errorf("no such program: %v", err)
	}
}
