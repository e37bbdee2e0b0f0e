/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the fuzz targets: reports with whatever values their types and the words
 * beside them allow, more than an engine would ever say. Knows no view.
 */
#ifndef CONNLIFE_FUZZ_REPORTS_H
#define CONNLIFE_FUZZ_REPORTS_H

#include "core/extra.h"
#include "core/report.h"
#include "core/story.h"
#include "feed.h"
#include "views/view.h"

#define FED_REASONS 4

/* A report and all that it points to. */
struct fed_conn {
	struct report_conn conn;
	char cgroup[EV_PATH_LEN];
	struct report_flags flags;
	struct report_story story;
	struct story_item items[STORY_ITEMS_MAX];
};

struct fed_now {
	struct report_now now;
	struct report_listener listener;
	struct ev_tuple tuple;
	struct ev_waiting waiting;
	struct report_holder holders[EXTRA_HOLDERS_MAX];
	char cgroup[EV_PATH_LEN];
};

/* No event of a later time is let through; 0 is unknown. */
static inline uint64_t feed_time(struct feed *feed)
{
	return feed_u64(feed) & (INT64_MAX >> 1);
}

/* A time of a report, or what lies between two: not below 0 unless unknown. */
static inline int64_t feed_span(struct feed *feed)
{
	int64_t ns = feed_i64(feed);

	return ns < 0 ? UNKNOWN_NS : ns & (INT64_MAX >> 1);
}

static inline void feed_clock(struct feed *feed, struct view_clock *clock)
{
	clock->has_realtime = feed_bool(feed);
	clock->realtime_offset_ns = feed_i64(feed);
	clock->trace_start_ns = feed_i64(feed);
}

