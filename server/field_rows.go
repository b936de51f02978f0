package server

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"topdeck/collector"
	"topdeck/control"
)

// rowType tells all that lists and views need to know of one type of rows.
type rowType[Row any, Key comparable] struct {
	fields  []field[Row]
	key     func(*Row) Key            // names a row for as long as it lives
	keyText func(Key) string          // the key as the contract writes it
	equal   func(a, b *Row) bool      // whether a client that has a needs b
	append  func([]byte, *Row) []byte // writes the row's JSON; nil for the library's way
	compare func(a, b *Row) int       // the order when no other is asked for, and among equals; no two rows of a sample are equal
}

type processKey struct {
	pid       int
	startTime uint64
}

// processStates are the words of ps(1) for the letters that processes' states are told by.
var processStates = map[string]string{
	"running": "R", "sleeping": "S", "waiting": "D", "uninterruptible": "D", "stopped": "T", "traced": "t", "zombie": "Z", "idle": "I",
}

func processRows() *rowType[collector.Process, processKey] {
	type row = collector.Process
	state := enum("state", func(p *row) string { return p.State })
	state.bareWord = func(value string) func(*row) bool {
		letter, ok := processStates[strings.ToLower(value)]
		if !ok {
			return nil
		}
		return func(p *row) bool { return p.State == letter }
	}
	state.holds = func(value string) func(*row) bool {
		if test := state.bareWord(value); test != nil {
			return test
		}
		return func(p *row) bool { return strings.EqualFold(p.State, value) }
	}
	slice := text("slice", func(p *row) string { return p.Slice })
	slice.searched = false // a word like system would find nearly all
	return &rowType[row, processKey]{
		fields: []field[row]{
			number("pid", numberField, func(p *row) float64 { return float64(p.PID) }).named(),
			number("startTime", numberField, func(p *row) float64 { return float64(p.StartTime) }),
			at("startedAt", func(p *row) (time.Time, bool) { return p.StartedAt, true }),
			number("ppid", numberField, func(p *row) float64 { return float64(p.PPID) }),
			text("user", func(p *row) string { return p.User }),
			state,
			number("nice", numberField, func(p *row) float64 { return float64(p.Nice) }),
			text("comm", func(p *row) string { return p.Comm }).alias("name"),
			text("cmdline", func(p *row) string { return p.Cmdline }),
			number("cpuPercent", numberField, func(p *row) float64 { return p.CPUPercent }).alias("cpu"),
			number("rss", bytesField, func(p *row) float64 { return float64(p.RSS) }).alias("mem"),
			number("vsize", bytesField, func(p *row) float64 { return float64(p.VSize) }),
			number("threads", numberField, func(p *row) float64 { return float64(p.Threads) }),
			text("unit", func(p *row) string { return p.Unit }),
			slice,
		},
		key:     func(p *row) processKey { return processKey{p.PID, p.StartTime} },
		keyText: func(k processKey) string { return strconv.Itoa(k.pid) + ":" + strconv.FormatUint(k.startTime, 10) },
		equal:   func(a, b *row) bool { return *a == *b },
		append:  appendProcess,
		compare: func(a, b *row) int { return cmp.Or(cmp.Compare(a.PID, b.PID), cmp.Compare(a.StartTime, b.StartTime)) },
	}
}

func socketRows() *rowType[collector.Socket, string] {
	type row = collector.Socket
	localAddress := func(s *row) string { return s.LocalAddress }
	localPort := func(s *row) int { return int(s.LocalPort) }
	remoteAddress := func(s *row) string { return s.RemoteAddress }
	remotePort := func(s *row) int { return int(s.RemotePort) }

	local := text("localAddress", localAddress).alias("local")
	local.holds = func(value string) func(*row) bool { return addressTest(value, localAddress, localPort) }
	remote := text("remoteAddress", remoteAddress).alias("remote")
	remote.holds = func(value string) func(*row) bool { return addressTest(value, remoteAddress, remotePort) }
	local.bareWord = func(value string) func(*row) bool {
		if !strings.Contains(value, ":") {
			return nil
		}
		here, there := local.holds(value), remote.holds(value)
		return func(s *row) bool { return here(s) || there(s) }
	}
	port := number("port", numberField, func(s *row) float64 { return float64(s.LocalPort) }).named()
	port.any = func(s *row, ok func(float64) bool) bool {
		return ok(float64(s.LocalPort)) || ok(float64(s.RemotePort))
	}
	cookie := text("cookie", func(s *row) string { return s.Cookie })
	cookie.searched = false // digits that nobody looks for by parts

	return &rowType[row, string]{
		fields: []field[row]{
			enum("protocol", func(s *row) string { return s.Protocol }).alias("proto"),
			number("recvQ", bytesField, func(s *row) float64 { return float64(s.RecvQ) }),
			number("sendQ", bytesField, func(s *row) float64 { return float64(s.SendQ) }),
			local,
			number("localPort", numberField, func(s *row) float64 { return float64(s.LocalPort) }).named(),
			remote,
			number("remotePort", numberField, func(s *row) float64 { return float64(s.RemotePort) }).named(),
			port,
			enum("state", func(s *row) string { return s.State }),
			number("pid", numberField, func(s *row) float64 { return float64(s.PID) }).named(),
			text("program", func(s *row) string { return s.Program }).alias("name"),
			text("user", func(s *row) string { return s.User }),
			text("unit", func(s *row) string { return s.Unit }),
			number("inode", numberField, func(s *row) float64 { return float64(s.Inode) }),
			cookie,
		},
		key:     func(s *row) string { return s.Cookie },
		keyText: func(k string) string { return k },
		equal:   func(a, b *row) bool { return *a == *b },
		append:  appendSocket,
		compare: func(a, b *row) int { // cmp.Or would make all four comparisons each time
			if c := strings.Compare(a.Protocol, b.Protocol); c != 0 {
				return c
			}
			if c := cmp.Compare(a.LocalPort, b.LocalPort); c != 0 {
				return c
			}
			return cmp.Or(cmp.Compare(len(a.Cookie), len(b.Cookie)), strings.Compare(a.Cookie, b.Cookie))
		},
	}
}

