// SPDX-License-Identifier: GPL-3.0-or-later
/* What the guest's shell can't do: system calls and sockets. Linked statically. `probe WHAT` prints one line. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <linux/ethtool.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/if_tun.h>
#include <linux/random.h>
#include <linux/sockios.h>

static int said(const char *what, long value)
{
	if (value < 0)
		printf("%s: %s\n", what, strerror(errno));
	else
		printf("%s: %ld\n", what, value);
	return 0;
}

static int show(const char *file)
{
	char line[4096];
	FILE *stream = fopen(file, "r");

	while (stream && fgets(line, sizeof(line), stream))
		fputs(line, stdout);
	return !stream;
}

static int fdinfo(int fd)
{
	char file[64];

	snprintf(file, sizeof(file), "/proc/self/fdinfo/%d", fd);
	return show(file);
}

/* getdents64 into memory that is not there */
static int fault(void)
{
	int fd = open("/proc", O_RDONLY | O_DIRECTORY);

	return said("fault", syscall(SYS_getdents64, fd, (void *)8, 4096));
}

static int bound(int type, const char *name, struct sockaddr_un *address, socklen_t *length)
{
	int fd = socket(AF_UNIX, type, 0);

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	strcpy(address->sun_path + 1, name);
	*length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name);
	if (bind(fd, (struct sockaddr *)address, *length))
		perror("bind");
	return fd;
}

static int unix_table(void)
{
	struct sockaddr_un address;
	socklen_t length;

	bound(SOCK_SEQPACKET, "probe-seqpacket", &address, &length);
	bound(SOCK_DGRAM, "probe-dgram", &address, &length);
	return show("/proc/net/unix");
}

static int unix_connect(void)
{
	struct sockaddr_un address;
	socklen_t length;
	int server = bound(SOCK_STREAM, "probe-hidden", &address, &length);
	int client = socket(AF_UNIX, SOCK_STREAM, 0);

	listen(server, 1);
	return said("connect", connect(client, (struct sockaddr *)&address, length));
}

/* Nobody listens there, so the kernel refuses at once; a packet that is dropped brings no answer. */
static int tcp_connect(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct pollfd waiting = { .fd = fd, .events = POLLOUT };
	int error = 0;
	socklen_t length = sizeof(error);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)) || errno != EINPROGRESS)
		return said("connect", errno == ECONNREFUSED ? -1 : 0);
	if (!poll(&waiting, 1, 300)) {
		puts("connect: no answer");
		return 0;
	}
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	errno = error;
	return said("connect", error ? -1 : 0);
}

static int round_robin(void)
{
	struct sched_param param = { .sched_priority = 1 };
	struct timespec slice;

	if (sched_setscheduler(0, SCHED_RR, &param) || sched_rr_get_interval(0, &slice))
		return said("slice", -1);
	return said("slice in ms", slice.tv_sec * 1000 + (slice.tv_nsec + 500000) / 1000000);
}

static volatile sig_atomic_t caught;
static void catch(int signal)
{
	caught = signal;
}

static int timer(void)
{
	struct itimerval soon = { .it_value = { .tv_usec = 20000 } };

	signal(SIGALRM, catch);
	signal(SIGUSR1, catch);
	setitimer(ITIMER_REAL, &soon, NULL);
	while (!caught)
		pause();
	printf("signal: %s\n", caught == SIGALRM ? "SIGALRM" : "SIGUSR1");
	return 0;
}

static int gs_base(void)
{
	unsigned long base = 0;

	if (syscall(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, 0x1000) ||
	    syscall(SYS_arch_prctl, 0x1004 /* ARCH_GET_GS */, &base))
		return said("gs", -1);
	return said("gs", base);
}

static int semaphores(void)
{
	struct seminfo info;

	memset(&info, 0, sizeof(info));
	if (syscall(SYS_semctl, 7, 0, IPC_INFO, &info) < 0)
		return said("semusz", -1);
	return said("semusz", info.semusz);
}

static int entropy(void)
{
	int count = 0, fd = open("/dev/random", O_RDONLY);

	if (ioctl(fd, RNDGETENTCNT, &count))
		return said("entropy", -1);
	said("fault", ioctl(fd, RNDGETENTCNT, (void *)8));
	return said("entropy", count);
}

