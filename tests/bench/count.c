// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fixed workloads for counting instructions: all that is counted happens below
 * parts_counted(), the rest is set-up. The same from run to run, to the byte.
 */
#include <stdio.h>
#include <string.h>
#include <gnu/libc-version.h>
#include <linux/types.h>

#include "../unit/frames.h"
#include "base/array.h"
#include "core/census.h"
#include "core/metrics.h"
#include "feed.h"
#include "parts.h"
#include "records.h"
#include "views/jsonl.h"
#include "views/life.h"
#include "views/prom.h"

#ifndef PARTS_FLAGS
#define PARTS_FLAGS "unknown options"
#endif

#define LIVE 1000
#define EVENTS 20000
#define REPLAYS 50
#define CENSUSES 20
#define TEXTS 20
#define PARSES 5000

struct work {
	const char *name;
	const char *unit;
	void (*set_up)(void);
	uint64_t (*run)(void); /* how many units were done */
	void (*check)(void);
};

static struct feed feed;
static struct batch events;
static struct records records;
static struct engine *engines[REPLAYS];
static struct metrics *metrics;
static struct text text;
static struct prom_self self = { .version = "0" };
static const char *recording_path;
static uint64_t replayed;

/* Its name is what tests/budgets gives to callgrind. */
uint64_t parts_counted(const struct work *work);
__attribute__((noinline, noclone, used)) uint64_t parts_counted(const struct work *work)
{
	return work->run();
}

const char *parts_built_by(void)
{
	static char line[512];

#ifdef __clang__
	const char *compiler = "";
#else
	const char *compiler = "gcc ";
#endif
	snprintf(line, sizeof(line), "%s%s, %s, glibc %s", compiler, __VERSION__, PARTS_FLAGS,
		 gnu_get_libc_version());
	return line;
}

/* ---- a recording through decoder and engine ---- */

static void count_replayed(void *ctx, const struct report_conn *conn)
{
	replayed++;
}

static void replay_set_up(void)
{
	const struct engine_options options = { .story = true,
						.max_connections = 65536,
						.hash_seed = 0x5eed };
	const struct report_sink sink = { .conn = count_replayed };

	batch_read(&events, recording_path);
	for (int i = 0; i < REPLAYS; i++)
		engines[i] = need(engine_new(&options, &sink));
}

static uint64_t replay_run(void)
{
	for (int i = 0; i < REPLAYS; i++) {
		feed_batch(engines[i], &events);
		engine_finish(engines[i]);
	}
	return events.events * REPLAYS;
}

static void replay_check(void)
{
	struct engine_counts counts;

	engine_counts(engines[0], &counts);
	if (counts.events != events.events || !replayed || replayed % REPLAYS)
		die("the recording was not replayed whole");
}

/* ---- synthetic lives through it ---- */

static void fill_events(bool story)
{
	feed_init(&feed, LIVE, story);
	for (int i = 0; i < EVENTS; i++)
		lives_next(&feed.lives, &events);
}

static void engine_set_up(void)
{
	fill_events(false);
}

static void story_set_up(void)
{
	fill_events(true);
}

static uint64_t engine_run(void)
{
	feed_batch(feed.engine, &events);
	return events.events;
}

static void engine_check(void)
{
	feed_check(&feed);
}

/* ---- writers ---- */

static void records_set_up(void)
{
	batch_read(&events, recording_path);
	records_make(&records, &events);
}

static void text_check(void)
{
	if (text.failed || !text.len)
		die("nothing was written");
}

static uint64_t json_run(void)
{
	const struct view_clock clock = { records.realtime_offset_ns, true, 0 };

	for (int i = 0; i < REPLAYS; i++) {
		text_clear(&text);
		for (size_t j = 0; j < records.len; j++)
			jsonl_conn(&text, &clock, &records.all[j].conn);
	}
	return records.len * REPLAYS;
}

static uint64_t life_run(void)
{
	const struct view_clock clock = { records.realtime_offset_ns, true, 0 };
	const struct view_columns columns = { .extended = true, .wide = true };

	for (int i = 0; i < REPLAYS; i++) {
		text_clear(&text);
		for (size_t j = 0; j < records.len; j++)
			life_line(&text, &columns, &clock, &records.all[j].conn);
	}
	return records.len * REPLAYS;
}

