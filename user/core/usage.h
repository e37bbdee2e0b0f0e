/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is used up: minisocks, local ports by destination, accept queues. Made
 * from a census and from what namespaces have room for; reads nothing itself.
 */
#ifndef CONNLIFE_USAGE_H
#define CONNLIFE_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/extra.h"
#include "core/limits.h"
#include "core/report.h"

#define USAGE_DESTINATIONS 10
#define USAGE_RATE_S 10 /* the rate is that of the last seconds */
#define USAGE_SERVER_MIN 100 /* TIME_WAITs of a listening port, to be worth a word */

/* A network namespace with connections or listeners. */
struct usage_space {
	struct netns_limits limits; /* netns_cookie is set; the rest is for the source to fill */
	uint32_t netns_inum;
	uint64_t time_waits, fin_waits; /* minisocks that were seen, and pass the filter */
};

/* One connection, as far as ports and TIME_WAIT go. */
struct usage_end {
	uint64_t netns_cookie;
	uint8_t laddr[16], raddr[16];
	uint16_t lport, rport;
	bool is_time_wait;
	int64_t since_ns; /* of TIME_WAIT; UNKNOWN_NS */
	int64_t expires_ns; /* the same */
};

/* From one local address to one remote address and port. */
struct usage_destination {
	const struct usage_space *space;
	uint8_t laddr[16], raddr[16];
	uint16_t rport;
	uint32_t ports, time_waits; /* local ports of the range in use; of these in TIME_WAIT */
	uint32_t begun; /* TIME_WAITs that began in the last USAGE_RATE_S */
	int64_t used_up_ns; /* at this rate, from now; UNKNOWN_NS: it holds, or is not known */
};

/* A listening port whose connections it closes first. */
struct usage_server {
	const struct usage_space *space;
	uint16_t port;
	uint64_t time_waits;
};

struct usage_queue {
	struct ev_tuple tuple;
	uint32_t pid;
	char comm[EV_COMM_LEN + 1];
	uint32_t queue, backlog, drops, requests;
	uint32_t waiting; /* connections that were seen to wait in it */
	int64_t longest_ns; /* UNKNOWN_NS where none waits or it is not known */
	bool longest_is_bound;
};

struct usage {
	struct usage_space *spaces;
	struct usage_end *ends;
	struct usage_queue *queues;
	struct usage_server *servers;
	size_t spaces_len, spaces_cap, ends_len, ends_cap, queues_len, queues_cap;
	size_t servers_len, servers_cap;
	struct usage_destination destinations[USAGE_DESTINATIONS]; /* fullest first */
	size_t destinations_len;
	bool failed; /* memory was short: something is missing */
};

/* First all listeners, then all connections, then the limits of spaces[], then the sums. */
void usage_take_listener(struct usage *usage, const struct report_listener *listener);
void usage_take_conn(struct usage *usage, const struct report_now *now, uint64_t now_ns);
void usage_sum_up(struct usage *usage, uint64_t now_ns);

/* NULL where it was not taken. */
struct usage_space *usage_space_of(const struct usage *usage, uint64_t netns_cookie);

/* Forgets what was taken, and keeps the memory. */
void usage_clear(struct usage *usage);
void usage_free(struct usage *usage);

#endif
