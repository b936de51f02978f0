package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	minInterval = 100 * time.Millisecond
	maxInterval = time.Minute

	// basis is the shortest time between two readings that gives a CPU percent worth showing: twenty clock ticks.
	basis = 200 * time.Millisecond
	// fresh is how old a sample may be to still answer Collect.
	fresh = time.Second
)

// ErrStopped is what Collect returns once Run has ended.
var ErrStopped = errors.New("cannot collect: the collector has stopped")

// Config tells a Collector how often, and from where, to read.
type Config struct {
	Interval       time.Duration // between two samples, 100 ms to 60 s
	Proc, Sys, Etc string        // roots; empty means /proc, /sys, /etc
	Source         string        // of processes: "proc", "bpf", or "auto" (or empty) for the best that can be had
	Logger         *slog.Logger  // nil means slog.Default()
}

// Collector reads the host. Its methods may be called from any goroutine; the reading itself is done by the one
// goroutine that is in Run.
type Collector struct {
	interval time.Duration
	log      *slog.Logger
	reader   *reader // owned by the goroutine in Run

	started atomic.Bool
	stopped chan struct{}
	wake    chan struct{} // holds a token when there is something new in watched or pending

	mu      sync.Mutex
	watched [partCount]int
	left    Parts // watched at the last tick or since, though by nobody now; let go of at the next one
	added   bool  // a part came to be watched that no sample holds yet
	pending []*request
	recent  [1 << partCount]*Sample // the newest with just these parts, while it is fresh
	history history
}

// request is one call of Collect that waits for its sample.
type request struct {
	parts Parts
	reply chan *Sample // holds one
}

// New returns a collector that reads nothing until Run. It is an error when the interval is out of range, the proc root
// cannot be read, or the source of processes cannot be had.
func New(config Config) (*Collector, error) {
	if config.Interval < minInterval || config.Interval > maxInterval {
		return nil, fmt.Errorf("cannot collect every %v: give an interval from %v to %v", config.Interval, minInterval, maxInterval)
	}
	if config.Proc == "" {
		config.Proc = "/proc"
	}
	if config.Sys == "" {
		config.Sys = "/sys"
	}
	if config.Etc == "" {
		config.Etc = "/etc"
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	reader, err := newReader(config)
	if err != nil {
		return nil, err
	}
	return &Collector{
		interval: config.Interval,
		log:      config.Logger,
		reader:   reader,
		stopped:  make(chan struct{}),
		wake:     make(chan struct{}, 1),
		history:  newHistory(config.Interval),
	}, nil
}

// Source tells where processes are read from now, and where that is "proc" and a better source was wanted, why it is not that.
func (c *Collector) Source() Source { return c.reader.sources.source() }

// Interval is the time between two samples.
func (c *Collector) Interval() time.Duration { return c.interval }

// Run samples until ctx ends, then returns nil; it can be called once. Publish is called, from this goroutine, with every
// tick's sample, and with the extra sample that is taken when a part comes to be watched; it must not block.
// The first sample comes about 200 ms after the start, the next an interval later.
func (c *Collector) Run(ctx context.Context, publish func(*Sample)) error {
	if !c.started.CompareAndSwap(false, true) {
		return errors.New("cannot run a collector twice: make a new one")
	}
	defer close(c.stopped)
	defer c.reader.end()

	if s := c.Source(); s.Reason == "" {
		c.reader.config.Logger.Info("reading processes", "source", s.Name)
	} else {
		c.reader.config.Logger.Info("reading processes", "source", s.Name, "not-bpf", s.Reason)
	}
	c.reader.start(time.Now())
	c.prepare()
	first := time.NewTimer(basis)
	defer first.Stop()
	var ticker time.Ticker // from the first sample on
	due := time.NewTimer(maxInterval)
	defer due.Stop()

	for ticking := false; ; {
		tick := false
		select {
		case <-ctx.Done():
			return nil
		case <-first.C:
			t := time.NewTicker(c.interval)
			defer t.Stop()
			ticker.C, ticking, tick = t.C, true, true
		case <-ticker.C:
			tick = true
		case <-due.C:
		case <-c.wake:
		}
		if tick {
			c.letGo()
		}
		late, wait := c.prepare()
		if wait > 0 {
			due.Reset(wait)
		}
		if ticking {
			c.step(tick, late, publish)
		}
	}
}

// prepare makes the first of the two readings that CPU percentages need, where they are wanted and none is there. It
// tells the parts that cannot be sampled yet, and how long they have to wait.
func (c *Collector) prepare() (late Parts, wait time.Duration) {
	watched, asked, _ := c.wanted()
	c.reader.follow(time.Now(), watched)
	if (watched | asked).Has(PartProcesses) {
		if wait = c.reader.prepare(time.Now()); wait > 0 {
			return PartProcesses, wait
		}
	}
	return 0, 0
}

// step takes the samples that are due: of what is watched at a tick or when it is new, and of what is asked for.
func (c *Collector) step(tick bool, late Parts, publish func(*Sample)) {
	watched, _, extra := c.wanted()
	extra = extra && watched&late == 0
	if tick || extra {
		s := c.reader.sample(time.Now(), watched&^late, true)
		c.settle(s, tick, extra)
		publish(s)
	}
	if _, asked, _ := c.wanted(); asked != 0 && asked&late == 0 {
		c.settle(c.reader.sample(time.Now(), asked, false), false, false)
	}
}

// wanted tells the parts that are watched, those that Collect waits for, and whether a watched part is new.
func (c *Collector) wanted() (watched, asked Parts, extra bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	watched = c.left
	for i, n := range c.watched {
		if n > 0 {
			watched |= 1 << i
		}
	}
	for _, r := range c.pending {
		asked |= r.parts
	}
	return watched, asked, c.added
}

// letGo forgets, at a tick, what nobody watches any more.
func (c *Collector) letGo() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = 0
}

