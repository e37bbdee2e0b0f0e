/* SPDX-License-Identifier: GPL-2.0-only */
/* Tells an event from other bytes. The only place that trusts a size from outside. */
#ifndef CONNLIFE_DECODE_H
#define CONNLIFE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

#include "event.h"

/* 146 years: the sum of two times, and what lies between them, fit into an int64_t. */
#define DECODE_TIME_MAX_NS ((uint64_t)INT64_MAX / 2)
/* 2 EB: sums and differences of a few counts of bytes fit into an int64_t. */
#define DECODE_BYTES_MAX ((uint64_t)INT64_MAX / 4)

/* Of a time besides the event's own: one that can't be is not known, 0. */
static inline uint64_t decode_time(uint64_t ns)
{
	return ns <= DECODE_TIME_MAX_NS ? ns : 0;
}

/* The size that an event of this kind has; 0 for a kind that does not exist. */
size_t decode_size(unsigned int kind);

/*
 * Whether the size bytes at data (aligned to 8) begin with one whole event of this
 * version, with its time, bytes and enumerations in range and its texts terminated.
 */
bool decode_is_event(const void *data, size_t size);

#endif
