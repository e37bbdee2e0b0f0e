// SPDX-License-Identifier: GPL-2.0-only
/* The servers of the load generator: echo, or take what comes. */
#include <errno.h>
#include <error.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "load.h"

struct server {
	int epoll;
	unsigned long open;
	unsigned long *echoed; /* by file descriptor */
	bool stopping;
	bool full; /* of file descriptors: no accept before a close */
};

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

void run_server(unsigned int index)
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
