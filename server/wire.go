package server

import (
	"time"

	"topdeck/collector"
	"topdeck/control"
)

// The shapes of the contract that are not a collector's or control's own. The TypeScript types of the app are made from
// these (wiregen_test.go); every field is camelCase, bytes are integers, durations seconds, percentages 0–100.

// ErrorReply is the body of every refusal, and within a live message of type error.
type ErrorReply struct {
	Error ErrorBody `json:"error"`
}

// ErrorBody tells a refusal. Code is one of the contract's; Message is for a person.
type ErrorBody struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	// Position is where in a query the trouble starts, in characters (UTF-16 code units) from 0; absent elsewhere.
	Position *int `json:"position,omitempty"`
	// SecondFactor tells, of a sign-in, that the password is right and a right code must come with it.
	SecondFactor bool `json:"secondFactor,omitempty"`
}

// SessionReply tells who is signed in. Warning says why the session is in memory only; empty when it is stored. With MustEnrol the
// session can do nothing but set up a second factor, which the role needs.
type SessionReply struct {
	Username  string    `json:"username"`
	Role      Role      `json:"role"`
	ExpiresAt time.Time `json:"expiresAt"`
	MustEnrol bool      `json:"mustEnrol"`
	Warning   string    `json:"warning,omitempty"`
}

// EntryReply tells whether anybody is signed in: without a session, nobody is. Ended is why the session ended that the browser comes
// with, where that is known.
type EntryReply struct {
	Session *SessionReply `json:"session"`
	Ended   string        `json:"ended,omitempty"`
}

// SecondFactorReply answers GET /second-factor. RecoveryCodes is how many are left; Required, that the role needs one.
type SecondFactorReply struct {
	Active        bool       `json:"active"`
	Required      bool       `json:"required"`
	Since         *time.Time `json:"since"`
	RecoveryCodes int        `json:"recoveryCodes"`
}

// EnrolmentReply answers POST /second-factor, once: the secret in base32, the same as an otpauth:// URI, and that as a QR code,
// a string for each row, in which 1 is dark.
type EnrolmentReply struct {
	Secret string   `json:"secret"`
	URI    string   `json:"uri"`
	QR     []string `json:"qr"`
}

// RecoveryCodesReply tells new recovery codes, once.
type RecoveryCodesReply struct {
	RecoveryCodes []string `json:"recoveryCodes"`
}

// SessionRow is one session in a list. ID is not the token and opens nothing.
type SessionRow struct {
	ID        string    `json:"id"`
	Username  string    `json:"username"`
	Role      Role      `json:"role"`
	CreatedAt time.Time `json:"createdAt"`
	LastUsed  time.Time `json:"lastUsed"`
	ExpiresAt time.Time `json:"expiresAt"`
	Address   string    `json:"address"`
	UserAgent string    `json:"userAgent"`
	Current   bool      `json:"current"`
}

// SessionsReply answers GET /sessions.
type SessionsReply struct {
	Sessions []SessionRow `json:"sessions"`
}

// UserRow is one account.
type UserRow struct {
	Name            string     `json:"name"`
	Role            Role       `json:"role"`
	CreatedAt       time.Time  `json:"createdAt"`
	PasswordChanged time.Time  `json:"passwordChanged"`
	LastLogin       *time.Time `json:"lastLogin"`
	SecondFactor    bool       `json:"secondFactor"`
}

// UsersReply answers GET /users.
type UsersReply struct {
	Users []UserRow `json:"users"`
}

// HistoryReply answers GET /summary/history: oldest first, interval in seconds.
type HistoryReply struct {
	Interval float64           `json:"interval"`
	Points   []collector.Point `json:"points"`
}

// ProcessesReply answers GET /processes.
type ProcessesReply struct {
	Time      time.Time           `json:"time"`
	Total     int                 `json:"total"`
	Matched   int                 `json:"matched"`
	Processes []collector.Process `json:"processes"`
	Errors    map[string]string   `json:"errors"`
}

