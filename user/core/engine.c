// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "core/decode.h"
#include "core/engine_priv.h"

#define MS (1000ULL * 1000)
#define SEC (1000 * MS)

/*
 * Resets are told within microseconds of EV_CLOSE (R8, R9). A CPU that is taken away in
 * between, by another task or from a virtual machine, takes longer: beyond 20 ms, seen in QEMU.
 */
#define HOLD_NS (100 * MS)
/* net.ipv4.tcp_synack_retries: the kernel gives a request up within about a minute. */
#define HALFOPEN_NS (130 * SEC)
/* How long a diagram waits for the other end to end too. */
#define AWAIT_NS (2 * SEC)
/* Fewer stay in the CPU's caches: announcing costs more than it gains (equal at 6,000). */
#ifndef EXPECT_LIVE /* a build for tests may have less */
#define EXPECT_LIVE 8000
#endif

struct conn *engine_find(const struct engine *engine, uint64_t sock)
{
	uint32_t index = map_get(&engine->by_sock, sock);

	return index == MAP_NONE ? NULL : conn_at(&engine->pool, index);
}

static void forget_sock(struct engine *engine, const struct conn *conn)
{
	/* its place may have another tenant already */
	if (map_get(&engine->by_sock, conn->sock) == conn->self)
		map_del(&engine->by_sock, conn->sock);
}

void engine_drop(struct engine *engine, struct conn *conn)
{
	ends_forget(engine, conn);
	story_free(conn->story);
	conn->story = NULL;
	free(conn->extra);
	conn->extra = NULL;
	forget_sock(engine, conn);
	if (conn->phase == CONN_CANCELLED)
		remains_forget(engine, conn);
	conn_free(&engine->pool, conn);
}

static void fill(struct engine *engine, struct conn *conn, struct report_conn *report)
{
	if (conn->loss_epoch != engine->loss_epoch)
		conn->incomplete |= INCOMPLETE_LOST_EVENTS;
	engine->counts.reported++;
	verdict_fill(conn, report);
	report->cgroup = cgroups_path(&engine->cgroups, conn->tuple.cgroup_id);
}

/* Nothing that comes is its own any more. */
static void make_awaiting(struct engine *engine, struct conn *conn)
{
	if (conn->phase == CONN_CANCELLED)
		remains_forget(engine, conn);
	conn_move(&engine->pool, conn, CONN_AWAITING);
}

/* A diagram is whole with the other end's half, and with the peer's FIN. */
static bool awaits_other_end(const struct engine *engine, const struct conn *conn)
{
	const struct conn *peer;

	if (!engine->options.draw || conn->phase == CONN_AWAITING || !conn->story)
		return false;
	peer = ends_peer(engine, conn);
	if (peer)
		return peer->phase != CONN_AWAITING;
	return conn->phase == CONN_LIVE && conn->minisock_state == ST_FIN_WAIT2 &&
	       !conn->story->fin_received;
}

void engine_report(struct engine *engine, struct conn *conn)
{
	struct report_conn report, other;
	struct conn *peer;

	if (!wanted_decide(engine, conn, true))
		return;
	if (conn->census_only) {
		engine_drop(engine, conn);
		return;
	}
	steps_tell(engine, conn);
	if (awaits_other_end(engine, conn)) {
		forget_sock(engine, conn); /* its memory may be another socket's at once */
		conn->seen_ns = engine->now_ns;
		make_awaiting(engine, conn);
		return;
	}
	fill(engine, conn, &report);
	peer = engine->options.draw ? ends_peer(engine, conn) : NULL;
	if (peer && peer->phase == CONN_AWAITING) {
		fill(engine, peer, &other);
		report.peer = &other;
	}
	if (engine->sink.conn)
		engine->sink.conn(engine->sink.ctx, &report);
	if (report.peer)
		engine_drop(engine, peer);
	engine_drop(engine, conn);
}

