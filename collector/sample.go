package collector

import "time"

// Parts is a set of the parts of a sample that cost something to collect.
// The cheap part of the summary is in every sample and has no bit.
type Parts uint8

const (
	// PartTasks counts the host's processes by state (a scan of /proc).
	PartTasks Parts = 1 << iota
	// PartProcesses is the process list with CPU percent, and what ended since the sample before.
	PartProcesses
	// PartSockets is the TCP and UDP socket list with its owners.
	PartSockets

	partCount = iota
	allParts  = 1<<partCount - 1
)

// Has reports whether p holds every part of q.
func (p Parts) Has(q Parts) bool { return p&q == q }

// Sample is one reading of the host. It is immutable once published: whoever gets one may keep it and read it from
// any goroutine, and nobody may change it.
type Sample struct {
	Time      time.Time
	Parts     Parts // what this sample holds beyond the cheap summary
	Summary   Summary
	Processes []*Process // by PID; one that has not changed has the address that it had in the sample before
	Ended     []Ended    // processes that ended since the sample before, in the order of their end
	Sockets   []*Socket  // the same holds for these
	// Errors tells, for a part (summary, tasks, processes, events, sockets, owners …) that failed or is incomplete, the reason.
	// A part that is missing here is whole.
	Errors map[string]string
}

// Summary is what top(1) of procps 4 shows above its table, and more of the same kind.
type Summary struct {
	Time        time.Time         `json:"time"`
	Tasks       *Tasks            `json:"tasks"` // null when nobody asked for the count
	CPU         CPU               `json:"cpu"`
	Cores       []float64         `json:"cores"` // busy percent of each core, 0–100
	Memory      Memory            `json:"memory"`
	Swap        Swap              `json:"swap"`
	Load        [3]float64        `json:"load"`     // 1, 5 and 15 minutes, proc_loadavg(5)
	Uptime      float64           `json:"uptime"`   // seconds
	Pressure    *Pressure         `json:"pressure"` // null where the kernel has no PSI
	Disks       []Disk            `json:"disks"`
	Interfaces  []Interface       `json:"interfaces"`
	FileSystems []FileSystem      `json:"fileSystems"`
	Errors      map[string]string `json:"errors"`
}

// Tasks counts processes (not threads) by the state of their main thread, as top does: idle kernel threads and
// uninterruptible sleep count as sleeping, tracing stop as stopped.
type Tasks struct {
	Total    int `json:"total"`
	Running  int `json:"running"`
	Sleeping int `json:"sleeping"`
	Stopped  int `json:"stopped"`
	Zombie   int `json:"zombie"`
}

// CPU is how all cores together spent the time since the sample before, in percent; the eight add up to 100.
// Guest time is within User and Nice (the kernel counts it there), as in top. Source: /proc/stat, proc_stat(5).
type CPU struct {
	User    float64 `json:"us"`
	System  float64 `json:"sy"`
	Nice    float64 `json:"ni"`
	Idle    float64 `json:"id"`
	IOWait  float64 `json:"wa"`
	HardIRQ float64 `json:"hi"`
	SoftIRQ float64 `json:"si"`
	Steal   float64 `json:"st"`
}

// Memory is in bytes, by the definitions of free(1), procps 4: used is total less available,
// buffCache is Buffers + Cached + SReclaimable. Source: /proc/meminfo.
type Memory struct {
	Total     uint64 `json:"total"`
	Free      uint64 `json:"free"`
	Used      uint64 `json:"used"`
	BuffCache uint64 `json:"buffCache"`
	Available uint64 `json:"available"`
}

// Swap is in bytes.
type Swap struct {
	Total uint64 `json:"total"`
	Free  uint64 `json:"free"`
	Used  uint64 `json:"used"`
}

// Pressure is the share of the last ten seconds in which tasks waited for a resource, in percent. Source: /proc/pressure.
type Pressure struct {
	CPU    PressureShare `json:"cpu"`
	Memory PressureShare `json:"memory"`
	IO     PressureShare `json:"io"`
}

// PressureShare tells how long some, and how long all, non-idle tasks were stalled, in percent.
type PressureShare struct {
	Some float64 `json:"some"`
	Full float64 `json:"full"`
}

// Disk is one block device's rates since the sample before. Source: /proc/diskstats.
type Disk struct {
	Name                string  `json:"name"`
	ReadBytesPerSecond  float64 `json:"readBytesPerSecond"`
	WriteBytesPerSecond float64 `json:"writeBytesPerSecond"`
	ReadsPerSecond      float64 `json:"readsPerSecond"`
	WritesPerSecond     float64 `json:"writesPerSecond"`
	BusyPercent         float64 `json:"busyPercent"`
}

// Interface is one network interface's rates since the sample before. Source: /proc/net/dev.
type Interface struct {
	Name                     string  `json:"name"`
	ReceiveBytesPerSecond    float64 `json:"receiveBytesPerSecond"`
	TransmitBytesPerSecond   float64 `json:"transmitBytesPerSecond"`
	ReceivePacketsPerSecond  float64 `json:"receivePacketsPerSecond"`
	TransmitPacketsPerSecond float64 `json:"transmitPacketsPerSecond"`
	ErrorsPerSecond          float64 `json:"errorsPerSecond"` // errors and drops, both ways
}

// FileSystem is one mounted file system that holds data, in bytes, as df(1) tells it. Source: /proc/self/mountinfo, statfs(2).
type FileSystem struct {
	Device     string `json:"device"`
	MountPoint string `json:"mountPoint"`
	Type       string `json:"type"`
	Total      uint64 `json:"total"`
	Free       uint64 `json:"free"`
	Available  uint64 `json:"available"` // to unprivileged users
}

