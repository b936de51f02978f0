// Package collector reads the host: /proc and /sys, sock_diag(7), the proc connector, crontabs and systemd's timers.
//
// # The way of a sample
//
// Collector.Run is one goroutine with one ticker, and the only one that touches the state behind it (reader and what hangs
// on it). At a tick it reads the cheap part of the summary, and of the rest what somebody watches (Watch): the count of
// tasks, the processes, the sockets. It builds a Sample, which nobody changes any more, and hands it to publish. Collect
// asks the same goroutine for a reading in between; callers at the same time share it, and while a sample of the last
// second serves there is none. Nothing else is read when nobody looks.
//
// Rates and CPU percentages are measured from an earlier reading, at least 200 ms old (window): shorter spans show clock
// ticks, not load. When processes come to be watched or asked for, the goroutine takes a first reading, goes on with its
// ticks, and takes the sample 200 ms later.
//
// # Who has ended
//
// A scan of /proc finds the processes that are there (table, whose hot path is behind processSource). While processes are
// watched, the connector's goroutine takes in what the kernel tells of births, programs executed and deaths, looks at each
// new process at once, and keeps it as lives until the next scan. Only that one decides (table.bury): a process has
// ended when it is gone, since the first thread's end need not be the process's, and a zombie is still there. Where the
// kernel tells nothing (not root, or a container), ends are known by absence, and Sample.Errors says so.
//
// # Sockets and their owners
//
// What sock_diag tells of a socket (diag) is compared with what it told the last time, by the socket's cookie; the row is made
// anew only where they differ (socketReader). Which processes hold which sockets is searched when a socket comes, when an
// owner has ended, and now and then (owners): by a BPF iterator over open files, or through /proc/PID/fd.
//
// # Where processes come from
//
// Two sources stand behind processSource: /proc/PID/stat through descriptors that stay open (procSource), and, as root in
// the initial namespaces, a BPF iterator over the kernel's tasks (bpfSource). They tell the same figures; the tolerance of
// each stands with TestSourcesTellTheSame. Which one it is, and why not the better, Collector.Source tells. When an iterator
// fails later, all is read from /proc until the program starts again (trust).
//
// # Beside the one goroutine
//
// Three things may wait for ever, and so are done elsewhere: the connector's socket (ended by Run), statfs(2) of file
// systems, and the command line of a process whose memory is locked. The goroutines of the last two end with the answer;
// there is at most one for each file system, and a bounded number for processes.
//
// HostReader stands apart: it reads the facts that seldom change, each time anew, in its caller's goroutine.
//
// Texts that other users chose are cleaned here (clean): what leaves this package can be shown as it is, as text.
package collector
