// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots: connections older than the tracer, at the start; and after a
 * loss, what the table missed meanwhile. A socket is shown under its lock and
 * events come in order of time, so what the table already has is newer or the
 * same: a snapshot only adds, and names what is gone.
 */
#include <string.h>

#include "core/engine_priv.h"

void scan_begin(struct engine *engine, const struct ev_scan *event)
{
	engine->scan++;
	engine->scan_began_ns = event->hdr.ts_ns;
	engine->in_repair = event->is_repair;
}

static void add_found(struct engine *engine, const struct ev_found *event)
{
	bool lost = engine->in_repair || engine->counts.lost[LOST_RING_FULL] ||
		    engine->counts.lost[LOST_NESTED];
	uint8_t state = event->sock.new_state;
	struct conn *conn = engine_add(engine, &event->hdr);

	if (!conn)
		return;
	conn->tuple = event->tuple;
	conn->scan = engine->scan;
	conn->opening_unseen = true;
	conn->preexisting = !lost;
	conn->incomplete = lost ? INCOMPLETE_LOST_EVENTS : INCOMPLETE_PREEXISTING;
	engine->counts.preexisting += conn->preexisting;
	conn->established = state != ST_SYN_SENT && state != ST_SYN_RECV;
	conn->role = verdict_role_found(event);
	conn->role_by_fin = verdict_fin_was_sent(state);
	conn->owner.uid = event->owner.uid;
	life_take_owner(conn, &event->owner, event->sock.owner_source);
	conn_enter(conn, state, 0);
	if (conn->story)
		story_found(conn->story, event, conn->role);
	ends_note(engine, conn);
	wanted_decide(engine, conn, false);
}

/* The table missed a step of this one. */
static void correct_state(struct engine *engine, struct conn *conn, uint8_t state)
{
	conn->incomplete |= INCOMPLETE_LOST_EVENTS;
	conn->established |= state != ST_SYN_SENT && state != ST_SYN_RECV;
	conn_enter(conn, state, 0);
	steps_tell(engine, conn);
}

void scan_found(struct engine *engine, const struct ev_found *event)
{
	struct conn *conn;

	if (event->is_minisock) {
		remains_found(engine, event);
		return;
	}
	conn = engine_find(engine, event->hdr.sock);
	if (!conn) {
		add_found(engine, event);
		return;
	}
	conn->scan = engine->scan;
	if (!conn->cookie)
		conn->cookie = event->hdr.cookie;
	if (conn->phase == CONN_LIVE && !event->is_glimpse &&
	    conn_state(conn) != event->sock.new_state)
		correct_state(engine, conn, event->sock.new_state);
}

void scan_holder(struct engine *engine, const struct ev_holder *event)
{
	struct conn *conn = engine_find(engine, event->hdr.sock);

	if (!conn || conn->phase != CONN_LIVE || conn->owner_source > OWNER_FD_TABLE ||
	    conn->owner_shared)
		return;
	if (conn->owner_source == OWNER_FD_TABLE && conn->owner.pid != event->owner.pid) {
		/* several hold it; which of them it belongs to, nobody can say */
		conn->owner_shared = true;
		conn->owner_source = conn->listen_pid ? OWNER_LISTEN : OWNER_UNKNOWN;
		conn->owner.pid = conn->listen_pid;
		memcpy(conn->owner.comm, conn->listen_comm, EV_COMM_LEN);
		return;
	}
	life_take_owner(conn, &event->owner, OWNER_FD_TABLE);
}

/* In the table, but a whole scan of its namespace has not seen it: its end was lost. */
static bool is_gone(const struct engine *engine, const struct conn *conn,
		    const struct ev_scan *event)
{
	return (conn->phase == CONN_LIVE || conn->phase == CONN_REMAINING) &&
	       conn->tuple.netns_cookie == event->netns_cookie && conn->scan != engine->scan &&
	       conn->seen_ns < engine->scan_began_ns;
}

void scan_end(struct engine *engine, const struct ev_scan *event)
{
	if (event->is_repair && event->is_complete) {
		for (uint32_t i = 0; i < engine->pool.used; i++) {
			struct conn *conn = conn_at(&engine->pool, i);

			if (is_gone(engine, conn, event))
				engine_give_up(engine, conn);
		}
	}
	engine->in_repair = false;
}

void scan_lost(struct engine *engine, const struct ev_lost *event)
{
	engine->counts.lost[event->why] += event->count;
	/* whom it concerned is not known: every connection that is tracked now may be */
	if (event->why == LOST_RING_FULL || event->why == LOST_UNDECODABLE ||
	    event->why == LOST_NESTED)
		engine->loss_epoch++;
}
