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
#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "flood.h"

#define PORTS 32
#define MAX_SERVERS 8
#define MAX_CLIENTS 256
#define MAX_SECONDS 3600
#define CHUNK 4096
#define MEBIBYTE (1UL << 20)
#define BACKLOG 4096
#define SOCKET_TIMEOUT_S 10
#define DRAIN_MS 2000
#define CLOSES_PER_S 1e3 /* on a busy machine */
#define GIVE_UP_AFTER 10 /* failures of one client */
#define LIFETIME_S 900 /* beyond --seconds: then everything is killed */

enum closer { CLOSE_CLIENT, CLOSE_SERVER, CLOSE_RESET, CLOSE_REFUSED };

struct options {
	unsigned long connections;
	unsigned long clients;
	unsigned long bytes;
	unsigned long hold;
	unsigned long bulk; /* MiB */
	unsigned long flood; /* SYNs */
	unsigned long seconds; /* 0: not given */
	enum closer closer;
	bool ipv6;
	bool pin;
	bool rr;
	struct in_addr address; /* of the servers */
	struct in6_addr address6;
	const char *server_netns; /* path; NULL: ours */
};

/* What one client did. */
struct tally {
	unsigned long connections;
	unsigned long requests;
	unsigned long mebibytes;
	unsigned long syns;
	unsigned long failures;
	const char *failed_at;
	int error;
};

/* In memory that all processes share. */
struct work {
	unsigned long next; /* connection of the storm */
	struct tally tallies[MAX_CLIENTS];
};

struct server {
	int epoll;
	unsigned long open;
	unsigned long *echoed; /* by file descriptor */
	bool stopping;
	bool full; /* of file descriptors: no accept before a close */
};

static struct options opts;
static struct work *work;
static int listeners[PORTS];
static in_port_t ports[PORTS]; /* network order */
static unsigned int n_servers;
static pid_t servers[MAX_SERVERS], clients[MAX_CLIENTS];
/* Nothing is written to go, release and stop: closing them is the signal. */
static int go[2], ready[2], release[2], stop[2];

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* ---- options ---- */

enum {
	OPT_CONNECTIONS = 256,
	OPT_CLIENTS,
	OPT_BYTES,
	OPT_CLOSE,
	OPT_HOLD,
	OPT_BULK,
	OPT_FLOOD,
	OPT_PIN,
	OPT_RR,
	OPT_SECONDS,
	OPT_ADDRESS,
	OPT_SERVER_NETNS,
};

static const struct argp_option arguments[] = {
	{ "connections", OPT_CONNECTIONS, "N", 0, "Connections of the storm (40000)", 0 },
	{ "clients", OPT_CLIENTS, "N", 0, "Client processes (two for each CPU)", 0 },
	{ "bytes", OPT_BYTES, "N", 0, "Bytes of a request, echoed (1)", 0 },
	{ "close", OPT_CLOSE, "WHO", 0,
	  "Who closes first: client (default), server, reset "
	  "(the client, by RST) or refused (nobody listens)",
	  0 },
	{ "ipv6", '6', NULL, 0, "Use ::1 and not 127.0.0.1", 0 },
	{ "hold", OPT_HOLD, "N", 0,
	  "Open N idle connections, print the line, keep them "
	  "for --seconds, without it until standard input ends",
	  0 },
	{ "bulk", OPT_BULK, "MIB", 0, "Send MIB mebibytes on one connection a client", 0 },
	{ "flood", OPT_FLOOD, "N", 0,
	  "Send N SYNs to the servers from " FLOOD_NETWORK "; a route of "
	  "the servers' must lead the answers away",
	  0 },
	{ "pin", OPT_PIN, NULL, 0, "Keep a server and its clients on one CPU", 0 },
	{ "rr", OPT_RR, NULL, 0,
	  "Requests and responses for --seconds (5), one long-lived "
	  "connection a client",
	  0 },
	{ "seconds", OPT_SECONDS, "N", 0, "For --hold and --rr", 0 },
	{ "address", OPT_ADDRESS, "ADDRESS", 0, "Address of the servers (127.0.0.1 or ::1)", 0 },
	{ "server-netns", OPT_SERVER_NETNS, "PATH", 0,
	  "Network namespace in which the servers listen (that of the clients)", 0 },
	{ 0 }
};

