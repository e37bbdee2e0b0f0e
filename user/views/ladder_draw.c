// SPDX-License-Identifier: GPL-2.0-only
/* Columns, from the left: time, time since the row before, state, arrow, state. */
#include "views/ladder_draw.h"

#include <string.h>

#include "core/names.h"

#define STATE_WIDTH 11 /* ESTABLISHED */
#define ARROW_MAX 57 /* longer ones are no easier to read; odd: dashes end as they begin */
#define ARROW_GOOD 40 /* what the column of differences leaves to arrows, or it goes */
#define LEAD_LONG 6 /* strokes before a label */
#define LEAD_SHORT 2 /* before and after, at least */

#define COLOR_RESET "\x1b[31m"
#define COLOR_AGAIN "\x1b[33m"
#define COLOR_OFF "\x1b[0m"

struct paper {
	struct text *out;
	const struct ladder_style *style;
	const struct ladder_rows *rows;
	int64_t first_ns; /* UNKNOWN_NS: no time is known */
	int64_t last_us; /* of the row before */
	size_t time_width;
	size_t since_width; /* 0: not shown */
	size_t arrow_width;
};

unsigned int ladder_width(const struct ladder_style *style)
{
	if (!style->width)
		return LADDER_WIDTH_USUAL;
	return style->width < LADDER_WIDTH_MIN ? LADDER_WIDTH_MIN : style->width;
}

static void spaces(struct paper *paper, size_t count)
{
	text_pad(paper->out, paper->out->len, count);
}

/* ---- times ---- */

/* Since the first row, rounded; UNKNOWN_NS where not known. */
static int64_t row_us(const struct paper *paper, const struct ladder_row *row)
{
	int64_t ns, rest;

	if (row->item.ts_ns == UNKNOWN_NS ||
	    __builtin_sub_overflow(row->item.ts_ns, paper->first_ns, &ns))
		return UNKNOWN_NS;
	rest = ns % 1000;
	return ns / 1000 + (rest >= 500) - (rest <= -500);
}

/* Columns that text_fixed() takes for it with 3 decimals. */
static size_t ms_width(int64_t us)
{
	size_t width = us < 0 ? 6 : 5;

	for (us /= 10000; us; us /= 10)
		width++;
	return width;
}

static void widen(size_t *width, size_t wanted)
{
	if (*width < wanted)
		*width = wanted;
}

/* Usual lives have the same columns in every diagram. */
static void measure_times(struct paper *paper)
{
	int64_t before = UNKNOWN_NS;

	paper->time_width = strlen("9999.999");
	paper->since_width = strlen("+9999.999");
	for (unsigned int i = 0; i < paper->rows->len; i++) {
		const struct ladder_row *row = &paper->rows->list[i];
		int64_t us;

		if (paper->first_ns == UNKNOWN_NS)
			paper->first_ns = row->item.ts_ns;
		us = row_us(paper, row);
		if (us == UNKNOWN_NS)
			continue;
		widen(&paper->time_width, ms_width(us));
		if (before != UNKNOWN_NS)
			widen(&paper->since_width, ms_width(us - before) + (us >= before));
		before = us;
	}
}

static void write_since(struct paper *paper, int64_t us)
{
	int64_t since;

	spaces(paper, 1);
	if (us == UNKNOWN_NS || paper->last_us == UNKNOWN_NS) {
		spaces(paper, paper->since_width);
		return;
	}
	since = us - paper->last_us;
	spaces(paper, paper->since_width - ms_width(since) - (since >= 0));
	if (since >= 0)
		text_char(paper->out, '+');
	text_fixed(paper->out, since, 3);
}

static void write_time(struct paper *paper, const struct ladder_row *row)
{
	int64_t us = row_us(paper, row);

	if (us == UNKNOWN_NS) {
		spaces(paper, paper->time_width);
	} else {
		spaces(paper, paper->time_width - ms_width(us));
		text_fixed(paper->out, us, 3);
	}
	if (paper->since_width)
		write_since(paper, us);
	if (us != UNKNOWN_NS)
		paper->last_us = us;
}

/* ---- arrows ---- */

/* One column of a line: seen is solid, inferred is dashed, with the dashes below each other. */
static char stroke(const struct ladder_row *row, size_t column)
{
	if (row->kind == LADDER_DATA)
		return '~';
	if (row->kind != LADDER_SEGMENT || (!row->item.seen && column % 2 == 0))
		return ' ';
	return row->item.tcp_flags & RST ? '=' : '-';
}

static bool has_head(const struct ladder_row *row, uint8_t way)
{
	const struct story_item *item = &row->item;

	if (row->kind == LADDER_SEGMENT)
		return item->way == way;
	if (row->kind != LADDER_DATA)
		return false;
	return way == STORY_OUT ? item->tx_bytes && !item->rx_bytes
				: item->rx_bytes && !item->tx_bytes;
}

