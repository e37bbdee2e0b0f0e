// SPDX-License-Identifier: GPL-2.0-only
/* The list: which columns have room, how wide they are, and a line each. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memrchr() */
#endif
#include <string.h>

#include "base/array.h"
#include "core/names.h"
#include "views/top.h"
#include "views/top_format.h"

/* Sorted by none of the keys. */
#define SORT_NONE (-1)

enum {
	COLUMN_STATE,
	COLUMN_AGE,
	COLUMN_LOCAL,
	COLUMN_REMOTE,
	COLUMN_OWNER,
	COLUMN_TX,
	COLUMN_RX,
	COLUMN_RATE,
	COLUMN_RETR,
	COLUMN_SRTT,
	COLUMNS
};

struct column {
	const char *name;
	unsigned int width; /* where it is not measured */
	unsigned int most; /* 0: it is not measured */
	int sort;
	bool right;
	void (*write)(struct text *text, const struct top_scene *scene, const struct top_row *row);
};

static void write_state(struct text *text, const struct top_scene *scene, const struct top_row *row)
{
	text_str(text, name_state(row->state));
}

static void write_age(struct text *text, const struct top_scene *scene, const struct top_row *row)
{
	top_format_age(text, scene->now_ns, row->since_ns, row->since_is_bound);
}

static void write_local(struct text *text, const struct top_scene *scene, const struct top_row *row)
{
	top_endpoint(text, &row->tuple, row->tuple.laddr, row->tuple.lport);
}

static void write_remote(struct text *text, const struct top_scene *scene,
			 const struct top_row *row)
{
	top_endpoint(text, &row->tuple, row->tuple.raddr, row->tuple.rport);
}

static void write_owner(struct text *text, const struct top_scene *scene, const struct top_row *row)
{
	top_owner(text, row->pid, row->comm);
}

static void write_tx(struct text *text, const struct top_scene *scene, const struct top_row *row)
{
	top_format_bytes(text, row->tx_bytes);
}

static void write_rx(struct text *text, const struct top_scene *scene, const struct top_row *row)
{
	top_format_bytes(text, row->rx_bytes);
}

static void write_rate(struct text *text, const struct top_scene *scene, const struct top_row *row)
{
	top_format_bytes(text, top_row_rate(row));
}

static void write_retrans(struct text *text, const struct top_scene *scene,
			  const struct top_row *row)
{
	top_format_count(text, row->retrans);
}

static void write_srtt(struct text *text, const struct top_scene *scene, const struct top_row *row)
{
	top_format_ms(text, row->srtt_us);
}

static const struct column columns[COLUMNS] = {
	[COLUMN_STATE] = { "STATE", 11, 0, TOP_BY_STATE, false, write_state },
	[COLUMN_AGE] = { "AGE", 8, 0, TOP_BY_AGE, true, write_age },
	[COLUMN_LOCAL] = { "LOCAL", 12, 47, SORT_NONE, false, write_local },
	[COLUMN_REMOTE] = { "REMOTE", 12, 47, SORT_NONE, false, write_remote },
	[COLUMN_OWNER] = { "OWNER", 8, 24, SORT_NONE, false, write_owner },
	[COLUMN_TX] = { "TX", 5, 0, TOP_BY_BYTES, true, write_tx },
	[COLUMN_RX] = { "RX", 5, 0, TOP_BY_BYTES, true, write_rx },
	[COLUMN_RATE] = { "RATE", 5, 0, TOP_BY_RATE, true, write_rate },
	[COLUMN_RETR] = { "RETR", 5, 0, TOP_BY_RETRANS, true, write_retrans },
	[COLUMN_SRTT] = { "SRTT", 6, 0, SORT_NONE, true, write_srtt },
};

/* The rows that are on the screen. */
struct window {
	const struct top_row *const *rows;
	size_t len;
};

static struct window window_of(const struct top_scene *scene, size_t page)
{
	const struct toplist *list = scene->list;
	size_t first = scene->settings->first;
	struct window window = { 0 };

	if (first >= list->shown_len)
		return window;
	window.rows = list->shown + first;
	window.len = list->shown_len - first < page ? list->shown_len - first : page;
	return window;
}

/* As wide as the widest that is on the screen; the page lends its text. */
static unsigned int measure(struct top_page *page, const struct top_scene *scene,
			    const struct window *window, const struct column *column)
{
	unsigned int widest = column->width, width;

	if (!column->most)
		return column->width;
	for (size_t i = 0; i < window->len; i++) {
		top_page_open(page, 0, 0, 0, LOOK_PLAIN);
		column->write(&page->text, scene, window->rows[i]);
		top_page_close(page);
		width = top_page_width(page);
		if (widest < width)
			widest = width;
		if (page->len)
			page->text.len = page->spans[--page->len].start;
	}
	return widest < column->most ? widest : column->most;
}

