/* SPDX-License-Identifier: GPL-2.0-only */
/* Stuck connections counted by who holds them, and by the listener that they came through. */
#ifndef CONNLIFE_STUCK_GROUPS_H
#define CONNLIFE_STUCK_GROUPS_H

#include "core/stuck.h"

struct stuck_group {
	enum stuck_hold
		hold; /* HOLD_ONE: of the process pid; others: of no process that is known */
	uint32_t pid;
	char comm[EV_COMM_LEN + 1];
	uint64_t netns_cookie; /* of a port's group */
	uint32_t netns_inum;
	uint16_t port;
	uint32_t total;
	uint32_t states[ST_MAX];
	int64_t oldest_ns; /* UNKNOWN_NS where no age is known */
	bool oldest_is_bound;
};

struct stuck_groups {
	struct stuck_group *all;
	size_t len, cap;
	bool failed; /* memory was short */
};

/* One a process; a connection that several share is counted with each. Largest first. */
void stuck_by_process(struct stuck_groups *groups, const struct stuck_list *list);

/* Those that this host accepted, by local port and namespace. Largest first. */
void stuck_by_port(struct stuck_groups *groups, const struct stuck_list *list);

/* All of the list in one. */
struct stuck_group stuck_total(const struct stuck_list *list);

void stuck_groups_free(struct stuck_groups *groups);

#endif
