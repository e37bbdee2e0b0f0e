/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One look at what is stuck, for people: sums, the table, ports and TIME_WAIT,
 * accept queues. With columns.csv only the table, with a column of words.
 */
#ifndef CONNLIFE_VIEW_STUCK_H
#define CONNLIFE_VIEW_STUCK_H

#include "base/text.h"
#include "core/stuck.h"
#include "core/stuck_groups.h"
#include "core/usage.h"
#include "views/view.h"

struct stuck_page {
	const struct stuck_list *list; /* sorted */
	const struct stuck_groups *by_process, *by_port;
	const struct usage *usage; /* summed up */
	int64_t now_ns; /* of CLOCK_MONOTONIC */
	bool is_filtered; /* what is counted is not all that is there */
};

void stuck_page_write(struct text *text, const struct view_columns *columns,
		      const struct view_clock *clock, const struct stuck_page *page);

#endif
