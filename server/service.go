package server

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"topdeck/collector"
	"topdeck/control"
)

const (
	maxServiceName = 1024 // bytes
	journalLines   = 200  // when no number is asked for
	maxPeers       = 100
)

// serviceName is the name in a request's path, decoded once: what is escaped within it stays.
func serviceName(c *fiber.Ctx) (string, error) {
	name, err := url.PathUnescape(c.Params("name"))
	if err != nil {
		return "", refuse(codeInvalid, "the name of the service is not escaped as a path must be")
	}
	if name == "" || len(name) > maxServiceName || !utf8.ValidString(name) {
		return "", refuse(codeNotFound, "there is no service of that name")
	}
	return name, nil
}

// showService answers GET /services/{name}.
func (s *Server) showService(c *fiber.Ctx) error {
	name, err := serviceName(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.requests, servicesWait)
	defer cancel()
	detail, err := s.cfg.Control.Detail(ctx, name)
	if err != nil {
		return orControlError(err)
	}
	answer := ServiceReply{ServiceDetail: detail, Connected: []Peer{}, Errors: map[string]string{}}
	if answer.Dependencies == nil {
		answer.Dependencies = map[string][]string{}
	}
	answer.StopsToo = orNone(answer.StopsToo)
	if answer.LastLines == nil || sessionOf(c).Role == Viewer { // who may not read the journal
		answer.LastLines = []control.JournalLine{}
	}
	sample, err := s.cfg.Collector.Collect(ctx, serviceParts)
	if err != nil {
		s.cfg.Logger.Warn("cannot tell the processes of a service", "error", err)
		answer.Errors["processes"], answer.Errors["sockets"] = "cannot be read now", "cannot be read now"
		sample = &collector.Sample{}
	}
	for part, reason := range partErrors(sample, "processes", "sockets", "owners") {
		answer.Errors[part] = reason
	}
	answer.Service = JoinServices([]control.Service{detail.Service}, sample)[0]
	remote, _ := c.Context().RemoteAddr().(*net.TCPAddr)
	answer.Connected, answer.CarriesSession = connectedTo(&answer.Service, sample.Sockets, remote)
	answer.CarriesSession = answer.CarriesSession || slices.Contains(answer.Service.PIDs, os.Getpid())
	return reply(c, answer)
}

// connectedTo tells who is connected to the ports of a service, and whether one of its sockets is the other end of the
// connection from remote, as that of a proxy on this host is.
func connectedTo(service *control.Service, sockets []*collector.Socket, remote *net.TCPAddr) (peers []Peer, carries bool) {
	var client netip.AddrPort
	if remote != nil {
		client = remote.AddrPort()
		client = netip.AddrPortFrom(client.Addr().Unmap().WithZone(""), client.Port())
	}
	count := map[string]int{}
	for _, socket := range sockets {
		if socket.State != "ESTABLISHED" || !slices.Contains(service.PIDs, socket.PID) {
			continue
		}
		address, _, _ := strings.Cut(socket.LocalAddress, "%")
		local, err := netip.ParseAddr(address)
		carries = carries || err == nil && client.IsValid() && netip.AddrPortFrom(local.Unmap(), socket.LocalPort) == client
		if slices.Contains(service.Ports, int(socket.LocalPort)) {
			count[socket.RemoteAddress]++
		}
	}
	peers = make([]Peer, 0, len(count))
	for address, n := range count {
		peers = append(peers, Peer{Address: address, Connections: n})
	}
	slices.SortFunc(peers, func(a, b Peer) int {
		return cmp.Or(cmp.Compare(b.Connections, a.Connections), cmp.Compare(a.Address, b.Address))
	})
	return peers[:min(len(peers), maxPeers)], carries
}

// showJournal answers GET /services/{name}/journal.
func (s *Server) showJournal(c *fiber.Ctx) error {
	given, err := parameters(c, "lines")
	if err != nil {
		return err
	}
	lines, err := wholeNumber("lines", given["lines"])
	if err != nil {
		return err
	}
	name, err := serviceName(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.requests, servicesWait)
	defer cancel()
	list, err := s.cfg.Control.Journal(ctx, name, cmp.Or(lines, journalLines))
	if err != nil {
		return orControlError(err)
	}
	return reply(c, JournalReply{Lines: list})
}

// actionRequest names what is to be done with a service; confirm repeats its name where the host stands on it.
type actionRequest struct {
	Action  string `json:"action"`
	Confirm string `json:"confirm"`
}

// actOnService answers POST /services/{name}/actions.
func (s *Server) actOnService(c *fiber.Ctx) error {
	var request actionRequest
	if err := decode(c, &request); err != nil {
		return err
	}
	name, err := serviceName(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.requests, servicesWait)
	defer cancel()
	op, err := s.cfg.Control.ServiceAction(ctx, asker(c), name, request.Action, request.Confirm)
	return s.accepted(c, op, err)
}
