// SPDX-License-Identifier: GPL-2.0-only
/* From what a census tells of a connection to a row: age, hands, what is in its queues. */
#include "core/stuck.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "core/unit.h"

#define SEC INT64_C(1000000000)

/* A FIN or SYN is answered in a round trip; half-closed connections may mean to be so. */
static const struct {
	uint8_t state;
	int64_t ns;
} thresholds[] = {
	{ ST_SYN_SENT, 3 * SEC },   { ST_SYN_RECV, 3 * SEC }, { ST_FIN_WAIT1, 5 * SEC },
	{ ST_FIN_WAIT2, 60 * SEC }, { ST_CLOSING, 5 * SEC },  { ST_CLOSE_WAIT, 60 * SEC },
	{ ST_LAST_ACK, 5 * SEC },
};

#define THRESHOLDS ARRAY_SIZE(thresholds)

int64_t stuck_threshold_ns(uint8_t state)
{
	for (size_t i = 0; i < THRESHOLDS; i++) {
		if (thresholds[i].state == state)
			return thresholds[i].ns;
	}
	return UNKNOWN_NS;
}

const uint8_t *stuck_states(size_t *len)
{
	static const uint8_t states[THRESHOLDS] = { ST_SYN_SENT,  ST_SYN_RECV, ST_FIN_WAIT1,
						    ST_FIN_WAIT2, ST_CLOSING,  ST_CLOSE_WAIT,
						    ST_LAST_ACK };

	*len = THRESHOLDS;
	return states;
}

static enum stuck_hold hold_of_holders(const struct report_now *now)
{
	for (unsigned int i = 1; i < now->holders_len; i++) {
		if (now->holders[i].pid != now->holders[0].pid)
			return HOLD_SHARED;
	}
	/* those that were not named may be of others */
	return now->holders_left_out ? HOLD_SHARED : HOLD_ONE;
}

/* What the snapshot told of this state; of an earlier one it says nothing. */
static const struct ev_waiting *waiting_of(const struct report_now *now)
{
	return now->waiting && now->waiting->state == now->state ? now->waiting : NULL;
}

enum stuck_hold stuck_hold_of(const struct report_now *now)
{
	const struct ev_waiting *waiting = waiting_of(now);

	if (now->is_minisock || (waiting && waiting->flags & EVF_DEAD))
		return HOLD_ORPHAN;
	if (now->holders_len)
		return hold_of_holders(now);
	/* one of MPTCP is held by its connection, which has the descriptor */
	if (waiting && !(waiting->flags & (EVF_HAS_FILE | EVF_MPTCP)))
		return HOLD_QUEUED;
	return HOLD_UNKNOWN;
}

static bool is_fin_received(const struct ev_waiting *waiting)
{
	return waiting->flags & EVF_DONE || waiting->state == ST_CLOSE_WAIT ||
	       waiting->state == ST_LAST_ACK || waiting->state == ST_CLOSING ||
	       waiting->state == ST_TIME_WAIT;
}

static bool is_own_fin_queued(uint8_t state)
{
	return state == ST_FIN_WAIT1 || state == ST_LAST_ACK || state == ST_CLOSING;
}

/* Sequence numbers less those of SYN and FIN; a FIN that was read already is not there. */
static int64_t bytes_between(uint32_t from, uint32_t to, uint32_t marks)
{
	int64_t bytes = (int32_t)(to - from);

	return bytes > marks ? bytes - marks : 0;
}

static void fill_numbers(struct stuck_row *row, const struct ev_waiting *waiting)
{
	const struct ev_stats *stats = &waiting->stats;
	bool has_syn = row->state == ST_SYN_SENT ||
		       (row->state == ST_SYN_RECV && row->role != ROLE_SERVER);

	row->retransmits =
		waiting->retransmits + (waiting->timer == TIMER_PROBE ? waiting->probes : 0);
	row->unread = row->state == ST_SYN_SENT ? 0
						: bytes_between(stats->copied_seq, stats->rcv_nxt,
								is_fin_received(waiting));
	row->unsent = bytes_between(stats->snd_una, stats->write_seq,
				    has_syn || is_own_fin_queued(row->state));
	row->fin_unsent = is_own_fin_queued(row->state) && stats->snd_nxt != stats->write_seq;
}

