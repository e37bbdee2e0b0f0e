/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of stuck that tells what is used up: minisocks, ports, accept queues. */
#ifndef CONNLIFE_VIEW_STUCK_USAGE_H
#define CONNLIFE_VIEW_STUCK_USAGE_H

#include "views/stuck.h"

void stuck_usage_write(struct text *text, const struct view_columns *columns,
		       const struct stuck_page *page);

#endif
