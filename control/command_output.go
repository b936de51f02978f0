package control

import (
	"strings"
	"sync"
)

const (
	maxOutput = 1 << 20
	maxTail   = 32 << 10
)

// output keeps the first and the last part of what a command writes, and passes all of it on.
type output struct {
	mu        sync.Mutex
	head      []byte
	last      []byte // at most twice maxTail
	total     int
	ended     bool
	followers map[*func([]byte)]bool
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.total += len(p)
	o.head = append(o.head, p[:min(len(p), maxOutput-len(o.head))]...)
	o.last = append(o.last, p[max(0, len(p)-maxTail):]...)
	if len(o.last) > 2*maxTail {
		o.last = append(o.last[:0], o.last[len(o.last)-maxTail:]...)
	}
	for f := range o.followers {
		(*f)(p)
	}
	return len(p), nil
}

func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	for f := range o.followers {
		(*f)(nil)
	}
	o.followers = nil
}

func (o *output) follow(f func([]byte)) (stop func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.head) > 0 {
		f(o.head)
	}
	if o.ended {
		f(nil)
		return func() {}
	}
	if o.followers == nil {
		o.followers = map[*func([]byte)]bool{}
	}
	o.followers[&f] = true
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.followers, &f)
	}
}

func (o *output) text() (text string, truncated bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.ToValidUTF8(string(o.head), "?"), o.total > len(o.head)
}

// tail is the end of the output, which is where reasons are.
func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.total > maxTail {
		return "…" + string(o.last[len(o.last)-maxTail:])
	}
	return string(o.last)
}
