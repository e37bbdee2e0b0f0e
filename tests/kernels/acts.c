// SPDX-License-Identifier: GPL-2.0-only
/*
 * One connection on loopback for each thing that connlife must tell of, in a
 * virtual machine that has no Python. Both ends are in this process. It knows
 * nothing of connlife; who runs it knows what each act should be told as.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELD_MAX 256

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static struct sockaddr_in address(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((unsigned short)port),
				     .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

static int stream(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		die("socket");
	return fd;
}

static int listener(int port)
{
	struct sockaddr_in at = address(port);
	int fd = stream(), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, HELD_MAX))
		die("listen");
	return fd;
}

struct pair {
	int client, server;
};

static struct pair connected(int listening, int port)
{
	struct sockaddr_in to = address(port);
	struct pair pair = { .client = stream() };
	char byte = 'x';

	if (connect(pair.client, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	pair.server = accept(listening, NULL, NULL);
	if (pair.server < 0 || write(pair.client, &byte, 1) != 1 ||
	    read(pair.server, &byte, 1) != 1)
		die("accept");
	return pair;
}

/* As ss and others do: from here on the kernel has a cookie for it. */
static void ask_cookie(int fd)
{
	unsigned long long cookie;
	socklen_t size = sizeof(cookie);

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size))
		die("SO_COOKIE");
}

static void wait_for_end(int fd)
{
	char byte;

	while (read(fd, &byte, 1) > 0)
		;
}

static void refuse(int port)
{
	struct sockaddr_in to = address(port);
	int fd = stream();

	if (!connect(fd, (struct sockaddr *)&to, sizeof(to)) || errno != ECONNREFUSED)
		die("the connection was not refused");
	close(fd);
}

static void reset(int port)
{
	struct pair pair = connected(listener(port), port);
	struct linger linger = { .l_onoff = 1 };

	ask_cookie(pair.client);
	ask_cookie(pair.server);
	setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(pair.client);
	wait_for_end(pair.server);
	close(pair.server);
}

/* The client has gone before anybody accepts: nobody but the listener owns the child. */
static void unaccepted(int port)
{
	struct linger linger = { .l_onoff = 1 };
	struct sockaddr_in to = address(port);
	int listening = listener(port), fd = stream();

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
	close(listening);
}

static void time_wait(int port)
{
	struct pair pair = connected(listener(port), port);

	ask_cookie(pair.client);
	close(pair.client);
	wait_for_end(pair.server);
	close(pair.server);
}

/* No FIN_WAIT2 without a socket: the ACK of its FIN ends it, and a reset follows. */
static void linger2(int port)
{
	struct pair pair = connected(listener(port), port);
	int none = -1;

	ask_cookie(pair.client);
	setsockopt(pair.client, IPPROTO_TCP, TCP_LINGER2, &none, sizeof(none));
	close(pair.client);
	wait_for_end(pair.server);
	close(pair.server);
}

/* The client has closed, the server does not. */
static void close_wait(int port, unsigned int seconds)
{
	struct pair pair = connected(listener(port), port);

	ask_cookie(pair.client);
	close(pair.client);
	wait_for_end(pair.server);
	sleep(seconds);
}

static void hold(int port, unsigned int seconds)
{
	int listening = listener(port);
	struct pair pairs[HELD_MAX];
	int count = 20;

	for (int i = 0; i < count; i++)
		pairs[i] = connected(listening, port);
	sleep(seconds);
	for (int i = 0; i < count; i++) {
		close(pairs[i].client);
		wait_for_end(pairs[i].server);
		close(pairs[i].server);
	}
}

int main(int argc, char **argv)
{
	const char *act = argc > 2 ? argv[1] : "";
	int port = argc > 2 ? atoi(argv[2]) : 0;
	unsigned int seconds = argc > 3 ? (unsigned int)atoi(argv[3]) : 5;

	if (!strcmp(act, "refuse"))
		refuse(port);
	else if (!strcmp(act, "reset"))
		reset(port);
	else if (!strcmp(act, "unaccepted"))
		unaccepted(port);
	else if (!strcmp(act, "time_wait"))
		time_wait(port);
	else if (!strcmp(act, "linger2"))
		linger2(port);
	else if (!strcmp(act, "close_wait"))
		close_wait(port, seconds);
	else if (!strcmp(act, "hold"))
		hold(port, seconds);
	else
		return fprintf(stderr,
			       "acts refuse|reset|unaccepted|time_wait|linger2|close_wait|hold "
			       "PORT [S]\n"),
		       2;
	return 0;
}
