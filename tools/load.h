/* SPDX-License-Identifier: GPL-2.0-only */
/* What parent, servers and clients of the load generator share. */
#ifndef CONNLIFE_TOOLS_LOAD_H
#define CONNLIFE_TOOLS_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#define PORTS 32
#define MAX_SERVERS 8
#define MAX_CLIENTS 256
#define MAX_SECONDS 3600
#define CHUNK 4096
#define DRAIN_MS 2000
#define SOCKET_TIMEOUT_S 10
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

extern struct options opts;
extern unsigned int n_servers;

extern struct work *work;
extern int listeners[PORTS];
extern in_port_t ports[PORTS]; /* network order */
/* Nothing is written to go, release and stop: closing them is the signal. */
extern int go[2], ready[2], release[2], stop[2];

/* Fills opts and n_servers; ends the program where they make no sense. */
void parse_options(int argc, char **argv);

/* Seconds of the monotonic clock. */
double now(void);

/* The servers' address with this port (network order); its size is returned. */
socklen_t server_address(struct sockaddr_storage *addr, in_port_t port);

/* No call on the socket takes longer than SOCKET_TIMEOUT_S. */
void limit_waiting(int fd);

/* Both in a child, until its work is done. */
void run_server(unsigned int index);
void run_client(unsigned int index);

#endif
