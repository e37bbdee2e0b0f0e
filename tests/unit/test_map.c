// SPDX-License-Identifier: GPL-2.0-only
/* The hash table against a naive one: random work, hostile keys, chains, growth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/array.h"
#include "base/map.h"
#include "random.h"

#define MODEL_KEYS 4096

/* The inverse of MurmurHash3's finaliser: keys for a place of one's own choice. */
static uint64_t unmix(uint64_t hash)
{
	hash ^= hash >> 33;
	hash *= 0x9cb4b2f8129337db; /* inverse of 0xc4ceb9fe1a85ec53 modulo 2^64 */
	hash ^= hash >> 33;
	hash *= 0x4f74430c22a54005; /* inverse of 0xff51afd7ed558ccd */
	return hash ^ hash >> 33;
}

static uint64_t key_plain(uint64_t i)
{
	return i;
}

static uint64_t key_pointers(uint64_t i)
{
	return 0xffff888100000000 + i * 2304;
}

static uint64_t key_high_bits(uint64_t i)
{
	return i << 52;
}

static uint64_t key_extremes(uint64_t i)
{
	return i % 2 ? UINT64_MAX - i / 2 : i / 2;
}

/* All of them at home in the same few slots of an unseeded table. */
static uint64_t key_colliding(uint64_t i)
{
	return unmix(i << 32 | (i % 3));
}

/* At home at the end of the table: chains wrap around. */
static uint64_t key_wrapping(uint64_t i)
{
	return unmix(i << 32 | 0xfffffffe);
}

static uint64_t (*const makers[])(uint64_t) = {
	key_plain, key_pointers, key_high_bits, key_extremes, key_colliding, key_wrapping,
};

static uint32_t model[MODEL_KEYS]; /* value of key i; MAP_NONE: not there */

static void check_all(const struct map *map, uint64_t (*make)(uint64_t), uint64_t keys)
{
	uint64_t len = 0;

	for (uint64_t i = 0; i < keys; i++) {
		assert_int_equal(map_get(map, make(i)), model[i]);
		len += model[i] != MAP_NONE;
	}
	assert_int_equal(map->len, len);
}

/* One random put, get or del, in the table and in the model. */
static void work(struct map *map, uint64_t key, uint32_t *was, unsigned int puts)
{
	unsigned int action = (unsigned int)(next_random() % 8);
	uint32_t value;

	if (action < puts) {
		value = (uint32_t)next_random() % MAP_NONE;
		assert_int_equal(map_put(map, key, value), 0);
		*was = value;
	} else if (action < 7) {
		assert_int_equal(map_del(map, key), *was);
		*was = MAP_NONE;
	}
	assert_int_equal(map_get(map, key), *was);
}

/* Grows, shrinks and grows again; keys == the number of different ones. */
static void work_through(uint64_t (*make)(uint64_t), uint64_t seed, uint64_t keys, int rounds)
{
	struct map map;

	memset(model, 0xff, sizeof(model));
	assert_int_equal(map_init(&map, seed), 0);
	for (int round = 0; round < rounds; round++) {
		unsigned int puts = round / (rounds / 4) % 2 ? 2 : 5;
		uint64_t i = next_random() % keys;

		work(&map, make(i), &model[i], puts);
		if (round % (rounds / 8) == 0)
			check_all(&map, make, keys);
	}
	check_all(&map, make, keys);
	map_free(&map);
}

static void test_random_work(void **ctx)
{
	for (size_t m = 0; m < ARRAY_SIZE(makers); m++) {
		uint64_t keys =
			makers[m] == key_colliding || makers[m] == key_wrapping ? 400 : MODEL_KEYS;

		work_through(makers[m], 0, keys, 100000);
		work_through(makers[m], next_random(), keys, 100000);
	}
}

