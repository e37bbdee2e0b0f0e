// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel keeps when a socket goes: the minisock of TIME_WAIT or of a
 * FIN_WAIT2 that nobody holds. No TCP hook tells of its end, its timer does:
 *
 *   CANCEL, EXPIRE    its time was over
 *   CANCEL, RESTART   the peer's FIN came (again)
 *   CANCEL alone      somebody took it away. A dying namespace is marked. In
 *                     a task of its own it was connect(), taking the tuple over
 *                     for a socket in SYN_SENT, or `ss -K`. In a softirq it
 *                     was an RST, or a SYN that takes the tuple over, which
 *                     shows when the child or a repeated SYN+ACK comes.
 */
#include <string.h>

#include "core/decode.h"
#include "core/engine_priv.h"

#define MS (1000ULL * 1000)
#define SEC (1000 * MS)

/* The first SYN+ACK is repeated after 1 s (RFC 6298): by then a SYN has shown. */
#define REBIRTH_WAIT_NS (3 * SEC)
/* A connect() takes its tuple over within the system call; a SYN within its softirq. */
#define CONNECT_NEAR_NS (100 * MS)
#define SYN_NEAR_NS (50 * MS)
/* Longer than any minisock lives without its timer being heard of. */
#define LONGEST_NS (300 * SEC)

/* Also tells when TIME_WAIT began, which a minisock that stays in one slot of the timer
 * wheel does not announce. */
static void enter_time_wait(struct engine *engine, struct conn *conn, uint64_t at_ns)
{
	uint64_t *entered = &conn->entered_ns[conn->states_len - 1];

	if (at_ns && at_ns < conn->closed_ns)
		at_ns = conn->closed_ns;
	if (conn_state(conn) == ST_TIME_WAIT) {
		if (!*entered && !conn->opening_unseen)
			*entered = at_ns;
		return;
	}
	conn_enter(conn, ST_TIME_WAIT, at_ns);
	if (conn->story && conn->minisock_state == ST_FIN_WAIT2)
		story_time_wait(conn->story, at_ns);
	steps_tell(engine, conn);
}

static bool is_in_fin_wait2(const struct conn *conn)
{
	return (conn->phase == CONN_REMAINING || conn->phase == CONN_AWAITING) &&
	       conn->minisock_state == ST_FIN_WAIT2 && conn_state(conn) == ST_FIN_WAIT2 &&
	       conn->remains_end == REMAINS_END_UNKNOWN;
}

void remains_fin(struct engine *engine, struct conn *conn, const struct ev_segment *event)
{
	/* with new data it is answered by an RST, and from elsewhere it changes nothing */
	if (!is_in_fin_wait2(conn) || !conn->has_stats ||
	    event->seq + event->payload != conn->stats.rcv_nxt)
		return;
	enter_time_wait(engine, conn, event->hdr.ts_ns);
	if (conn->phase == CONN_AWAITING && !ends_peer(engine, conn))
		engine_report(engine, conn); /* it was this FIN that it waited for */
}

static void end(struct engine *engine, struct conn *conn, enum conn_remains_end how, uint64_t at_ns)
{
	conn->remains_end = how;
	conn->ended_ns = at_ns;
	conn->restart_ns = 0;
	if (!wanted_decide(engine, conn, true))
		return;
	if (conn->cancel_in_time_wait)
		enter_time_wait(engine, conn, conn->cancel_time_wait_ns);
	steps_tell_close(engine, conn);
	engine_report(engine, conn);
}

/* Another that had this identity: what was told of it last was lost. */
static void make_room(struct engine *engine, struct conn *conn, uint64_t minisock)
{
	struct conn *former = engine_find(engine, minisock);

	if (!former || former == conn)
		return;
	if (former->phase == CONN_CANCELLED) {
		former->restart_ns = 0; /* it was the other one's */
		return;
	}
	if (former->preexisting && former->cookie == conn->cookie) {
		engine_drop(engine, former); /* the scan saw it a moment before the hook */
		engine->counts.conns--;
		engine->counts.preexisting--;
	} else {
		engine_give_up(engine, former);
	}
}

void remains_begin(struct engine *engine, struct conn *conn, const struct ev_close *event)
{
	make_room(engine, conn, event->minisock);
	if (event->minisock_state == ST_TIME_WAIT)
		enter_time_wait(engine, conn, event->hdr.ts_ns);
	if (engine_rekey(engine, conn, event->minisock)) {
		conn->incomplete |= INCOMPLETE_TABLE_FULL;
		engine->counts.table_full++;
		engine_report(engine, conn);
		return;
	}
	conn_move(&engine->pool, conn, CONN_REMAINING);
}

