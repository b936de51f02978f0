// The floor below "nobody watching": reads, each second until its input ends, the files that topdeck's summary is made of, by
// open, read and close, and does nothing with them. Its CPU time is taken from outside.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

int main(void) {
	static const char *const files[] = {
		"/proc/stat", "/proc/meminfo", "/proc/loadavg", "/proc/uptime", "/proc/diskstats", "/proc/net/dev",
		"/proc/pressure/cpu", "/proc/pressure/memory", "/proc/pressure/io",
	};
	static char buffer[1 << 16];
	struct pollfd input = {.fd = 0, .events = POLLIN};
	while (poll(&input, 1, 1000) == 0)
		for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
			int fd = open(files[i], O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			while (read(fd, buffer, sizeof buffer) > 0)
				;
			close(fd);
		}
	return 0;
}
