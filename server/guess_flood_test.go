package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// guessFlood offers guesses by a schedule, whatever becomes of those before: each on the connection that has waited longest for one.
type guessFlood struct {
	s       *testServer
	waiting chan *guesser
	all     sync.WaitGroup

	offered, withheld atomic.Int64 // as the schedule has it; for want of a connection that waits, of which there are many
	wrong, slowed     atomic.Int64 // answered: the password was checked, or not
	failed            atomic.Int64 // not answered

	mu    sync.Mutex
	known map[string]bool // the addresses of which a password was checked
}

// guesser is a connection that guesses come from.
type guesser struct {
	address string
	name    chan string // of the account that is to be guessed at
}

// flood begins a flood of so many guesses a second on so many connections: half of them from the first of the addresses, the others from
// the rest. It ends with the context.
func (s *testServer) flood(ctx context.Context, rate, connections int, addresses []string) *guessFlood {
	f := &guessFlood{s: s, waiting: make(chan *guesser, connections), known: map[string]bool{}}
	for i := range connections {
		address := addresses[0]
		if i%2 == 1 {
			address = addresses[1+i/2%(len(addresses)-1)]
		}
		g := &guesser{address, make(chan string, 1)}
		f.waiting <- g
		f.all.Go(func() { f.guess(ctx, g) })
	}
	began := time.Now()
	f.all.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			time.Sleep(time.Until(began.Add(time.Duration(n) * time.Second / time.Duration(rate))))
			name := "ann"
			if n%3 == 0 {
				name = fmt.Sprint("user", n)
			}
			select {
			case g := <-f.waiting:
				g.name <- name
				f.offered.Add(1)
			default:
				f.withheld.Add(1)
			}
		}
	})
	return f
}

// tried counts the addresses of which a password was checked.
func (f *guessFlood) tried() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.known)
}

// guess makes the guesses that a connection is for.
func (f *guessFlood) guess(ctx context.Context, g *guesser) {
	dialer := net.Dialer{Timeout: time.Minute, LocalAddr: &net.TCPAddr{IP: net.ParseIP(g.address)}}
	var conn net.Conn
	var reader *bufio.Reader
	for {
		var name string
		select {
		case <-ctx.Done():
			if conn != nil {
				conn.Close()
			}
			return
		case name = <-g.name:
		}
		var err error
		if conn == nil {
			if conn, err = dialer.Dial("tcp", f.s.address); err == nil {
				reader = bufio.NewReader(conn)
			}
		}
		status := 0
		if err == nil {
			status, err = f.once(conn, reader, name)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			f.failed.Add(1)
		case status == http.StatusUnauthorized:
			f.wrong.Add(1)
			f.mu.Lock()
			f.known[g.address] = true
			f.mu.Unlock()
		case status == http.StatusTooManyRequests:
			f.slowed.Add(1)
		case err == nil:
			f.s.t.Errorf("a guess is answered with %d", status)
		}
		if err != nil && conn != nil {
			conn.Close()
			conn = nil
		}
		f.waiting <- g
	}
}