/* ---- metrics ---- */

static void take_now(void *ctx, const struct report_now *now)
{
	metrics_now(ctx, now);
}

static void take_census(void)
{
	metrics_begin(metrics, feed.lives.now_ns);
	census_conns(feed.engine, take_now, metrics);
	metrics_end(metrics);
}

static void metrics_set_up(void)
{
	const struct metrics_options options = { .hash_seed = 0x5eed };

	feed_init(&feed, LIVE, false);
	metrics = need(metrics_new(&options));
	batch_read(&events, recording_path);
	records_make(&records, &events);
	for (size_t i = 0; i < records.len; i++)
		metrics_conn(metrics, &records.all[i].conn);
	take_census();
}

static uint64_t census_run(void)
{
	for (int i = 0; i < CENSUSES; i++)
		take_census();
	return (uint64_t)LIVE * CENSUSES;
}

static void census_check(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < METRICS_STATES; i++)
		sum += metrics->connections.now[i];
	if (sum != LIVE)
		die("the census counts %lu connections, %d must", (unsigned long)sum, LIVE);
}

static uint64_t prom_run(void)
{
	for (int i = 0; i < TEXTS; i++) {
		text_clear(&text);
		prom_write(&text, metrics, &self);
	}
	return TEXTS;
}

/* ---- the parser of packets ---- */

/* Apart from the table of the unit tests, which grows. */
static const struct frame_spec specs[] = {
	{ "IPv4", IS_TCP, FRAME4, .payload = 17 },
	{ "IPv4, all options", IS_TCP, FRAME4, .options = 40, .tcp_options = 40 },
	{ "802.1Q, IPv4", IS_TCP, FRAME4, .tags = { Q }, .tcp_options = 12, .payload = 1000 },
	{ "UDP", IS_OTHER, FRAME4, .protocol = UDP, .payload = 9 },
	{ "IPv6", IS_TCP, FRAME6, .tcp_options = 12 },
	{ "IPv6, two headers", IS_TCP, FRAME6,
	  .extensions = { { HOP_BY_HOP, 16, 0 }, { FRAGMENT, 8, FRAME_MF6 } }, .payload = 6 },
	{ "ARP", IS_OTHER, FRAME4, .type = 0x0806, .ether_only = true },
};

#define SPECS ARRAY_SIZE(specs)

static struct frame frames[SPECS];
static enum parse_answer answers[SPECS];

static void parse_set_up(void)
{
	for (unsigned int i = 0; i < SPECS; i++)
		frame_build(&frames[i], &specs[i]);
}

static uint64_t parse_run(void)
{
	for (int i = 0; i < PARSES; i++) {
		for (unsigned int j = 0; j < SPECS; j++) {
			struct parse_found found;

			answers[j] = parse_ether(frames[j].bytes, frames[j].bytes + frames[j].len,
						 &found);
			/* what was found is used */
			__asm__ volatile("" : : "g"(&found) : "memory");
		}
	}
	return SPECS * PARSES;
}

static void parse_check(void)
{
	for (unsigned int i = 0; i < SPECS; i++)
		if (answers[i] != specs[i].must)
			die("the parser is wrong about %s", specs[i].name);
}

static const struct work works[] = {
	{ "replay", "events", replay_set_up, replay_run, replay_check },
	{ "engine", "events", engine_set_up, engine_run, engine_check },
	{ "story", "events", story_set_up, engine_run, engine_check },
	{ "json", "records", records_set_up, json_run, text_check },
	{ "life", "records", records_set_up, life_run, text_check },
	{ "census", "connections", metrics_set_up, census_run, census_check },
	{ "prom", "texts", metrics_set_up, prom_run, text_check },
	{ "parse", "frames", parse_set_up, parse_run, parse_check },
};

#define WORKS ARRAY_SIZE(works)

void parts_list(void)
{
	for (unsigned int i = 0; i < WORKS; i++)
		puts(works[i].name);
}

bool parts_count(const char *workload, const char *recording)
{
	recording_path = recording;
	for (unsigned int i = 0; i < WORKS; i++) {
		if (strcmp(works[i].name, workload))
			continue;
		works[i].set_up();
		printf("%lu %s\n", (unsigned long)parts_counted(&works[i]), works[i].unit);
		works[i].check();
		return true;
	}
	return false;
}
