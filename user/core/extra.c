// SPDX-License-Identifier: GPL-2.0-only
#include "core/extra.h"

#include <string.h>

void extra_hold(struct extra *extra, const struct ev_holder *event, uint32_t scan)
{
	struct report_holder *holder;

	if (extra->scan != scan) {
		extra->scan = scan;
		extra->holders_len = 0;
		extra->holders_left_out = 0;
	}
	if (extra->holders_len == EXTRA_HOLDERS_MAX) {
		extra->holders_left_out++;
		return;
	}
	holder = &extra->holders[extra->holders_len++];
	*holder = (struct report_holder){ .pid = event->owner.pid, .fd = event->fd };
	memcpy(holder->comm, event->owner.comm, EV_COMM_LEN);
}
