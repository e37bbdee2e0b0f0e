// SPDX-License-Identifier: GPL-2.0-only
/*
 * When histograms are printed. Intervals follow the time of what is told, not
 * of the moment it is told in, so that a recording gives the same ones.
 */
#include "hist.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "views/hist.h"
#include "writer.h"

#define SEC UINT64_C(1000000000)
#define WIDTH_DEFAULT 80

struct hist_run {
	const struct engine *engine;
	struct hist *hist;
	struct text text;
	uint64_t interval_ns; /* 0: once, at the end */
	uint64_t began_ns; /* since when is counted */
	uint64_t now_ns;
	struct writer writer;
};

static bool locale_is_utf8(void)
{
	locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
	bool is_utf8;

	if (!locale)
		return false;
	is_utf8 = !strcmp(nl_langinfo_l(CODESET, locale), "UTF-8");
	freelocale(locale);
	return is_utf8;
}

static struct hist_style style_of(int fd)
{
	struct hist_style style = { .width = WIDTH_DEFAULT };
	struct winsize size;

	if (!isatty(fd))
		return style;
	style.blocks = locale_is_utf8();
	if (!ioctl(fd, TIOCGWINSZ, &size) && size.ws_col)
		style.width = size.ws_col;
	return style;
}

static void run_free(void *ctx)
{
	struct hist_run *run = ctx;

	hist_free(run->hist);
	text_free(&run->text);
	free(run);
}

static void run_start(void *ctx, const struct engine *engine, uint64_t start_ns)
{
	struct hist_run *run = ctx;

	run->engine = engine;
	run->began_ns = run->now_ns = start_ns;
}

static void print(struct hist_run *run, uint64_t at_ns)
{
	int64_t offset_ns = engine_realtime_ns(run->engine, 0);
	struct view_clock clock = { .has_realtime = offset_ns != UNKNOWN_NS,
				    .realtime_offset_ns = offset_ns,
				    .trace_start_ns = UNKNOWN_NS };
	struct hist_style style = style_of(run->writer.fd);

	hist_print(&run->text, &clock, &style, run->hist, (int64_t)at_ns, at_ns - run->began_ns);
	hist_clear(run->hist);
}

/* Time only goes on; of intervals that pass at once, the first has all that was counted. */
static void reach(struct hist_run *run, uint64_t now_ns)
{
	uint64_t passed_ns;

	if (now_ns <= run->now_ns)
		return;
	run->now_ns = now_ns;
	passed_ns = now_ns - run->began_ns;
	if (!run->interval_ns || passed_ns < run->interval_ns)
		return;
	print(run, run->began_ns + run->interval_ns);
	writer_flush(&run->writer, &run->text);
	run->began_ns += passed_ns / run->interval_ns * run->interval_ns;
}

static enum runner_wish run_tick(void *ctx, uint64_t now_ns)
{
	struct hist_run *run = ctx;

	reach(run, now_ns);
	return writer_flush(&run->writer, &run->text) ? RUNNER_GO_ON : RUNNER_FAILED;
}

static bool run_finish(void *ctx, uint64_t now_ns)
{
	struct hist_run *run = ctx;

	reach(run, now_ns);
	print(run, run->now_ns);
	return writer_flush(&run->writer, &run->text);
}

/* When nothing was left of it; UNKNOWN_NS. */
static int64_t gone_ns(const struct report_conn *conn)
{
	int64_t gone;

	if (conn->end_ns == UNKNOWN_NS || conn->time_wait_ns == UNKNOWN_NS ||
	    __builtin_add_overflow(conn->end_ns, conn->time_wait_ns, &gone))
		return conn->end_ns;
	return gone;
}

static void on_conn(void *ctx, const struct report_conn *conn)
{
	struct hist_run *run = ctx;
	int64_t gone = gone_ns(conn);

	if (gone > 0)
		reach(run, (uint64_t)gone);
	hist_add(run->hist, conn);
}

bool hist_runner(struct runner *runner, const struct options *options)
{
	struct hist_run *run = calloc(1, sizeof(*run));
	struct hist *hist = hist_new();

	if (!run || !hist) {
		free(run);
		hist_free(hist);
		log_line("out of memory");
		return false;
	}
	run->hist = hist;
	run->interval_ns = options->interval_s * SEC;
	writer_open(&run->writer);
	text_init(&run->text);
	*runner = (struct runner){ .start = run_start,
				   .tick = run_tick,
				   .finish = run_finish,
				   .free = run_free,
				   .sink = { .conn = on_conn, .ctx = run },
				   .wake_fd = -1,
				   .ctx = run };
	return true;
}
