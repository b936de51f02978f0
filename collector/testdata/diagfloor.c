/* The floor that listing sockets is measured against: what the kernel takes for one sock_diag(7) dump of all TCP and UDP
 * sockets of this network namespace, read in C and only counted. Prints "ns/socket N", CPU time of user and system, and
 * "sockets N". The argument is how often the dump is made (1). Build: cc -O2 -o diagfloor diagfloor.c */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[64 << 10];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double cpu(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e9 + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e3;
}

static long dump(int type, const void *request, size_t size)
{
	struct {
		struct nlmsghdr header;
		char data[64];
	} message = {.header = {.nlmsg_len = NLMSG_LENGTH(size), .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
	long sockets = 0;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		fail("socket");
	memcpy(message.data, request, size);
	if (send(fd, &message, message.header.nlmsg_len, 0) < 0)
		fail("send");
	for (;;) {
		ssize_t n = recv(fd, buffer, sizeof buffer, MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail("recv");
		if (n > (ssize_t)sizeof buffer) {
			fputs("cut\n", stderr);
			exit(1);
		}
		for (struct nlmsghdr *h = (struct nlmsghdr *)buffer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_type == NLMSG_DONE) {
				close(fd);
				return sockets;
			}
			if (h->nlmsg_type == NLMSG_ERROR) {
				errno = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
				fail("sock_diag");
			}
			sockets++;
		}
	}
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 1;
	struct inet_diag_req tcp = {.idiag_states = 0x1fff};
	struct inet_diag_req_v2 udp = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_UDP, .idiag_states = 0x1fff};
	struct inet_diag_req_v2 udp6 = {.sdiag_family = AF_INET6, .sdiag_protocol = IPPROTO_UDP, .idiag_states = 0x1fff};
	long sockets = 0;
	double start = cpu();
	for (int i = 0; i < rounds; i++)
		sockets += dump(TCPDIAG_GETSOCK, &tcp, sizeof tcp) + dump(SOCK_DIAG_BY_FAMILY, &udp, sizeof udp) +
			   dump(SOCK_DIAG_BY_FAMILY, &udp6, sizeof udp6);
	printf("ns/socket %.1f\nsockets %ld\n", (cpu() - start) / (sockets ? sockets : 1), sockets / rounds);
	return 0;
}
