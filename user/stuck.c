// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command stuck: when the first snapshot is in, one look at the census and
 * the end; with --watch again and again, each time after a fresh snapshot.
 */
#include "stuck.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "core/census.h"
#include "core/stuck.h"
#include "core/stuck_groups.h"
#include "core/usage.h"
#include "sources/ports.h"
#include "views/stuck.h"
#include "views/stuck_json.h"
#include "writer.h"

#define SEC UINT64_C(1000000000)
#define INTERVAL_S 2
#define CLEAR_SCREEN "\033[H\033[2J"

struct stuck {
	const struct options *options;
	const struct engine *engine;
	struct stuck_list list;
	struct stuck_groups by_process, by_port;
	struct usage usage;
	struct writer writer;
	struct text text;
	struct view_clock clock;
	uint64_t now_ns; /* of the look under way */
	uint64_t next_ns; /* the next one */
	bool has_looked; /* once at least */
	bool has_asked; /* for the snapshot that comes before it */
	bool is_terminal;
};

static void start(void *ctx, const struct engine *engine, uint64_t start_ns)
{
	struct stuck *stuck = ctx;

	stuck->engine = engine;
	stuck->clock.trace_start_ns = (int64_t)start_ns;
}

static void take_listener(void *ctx, const struct report_listener *listener)
{
	struct stuck *stuck = ctx;

	usage_take_listener(&stuck->usage, listener);
}

static void take_conn(void *ctx, const struct report_now *now)
{
	struct stuck *stuck = ctx;

	stuck_take(&stuck->list, now, stuck->now_ns);
	usage_take_conn(&stuck->usage, now, stuck->now_ns);
}

static struct netns_limits *limits_of(void *ctx, uint64_t cookie)
{
	struct stuck *stuck = ctx;
	struct usage_space *space = usage_space_of(&stuck->usage, cookie);

	return space ? &space->limits : NULL;
}

/* What this host has now says nothing of that of a recording. */
static void read_limits(struct stuck *stuck)
{
	int err;

	if (stuck->options->read_path)
		return;
	err = ports_read(limits_of, stuck);
	if (err)
		log_line("can't look into network namespaces: %s", strerror(-err));
}

static void look(struct stuck *stuck)
{
	stuck_clear(&stuck->list);
	usage_clear(&stuck->usage);
	census_listeners(stuck->engine, take_listener, stuck);
	census_conns(stuck->engine, take_conn, stuck);
	read_limits(stuck);
	stuck_sort(&stuck->list);
	stuck_by_process(&stuck->by_process, &stuck->list);
	stuck_by_port(&stuck->by_port, &stuck->list);
	usage_sum_up(&stuck->usage, stuck->now_ns);
}

/* What stands before each look but the first: a clean screen, or a line with the time. */
static void separate(struct stuck *stuck)
{
	int64_t realtime_ns = view_realtime_ns(&stuck->clock, (int64_t)stuck->now_ns);

	if (!stuck->options->watch || stuck->options->json || stuck->options->columns.csv)
		return;
	if (stuck->is_terminal)
		text_str(&stuck->text, CLEAR_SCREEN);
	else if (stuck->has_looked)
		text_char(&stuck->text, '\n');
	if (realtime_ns != UNKNOWN_NS) {
		text_clock(&stuck->text, realtime_ns);
		text_char(&stuck->text, '\n');
	}
}

static bool is_filtered(const struct options *options)
{
	return options->filter.active || options->netns || options->cgroup;
}

static bool print(struct stuck *stuck)
{
	struct stuck_page page = { .list = &stuck->list,
				   .by_process = &stuck->by_process,
				   .by_port = &stuck->by_port,
				   .usage = &stuck->usage,
				   .now_ns = (int64_t)stuck->now_ns,
				   .is_filtered = is_filtered(stuck->options) };
	int64_t offset = engine_realtime_ns(stuck->engine, 0);

	stuck->clock.has_realtime = offset != UNKNOWN_NS;
	stuck->clock.realtime_offset_ns = offset;
	separate(stuck);
	if (stuck->options->json)
		stuck_json_write(&stuck->text, &stuck->clock, &page);
	else
		stuck_page_write(&stuck->text, &stuck->options->columns, &stuck->clock, &page);
	stuck->has_looked = true;
	return writer_flush(&stuck->writer, &stuck->text);
}

static uint64_t interval_ns(const struct stuck *stuck)
{
	return (stuck->options->interval_s ? stuck->options->interval_s : INTERVAL_S) * SEC;
}

static enum runner_wish tick(void *ctx, uint64_t now_ns)
{
	struct stuck *stuck = ctx;

	if (stuck->has_looked && !stuck->has_asked) {
		stuck->has_asked = now_ns >= stuck->next_ns;
		return stuck->has_asked ? RUNNER_LOOK_AGAIN : RUNNER_GO_ON;
	}
	stuck->has_asked = false;
	stuck->now_ns = now_ns;
	stuck->next_ns = now_ns + interval_ns(stuck);
	look(stuck);
	if (!print(stuck))
		return RUNNER_FAILED;
	return stuck->options->watch ? RUNNER_GO_ON : RUNNER_DONE;
}

static bool finish(void *ctx, uint64_t now_ns)
{
	return true;
}

static void stuck_end(void *ctx)
{
	struct stuck *stuck = ctx;

	stuck_free(&stuck->list);
	stuck_groups_free(&stuck->by_process);
	stuck_groups_free(&stuck->by_port);
	usage_free(&stuck->usage);
	text_free(&stuck->text);
	free(stuck);
}

bool stuck_runner(struct runner *runner, const struct options *options)
{
	struct stuck *stuck = calloc(1, sizeof(*stuck));

	if (!stuck) {
		log_line("out of memory");
		return false;
	}
	stuck->options = options;
	stuck->list.older_than_ns = (int64_t)(options->older_than_s * SEC);
	writer_open(&stuck->writer);
	stuck->is_terminal = isatty(stuck->writer.fd);
	text_init(&stuck->text);
	*runner = (struct runner){ .start = start,
				   .tick = tick,
				   .finish = finish,
				   .free = stuck_end,
				   .wake_fd = -1,
				   .quiet = true,
				   .ctx = stuck };
	return true;
}
