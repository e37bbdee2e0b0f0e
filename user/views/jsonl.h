/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON lines, schema 1: one object a line. The names of the fields are a
 * contract with users (README); they are only ever added to.
 */
#ifndef CONNLIFE_JSONL_H
#define CONNLIFE_JSONL_H

#include "base/text.h"
#include "views/view.h"

/* Every field every time, with the line end; null where unknown. */
void jsonl_conn(struct text *text, const struct view_clock *clock, const struct report_conn *conn);

/* {"schema":1,"step":{...}}, which tells a step from a connection. */
void jsonl_step(struct text *text, const struct view_clock *clock, const struct report_step *step);

#endif
