// SPDX-License-Identifier: GPL-2.0-only
/* Rows 1-2-5 of times, until seconds end and a clock has other steps; powers of two of bytes. */
#include "views/hist_scale.h"

#include <stdbool.h>

#include "base/array.h"

#define US UINT64_C(1000)
#define MS (1000 * US)
#define SEC (1000 * MS)
#define MIN (60 * SEC)
#define HOUR (60 * MIN)
#define DAY (24 * HOUR)

static const struct scale_unit time_units[] = {
	{ 1, "ns" },	{ US, "us" },  { MS, "ms" }, { SEC, "s" },
	{ MIN, "min" }, { HOUR, "h" }, { DAY, "d" },
};

static const struct scale_unit byte_units[] = { { 1, "B" },	      { 1ULL << 10, "KB" },
						{ 1ULL << 20, "MB" }, { 1ULL << 30, "GB" },
						{ 1ULL << 40, "TB" }, { 1ULL << 50, "PB" } };

static const uint64_t time_edges[] = {
	US,	  2 * US,   5 * US,   10 * US,	20 * US,   50 * US,  100 * US,	200 * US, 500 * US,
	MS,	  2 * MS,   5 * MS,   10 * MS,	20 * MS,   50 * MS,  100 * MS,	200 * MS, 500 * MS,
	SEC,	  2 * SEC,  5 * SEC,  10 * SEC, 20 * SEC,  30 * SEC, MIN,	2 * MIN,  5 * MIN,
	10 * MIN, 20 * MIN, 30 * MIN, HOUR,	2 * HOUR,  5 * HOUR, 10 * HOUR, DAY,	  2 * DAY,
	5 * DAY,  10 * DAY, 20 * DAY, 50 * DAY, 100 * DAY,
};

static uint64_t time_edge(unsigned int index)
{
	return time_edges[index];
}

static uint64_t byte_edge(unsigned int index)
{
	return UINT64_C(1) << index;
}

const struct scale scale_times = { time_units, ARRAY_SIZE(time_units), time_edge,
				   ARRAY_SIZE(time_edges) };
const struct scale scale_bytes = { byte_units, ARRAY_SIZE(byte_units), byte_edge,
				   SCALE_ROWS_MAX - 1 };

_Static_assert(ARRAY_SIZE(time_edges) < SCALE_ROWS_MAX, "rows of times");

unsigned int scale_row(const struct scale *scale, uint64_t value)
{
	unsigned int low = 0, high = scale->edges_len;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (value < scale->edge(middle))
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* value / unit, times power, rounded. A hundred units must fit into 64 bits. */
static uint64_t scaled(uint64_t value, uint64_t unit, uint64_t power)
{
	return value / unit * power + (value % unit * power + unit / 2) / unit;
}

void scale_value(struct text *out, const struct scale *scale, uint64_t value)
{
	static const uint64_t powers[] = { 1, 10, 100 };

	for (unsigned int i = 0; i < scale->units_len; i++) {
		const struct scale_unit *unit = &scale->units[i];
		bool last = i + 1 == scale->units_len;
		uint64_t limit = last ? UINT64_MAX / 100 : unit[1].size / unit->size;
		unsigned int decimals = value % unit->size ? 3 : 1;

		if (value / unit->size >= limit)
			continue;
		while (decimals--) {
			uint64_t digits = scaled(value, unit->size, powers[decimals]);

			if ((decimals && digits >= 1000) || digits >= limit * powers[decimals])
				continue;
			text_fixed(out, (int64_t)digits, decimals);
			text_char(out, ' ');
			text_str(out, unit->name);
			return;
		}
	}
}

void scale_label(struct text *out, const struct scale *scale, unsigned int row)
{
	uint64_t from = row ? scale->edge(row - 1) : 0;
	uint64_t to = row < scale->edges_len ? scale->edge(row) : 0;

	if (!row && to > 1) {
		text_str(out, "under ");
		scale_value(out, scale, to);
		return;
	}
	scale_value(out, scale, from);
	if (!to) {
		text_str(out, " and more");
	} else if (to - from > 1) {
		text_str(out, " - ");
		scale_value(out, scale, to);
	}
}
