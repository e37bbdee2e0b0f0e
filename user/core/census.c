// SPDX-License-Identifier: GPL-2.0-only
#include "core/census.h"

#include <string.h>

#include "core/engine_priv.h"

#define TIME_WAIT_NS (60ULL * 1000 * 1000 * 1000) /* TCP_TIMEWAIT_LEN */

static int64_t time_or_unknown(uint64_t ns)
{
	return ns ? (int64_t)ns : UNKNOWN_NS;
}

/* Whether its last segment is none of before: that one or a later one brought it there. */
static bool is_entered_by_segment(uint8_t state)
{
	return state != ST_SYN_SENT && state != ST_FIN_WAIT1 && state != ST_LAST_ACK;
}

/* When it entered its state; where nobody saw that, the latest sign of it before. */
static void fill_since(const struct conn *conn, struct report_now *now)
{
	const struct ev_waiting *waiting = now->waiting;
	uint64_t entered = conn->states_len ? conn->entered_ns[conn->states_len - 1] : 0;

	now->since_is_bound = !entered;
	now->since_ns = UNKNOWN_NS;
	if (entered) {
		now->since_ns = (int64_t)entered;
	} else if (waiting && waiting->state == now->state && waiting->since_ns) {
		now->since_ns = (int64_t)waiting->since_ns;
		now->since_is_bound = !waiting->since_is_exact;
	} else if (waiting && now->is_minisock && now->state == ST_TIME_WAIT &&
		   waiting->timer_ns > TIME_WAIT_NS) {
		now->since_ns = (int64_t)(waiting->timer_ns - TIME_WAIT_NS);
		now->since_is_bound = false;
	} else if (waiting && !now->is_minisock && is_entered_by_segment(now->state)) {
		now->since_ns = time_or_unknown(waiting->last_segment_ns);
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

/* While it is not decided for good, by what is known now: who shares it, owns it too. */
static bool is_wanted(const struct engine *engine, const struct conn *conn,
		      const struct report_now *now)
{
	uint32_t pid = engine->filter.pid;

	if (conn->wanted != CONN_UNDECIDED)
		return conn->wanted == CONN_WANTED;
	for (unsigned int i = 0; i < now->holders_len; i++) {
		if (pid && now->holders[i].pid == pid)
			return true;
	}
	return pid && now->pid == pid;
}

static void visit_one(const struct engine *engine, const struct conn *conn, census_conn visit,
		      void *ctx)
{
	struct report_now now;

	fill_now(engine, conn, &now);
	if (is_wanted(engine, conn, &now))
		visit(ctx, &now);
}

/* One whose restart is doubtful is shown as if that was its own: some minisock is in its place. */
static void visit_doubtful(const struct engine *engine, const struct conn *conn, census_conn visit,
			   void *ctx)
{
	struct conn shown = *conn;

	shown.phase = CONN_REMAINING;
	if (conn->restart_in_time_wait && conn_state(conn) != ST_TIME_WAIT)
		conn_enter(&shown, ST_TIME_WAIT, conn->restart_ns);
	visit_one(engine, &shown, visit, ctx);
}

static void visit_there(const struct engine *engine, const struct conn *conn, census_conn visit,
			void *ctx)
{
	if (conn->phase == CONN_LIVE || conn->phase == CONN_REMAINING)
		visit_one(engine, conn, visit, ctx);
	else if (conn->phase == CONN_CANCELLED && conn->restart_ns)
		visit_doubtful(engine, conn, visit, ctx);
}

static void visit_list(const struct engine *engine, enum conn_phase phase, census_conn visit,
		       void *ctx)
{
	const struct conn *conn = conn_oldest(&engine->pool, phase);

	while (conn) {
		visit_there(engine, conn, visit, ctx);
		conn = conn->next == CONN_NONE ? NULL : conn_at(&engine->pool, conn->next);
	}
}

/* From place to place: a list of many goes to and fro in memory, 4 times as slow for a million. */
static void visit_table(const struct engine *engine, census_conn visit, void *ctx)
{
	for (uint32_t i = 0; i < engine->pool.used; i++) {
		visit_there(engine, conn_at(&engine->pool, i), visit, ctx);
	}
}

void census_conns(const struct engine *engine, census_conn visit, void *ctx)
{
	const struct conn_list *phases = engine->pool.phases;

	/* a table that is mostly empty, after a peak, has its lists */
	if (phases[CONN_LIVE].len + phases[CONN_REMAINING].len + phases[CONN_CANCELLED].len >
	    engine->pool.used / 4) {
		visit_table(engine, visit, ctx);
		return;
	}
	visit_list(engine, CONN_LIVE, visit, ctx);
	visit_list(engine, CONN_REMAINING, visit, ctx);
	visit_list(engine, CONN_CANCELLED, visit, ctx);
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
			.requests = event->requests,
			.holders = listener->extra.holders,
			.holders_len = listener->extra.holders_len,
			.holders_left_out = listener->extra.holders_left_out,
		};

		if (report.pid)
			memcpy(report.comm, event->owner.comm, EV_COMM_LEN);
		visit(ctx, &report);
	}
}

/* When it began; of one that is older than the tracer, nobody saw that. */
static bool is_older(const struct engine *engine, const struct conn *conn, uint64_t than_ns)
{
	uint64_t start = conn->states_len ? conn->entered_ns[0] : 0;

	return conn->opening_unseen || (start && start + than_ns <= engine->now_ns);
}

static void fill_interim(const struct engine *engine, const struct conn *conn,
			 struct report_conn *report)
{
	const struct ev_waiting *waiting = waiting_of(conn);
	struct conn shown = *conn;

	if (waiting) {
		shown.stats = waiting->stats;
		shown.has_stats = true;
		shown.close_flags = waiting->flags;
	}
	if (shown.loss_epoch != engine->loss_epoch)
		shown.incomplete |= INCOMPLETE_LOST_EVENTS;
	verdict_fill(&shown, report);
	report->cgroup = cgroups_path(&engine->cgroups, conn->tuple.cgroup_id);
	report->interim = true;
}

void census_interim(const struct engine *engine, uint64_t older_than_ns, census_record visit,
		    void *ctx)
{
	const struct conn *conn = conn_oldest(&engine->pool, CONN_LIVE);
	struct report_conn report;

	while (conn) {
		/* one that was reset ends at once, and its story is about to be told */
		bool ends = conn->reset_received || conn->reset_sent_ns;

		if (conn->wanted == CONN_WANTED && !ends && is_older(engine, conn, older_than_ns)) {
			fill_interim(engine, conn, &report);
			visit(ctx, &report);
		}
		conn = conn->next == CONN_NONE ? NULL : conn_at(&engine->pool, conn->next);
	}
}
