package server

import "github.com/gofiber/fiber/v2"

// access is who may use a route or a live topic.
type access uint8

const (
	nobody  access = iota // the zero value: a route without a rule does not start
	anybody               // no session needed
	forViewer
	forOperator
	forAdmin
)

// apiPrefix is where the table of routes lives.
const apiPrefix = "/api/v1"

// setupPath is the one route that there is before the first account.
const setupPath = "/setup"

// route is one line of the table from which every route takes its access rule.
type route struct {
	method, path string // path is below /api/v1
	access       access
	confirm      bool // the password must have been given in the last five minutes
	enrolling    bool // also for who must set up a second factor first
	socket       bool // a GET that becomes a WebSocket: it needs an Origin of ours
	query        bool // handle reads query parameters; elsewhere there may be none
	acts         bool // it leaves a record each time: an account has a budget of them
	recorded     bool // a GET that leaves a record: not for pages of other origins, which a browser sends cookies for when they share our host
	handle       fiber.Handler
}

// routes is the one table of routes. Access is enforced before handle is called.
func (s *Server) routes() []route {
	return []route{
		{method: fiber.MethodPost, path: setupPath, access: anybody, handle: s.setUp},
		{method: fiber.MethodGet, path: "/entry", access: anybody, handle: s.showEntry},
		{method: fiber.MethodPost, path: "/session", access: anybody, handle: s.signIn},
		{method: fiber.MethodGet, path: "/session", access: forViewer, enrolling: true, handle: s.showSession},
		{method: fiber.MethodDelete, path: "/session", access: forViewer, enrolling: true, handle: s.signOut},
		{method: fiber.MethodPost, path: "/session/confirm", access: forViewer, enrolling: true, handle: s.confirmPassword},
		{method: fiber.MethodGet, path: "/second-factor", access: forViewer, enrolling: true, handle: s.showFactor},
		{method: fiber.MethodPost, path: "/second-factor", access: forViewer, confirm: true, enrolling: true, handle: s.enrol},
		{method: fiber.MethodPost, path: "/second-factor/activate", access: forViewer, confirm: true, enrolling: true, handle: s.activateFactor},
		{method: fiber.MethodPost, path: "/second-factor/disable", access: forViewer, confirm: true, handle: s.disableFactor},
		{method: fiber.MethodPost, path: "/second-factor/recovery-codes", access: forViewer, confirm: true, handle: s.renewRecoveryCodes},
		{method: fiber.MethodGet, path: "/sessions", access: forViewer, handle: s.listSessions},
		{method: fiber.MethodDelete, path: "/sessions/:id", access: forViewer, handle: s.endSession}, // another's: an administrator
		{method: fiber.MethodGet, path: "/users", access: forAdmin, confirm: true, handle: s.listUsers},
		{method: fiber.MethodPost, path: "/users", access: forAdmin, confirm: true, handle: s.addUser},
		{method: fiber.MethodPatch, path: "/users/:name", access: forViewer, handle: s.changeUser}, // but one's own password: an administrator, confirmed
		{method: fiber.MethodDelete, path: "/users/:name", access: forAdmin, confirm: true, handle: s.removeUser},
		{method: fiber.MethodDelete, path: "/users/:name/second-factor", access: forAdmin, confirm: true, handle: s.removeFactor},
		{method: fiber.MethodGet, path: "/host", access: forViewer, handle: s.showHost},
		{method: fiber.MethodGet, path: "/summary", access: forViewer, handle: s.showSummary},
		{method: fiber.MethodGet, path: "/summary/history", access: forViewer, handle: s.showHistory},
		{method: fiber.MethodGet, path: "/processes", access: forViewer, query: true, handle: s.listProcesses},                      // command lines: an operator
		{method: fiber.MethodGet, path: "/processes/:pid", access: forOperator, query: true, recorded: true, handle: s.showProcess}, // its environment: an administrator, confirmed
		{method: fiber.MethodPost, path: "/processes/:pid/signals", access: forAdmin, acts: true, handle: s.sendSignal},             // KILL: confirmed
		{method: fiber.MethodGet, path: "/sockets", access: forViewer, query: true, handle: s.listSockets},
		{method: fiber.MethodGet, path: "/services", access: forViewer, query: true, handle: s.listServices},
		{method: fiber.MethodGet, path: "/services/:name", access: forViewer, handle: s.showService},
		{method: fiber.MethodGet, path: "/services/:name/journal", access: forOperator, query: true, handle: s.showJournal},
		{method: fiber.MethodPost, path: "/services/:name/actions", access: forOperator, acts: true, handle: s.actOnService},
		{method: fiber.MethodPost, path: "/commands", access: forAdmin, confirm: true, acts: true, handle: s.runCommand},
		{method: fiber.MethodGet, path: "/operations", access: forViewer, query: true, handle: s.listOperations}, // commands that were run: an operator
		{method: fiber.MethodGet, path: "/operations/export", access: forAdmin, query: true, acts: true, recorded: true, handle: s.exportOperations},
		{method: fiber.MethodGet, path: "/operations/activity", access: forViewer, handle: s.showActivity},
		{method: fiber.MethodGet, path: "/operations/:id", access: forViewer, handle: s.showOperation},
		{method: fiber.MethodGet, path: "/operations/:id/output", access: forAdmin, handle: s.showOutput},
		{method: fiber.MethodPost, path: "/operations/:id/cancel", access: forAdmin, handle: s.cancelOperation},
		{method: fiber.MethodPost, path: "/operations/seen", access: forOperator, handle: s.markSeen},
		{method: fiber.MethodGet, path: "/live", access: forViewer, socket: true, handle: s.openLive},
	}
}

// topics is who may watch what over GET /live; a topic that is not here does not exist.
func topics() map[string]access {
	return map[string]access{
		"summary":   forViewer,
		"processes": forViewer,
		"sockets":   forViewer,
		"services":  forViewer,
		"failed":    forViewer,
		"journal":   forOperator,
		"output":    forAdmin,
	}
}
