/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Each connection as a sequence diagram, as a text book on TCP draws it. Knows
 * records and their stories, not where they come from.
 */
#ifndef CONNLIFE_LADDER_H
#define CONNLIFE_LADDER_H

#include <stdbool.h>

#include "base/text.h"
#include "views/view.h"

struct ladder_style {
	unsigned int width; /* columns of the terminal; 0: not a terminal, 100 is used */
	bool color;
	bool absolute; /* -v: absolute sequence numbers instead of relative ones */
};

/*
 * Heading, verdict and diagram of one connection, and the blank line that parts
 * it from the next. Where conn->peer is known, both ends are in one diagram. No
 * line is wider than the style says, but 60 columns are always used.
 */
void ladder_conn(struct text *out, const struct view_clock *clock, const struct ladder_style *style,
		 const struct report_conn *conn);

#endif
