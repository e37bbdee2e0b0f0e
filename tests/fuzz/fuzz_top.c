// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of the screen of top: looks, keys and screens of every size in any
 * order. Each piece of text lies on the screen and is no command to a terminal.
 */
#include <linux/types.h>

#include "check.h"
#include "reports.h"
#include "views/top.h"

#define STEPS_MAX 24
#define CONNS_MAX 12
#define SIZE_MOST 140

struct desk {
	struct toplist list;
	struct top_settings settings;
	struct top_details details;
	struct view_clock clock;
	uint64_t now_ns;
	bool looked;
};

static struct top_page page;

static struct top_scene scene_of(struct desk *desk)
{
	return (struct top_scene){ .list = &desk->list,
				   .settings = &desk->settings,
				   .details = &desk->details,
				   .clock = &desk->clock,
				   .looked = desk->looked,
				   .now_ns = (int64_t)desk->now_ns,
				   .interval_s = 2 };
}

static void show(struct desk *desk)
{
	struct top_choice choice = { desk->settings.sort, desk->settings.reverse,
				     desk->settings.time_wait, desk->settings.filter };

	toplist_show(&desk->list, &choice);
}

static void look(struct desk *desk, struct feed *feed)
{
	static struct fed_now fed;
	unsigned int conns = feed_below(feed, CONNS_MAX), listeners = feed_below(feed, 3);

	desk->now_ns += feed_time(feed) >> 5;
	desk->details = (struct top_details){ .wanted = desk->settings.chosen };
	toplist_begin(&desk->list);
	while (conns-- && feed->left) {
		feed_now(feed, &fed);
		fed.now.sock = conns; /* no two are the same at once */
		toplist_take(&desk->list, &fed.now);
		top_details_take(&desk->details, &fed.now);
	}
	while (listeners--) {
		feed_listener(feed, &fed);
		toplist_take_listener(&desk->list, &fed.listener);
	}
	toplist_end(&desk->list);
	show(desk);
	desk->looked = true;
}

static void check_page(unsigned int rows, unsigned int columns)
{
	MUST(!page.failed && !page.text.failed);
	MUST(page.text.len <= page.text.cap);
	for (size_t i = 0; i < page.len; i++) {
		const struct top_span *span = &page.spans[i];

		if (!span->width)
			continue; /* beyond the screen */
		MUST(span->row < rows && span->column < columns);
		MUST(span->width <= columns - span->column);
		MUST(span->start + span->len <= page.text.len);
		if (span->len)
			check_line(page.text.data + span->start, span->len);
	}
}

static void draw(struct desk *desk, struct feed *feed)
{
	unsigned int rows = 1 + feed_below(feed, SIZE_MOST),
		     columns = 1 + feed_below(feed, SIZE_MOST);
	struct top_scene scene = scene_of(desk);

	top_settings_follow(&desk->settings, &desk->list, top_list_rows(&scene, rows, columns));
	top_page_clear(&page, rows, columns);
	top_draw(&page, &scene);
	check_page(rows, columns);
}

static void press(struct desk *desk, struct feed *feed)
{
	static const int keys[] = { TOP_KEY_UP,	       TOP_KEY_DOWN,   TOP_KEY_PAGE_UP,
				    TOP_KEY_PAGE_DOWN, TOP_KEY_HOME,   TOP_KEY_END,
				    TOP_KEY_ENTER,     TOP_KEY_ESCAPE, TOP_KEY_BACKSPACE };
	uint8_t byte = feed_u8(feed);
	int key = byte < 128   ? byte
		  : byte < 192 ? keys[byte % ARRAY_SIZE(keys)]
			       : (int)feed_u32(feed);

	if (top_settings_key(&desk->settings, &desk->list, 1 + feed_below(feed, 50), key) ==
	    TOP_SHOW)
		show(desk);
	MUST(memchr(desk->settings.filter, '\0', sizeof(desk->settings.filter)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed feed = { data, size };
	static struct desk desk;

	memset(&desk, 0, sizeof(desk));
	toplist_init(&desk.list);
	feed_clock(&feed, &desk.clock);
	for (int step = 0; step < STEPS_MAX && feed.left; step++) {
		uint8_t what = feed_u8(&feed);

		if (what < 80)
			look(&desk, &feed);
		else if (what < 200)
			press(&desk, &feed);
		else
			draw(&desk, &feed);
	}
	draw(&desk, &feed);
	toplist_free(&desk.list);
	return 0;
}
