// storm makes so many processes a second for so many seconds, or as many as it can, which end at once; it tells how many at the end.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
	if (argc != 3)
		return 2;
	double rate = atof(argv[1]), end = now() + atof(argv[2]), began = now();
	signal(SIGCHLD, SIG_IGN); // nobody waits for them
	long made = 0;
	for (double t; (t = now()) < end;) {
		if (made >= (t - began) * rate) {
			usleep(500);
			continue;
		}
		pid_t pid = vfork(); // nothing to copy for one that ends at once, so that the processors are left to who watches
		if (pid < 0) {
			perror("storm: vfork");
			return 1;
		}
		if (pid == 0)
			_exit(0);
		made++;
	}
	printf("%ld\n", made);
	return 0;
}
