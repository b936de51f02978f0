// Package control acts on the host through its service managers, and owns the operation log.
//
// # The operation log
//
// Log keeps, in a bbolt database that others use too, what was done, by whom and how it ended. Begin is durable before it
// returns, and only then may the act be done; Finish records its outcome; Record takes what has already happened,
// Denied and Share what may happen as often as somebody likes: they sum it, so that it pushes nothing out. What
// was begun when the program ended is Interrupted at the next start, never silently done, unless it outlived the program and the
// Manager can tell what became of it.
//
// The entries form a chain: each holds the SHA-256 of the one before it, and they are only appended to. All lists come
// from indexes that are derived from the chain and kept in the same transactions. Who has seen what stands outside of the
// chain. Retention cuts the chain at its old end and says in the chain what it removed, so Verify can still follow it.
//
// One writer at a time holds Log.mu for the length of a transaction. What has changed is handed to a goroutine that
// calls the subscribers one after the other, so they may use the Log. A second goroutine writes what could not be written
// at once and applies retention. Close ends both; no transaction is open while a caller's function runs.
//
// # Service managers
//
// Manager shows the services of what it finds: systemd over D-Bus, or the scripts of /etc/init.d where no systemd runs.
//
// systemd is followed by its signals, by one goroutine that owns what it knows and publishes immutable lists; readers
// never wait for D-Bus. A list of units is asked for when the connection begins and after a reload, one of unit files, which costs
// systemd much, a second after the last change. A lost connection is made anew, and meanwhile the last list is shown with the
// reason. A list without a reason is whole: what the connection before had told of unit files serves until this one tells it. Its
// connection belongs to the Manager, never to a request.
//
// Scripts cannot tell of changes. Their status is asked in the background, a few at once, when somebody wants it and the last
// answer is old; scripts that do not say they can tell are never run for it.
//
// A followed journal is a journalctl of its own, in the goroutine of whoever follows it, and ends with its context.
//
// # Acts
//
// ServiceAction and its like check, write the intent to the log, and return; a goroutine of the Manager does the act and
// writes its outcome. It ends with the act or with Close, never with the request. What an act on a unit came to is told by its
// job's end, which a watch made before the job hears, over losses of the connection too; why it failed is asked of systemd
// and of the journal of that very invocation. Many a service that systemd calls started fails soon after: what an act has begun is
// followed for some seconds more, until the next act on it, and its failure then is a record of its own.
//
// A command is run by a runner. Where there is a systemd, and topdeck is root, that is a transient unit: its control group holds
// all that comes of it, its output comes through a pipe that systemd was given, and its end is told by signals. It outlives a
// crash of topdeck; the next start ends it, and finishes its record. Its words get there by Config.Starter, since systemd does not keep them safe over a reload. Elsewhere a command runs in a session of its own, and is ended with everything
// that bears its mark in the environment.
//
// Signal sends to a process that it holds by a pidfd, so there is nothing to wait for but the
// command line of it, for the record: where the memory of the process is locked, the goroutine that reads it is left behind.
package control
