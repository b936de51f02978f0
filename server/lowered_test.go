package server

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"topdeck/control"
)

// TestARoleThatIsLostMeanwhile takes the role, or the account, of who has begun a command or an act on a service, while that runs: it goes on, for it
// was begun by right, and its record says by whom. But who began it sees no more of it than others of the new role, and cannot end it.
func TestARoleThatIsLostMeanwhile(t *testing.T) {
	folder := t.TempDir()
	gate := func(name string) string { return filepath.Join(folder, name) }
	open := func(name string) {
		if err := os.WriteFile(gate(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	waits := func(name string) string { return "until test -e " + gate(name) + "; do sleep 0.02; done" }
	s := startActing(t, scripts(t, map[string]string{"slow": "start) " + waits("service") + ";;\nstatus) exit 0;;"}))
	admin := s.signedIn("bea", Admin)
	other := admin.live()
	watch := func(c *dialled, id string) {
		c.say(`{"watch":{"id":"` + id + `","topic":"output","operation":"` + id + `"}}`)
	}
	shows := func(c *dialled, id, text string) {
		t.Helper()
		c.until(text, func(f *follower) bool { v := f.view(id); return v != nil && v.text() == text })
	}
	run := func(b *browser, name string) answer {
		return b.want(202, "POST", "/commands", map[string]any{"command": fmt.Sprintf("sh -c 'echo secret; %s; echo more'", waits(name))})
	}
	// powerless is what anybody of the role of a viewer is told of an operation.
	powerless := func(b *browser, op control.Operation) {
		t.Helper()
		b.want(403, "GET", "/operations/"+op.ID+"/output", nil)
		b.want(403, "POST", "/operations/"+op.ID+"/cancel", `{}`)
		got := into[OperationReply](t, b.want(200, "GET", "/operations/"+op.ID, nil)).Operation
		if strings.Contains(fmt.Sprintf("%+v", got), "secret") || got.RetStatus != control.Running || got.Actor != op.Actor {
			t.Errorf("who is a viewer now is told %+v", got)
		}
		c := b.live()
		c.until("hello", func(f *follower) bool { return f.hello != nil && f.hello.Role == Viewer })
		watch(c, op.ID)
		c.until("the refusal", func(f *follower) bool { return strings.Contains(fmt.Sprint(f.refused), op.ID) })
	}

	ann := s.signedIn("ann", Admin)
	begun := run(ann, "lowered")
	op := into[OperationReply](t, begun).Operation
	own := ann.live()
	watch(own, op.ID)
	watch(other, op.ID)
	shows(own, op.ID, "secret\n")
	admin.want(200, "PATCH", "/users/ann", map[string]string{"role": "viewer"})
	if code := own.closed(); code != closeSessionEnded {
		t.Errorf("the socket of who is no administrator any more is closed with %d", code)
	}
	ann.want(401, "POST", "/operations/"+op.ID+"/cancel", `{}`)
	ann.signIn("ann")
	powerless(ann, op)
	open("lowered")
	shows(other, op.ID, "secret\nmore\n")
	if text := own.follower.view(op.ID).text(); text != "secret\n" {
		t.Errorf("after the end of its session a socket got %q", text)
	}
	if op := s.outcome(begun); op.RetStatus != control.Succeeded || op.Actor != "ann" {
		t.Errorf("it became %+v", op)
	}

	cyd := s.signedIn("cyd", Admin)
	begun = run(cyd, "never")
	op = into[OperationReply](t, begun).Operation
	watch(other, op.ID)
	shows(other, op.ID, "secret\n")
	admin.want(204, "DELETE", "/users/cyd", nil)
	cyd.want(401, "GET", "/operations/"+op.ID+"/output", nil)
	powerless(s.signedIn("cyd", Viewer), op) // another one of that name
	admin.want(202, "POST", "/operations/"+op.ID+"/cancel", `{}`)
	if op := s.outcome(begun); op.RetStatus != control.Failed || op.Actor != "cyd" || !strings.Contains(op.Message, "canceled by bea") {
		t.Errorf("it became %+v", op)
	}

	oda := s.signedIn("oda", Operator)
	begun = oda.want(202, "POST", "/services/slow/actions", map[string]string{"action": "start"})
	admin.want(200, "PATCH", "/users/oda", map[string]string{"role": "viewer"})
	oda.signIn("oda")
	oda.want(403, "POST", "/services/slow/actions", map[string]string{"action": "stop"})
	oda.want(403, "POST", "/operations/"+into[OperationReply](t, begun).Operation.ID+"/cancel", `{}`)
	open("service")
	if op := s.outcome(begun); op.RetStatus != control.Succeeded || op.Actor != "oda" {
		t.Errorf("it became %+v", op)
	}
	t.Log("row 4: a role, or an account, that is lost while a command or an act of it runs: that goes on and is told as it is, nothing more of it reaches who began it, who cannot end it either")
}
