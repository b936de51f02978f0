package server

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"topdeck/collector"
)

// collectWait is how long a request waits for a sample.
const collectWait = 5 * time.Second

// parameters reads a request's query parameters: those of names, each at most once, and no other.
func parameters(c *fiber.Ctx, names ...string) (map[string]string, error) {
	given := make(map[string]string)
	for key, value := range c.Context().QueryArgs().All() {
		name := string(key)
		_, twice := given[name]
		switch {
		case len(names) == 0:
			return nil, refuse(codeInvalid, "unknown parameter %q: there are none here", shorten(name))
		case !slices.Contains(names, name):
			return nil, refuse(codeInvalid, "unknown parameter %q; there are %s", shorten(name), strings.Join(names, ", "))
		case twice:
			return nil, refuse(codeInvalid, "parameter %s is given twice", name)
		}
		given[name] = string(value)
	}
	return given, nil
}

// wholeNumber reads a parameter that is a number from 0 on; absent it is 0.
func wholeNumber(name, value string) (int, error) {
	if value == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0, refuse(codeInvalid, "%s must be a whole number from 0 on", name)
	}
	return int(n), nil
}

// oneOf checks a parameter that is one of a few words, or absent.
func oneOf(name, value string, words ...string) error {
	if value != "" && !slices.Contains(words, value) {
		return refuse(codeInvalid, "%s must be one of %s", name, strings.Join(words, ", "))
	}
	return nil
}

// reply answers with JSON.
func reply(c *fiber.Ctx, v any) error {
	body, err := encode(v)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	return c.Send(body)
}

// collect asks the collector for a sample that holds parts.
func (s *Server) collect(c *fiber.Ctx, parts collector.Parts) (*collector.Sample, error) {
	ctx, cancel := context.WithTimeout(s.requests, collectWait)
	defer cancel()
	sample, err := s.cfg.Collector.Collect(ctx, parts)
	if err != nil {
		s.cfg.Logger.Warn("cannot answer with a sample", "error", err)
		return nil, refuse(codeUnavailable, "the host cannot be read now; try again")
	}
	return sample, nil
}

// list gives the rows to show, sorted, and how many meet the query.
func (s *selection[Row, Key]) list(all []*Row) (shown []Row, matched int) {
	picked, matched := s.pick(all)
	s.arrange(picked)
	shown = make([]Row, len(picked))
	for i, row := range picked {
		shown[i] = *row
	}
	return shown, matched
}

// only adds a condition to those of the query.
func (s *selection[Row, Key]) only(test func(*Row) bool) {
	s.query.tests = append(s.query.tests, test)
}

// requestedRows reads a list's parameters; what goes beyond those of every list is in given.
func requestedRows[Row any, Key comparable](c *fiber.Ctx, rows *rowType[Row, Key], more ...string) (s *selection[Row, Key], given map[string]string, err error) {
	given, err = parameters(c, append([]string{"q", "sort", "order", "limit"}, more...)...)
	if err != nil {
		return nil, nil, err
	}
	limit, err := wholeNumber("limit", given["limit"])
	if err != nil {
		return nil, nil, err
	}
	s, err = selectRows(rows, arguments{given["q"], given["sort"], given["order"], limit})
	return s, given, err
}

// listProcesses answers GET /processes.
func (s *Server) listProcesses(c *fiber.Ctx) error {
	selected, _, err := requestedRows(c, s.hub.processes)
	if err != nil {
		return err
	}
	sample, err := s.collect(c, collector.PartProcesses)
	if err != nil {
		return err
	}
	frame := (&tick{sample: sample}).processFrame(sessionOf(c).Role == Viewer)
	shown, matched := selected.list(frame.rows)
	return reply(c, ProcessesReply{Time: frame.time, Total: len(frame.rows), Matched: matched, Processes: shown, Errors: frame.errors})
}

// listSockets answers GET /sockets.
func (s *Server) listSockets(c *fiber.Ctx) error {
	selected, given, err := requestedRows(c, s.hub.sockets, "protocol", "state")
	if err != nil {
		return err
	}
	if protocol := given["protocol"]; protocol != "" {
		if err := oneOf("protocol", protocol, "tcp", "tcp6", "udp", "udp6"); err != nil {
			return err
		}
		selected.only(func(row *collector.Socket) bool { return row.Protocol == protocol })
	}
	if state := given["state"]; state != "" {
		if err := oneOf("state", state, "LISTEN", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE_WAIT",
			"LAST_ACK", "CLOSING", "UNCONN"); err != nil {
			return err
		}
		selected.only(func(row *collector.Socket) bool { return row.State == state })
	}
	sample, err := s.collect(c, collector.PartSockets)
	if err != nil {
		return err
	}
	frame := (&tick{sample: sample}).socketFrame()
	shown, matched := selected.list(frame.rows)
	return reply(c, SocketsReply{Time: frame.time, Total: len(frame.rows), Matched: matched, Sockets: shown, Errors: frame.errors})
}

// listServices answers GET /services.
func (s *Server) listServices(c *fiber.Ctx) error {
	selected, _, err := requestedRows(c, s.hub.serviced)
	if err != nil {
		return err
	}
	sample, err := s.collect(c, serviceParts)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.requests, servicesWait)
	defer cancel()
	services, reasons := s.cfg.Services.Services(ctx)
	all := JoinServices(services, sample)
	shown, matched := selected.list(pointers(all))
	return reply(c, ServicesReply{Total: len(all), Matched: matched, Services: shown, Managers: orNone(s.cfg.Services.Managers()), Errors: orEmpty(reasons)})
}

// orNone has an empty list written as [].
func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
