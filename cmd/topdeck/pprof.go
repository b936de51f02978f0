package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// servePprof serves Go's profiles of this program on a loopback address of their own, to whoever is on this machine; no
// address is no profiles. Closing the result ends it.
func servePprof(address string, logger *slog.Logger) (*http.Server, error) {
	if address == "" {
		return nil, nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil || !isLoopback(host) {
		return nil, usageError{fmt.Errorf("cannot serve profiles on --pprof %q: it must be a loopback address and a port, such as 127.0.0.1:6060", address)}
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another address or port with --pprof", address, errors.Unwrap(err))
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A name that a stranger's page had resolved to this machine is not loopback (DNS rebinding).
		if host, _, err := net.SplitHostPort(r.Host); err != nil || !isLoopback(host) {
			http.Error(w, "profiles are for loopback only", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})}
	go func() {
		if err := s.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("cannot go on serving profiles", "error", err)
		}
	}()
	logger.Info("serving profiles", "url", "http://"+ln.Addr().String()+"/debug/pprof/")
	return s, nil
}

func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}
