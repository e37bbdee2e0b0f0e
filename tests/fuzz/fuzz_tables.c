// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of what people and spreadsheets read line by line: life, states
 * and stuck, as tables and as CSV. A record is one line, no name is a command to
 * a terminal, and every line of CSV has the fields of its header.
 */
#include <linux/types.h>

#include "check.h"
#include "reports.h"
#include "stuck_scene.h"
#include "views/life.h"
#include "views/states.h"

static struct text text;
static struct scene scene;

static struct view_columns feed_columns(struct feed *feed)
{
	uint8_t bits = feed_u8(feed);

	return (struct view_columns){ .time = bits & 1,
				      .seconds = bits & 2,
				      .wide = bits & 4,
				      .extended = bits & 8,
				      .csv = bits & 16 };
}

static void check_text(const struct view_columns *columns, size_t lines)
{
	size_t are = check_lines(&text, SIZE_MAX);

	MUST(!lines || are == lines);
	if (columns->csv)
		check_csv(&text);
}

static void check_life(struct feed *feed)
{
	static struct fed_conn fed;
	struct view_columns columns = feed_columns(feed);
	struct view_clock clock;

	feed_clock(feed, &clock);
	feed_conn(feed, &fed, false);
	life_header(&text, &columns);
	life_line(&text, &columns, &clock, &fed.conn);
	check_text(&columns, 2);
}

static void check_states(struct feed *feed)
{
	struct view_columns columns = feed_columns(feed);
	struct view_clock clock;
	struct report_step step;
	struct ev_tuple tuple;

	feed_clock(feed, &clock);
	feed_step(feed, &step, &tuple);
	states_header(&text, &columns);
	states_line(&text, &columns, &clock, &step);
	check_text(&columns, 2);
}

static void check_stuck(struct feed *feed)
{
	struct view_columns columns = feed_columns(feed);
	struct view_clock clock;

	feed_clock(feed, &clock);
	scene_feed(&scene, feed);
	stuck_page_write(&text, &columns, &clock, &scene.page);
	check_text(&columns, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const checks[])(struct feed *) = { check_life, check_states, check_stuck };
	struct feed feed = { data, size };

	text_clear(&text);
	checks[feed_below(&feed, ARRAY_SIZE(checks))](&feed);
	return 0;
}
