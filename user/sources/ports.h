/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads what network namespaces have room for: settings and counters below /proc. */
#ifndef CONNLIFE_PORTS_H
#define CONNLIFE_PORTS_H

#include <stddef.h>

#include "core/limits.h"

struct keeper_call;

/* The keeper's duty KEEPER_LIMITS; ctx is not used. */
int ports_serve(void *ctx, struct keeper_call *call);

/*
 * Fills what can be read of a namespace, found by its cookie; the rest is
 * UNKNOWN_COUNT, and one that can't be entered stays as it is. limits_of gives NULL for one
 * that is not asked for. 0, or a negative errno.
 */
int ports_read(struct netns_limits *(*limits_of)(void *ctx, uint64_t cookie), void *ctx);

#endif