func (f *guessFlood) once(conn net.Conn, reader *bufio.Reader, name string) (status int, err error) {
	body := fmt.Sprintf(`{"username":%q,"password":"wrong horse battery"}`, name)
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := fmt.Fprintf(conn, "POST %s/session HTTP/1.1\r\nHost: %s\r\nOrigin: http://%[2]s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		apiPrefix, f.s.address, len(body), body); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}

// strain is what was seen of a server while something went on.
type strain struct {
	hashes   int           // at once, at most
	memory   uint64        // of the heap, what is not collected yet counted, at most, in bytes
	answered int           // to whom asks for no password
	slowest  time.Duration // of those answers
}

// watch looks at a server until the context ends; the channel then has what was seen.
func (s *testServer) watch(ctx context.Context) <-chan strain {
	seen := make(chan strain, 1)
	go func() {
		var most strain
		c := from("127.0.3.1")
		defer c.CloseIdleConnections()
		for ; ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
			asked := time.Now()
			response, err := c.Get("http://" + s.address + "/healthz")
			if err != nil || response.StatusCode != http.StatusOK {
				s.t.Errorf("the server does not answer: %v %v", response, err)
				continue
			}
			response.Body.Close()
			most.answered++
			most.slowest = max(most.slowest, time.Since(asked))
			most.memory = max(most.memory, heapInUse())
			line := &s.accounts.hasher.line
			line.mu.Lock()
			most.hashes = max(most.hashes, line.running)
			line.mu.Unlock()
		}
		seen <- most
	}()
	return seen
}

// heapInUse is what the heap takes, what is not collected yet counted, in bytes.
func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

// floodMemory is what a flood of guesses may cost at most, in bytes: the hashes at once, and three times as much that is not collected
// yet.
const floodMemory = 4 * (hashesAtOnce + 1) * 64 << 20

// TestGuessingLocksNobodyOut has many guess at once, with the real hash, while the owner signs in: from an address of their own, and
// from the guessers' with the cookie of a device that signed in before. A thousand guesses a second for a minute with TOPDECK_SOAK=1.
func TestGuessingLocksNobodyOut(t *testing.T) {
	s := startServer(t, func(c *Config) { c.hashCost, c.Now = fullCost, time.Now })
	s.addUser("ann", Admin)
	hasher := s.accounts.hasher
	addresses := []string{"127.0.0.9"} // is the owner's too
	for i := range often(4, 40) {
		addresses = append(addresses, fmt.Sprintf("127.0.1.%d", i+1))
	}
	_, cookies := s.tryFrom(from(addresses[0]), "ann", testPassword, "")
	_, device, known := strings.Cut(cookies, s.cookieName()+deviceCookie+"=")
	if !known {
		t.Fatalf("no device cookie among %q", cookies)
	}
	device = s.cookieName() + deviceCookie + "=" + device

	rate, connections := often(100, 1000), often(100, 1000)
	before, madeBefore := heapInUse(), hasher.made.Load()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	flood, seen, began := s.flood(ctx, rate, connections, addresses), s.watch(ctx), time.Now()
	signIns, refused, turns := 0, 0, int64(0)
	took := map[bool][]time.Duration{} // with the cookie, and from elsewhere
	signIn := func(address, cookie string) {
		t.Helper()
		c, start, made, tries := from(address), time.Now(), hasher.made.Load(), 0
		defer c.CloseIdleConnections()
		for status := 0; status != http.StatusOK; tries++ {
			if tries > 0 {
				time.Sleep(100 * time.Millisecond)
			}
			status, _ = s.tryFrom(c, "ann", testPassword, cookie)
			if status != http.StatusOK && (status != http.StatusTooManyRequests || cookie != "" || tries == 600) {
				t.Fatalf("from %s with the cookie %q: the owner is answered with %d at try %d", address, cookie, status, tries+1)
			}
		}
		signIns++
		refused += min(tries-1, 1)
		took[cookie != ""], turns = append(took[cookie != ""], time.Since(start)), max(turns, hasher.made.Load()-made-1)
	}
	elsewhere, early := 0, 0
	both := func() {
		if elsewhere < maxDevices-1 { // each is a new device, and the one that is known must not be forgotten for them
			elsewhere++
			signIn(fmt.Sprintf("127.0.2.%d", elsewhere), "")
		}
		signIn(addresses[0], device)
	}
	for deadline := began.Add(30 * time.Minute); flood.tried() < len(addresses); early = elsewhere {
		if both(); time.Now().After(deadline) {
			t.Fatalf("of %d addresses only %d have had their turn", len(addresses), flood.tried())
		}
	}
	for least := signIns + 6; signIns < least || time.Since(began) < time.Duration(often(2, 60))*time.Second; {
		both()
	}
	lasted := time.Since(began)
	cancel()
	most := <-seen
	flood.all.Wait()
	if most.hashes > hashesAtOnce+1 {
		t.Errorf("%d hashes at once", most.hashes)
	}
	if refused > elsewhere/2 { // a guesser whose failures are forgiven may take a place now and then
		t.Errorf("at %d of %d sign-ins from elsewhere the owner was refused at first", refused, elsewhere)
	}
	if most.memory > before+floodMemory {
		t.Errorf("the memory grew from %d to %d MiB", before>>20, most.memory>>20)
	}
	offered := flood.offered.Load()
	t.Logf("row 5: %d guesses in %v (%d a second, %d withheld) on %d connections from %d addresses: %d wrong, %d refused with 429, %d not answered; %d hashes, at most %d at once; memory from %d to at most %d MiB",
		offered, lasted.Round(time.Second), int64(float64(offered)/lasted.Seconds()), flood.withheld.Load(), connections, len(addresses),
		flood.wrong.Load(), flood.slowed.Load(), flood.failed.Load(), hasher.made.Load()-madeBefore, most.hashes, before>>20, most.memory>>20)
	spread := func(took []time.Duration) string {
		slices.Sort(took)
		return fmt.Sprintf("in %.1f s, at most %.1f s", took[len(took)/2].Seconds(), took[len(took)-1].Seconds())
	}
	t.Logf("row 5: meanwhile the owner signed in %d times with the cookie of a device, %s, and %d times from elsewhere, %s (%d of them before each address had failed once); at most %d hashes of others came first, %d were refused at first; /healthz answered %d times, within %v",
		signIns-elsewhere, spread(took[true]), elsewhere, spread(took[false]), early, turns, refused, most.answered, most.slowest.Round(time.Millisecond))
}

// TestUnknownNamesTakeAsLong gives wrong passwords of a name that there is and of one that there is not, in turns, with TOPDECK_SOAK=1.
// How long each takes is told; what decides is that either costs one hash.
func TestUnknownNamesTakeAsLong(t *testing.T) {
	if !soak {
		t.Skip("make soak")
	}
	s := startServer(t, func(c *Config) { c.hashCost = fullCost })
	s.addUser("ann", Admin)
	took := map[string][]time.Duration{}
	const n = 100
	for i := range n {
		for j, name := range []string{"ann", "nobody"} {
			c := from(fmt.Sprintf("127.0.%d.%d", 4+j, i+1))
			made, start := s.accounts.hasher.made.Load(), time.Now()
			if status, _ := s.tryFrom(c, name, "wrong horse battery", ""); status != http.StatusUnauthorized {
				t.Errorf("a wrong password of %s is answered with %d", name, status)
			}
			took[name] = append(took[name], time.Since(start))
			c.CloseIdleConnections()
			if made = s.accounts.hasher.made.Load() - made; made != 1 {
				t.Errorf("%s: %d hashes were made, want one", name, made)
			}
		}
	}
	for _, all := range took {
		slices.Sort(all)
	}
	half := func(name string) string {
		return fmt.Sprintf("%v (half of them %v to %v)", took[name][n/2].Round(time.Microsecond), took[name][n/4].Round(time.Millisecond), took[name][3*n/4].Round(time.Millisecond))
	}
	t.Logf("row 5: a wrong password, %d times each: the answer took %s for a known name and %s for an unknown one; one hash each", n, half("ann"), half("nobody"))
}
