// SPDX-License-Identifier: GPL-2.0-only
/* How cells of tables and of CSV are written; see cells.h. */
#include "views/cells.h"

#include <string.h>

#define NS_PER_MS 1000000

struct shown {
	bool when[COLUMN_WHEN_MAX];
};

static struct shown what_is_shown(const struct view_columns *columns)
{
	return (struct shown){ {
		[COLUMN_ALWAYS] = true,
		[COLUMN_TIME] = columns->time,
		[COLUMN_SECONDS] = columns->seconds,
		[COLUMN_IP] = columns->wide || columns->csv,
		[COLUMN_TABLE] = !columns->csv,
		[COLUMN_EXTENDED] = columns->extended,
	} };
}

/*
 * What stands between two cells. A cell is padded when the next one begins,
 * so that no line ends in spaces.
 */
static void separate(struct cell *cell, size_t start)
{
	if (cell->csv) {
		text_char(cell->out, ',');
		return;
	}
	text_pad(cell->out, start, cell->width + cell->unseen);
	text_char(cell->out, ' ');
}

static void write_row(struct cell *cell, const struct column *list, size_t len,
		      const struct view_columns *columns, const void *report)
{
	const struct shown shown = what_is_shown(columns);
	size_t start = 0;
	bool first = true;

	for (const struct column *column = list; column < list + len; column++) {
		if (!shown.when[column->when])
			continue;
		if (!first)
			separate(cell, start);
		first = false;
		start = cell->out->len;
		cell->width = columns->wide ? column->wide : column->width;
		cell->unseen = 0;
		if (report)
			column->write(cell, report);
		else
			text_str(cell->out, column->name);
	}
	text_char(cell->out, '\n');
}

void cells_header(struct text *out, const struct column *list, size_t len,
		  const struct view_columns *columns)
{
	struct cell cell = { .out = out, .csv = columns->csv };

	write_row(&cell, list, len, columns, NULL);
}

void cells_line(struct text *out, const struct column *list, size_t len,
		const struct view_columns *columns, const struct view_clock *clock,
		const void *report)
{
	struct cell cell = { .out = out, .clock = clock, .csv = columns->csv };

	write_row(&cell, list, len, columns, report);
}

void cell_unknown(struct cell *cell)
{
	if (!cell->csv)
		text_char(cell->out, '-');
}

void cell_word(struct cell *cell, const char *word)
{
	if (word)
		text_str(cell->out, word);
	else
		cell_unknown(cell);
}

/* RFC 4180: a field with a comma, a quote or a space at its edge goes into quotes. */
static void quote_if_needed(struct text *out, size_t start)
{
	size_t len = out->len - start, quotes = 0;
	char *field, *to;

	if (out->failed || !len)
		return;
	field = out->data + start;
	for (size_t i = 0; i < len; i++)
		quotes += field[i] == '"';
	if (!quotes && !memchr(field, ',', len) && field[0] != ' ' && field[len - 1] != ' ')
		return;
	if (!text_room(out, quotes + 2))
		return;
	field = out->data + start;
	out->len += quotes + 2;
	to = out->data + out->len;
	*--to = '"';
	/* From the back, so that nothing is overwritten before it was moved. */
	for (size_t i = len; i-- > 0;) {
		*--to = field[i];
		if (field[i] == '"')
			*--to = '"';
	}
	*--to = '"';
}

void cell_bits(struct cell *cell, unsigned int bits, const char *(*name_of)(unsigned int bit),
	       char join)
{
	size_t start = cell->out->len;

	for (unsigned int bit = 1; bit && bit <= bits; bit <<= 1) {
		const char *name = name_of(bits & bit);

		if (!name)
			continue;
		if (cell->out->len > start)
			text_char(cell->out, join);
		text_str(cell->out, name);
	}
	if (cell->out->len == start)
		cell_unknown(cell);
	else if (cell->csv)
		quote_if_needed(cell->out, start);
}

void cell_bytes(struct cell *cell, const char *str, size_t max)
{
	size_t len = strlen(str), start = cell->out->len;

	if (!len) {
		cell_unknown(cell);
	} else if (cell->csv) {
		text_visible(cell->out, str, len, SIZE_MAX);
		quote_if_needed(cell->out, start);
	} else {
		size_t columns = text_visible(cell->out, str, len, max);

		if (!cell->out->failed)
			cell->unseen = cell->out->len - start - columns;
	}
}

void cell_count(struct cell *cell, int64_t count)
{
	if (count < 0)
		cell_unknown(cell);
	else
		text_u64(cell->out, count);
}

/* To the nearest, ties away from 0. */
static int64_t div_round(int64_t value, int64_t by)
{
	int64_t rest = value % by;

	return value / by + (rest >= by - rest) - (rest <= -by - rest);
}

void cell_ms(struct cell *cell, int64_t ns, unsigned int decimals)
{
	int64_t unit = NS_PER_MS;

	if (ns == UNKNOWN_NS) {
		cell_unknown(cell);
		return;
	}
	for (unsigned int i = 0; i < decimals; i++)
		unit /= 10;
	text_fixed(cell->out, div_round(ns, unit), decimals);
}

void cell_kb(struct cell *cell, int64_t bytes)
{
	if (bytes < 0)
		cell_unknown(cell);
	else /* in two parts, as a hundred times as many may have no int64_t */
		text_fixed(cell->out, bytes / 1024 * 100 + div_round(bytes % 1024 * 100, 1024), 2);
}

void cell_clock(struct cell *cell, int64_t monotonic_ns)
{
	int64_t realtime_ns = view_realtime_ns(cell->clock, monotonic_ns);

	if (realtime_ns == UNKNOWN_NS)
		cell_unknown(cell);
	else
		text_clock(cell->out, realtime_ns);
}

void cell_seconds(struct cell *cell, int64_t monotonic_ns)
{
	int64_t since_ns = view_since_start_ns(cell->clock, monotonic_ns);

	if (since_ns == UNKNOWN_NS)
		cell_unknown(cell);
	else
		text_fixed(cell->out, div_round(since_ns, 1000), 6);
}

void cell_family(struct cell *cell, const struct ev_tuple *tuple)
{
	if (tuple->family)
		text_u64(cell->out, tuple->family);
	else
		cell_unknown(cell);
}

void cell_addr(struct cell *cell, const struct ev_tuple *tuple, const uint8_t addr[16])
{
	if (tuple->family)
		text_addr(cell->out, addr);
	else
		cell_unknown(cell);
}

void cell_port(struct cell *cell, const struct ev_tuple *tuple, uint16_t port)
{
	if (tuple->family)
		text_u64(cell->out, port);
	else
		cell_unknown(cell);
}
