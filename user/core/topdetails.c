// SPDX-License-Identifier: GPL-2.0-only
#include "core/topdetails.h"

#include <string.h>

static void take_holders(struct top_details *details, const struct report_now *now)
{
	unsigned int len = now->holders_len;

	if (len > EXTRA_HOLDERS_MAX)
		len = EXTRA_HOLDERS_MAX;
	if (len)
		memcpy(details->holders, now->holders, len * sizeof(*now->holders));
	details->holders_len = len;
	details->holders_left_out = now->holders_left_out + (now->holders_len - len);
}

void top_details_take(void *ctx, const struct report_now *now)
{
	struct top_details *details = ctx;

	if (now->sock != details->wanted)
		return;
	*details = (struct top_details){
		.wanted = now->sock,
		.found = true,
		.has_waiting = now->waiting != NULL,
		.preexisting = now->preexisting,
		.has_cgroup = now->cgroup != NULL,
		.uid = now->uid,
		.pid_source = now->pid_source,
		.start_ns = now->start_ns,
	};
	if (now->waiting)
		details->waiting = *now->waiting;
	if (now->cgroup)
		strncpy(details->cgroup, now->cgroup, sizeof(details->cgroup) - 1);
	take_holders(details, now);
}

static bool has_queues(const struct top_details *details)
{
	return details->has_waiting && !details->waiting.is_minisock;
}

/* Sequence numbers wrap: a distance that would be negative is none. */
static int64_t distance(uint32_t from, uint32_t to)
{
	int32_t between = (int32_t)(to - from);

	return between < 0 ? UNKNOWN_COUNT : between;
}

static int64_t less_one_if(int64_t count, bool has_flag)
{
	return count > 0 && has_flag ? count - 1 : count;
}

/* Whether close() or shutdown() put a FIN behind the data, and it is not acknowledged. */
static bool fin_is_queued(const struct ev_waiting *waiting)
{
	return waiting->state == ST_FIN_WAIT1 || waiting->state == ST_CLOSING ||
	       waiting->state == ST_LAST_ACK;
}

static bool is_opening(const struct ev_waiting *waiting)
{
	return waiting->state == ST_SYN_SENT || waiting->state == ST_SYN_RECV;
}

int64_t top_details_unread(const struct top_details *details)
{
	const struct ev_stats *stats = &details->waiting.stats;

	if (!has_queues(details))
		return UNKNOWN_COUNT;
	if (details->waiting.state == ST_SYN_SENT) /* the peer told no number to count from yet */
		return 0;
	return less_one_if(distance(stats->copied_seq, stats->rcv_nxt),
			   details->waiting.flags & EVF_DONE);
}

int64_t top_details_unsent(const struct top_details *details)
{
	const struct ev_stats *stats = &details->waiting.stats;

	if (!has_queues(details))
		return UNKNOWN_COUNT;
	if (details->waiting.flags & EVF_UNSENT_SYN)
		return 0;
	return less_one_if(distance(stats->snd_nxt, stats->write_seq),
			   fin_is_queued(&details->waiting));
}

int64_t top_details_unacked(const struct top_details *details)
{
	const struct ev_stats *stats = &details->waiting.stats;
	bool fin_went;

	if (!has_queues(details))
		return UNKNOWN_COUNT;
	fin_went = fin_is_queued(&details->waiting) && stats->snd_nxt == stats->write_seq;
	return less_one_if(distance(stats->snd_una, stats->snd_nxt),
			   fin_went || is_opening(&details->waiting));
}