// SocketsReply answers GET /sockets.
type SocketsReply struct {
	Time    time.Time          `json:"time"`
	Total   int                `json:"total"`
	Matched int                `json:"matched"`
	Sockets []collector.Socket `json:"sockets"`
	Errors  map[string]string  `json:"errors"`
}

// ServicesReply answers GET /services. Managers tells which service managers were found.
type ServicesReply struct {
	Total    int               `json:"total"`
	Matched  int               `json:"matched"`
	Services []control.Service `json:"services"`
	Managers []string          `json:"managers"`
	Errors   map[string]string `json:"errors"`
}

// ServiceReply answers GET /services/{name}: the service in depth, and what its stop would cut off.
type ServiceReply struct {
	control.ServiceDetail
	Connected      []Peer            `json:"connected"`      // to the ports that it listens on
	CarriesSession bool              `json:"carriesSession"` // whoever asks, asks through this service
	Errors         map[string]string `json:"errors"`
}

// Peer is an address that connections come from.
type Peer struct {
	Address     string `json:"address"`
	Connections int    `json:"connections"`
}

// JournalReply answers GET /services/{name}/journal, oldest first.
type JournalReply struct {
	Lines []control.JournalLine `json:"lines"`
}

// OutputReply answers GET /operations/{id}/output. Truncated: the command wrote more than is kept; Lost is then which part of it is not.
type OutputReply struct {
	Text      string `json:"text"`
	Truncated bool   `json:"truncated"`
	Lost      string `json:"lost,omitempty" ts:"'start' | 'end'"`
}

// OperationsReply answers GET /operations, newest first. Next goes into before= for the page after; empty at the end. With
// AtLeast there was no time to look at all: Total is what was found so far, and a page may be short although there is a Next.
type OperationsReply struct {
	Total      int                 `json:"total"`
	AtLeast    bool                `json:"atLeast"`
	Unseen     int                 `json:"unseen"`
	Next       string              `json:"next"`
	Operations []control.Operation `json:"operations"`
}

// SummaryReply answers GET /summary.
type SummaryReply struct {
	collector.Summary
	FailedServices FailedServices `json:"failedServices"`
}

// FailedServices tells how many services have failed, and the first of them by name.
type FailedServices struct {
	Total int      `json:"total"`
	Names []string `json:"names"`
}

// ActivityHour counts the records of one hour: acts and others.
type ActivityHour struct {
	Start  time.Time `json:"start"`  // a full hour, UTC
	Acts   int       `json:"acts"`   // acts on the host, however they ended
	Failed int       `json:"failed"` // of these, those that failed or were interrupted
	Other  int       `json:"other"`  // all other records: of accounts and sessions, of refused sign-ins, of services that failed
}

// ActivityReply answers GET /operations/activity: the last 24 hours, oldest first, the one that goes on included. The
// oldest of them are left out where there were too many records to look at.
type ActivityReply struct {
	Hours []ActivityHour `json:"hours"`
}

// OperationReply answers whatever started or names one operation.
type OperationReply struct {
	Operation control.Operation `json:"operation"`
}

// UnseenReply answers POST /operations/seen.
type UnseenReply struct {
	Unseen int `json:"unseen"`
}

// Live messages, server to client; Type tells which.

// HelloMessage is the first message of a connection.
type HelloMessage struct {
	Type     string `json:"type" ts:"'hello'"`
	Build    string `json:"build"`
	Username string `json:"username"`
	Role     Role   `json:"role"`
	Unseen   int    `json:"unseen"`
	Commands bool   `json:"commands"` // this server runs commands, for who may
}

// WatchingMessage names the view that answers the watch ID.
type WatchingMessage struct {
	Type string `json:"type" ts:"'watching'"`
	ID   string `json:"id"`
	View uint64 `json:"view"`
}

// ErrorMessage refuses a client's message; ID is that of the watch, or empty.
type ErrorMessage struct {
	Type  string    `json:"type" ts:"'error'"`
	ID    string    `json:"id"`
	Error ErrorBody `json:"error"`
}