static unsigned int sum(const unsigned int *widths)
{
	unsigned int all = 0;

	for (unsigned int i = 0; i < COLUMNS; i++)
		all += widths[i] ? widths[i] + 1 : 0;
	return all ? all - 1 : 0;
}

/* Takes from a column what is too much, but leaves it least. */
static void shrink(unsigned int *widths, unsigned int column, unsigned int least, unsigned int room)
{
	unsigned int all = sum(widths), much = all > room ? all - room : 0;

	if (widths[column] <= least)
		return;
	widths[column] -= much < widths[column] - least ? much : widths[column] - least;
}

/* Width 0: left out. The column that is sorted by stays. */
static void fit(unsigned int *widths, enum top_sort sort, unsigned int room)
{
	static const unsigned int least_wanted[] = { COLUMN_SRTT, COLUMN_RETR, COLUMN_RX, COLUMN_TX,
						     COLUMN_RATE };

	shrink(widths, COLUMN_LOCAL, 25, room);
	shrink(widths, COLUMN_REMOTE, 25, room);
	shrink(widths, COLUMN_OWNER, 13, room);
	for (unsigned int i = 0; i < ARRAY_SIZE(least_wanted) && sum(widths) > room; i++) {
		if (columns[least_wanted[i]].sort != (int)sort)
			widths[least_wanted[i]] = 0;
	}
	shrink(widths, COLUMN_LOCAL, 12, room);
	shrink(widths, COLUMN_REMOTE, 12, room);
	shrink(widths, COLUMN_OWNER, 8, room);
	shrink(widths, COLUMN_LOCAL, 10, room);
	shrink(widths, COLUMN_REMOTE, 10, room);
}

/* An address that is too long loses its middle: the port stays. */
static void cut_endpoint(struct text *text, size_t start, unsigned int width)
{
	char *str = text->data + start, *port;
	size_t len = text->len - start, tail;

	if (text->failed || len <= width)
		return;
	port = memrchr(str, ':', len);
	tail = port ? (size_t)(str + len - port) : 0;
	if (!tail || tail + 2 > width)
		return;
	str[width - tail - 1] = '~';
	memmove(str + width - tail, port, tail);
	text->len = start + width;
}

static unsigned int look_of(const struct top_row *row, unsigned int column)
{
	if (column == COLUMN_STATE)
		return top_state_look(row->state);
	return column == COLUMN_RETR && row->retrans > 0 ? LOOK_ALARM : LOOK_PLAIN;
}

static void draw_row(struct top_page *page, const struct top_scene *scene,
		     const unsigned int *widths, unsigned int at, const struct top_row *row,
		     unsigned int look)
{
	unsigned int column = 0;

	for (unsigned int i = 0; i < COLUMNS && column < page->columns; i++) {
		size_t start = page->text.len;

		if (!widths[i])
			continue;
		top_page_open(page, at, column, widths[i], look_of(row, i) | look);
		columns[i].write(&page->text, scene, row);
		if (i == COLUMN_LOCAL || i == COLUMN_REMOTE)
			cut_endpoint(&page->text, start, widths[i]);
		top_page_close(page);
		if (columns[i].right)
			top_page_align_right(page);
		column += widths[i] + 1;
	}
}

static void draw_header(struct top_page *page, const struct top_scene *scene,
			const unsigned int *widths, unsigned int at)
{
	unsigned int column = 0;

	top_page_fill(page, at, LOOK_REVERSE);
	for (unsigned int i = 0; i < COLUMNS && column < page->columns; i++) {
		bool is_sorted = columns[i].sort == (int)scene->settings->sort;

		if (!widths[i])
			continue;
		top_page_open(page, at, column, widths[i],
			      LOOK_REVERSE | (is_sorted ? LOOK_BOLD : 0));
		text_str(&page->text, columns[i].name);
		top_page_close(page);
		if (columns[i].right)
			top_page_align_right(page);
		column += widths[i] + 1;
	}
}

void top_draw_table(struct top_page *page, const struct top_scene *scene, unsigned int row,
		    unsigned int end)
{
	size_t cursor = top_settings_cursor(scene->settings, scene->list);
	struct window window;
	unsigned int widths[COLUMNS];

	window = window_of(scene, top_list_rows(scene, page->rows, page->columns));
	for (unsigned int i = 0; i < COLUMNS; i++)
		widths[i] = measure(page, scene, &window, &columns[i]);
	fit(widths, scene->settings->sort, page->columns);
	if (page->rows >= 4 && row < end)
		draw_header(page, scene, widths, row++);
	for (size_t i = 0; i < window.len && row < end; i++, row++) {
		bool is_chosen = scene->settings->first + i == cursor;

		if (is_chosen)
			top_page_fill(page, row, LOOK_REVERSE);
		draw_row(page, scene, widths, row, window.rows[i], is_chosen ? LOOK_REVERSE : 0);
	}
	if (scene->looked && !window.len)
		top_page_put(page, row, 1, LOOK_DIM,
			     scene->settings->filter[0] ? "none that matches the filter" : "none");
}
