package control

import (
	"strings"
	"testing"
)

func TestTelling(t *testing.T) {
	for _, test := range []struct{ name, output, want string }{
		{"nothing", "", ""},
		{"the only line", "the disk is on fire\n", "the disk is on fire"},
		{"the last of equals", "one\ntwo\n\n", "two"},
		{"nginx, of its configuration", `2026/11/23 06:29:48 [emerg] 79#79: unknown directive "retrn" in /etc/nginx/nginx.conf:3
nginx: configuration file /etc/nginx/nginx.conf test failed`, `2026/11/23 06:29:48 [emerg] 79#79: unknown directive "retrn" in /etc/nginx/nginx.conf:3`},
		{"nginx, of what is there twice", `2026/11/23 06:29:48 [emerg] 79#79: "worker_processes" directive is duplicate in /etc/nginx/nginx.conf:84
nginx: configuration file /etc/nginx/nginx.conf test failed`, `2026/11/23 06:29:48 [emerg] 79#79: "worker_processes" directive is duplicate in /etc/nginx/nginx.conf:84`},
		{"Redis, of its configuration", `*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***
Reading the configuration file, at line 3
>>> 'bogus yes'
Bad directive or wrong number of arguments`, ">>> 'bogus yes'"},
		{"a reason that names something, below what was read", `>>> 'bogus yes'
Unknown directive in redis.conf:3`, "Unknown directive in redis.conf:3"},
		{"a reason that is not right below what was read", `>>> 'bogus yes'
that is the line
Bad directive`, "Bad directive"},
		{"PostgreSQL, of its configuration", `LOG:  unrecognized configuration parameter "nonsense" in file "/etc/postgresql/15/main/postgresql.conf" line 822
FATAL:  configuration file "/etc/postgresql/15/main/postgresql.conf" contains errors
pg_ctl: could not start server
Examine the log output.`, `LOG:  unrecognized configuration parameter "nonsense" in file "/etc/postgresql/15/main/postgresql.conf" line 822`},
		{"PostgreSQL, of a value", `LOG:  invalid value for parameter "shared_buffers": "100TB"
FATAL:  configuration file "/etc/postgresql/15/main/postgresql.conf" contains errors
pg_ctl: could not start server
Examine the log output.`, `LOG:  invalid value for parameter "shared_buffers": "100TB"`},
		{"nginx, of its port", `[emerg] 68#68: bind() to 127.0.0.1:18080 failed (98: Address already in use)
[emerg] 68#68: still could not bind()`, "[emerg] 68#68: bind() to 127.0.0.1:18080 failed (98: Address already in use)"},
		{"PostgreSQL, of its port", `LOG:  starting PostgreSQL 15.18
LOG:  could not bind IPv4 address "127.0.0.1": Address already in use
HINT:  Is another postmaster already running on port 5432? If not, wait a few seconds and retry.
WARNING:  could not create listen socket for "localhost"
FATAL:  could not create any TCP/IP sockets
LOG:  database system is shut down
pg_ctl: could not start server
Examine the log output.`, `LOG:  could not bind IPv4 address "127.0.0.1": Address already in use`},
		{"Python", `Traceback (most recent call last):
  File "/srv/app.py", line 1, in <module>
    import flsk
ModuleNotFoundError: No module named 'flsk'`, "ModuleNotFoundError: No module named 'flsk'"},
		{"what was said long ago", "no such file or directory\n" + strings.Repeat("x\n", tellingLines) + "y", "y"},
		{"what is not for a terminal", "cannot open \x1b[31mit", "cannot open it"},
	} {
		if got := telling(strings.Split(test.output, "\n")); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
