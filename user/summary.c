// SPDX-License-Identifier: GPL-2.0-only
#include "summary.h"

#include <inttypes.h>

#include "base/log.h"

static const char *const loss_words[LOST_MAX] = {
	[LOST_RING_FULL] =
		"events lost because the ring buffer was full (--ring-size makes it larger)",
	[LOST_STORAGE] =
		"sockets without storage: their owner may be unknown, and a filter leaves them out",
	[LOST_UNDECODABLE] = "events that could not be decoded",
	[LOST_WALK] = "hash chains too long to find a TIME_WAIT in",
	[LOST_SEGMENTS] = "segments left out while the ring buffer was half full (no state is)",
	[LOST_NESTED] = "events lost because a hook interrupted itself",
	[LOST_REQUESTS] =
		"half-open requests forgotten to make room: when their SYN came is unknown",
	[LOST_UNSEEN] = "steps that the kernel ran no hook for, found by looking again",
};

void summary_print(const struct engine_counts *counts, const struct options *options)
{
	uint64_t lost = counts->lost[LOST_RING_FULL] + counts->lost[LOST_UNDECODABLE] +
			counts->lost[LOST_NESTED] + counts->lost[LOST_UNSEEN];

	log_line("%" PRIu64 " connections seen (%" PRIu64 " preexisting), %" PRIu64
		 " live; %" PRIu64 " events, %" PRIu64 " lost",
		 counts->conns, counts->preexisting, counts->live, counts->events, lost);
	for (int why = 0; why < LOST_MAX; why++) {
		if (counts->lost[why])
			log_line("%" PRIu64 " %s", counts->lost[why], loss_words[why]);
	}
	if (counts->table_full)
		log_line("%" PRIu64 " times the table was full (--max-connections %u)",
			 counts->table_full, options->max_connections);
	if (counts->segments || counts->strangers || counts->stray_segments)
		log_line("%" PRIu64 " segments of interest, %" PRIu64
			 " attempts without a socket, %" PRIu64 " stray resets, %" PRIu64
			 " stray segments",
			 counts->segments, counts->strangers, counts->stray_resets,
			 counts->stray_segments);
	if (!options->verbose)
		return;
	log_line("%" PRIu64 " reported, %" PRIu64 " not wanted, %" PRIu64
		 " in TIME_WAIT or FIN_WAIT2 "
		 "without a socket, %" PRIu64 " half-open, %" PRIu64 " events of unknown sockets",
		 counts->reported, counts->unwanted, counts->remaining, counts->half_open,
		 counts->unknown_sock);
}
