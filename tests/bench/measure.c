// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rounds: each part and its floors, one after the other, by the CPU time of
 * this thread.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/types.h>

#include "base/map.h"
#include "core/census.h"
#include "core/metrics.h"
#include "feed.h"
#include "parts.h"
#include "records.h"
#include "textfile.h"
#include "views/jsonl.h"
#include "views/life.h"
#include "views/prom.h"

#define BATCH_EVENTS 400000
#define RECORDS 50000
#define BLOCK_BYTES (256 * 1024) /* as export writes them */
#define PROM_TEXTS 20
#define PROM_BYTES_MAX (1 << 20)
#define PAGE_BYTES 4096
#define MILLION 1000000
#define SEC 1000000000.0

/* What a compiler must not see through. */
static volatile uint64_t sink_of_values;

static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * SEC + (double)now.tv_nsec;
}

/* ---- the engine ---- */

struct engine_part {
	struct feed feed;
	struct batch batch;
	char *copy;
	uint32_t *slots; /* of each event */
	struct map map;
};

static void engine_part_init(struct engine_part *part, uint32_t count, bool story)
{
	feed_init(&part->feed, count, story);
	if (map_init(&part->map, 0x5eed))
		die("out of memory");
	for (uint32_t i = 0; i < count; i++)
		if (map_put(&part->map, lives_key(i), i))
			die("out of memory");
	part->slots = need(malloc(BATCH_EVENTS * sizeof(*part->slots)));
}

static void engine_part_free(struct engine_part *part)
{
	feed_free(&part->feed);
	batch_free(&part->batch);
	map_free(&part->map);
	free(part->slots);
	free(part->copy);
}

static void engine_prepare(void *ctx)
{
	struct engine_part *part = ctx;

	part->batch.len = 0;
	part->batch.events = 0;
	for (uint32_t i = 0; i < BATCH_EVENTS; i++) {
		lives_next(&part->feed.lives, &part->batch);
		part->slots[i] = part->feed.lives.order;
	}
	part->copy = need(realloc(part->copy, part->batch.len));
	memset(part->copy, 0, part->batch.len);
}

static uint64_t engine_run(void *ctx)
{
	struct engine_part *part = ctx;

	feed_batch(part->feed.engine, &part->batch);
	return part->batch.events;
}

static uint64_t engine_copy(void *ctx)
{
	struct engine_part *part = ctx;

	for (size_t at = 0; at < part->batch.len;) {
		const struct ev_hdr *hdr = (const void *)(part->batch.data + at);

		memcpy(part->copy + at, hdr, hdr->size);
		at += hdr->size;
	}
	sink_of_values += (uint64_t)part->copy[part->batch.len / 2];
	return part->batch.events;
}

static uint64_t engine_lookup(void *ctx)
{
	struct engine_part *part = ctx;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < BATCH_EVENTS; i++)
		sum += map_get(&part->map, lives_key(part->slots[i]));
	sink_of_values += sum;
	return part->batch.events;
}

/* ---- records ---- */

struct text_part {
	struct records records;
	struct view_clock clock;
	struct view_columns columns;
	struct text text;
	struct text whole; /* the lines of all records */
	size_t *lens; /* of each */
	char *copy;
	void (*write)(struct text_part *part, const struct report_conn *conn);
};

static void write_json(struct text_part *part, const struct report_conn *conn)
{
	jsonl_conn(&part->text, &part->clock, conn);
}

static void write_life(struct text_part *part, const struct report_conn *conn)
{
	life_line(&part->text, &part->columns, &part->clock, conn);
}

static uint64_t text_run(void *ctx)
{
	struct text_part *part = ctx;

	text_clear(&part->text);
	for (unsigned int i = 0; i < RECORDS; i++) {
		part->write(part, &part->records.all[i % part->records.len].conn);
		if (part->text.len >= BLOCK_BYTES)
			text_clear(&part->text);
	}
	if (part->text.failed)
		die("out of memory");
	return RECORDS;
}

