package control

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Values of ExecMainCode, waitid(2).
const (
	cldExited = 1
	cldKilled = 2
	cldDumped = 3
)

// ended is how a process ended, in words.
func ended(code, status int) string {
	switch code {
	case cldExited:
		return fmt.Sprintf("exit status %d", status)
	case cldKilled, cldDumped:
		if code == cldDumped {
			return "killed by " + signalName(status) + ", core dumped"
		}
		return "killed by " + signalName(status)
	}
	return fmt.Sprintf("ended with code %d, status %d", code, status)
}

// signalName is SIGKILL for 9.
func signalName(n int) string {
	if name := unix.SignalName(unix.Signal(n)); name != "" {
		return name
	}
	return fmt.Sprintf("signal %d", n)
}

// resultWords is what the result of a job means, org.freedesktop.systemd1(5).
func resultWords(result string) string {
	switch result {
	case "done":
		return "was done, but did not last"
	case "canceled":
		return "was canceled by another job"
	case "timeout":
		return "took too long"
	case "failed":
		return "failed"
	case "dependency":
		return "was not tried: something that it depends on failed"
	case "skipped":
		return "was skipped: it does not apply in this state"
	case "exec-condition":
		return "was skipped"
	case "start-limit-hit":
		return "was not tried: it was started too often in a short time; reset-failed allows it again"
	case "condition":
		return "was skipped: a condition of the unit does not hold"
	case "invalid":
		return "does not apply: it is not running"
	case "assert":
		return "was not tried: an assertion of the unit does not hold"
	case "unsupported":
		return "is not supported on this system"
	case "collected":
		return "was dropped: the unit is gone"
	case "once":
		return "was refused: it may be done only once"
	}
	return "ended as " + result
}

// unitResultWords is what the Result of a service means, systemd.exec(5).
func unitResultWords(result string) string {
	switch result {
	case "exit-code":
		return "a process failed"
	case "signal":
		return "a process was killed"
	case "core-dump":
		return "a process crashed"
	case "timeout":
		return "a process did not do its part in time"
	case "watchdog":
		return "it did not show that it is alive"
	case "start-limit-hit":
		return "it was started too often in a short time"
	case "resources":
		return "the system lacks what it needs"
	case "protocol":
		return "it did not speak as its unit file says"
	case "oom-kill":
		return "the kernel killed it for want of memory"
	case "exec-condition":
		return "its condition does not hold"
	}
	return result
}
