/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A histogram of 64-bit values in buckets that grow with them (log-linear, as
 * HdrHistogram has them): 32 buckets for each power of two, so that a quantile
 * is at most 1.6 % off, values below 64 exact. One block of fixed size, nothing
 * is allocated. Knows no units. Ours because Debian has no such library in C.
 */
#ifndef CONNLIFE_HISTOGRAM_H
#define CONNLIFE_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

#define HISTOGRAM_SUB_BITS 5
#define HISTOGRAM_BUCKETS ((64 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

/* All zeros is an empty one. min and max are exact, of an empty one they are 0. */
struct histogram {
	uint64_t count, sum, min, max;
	bool count_is_low; /* there were more: the counters are at their end */
	bool sum_is_low; /* the same of the sum */
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_clear(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t value);
void histogram_merge(struct histogram *to, const struct histogram *from);

/*
 * The value that a share p of all is not above, from 0 (min, exactly) to 1 (max,
 * exactly); never below min nor above max. 0 of an empty one.
 */
uint64_t histogram_quantile(const struct histogram *histogram, double p);

/* Buckets that hold something, smallest first; from and to are both in it. */
typedef void (*histogram_visit)(void *ctx, uint64_t from, uint64_t to, uint64_t count);
void histogram_walk(const struct histogram *histogram, histogram_visit visit, void *ctx);

#endif
