package control

import "time"

// RetStatus is how an operation stands or ended.
type RetStatus string

const (
	Running     RetStatus = "running"
	Succeeded   RetStatus = "succeeded"
	Failed      RetStatus = "failed"
	Interrupted RetStatus = "interrupted" // topdeck itself ended while it ran: the outcome is not known
)

// LogStatus tells whether anybody has looked at a record.
type LogStatus string

const (
	New  LogStatus = "new"
	Seen LogStatus = "seen"
)

// Operation is one record of the log: an act on the host, on an account or on a session, or a refused sign-in.
type Operation struct {
	ID        string    `json:"id"` // decimal, rising: bbolt's sequence
	LogTime   time.Time `json:"logTime"`
	LogType   string    `json:"logType"` // service.start, service.failed, process.signal, command.run, session.login, session.denied, user.add …
	Target    string    `json:"target"`  // what was acted on: a service, pid:startTime, a command line, a user name
	Actor     string    `json:"actor"`   // user name, or "root (local)" for the command line
	Source    string    `json:"source"`  // address that it came from
	RetStatus RetStatus `json:"retStatus"`
	Message   string    `json:"message"`  // one line: what happened and why
	Detail    string    `json:"detail"`   // everything that is known of the reason, may have many lines
	ExitCode  *int      `json:"exitCode"` // null where there is none
	Duration  float64   `json:"duration"` // seconds; 0 while it runs
	LogStatus LogStatus `json:"logStatus"`
	SeenBy    string    `json:"seenBy"` // who marked it as seen
}
