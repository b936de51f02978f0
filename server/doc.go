// Package server speaks HTTP and WebSocket: accounts, sessions, access rules, lists and live views.
//
// # The way of a request
//
// front (access.go) checks the Host and sets the security headers; guard checks the Origin, the session and the role, by
// the one table in route.go; then the route's handler answers, or returns an *Error, which ErrorHandler writes. What a role
// may not see is taken out of the rows before a query is applied to them, so that it cannot be found either.
//
// # Who may come in
//
// Accounts (account.go) and sessions (session.go) are in memory and, before a change counts, in the database. A session
// holds to the stamp of its account, which each new role or password replaces, so that no session outlives what it was
// opened with, not even when the program ends in between; whatever ends a session also has the hub hang up on its sockets.
// Every password is checked in one place, Server.tryPassword, behind the throttle, and every code of a second factor (otp.go,
// factor.go) in another, Server.checkCode, once the password was right. Whose role needs a second factor (Config.SecondFactor) can use
// the routes for setting one up, and nothing else, before there is one: guard asks at each request. The first account is made with the
// set-up token (setup.go), others by administrators or by the command line, which reaches a running server through the
// admin socket (adminsocket.go) and does the same by itself where none runs.
//
// # The way of a sample
//
// The collector's goroutine calls Publish. The hub (hub.go) brings each view up to date: it picks the rows that the view's
// query wants, compares them with those of the state before, and encodes the difference. A view is named by its topic, its
// arguments and what its watchers may see; all who ask for the same share it, and so its one encoding. Its states are
// immutable. Clients (client.go) are only told that a view has something new: each client's writer takes, when it is
// ready, the delta if it has the state before, else the snapshot, which is encoded when the first one needs it. So a
// slow client skips ahead, costs nothing, and holds nobody up. Events (changes of the operation log) wait in a bounded queue of
// each client instead; one that lets it overflow is closed.
//
// # The way of an act
//
// The handlers in act.go and service.go hand what is asked for to control, which refuses it, or records it and goes on without
// the request; how it ends comes back as a change of the operation log. A journal or the output of a command is a view of
// one client alone, which begins with what there is. A goroutine of the hub (stream.go) feeds it, as fast as the client makes room
// in its queue, so that nothing is lost; a client that makes none for ten seconds is closed.
//
// # What comes from strangers
//
// Connections that wait for the other side are closed, strangers' first, when there is no room for another one
// (connections.go). An answer to a large body that is refused does not wait for that body (answerFirst in access.go).
//
// # Ownership and concurrency
//
// A Server owns its Fiber app, its hub and the sessions; the database, the log, the collector and the service managers
// are the caller's. New starts nothing; Serve starts the session keeper and the hub's two goroutines (one checks sessions
// each second, one asks the service managers, which may be slow), and Close ends all. Each WebSocket has the goroutine
// that fasthttp started for it, which reads, and one that writes. The hub's lock is taken before a client's; while either is held
// nothing is written and no other part of the program is asked. A view's parts are collected from its first watcher's coming
// until its last one's leaving.
package server
