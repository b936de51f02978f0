package server

import "testing"

func TestProgramOf(t *testing.T) {
	for line, want := range map[string]string{
		"/usr/bin/backup --password=x":             "/usr/bin/backup",
		"TOKEN=s3cret /usr/bin/curl x":             "/usr/bin/curl",
		"A='two words' B=2 \"/opt/a b/run\" --now": "\"/opt/a b/run\"",
		"TOKEN=s3cret":                             "",
		"./a=b x":                                  "./a=b",
		"":                                         "",
	} {
		if got := programOf(line); got != want {
			t.Errorf("of %q a viewer sees %q, want %q", line, got, want)
		}
	}
}