static void fill_waiting(struct stuck_row *row, const struct ev_waiting *waiting, int64_t now_ns)
{
	row->timer_ns = UNKNOWN_NS;
	row->unread = row->unsent = row->retransmits = UNKNOWN_COUNT;
	row->has_waiting = waiting != NULL;
	if (!waiting)
		return;
	row->flags = waiting->flags;
	row->timer = waiting->timer;
	if (waiting->timer && waiting->timer_ns)
		row->timer_ns = (int64_t)waiting->timer_ns > now_ns
					? (int64_t)waiting->timer_ns - now_ns
					: 0;
	if (!row->is_minisock)
		fill_numbers(row, waiting);
}

static void fill_owner(struct stuck_row *row, const struct report_now *now)
{
	row->pid = now->pid;
	row->pid_source = now->pid_source;
	memcpy(row->comm, now->comm, sizeof(row->comm));
	if (now->cgroup) {
		strncpy(row->cgroup, now->cgroup, sizeof(row->cgroup) - 1);
		unit_of_cgroup(row->cgroup, row->unit, sizeof(row->unit));
	}
	row->holders_len = now->holders_len;
	row->holders_left_out = now->holders_left_out;
	if (now->holders_len)
		memcpy(row->holders, now->holders, now->holders_len * sizeof(row->holders[0]));
}

static void fill_row(struct stuck_row *row, const struct report_now *now, int64_t age_ns,
		     int64_t now_ns)
{
	*row = (struct stuck_row){ .cookie = now->cookie,
				   .tuple = *now->tuple,
				   .role = now->role,
				   .hold = stuck_hold_of(now),
				   .state = now->state,
				   .is_minisock = now->is_minisock,
				   .age_ns = age_ns,
				   .age_is_bound = now->since_is_bound };
	fill_owner(row, now);
	fill_waiting(row, waiting_of(now), now_ns);
}

/* While a segment is sent again and again, of which the age may know only the last time. */
static int64_t silent_ns(const struct report_now *now, int64_t at_ns)
{
	const struct ev_waiting *waiting = waiting_of(now);

	if (!waiting || !waiting->silent_ns || (int64_t)waiting->silent_ns > at_ns)
		return UNKNOWN_NS;
	return at_ns - (int64_t)waiting->silent_ns;
}

static struct stuck_row *add(struct stuck_list *list)
{
	if (list->len == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 64;
		struct stuck_row *rows = realloc(list->rows, cap * sizeof(*rows));

		if (!rows) {
			list->failed = true;
			return NULL;
		}
		list->rows = rows;
		list->cap = cap;
	}
	return &list->rows[list->len++];
}

void stuck_take(struct stuck_list *list, const struct report_now *now, uint64_t now_ns)
{
	int64_t threshold = stuck_threshold_ns(now->state);
	int64_t at_ns = (int64_t)now_ns, age_ns = UNKNOWN_NS, silence_ns;
	struct stuck_row *row;

	if (threshold == UNKNOWN_NS)
		return;
	if (list->older_than_ns)
		threshold = list->older_than_ns;
	/* a snapshot takes its time: what it tells is of a moment after it began */
	if (now->waiting && (int64_t)now->waiting->hdr.ts_ns > at_ns)
		at_ns = (int64_t)now->waiting->hdr.ts_ns;
	if (now->since_ns != UNKNOWN_NS)
		age_ns = now->since_ns < at_ns ? at_ns - now->since_ns : 0;
	silence_ns = silent_ns(now, at_ns);
	if (age_ns != UNKNOWN_NS && age_ns < threshold &&
	    (!now->since_is_bound || silence_ns < threshold))
		return;
	row = add(list);
	if (!row)
		return;
	fill_row(row, now, age_ns, at_ns);
	row->silent_ns = silence_ns;
}

/* UNKNOWN_NS is below every age. */
static int by_age(const void *one, const void *other)
{
	const struct stuck_row *a = one, *b = other;

	if (a->age_ns != b->age_ns)
		return a->age_ns > b->age_ns ? -1 : 1;
	return a->cookie < b->cookie ? -1 : a->cookie > b->cookie;
}

void stuck_sort(struct stuck_list *list)
{
	if (list->len)
		qsort(list->rows, list->len, sizeof(list->rows[0]), by_age);
}

void stuck_clear(struct stuck_list *list)
{
	list->len = 0;
	list->failed = false;
}

void stuck_free(struct stuck_list *list)
{
	free(list->rows);
	*list = (struct stuck_list){ 0 };
}
