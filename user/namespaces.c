// SPDX-License-Identifier: GPL-2.0-only
#include "namespaces.h"

#include <stdlib.h>
#include <time.h>

#include "core/report.h"
#include "sources/ports.h"

#define SEC UINT64_C(1000000000)
#define LOOK_SHARE 100 /* looking takes at most this part of the time */

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SEC + (uint64_t)now.tv_nsec;
}

static struct netns_limits *add(void *ctx, uint64_t cookie)
{
	struct namespaces *namespaces = ctx;
	struct netns_limits *limits;

	if (namespaces->len == namespaces->cap) {
		size_t cap = namespaces->cap ? namespaces->cap * 2 : 16;
		struct netns_limits *all = realloc(namespaces->all, cap * sizeof(*all));

		if (!all)
			return NULL;
		namespaces->all = all;
		namespaces->cap = cap;
	}
	limits = &namespaces->all[namespaces->len++];
	*limits = (struct netns_limits){
		.netns_cookie = cookie,
		.port_low = UNKNOWN_COUNT,
		.port_high = UNKNOWN_COUNT,
		.ports = UNKNOWN_COUNT,
		.minisocks = UNKNOWN_COUNT,
		.minisocks_max = UNKNOWN_COUNT,
		.tw_reuse = UNKNOWN_COUNT,
		.listen_overflows = UNKNOWN_COUNT,
		.listen_drops = UNKNOWN_COUNT,
	};
	return limits;
}

void namespaces_look(struct namespaces *namespaces)
{
	uint64_t begin = monotonic_ns(), end;

	if (begin < namespaces->next_look_ns)
		return;
	namespaces->len = 0;
	ports_read(add, namespaces);
	end = monotonic_ns();
	namespaces->next_look_ns = end + (end - begin) * LOOK_SHARE;
}

void namespaces_free(struct namespaces *namespaces)
{
	free(namespaces->all);
	*namespaces = (struct namespaces){ 0 };
}
