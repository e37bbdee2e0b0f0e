/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rows on paper: columns, arrows and labels in the width that there is. Knows
 * rows, not the stories that they came from, and nothing of headings.
 */
#ifndef CONNLIFE_LADDER_DRAW_H
#define CONNLIFE_LADDER_DRAW_H

#include "base/text.h"
#include "views/ladder.h"
#include "views/ladder_rows.h"

#define LADDER_WIDTH_MIN 60 /* of a line */
#define LADDER_WIDTH_USUAL 100

unsigned int ladder_width(const struct ladder_style *style);

/* A line of titles, the names of the ends among them, and one for each row. */
void ladder_draw(struct text *out, const struct ladder_style *style, const struct ladder_rows *rows,
		 const char *const names[2]);

/*
 * What stands on an arrow, in at most room columns: words are left out until it
 * fits. Returns its length.
 */
size_t ladder_label(struct text *out, const struct ladder_rows *rows, const struct ladder_row *row,
		    bool absolute, size_t room);

/* 1,234,567 */
void ladder_grouped(struct text *out, uint64_t value);

#endif
