package control

import "time"

// Service is one service of one manager. States are systemd's words (systemctl(1)); the SysV manager uses those of them
// that fit, and unknown. CPUPercent and Memory are nil where they are not known.
type Service struct {
	Name          string     `json:"name"`    // systemd: with its suffix, nginx.service; sysv: the script's name
	Manager       string     `json:"manager"` // systemd or sysv
	Description   string     `json:"description"`
	LoadState     string     `json:"loadState"`
	ActiveState   string     `json:"activeState"`
	SubState      string     `json:"subState"`
	UnitFileState string     `json:"unitFileState"`
	Result        string     `json:"result"`   // why its last run failed, as systemd.exec(5) has it for $SERVICE_RESULT; empty: it did not
	ExitCode      *int       `json:"exitCode"` // how the main process of that run ended: by itself …
	Signal        string     `json:"signal"`   // … or by a signal, SIGKILL
	MainPID       int        `json:"mainPid"`
	PIDs          []int      `json:"pids"`
	Ports         []int      `json:"ports"` // listening, ascending, each once
	CPUPercent    *float64   `json:"cpuPercent"`
	Memory        *uint64    `json:"memory"`  // bytes
	Since         *time.Time `json:"since"`   // when it entered its active state
	Actions       []string   `json:"actions"` // those of Actions that its manager can do as it stands, as far as that is known
}