static int pipe_size(void)
{
	int ends[2];

	if (pipe(ends))
		return said("pipe", -1);
	return said("pipe", fcntl(ends[1], F_SETPIPE_SZ, 4096));
}

static int event_read(void)
{
	uint64_t value = 0;
	int fd = eventfd(3, 0);

	if (read(fd, &value, sizeof(value)) < 0)
		return said("eventfd", -1);
	return said("eventfd", value);
}

static int auxiliary(void)
{
	char vector[1024];

	return said("auxv", prctl(0x41555856 /* PR_GET_AUXV */, vector, sizeof(vector), 0, 0) > 0 ? 1 : -1);
}

static int same_file(void)
{
	int fd = open("/proc", O_RDONLY), twin = dup(fd), other = open("/proc", O_RDONLY);

	said("twin", fcntl(fd, 1024 + 3 /* F_DUPFD_QUERY */, twin));
	return said("other", fcntl(fd, 1024 + 3, other));
}

static int tun(void)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR);

	strcpy(request.ifr_name, "probe0");
	if (ioctl(fd, TUNSETIFF, &request))
		return said("tun", -1);
	return fdinfo(fd);
}

static int driver(const char *device)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = { .ifr_data = (void *)&info };

	strncpy(request.ifr_name, device, IFNAMSIZ - 1);
	if (ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCETHTOOL, &request))
		return said("driver", -1);
	printf("driver: %s\n", info.driver);
	return 0;
}

static int interface_metric(void)
{
	struct ifreq request = { .ifr_name = "lo" };

	if (ioctl(socket(AF_INET, SOCK_DGRAM, 0), SIOCGIFMETRIC, &request))
		return said("metric", -1);
	return said("metric", request.ifr_metric);
}

/* A pfifo for the loopback device, whose handle the kernel chooses, comes or goes. */
static int qdisc(int type, int flags)
{
	struct {
		struct nlmsghdr head;
		struct tcmsg message;
		struct rtattr kind;
		char name[8];
	} request = {
		.head = { sizeof(request), type, NLM_F_REQUEST | NLM_F_ACK | flags, 1, 0 },
		.message = { .tcm_ifindex = 1, .tcm_parent = TC_H_ROOT },
		.kind = { RTA_LENGTH(sizeof("pfifo")), TCA_KIND },
		.name = "pfifo",
	};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[256];
	} answer;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	if (send(fd, &request, sizeof(request), 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
		return said("qdisc", -1);
	errno = -answer.error.error;
	return errno ? said("qdisc", -1) : 0;
}

int main(int count, char **words)
{
	const char *what = count > 1 ? words[1] : "";
	const char *argument = count > 2 ? words[2] : "";

	if (!strcmp(what, "fault")) return fault();
	if (!strcmp(what, "unix-table")) return unix_table();
	if (!strcmp(what, "unix-connect")) return unix_connect();
	if (!strcmp(what, "tcp-connect")) return tcp_connect(atoi(argument));
	if (!strcmp(what, "round-robin")) return round_robin();
	if (!strcmp(what, "timer")) return timer();
	if (!strcmp(what, "gs-base")) return gs_base();
	if (!strcmp(what, "semaphores")) return semaphores();
	if (!strcmp(what, "entropy")) return entropy();
	if (!strcmp(what, "pipe-size")) return pipe_size();
	if (!strcmp(what, "eventfd")) return event_read();
	if (!strcmp(what, "eventfd-info")) return fdinfo(eventfd(0, EFD_SEMAPHORE));
	if (!strcmp(what, "auxv")) return auxiliary();
	if (!strcmp(what, "same-file")) return same_file();
	if (!strcmp(what, "tun")) return tun();
	if (!strcmp(what, "driver")) return driver(argument);
	if (!strcmp(what, "metric")) return interface_metric();
	if (!strcmp(what, "qdisc-add")) return qdisc(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
	if (!strcmp(what, "qdisc-del")) return qdisc(RTM_DELQDISC, 0);
	if (!strcmp(what, "secure-bits")) return said("secure bits", prctl(PR_GET_SECUREBITS));
	fprintf(stderr, "probe: what is %s?\n", what);
	return 2;
}
