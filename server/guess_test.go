package server

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// from is a client whose connections come from an address of its own.
func from(address string) *http.Client {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	return &http.Client{Timeout: 10 * time.Minute, Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 4}}
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

// TestKnownDevicesHaveAPlace has strangers take all places where hashes are made, but the one that is not for them.
func TestKnownDevicesHaveAPlace(t *testing.T) {
	s := startServer(t)
	b := s.signedIn("ann", Admin)
	here := from("127.0.0.1")
	defer here.CloseIdleConnections()
	_, cookies := s.tryFrom(here, "ann", testPassword, "")
	line := &s.accounts.hasher.line
	line.mu.Lock()
	line.running = hashesAtOnce
	line.mu.Unlock()
	if status, _ := s.tryFrom(here, "ann", testPassword, cookies[strings.Index(cookies, s.cookieName()+deviceCookie):]); status != 200 {
		t.Errorf("with the cookie of a device: %d", status)
	}
	b.cookie = strings.Split(cookies, ";")[0] // of a session, without that of the device
	b.want(204, "POST", "/session/confirm", map[string]string{"password": testPassword})
	line.empty()
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