type serviceKey struct{ manager, name string }

func serviceRows() *rowType[control.Service, serviceKey] {
	type row = control.Service
	return &rowType[row, serviceKey]{
		fields: []field[row]{
			text("name", func(s *row) string { return s.Name }),
			enum("manager", func(s *row) string { return s.Manager }),
			text("description", func(s *row) string { return s.Description }),
			enum("loadState", func(s *row) string { return s.LoadState }),
			enum("activeState", func(s *row) string { return s.ActiveState }).alias("state"),
			enum("subState", func(s *row) string { return s.SubState }),
			enum("unitFileState", func(s *row) string { return s.UnitFileState }),
			enum("result", func(s *row) string { return s.Result }),
			optional("exitCode", numberField, func(s *row) (float64, bool) {
				n, known := deref(s.ExitCode)
				return float64(n), known
			}),
			enum("signal", func(s *row) string { return s.Signal }),
			number("mainPid", numberField, func(s *row) float64 { return float64(s.MainPID) }).named(),
			list("pids", func(s *row) []int { return s.PIDs }).alias("pid"),
			list("ports", func(s *row) []int { return s.Ports }).alias("port"),
			optional("cpuPercent", numberField, func(s *row) (float64, bool) { return deref(s.CPUPercent) }).alias("cpu"),
			optional("memory", bytesField, func(s *row) (float64, bool) {
				n, known := deref(s.Memory)
				return float64(n), known
			}).alias("mem"),
			at("since", func(s *row) (time.Time, bool) { return deref(s.Since) }),
			words("actions", func(s *row) []string { return s.Actions }),
		},
		key:     func(s *row) serviceKey { return serviceKey{s.Manager, s.Name} },
		keyText: func(k serviceKey) string { return k.manager + ":" + k.name },
		equal:   equalServices,
		compare: func(a, b *row) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Manager, b.Manager))
		},
	}
}

// operationFields are those of the log's records. Rows of the log are read page by page and never sorted otherwise.
func operationFields() []field[control.Operation] {
	type row = control.Operation
	id := enum("id", func(o *row) string { return o.ID })
	id.searched, id.bareWord = false, func(value string) func(*row) bool {
		return func(o *row) bool { return o.ID == value }
	}
	return []field[row]{
		id,
		at("logTime", func(o *row) (time.Time, bool) { return o.LogTime, true }).alias("time"),
		text("logType", func(o *row) string { return o.LogType }).alias("type"),
		text("target", func(o *row) string { return o.Target }).alias("name"),
		text("actor", func(o *row) string { return o.Actor }),
		text("source", func(o *row) string { return o.Source }),
		enum("retStatus", func(o *row) string { return string(o.RetStatus) }),
		text("message", func(o *row) string { return o.Message }),
		text("detail", func(o *row) string { return o.Detail }),
		optional("exitCode", numberField, func(o *row) (float64, bool) {
			n, known := deref(o.ExitCode)
			return float64(n), known
		}),
		number("duration", numberField, func(o *row) float64 { return o.Duration }),
		enum("logStatus", func(o *row) string { return string(o.LogStatus) }),
		text("seenBy", func(o *row) string { return o.SeenBy }),
	}
}

func deref[T any](p *T) (v T, known bool) {
	if p == nil {
		return v, false
	}
	return *p, true
}
