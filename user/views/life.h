/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One line a connection: tcplife's columns first, in its order and meaning,
 * then ours. Knows records, not where they come from.
 */
#ifndef CONNLIFE_LIFE_H
#define CONNLIFE_LIFE_H

#include "base/text.h"
#include "views/view.h"

/* With the line end. The same columns must be given to both. */
void life_header(struct text *text, const struct view_columns *columns);
void life_line(struct text *text, const struct view_columns *columns,
	       const struct view_clock *clock, const struct report_conn *conn);

#endif
