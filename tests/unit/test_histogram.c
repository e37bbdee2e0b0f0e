// SPDX-License-Identifier: GPL-2.0-only
/* Histograms: buckets without gap, quantiles against sorted values, counters at their end. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/array.h"
#include "base/histogram.h"
#include "random.h"

#define SAMPLES 5000
#define ERROR_MOST 0.016

static struct histogram one, two;

static int setup(void **state)
{
	histogram_clear(&one);
	histogram_clear(&two);
	return 0;
}

struct seen {
	uint64_t from, to, count;
	unsigned int buckets;
};

/* The only bucket, or the last one; they must ascend. */
static void see(void *ctx, uint64_t from, uint64_t to, uint64_t count)
{
	struct seen *seen = ctx;

	assert_true(from <= to);
	assert_true(count > 0);
	if (seen->buckets)
		assert_true(from > seen->to);
	*seen = (struct seen){ from, to, count, seen->buckets + 1 };
}

static struct seen bucket_of(uint64_t value)
{
	struct seen seen = { 0 };

	histogram_clear(&two);
	histogram_add(&two, value);
	histogram_walk(&two, see, &seen);
	assert_int_equal(seen.buckets, 1);
	assert_int_equal(seen.count, 1);
	return seen;
}

static void test_empty(void **state)
{
	struct seen seen = { 0 };

	assert_int_equal(histogram_quantile(&one, 0.5), 0);
	assert_int_equal(histogram_quantile(&one, 0), 0);
	assert_int_equal(histogram_quantile(&one, 1), 0);
	histogram_walk(&one, see, &seen);
	assert_int_equal(seen.buckets, 0);
}

/* From bucket to bucket through all of 64 bits: no gap, none too wide. */
static void test_buckets_meet(void **state)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		struct seen seen = bucket_of(value);

		assert_true(seen.from == value);
		assert_true(bucket_of(seen.to).from == value);
		assert_true(seen.to - seen.from <= value / 32);
		if (value < 64)
			assert_true(seen.to == value);
		value = seen.to + 1;
	}
	assert_true(value == 0); /* the last one ends with the last value */
}

static void test_exact_figures(void **state)
{
	static const uint64_t values[] = { 1000003, 17, UINT32_MAX, 999, 17 };

	for (unsigned int i = 0; i < 5; i++)
		histogram_add(&one, values[i]);
	assert_int_equal(one.count, 5);
	assert_int_equal(one.sum, UINT64_C(1001036) + UINT32_MAX);
	assert_int_equal(one.min, 17);
	assert_int_equal(one.max, UINT32_MAX);
	assert_false(one.count_is_low || one.sum_is_low);
	assert_int_equal(histogram_quantile(&one, 0), 17);
	assert_int_equal(histogram_quantile(&one, 1), UINT32_MAX);
	histogram_clear(&one);
	assert_int_equal(one.count, 0);
	assert_int_equal(histogram_quantile(&one, 1), 0);
	histogram_add(&one, 0);
	assert_int_equal(one.count, 1);
	assert_int_equal(one.max, 0);
}

/* A single value is told as it is, wherever in its bucket it lies. */
static void test_single(void **state)
{
	static const uint64_t values[] = { 0, 1, 63, 64, 65, 1000003, UINT64_MAX - 1, UINT64_MAX };

	for (unsigned int i = 0; i < ARRAY_SIZE(values); i++) {
		histogram_clear(&one);
		histogram_add(&one, values[i]);
		histogram_add(&one, values[i]);
		histogram_add(&one, values[i]);
		assert_true(histogram_quantile(&one, 0.01) == values[i]);
		assert_true(histogram_quantile(&one, 0.5) == values[i]);
		assert_true(histogram_quantile(&one, 0.99) == values[i]);
	}
}

static void test_strange_shares(void **state)
{
	for (uint64_t i = 1; i <= 100; i++)
		histogram_add(&one, i);
	assert_int_equal(histogram_quantile(&one, -1), 1);
	assert_int_equal(histogram_quantile(&one, NAN), 1);
	assert_int_equal(histogram_quantile(&one, 2), 100);
	assert_int_equal(histogram_quantile(&one, INFINITY), 100);
	assert_int_equal(histogram_quantile(&one, 1e-300), 1);
	/* in binary a little more than 7 and 55 of them */
	assert_int_equal(histogram_quantile(&one, 0.07), 7);
	assert_int_equal(histogram_quantile(&one, 0.55), 55);
	assert_int_equal(histogram_quantile(&one, 0.071), 8);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Every thousandth of values of every magnitude, beside the sorted list. */
static void test_quantiles(void **state)
{
	static uint64_t values[SAMPLES];

	for (unsigned int i = 0; i < SAMPLES; i++) {
		values[i] = next_random() >> (next_random() & 63);
		histogram_add(&one, values[i]);
	}
	qsort(values, SAMPLES, sizeof(values[0]), by_value);
	for (unsigned int i = 1; i < 1000; i++) {
		uint64_t right = values[i * (SAMPLES / 1000) - 1];
		uint64_t told = histogram_quantile(&one, i / 1000.0);
		double off = fabs((double)told - (double)right);

		assert_true(off <= ERROR_MOST * (double)right);
		assert_true(told >= one.min && told <= one.max);
	}
}

static void test_merge(void **state)
{
	static struct histogram all;

	histogram_clear(&all);
	histogram_merge(&one, &two);
	assert_int_equal(one.count, 0);
	for (unsigned int i = 0; i < SAMPLES; i++) {
		uint64_t value = next_random() >> 20;

		histogram_add(i % 3 ? &one : &two, value);
		histogram_add(&all, value);
	}
	histogram_merge(&one, &two);
	assert_memory_equal(&one, &all, sizeof(all));
	histogram_clear(&two);
	histogram_merge(&one, &two);
	assert_memory_equal(&one, &all, sizeof(all));
	histogram_merge(&two, &one);
	assert_memory_equal(&two, &all, sizeof(all));
}

static void test_sum_at_its_end(void **state)
{
	histogram_add(&one, UINT64_MAX - 5);
	histogram_add(&one, 5);
	assert_true(one.sum == UINT64_MAX);
	assert_false(one.sum_is_low);
	histogram_add(&one, 1);
	assert_true(one.sum == UINT64_MAX);
	assert_true(one.sum_is_low);
	assert_false(one.count_is_low);
	histogram_merge(&two, &one);
	assert_true(two.sum_is_low);
	assert_false(two.count_is_low);
}

static void test_count_at_its_end(void **state)
{
	histogram_add(&one, 7);
	histogram_add(&one, 9);
	one.count = UINT64_MAX;
	one.buckets[7] = UINT64_MAX;
	assert_int_equal(histogram_quantile(&one, 0.999999), 7);
	histogram_add(&one, 7);
	assert_true(one.count == UINT64_MAX);
	assert_true(one.buckets[7] == UINT64_MAX);
	assert_true(one.count_is_low);
	histogram_add(&two, 9);
	histogram_merge(&two, &one);
	assert_true(two.count == UINT64_MAX);
	assert_true(two.count_is_low);
	assert_int_equal(two.buckets[9], 2);
	assert_int_equal(two.min, 7);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_empty),  TEST(test_buckets_meet),   TEST(test_exact_figures),
		TEST(test_single), TEST(test_strange_shares), TEST(test_quantiles),
		TEST(test_merge),  TEST(test_sum_at_its_end), TEST(test_count_at_its_end),
	};

	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
