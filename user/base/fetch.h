/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asks the CPU for memory that will be touched soon. Any address may be given:
 * nothing but time depends on it.
 */
#ifndef CONNLIFE_FETCH_H
#define CONNLIFE_FETCH_H

#include <stddef.h>

#define FETCH_LINE 64 /* bytes that come at once, on most CPUs */

static inline void fetch(const void *memory, size_t size)
{
	for (size_t at = 0; at < size; at += FETCH_LINE)
		__builtin_prefetch((const char *)memory + at, 1);
}

#endif
