// SPDX-License-Identifier: GPL-2.0-only
/* Buckets by the highest bits of a value; counters stop at their end and say so. */
#include "base/histogram.h"

#include <string.h>

#define SUB_BITS HISTOGRAM_SUB_BITS
/* Below it a bucket is one value; above, a power of two has half as many buckets. */
#define EXACT_BELOW (UINT64_C(2) << SUB_BITS)
/* p is no exact fraction: 0.07 of 100 comes out a little above 7, and 8 would be wrong. */
#define RANK_SLACK 1e-12

static unsigned int bucket_of(uint64_t value)
{
	unsigned int shift;

	if (value < EXACT_BELOW)
		return (unsigned int)value;
	shift = 63 - SUB_BITS - (unsigned int)__builtin_clzll(value);
	return (shift << SUB_BITS) + (unsigned int)(value >> shift);
}

static void bucket_bounds(unsigned int index, uint64_t *from, uint64_t *to)
{
	unsigned int shift = index < EXACT_BELOW ? 0 : (index >> SUB_BITS) - 1;

	*from = (uint64_t)(index - (shift << SUB_BITS)) << shift;
	*to = *from + ((UINT64_C(1) << shift) - 1);
}

/* True where there was no room for all of it. */
static bool add_up(uint64_t *to, uint64_t value)
{
	if (!__builtin_add_overflow(*to, value, to))
		return false;
	*to = UINT64_MAX;
	return true;
}

void histogram_clear(struct histogram *histogram)
{
	memset(histogram, 0, sizeof(*histogram));
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	if (!histogram->count || value < histogram->min)
		histogram->min = value;
	if (value > histogram->max)
		histogram->max = value;
	histogram->count_is_low |= add_up(&histogram->count, 1);
	histogram->count_is_low |= add_up(&histogram->buckets[bucket_of(value)], 1);
	histogram->sum_is_low |= add_up(&histogram->sum, value);
}

void histogram_merge(struct histogram *to, const struct histogram *from)
{
	if (!from->count)
		return;
	if (!to->count || from->min < to->min)
		to->min = from->min;
	if (from->max > to->max)
		to->max = from->max;
	to->count_is_low |= add_up(&to->count, from->count) | from->count_is_low;
	to->sum_is_low |= add_up(&to->sum, from->sum) | from->sum_is_low;
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++)
		to->count_is_low |= add_up(&to->buckets[i], from->buckets[i]);
}

/* Which of all values in their order, from 1, is the first that p of them are not above. */
static uint64_t rank_of(uint64_t count, double p)
{
	double exact = p * (double)count;
	uint64_t rank;

	if (exact >= (double)count)
		return count;
	rank = (uint64_t)exact;
	if (exact - (double)rank > exact * RANK_SLACK)
		rank++;
	return rank ? rank : 1;
}

uint64_t histogram_quantile(const struct histogram *histogram, double p)
{
	uint64_t rank, below = 0;

	if (!(p > 0)) /* also what is no number */
		return histogram->min;
	if (p >= 1)
		return histogram->max;
	rank = rank_of(histogram->count, p);
	if (rank == 1)
		return histogram->min;
	if (rank == histogram->count)
		return histogram->max;
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t from, to, middle;

		add_up(&below, histogram->buckets[i]);
		if (!histogram->buckets[i] || below < rank)
			continue;
		bucket_bounds(i, &from, &to);
		middle = from + (to - from) / 2;
		if (middle < histogram->min)
			return histogram->min;
		return middle < histogram->max ? middle : histogram->max;
	}
	return histogram->max;
}

void histogram_walk(const struct histogram *histogram, histogram_visit visit, void *ctx)
{
	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t from, to;

		if (!histogram->buckets[i])
			continue;
		bucket_bounds(i, &from, &to);
		visit(ctx, from, to, histogram->buckets[i]);
	}
}