/* One chain: taken apart from its beginning, middle and end, and in every order of three. */
static void test_deletion_chains(void **ctx)
{
	static const int orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					 { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

	for (size_t m = 4; m < ARRAY_SIZE(makers); m++) {
		for (size_t o = 0; o < ARRAY_SIZE(orders); o++) {
			struct map map;

			memset(model, 0xff, sizeof(model));
			assert_int_equal(map_init(&map, 0), 0);
			for (uint32_t i = 0; i < 30; i++) {
				assert_int_equal(map_put(&map, makers[m](i), i), 0);
				model[i] = i;
			}
			for (int third = 0; third < 3; third++) {
				for (int i = 0; i < 10; i++) {
					int index = 10 * orders[o][third] + i;

					assert_int_equal(map_del(&map, makers[m]((uint64_t)index)),
							 index);
					model[index] = MAP_NONE;
					check_all(&map, makers[m], 30);
				}
			}
			assert_int_equal(map.len, 0);
			map_free(&map);
		}
	}
}

/* A million, each found; half of them deleted, the others still found. */
static void test_growth(void **ctx)
{
	struct map map;
	uint32_t count = 1000000;

	assert_int_equal(map_init(&map, 42), 0);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(map_put(&map, key_pointers(i), i), 0);
	assert_int_equal(map.len, count);
	for (uint32_t i = 0; i < count; i += 2)
		assert_int_equal(map_del(&map, key_pointers(i)), i);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(map_get(&map, key_pointers(i)), i % 2 ? i : MAP_NONE);
	assert_int_equal(map_get(&map, key_pointers(count)), MAP_NONE);
	assert_int_equal(map.len, count / 2);
	map_free(&map);
}

/* What comes and goes leaves nothing behind: the table does not grow. */
static void test_turnover(void **ctx)
{
	struct map map;
	uint64_t mask;

	assert_int_equal(map_init(&map, 42), 0);
	mask = map.mask;
	for (uint64_t i = 0; i < 1000000; i++) {
		assert_int_equal(map_put(&map, key_pointers(i), 7), 0);
		if (i >= 100)
			assert_int_equal(map_del(&map, key_pointers(i - 100)), 7);
	}
	assert_int_equal(map.len, 100);
	assert_int_equal(map.mask, mask);
	map_free(&map);
}

static void test_clear(void **ctx)
{
	struct map map;

	memset(model, 0xff, sizeof(model));
	assert_int_equal(map_init(&map, 42), 0);
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < MODEL_KEYS; i++)
			assert_int_equal(map_put(&map, key_pointers(i), i), 0);
		map_clear(&map);
		check_all(&map, key_pointers, MODEL_KEYS);
	}
	assert_int_equal(map_put(&map, key_pointers(1), 1), 0);
	model[1] = 1;
	check_all(&map, key_pointers, MODEL_KEYS);
	map_free(&map);
}

static void test_edges(void **ctx)
{
	struct map map;

	assert_int_equal(map_init(&map, 0), 0);
	assert_int_equal(map_get(&map, 0), MAP_NONE);
	assert_int_equal(map_del(&map, 0), MAP_NONE);
	assert_int_equal(map_put(&map, 0, 0), 0);
	assert_int_equal(map_put(&map, UINT64_MAX, MAP_NONE - 1), 0);
	assert_int_equal(map_get(&map, 0), 0);
	assert_int_equal(map_get(&map, UINT64_MAX), MAP_NONE - 1);
	assert_int_equal(map_put(&map, 0, 5), 0); /* replaces */
	assert_int_equal(map.len, 2);
	assert_int_equal(map_del(&map, 0), 5);
	assert_int_equal(map_del(&map, 0), MAP_NONE);
	assert_int_equal(map.len, 1);
	map_free(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_work), cmocka_unit_test(test_deletion_chains),
		cmocka_unit_test(test_growth),	    cmocka_unit_test(test_turnover),
		cmocka_unit_test(test_clear),	    cmocka_unit_test(test_edges),
	};

	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
