/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Times and bytes for human readers: units, and the rows of a histogram that
 * fit to them. Knows no histogram.
 */
#ifndef CONNLIFE_HIST_SCALE_H
#define CONNLIFE_HIST_SCALE_H

#include <stdint.h>

#include "base/text.h"

#define SCALE_ROWS_MAX 64

struct scale_unit {
	uint64_t size;
	const char *name;
};

/* Row 0 lies below edge 0, row i from edge i-1 on, the last row has no end. */
struct scale {
	const struct scale_unit *units; /* smallest first; the first has size 1 */
	unsigned int units_len;
	uint64_t (*edge)(unsigned int index);
	unsigned int edges_len; /* less than SCALE_ROWS_MAX */
};

extern const struct scale scale_times; /* ns */
extern const struct scale scale_bytes; /* KB is 1024 */

unsigned int scale_row(const struct scale *scale, uint64_t value);

/* "61.4 us": three digits, or whole units where that is exact. */
void scale_value(struct text *out, const struct scale *scale, uint64_t value);

/* "20 us - 50 us": what is in the row, the second one not. */
void scale_label(struct text *out, const struct scale *scale, unsigned int row);

#endif
