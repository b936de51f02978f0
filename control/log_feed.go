package control

import "sync"

// notice is what subscribers are told.
type notice struct {
	op     *Operation
	unseen int
}

// feed carries changes from writers to subscribers, in order, without a writer ever waiting for a subscriber.
type feed struct {
	mu          sync.Mutex
	queue       []func()
	subscribers []func(op *Operation, unseen int)
	wake        chan struct{}
}

func (f *feed) subscribe(s func(op *Operation, unseen int)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.subscribers = append(f.subscribers[:len(f.subscribers):len(f.subscribers)], s)
}

func (f *feed) add(c notice) {
	f.mu.Lock()
	for _, s := range f.subscribers {
		var op *Operation
		if c.op != nil { // a copy each: what one does with it, another does not see
			copied := *c.op
			op = &copied
		}
		f.queue = append(f.queue, func() { s(op, c.unseen) })
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// run calls the subscribers until quit closes and nothing is left to tell.
func (f *feed) run(quit <-chan struct{}) {
	for quitting := false; ; {
		f.mu.Lock()
		calls := f.queue
		f.queue = nil
		f.mu.Unlock()
		for _, call := range calls {
			call()
		}
		if len(calls) > 0 {
			continue
		}
		if quitting {
			return
		}
		select {
		case <-f.wake:
		case <-quit:
			quitting = true
		}
	}
}