// Point is one second of the summary's history.
type Point struct {
	Time                   time.Time  `json:"time"`
	CPU                    CPU        `json:"cpu"`
	Memory                 Memory     `json:"memory"`
	Swap                   Swap       `json:"swap"`
	Load                   [3]float64 `json:"load"`
	Pressure               *Pressure  `json:"pressure"`
	ReadBytesPerSecond     float64    `json:"readBytesPerSecond"` // all disks
	WriteBytesPerSecond    float64    `json:"writeBytesPerSecond"`
	ReceiveBytesPerSecond  float64    `json:"receiveBytesPerSecond"` // all interfaces but loopback
	TransmitBytesPerSecond float64    `json:"transmitBytesPerSecond"`
	// Busy percent of each core since the last point that has them, to whole percents. There once every ten seconds: so the
	// history of a machine with many cores stays small.
	Cores []float64 `json:"cores,omitempty"`
}

// Process is one process of the host; PID and StartTime together name it. Texts are clean: control and bidi
// characters and invalid UTF-8 are shown as escapes. Source: proc_pid_stat(5), proc_pid_cmdline(5), proc_pid_cgroup(5).
type Process struct {
	PID        int       `json:"pid"`
	StartTime  uint64    `json:"startTime"` // clock ticks since boot
	StartedAt  time.Time `json:"startedAt"`
	PPID       int       `json:"ppid"`
	User       string    `json:"user"`  // effective; the number where it has no name
	State      string    `json:"state"` // one letter, as in ps(1)
	Nice       int       `json:"nice"`
	Comm       string    `json:"comm"`
	Cmdline    string    `json:"cmdline"`    // arguments joined by spaces, at most 4 KiB; empty for kernel threads
	Argv0      string    `json:"-"`          // what a viewer sees in place of Cmdline
	CPUPercent float64   `json:"cpuPercent"` // between two readings, 100 is one core; one decimal
	RSS        uint64    `json:"rss"`        // bytes
	VSize      uint64    `json:"vsize"`      // bytes
	Threads    int       `json:"threads"`
	Unit       string    `json:"unit"`  // systemd unit of its cgroup, or empty
	Slice      string    `json:"slice"` // systemd slice of its cgroup, or empty
	UserUnit   bool      `json:"-"`     // Unit is run by a user's manager: the system's unit of that name is another
}

// Ended is a process that ended between two samples. Source: the kernel's proc connector; where that is not to be had,
// the process is known to be gone but not how it ended, and ExitCode and Signal are nil.
type Ended struct {
	Process  Process // as last seen
	ExitCode *int
	Signal   *int
	// Listed tells whether the process was in a sample; false for one that lived between two of them.
	Listed bool
	// Lived is from its start to its end; to the sample that missed it, where the kernel did not tell.
	Lived time.Duration
}

// Socket is one TCP or UDP socket. Source: sock_diag(7).
type Socket struct {
	Protocol      string `json:"protocol"` // tcp, tcp6, udp, udp6
	RecvQ         uint32 `json:"recvQ"`    // bytes; for LISTEN, connections waiting to be accepted
	SendQ         uint32 `json:"sendQ"`    // bytes; for LISTEN, the backlog's limit
	LocalAddress  string `json:"localAddress"`
	LocalPort     uint16 `json:"localPort"`
	RemoteAddress string `json:"remoteAddress"`
	RemotePort    uint16 `json:"remotePort"`
	State         string `json:"state"`
	PID           int    `json:"pid"` // the lowest PID that holds it; 0 when none is known
	Program       string `json:"program"`
	User          string `json:"user"`
	Unit          string `json:"unit"`
	UserUnit      bool   `json:"-"` // as in Process
	Inode         uint32 `json:"inode"`
	Cookie        string `json:"cookie"` // the kernel's, decimal; names the socket for its whole life
}

// Host is what does not change, or slowly: nothing of it is stored. A value that cannot be had is empty (or null) and its
// reason stands in Errors under the JSON name of the field.
type Host struct {
	Hostname        string            `json:"hostname"`
	OS              string            `json:"os"`
	Kernel          string            `json:"kernel"`
	Architecture    string            `json:"architecture"`
	Virtualization  string            `json:"virtualization"` // as systemd-detect-virt(1) names it, none on bare metal
	BootTime        *time.Time        `json:"bootTime"`
	Uptime          *float64          `json:"uptime"` // seconds
	Timezone        string            `json:"timezone"`
	CPUModel        string            `json:"cpuModel"`
	CPUCount        int               `json:"cpuCount"`
	MemoryTotal     uint64            `json:"memoryTotal"`     // bytes
	Source          string            `json:"source"`          // where the process list comes from: bpf or proc; in Errors why not from BPF
	ServiceManagers []string          `json:"serviceManagers"` // filled by the server, which knows the managers
	ScheduledTasks  []ScheduledTask   `json:"scheduledTasks"`
	Errors          map[string]string `json:"errors"`
}

// ScheduledTask is one line of a crontab, one script of a cron folder, or one systemd timer.
type ScheduledTask struct {
	Kind     string     `json:"kind" ts:"'cron' | 'timer'"`
	Schedule string     `json:"schedule"` // as written: five fields, @daily, or a timer's OnCalendar
	User     string     `json:"user"`
	Command  string     `json:"command"` // for a timer, the unit that it starts
	Source   string     `json:"source"`  // the file, or the timer unit
	Next     *time.Time `json:"next"`    // null when it cannot be told, and of cron's tasks where no cron runs
}
