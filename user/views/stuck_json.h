/* SPDX-License-Identifier: GPL-2.0-only */
/* One look at what is stuck, for programs: an object a connection, then one summary. */
#ifndef CONNLIFE_STUCK_JSON_H
#define CONNLIFE_STUCK_JSON_H

#include "views/stuck.h"

void stuck_json_write(struct text *text, const struct view_clock *clock,
		      const struct stuck_page *page);

#endif
