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

// exportWait is how long an export may take.
const exportWait = 10 * time.Minute

// exportColumns are those of a CSV export, in the words of the JSON fields.
var exportColumns = [...]string{"id", "logTime", "logType", "target", "actor", "source", "retStatus", "message", "detail", "exitCode",
	"duration", "logStatus", "seenBy"}

// exportOperations answers GET /operations/export: the whole log, oldest first, written as it is read.
func (s *Server) exportOperations(c *fiber.Ctx) error {
	given, err := parameters(c, "format")
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
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="topdeck-operations.`+format+`"`)
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		ctx, cancel := context.WithTimeout(context.Background(), exportWait)
		defer cancel()
		if err := exportLog(ctx, s.cfg.Log, format, w); err != nil {
			s.cfg.Logger.Warn("an export of the log ended early", "error", err)
		}
	})
	return nil
}

// exportLog writes all records, until the reader is gone or ctx ends.
func exportLog(ctx context.Context, log *control.Log, format string, w *bufio.Writer) error {
	if format == "ndjson" {
		return log.Walk(ctx, true, func(op *control.Operation) error {
			line, err := encode(op)
			if err != nil {
				return err
			}
			_, err = w.Write(append(line, '\n'))
			return err
		})
	}
	table := csv.NewWriter(w)
	if err := table.Write(exportColumns[:]); err != nil {
		return err
	}
	err := log.Walk(ctx, true, func(op *control.Operation) error { return table.Write(exportRow(op)) })
	table.Flush()
	if err == nil {
		err = table.Error()
	}
	return err
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