// settle keeps the sample and answers the requests that it serves.
func (c *Collector) settle(s *Sample, tick, extra bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, old := range c.recent {
		if old != nil && s.Time.Sub(old.Time) > fresh {
			c.recent[i] = nil
		}
	}
	c.recent[s.Parts] = s
	if extra {
		c.added = false
	}
	if tick && c.history.isDue(s.Time) {
		c.history.add(c.reader.point(s))
	}
	rest := c.pending[:0]
	for _, r := range c.pending {
		if s.Parts.Has(r.parts) {
			r.reply <- s
		} else {
			rest = append(rest, r)
		}
	}
	clear(c.pending[len(rest):])
	c.pending = rest
}

func (c *Collector) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Watch asks for parts in every tick's sample until release is called. Watches are counted, and release may be called
// more than once. When no one watched a part before, an extra sample with it follows within about 200 ms. A part stays
// watched from its release to the next tick, so that who watches and unwatches in a loop causes one extra sample a tick at most.
func (c *Collector) Watch(p Parts) (release func()) {
	p &= allParts
	c.mu.Lock()
	for i := range c.watched {
		if p&(1<<i) != 0 {
			c.watched[i]++
			c.added = c.added || c.watched[i] == 1 && c.left&(1<<i) == 0
		}
	}
	c.left &^= p
	c.mu.Unlock()
	c.signal()
	return sync.OnceFunc(func() {
		c.mu.Lock()
		for i := range c.watched {
			if p&(1<<i) != 0 {
				if c.watched[i]--; c.watched[i] == 0 {
					c.left |= 1 << i
				}
			}
		}
		c.mu.Unlock()
	})
}

// Collect returns a sample that holds p and is no older than about a second: the latest one if it serves, else one that
// is read now, with CPU percentages from two readings at least 200 ms apart. Callers at the same time share it. A sample
// that is read for Collect has no Ended: those belong to the samples that Run publishes.
// It waits for Run to start, and ends with ctx; once Run has ended it returns ErrStopped.
func (c *Collector) Collect(ctx context.Context, p Parts) (*Sample, error) {
	p &= allParts
	select {
	case <-c.stopped:
		return nil, ErrStopped
	default:
	}
	c.mu.Lock()
	if s := c.serves(p, time.Now()); s != nil {
		c.mu.Unlock()
		return s, nil
	}
	r := &request{parts: p, reply: make(chan *Sample, 1)}
	c.pending = append(c.pending, r)
	c.mu.Unlock()
	c.signal()

	select {
	case s := <-r.reply:
		return s, nil
	case <-ctx.Done():
		c.forget(r)
		return nil, ctx.Err()
	case <-c.stopped:
		c.forget(r)
		return nil, ErrStopped
	}
}

// serves is the newest fresh sample that holds p, or nil.
func (c *Collector) serves(p Parts, now time.Time) (newest *Sample) {
	for _, s := range c.recent {
		if s != nil && s.Parts.Has(p) && now.Sub(s.Time) <= fresh && (newest == nil || s.Time.After(newest.Time)) {
			newest = s
		}
	}
	return newest
}

// forget drops a request that nobody waits for any more.
func (c *Collector) forget(r *request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.pending {
		if c.pending[i] == r {
			c.pending = append(c.pending[:i], c.pending[i+1:]...)
			return
		}
	}
}

// History is the summary of the last 15 minutes, oldest first: one point a second, or an interval where that is longer.
func (c *Collector) History() (interval time.Duration, points []Point) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.history.step, c.history.list()
}
