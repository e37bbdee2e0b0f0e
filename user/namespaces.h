/* SPDX-License-Identifier: GPL-2.0-only */
/* The limits of every network namespace, as of the last look; looked at no more often than is cheap. */
#ifndef CONNLIFE_NAMESPACES_H
#define CONNLIFE_NAMESPACES_H

#include <stddef.h>
#include <stdint.h>

#include "core/limits.h"

struct namespaces {
	struct netns_limits *all;
	size_t len, cap;
	uint64_t next_look_ns;
};

/* All zeros is one that has not looked yet. Where a look fails, what it did not find is missing. */
void namespaces_look(struct namespaces *namespaces);
void namespaces_free(struct namespaces *namespaces);

#endif