static void strokes(struct paper *paper, const struct ladder_row *row, size_t from, size_t to)
{
	for (size_t column = from; column < to; column++) {
		if (!column && has_head(row, STORY_IN))
			text_char(paper->out, '<');
		else if (column + 1 == paper->arrow_width && has_head(row, STORY_OUT))
			text_char(paper->out, '>');
		else
			text_char(paper->out, stroke(row, column));
	}
}

static const char *color_of(const struct paper *paper, const struct ladder_row *row)
{
	if (!paper->style->color || row->kind != LADDER_SEGMENT)
		return NULL;
	if (row->item.tcp_flags & RST)
		return COLOR_RESET;
	return row->item.again ? COLOR_AGAIN : NULL;
}

static void write_arrow(struct paper *paper, const struct ladder_row *row)
{
	size_t room = paper->arrow_width - 2 * LEAD_SHORT - 2;
	size_t start = paper->out->len, lead = LEAD_LONG, len, most;
	bool absolute = paper->style->absolute;
	const char *color = color_of(paper, row);

	/* written twice, as where it begins depends on its length */
	len = ladder_label(paper->out, paper->rows, row, absolute, room);
	paper->out->len = start;
	most = paper->arrow_width - len - 2 - LEAD_SHORT;
	if (lead > most)
		lead = most / 2 * 2; /* even, as dashes stand on odd columns */
	if (color)
		text_str(paper->out, color);
	strokes(paper, row, 0, lead);
	text_char(paper->out, ' ');
	ladder_label(paper->out, paper->rows, row, absolute, room);
	text_char(paper->out, ' ');
	strokes(paper, row, lead + len + 2, paper->arrow_width);
	if (color)
		text_str(paper->out, COLOR_OFF);
}

/* ---- rows ---- */

static void write_left(struct paper *paper, const char *what)
{
	spaces(paper, STATE_WIDTH - strlen(what));
	text_str(paper->out, what);
	text_str(paper->out, " |");
}

static void write_right(struct paper *paper, const char *what, bool is_inferred)
{
	text_char(paper->out, '|');
	if (*what) {
		text_str(paper->out, is_inferred ? " (" : " ");
		text_str(paper->out, what);
		if (is_inferred)
			text_char(paper->out, ')');
	}
	text_char(paper->out, '\n');
}

static void write_titles(struct paper *paper, const char *const names[2])
{
	spaces(paper, paper->time_width - strlen("ms"));
	text_str(paper->out, "ms");
	if (paper->since_width) {
		spaces(paper, 1 + paper->since_width - strlen("+ms"));
		text_str(paper->out, "+ms");
	}
	spaces(paper, 1);
	write_left(paper, names[LADDER_LEFT]);
	spaces(paper, paper->arrow_width);
	write_right(paper, names[LADDER_RIGHT], false);
}

/* No longer than STATE_WIDTH: the kernel's NEW_SYN_RECV is SYN_RECV for RFC 9293, too. */
static const char *state_word(uint8_t state)
{
	if (state == ST_NONE)
		return "";
	return name_state(state == ST_NEW_SYN_RECV ? ST_SYN_RECV : state);
}

static void write_row(struct paper *paper, const struct ladder_row *row)
{
	write_time(paper, row);
	spaces(paper, 1);
	write_left(paper, state_word(row->state[LADDER_LEFT]));
	if (row->kind == LADDER_STATE)
		spaces(paper, paper->arrow_width);
	else
		write_arrow(paper, row);
	write_right(paper, state_word(row->state[LADDER_RIGHT]), paper->rows->is_inferred);
}

static void measure_arrows(struct paper *paper)
{
	size_t taken =
		paper->time_width + 1 + STATE_WIDTH + strlen(" ||") + strlen(" ()") + STATE_WIDTH;

	paper->arrow_width = ladder_width(paper->style) - taken;
	if (paper->arrow_width >= ARROW_GOOD + 1 + paper->since_width)
		paper->arrow_width -= 1 + paper->since_width;
	else
		paper->since_width = 0;
	if (paper->arrow_width > ARROW_MAX)
		paper->arrow_width = ARROW_MAX;
	if (paper->arrow_width % 2 == 0)
		paper->arrow_width--;
}

void ladder_draw(struct text *out, const struct ladder_style *style, const struct ladder_rows *rows,
		 const char *const names[2])
{
	struct paper paper = { .out = out,
			       .style = style,
			       .rows = rows,
			       .first_ns = UNKNOWN_NS,
			       .last_us = UNKNOWN_NS };

	measure_times(&paper);
	measure_arrows(&paper);
	write_titles(&paper, names);
	for (unsigned int i = 0; i < rows->len; i++)
		write_row(&paper, &rows->list[i]);
}
