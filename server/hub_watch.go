package server

import (
	"context"
	"time"

	"topdeck/collector"
	"topdeck/control"
)

// watch answers a client's watch: with the name of the view, and then with the view. An error is an *Error.
func (h *hub) watch(c *liveClient, w Watch) error {
	if w.ID == "" || len(w.ID) > maxWatchID {
		return refuse(codeInvalid, "a watch needs an id of 1 to %d bytes", maxWatchID)
	}
	fresh, err := h.newView(w, c.role)
	if err != nil {
		return err
	}
	release := h.collector.Watch(fresh.parts) // outside of the lock; what is not needed is released again
	defer func() {
		if release != nil {
			release()
		}
	}()

	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx.Err() != nil {
		return errGoingAway()
	}
	v := h.views[fresh.name]
	if v == nil {
		if len(h.views) >= maxViews || h.viewsOf(c.username) >= maxViewsPerAccount {
			return tooMany("too many different views are open", 10*time.Second)
		}
		v = fresh
		v.by = c.username
		h.lastView++
		v.id = h.lastView
	}
	f, err := c.watch(w.ID, v)
	if err != nil {
		return err
	}
	v.clients[c] = f
	if v == fresh {
		v.release, release = release, nil
		h.views[v.name] = v
		if v.stream != nil {
			released, stop := v.release, h.startStream(c, w.ID, v)
			v.release = func() { stop(); released() }
			return nil
		}
		h.advance(v, &tick{sample: h.latest, masked: &h.masked})
		if v.topic == "services" {
			h.servicesChanged()
		}
	}
	return nil
}

// viewsOf counts the views that an account's clients were the first to watch.
func (h *hub) viewsOf(username string) (n int) {
	for _, v := range h.views {
		if v.by == username {
			n++
		}
	}
	return n
}

// unwatch ends a client's watch.
func (h *hub) unwatch(c *liveClient, id string) error {
	h.mu.Lock()
	v, last, err := c.unwatch(id)
	release := func() {}
	if last {
		release = h.unwatchView(v, c)
	}
	h.mu.Unlock()
	release()
	return err
}

// unwatchView takes a client off a view, and ends the view when it was the last. The result is to be called without
// the lock.
func (h *hub) unwatchView(v *view, c *liveClient) (release func()) {
	delete(v.clients, c)
	if len(v.clients) > 0 {
		return func() {}
	}
	delete(h.views, v.name)
	return v.release
}

// publish brings every view up to date with a new sample. It never waits for a client.
func (h *hub) publish(sample *collector.Sample) {
	h.mu.Lock()
	h.latest = sample
	t := &tick{sample: sample, masked: &h.masked}
	for _, v := range h.views {
		h.advance(v, t)
	}
	h.mu.Unlock()
	h.servicesChanged()
}

// advance brings one view up to date and wakes those who watch it.
func (h *hub) advance(v *view, t *tick) {
	if v.content == nil {
		return
	}
	before := v.state.Load()
	if err := v.advance(t); err != nil {
		h.logger.Error("cannot bring a view up to date", "view", v.name, "error", err)
	}
	if v.state.Load() != before {
		for c, f := range v.clients {
			c.wake(f)
		}
	}
}

// servicesChanged has the services read again, soon. It never waits.
func (h *hub) servicesChanged() {
	select {
	case h.kick <- struct{}{}:
	default:
	}
}

// readServices asks the managers, on its own goroutine because they may be slow to answer, whenever services may have
// changed while somebody watches them.
func (h *hub) readServices() {
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-h.kick:
		}
		if !h.watched("services") {
			continue
		}
		ask, done := context.WithTimeout(h.ctx, servicesWait)
		services, reasons := h.services.Services(ask)
		done()
		h.mu.Lock()
		sample := h.latest
		h.mu.Unlock()
		t := &tick{services: &frame[control.Service]{time: time.Now(), rows: pointers(JoinServices(services, sample)), errors: orEmpty(reasons)}}
		h.mu.Lock()
		for _, v := range h.views {
			h.advance(v, t)
		}
		h.mu.Unlock()
		select {
		case <-h.ctx.Done():
			return
		case <-time.After(servicesPause):
		}
	}
}

func (h *hub) watched(topic string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, v := range h.views {
		if v.topic == topic {
			return true
		}
	}
	return false
}