void remains_found(struct engine *engine, const struct ev_found *event)
{
	struct conn *conn = engine_find(engine, event->hdr.sock);

	if (conn) {
		conn->scan = engine->scan;
		remains_settle(engine, conn);
		if (conn->phase == CONN_REMAINING && event->sock.new_state == ST_TIME_WAIT)
			enter_time_wait(engine, conn, 0);
		return;
	}
	/* later on, one that is not in the table is hashed just before its EV_CLOSE tells of it */
	if (!engine->options.whole && !engine->options.census)
		return;
	if (engine->options.whole && engine->in_repair)
		return;
	conn = engine_add(engine, &event->hdr);
	if (!conn)
		return;
	conn->tuple = event->tuple;
	conn->owner = event->owner;
	conn->opening_unseen = true;
	conn->established = true;
	conn->preexisting = true;
	conn->incomplete = INCOMPLETE_PREEXISTING;
	conn->census_only = !engine->options.whole;
	if (conn->census_only)
		engine->counts.conns--;
	else
		engine->counts.preexisting++;
	conn->minisock_state = event->sock.new_state;
	conn->closed_from = event->sock.new_state;
	conn->scan = engine->scan;
	conn_enter(conn, event->sock.new_state, 0);
	conn_move(&engine->pool, conn, CONN_REMAINING);
	wanted_decide(engine, conn, true);
}

void remains_client_opened(struct engine *engine, const struct conn *conn)
{
	engine->recent_clients[engine->recent_next++ % RECENT_CLIENTS] = conn->self;
}

/* Same ends; the local port of a client in SYN_SENT may not be known yet. */
static bool same_tuple(const struct ev_tuple *a, const struct ev_tuple *b)
{
	return a->netns_cookie == b->netns_cookie && a->rport == b->rport &&
	       (a->lport == b->lport || !b->lport) && !memcmp(a->raddr, b->raddr, 16) &&
	       !memcmp(a->laddr, b->laddr, 16);
}

static bool is_taken_by_connect(const struct engine *engine, const struct conn *conn,
				const struct ev_minisock_timer *event)
{
	for (unsigned int i = 0; i < RECENT_CLIENTS; i++) {
		const struct conn *client;

		if (engine->recent_clients[i] >= engine->pool.used)
			continue;
		client = conn_at(&engine->pool, engine->recent_clients[i]);
		if (client->phase != CONN_FREE && client->role == ROLE_CLIENT &&
		    client->owner.pid == event->pid && client->entered_ns[0] <= event->hdr.ts_ns &&
		    client->entered_ns[0] + CONNECT_NEAR_NS > event->hdr.ts_ns &&
		    same_tuple(&conn->tuple, &client->tuple))
			return true;
	}
	return false;
}

/* Ports last: of two ends on one host they are what differs. */
static uint64_t tuple_key(const struct ev_tuple *tuple)
{
	uint64_t words[4], key;

	memcpy(&words[0], tuple->laddr + 8, 8);
	memcpy(&words[1], tuple->raddr + 8, 8);
	memcpy(&words[2], tuple->laddr, 8);
	memcpy(&words[3], tuple->raddr, 8);
	key = tuple->netns_cookie;
	for (int i = 0; i < 4; i++)
		key = (key ^ words[i]) * 0x9e3779b97f4a7c15ULL;
	return (key ^ key >> 29) + ((uint64_t)tuple->lport << 16 | tuple->rport);
}

void remains_forget(struct engine *engine, const struct conn *conn)
{
	uint64_t key = tuple_key(&conn->tuple);

	if (map_get(&engine->by_tuple, key) == conn->self)
		map_del(&engine->by_tuple, key);
}

/* Taken away in a softirq: by an RST, or by a SYN, which will show. */
static void await_rebirth(struct engine *engine, struct conn *conn)
{
	conn_move(&engine->pool, conn, CONN_CANCELLED);
	/* without memory for the index it counts as reset when its time is over */
	map_put(&engine->by_tuple, tuple_key(&conn->tuple), conn->self);
}

/* Taken away by a system call that is no connect(): `ss -K`, unless it just expires. */
static void await_expiry(struct engine *engine, struct conn *conn)
{
	conn->cancelled_by_task = true;
	conn_move(&engine->pool, conn, CONN_CANCELLED);
}

static void cancelled(struct engine *engine, struct conn *conn,
		      const struct ev_minisock_timer *event)
{
	/* not yet: if a restart follows, this is still the deadline of before */
	conn->cancel_in_time_wait = event->substate == ST_TIME_WAIT;
	conn->cancel_time_wait_ns = decode_time(event->time_wait_ns);
	conn->ended_ns = event->hdr.ts_ns;
	if (event->netns_dying)
		end(engine, conn, REMAINS_END_NAMESPACE, event->hdr.ts_ns);
	else if (event->pid && is_taken_by_connect(engine, conn, event))
		end(engine, conn, REMAINS_END_REUSED, event->hdr.ts_ns);
	else if (event->pid)
		await_expiry(engine, conn);
	else if (conn->reset_sent_ns > conn->closed_ns)
		end(engine, conn, REMAINS_END_RESET, event->hdr.ts_ns);
	else
		await_rebirth(engine, conn);
}