/* How it ended was lost, or it had to make room: told as far as it is known. */
void engine_note_unseen(struct engine *engine, struct conn *conn)
{
	bool explained = conn->incomplete & (INCOMPLETE_LOST_EVENTS | INCOMPLETE_TABLE_FULL);

	if (conn->loss_epoch == engine->loss_epoch && !explained)
		engine->counts.lost[LOST_UNSEEN]++;
	conn->incomplete |= INCOMPLETE_LOST_EVENTS;
}

void engine_give_up(struct engine *engine, struct conn *conn)
{
	if (conn->phase == CONN_LIVE)
		engine_note_unseen(engine, conn);
	else if (conn->phase == CONN_REMAINING && !(conn->incomplete & INCOMPLETE_TABLE_FULL))
		conn->incomplete |= INCOMPLETE_LOST_EVENTS;
	engine_report(engine, conn);
}

/* The one that ended first makes room; live ones never do. */
static bool evict(struct engine *engine)
{
	static const enum conn_phase order[] = { CONN_AWAITING, CONN_HELD, CONN_CANCELLED,
						 CONN_REMAINING };

	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++) {
		struct conn *conn = conn_oldest(&engine->pool, order[i]);

		if (!conn)
			continue;
		remains_settle(engine, conn);
		if (conn->phase == CONN_REMAINING)
			conn->incomplete |= INCOMPLETE_TABLE_FULL;
		make_awaiting(engine, conn); /* and it waits no more */
		engine_report(engine, conn);
		return true;
	}
	return false;
}

struct conn *engine_add(struct engine *engine, const struct ev_hdr *hdr)
{
	struct conn *conn = conn_new(&engine->pool);

	if (!conn) {
		engine->counts.table_full++;
		conn = evict(engine) ? conn_new(&engine->pool) : NULL;
		if (!conn)
			return NULL;
	}
	conn->sock = hdr->sock;
	conn->first_sock = hdr->sock;
	conn->cookie = hdr->cookie;
	conn->seen_ns = hdr->ts_ns;
	/* a loss is told before what was in the ring already, and may be of this one's events */
	conn->loss_epoch = engine->loss_epoch - (hdr->ts_ns <= engine->lost_by_ns);
	if (engine->options.story)
		conn->story = story_new(engine->options.draw);
	if (map_put(&engine->by_sock, hdr->sock, conn->self)) {
		story_free(conn->story);
		conn->story = NULL;
		conn_free(&engine->pool, conn);
		engine->counts.table_full++;
		return NULL;
	}
	engine->counts.conns++;
	return conn;
}

int engine_rekey(struct engine *engine, struct conn *conn, uint64_t sock)
{
	int err;

	map_del(&engine->by_sock, conn->sock);
	conn->sock = sock;
	err = map_put(&engine->by_sock, sock, conn->self);
	return err;
}

static void on_clock(struct engine *engine, const struct ev_clock *event)
{
	engine->realtime_offset_ns = (int64_t)(event->realtime_ns - event->hdr.ts_ns);
	engine->has_realtime = true;
}

static void forget_cgroups(struct engine *engine)
{
	for (uint32_t i = 0; i < engine->pool.used; i++) {
		const struct conn *conn = conn_at(&engine->pool, i);

		if (conn->phase != CONN_FREE)
			cgroups_keep(&engine->cgroups, conn->tuple.cgroup_id);
	}
	for (size_t i = 0; i < engine->listeners.len; i++)
		cgroups_keep(&engine->cgroups, engine->listeners.all[i].event.tuple.cgroup_id);
	cgroups_forget(&engine->cgroups);
}

