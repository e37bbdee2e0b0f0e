// SPDX-License-Identifier: GPL-2.0-only
#include "base/map.h"

#include <errno.h>
#include <stdlib.h>

#include "base/fetch.h"

#ifndef MAP_FIRST_SLOTS /* a build for tests has less */
#define MAP_FIRST_SLOTS 1024
#endif

/* The finaliser of MurmurHash3: every bit of the key reaches every bit of the index. */
static uint64_t mix(uint64_t key)
{
	key ^= key >> 33;
	key *= 0xff51afd7ed558ccdULL;
	key ^= key >> 33;
	key *= 0xc4ceb9fe1a85ec53ULL;
	return key ^ key >> 33;
}

static uint64_t home(const struct map *map, uint64_t key)
{
	return mix(key ^ map->seed) & map->mask;
}

static struct map_slot *new_slots(uint64_t count)
{
	struct map_slot *slots = malloc(count * sizeof(*slots));

	for (uint64_t i = 0; slots && i < count; i++)
		slots[i].value = MAP_NONE;
	return slots;
}

int map_init(struct map *map, uint64_t seed)
{
	*map = (struct map){ .mask = MAP_FIRST_SLOTS - 1, .seed = seed };
	map->slots = new_slots(MAP_FIRST_SLOTS);
	return map->slots ? 0 : -ENOMEM;
}

void map_free(struct map *map)
{
	free(map->slots);
	map->slots = NULL;
}

void map_clear(struct map *map)
{
	for (uint64_t i = 0; i <= map->mask; i++)
		map->slots[i].value = MAP_NONE;
	map->len = 0;
}

/* The slot that holds key, or the empty one where it belongs. */
static struct map_slot *probe(const struct map *map, uint64_t key)
{
	uint64_t i = home(map, key);

	while (map->slots[i].value != MAP_NONE && map->slots[i].key != key)
		i = (i + 1) & map->mask;
	return &map->slots[i];
}

uint32_t map_get(const struct map *map, uint64_t key)
{
	return probe(map, key)->value;
}

void map_fetch(const struct map *map, uint64_t key)
{
	fetch(&map->slots[home(map, key)], sizeof(struct map_slot));
}

static int grow(struct map *map)
{
	struct map bigger = *map;

	bigger.mask = map->mask * 2 + 1;
	bigger.slots = new_slots(bigger.mask + 1);
	if (!bigger.slots)
		return -ENOMEM;
	for (uint64_t i = 0; i <= map->mask; i++) {
		if (map->slots[i].value != MAP_NONE)
			*probe(&bigger, map->slots[i].key) = map->slots[i];
	}
	free(map->slots);
	*map = bigger;
	return 0;
}

int map_put(struct map *map, uint64_t key, uint32_t value)
{
	struct map_slot *slot = probe(map, key);

	if (slot->value == MAP_NONE) {
		if ((map->len + 1) * 2 > map->mask) {
			int err = grow(map);

			if (err)
				return err;
			slot = probe(map, key);
		}
		map->len++;
	}
	slot->key = key;
	slot->value = value;
	return 0;
}

uint32_t map_del(struct map *map, uint64_t key)
{
	struct map_slot *slot = probe(map, key);
	uint32_t value = slot->value;
	uint64_t hole = (uint64_t)(slot - map->slots);

	if (value == MAP_NONE)
		return MAP_NONE;
	map->len--;
	/* close the gap, so that no tombstones pile up */
	for (uint64_t i = (hole + 1) & map->mask; map->slots[i].value != MAP_NONE;
	     i = (i + 1) & map->mask) {
		uint64_t want = home(map, map->slots[i].key);

		if (((i - want) & map->mask) >= ((i - hole) & map->mask)) {
			map->slots[hole] = map->slots[i];
			hole = i;
		}
	}
	map->slots[hole].value = MAP_NONE;
	return value;
}