static unsigned long parse_number(struct argp_state *state, const char *arg, unsigned long min,
				  unsigned long max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(arg, &end, 10);
	if (errno || end == arg || *end || *arg == '-' || value < min || value > max)
		argp_error(state, "%s: not a number from %lu to %lu", arg, min, max);
	return value;
}

static enum closer parse_closer(struct argp_state *state, const char *arg)
{
	if (!strcmp(arg, "server"))
		return CLOSE_SERVER;
	if (!strcmp(arg, "reset"))
		return CLOSE_RESET;
	if (!strcmp(arg, "refused"))
		return CLOSE_REFUSED;
	if (strcmp(arg, "client"))
		argp_error(state, "--close %s: not client, server, reset or refused", arg);
	return CLOSE_CLIENT;
}

static void parse_address(struct argp_state *state, const char *arg)
{
	if (inet_pton(AF_INET, arg, &opts.address) == 1)
		return;
	if (inet_pton(AF_INET6, arg, &opts.address6) != 1)
		argp_error(state, "--address %s: no IPv4 or IPv6 address", arg);
	opts.ipv6 = true;
}

static void check_options(struct argp_state *state)
{
	if (!!opts.hold + opts.rr + !!opts.bulk + !!opts.flood > 1)
		argp_error(state, "--hold, --rr, --bulk and --flood exclude each other");
	if (opts.seconds && !opts.hold && !opts.rr)
		argp_error(state, "--seconds goes with --hold or --rr");
	if (opts.rr && !opts.bytes)
		argp_error(state, "--rr needs --bytes of at least 1");
	if (opts.closer == CLOSE_REFUSED && (opts.hold || opts.rr || opts.bulk || opts.flood))
		argp_error(state, "--close refused is for storms");
	if (opts.flood && opts.ipv6)
		argp_error(state, "--flood is for IPv4");
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case OPT_CONNECTIONS:
		opts.connections = parse_number(state, arg, 1, 100000000);
		return 0;
	case OPT_CLIENTS:
		opts.clients = parse_number(state, arg, 1, MAX_CLIENTS);
		return 0;
	case OPT_BYTES:
		opts.bytes = parse_number(state, arg, 0, 1 << 30);
		return 0;
	case OPT_CLOSE:
		opts.closer = parse_closer(state, arg);
		return 0;
	case '6':
		opts.ipv6 = true;
		return 0;
	case OPT_HOLD:
		opts.hold = parse_number(state, arg, 1, 500000);
		return 0;
	case OPT_BULK:
		opts.bulk = parse_number(state, arg, 1, 1 << 20);
		return 0;
	case OPT_FLOOD:
		opts.flood = parse_number(state, arg, 1, 100000000);
		return 0;
	case OPT_PIN:
		opts.pin = true;
		return 0;
	case OPT_RR:
		opts.rr = true;
		return 0;
	case OPT_SECONDS:
		opts.seconds = parse_number(state, arg, 1, MAX_SECONDS);
		return 0;
	case OPT_ADDRESS:
		parse_address(state, arg);
		return 0;
	case OPT_SERVER_NETNS:
		opts.server_netns = arg;
		return 0;
	case ARGP_KEY_END:
		check_options(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void parse_options(int argc, char **argv)
{
	static const struct argp argp = {
		.options = arguments,
		.parser = parse_option,
		.doc = "Make a storm of TCP connections on loopback: connect, echo, close.",
	};
	unsigned long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	opts.connections = 40000;
	opts.clients = cpus * 2 < MAX_CLIENTS ? cpus * 2 : MAX_CLIENTS;
	opts.bytes = 1;
	opts.address.s_addr = htonl(INADDR_LOOPBACK);
	opts.address6 = in6addr_loopback;
	n_servers = cpus < MAX_SERVERS ? cpus : MAX_SERVERS;
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	if (opts.rr && !opts.seconds)
		opts.seconds = 5;
	/* the limit of open files is each server's own */
	if (opts.hold)
		n_servers = opts.clients < MAX_SERVERS ? opts.clients : MAX_SERVERS;
}

/* ---- both ends ---- */

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

static socklen_t server_address(struct sockaddr_storage *addr, in_port_t port)
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

static void limit_waiting(int fd)
{
	const struct timeval timeout = { .tv_sec = SOCKET_TIMEOUT_S };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
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

/* ---- the server ---- */

static void watch(struct server *server, int fd, bool is_connection)
{
	struct epoll_event event = {
		.events = EPOLLIN,
		.data.u64 = (uint64_t)is_connection << 32 | (uint32_t)fd,
	};

	if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event))
		error(1, errno, "epoll_ctl");
}

static void close_connection(struct server *server, int fd)
{
	close(fd);
	server->open--;
	server->full = false;
}

static void accept_one(struct server *server, int listener)
{
	int fd;

	if (server->full)
		return;
	fd = accept(listener, NULL, NULL); /* blocking: the echo is short */
	if (fd < 0) {
		server->full = errno == EMFILE || errno == ENFILE;
		return;
	}
	server->open++;
	server->echoed[fd] = 0;
	if (opts.closer == CLOSE_SERVER && !opts.bytes)
		close_connection(server, fd);
	else
		watch(server, fd, true);
}

static void take_one(struct server *server, int fd)
{
	static char stream[16 * CHUNK];

	if (recv(fd, stream, sizeof(stream), 0) <= 0)
		close_connection(server, fd);
}

static bool is_served(unsigned long echoed)
{
	return opts.closer == CLOSE_SERVER && !opts.hold && !opts.rr && echoed >= opts.bytes;
}

static void echo_one(struct server *server, int fd)
{
	char chunk[CHUNK];
	ssize_t got = recv(fd, chunk, sizeof(chunk), 0);

	if (got <= 0 || send(fd, chunk, got, MSG_NOSIGNAL) != got) {
		close_connection(server, fd);
		return;
	}
	server->echoed[fd] += got;
	if (is_served(server->echoed[fd]))
		close_connection(server, fd);
}

static void serve_event(struct server *server, uint64_t data)
{
	int fd = (uint32_t)data;

	if (data >> 32 && opts.bulk) {
		take_one(server, fd);
	} else if (data >> 32) {
		echo_one(server, fd);
	} else if (fd == stop[0]) {
		server->stopping = true;
		epoll_ctl(server->epoll, EPOLL_CTL_DEL, fd, NULL);
	} else {
		accept_one(server, fd);
	}
}

/* Ends when the parent closes stop and no connection is left, or DRAIN_MS after it. */
static void serve(struct server *server)
{
	double deadline = now() + MAX_SECONDS + LIFETIME_S;
	struct epoll_event events[64];
	int n, i;

	while (now() < deadline && !(server->stopping && !server->open)) {
		bool was_stopping = server->stopping;

		n = epoll_wait(server->epoll, events, 64, 1000);
		if (n < 0 && errno != EINTR)
			error(1, errno, "epoll_wait");
		for (i = 0; i < n; i++)
			serve_event(server, events[i].data.u64);
		if (server->stopping && !was_stopping)
			deadline = now() + DRAIN_MS / 1e3;
	}
}

static void run_server(unsigned int index)
{
	struct server server = { .epoll = epoll_create1(0) };
	struct rlimit limit;
	unsigned int i;

	close(go[1]);
	close(ready[1]);
	close(release[1]);
	close(stop[1]);
	getrlimit(RLIMIT_NOFILE, &limit);
	server.echoed = calloc(limit.rlim_cur, sizeof(*server.echoed));
	if (server.epoll < 0 || !server.echoed)
		error(1, errno, "no server");
	watch(&server, stop[0], false);
	for (i = index; i < PORTS && opts.closer != CLOSE_REFUSED; i += n_servers)
		watch(&server, listeners[i], false);
	serve(&server);
	free(server.echoed);
}

/* ---- the client ---- */

static bool fail(struct tally *tally, const char *what)
{
	if (!tally->failures++) {
		tally->failed_at = what;
		tally->error = errno;
	}
	return false;
}

/* The ports of a server are n_servers apart. */
static in_port_t nth_port(unsigned int index, unsigned long nth)
{
	return ports[index % n_servers + nth % (PORTS / n_servers) * n_servers];
}

/* The nth of this client; -1 also if it was refused and should be. */
static int connect_nth(struct tally *tally, unsigned int index, unsigned long nth)
{
	struct sockaddr_storage addr;
	socklen_t len = server_address(&addr, nth_port(index, nth));
	int fd = socket(addr.ss_family, SOCK_STREAM, 0);

	if (fd < 0) {
		fail(tally, "socket");
		return -1;
	}
	limit_waiting(fd);
	if (connect(fd, (struct sockaddr *)&addr, len)) {
		if (opts.closer == CLOSE_REFUSED && errno == ECONNREFUSED)
			tally->connections++;
		else
			fail(tally, "connect");
		close(fd);
		return -1;
	}
	return fd;
}

/* By chunks, each of them awaited: neither end can fill the other's buffers. */
static bool request(struct tally *tally, int fd)
{
	static char chunk[CHUNK];
	unsigned long left = opts.bytes;

	while (left) {
		ssize_t size = left < CHUNK ? left : CHUNK;

		if (send(fd, chunk, size, MSG_NOSIGNAL) != size)
			return fail(tally, "send");
		errno = 0; /* the end of the stream has none */
		if (recv(fd, chunk, size, MSG_WAITALL) != size)
			return fail(tally, "recv");
		left -= size;
	}
	tally->requests++;
	return true;
}

static bool finish(struct tally *tally, int fd)
{
	const struct linger linger = { .l_onoff = 1 };
	char byte;

	if (opts.closer == CLOSE_SERVER && recv(fd, &byte, 1, 0))
		return fail(tally, "end of stream");
	if (opts.closer == CLOSE_RESET &&
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
		return fail(tally, "SO_LINGER");
	return true;
}

static void storm(struct tally *tally, unsigned int index)
{
	unsigned long nth;
	bool whole;
	int fd;

	for (nth = 0; tally->failures < GIVE_UP_AFTER; nth++) {
		if (__atomic_fetch_add(&work->next, 1, __ATOMIC_RELAXED) >= opts.connections)
			return;
		fd = connect_nth(tally, index, nth);
		if (fd < 0)
			continue;
		whole = request(tally, fd) && finish(tally, fd);
		close(fd);
		if (whole)
			tally->connections++;
	}
}

static unsigned long share_of(unsigned long total, unsigned int index)
{
	return total / opts.clients + (index < total % opts.clients);
}

static void hold(struct tally *tally, unsigned int index)
{
	unsigned long share = share_of(opts.hold, index);
	unsigned long nth;

	for (nth = 0; nth < share && tally->failures < GIVE_UP_AFTER; nth++)
		if (connect_nth(tally, index, nth) >= 0)
			tally->connections++;
}

static void request_response(struct tally *tally, unsigned int index)
{
	double end = now() + opts.seconds;
	int fd = connect_nth(tally, index, 0);

	if (fd < 0)
		return;
	tally->connections++;
	while (now() < end && request(tally, fd))
		;
	close(fd);
}

/* Until the server has read all and closed. */
static bool stream(struct tally *tally, int fd)
{
	static char chunk[16 * CHUNK];
	unsigned long left;

	for (left = opts.bulk * MEBIBYTE; left; left -= sizeof(chunk))
		if (send(fd, chunk, sizeof(chunk), MSG_NOSIGNAL) != sizeof(chunk))
			return fail(tally, "send");
	if (shutdown(fd, SHUT_WR) || recv(fd, chunk, 1, 0))
		return fail(tally, "end of stream");
	tally->mebibytes += opts.bulk;
	return true;
}

static void bulk(struct tally *tally, unsigned int index)
{
	int fd = connect_nth(tally, index, 0);

	if (fd < 0)
		return;
	tally->connections += stream(tally, fd);
	close(fd);
}

static void flood(struct tally *tally, unsigned int index)
{
	unsigned long share = share_of(opts.flood, index);
	int fd = flood_open();

	while (tally->syns < share) {
		unsigned long nth = index + tally->syns * opts.clients;

		if (flood_send(fd, opts.address, nth_port(index, tally->syns), nth)) {
			fail(tally, "SYN from a raw socket");
			break;
		}
		tally->syns++;
	}
	close(fd);
}

static void run_client(unsigned int index)
{
	struct tally *tally = &work->tallies[index];
	char byte = 0;

	close(go[1]);
	close(release[1]);
	close(stop[1]);
	if (read(go[0], &byte, 1))
		_exit(1);
	if (opts.hold)
		hold(tally, index);
	else if (opts.rr)
		request_response(tally, index);
	else if (opts.bulk)
		bulk(tally, index);
	else if (opts.flood)
		flood(tally, index);
	else
		storm(tally, index);
	if (write(ready[1], &byte, 1) != 1)
		_exit(1);
	if (opts.hold && read(release[0], &byte, 1))
		_exit(1);
}

/* ---- the parent ---- */

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