// SnapshotMessage holds all rows of a view. Row is the topic's row type.
type SnapshotMessage[Row any] struct {
	Type    string            `json:"type" ts:"'snapshot'"`
	View    uint64            `json:"view"`
	Seq     uint64            `json:"seq"`
	Time    time.Time         `json:"time"`
	Total   int               `json:"total"`
	Matched int               `json:"matched"`
	Rows    []Row             `json:"rows"`
	Errors  map[string]string `json:"errors"`
}

// DeltaMessage leads from the state at Seq-1 to that at Seq: remove, then upsert; Ended tells how the removed ones ended.
type DeltaMessage[Row any] struct {
	Type    string            `json:"type" ts:"'delta'"`
	View    uint64            `json:"view"`
	Seq     uint64            `json:"seq"`
	Time    time.Time         `json:"time"`
	Total   int               `json:"total"`
	Matched int               `json:"matched"`
	Upsert  []Row             `json:"upsert"`
	Remove  []string          `json:"remove"`
	Ended   []EndedRow[Row]   `json:"ended"`
	Errors  map[string]string `json:"errors"`
}

// EndedRow tells how a process ended; both nil where the kernel did not say, and Lived is then the longest that it can be.
// Row is there only for one that the view never showed, because it lived between two samples.
type EndedRow[Row any] struct {
	Key      string  `json:"key"`
	ExitCode *int    `json:"exitCode"`
	Signal   *int    `json:"signal"`
	Lived    float64 `json:"lived"` // seconds
	Row      *Row    `json:"row,omitempty"`
}

// SummaryMessage is GET /summary, pushed.
type SummaryMessage struct {
	Type string `json:"type" ts:"'summary'"`
	View uint64 `json:"view"`
	Seq  uint64 `json:"seq"`
	SummaryReply
}

// FailedMessage tells which services have failed, first of all and whenever others have; a hundred names at most.
type FailedMessage struct {
	Type string `json:"type" ts:"'failed'"`
	View uint64 `json:"view"`
	Seq  uint64 `json:"seq"`
	FailedServices
}

// OperationMessage tells every signed-in client of a new or changed operation.
type OperationMessage struct {
	Type      string            `json:"type" ts:"'operation'"`
	Operation control.Operation `json:"operation"`
	Unseen    int               `json:"unseen"`
}

// UnseenMessage tells every signed-in client that the count changed.
type UnseenMessage struct {
	Type   string `json:"type" ts:"'unseen'"`
	Unseen int    `json:"unseen"`
}

// JournalMessage holds what a watched journal has, and then what is written to it, oldest first. Only additions follow.
type JournalMessage struct {
	Type  string                `json:"type" ts:"'journal'"`
	View  uint64                `json:"view"`
	Lines []control.JournalLine `json:"lines"`
}

// OutputMessage holds what a watched command has written, and then what it writes. Only additions follow.
type OutputMessage struct {
	Type  string       `json:"type" ts:"'output'"`
	View  uint64       `json:"view"`
	Lines []OutputLine `json:"lines"`
}

// OutputLine is one line of output with its line end, or a part of one that goes on in the next.
type OutputLine struct {
	Text string `json:"text"`
}

// ClientMessage is what a client may send; exactly one of the two is set.
type ClientMessage struct {
	Watch   *Watch   `json:"watch,omitempty"`
	Unwatch *Unwatch `json:"unwatch,omitempty"`
}

// Watch subscribes to a topic under an id of the client's choosing.
type Watch struct {
	ID    string `json:"id"`
	Topic string `json:"topic" ts:"'summary' | 'processes' | 'sockets' | 'services' | 'failed' | 'journal' | 'output'"`

	// Of a list.
	Q     string `json:"q,omitempty"`
	Sort  string `json:"sort,omitempty"`
	Order string `json:"order,omitempty" ts:"'asc' | 'desc' | ''"`
	Limit int    `json:"limit,omitempty"`

	Service   string `json:"service,omitempty"`   // of journal: manager:name, or the name alone
	Lines     int    `json:"lines,omitempty"`     // of journal: how many come first; 0 is 200
	Operation string `json:"operation,omitempty"` // of output: the id of a command's record
}

// Unwatch ends a watch.
type Unwatch struct {
	ID string `json:"id"`
}
