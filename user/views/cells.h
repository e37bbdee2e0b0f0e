/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables and CSV out of one list of columns, so that a header and its lines
 * can't differ. Knows how a cell looks; what stands in it is the view's matter.
 */
#ifndef CONNLIFE_CELLS_H
#define CONNLIFE_CELLS_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "views/view.h"

enum column_when {
	COLUMN_ALWAYS,
	COLUMN_TIME,
	COLUMN_SECONDS,
	COLUMN_IP, /* wide or CSV, as bcc's tools have it */
	COLUMN_TABLE, /* not in CSV */
	COLUMN_EXTENDED,
	COLUMN_WHEN_MAX,
};

struct cell {
	struct text *out;
	const struct view_clock *clock;
	bool csv;
	uint8_t width; /* that the column has in this table */
	size_t unseen; /* bytes written that take no column on a screen */
};

struct column {
	const char *name;
	uint8_t width; /* at least; a longer cell pushes the line to the right */
	uint8_t wide; /* the same with -w */
	uint8_t when; /* enum column_when */
	void (*write)(struct cell *cell, const void *report);
};

void cells_header(struct text *out, const struct column *list, size_t len,
		  const struct view_columns *columns);

/* One line of what each column writes for report, which is of the type that they know. */
void cells_line(struct text *out, const struct column *list, size_t len,
		const struct view_columns *columns, const struct view_clock *clock,
		const void *report);

/* "-" in a table, nothing in CSV. */
void cell_unknown(struct cell *cell);

/* A word of ours; NULL for unknown. */
void cell_word(struct cell *cell, const char *word);

/* Our words for the bits that are set and have one, with join between them; none: unknown. */
void cell_bits(struct cell *cell, unsigned int bits, const char *(*name_of)(unsigned int bit),
	       char join);

/*
 * Bytes that an enemy may have chosen, empty for unknown: escaped as
 * text_visible() says in a table and in CSV, so that one record is one line
 * everywhere; at most max columns of a screen in a table, whole in CSV.
 */
void cell_bytes(struct cell *cell, const char *str, size_t max);

/* Below 0 is unknown. */
void cell_count(struct cell *cell, int64_t count);

/* ns as milliseconds with up to 6 decimals, rounded; UNKNOWN_NS for unknown. */
void cell_ms(struct cell *cell, int64_t ns, unsigned int decimals);

/* Bytes as KB (1024) with 2 decimals, rounded; below 0 is unknown. */
void cell_kb(struct cell *cell, int64_t bytes);

/* HH:MM:SS of a time of CLOCK_MONOTONIC, and seconds since the trace began. */
void cell_clock(struct cell *cell, int64_t monotonic_ns);
void cell_seconds(struct cell *cell, int64_t monotonic_ns);

/* 4 or 6; the address and port of a tuple without a family are unknown. */
void cell_family(struct cell *cell, const struct ev_tuple *tuple);
void cell_addr(struct cell *cell, const struct ev_tuple *tuple, const uint8_t addr[16]);
void cell_port(struct cell *cell, const struct ev_tuple *tuple, uint16_t port);

#endif