static void dispatch(struct engine *engine, const void *event)
{
	const struct ev_hdr *hdr = event;

	switch (hdr->kind) {
	case EV_OPEN:
		life_on_open(engine, event);
		break;
	case EV_STATE:
		life_on_state(engine, event);
		break;
	case EV_CLOSE:
		life_on_close(engine, event);
		break;
	case EV_DESTROY:
		life_on_destroy(engine, hdr);
		break;
	case EV_RESET_SENT:
		life_on_reset_sent(engine, event);
		break;
	case EV_RESET_RECEIVED:
		life_on_reset_received(engine, event);
		break;
	case EV_RETRANSMIT:
		life_on_retransmit(engine, event);
		break;
	case EV_SENT_AGAIN:
		life_on_sent_again(engine, event);
		break;
	case EV_SYNACK_RETRANSMIT:
		life_on_synack_retransmit(engine, event);
		break;
	case EV_MINISOCK_TIMER:
		remains_timer(engine, event);
		break;
	case EV_NUMBERS:
		life_on_numbers(engine, event);
		break;
	case EV_READER:
		life_on_reader(engine, event);
		break;
	case EV_FLAGS:
		life_on_flags(engine, event);
		break;
	case EV_SEGMENT:
		life_on_segment(engine, event);
		break;
	case EV_REFUSED:
		if (engine->strangers)
			strangers_refused(engine, event);
		break;
	case EV_SCAN_BEGIN:
		scan_begin(engine, event);
		break;
	case EV_FOUND:
		scan_found(engine, event);
		break;
	case EV_WAITING:
		scan_waiting(engine, event);
		break;
	case EV_LISTENER:
		scan_listener(engine, event);
		break;
	case EV_HOLDER:
		scan_holder(engine, event);
		break;
	case EV_SCAN_END:
		scan_end(engine, event);
		break;
	case EV_CLOCK:
		on_clock(engine, event);
		break;
	case EV_CGROUP:
		if (cgroups_is_time_to_forget(&engine->cgroups))
			forget_cgroups(engine);
		cgroups_note(&engine->cgroups, event);
		break;
	case EV_LOST:
		scan_lost(engine, event);
		break;
	}
}

static uint64_t held_due(const struct engine *engine)
{
	const struct conn *conn = conn_oldest(&engine->pool, CONN_HELD);

	return conn ? conn->closed_ns + HOLD_NS : UINT64_MAX;
}

static uint64_t awaiting_due(const struct engine *engine)
{
	const struct conn *conn = conn_oldest(&engine->pool, CONN_AWAITING);

	return conn ? conn->seen_ns + AWAIT_NS : UINT64_MAX;
}

/* All that is due, in order of time: so that a recording gives its records in the same order. */
static void release_due(struct engine *engine)
{
	for (;;) {
		uint64_t held = held_due(engine);
		uint64_t remaining = remains_due(engine);
		uint64_t awaiting = awaiting_due(engine);

		if (held >= engine->now_ns && remaining >= engine->now_ns &&
		    awaiting >= engine->now_ns)
			return;
		if (awaiting < held && awaiting < remaining)
			engine_report(engine, conn_oldest(&engine->pool, CONN_AWAITING));
		else if (held <= remaining)
			engine_report(engine, conn_oldest(&engine->pool, CONN_HELD));
		else
			remains_release(engine);
	}
}

bool engine_expects(const struct engine *engine)
{
	return engine->by_sock.len >= EXPECT_LIVE;
}

static void fetch_around(const struct engine *engine, uint32_t index)
{
	const struct conn *conn;

	if (index >= engine->pool.used)
		return;
	conn = conn_at(&engine->pool, index);
	conn_fetch_neighbours(&engine->pool, conn);
	if (conn->story)
		story_fetch(conn->story);
}

/*
 * In steps, each of which needs what the one before it has fetched: the place in
 * the table, the connection, its neighbours and its story.
 */
void engine_expect(struct engine *engine, const void *event, size_t size)
{
	const struct ev_hdr *hdr = event;
	uint32_t turn = engine->expected_next++;
	uint64_t *sock = &engine->expected[turn % EXPECTED];
	uint32_t *index = &engine->expected_conns[turn % EXPECTED_CONNS];

	if (size < sizeof(*hdr))
		return;
	fetch_around(engine, *index);
	*index = map_get(&engine->by_sock, *sock);
	if (*index != MAP_NONE)
		conn_fetch(&engine->pool, *index);
	*sock = hdr->sock;
	map_fetch(&engine->by_sock, hdr->sock);
}

