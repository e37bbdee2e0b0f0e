/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of usage.h that counts local ports by destination. */
#ifndef CONNLIFE_USAGE_PORTS_H
#define CONNLIFE_USAGE_PORTS_H

#include "core/usage.h"

/* Sorts ends[] and fills destinations[]. */
void usage_sum_up_ports(struct usage *usage, int64_t now_ns);

/*
 * When in_use and what is eaten at begun a USAGE_RATE_S fill room, while those
 * of expires[] (sorted, len of them) are given back; from now. UNKNOWN_NS: never.
 */
int64_t usage_used_up_ns(uint32_t in_use, uint32_t begun, int64_t room, const int64_t *expires,
			 size_t len, int64_t now_ns);

#endif
