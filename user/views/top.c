// SPDX-License-Identifier: GPL-2.0-only
/* Which part of the screen stands where; the last line, and the page of help. */
#include "views/top.h"

#include <string.h>

#include "base/array.h"

struct key_word {
	const char *key, *word;
};

static const struct key_word wide_keys[] = {
	{ "q", "quit" },  { "h", "keys" },    { "Enter", "details" }, { "/", "filter" },
	{ "a", "age" },	  { "b", "bytes" },   { "t", "rate" },	      { "x", "retrans" },
	{ "s", "state" }, { "r", "reverse" }, { "w", "TIME_WAIT" },   { "p", "pause" },
};

static const struct key_word list_keys[] = {
	{ "q", "quit" },     { "h", "keys" },	 { "Enter", "more" },  { "/", "filter" },
	{ "abtxs", "sort" }, { "r", "reverse" }, { "w", "TIME_WAIT" }, { "p", "pause" },
};

static const struct key_word details_keys[] = {
	{ "q", "quit" },  { "h", "keys" }, { "Esc", "back" }, { "Up Down", "the next ones" },
	{ "p", "pause" },
};

static const struct key_word help_keys[] = { { "q", "quit" }, { "any key", "back" } };

static const char *const help[] = {
	"Up Down PgUp PgDn Home End   move the bar",
	"Enter   all about the connection under the bar; again, or Esc: back",
	"/       filter: words that a line must have (address, port, name, pid, state)",
	"Esc     no filter",
	"a       sort by age of the state, oldest first",
	"b       sort by bytes, both ways",
	"t       sort by rate, both ways",
	"x       sort by retransmissions",
	"s       sort by state, in the order of a life",
	"r       reverse the order; what is not known stays last",
	"w       show TIME_WAIT too, or hide it",
	"p       pause, and go on",
	"q       quit",
	"",
	"AGE     time in the state; >= where the state is older than the tracer",
	"TX RX   bytes that the peer acknowledged, and that came from it",
	"RATE    bytes a second, both ways, since the look before",
	"RETR    segments sent again    SRTT   smoothed round trip in ms",
	"-       not known",
};

enum top_look top_state_look(uint8_t state)
{
	switch (state) {
	case ST_ESTABLISHED:
		return LOOK_OPEN;
	case ST_SYN_SENT:
	case ST_SYN_RECV:
		return LOOK_OPENING;
	case ST_TIME_WAIT:
		return LOOK_REMAINS;
	default:
		return LOOK_CLOSING;
	}
}

static bool has_key_line(unsigned int rows)
{
	return rows >= 2;
}

static bool has_header(unsigned int rows)
{
	return rows >= 4;
}

size_t top_list_rows(const struct top_scene *scene, unsigned int rows, unsigned int columns)
{
	unsigned int taken =
		top_head_rows(scene, rows, columns) + has_header(rows) + has_key_line(rows);

	return rows > taken ? rows - taken : 1;
}

static unsigned int keys_width(const struct key_word *keys, size_t len)
{
	size_t width = 0;

	for (size_t i = 0; i < len; i++)
		width += strlen(keys[i].key) + strlen(keys[i].word) + 3;
	return (unsigned int)width;
}

/* Those for which there is room, whole. */
static void draw_keys(struct top_page *page, unsigned int column, const struct key_word *keys,
		      size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (column + strlen(keys[i].key) + strlen(keys[i].word) + 1 > page->columns)
			return;
		column = top_page_put(page, page->rows - 1, column, LOOK_BOLD, keys[i].key);
		column = top_page_put(page, page->rows - 1, column + 1, LOOK_PLAIN, keys[i].word);
		column += 2;
	}
}

static unsigned int draw_filter(struct top_page *page, const struct top_settings *settings)
{
	unsigned int row = page->rows - 1, column, len = (unsigned int)strlen(settings->filter);
	const char *filter = settings->filter;

	column = top_page_put(page, row, 0, LOOK_BOLD, settings->typing ? "/" : "filter: ");
	/* the end of a long one, where it is being typed */
	if (settings->typing && page->columns > 2 && len > page->columns - 2) {
		filter += len - (page->columns - 2);
		while (((uint8_t)*filter & 0xc0) == 0x80)
			filter++;
	}
	top_page_open(page, row, column, 0, LOOK_PLAIN);
	text_visible(&page->text, filter, strlen(filter), SIZE_MAX);
	top_page_close(page);
	column += top_page_width(page);
	if (settings->typing)
		column = top_page_put(page, row, column, LOOK_REVERSE, " ");
	return column + 2;
}

static void draw_last_line(struct top_page *page, const struct top_settings *settings)
{
	unsigned int column = 0;

	if (settings->pane == TOP_PANE_HELP) {
		draw_keys(page, 0, help_keys, ARRAY_SIZE(help_keys));
		return;
	}
	if (settings->typing || settings->filter[0])
		column = draw_filter(page, settings);
	if (settings->typing) {
		static const struct key_word keys[] = { { "Enter", "keep" }, { "Esc", "clear" } };

		draw_keys(page, column, keys, ARRAY_SIZE(keys));
	} else if (settings->pane == TOP_PANE_DETAILS) {
		draw_keys(page, column, details_keys, ARRAY_SIZE(details_keys));
	} else if (column + keys_width(wide_keys, ARRAY_SIZE(wide_keys)) <= page->columns + 2) {
		draw_keys(page, column, wide_keys, ARRAY_SIZE(wide_keys));
	} else {
		draw_keys(page, column, list_keys, ARRAY_SIZE(list_keys));
	}
}

static void draw_help(struct top_page *page, unsigned int end)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(help) && i < end; i++)
		top_page_put(page, i, 1, LOOK_PLAIN, help[i]);
}

void top_draw(struct top_page *page, const struct top_scene *scene)
{
	const struct top_settings *settings = scene->settings;
	unsigned int end = page->rows - has_key_line(page->rows);
	unsigned int row = 0;

	if (!page->rows || !page->columns)
		return;
	if (has_key_line(page->rows))
		draw_last_line(page, settings);
	if (settings->pane == TOP_PANE_HELP) {
		draw_help(page, end);
		return;
	}
	top_draw_head(page, scene);
	row = top_head_rows(scene, page->rows, page->columns);
	if (settings->pane == TOP_PANE_DETAILS)
		top_draw_details(page, scene, row, end);
	else
		top_draw_table(page, scene, row, end);
}