static inline void feed_address(struct feed *feed, uint8_t addr[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t kind = feed_u8(feed);

	memset(addr, 0, 16);
	if (kind < 128)
		memcpy(addr, mapped, sizeof(mapped));
	if (kind < 192)
		feed_bytes(feed, addr + 12, 4);
	else
		feed_bytes(feed, addr, 16);
}

static inline void feed_tuple(struct feed *feed, struct ev_tuple *tuple)
{
	static const uint8_t families[] = { 4, 6, 0 };

	memset(tuple, 0, sizeof(*tuple));
	feed_address(feed, tuple->laddr);
	feed_address(feed, tuple->raddr);
	tuple->netns_cookie = feed_u64(feed);
	tuple->cgroup_id = feed_u64(feed);
	tuple->netns_inum = feed_u32(feed);
	tuple->lport = feed_u16(feed);
	tuple->rport = feed_u16(feed);
	tuple->family = families[feed_below(feed, 3)];
}

static inline void feed_flags(struct feed *feed, struct report_flags *flags)
{
	*flags = (struct report_flags){ feed_u32(feed), feed_u32(feed), feed_u32(feed),
					feed_u32(feed), feed_u32(feed), feed_u32(feed) };
}

static inline void feed_item(struct feed *feed, struct story_item *item)
{
	*item = (struct story_item){ .kind = feed_below(feed, STORY_DATA + 1),
				     .state = feed_below(feed, ST_MAX),
				     .way = feed_bool(feed),
				     .tcp_flags = feed_u8(feed),
				     .seen = feed_bool(feed),
				     .again = feed_bool(feed),
				     .has_seq = feed_bool(feed),
				     .has_ack = feed_bool(feed),
				     .seq = feed_u32(feed),
				     .ack = feed_u32(feed),
				     .payload = feed_u32(feed),
				     .tx_bytes = feed_count(feed),
				     .rx_bytes = feed_count(feed),
				     .tx_segs = feed_count(feed),
				     .rx_segs = feed_count(feed) };
}

/* In order of time, as a story is; some have only their place in it. */
static inline void feed_story(struct feed *feed, struct fed_conn *fed)
{
	struct report_story *story = &fed->story;
	uint64_t ts_ns = feed_time(feed);

	*story = (struct report_story){ .items = fed->items,
					.len = feed_below(feed, STORY_ITEMS_MAX + 1),
					.left_out = feed_u32(feed),
					.has_isn_local = feed_bool(feed),
					.has_isn_remote = feed_bool(feed),
					.isn_local = feed_u32(feed),
					.isn_remote = feed_u32(feed) };
	/* what goes beyond the input is all the same */
	if (story->len > feed->left / 4)
		story->len = (unsigned int)(feed->left / 4);
	for (unsigned int i = 0; i < story->len; i++) {
		bool has_time = feed_bool(feed);
		uint64_t step = has_time ? feed_time(feed) : 0;

		feed_item(feed, &fed->items[i]);
		ts_ns = step > (INT64_MAX >> 1) - ts_ns ? INT64_MAX >> 1 : ts_ns + step;
		fed->items[i].ts_ns = has_time ? (int64_t)ts_ns : UNKNOWN_NS;
	}
}

static inline void feed_numbers(struct feed *feed, struct report_conn *conn)
{
	conn->start_ns = feed_span(feed);
	conn->end_ns = feed_span(feed);
	conn->duration_ns = feed_span(feed);
	conn->handshake_ns = feed_span(feed);
	conn->half_close_ns = feed_span(feed);
	conn->time_wait_ns = feed_span(feed);
	conn->tx_bytes = feed_count(feed);
	conn->rx_bytes = feed_count(feed);
	conn->tx_segs = feed_count(feed);
	conn->rx_segs = feed_count(feed);
	conn->retrans = feed_count(feed);
	conn->syn_retrans = feed_count(feed);
	conn->synack_retrans = feed_count(feed);
	conn->fin_retrans = feed_count(feed);
	conn->srtt_us = feed_count(feed);
	conn->min_rtt_us = feed_count(feed);
	conn->half_close_bytes = feed_count(feed);
}

static inline void feed_verdict(struct feed *feed, struct report_conn *conn)
{
	static const char *const reasons[FED_REASONS] = { NULL, "unread_data", "linger0",
							  "user_timeout" };

	conn->role = feed_below(feed, ROLE_BOTH + 1);
	conn->opened = feed_below(feed, OPENED_ABORTED + 1);
	conn->closed = feed_below(feed, CLOSED_NONE + 1);
	conn->closed_first = feed_below(feed, FIRST_NONE + 1);
	conn->teardown = feed_below(feed, TEARDOWN_NONE + 1);
	conn->remains = feed_below(feed, REMAINS_FIN_WAIT2 + 1);
	conn->remains_end = feed_below(feed, REMAINS_END_NAMESPACE + 1);
	conn->reset_reason = (int)feed_u32(feed);
	conn->error = (int)feed_u16(feed);
	conn->incomplete = feed_u8(feed) & 7;
	conn->interim = feed_bool(feed);
	conn->handshake = feed_u8(feed) & 31;
	conn->violations = feed_u8(feed) & 3;
	conn->reason = reasons[feed_below(feed, FED_REASONS)];
	snprintf(conn->conn_state, sizeof(conn->conn_state), "%s", feed_bool(feed) ? "SF" : "");
	snprintf(conn->history, sizeof(conn->history), "%s", feed_bool(feed) ? "ShAaFf" : "");
}

static inline void feed_states(struct feed *feed, struct report_conn *conn)
{
	conn->states_len = feed_below(feed, REPORT_STATES_MAX + 1);
	for (unsigned int i = 0; i < conn->states_len; i++) {
		conn->states[i].state = feed_below(feed, ST_MAX);
		conn->states[i].ns = feed_span(feed);
	}
}

static inline void feed_conn(struct feed *feed, struct fed_conn *fed, bool with_story)
{
	struct report_conn *conn = &fed->conn;
	uint8_t what = feed_u8(feed);

	memset(conn, 0, sizeof(*conn));
	conn->sock = feed_u64(feed);
	conn->cookie = feed_u64(feed);
	feed_name(feed, conn->comm, EV_COMM_LEN);
	feed_name(feed, fed->cgroup, EV_PATH_LEN - 1);
	conn->cgroup = what & 1 ? fed->cgroup : NULL;
	conn->pid = feed_u32(feed);
	conn->uid = feed_u32(feed);
	conn->pid_source = feed_below(feed, OWNER_CONNECT + 1);
	feed_tuple(feed, &conn->tuple);
	feed_verdict(feed, conn);
	feed_states(feed, conn);
	feed_numbers(feed, conn);
	conn->peer_cookie = feed_u64(feed);
	if (what & 2) {
		feed_flags(feed, &fed->flags);
		conn->flags_rx = &fed->flags;
	}
	if (what & 4 || with_story) {
		feed_story(feed, fed);
		conn->story = &fed->story;
	}
}

static inline void feed_step(struct feed *feed, struct report_step *step, struct ev_tuple *tuple)
{
	feed_tuple(feed, tuple);
	*step = (struct report_step){ .sock = feed_u64(feed),
				      .tuple = tuple,
				      .pid = feed_u32(feed),
				      .role = feed_below(feed, ROLE_BOTH + 1),
				      .old_state = feed_below(feed, ST_MAX),
				      .new_state = feed_below(feed, ST_MAX),
				      .ts_ns = feed_span(feed),
				      .in_old_ns = feed_span(feed) };
	feed_name(feed, step->comm, EV_COMM_LEN);
}

static inline void feed_holders(struct feed *feed, struct fed_now *fed)
{
	fed->now.holders = fed->holders;
	fed->now.holders_len = feed_below(feed, EXTRA_HOLDERS_MAX + 1);
	fed->now.holders_left_out = fed->now.holders_len == EXTRA_HOLDERS_MAX ? feed_u32(feed) : 0;
	for (unsigned int i = 0; i < fed->now.holders_len; i++) {
		fed->holders[i].pid = feed_u32(feed);
		fed->holders[i].fd = feed_u32(feed);
		feed_name(feed, fed->holders[i].comm, EV_COMM_LEN);
	}
}

static inline void feed_waiting(struct feed *feed, struct ev_waiting *waiting, uint8_t state)
{
	feed_bytes(feed, &waiting->stats, sizeof(waiting->stats));
	waiting->last_segment_ns = feed_time(feed);
	waiting->timer_ns = feed_time(feed);
	waiting->since_ns = feed_time(feed);
	waiting->silent_ns = feed_time(feed);
	waiting->flags = feed_u16(feed);
	waiting->state = feed_bool(feed) ? state : 1 + feed_below(feed, ST_MAX - 1);
	waiting->timer = feed_below(feed, TIMER_MINISOCK + 1);
	waiting->retransmits = feed_u8(feed);
	waiting->probes = feed_u8(feed);
	waiting->is_minisock = feed_bool(feed);
	waiting->since_is_exact = feed_bool(feed);
}

static inline void feed_now(struct feed *feed, struct fed_now *fed)
{
	struct report_now *now = &fed->now;

	memset(now, 0, sizeof(*now));
	feed_tuple(feed, &fed->tuple);
	now->tuple = &fed->tuple;
	now->sock = feed_u64(feed);
	now->cookie = feed_u64(feed);
	feed_name(feed, fed->cgroup, EV_PATH_LEN - 1);
	now->cgroup = feed_bool(feed) ? fed->cgroup : NULL;
	now->pid = feed_u32(feed);
	now->uid = feed_u32(feed);
	feed_name(feed, now->comm, EV_COMM_LEN);
	now->pid_source = feed_below(feed, OWNER_CONNECT + 1);
	now->role = feed_below(feed, ROLE_BOTH + 1);
	now->state = 1 + feed_below(feed, ST_MAX - 1);
	now->is_minisock = feed_bool(feed);
	now->preexisting = feed_bool(feed);
	now->start_ns = feed_span(feed);
	now->since_ns = feed_span(feed);
	now->since_is_bound = feed_bool(feed);
	feed_holders(feed, fed);
	if (feed_bool(feed)) {
		feed_waiting(feed, &fed->waiting, now->state);
		now->waiting = &fed->waiting;
	}
}

static inline void feed_listener(struct feed *feed, struct fed_now *fed)
{
	struct report_listener *listener = &fed->listener;

	memset(listener, 0, sizeof(*listener));
	feed_tuple(feed, &fed->tuple);
	listener->tuple = &fed->tuple;
	feed_name(feed, fed->cgroup, EV_PATH_LEN - 1);
	listener->cgroup = feed_bool(feed) ? fed->cgroup : NULL;
	listener->pid = feed_u32(feed);
	listener->uid = feed_u32(feed);
	feed_name(feed, listener->comm, EV_COMM_LEN);
	listener->queue = feed_u32(feed);
	listener->backlog = feed_u32(feed);
	listener->drops = feed_u32(feed);
	listener->requests = feed_u32(feed);
	feed_holders(feed, fed);
	listener->holders = fed->holders;
	listener->holders_len = fed->now.holders_len;
	listener->holders_left_out = fed->now.holders_left_out;
}

#endif