/* Each line copied to its place in a block, as it was written. */
static uint64_t text_copy(void *ctx)
{
	struct text_part *part = ctx;
	size_t from = 0, to = 0;

	for (unsigned int i = 0; i < RECORDS; i++) {
		size_t len = part->lens[i % part->records.len];

		memcpy(part->copy + to, part->whole.data + from, len);
		to = to + len >= BLOCK_BYTES ? 0 : to + len;
		from = from + len == part->whole.len ? 0 : from + len;
	}
	sink_of_values += (uint64_t)part->copy[0];
	return RECORDS;
}

static void text_part_init(struct text_part *part, const struct batch *events,
			   void (*write)(struct text_part *part, const struct report_conn *conn))
{
	records_make(&part->records, events);
	part->clock = (struct view_clock){ part->records.realtime_offset_ns, true, 0 };
	part->write = write;
	part->lens = need(calloc(part->records.len, sizeof(*part->lens)));
	for (size_t i = 0; i < part->records.len; i++) {
		size_t begin = part->text.len;

		write(part, &part->records.all[i].conn);
		part->lens[i] = part->text.len - begin;
	}
	part->whole = part->text;
	text_init(&part->text);
	part->copy = need(malloc(BLOCK_BYTES + part->whole.len));
}

static void text_part_free(struct text_part *part)
{
	records_free(&part->records);
	text_free(&part->text);
	text_free(&part->whole);
	free(part->lens);
	free(part->copy);
}

/* ---- metrics ---- */

struct prom_part {
	struct metrics *metrics;
	struct prom_self self;
	const struct feed *feed;
	struct text text;
	struct textfile file;
	char directory[32];
	char *copy;
};

static void take_now(void *ctx, const struct report_now *now)
{
	metrics_now(ctx, now);
}

static uint64_t prom_text_run(void *ctx)
{
	struct prom_part *part = ctx;

	for (int i = 0; i < PROM_TEXTS; i++) {
		text_clear(&part->text);
		prom_write(&part->text, part->metrics, &part->self);
	}
	if (part->text.failed)
		die("out of memory");
	return PROM_TEXTS;
}

/* Between places alike in their pages some CPUs copy ten times slower: half a page apart. */
static char *apart(char *to, const char *from)
{
	return to + (((uintptr_t)from - (uintptr_t)to + PAGE_BYTES / 2) & (PAGE_BYTES - 1));
}

static uint64_t prom_text_copy(void *ctx)
{
	struct prom_part *part = ctx;
	char *to = apart(part->copy, part->text.data);

	if (part->text.len > PROM_BYTES_MAX)
		die("a .prom text of %zu bytes", part->text.len);
	for (int i = 0; i < PROM_TEXTS; i++) {
		memcpy(to, part->text.data, part->text.len);
		sink_of_values += (uint64_t)to[i];
	}
	return PROM_TEXTS;
}

/* As export does it at each interval. */
static uint64_t census_run(void *ctx)
{
	struct prom_part *part = ctx;

	metrics_begin(part->metrics, part->feed->lives.now_ns);
	census_conns(part->feed->engine, take_now, part->metrics);
	metrics_end(part->metrics);
	engine_counts(part->feed->engine, &part->self.counts);
	text_clear(&part->text);
	prom_write(&part->text, part->metrics, &part->self);
	if (textfile_write(&part->file, part->text.data, part->text.len))
		die("can't write %s", part->file.path);
	return 1;
}

static void prom_part_init(struct prom_part *part, const struct feed *feed)
{
	const struct metrics_options options = { .hash_seed = 0x5eed };

	part->metrics = need(metrics_new(&options));
	part->feed = feed;
	part->self.version = "0";
	strcpy(part->directory, "/tmp/connlife-parts-XXXXXX");
	if (!mkdtemp(part->directory) || !textfile_open(&part->file, part->directory, "parts.prom"))
		die("can't make a directory in /tmp");
	census_run(part);
	if (part->text.failed || !part->text.len)
		die("the metrics have no text");
	part->copy = need(calloc(1, PROM_BYTES_MAX + PAGE_BYTES));
}