static void restart(struct engine *engine, struct conn *conn, bool in_time_wait, uint64_t at_ns)
{
	conn->ended_ns = 0;
	conn->cancel_in_time_wait = false;
	conn->cancelled_by_task = false;
	if (conn->phase == CONN_CANCELLED) {
		remains_forget(engine, conn);
		conn_move(&engine->pool, conn, CONN_REMAINING);
	}
	if (in_time_wait)
		enter_time_wait(engine, conn, at_ns);
}

/*
 * Without cookies (5.10, and mostly of one that was found) it may be the first timer of the next
 * minisock in that place, whose EV_CLOSE comes then: nothing is told of it before something else
 * is heard of this place.
 */
static void restarted(struct engine *engine, struct conn *conn,
		      const struct ev_minisock_timer *event)
{
	bool in_time_wait = event->substate == ST_TIME_WAIT;
	bool is_its_own = event->hdr.cookie && event->hdr.cookie == conn->cookie;

	if (is_its_own || conn->phase != CONN_CANCELLED) {
		restart(engine, conn, in_time_wait, event->hdr.ts_ns);
		return;
	}
	conn->restart_ns = event->hdr.ts_ns;
	conn->restart_in_time_wait = in_time_wait;
}

bool remains_settle(struct engine *engine, struct conn *conn)
{
	uint64_t at_ns = conn->restart_ns;

	if (!at_ns)
		return false;
	conn->restart_ns = 0;
	restart(engine, conn, conn->restart_in_time_wait, at_ns);
	return true;
}

void remains_timer(struct engine *engine, const struct ev_minisock_timer *event)
{
	struct conn *conn = engine_find(engine, event->hdr.sock);

	engine->timers_told = true;
	if (!conn || (conn->phase != CONN_REMAINING && conn->phase != CONN_CANCELLED))
		return; /* armed before its EV_CLOSE, or not one of ours */
	if (event->hdr.cookie && conn->cookie && event->hdr.cookie != conn->cookie)
		return; /* another one in its place already */
	conn->seen_ns = event->hdr.ts_ns;
	remains_settle(engine, conn);
	switch (event->what) {
	case MINISOCK_CANCEL:
		cancelled(engine, conn, event);
		break;
	case MINISOCK_RESTART:
		restarted(engine, conn, event);
		break;
	case MINISOCK_EXPIRE:
		conn->cancel_in_time_wait = event->substate == ST_TIME_WAIT;
		conn->cancel_time_wait_ns = decode_time(event->time_wait_ns);
		end(engine, conn, REMAINS_END_EXPIRED, event->hdr.ts_ns);
		break;
	}
}

/* An RST was sent for a minisock; the kernel takes it away next. */
void remains_reset(struct engine *engine, struct conn *conn)
{
	if (!remains_settle(engine, conn) && conn->phase == CONN_CANCELLED)
		end(engine, conn, REMAINS_END_RESET, conn->ended_ns);
}

/* A connection (or half-open request) with this tuple exists whose SYN came at syn_ns. */
void remains_reborn(struct engine *engine, const struct ev_tuple *tuple, uint64_t syn_ns)
{
	uint32_t index = map_get(&engine->by_tuple, tuple_key(tuple));
	struct conn *conn;

	if (index == MAP_NONE)
		return;
	conn = conn_at(&engine->pool, index);
	if (same_tuple(&conn->tuple, tuple) && syn_ns + SYN_NEAR_NS > conn->ended_ns &&
	    syn_ns < conn->ended_ns + SYN_NEAR_NS)
		end(engine, conn, REMAINS_END_REUSED, conn->ended_ns);
}

uint64_t remains_due(const struct engine *engine)
{
	const struct conn *cancelled = conn_oldest(&engine->pool, CONN_CANCELLED);
	const struct conn *remaining = conn_oldest(&engine->pool, CONN_REMAINING);
	uint64_t due = UINT64_MAX;

	if (cancelled)
		due = cancelled->ended_ns + REBIRTH_WAIT_NS;
	if (remaining && remaining->seen_ns + LONGEST_NS < due)
		due = remaining->seen_ns + LONGEST_NS;
	return due;
}

void remains_release(struct engine *engine)
{
	struct conn *cancelled = conn_oldest(&engine->pool, CONN_CANCELLED);
	struct conn *remaining = conn_oldest(&engine->pool, CONN_REMAINING);

	if (!cancelled || cancelled->ended_ns + REBIRTH_WAIT_NS != remains_due(engine))
		engine_give_up(engine, remaining);
	else if (!remains_settle(engine, cancelled))
		end(engine, cancelled,
		    cancelled->cancelled_by_task ? REMAINS_END_KILLED : REMAINS_END_RESET,
		    cancelled->ended_ns);
}