int engine_event(struct engine *engine, const void *event, size_t size)
{
	const struct ev_hdr *hdr = event;

	if (!decode_is_event(event, size)) {
		engine->counts.lost[LOST_UNDECODABLE]++;
		engine->loss_epoch++;
		return -EBADMSG;
	}
	engine->counts.events++;
	/* the source stamps its own events when it reads, later than what it reads next */
	if (hdr->kind < EV_CLOCK && hdr->ts_ns > engine->now_ns)
		engine->now_ns = hdr->ts_ns;
	release_due(engine);
	if (engine->strangers)
		strangers_release(engine);
	dispatch(engine, event);
	return 0;
}

void engine_tick(struct engine *engine, uint64_t now_ns)
{
	if (now_ns > engine->now_ns)
		engine->now_ns = now_ns;
	release_due(engine);
	if (engine->strangers)
		strangers_release(engine);
	if (engine->now_ns < engine->next_expiry_ns)
		return;
	engine->next_expiry_ns = engine->now_ns + SEC;
	if (engine->now_ns > HALFOPEN_NS)
		halfopens_expire(&engine->halfopens, engine->now_ns - HALFOPEN_NS);
}

void engine_finish(struct engine *engine)
{
	static const enum conn_phase order[] = { CONN_HELD, CONN_CANCELLED, CONN_REMAINING,
						 CONN_AWAITING };
	struct conn *conn;

	for (unsigned int i = 0; i < ARRAY_SIZE(order); i++) {
		while ((conn = conn_oldest(&engine->pool, order[i]))) {
			if (!remains_settle(engine, conn))
				engine_report(engine, conn);
		}
	}
}

int64_t engine_realtime_ns(const struct engine *engine, int64_t monotonic_ns)
{
	if (!engine->has_realtime || monotonic_ns == UNKNOWN_NS)
		return UNKNOWN_NS;
	return monotonic_ns + engine->realtime_offset_ns;
}

void engine_counts(const struct engine *engine, struct engine_counts *counts)
{
	const struct conn_list *phases = engine->pool.phases;

	*counts = engine->counts;
	counts->live = phases[CONN_LIVE].len;
	counts->remaining = phases[CONN_REMAINING].len + phases[CONN_CANCELLED].len;
	counts->half_open = engine->halfopens.by_cookie.len;
	counts->lost[LOST_REQUESTS] += engine->halfopens.forgotten;
}

struct engine *engine_new(const struct engine_options *options, const struct report_sink *sink)
{
	struct engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return NULL;
	engine->options = *options;
	engine->sink = *sink;
	conn_pool_init(&engine->pool, options->max_connections);
	memset(engine->expected_conns, 0xff, sizeof(engine->expected_conns));
	memset(engine->recent_clients, 0xff, sizeof(engine->recent_clients));
	if (map_init(&engine->by_sock, options->hash_seed) ||
	    map_init(&engine->by_tuple, options->hash_seed) ||
	    map_init(&engine->by_ends, options->hash_seed) ||
	    cgroups_init(&engine->cgroups, options->hash_seed) ||
	    halfopens_init(&engine->halfopens, options->hash_seed))
		goto fail;
	if (options->strangers) {
		engine->strangers = strangers_new(options->hash_seed);
		if (!engine->strangers)
			goto fail;
	}
	if (options->filter)
		engine->filter = *options->filter;
	if (options->cgroup) {
		engine->cgroup = strdup(options->cgroup);
		if (!engine->cgroup)
			goto fail;
	}
	return engine;
fail:
	engine_free(engine);
	return NULL;
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	for (uint32_t i = 0; i < engine->pool.used; i++) {
		story_free(conn_at(&engine->pool, i)->story);
		free(conn_at(&engine->pool, i)->extra);
	}
	listeners_free(&engine->listeners);
	strangers_free(engine->strangers);
	map_free(&engine->by_ends);
	map_free(&engine->by_sock);
	map_free(&engine->by_tuple);
	conn_pool_free(&engine->pool);
	cgroups_free(&engine->cgroups);
	halfopens_free(&engine->halfopens);
	free(engine->cgroup);
	free(engine);
}
