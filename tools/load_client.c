// SPDX-License-Identifier: GPL-2.0-only
/* The clients of the load generator: what each kind of load is. */
#include <errno.h>
#include <unistd.h>

#include "flood.h"
#include "load.h"

#define MEBIBYTE (1UL << 20)
#define GIVE_UP_AFTER 10 /* failures of one client */

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

void run_client(unsigned int index)
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
