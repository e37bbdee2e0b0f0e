// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots: connections older than the tracer, at the start; and after a
 * loss, what the table missed meanwhile. A socket is shown under its lock and
 * events come in order of time, so what the table already has is newer or the
 * same: a snapshot only adds, and names what is gone. Now and then one is taken
 * without a loss: a kernel may run no hook where it should (LOST_UNSEEN).
 */
#include <stdlib.h>
#include <string.h>

#include "core/decode.h"
#include "core/engine_priv.h"

#define SEC (1000 * 1000 * 1000ULL)
/* Somebody who passes it on in a message holds it, too, and no walk sees that. */
#define UNHELD_NS (300 * SEC)
/* Data that its peer takes slowly may be before its FIN: its probes are answered, and not told. */
#define ORPHAN_NS (3600 * SEC)
/* It waits at its listener, which somebody holds. */
#define UNACCEPTED_NS (24 * 3600 * SEC)
/* connect() tells SYN_SENT before it hashes the socket, where a snapshot finds it. */
#define CONNECT_NS (100 * 1000 * 1000ULL)

void scan_begin(struct engine *engine, const struct ev_scan *event)
{
	engine->scan++;
	engine->scan_began_ns = event->hdr.ts_ns;
	engine->in_repair = event->is_repair;
	if (!engine->in_walk)
		engine->walk = (struct walk){ engine->scan, event->hdr.ts_ns };
	engine->in_walk = true;
}

static void add_found(struct engine *engine, const struct ev_found *event)
{
	bool counted = engine->counts.lost[LOST_RING_FULL] || engine->counts.lost[LOST_NESTED];
	bool lost = engine->in_repair || counted;
	uint8_t state = event->sock.new_state;
	struct conn *conn;

	if (engine->in_repair && state == ST_SYN_RECV)
		return; /* a child is hashed just before its opening is told */
	conn = engine_add(engine, &event->hdr);
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
	if (wanted_decide(engine, conn, false) && engine->in_repair && !counted &&
	    !engine->counts.table_full)
		engine->counts.lost[LOST_UNSEEN]++;
}

/* The table missed a step of this one. */
static void correct_state(struct engine *engine, struct conn *conn, uint8_t state)
{
	if (life_imply(engine, conn, state))
		return;
	engine_note_unseen(engine, conn);
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
	if (conn && !life_is_same_socket(conn, &event->hdr)) {
		engine_give_up(engine, conn);
		conn = NULL;
	}
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

/* NULL where it is not kept, or for want of memory: then it is not known. */
static struct extra *extra_of(const struct engine *engine, struct conn *conn)
{
	if (!conn->extra && engine->options.census)
		conn->extra = calloc(1, sizeof(*conn->extra));
	return conn->extra;
}

void scan_waiting(struct engine *engine, const struct ev_waiting *event)
{
	struct conn *conn = engine_find(engine, event->hdr.sock);
	struct extra *extra = conn ? extra_of(engine, conn) : NULL;

	if (!extra)
		return;
	extra->waiting = *event;
	extra->waiting.last_segment_ns = decode_time(event->last_segment_ns);
	extra->waiting.timer_ns = decode_time(event->timer_ns);
	extra->waiting.since_ns = decode_time(event->since_ns);
	extra->waiting.silent_ns = decode_time(event->silent_ns);
	extra->has_waiting = true;
}

void scan_listener(struct engine *engine, const struct ev_listener *event)
{
	if (engine->options.census)
		listeners_found(&engine->listeners, event, engine->scan);
}

void scan_holder(struct engine *engine, const struct ev_holder *event)
{
	struct conn *conn = engine_find(engine, event->hdr.sock);
	struct extra *extra = conn && conn->phase == CONN_LIVE ? extra_of(engine, conn) : NULL;

	engine->holders_scan = engine->scan;
	if (conn && !life_is_same_socket(conn, &event->hdr))
		return;
	if (conn)
		conn->scan = engine->scan;
	if (extra)
		extra_hold(extra, event, engine->scan);
	else if (!conn)
		listeners_held(&engine->listeners, event, engine->scan);
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
	       conn->seen_ns + (conn_state(conn) == ST_SYN_SENT ? CONNECT_NS : 0) <
		       engine->scan_began_ns;
}

/* How long it may be silent without a holder. */
static uint64_t unheld_ns(const struct conn *conn)
{
	if (conn->role == ROLE_SERVER && conn->owner_source <= OWNER_LISTEN && !conn->owner_shared)
		return UNACCEPTED_NS;
	return verdict_fin_was_sent(conn_state(conn)) ? ORPHAN_NS : UNHELD_NS;
}

/*
 * In the table, but in no namespace that can be walked any more, and nobody holds it: its end
 * was lost. A minisock needs no word here: its timer tells of its end, or is waited for in vain
 * no longer than that.
 */
static bool is_left_behind(const struct engine *engine, const struct conn *conn)
{
	const struct walk *files = &engine->files_walk;

	if (conn->phase == CONN_REMAINING)
		return conn->census_only && !scan_is_since(conn->scan, engine->walk.scan);
	return conn->phase == CONN_LIVE && conn->seen_ns < files->began_ns &&
	       conn->seen_ns + unheld_ns(conn) < engine->walk.began_ns &&
	       !scan_is_since(conn->scan, files->scan);
}

/* What is in the namespaces that were walked was judged at the end of each. */
static void end_walk(struct engine *engine, const struct ev_scan *event)
{
	engine->in_walk = false;
	if (!event->is_complete)
		return;
	if (event->has_files)
		engine->files_walk = engine->walk;
	/* even if a descriptor keeps one: nothing new is known of its queue */
	listeners_walked(&engine->listeners, engine->walk.scan);
	for (uint32_t i = 0; i < engine->pool.used; i++) {
		struct conn *conn = conn_at(&engine->pool, i);

		if (is_left_behind(engine, conn))
			engine_give_up(engine, conn);
	}
}

void scan_end(struct engine *engine, const struct ev_scan *event)
{
	if (event->is_of_all) {
		end_walk(engine, event);
		return;
	}
	if (event->is_complete)
		listeners_scanned(&engine->listeners, event->netns_cookie, engine->scan);
	if (event->is_repair && event->is_complete) {
		for (uint32_t i = 0; i < engine->pool.used; i++) {
			struct conn *conn = conn_at(&engine->pool, i);

			if (!is_gone(engine, conn, event))
				continue;
			if (conn->phase == CONN_REMAINING && engine->timers_told)
				engine_note_unseen(engine, conn);
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
	    event->why == LOST_NESTED) {
		engine->loss_epoch++;
		engine->lost_by_ns = event->hdr.ts_ns;
	}
}
