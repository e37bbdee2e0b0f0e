/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One line a transition, with tcpstates' columns. Knows single steps, not
 * the connection that they belong to.
 */
#ifndef CONNLIFE_STATES_H
#define CONNLIFE_STATES_H

#include "base/text.h"
#include "views/view.h"

/* With the line end; extended adds nothing. The same columns must be given to both. */
void states_header(struct text *text, const struct view_columns *columns);
void states_line(struct text *text, const struct view_columns *columns,
		 const struct view_clock *clock, const struct report_step *step);

#endif
