// SPDX-License-Identifier: GPL-2.0-only
/*
 * A storm of TCP connections on loopback: connect, echo, close; or refused
 * connections, held ones, requests on long-lived ones, one stream, a flood of
 * SYNs. For the bench and the tests: it prints one line of JSON and fails if a
 * connection failed. It knows nothing of tracers.
 *
 * The servers are forked first, each with its own listeners. A client stays
 * with one server and takes its ports in turn, so that TIME_WAIT leaves every
 * destination enough local ports. With --pin both are on one CPU: no
 * wake-up crosses CPUs and every run has the same speed, which the bench needs;
 * the clients share the work, so one whose CPU is busy does less of it.
 *
 * Each child ends by itself when the parent closes its end of a pipe.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define BACKLOG 4096
#define CLOSES_PER_S 1e3 /* on a busy machine */

struct work *work;
int listeners[PORTS];
in_port_t ports[PORTS];
int go[2], ready[2], release[2], stop[2];

static pid_t servers[MAX_SERVERS], clients[MAX_CLIENTS];

double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

socklen_t server_address(struct sockaddr_storage *addr, in_port_t port)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)addr;
	struct sockaddr_in *in = (struct sockaddr_in *)addr;

	memset(addr, 0, sizeof(*addr));
	if (opts.ipv6) {
		in6->sin6_family = AF_INET6;
		in6->sin6_addr = opts.address6;
		in6->sin6_port = port;
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_addr = opts.address;
	in->sin_port = port;
	return sizeof(*in);
}

void limit_waiting(int fd)
{
	const struct timeval timeout = { .tv_sec = SOCKET_TIMEOUT_S };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
}

static void raise_fd_limit(void)
{
	unsigned long of_client = opts.hold / opts.clients + 1;
	unsigned long clients_of_one = (opts.clients + n_servers - 1) / n_servers;
	rlim_t need = of_client * clients_of_one + 256; /* a server's */
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		error(1, errno, "RLIMIT_NOFILE");
	if (limit.rlim_cur >= need)
		return;
	limit.rlim_cur = need;
	if (limit.rlim_max < need)
		limit.rlim_max = need;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		error(1, errno, "cannot raise the limit of open files to %lu (ulimit -n)",
		      (unsigned long)need);
}

static void die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

/* To one of the CPUs that we may use, in turn. */
static void pin_to(unsigned int nth)
{
	cpu_set_t allowed, one;
	unsigned int cpu;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		error(1, errno, "sched_getaffinity");
	nth %= CPU_COUNT(&allowed);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed) || nth--)
			continue;
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one))
			error(1, errno, "sched_setaffinity");
		return;
	}
}

static void open_listener(unsigned int i)
{
	struct sockaddr_storage addr;
	socklen_t len = server_address(&addr, 0);
	int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	char text[INET6_ADDRSTRLEN];

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) ||
	    (opts.closer != CLOSE_REFUSED && listen(fd, BACKLOG)))
		error(1, errno, "no listener on %s (is its interface up?)",
		      opts.ipv6 ? inet_ntop(AF_INET6, &opts.address6, text, sizeof(text))
				: inet_ntop(AF_INET, &opts.address, text, sizeof(text)));
	limit_waiting(fd);
	if (getsockname(fd, (struct sockaddr *)&addr, &len))
		error(1, errno, "getsockname");
	listeners[i] = fd;
	ports[i] = opts.ipv6 ? ((struct sockaddr_in6 *)&addr)->sin6_port
			     : ((struct sockaddr_in *)&addr)->sin_port;
}

/* A socket stays in the namespace in which it was made, and so do its children. */
static void open_listeners(void)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int there = -1;

	if (opts.server_netns) {
		there = open(opts.server_netns, O_RDONLY | O_CLOEXEC);
		if (there < 0 || setns(there, CLONE_NEWNET))
			error(1, errno, "%s", opts.server_netns);
	}
	for (unsigned int i = 0; i < PORTS; i++)
		open_listener(i);
	if (opts.server_netns && setns(home, CLONE_NEWNET))
		error(1, errno, "setns");
	close(home);
	if (there >= 0)
		close(there);
}

static pid_t start(void (*run)(unsigned int), unsigned int index)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid < 0)
		error(1, errno, "fork");
	if (!pid) {
		die_with(parent);
		if (opts.pin)
			pin_to(index % n_servers);
		run(index);
		_exit(0);
	}
	return pid;
}

