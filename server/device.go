package server

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

const (
	devicesBucket = "devices"
	deviceCookie  = "-device" // after the name of the session's cookie
	deviceTime    = 180 * 24 * time.Hour
	maxDevices    = 32 // of one account; the one that came first goes
)

// device is a browser that an account has signed in with. It may try passwords of that account whoever else does so from its
// address, and opens nothing by itself.
type device struct {
	Username string    `json:"username"`
	Account  time.Time `json:"account"` // when the account was made: another one of that name is not meant
	Since    time.Time `json:"since"`
}

// devices are stored by the SHA-256 of their tokens.
type devices struct{ store *Storage }

// knows tells whether a token is of a device that the account has signed in with, and gives where it is stored.
func (d devices) knows(token string, of account) (key string, known bool) {
	if len(token) != base64.RawURLEncoding.EncodedLen(tokenLength) {
		return "", false
	}
	key = sessionKey(token)
	text, err := d.store.Get(key)
	var one device
	if err != nil || text == nil || json.Unmarshal(text, &one) != nil {
		return "", false
	}
	if of.SecondFactor != nil && one.Since.Before(of.SecondFactor.Since) { // the password was enough then
		return "", false
	}
	return key, one.Username == of.Name && one.Account.Equal(of.CreatedAt)
}

// add remembers one more device of an account and returns its token, which is nowhere else.
func (d devices) add(of account, now time.Time) (token string, err error) {
	own, oldest := 0, ""
	var since time.Time
	err = d.store.Each(func(key string, text []byte) {
		var one device
		if json.Unmarshal(text, &one) != nil || one.Username != of.Name {
			return
		}
		if own++; oldest == "" || one.Since.Before(since) {
			oldest, since = key, one.Since
		}
	})
	if err != nil {
		return "", err
	}
	if own >= maxDevices {
		if err := d.store.Delete(oldest); err != nil {
			return "", err
		}
	}
	random := make([]byte, tokenLength)
	rand.Read(random)
	token = base64.RawURLEncoding.EncodeToString(random)
	text, err := json.Marshal(device{Username: of.Name, Account: of.CreatedAt, Since: now})
	if err != nil {
		return "", err
	}
	return token, d.store.Set(sessionKey(token), text, deviceTime)
}

// deviceOf is where the device is stored that a request comes from; "" unless the account has signed in with it.
func (s *Server) deviceOf(c *fiber.Ctx, name string) string {
	of, known := s.accounts.get(name)
	if !known {
		of.Name = "?" // nobody's; it takes as long
	}
	key, known := s.devices.knows(cookieOf(c.Context(), cookieNameOf(c.Context())+deviceCookie), of)
	if !known {
		return ""
	}
	return key
}

// rememberDevice has the browser keep the token of a device, unless it has one of that account. Nobody is turned away when
// that fails.
func (s *Server) rememberDevice(c *fiber.Ctx, of account) {
	if s.deviceOf(c, of.Name) != "" {
		return
	}
	token, err := s.devices.add(of, s.accounts.now())
	if err != nil {
		s.cfg.Logger.Warn("cannot remember the device of a sign-in", "user", of.Name, "error", err)
		return
	}
	cookie := newCookie(c, deviceCookie, token)
	cookie.SetMaxAge(int(deviceTime.Seconds()))
	c.Response().Header.SetCookie(cookie)
}

// newCookie is a cookie of ours; suffix tells it from the session's.
func newCookie(c *fiber.Ctx, suffix, value string) *fasthttp.Cookie {
	cookie := &fasthttp.Cookie{}
	cookie.SetKey(cookieNameOf(c.Context()) + suffix)
	cookie.SetSecure(overTLS(c.Context()))
	cookie.SetValue(value)
	cookie.SetPath("/")
	cookie.SetHTTPOnly(true)
	cookie.SetSameSite(fasthttp.CookieSameSiteStrictMode)
	return cookie
}
