/* SPDX-License-Identifier: GPL-2.0-only */
/* What a network namespace has room for, as its settings and counters say. Knows no source. */
#ifndef CONNLIFE_LIMITS_H
#define CONNLIFE_LIMITS_H

#include <stdint.h>

/* Each is UNKNOWN_COUNT where it could not be read. */
struct netns_limits {
	uint64_t netns_cookie;
	int64_t port_low, port_high; /* ip_local_port_range, both included */
	int64_t ports; /* in this range and not reserved */
	int64_t minisocks; /* TIME_WAIT and FIN_WAIT2 without a socket, now */
	int64_t minisocks_max; /* tcp_max_tw_buckets */
	int64_t tw_reuse; /* tcp_tw_reuse: 0 no, 1 yes, 2 on loopback */
	int64_t listen_overflows; /* ListenOverflows since the namespace began */
	int64_t listen_drops; /* ListenDrops: these and other SYNs and ACKs that were dropped */
};

#endif