static void prepare(void)
{
	unsigned int i;

	raise_fd_limit();
	work = mmap(NULL, sizeof(*work), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (work == MAP_FAILED)
		error(1, errno, "mmap");
	if (pipe(go) || pipe(ready) || pipe(release) || pipe(stop))
		error(1, errno, "pipe");
	open_listeners();
	for (i = 0; i < n_servers; i++)
		servers[i] = start(run_server, i);
	for (i = 0; i < opts.clients; i++)
		clients[i] = start(run_client, i);
	close(ready[1]);
}

/* False if a client ended before it said that it had done its part. */
static bool await_clients(void)
{
	char bytes[MAX_CLIENTS];
	unsigned int done = 0;
	ssize_t got;

	while (done < opts.clients) {
		got = read(ready[0], bytes, sizeof(bytes));
		if (got <= 0)
			return false;
		done += got;
	}
	return true;
}

static struct tally sum_up(void)
{
	struct tally sum = { 0 };
	unsigned int i;

	for (i = 0; i < opts.clients; i++) {
		const struct tally *tally = &work->tallies[i];

		sum.connections += tally->connections;
		sum.requests += tally->requests;
		sum.mebibytes += tally->mebibytes;
		sum.syns += tally->syns;
		sum.failures += tally->failures;
		if (tally->failed_at && !sum.failed_at) {
			sum.failed_at = tally->failed_at;
			sum.error = tally->error;
		}
	}
	return sum;
}

static unsigned long connections_wanted(void)
{
	if (opts.hold)
		return opts.hold;
	if (opts.flood)
		return 0;
	return opts.rr || opts.bulk ? opts.clients : opts.connections;
}

static bool report(double seconds)
{
	struct tally sum = sum_up();

	if (sum.failures)
		error(0, sum.error, "%lu failures, the first one: %s", sum.failures, sum.failed_at);
	printf("{\"connections\":%lu,\"seconds\":%.6f,\"connections_per_second\":%.1f,"
	       "\"requests\":%lu,\"requests_per_second\":%.1f,\"mebibytes\":%lu,"
	       "\"syns\":%lu,\"failures\":%lu}\n",
	       sum.connections, seconds, sum.connections / seconds, sum.requests,
	       sum.requests / seconds, sum.mebibytes, sum.syns, sum.failures);
	return !fflush(stdout) && !sum.failures && sum.connections == connections_wanted();
}

static void keep(void)
{
	double end = now() + (opts.seconds ? opts.seconds : MAX_SECONDS);
	struct pollfd input = { .fd = opts.seconds ? -1 : STDIN_FILENO, .events = POLLIN };
	char bytes[512];
	double left;

	while ((left = end - now()) > 0)
		if (poll(&input, 1, left * 1e3 + 1) > 0 &&
		    read(input.fd, bytes, sizeof(bytes)) <= 0)
			return;
}

/* True if it ended well by itself, within the time of a socket that waits and of many closes. */
static bool end_child(pid_t pid)
{
	double deadline = now() + SOCKET_TIMEOUT_S + DRAIN_MS / 1e3 + opts.hold / CLOSES_PER_S;
	int status = 0;

	while (now() < deadline) {
		pid_t ended = waitpid(pid, &status, WNOHANG);

		if (ended)
			return ended == pid && WIFEXITED(status) && !WEXITSTATUS(status);
		usleep(1000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return false;
}

static bool end_children(void)
{
	bool well = true;
	unsigned int i;

	close(release[1]);
	for (i = 0; i < opts.clients; i++)
		well &= end_child(clients[i]);
	close(stop[1]);
	for (i = 0; i < n_servers; i++)
		well &= end_child(servers[i]);
	return well;
}

int main(int argc, char **argv)
{
	double begin;
	bool well;

	parse_options(argc, argv);
	alarm(opts.seconds + (opts.hold ? MAX_SECONDS : 0) + LIFETIME_S);
	prepare();
	begin = now();
	close(go[1]);
	well = await_clients();
	well &= report(now() - begin);
	if (opts.hold)
		keep();
	well &= end_children();
	return well ? EXIT_SUCCESS : EXIT_FAILURE;
}
