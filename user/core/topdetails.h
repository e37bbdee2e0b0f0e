/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All that is known of one connection that there is now, copied: it outlives
 * the census it was found in. Knows no screen.
 */
#ifndef CONNLIFE_TOPDETAILS_H
#define CONNLIFE_TOPDETAILS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/extra.h"
#include "core/report.h"

struct top_details {
	uint64_t wanted; /* the sock that is looked for */
	bool found;
	bool has_waiting;
	bool preexisting;
	bool has_cgroup;
	uint32_t uid; /* ~0 where unknown */
	enum ev_owner_source pid_source;
	int64_t start_ns;
	struct ev_waiting waiting;
	char cgroup[EV_PATH_LEN];
	struct report_holder holders[EXTRA_HOLDERS_MAX];
	unsigned int holders_len, holders_left_out;
};

/* For census_conns(): takes the one that is wanted. */
void top_details_take(void *details, const struct report_now *now);

/* Bytes of the applications, UNKNOWN_COUNT where not known. */
int64_t top_details_unread(const struct top_details *details); /* received, not read */
int64_t top_details_unsent(const struct top_details *details); /* written, not sent */
int64_t top_details_unacked(const struct top_details *details); /* sent, not acknowledged */

#endif
