package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// from is a client whose connections come from an address of its own.
func from(address string) *http.Client {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 4}}
}

// tryFrom sends a sign-in and returns the status, and the cookies that it was answered with.
func (s *testServer) tryFrom(c *http.Client, name, password, cookie string) (int, string) {
	body := fmt.Sprintf(`{"username":%q,"password":%q}`, name, password)
	request, err := http.NewRequest("POST", "http://"+s.address+apiPrefix+"/session", strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return 0, ""
	}
	request.Header = http.Header{"Origin": {"http://" + s.address}, "Content-Type": {"application/json"}, "Cookie": {cookie}}
	response, err := c.Do(request)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	var kept []string
	for _, one := range response.Cookies() {
		kept = append(kept, one.Name+"="+one.Value)
	}
	return response.StatusCode, strings.Join(kept, "; ")
}

// TestGuessingLocksNobodyOut has many guess at once, with the real hash, while the owner signs in: from an address of their own, and
// from the guessers' with the cookie of a device that signed in before.
func TestGuessingLocksNobodyOut(t *testing.T) {
	s := startServer(t, func(c *Config) { c.hashCost = fullCost })
	s.addUser("ann", Admin)
	_, cookies := s.tryFrom(from("127.0.0.9"), "ann", testPassword, "")
	_, device, known := strings.Cut(cookies, s.cookieName()+deviceCookie+"=")
	if !known {
		t.Fatalf("no device cookie among %q", cookies)
	}
	device = s.cookieName() + deviceCookie + "=" + device

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var guessers sync.WaitGroup
	var guesses, most atomic.Int64
	rate := time.Second / 1000
	ticker := time.NewTicker(rate)
	defer ticker.Stop()
	for i := range 32 { // most guess from one address, some from others
		address := "127.0.0.9"
		if i%4 == 0 {
			address = fmt.Sprintf("127.0.1.%d", i+1)
		}
		c := from(address)
		guessers.Go(func() {
			defer c.CloseIdleConnections()
			for n := 0; ; n++ {
				select {
				case <-ctx.Done():
					return
				case <-ticker.C:
				}
				name := "ann"
				if n%3 == 0 {
					name = fmt.Sprintf("user%d", n)
				}
				if status, _ := s.tryFrom(c, name, "wrong horse battery", ""); status == 200 {
					t.Error("a wrong password was taken")
				}
				guesses.Add(1)
				s.accounts.hasher.line.mu.Lock()
				most.Store(max(most.Load(), int64(s.accounts.hasher.line.running)))
				s.accounts.hasher.line.mu.Unlock()
			}
		})
	}
	s.wait("the guessing has begun to be slowed", func() bool { return guesses.Load() > 100 })
	signIns, longest := 0, time.Duration(0)
	for began := time.Now(); signIns == 0 || time.Since(began) < time.Duration(often(2, 60))*time.Second; signIns++ {
		for what, how := range map[string]struct{ address, cookie string }{
			"from elsewhere": {fmt.Sprintf("127.0.2.%d", signIns%250+1), ""}, "with the cookie of a known device": {"127.0.0.9", device},
		} {
			c := from(how.address)
			start, status := time.Now(), 0
			for status != 200 && time.Since(start) < time.Minute {
				if status, _ = s.tryFrom(c, "ann", testPassword, how.cookie); status != 200 {
					time.Sleep(100 * time.Millisecond)
				}
			}
			c.CloseIdleConnections()
			if status != 200 {
				t.Fatalf("%s: the owner is locked out: %d", what, status)
			}
			longest = max(longest, time.Since(start))
		}
	}
	cancel()
	guessers.Wait()
	if most.Load() > hashesAtOnce+1 {
		t.Errorf("%d hashes at once", most.Load())
	}
	t.Logf("%d guesses refused, %d hashes made, at most %d at once; the owner signed in %d times, the longest took %v",
		guesses.Load(), s.accounts.hasher.made.Load(), most.Load(), 2*signIns, longest.Round(time.Millisecond))
}

func TestDevices(t *testing.T) {
	s := startServer(t)
	s.addUser("ann", Admin)
	s.addUser("bob", Admin)
	here := from("127.0.0.1")
	defer here.CloseIdleConnections()
	_, cookies := s.tryFrom(here, "ann", testPassword, "")
	if _, again := s.tryFrom(here, "ann", testPassword, cookies); strings.Contains(again, deviceCookie) {
		t.Errorf("a known device gets another cookie: %s", again)
	}
	_, bobs := s.tryFrom(here, "bob", testPassword, cookies)
	if !strings.Contains(bobs, deviceCookie) {
		t.Errorf("another account on the device gets %s", bobs)
	}
	device := cookies[strings.Index(cookies, s.cookieName()+deviceCookie):]
	if status, _ := s.tryFrom(here, "ann", testPassword, device); status != 200 {
		t.Errorf("with the device's cookie: %d", status)
	}
	s.browser().want(401, "GET", "/session", nil)
	b := s.browser()
	b.cookie = device
	b.want(401, "GET", "/session", nil) // it opens nothing

	exhausted := func(name, cookie string) bool {
		for range 10 {
			if status, _ := s.tryFrom(here, name, "wrong horse battery", cookie); status == 429 {
				return true
			}
		}
		return false
	}
	if !exhausted("ann", "") {
		t.Fatal("guessing is not slowed")
	}
	bobsDevice := bobs[strings.Index(bobs, s.cookieName()+deviceCookie):]
	for name, c := range map[string]struct {
		cookie string
		status int
	}{
		"no device":               {"", 429},
		"another account's":       {bobsDevice, 429},
		"a made-up one":           {s.cookieName() + deviceCookie + "=" + strings.Repeat("A", 43), 429},
		"the account's own":       {device, 200},
		"and again":               {device, 200},
		"a session is no device":  {s.cookieName() + deviceCookie + "=" + strings.TrimPrefix(strings.Split(cookies, ";")[0], s.cookieName()+"="), 429},
		"the cookie of TLS is no": {securePrefix + device, 429},
	} {
		if status, _ := s.tryFrom(here, "ann", testPassword, c.cookie); status != c.status {
			t.Errorf("%s: got %d, want %d", name, status, c.status)
		}
	}
	if !exhausted("ann", device) {
		t.Error("a known device may guess for ever")
	}
	// Another account of that name is not meant.
	if err := s.accounts.Remove(Actor{}, "ann"); err != nil {
		t.Fatal(err)
	}
	s.clock.add(10 * time.Second)
	s.addUser("ann", Admin)
	if one, _ := s.accounts.get("ann"); true {
		if _, known := s.devices.knows(strings.TrimPrefix(device, s.cookieName()+deviceCookie+"="), one); known {
			t.Error("the device outlives its account")
		}
	}
}

func TestDevicesAreBounded(t *testing.T) {
	s := startServer(t)
	s.addUser("ann", Admin)
	one, _ := s.accounts.get("ann")
	var tokens []string
	for range maxDevices + 2 {
		s.clock.add(time.Second)
		token, err := s.devices.add(one, s.clock.now())
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
	}
	for i, want := range map[int]bool{0: false, 1: false, 2: true, maxDevices + 1: true} {
		if _, known := s.devices.knows(tokens[i], one); known != want {
			t.Errorf("device %d is known: %v", i, known)
		}
	}
	s.clock.add(deviceTime)
	if _, known := s.devices.knows(tokens[maxDevices+1], one); known {
		t.Error("a device is known for ever")
	}
}
