// SPDX-License-Identifier: GPL-2.0-only
#include "output.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "views/jsonl.h"
#include "views/ladder.h"
#include "views/life.h"
#include "views/states.h"
#include "writer.h"

#define BLOCK_BYTES (256 * 1024)

struct output {
	const struct options *options;
	const struct engine *engine;
	struct text text;
	struct view_clock clock;
	struct ladder_style ladder;
	struct writer writer;
};

static struct ladder_style ladder_style(const struct options *options, int fd)
{
	struct ladder_style style = { .absolute = options->verbose };
	struct winsize size;

	if (!isatty(fd))
		return style;
	style.color = !getenv("NO_COLOR");
	style.width = 80;
	if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_col)
		style.width = size.ws_col;
	return style;
}

static struct output *output_new(const struct options *options)
{
	struct output *output = calloc(1, sizeof(*output));

	if (!output)
		return NULL;
	output->options = options;
	writer_open(&output->writer);
	output->ladder = ladder_style(options, output->writer.fd);
	text_init(&output->text);
	return output;
}

static void output_free(void *ctx)
{
	struct output *output = ctx;

	text_free(&output->text);
	free(output);
}

static void output_start(void *ctx, const struct engine *engine, uint64_t start_ns)
{
	struct output *output = ctx;
	const struct options *options = output->options;

	output->engine = engine;
	output->clock.trace_start_ns = (int64_t)start_ns;
	if (options->json || options->command == COMMAND_LADDER)
		return;
	if (options->command == COMMAND_STATES)
		states_header(&output->text, &options->columns);
	else
		life_header(&output->text, &options->columns);
}

static bool flush(struct output *output)
{
	return writer_flush(&output->writer, &output->text);
}

static void refresh_clock(struct output *output)
{
	int64_t now = engine_realtime_ns(output->engine, 0);

	output->clock.has_realtime = now != UNKNOWN_NS;
	output->clock.realtime_offset_ns = now;
}

static void flush_full_block(struct output *output)
{
	if (output->text.len >= BLOCK_BYTES)
		flush(output);
}

static void on_conn(void *ctx, const struct report_conn *conn)
{
	struct output *output = ctx;

	if (output->writer.failed)
		return;
	refresh_clock(output);
	if (output->options->json)
		jsonl_conn(&output->text, &output->clock, conn);
	else if (output->options->command == COMMAND_LADDER)
		ladder_conn(&output->text, &output->clock, &output->ladder, conn);
	else
		life_line(&output->text, &output->options->columns, &output->clock, conn);
	flush_full_block(output);
}

static void on_step(void *ctx, const struct report_step *step)
{
	struct output *output = ctx;

	if (output->writer.failed)
		return;
	refresh_clock(output);
	if (output->options->json)
		jsonl_step(&output->text, &output->clock, step);
	else
		states_line(&output->text, &output->options->columns, &output->clock, step);
	flush_full_block(output);
}

static enum runner_wish output_tick(void *ctx, uint64_t now_ns)
{
	return flush(ctx) ? RUNNER_GO_ON : RUNNER_FAILED;
}

static bool output_finish(void *ctx, uint64_t now_ns)
{
	return flush(ctx);
}

bool output_runner(struct runner *runner, const struct options *options)
{
	struct output *output = output_new(options);
	bool states = options->command == COMMAND_STATES;

	if (!output) {
		log_line("out of memory");
		return false;
	}
	*runner = (struct runner){ .start = output_start,
				   .tick = output_tick,
				   .finish = output_finish,
				   .free = output_free,
				   .sink = { .conn = states ? NULL : on_conn,
					     .step = states ? on_step : NULL,
					     .ctx = output },
				   .wake_fd = -1,
				   .ctx = output };
	return true;
}
