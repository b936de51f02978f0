package server

import (
	"bufio"
	"context"
	"encoding/csv"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"topdeck/control"
)

const (
	// exportWait is how long an export may take.
	exportWait = time.Hour
	// exportChunk is after how many records a client has writeTime anew: only who reads nothing for that long is cut off.
	exportChunk = 500
)

// exportColumns are those of a CSV export, in the words of the JSON fields.
var exportColumns = [...]string{"id", "logTime", "logType", "target", "actor", "source", "retStatus", "message", "detail", "exitCode",
	"duration", "logStatus", "seenBy"}

// exportOperations answers GET /operations/export: the log, or what is asked for of it, oldest first, written as it is read. The export itself is
// recorded before it begins.
func (s *Server) exportOperations(c *fiber.Ctx) error {
	given, err := parameters(c, "format", "q", "logType", "retStatus", "logStatus")
	if err != nil {
		return err
	}
	filter, _, err := operationFilter(c, given)
	if err != nil {
		return err
	}
	format := given["format"]
	switch format {
	case "csv":
		c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	case "ndjson":
		c.Set(fiber.HeaderContentType, "application/x-ndjson")
	default:
		return refuse(codeInvalid, "format must be one of csv, ndjson")
	}
	what := "all of the log was exported"
	if given["q"]+given["logType"]+given["retStatus"]+given["logStatus"] != "" {
		what = "a part of the log was exported"
	}
	s.accounts.record("log.export", actorOf(c), format, what)
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="topdeck-operations.`+format+`"`)
	conn := c.Context().Conn()
	more := func() error { return conn.SetWriteDeadline(time.Now().Add(writeTime)) }
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		ctx, cancel := context.WithTimeout(s.requests, exportWait)
		defer cancel()
		if err := exportLog(ctx, s.cfg.Log, filter, format, w, more); err != nil {
			s.cfg.Logger.Warn("an export of the log ended early", "error", err)
		}
	})
	return nil
}

// exportLog writes the records that filter chooses, until the reader is gone or ctx ends. It calls more now and then.
func exportLog(ctx context.Context, log *control.Log, filter control.Filter, format string, w *bufio.Writer, more func() error) error {
	table := csv.NewWriter(w)
	row := func(op *control.Operation) error { return table.Write(exportRow(op)) }
	if format == "ndjson" {
		row = func(op *control.Operation) error {
			line, err := encode(op)
			if err != nil {
				return err
			}
			_, err = w.Write(append(line, '\n'))
			return err
		}
	} else if err := table.Write(exportColumns[:]); err != nil {
		return err
	}
	n := 0
	err := log.Walk(ctx, true, func(op *control.Operation) error {
		if n++; n%exportChunk == 0 {
			if err := more(); err != nil {
				return err
			}
		}
		if !chooses(filter, op) {
			return nil
		}
		return row(op)
	})
	table.Flush()
	if err == nil {
		err = table.Error()
	}
	return err
}

// chooses tells whether a record is one that filter asks for, whatever its page.
func chooses(filter control.Filter, op *control.Operation) bool {
	is := func(wanted, have string) bool { return wanted == "" || wanted == have }
	return is(filter.LogType, op.LogType) && is(filter.RetStatus, string(op.RetStatus)) && is(filter.LogStatus, string(op.LogStatus)) &&
		(filter.Match == nil || filter.Match(op))
}

// exportRow is a record as cells.
func exportRow(op *control.Operation) []string {
	exitCode := ""
	if op.ExitCode != nil {
		exitCode = strconv.Itoa(*op.ExitCode)
	}
	return []string{op.ID, op.LogTime.Format(time.RFC3339Nano), plainCell(op.LogType), plainCell(op.Target), plainCell(op.Actor), plainCell(op.Source),
		plainCell(string(op.RetStatus)), plainCell(op.Message), plainCell(op.Detail), exitCode, strconv.FormatFloat(op.Duration, 'f', -1, 64),
		plainCell(string(op.LogStatus)), plainCell(op.SeenBy)}
}

// plainCell keeps a spreadsheet from taking a text that others may have chosen for a formula.
func plainCell(cell string) string {
	if cell != "" && strings.IndexByte("=+-@\t\r", cell[0]) >= 0 {
		return "'" + cell
	}
	return cell
}
