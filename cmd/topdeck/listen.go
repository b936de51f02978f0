package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"

	"topdeck/server"
)

// listen opens the TCP listener of serve.
func (s *serveCmd) listen() (net.Listener, error) {
	_, port, err := net.SplitHostPort(s.Listen)
	if err != nil {
		return nil, usageError{fmt.Errorf("cannot read --listen %q: it must be ADDRESS:PORT, such as 127.0.0.1:7373 or [::1]:7373", s.Listen)}
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return nil, usageError{fmt.Errorf("cannot read --listen %q: the port must be a number up to 65535", s.Listen)}
	}
	ln, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another address or port with --listen", s.Listen, errors.Unwrap(err))
	}
	return ln, nil
}

// tlsConfig is nil for plain HTTP, which is for loopback only: any other address gets TLS, with the given certificate or
// a self-signed one kept in the data folder.
func (s *serveCmd) tlsConfig(dataDir string) (*tls.Config, error) {
	if s.TLSCert != "" {
		return server.TLSConfig(s.TLSCert, s.TLSKey)
	}
	host, _, _ := net.SplitHostPort(s.Listen)
	if isLoopback(host) {
		return nil, nil
	}
	return server.SelfSigned(dataDir, hostsOf(host), time.Now())
}

// baseURL is where a browser finds the server: at the public URL where there is one, else by an address, because an
// address that it came in on is a Host that the server answers to, and this machine's name is not.
func baseURL(listening net.Addr, overTLS bool, public *url.URL) string {
	if public != nil {
		return public.Scheme + "://" + public.Host
	}
	scheme := "http"
	if overTLS {
		scheme = "https"
	}
	host, port, _ := net.SplitHostPort(listening.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = append(ownAddresses(), "localhost")[0]
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// hostsOf tells the names and addresses by which browsers may reach a listener on host, for its certificate.
func hostsOf(host string) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil {
		hosts = append([]string{name}, hosts...)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return append(hosts, ownAddresses()...)
	}
	return append(hosts, host)
}

// ownAddresses are this machine's, without loopback and link-local ones.
func ownAddresses() []string {
	var own []string
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			own = append(own, n.IP.String())
		}
	}
	return own
}

// publicURL reads --public-url: a scheme and a host, no path.
func publicURL(text string) (*url.URL, error) {
	if text == "" {
		return nil, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return nil, usageError{fmt.Errorf("cannot read --public-url %q: it must be a scheme and a host, such as https://deck.example.org", text)}
	}
	return u, nil
}
