/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the program parts share: the measurements, and how they are told. */
#ifndef CONNLIFE_BENCH_PARTS_H
#define CONNLIFE_BENCH_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#define ROUNDS_MAX 99

enum floor {
	FLOOR_COPY, /* memcpy of what is read, or written */
	FLOOR_LOOKUP, /* one lookup of each event's socket in a map of as many keys */
	FLOORS,
};

/* One thing that is done many times, with its floors, in each round. */
struct part {
	const char *name, *unit;
	void *ctx;
	void (*prepare)(void *ctx); /* before it is measured, in each round; NULL for none */
	uint64_t (*run)(void *ctx); /* how many units were done */
	uint64_t (*floors[FLOORS])(void *ctx); /* the same units; NULL for none */
	double ns[ROUNDS_MAX]; /* a unit, by round; and below */
	double floor_ns[FLOORS][ROUNDS_MAX];
};

enum memory_kind { MEMORY_LIFE, MEMORY_STORY, MEMORY_KINDS };

struct memory {
	uint32_t connections;
	uint64_t peak; /* bytes resident that were not so before */
	uint64_t allocated; /* of these, in use by the allocator's account */
};

enum part_name {
	PART_1K,
	PART_100K,
	PART_1M,
	PART_STORY,
	PART_JSON,
	PART_LIFE,
	PART_CENSUS,
	PART_PROM,
	PARTS,
};

struct results {
	struct part parts[PARTS];
	struct memory memory[MEMORY_KINDS];
	unsigned int rounds;
};

/* A million of them, with their stories or without; before anything else takes memory. */
struct memory parts_measure_memory(bool story);

/* All of it: half a minute for five rounds. */
void parts_measure(struct results *results, const char *recording);

/* The table. */
void parts_print(const struct results *results);
/* False with errno set if the file can't be written. */
bool parts_write_json(const struct results *results, const char *path);
/* What the project promises beside what was measured; false if one is missed. */
bool parts_check(const struct results *results);

/* Runs a fixed workload, most of it below parts_counted(); false if none is called so. */
bool parts_count(const char *workload, const char *recording);
void parts_list(void);
/* Compiler, its options, and the C library: what the counts of instructions depend on. */
const char *parts_built_by(void);

#endif
