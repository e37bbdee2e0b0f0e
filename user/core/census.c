// SPDX-License-Identifier: GPL-2.0-only
#include "core/census.h"

#include <string.h>

#include "core/engine_priv.h"

#define TIME_WAIT_NS (60ULL * 1000 * 1000 * 1000) /* TCP_TIMEWAIT_LEN */

static int64_t time_or_unknown(uint64_t ns)
{
	return ns ? (int64_t)ns : UNKNOWN_NS;
}

/* When it entered its state; where nobody saw that, the latest sign of it before. */
static void fill_since(const struct conn *conn, struct report_now *now)
{
	const struct ev_waiting *waiting = now->waiting;
	uint64_t entered = conn->states_len ? conn->entered_ns[conn->states_len - 1] : 0;

	now->since_is_bound = !entered;
	if (entered) {
		now->since_ns = (int64_t)entered;
	} else if (waiting && now->is_minisock && now->state == ST_TIME_WAIT &&
		   waiting->timer_ns > TIME_WAIT_NS) {
		now->since_ns = (int64_t)(waiting->timer_ns - TIME_WAIT_NS);
		now->since_is_bound = false;
	} else {
		now->since_ns = waiting && !now->is_minisock
					? time_or_unknown(waiting->last_segment_ns)
					: UNKNOWN_NS;
	}
}

/* What an earlier snapshot told of a socket holds no more when a minisock took over. */
static const struct ev_waiting *waiting_of(const struct conn *conn)
{
	const struct extra *extra = conn->extra;

	if (!extra || !extra->has_waiting ||
	    extra->waiting.is_minisock != (conn->phase == CONN_REMAINING))
		return NULL;
	return &extra->waiting;
}

static void fill_now(const struct engine *engine, const struct conn *conn, struct report_now *now)
{
	const struct extra *extra = conn->phase == CONN_LIVE ? conn->extra : NULL;
	bool is_held = extra && extra->scan == engine->holders_scan;

	*now = (struct report_now){
		.sock = conn->first_sock,
		.cookie = conn->cookie,
		.tuple = &conn->tuple,
		.cgroup = cgroups_path(&engine->cgroups, conn->tuple.cgroup_id),
		.pid = conn->owner_source == OWNER_UNKNOWN ? 0 : conn->owner.pid,
		.uid = conn->owner.uid,
		.pid_source = conn->owner_source,
		.role = conn->role,
		.state = conn_state(conn),
		.is_minisock = conn->phase == CONN_REMAINING,
		.preexisting = conn->preexisting,
		.start_ns = conn->start_known ? time_or_unknown(conn->entered_ns[0]) : UNKNOWN_NS,
		.waiting = waiting_of(conn),
		.holders = is_held ? extra->holders : NULL,
		.holders_len = is_held ? extra->holders_len : 0,
		.holders_left_out = is_held ? extra->holders_left_out : 0,
	};
	if (now->pid)
		memcpy(now->comm, conn->owner.comm, EV_COMM_LEN);
	fill_since(conn, now);
}

void census_conns(const struct engine *engine, census_conn visit, void *ctx)
{
	static const enum conn_phase phases[] = { CONN_LIVE, CONN_REMAINING };
	struct report_now now;

	for (unsigned int i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		const struct conn *conn = conn_oldest(&engine->pool, phases[i]);

		while (conn) {
			if (conn->wanted != CONN_UNWANTED) {
				fill_now(engine, conn, &now);
				visit(ctx, &now);
			}
			conn = conn->next == CONN_NONE ? NULL : conn_at(&engine->pool, conn->next);
		}
	}
}

void census_listeners(const struct engine *engine, census_listener visit, void *ctx)
{
	for (size_t i = 0; i < engine->listeners.len; i++) {
		const struct listener *listener = &engine->listeners.all[i];
		const struct ev_listener *event = &listener->event;
		struct report_listener report = {
			.tuple = &event->tuple,
			.cgroup = cgroups_path(&engine->cgroups, event->tuple.cgroup_id),
			.pid = event->owner_source == OWNER_UNKNOWN ? 0 : event->owner.pid,
			.uid = event->owner.uid,
			.queue = event->queue,
			.backlog = event->backlog,
			.drops = event->drops,
			.holders = listener->extra.holders,
			.holders_len = listener->extra.holders_len,
			.holders_left_out = listener->extra.holders_left_out,
		};

		if (report.pid)
			memcpy(report.comm, event->owner.comm, EV_COMM_LEN);
		visit(ctx, &report);
	}
}
