/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests that have sent their SYN+ACK again: the only ones that a hook tells
 * of before they become a connection. Bounded: the oldest make room and are
 * counted, so a flood of SYNs costs no memory.
 */
#ifndef CONNLIFE_HALFOPEN_H
#define CONNLIFE_HALFOPEN_H

#include <stdint.h>

#include "base/map.h"
#include "core/report.h"

#ifndef HALFOPEN_MAX /* a build for tests has less */
#define HALFOPEN_MAX 4096
#endif

struct halfopen {
	uint64_t cookie; /* becomes the child's; 0: slot not in use */
	uint64_t first_synack_ns; /* 0: unknown */
	uint64_t seen_ns;
};

struct halfopens {
	struct map by_cookie;
	struct halfopen ring[HALFOPEN_MAX];
	uint32_t next;
	uint64_t forgotten; /* while they may still have become connections, for want of room */
};

/* 0 or -ENOMEM. */
int halfopens_init(struct halfopens *halfopens, uint64_t seed);
void halfopens_free(struct halfopens *halfopens);

/* Notes a repeated SYN+ACK. Without a cookie it can't be matched and is left out. */
void halfopens_note(struct halfopens *halfopens, const struct ev_synack_retransmit *event);

/* Takes out the request that became the connection with this cookie: when its first SYN+ACK
 * was sent, or 0. */
uint64_t halfopens_take(struct halfopens *halfopens, uint64_t cookie);

/* Forgets what was last seen before this time: the kernel has given it up. */
void halfopens_expire(struct halfopens *halfopens, uint64_t before_ns);

#endif
