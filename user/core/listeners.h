/* SPDX-License-Identifier: GPL-2.0-only */
/* The sockets in LISTEN, as of the last snapshot. Few: found by walking. */
#ifndef CONNLIFE_LISTENERS_H
#define CONNLIFE_LISTENERS_H

#include <stddef.h>
#include <stdint.h>

#include "core/extra.h"

struct listener {
	struct ev_listener event;
	struct extra extra; /* its holders */
	uint32_t scan; /* that saw it last */
};

/* Whether the scan of this number is that one or a later one. */
static inline bool scan_is_since(uint32_t scan, uint32_t that)
{
	return (int32_t)(scan - that) >= 0;
}

struct listeners {
	struct listener *all;
	size_t len, cap;
};

/* Without memory for another one it is left out. */
void listeners_found(struct listeners *listeners, const struct ev_listener *event, uint32_t scan);
void listeners_held(struct listeners *listeners, const struct ev_holder *event, uint32_t scan);

/* Forgets those of this namespace that the scan has not seen. */
void listeners_scanned(struct listeners *listeners, uint64_t netns_cookie, uint32_t scan);
/* Forgets those of any namespace that no scan has seen since this one. */
void listeners_walked(struct listeners *listeners, uint32_t since_scan);
void listeners_free(struct listeners *listeners);

#endif