static void prom_part_free(struct prom_part *part)
{
	textfile_remove(&part->file);
	textfile_close(&part->file);
	rmdir(part->directory);
	metrics_free(part->metrics);
	text_free(&part->text);
	free(part->copy);
}

/* ---- the rounds ---- */

static double measure(uint64_t (*run)(void *ctx), void *ctx)
{
	double begin = cpu_ns();
	uint64_t units = run(ctx);

	return (cpu_ns() - begin) / (double)units;
}

static void measure_round(struct part *part, unsigned int round)
{
	if (part->prepare)
		part->prepare(part->ctx);
	for (int i = 0; i < FLOORS; i++)
		if (part->floors[i])
			part->floor_ns[i][round] = measure(part->floors[i], part->ctx);
	part->ns[round] = measure(part->run, part->ctx);
}

static void measure_rounds(struct results *results)
{
	for (unsigned int round = 0; round < results->rounds; round++) {
		fprintf(stderr, "round %u of %u\n", round + 1, results->rounds);
		for (int i = 0; i < PARTS; i++)
			measure_round(&results->parts[i], round);
	}
}

static struct part part_of_engine(const char *name, struct engine_part *ctx)
{
	return (struct part){ .name = name,
			      .unit = "event",
			      .ctx = ctx,
			      .prepare = engine_prepare,
			      .run = engine_run,
			      .floors = { engine_copy, engine_lookup } };
}

static struct part part_of_text(const char *name, struct text_part *ctx)
{
	return (struct part){
		.name = name, .unit = "record", .ctx = ctx, .run = text_run, .floors = { text_copy }
	};
}

static struct part part_of_metrics(const char *name, struct prom_part *ctx,
				   uint64_t (*run)(void *ctx))
{
	return (struct part){
		.name = name, .unit = "file", .ctx = ctx, .run = run, .floors = { prom_text_copy }
	};
}

static void measure_engines_and_metrics(struct results *results, struct engine_part engines[4],
					struct prom_part *prom)
{
	struct part *parts = results->parts;

	engine_part_init(&engines[0], 1000, false);
	engine_part_init(&engines[1], 100000, false);
	engine_part_init(&engines[2], MILLION, false);
	engine_part_init(&engines[3], 100000, true);
	prom_part_init(prom, &engines[2].feed);
	parts[PART_1K] = part_of_engine("engine, 1,000 live", &engines[0]);
	parts[PART_100K] = part_of_engine("engine, 100,000 live", &engines[1]);
	parts[PART_1M] = part_of_engine("engine, 1,000,000 live", &engines[2]);
	parts[PART_STORY] = part_of_engine("engine with stories, 100,000 live", &engines[3]);
	parts[PART_CENSUS] =
		part_of_metrics("census of 1,000,000 and .prom file", prom, census_run);
	parts[PART_PROM] = part_of_metrics(".prom text alone", prom, prom_text_run);
	measure_rounds(results);

	prom_part_free(prom);
	for (int i = 0; i < 4; i++) {
		feed_check(&engines[i].feed);
		engine_part_free(&engines[i]);
	}
}

void parts_measure(struct results *results, const char *recording)
{
	static struct engine_part engines[4];
	static struct text_part json, life;
	static struct prom_part prom;
	struct batch events = { 0 };

	results->memory[MEMORY_LIFE] = parts_measure_memory(false);
	results->memory[MEMORY_STORY] = parts_measure_memory(true);

	batch_read(&events, recording);
	text_part_init(&json, &events, write_json);
	text_part_init(&life, &events, write_life);
	results->parts[PART_JSON] = part_of_text("JSON line", &json);
	results->parts[PART_LIFE] = part_of_text("line of life", &life);
	measure_engines_and_metrics(results, engines, &prom);
	text_part_free(&life);
	text_part_free(&json);
	batch_free(&events);
}
