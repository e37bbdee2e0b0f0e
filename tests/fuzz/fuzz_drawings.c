// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of what is drawn: ladders of any story, alone and with the other
 * end's, and histograms. No line is wider than was asked for, no name is a command
 * to a terminal.
 */
#include <linux/types.h>

#include "check.h"
#include "reports.h"
#include "views/hist.h"
#include "views/ladder.h"

#define WIDTH_LEAST 60
#define WIDTH_USUAL 100
#define HIST_CONNS_MAX 8

static struct text text;
static struct hist *hist;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	hist = hist_new();
	MUST(hist);
	return 0;
}

static unsigned int width_of(unsigned int asked)
{
	return !asked ? WIDTH_USUAL : asked < WIDTH_LEAST ? WIDTH_LEAST : asked;
}

static void check_ladder(struct feed *feed)
{
	static struct fed_conn fed, other;
	struct ladder_style style = { .width = feed_u8(feed), .absolute = feed_bool(feed) };
	struct view_clock clock;

	feed_clock(feed, &clock);
	feed_conn(feed, &fed, true);
	if (feed_bool(feed)) {
		feed_conn(feed, &other, true);
		fed.conn.peer = &other.conn;
	}
	ladder_conn(&text, &clock, &style, &fed.conn);
	MUST(check_lines(&text, width_of(style.width)) >= 3);
}

static void check_hist(struct feed *feed)
{
	static struct fed_conn fed;
	struct hist_style style = { .width = feed_u8(feed), .blocks = feed_bool(feed) };
	unsigned int conns = feed_below(feed, HIST_CONNS_MAX);
	struct view_clock clock;

	feed_clock(feed, &clock);
	hist_clear(hist);
	while (conns-- && feed->left) {
		feed_conn(feed, &fed, false);
		hist_add(hist, &fed.conn);
	}
	hist_print(&text, &clock, &style, hist, feed_i64(feed), feed_u64(feed));
	check_lines(&text, SIZE_MAX); /* the width is that of the bars */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed feed = { data, size };

	text_clear(&text);
	/* an empty histogram takes as long as a full one, so there are fewer */
	if (feed_u8(&feed) < 224)
		check_ladder(&feed);
	else
		check_hist(&feed);
	return 0;
}
