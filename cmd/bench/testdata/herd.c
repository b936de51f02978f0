// herd PROCESSES CHANGING SOCKETS makes so many processes, of which the last CHANGING take another name each second, and so
// many sockets: connections over the loopback interface, of both ends, a hundred a process, held by the first processes (the
// name of a socket's process is part of its row, so that those of a process that changes would all change with it). It says
// "ready" when all are there, and everything ends with its input.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

// ends of connections that are reset when they end, so that none stays behind in TIME_WAIT
static void reset_at_end(int fd)
{
	struct linger now = {.l_onoff = 1};
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static void hold(int sockets)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || bind(listener, (void *)&address, sizeof address) || listen(listener, 16) ||
	    getsockname(listener, (void *)&address, &length))
		fail("herd: listen");
	for (int i = 0; i < sockets; i += 2) {
		int client = socket(AF_INET, SOCK_STREAM, 0);
		if (client < 0 || connect(client, (void *)&address, sizeof address))
			fail("herd: connect");
		int server = accept(listener, NULL, NULL);
		if (server < 0)
			fail("herd: accept");
		reset_at_end(client);
		reset_at_end(server);
	}
}

static void live(int number, int changes, int sockets, int ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == 1)
		_exit(0);
	close(0); // the end of the input is for the parent alone
	if (sockets)
		hold(sockets);
	if (write(ready, "", 1) != 1)
		_exit(1);
	close(ready);
	for (unsigned turn = 0; changes; turn++) {
		char name[16];
		snprintf(name, sizeof name, "herd-%04x", (turn * 7919 + number * 104729) & 0xffff);
		prctl(PR_SET_NAME, name);
		poll(NULL, 0, 1000);
	}
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 0, changing = argc > 2 ? atoi(argv[2]) : 0, sockets = argc > 3 ? atoi(argv[3]) : 0;
	int each = 100, ready[2];
	struct rlimit files;
	if (sockets > n * each && n > 0)
		each = (sockets / n / 2 + 1) * 2;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	if (pipe(ready))
		fail("herd: pipe");
	for (int i = 0; i < n; i++) {
		int mine = sockets < each ? sockets : each;
		sockets -= mine;
		pid_t pid = fork();
		if (pid < 0)
			fail("herd: fork");
		if (pid == 0) {
			close(ready[0]);
			live(i, i >= n - changing, mine, ready[1]);
		}
	}
	close(ready[1]);
	for (int i = 0; i < n; i++) {
		char c;
		if (read(ready[0], &c, 1) != 1)
			fail("herd: a process did not get ready");
	}
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
