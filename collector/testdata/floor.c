// floor measures what a monitor in C pays at least when it reads processes the usual way: open, read and close of
// /proc/PID/stat, without looking at what was read and without listing the folder, which it does once before. For each
// byte of its input it reads them all once and prints the processor time, user and system, that one process cost, in
// nanoseconds: "11000".
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static double used(void) {
	struct rusage r;
	getrusage(RUSAGE_SELF, &r);
	return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1e9 + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e3;
}

int main(void) {
	int n = 0, size = 0;
	char(*paths)[32] = NULL;
	DIR *proc = opendir("/proc");
	if (!proc) {
		perror("floor: /proc");
		return 1;
	}
	for (struct dirent *e; (e = readdir(proc));) {
		int pid = atoi(e->d_name);
		if (pid <= 0)
			continue;
		if (n == size && !(paths = realloc(paths, (size = 2 * size + 1024) * sizeof *paths)))
			return 1;
		snprintf(paths[n++], sizeof *paths, "/proc/%d/stat", pid);
	}
	closedir(proc);

	while (getchar() != EOF) {
		long reads = 0;
		double start = used();
		for (int i = 0; i < n; i++) {
			char buffer[1024];
			int file = open(paths[i], O_RDONLY);
			if (file < 0)
				continue; // it has ended
			if (read(file, buffer, sizeof buffer) > 0)
				reads++;
			close(file);
		}
		printf("%.0f\n", reads ? (used() - start) / reads : 0);
		fflush(stdout);
	}
	return 0;
}
