// SPDX-License-Identifier: GPL-2.0-only
/* The life of a socket, transition by transition: what each event of the hooks does to a connection. */
#include <string.h>

#include "core/decode.h"
#include "core/engine_priv.h"
#include "implied.h"

#define MS (1000ULL * 1000)
#define SYNACK_AGAIN_NS (200 * MS) /* at the earliest: TCP_RTO_MIN */

#define TCP_FLAG_FIN 0x01 /* RFC 9293 3.1 */
#define TCP_FLAG_SYN 0x02
#define TCP_FLAG_RST 0x04
#define TCP_FLAG_ACK 0x10

bool life_is_same_socket(const struct conn *conn, const struct ev_hdr *hdr)
{
	return !conn->cookie || !hdr->cookie || conn->cookie == hdr->cookie;
}

/* NULL: not tracked, or not alive. Where its memory is another socket's by now, its end was lost. */
static struct conn *find_live(struct engine *engine, const struct ev_hdr *hdr)
{
	struct conn *conn = engine_find(engine, hdr->sock);

	if (!conn || conn->phase != CONN_LIVE)
		return NULL;
	if (life_is_same_socket(conn, hdr))
		return conn;
	engine_give_up(engine, conn);
	return NULL;
}

void life_take_owner(struct conn *conn, const struct ev_owner *owner, uint8_t source)
{
	if (!owner->pid || source <= conn->owner_source)
		return;
	if (source == OWNER_LISTEN) {
		conn->listen_pid = owner->pid;
		memcpy(conn->listen_comm, owner->comm, EV_COMM_LEN);
	}
	conn->owner.pid = owner->pid;
	memcpy(conn->owner.comm, owner->comm, EV_COMM_LEN);
	conn->owner_source = source;
}

/* Owner, uid and port, as every transition brings them. */
static void refresh(struct engine *engine, struct conn *conn, const struct ev_hdr *hdr,
		    const struct ev_sock *sock, const struct ev_owner *owner, uint16_t lport)
{
	conn->seen_ns = hdr->ts_ns;
	if (!conn->cookie)
		conn->cookie = hdr->cookie;
	conn->owner.uid = owner->uid;
	/* a client's own is set after its step to ESTABLISHED */
	conn->syn_data |= !!(sock->flags & EVF_SYN_DATA);
	life_take_owner(conn, owner, sock->owner_source);
	if (!conn->tuple.lport)
		conn->tuple.lport = lport;
	ends_note(engine, conn);
}

bool life_imply(const struct engine *engine, struct conn *conn, uint8_t state)
{
	uint8_t now = conn_state(conn);

	while (now != state && now != ST_NONE)
		now = implied_next(now, state);
	if (!engine->options.only_ends || now == ST_NONE)
		return false;
	while (conn_state(conn) != state)
		conn_enter(conn, implied_next(conn_state(conn), state), 0);
	conn->established = true;
	return true;
}

/* A step that does not follow from the state known: the one between was lost. */
static void check_gap(struct engine *engine, struct conn *conn, uint8_t old_state)
{
	if (conn_state(conn) == old_state || life_imply(engine, conn, old_state))
		return;
	engine_note_unseen(engine, conn);
	conn->established |= old_state != ST_SYN_SENT && old_state != ST_SYN_RECV;
	conn_enter(conn, old_state, 0);
}

static void establish(struct engine *engine, struct conn *conn, uint32_t retrans)
{
	conn->established = true;
	if (conn->role != ROLE_SERVER)
		conn->open_retrans = retrans;
	if (engine->options.whole)
		remains_reborn(engine, &conn->tuple, conn->entered_ns[0]);
}

static void step_to(struct engine *engine, struct conn *conn, const struct ev_sock *sock,
		    uint64_t ts_ns, uint32_t retrans)
{
	check_gap(engine, conn, sock->old_state);
	if (sock->old_state == ST_SYN_SENT && sock->new_state == ST_SYN_RECV)
		conn->role = ROLE_BOTH;
	conn_enter(conn, sock->new_state, ts_ns);
	if (conn->story)
		story_step(conn->story, sock->old_state, sock->new_state, sock->flags, ts_ns);
	/* SYN_RECV may also end in FIN_WAIT1: closed before its last ACK came */
	if (!conn->established && sock->new_state != ST_SYN_RECV)
		establish(engine, conn, retrans);
	if (wanted_decide(engine, conn, false))
		steps_tell(engine, conn);
}

static void open_client(struct engine *engine, const struct ev_open *event)
{
	struct conn *conn = engine_add(engine, &event->hdr);

	if (!conn)
		return;
	conn->role = ROLE_CLIENT;
	conn->tuple = event->tuple;
	conn->start_known = true;
	refresh(engine, conn, &event->hdr, &event->sock, &event->owner, event->tuple.lport);
	conn_enter(conn, event->sock.new_state, event->hdr.ts_ns);
	if (conn->story)
		story_client_opened(conn->story, event->hdr.ts_ns);
	if (engine->options.whole)
		remains_client_opened(engine, conn);
	if (wanted_decide(engine, conn, false))
		steps_tell(engine, conn);
}

/* Only Fast Open stays in SYN_RECV, which it enters at the SYN; others step on at once. */
static bool entered_before(const struct ev_open *event, uint64_t ago_ns)
{
	return event->syn_recv_ns && event->syn_recv_ns + ago_ns <= event->hdr.ts_ns;
}

/*
 * When the SYN came, which no hook tells: Fast Open enters SYN_RECV at it;
 * else the last ACK answers the SYN+ACK after one srtt, if that was sent once
 * (R11), and the request knew when it was sent first.
 */
static uint64_t syn_time(struct engine *engine, const struct ev_open *event)
{
	uint64_t ts = event->hdr.ts_ns;
	uint64_t first;

	if (event->retrans) {
		first = halfopens_take(&engine->halfopens, event->hdr.cookie);
		if (first && first <= ts)
			return first;
		return entered_before(event, SYNACK_AGAIN_NS) ? event->syn_recv_ns : 0;
	}
	if (event->srtt_us && event->srtt_us * 1000ULL < ts)
		ts -= event->srtt_us * 1000ULL;
	else if (!entered_before(event, MS))
		return 0;
	return event->syn_recv_ns && event->syn_recv_ns < ts ? event->syn_recv_ns : ts;
}

static void open_server(struct engine *engine, const struct ev_open *event)
{
	struct conn *conn = engine_add(engine, &event->hdr);
	uint64_t syn_ns = 0;

	if (!conn)
		return;
	if (engine->strangers)
		syn_ns = strangers_adopt(engine, &event->tuple, conn->story);
	if (!syn_ns)
		syn_ns = syn_time(engine, event);
	conn->role = ROLE_SERVER;
	conn->tuple = event->tuple;
	conn->open_retrans = event->retrans;
	conn->start_known = syn_ns != 0;
	refresh(engine, conn, &event->hdr, &event->sock, &event->owner, event->tuple.lport);
	conn_enter(conn, ST_SYN_RECV, syn_ns ? syn_ns : event->hdr.ts_ns);
	if (!wanted_decide(engine, conn, false))
		return;
	steps_tell(engine, conn);
	if (conn->story) {
		/* only a request that was kept knows when its SYN+ACK left */
		conn->story->cookie_open |= !event->srtt_us && !event->retrans &&
					    !(event->sock.flags & EVF_SYN_DATA) &&
					    event->sock.new_state == ST_ESTABLISHED;
		story_server_opened(conn->story, syn_ns, event->retrans);
	}
	if (event->sock.new_state != ST_SYN_RECV)
		step_to(engine, conn, &event->sock, event->hdr.ts_ns, event->retrans);
}

void life_on_open(struct engine *engine, const struct ev_open *event)
{
	struct conn *conn = engine_find(engine, event->hdr.sock);

	if (event->sock.old_state == ST_SYN_RECV && conn && conn_state(conn) == ST_SYN_RECV &&
	    life_is_same_socket(conn, &event->hdr)) {
		/* a simultaneous open, or one found in SYN_RECV: no new life */
		refresh(engine, conn, &event->hdr, &event->sock, &event->owner, event->tuple.lport);
		if (event->sock.new_state != ST_SYN_RECV)
			step_to(engine, conn, &event->sock, event->hdr.ts_ns, event->retrans);
		return;
	}
	if (conn) /* the same socket begins another life */
		engine_give_up(engine, conn);
	if (event->sock.old_state == ST_SYN_RECV)
		open_server(engine, event);
	else
		open_client(engine, event);
}

void life_on_state(struct engine *engine, const struct ev_state *event)
{
	struct conn *conn = find_live(engine, &event->hdr);

	if (!conn) {
		engine->counts.unknown_sock++;
		return;
	}
	refresh(engine, conn, &event->hdr, &event->sock, &event->owner, event->lport);
	step_to(engine, conn, &event->sock, event->hdr.ts_ns, event->retrans);
}

static void close_step(struct engine *engine, struct conn *conn)
{
	struct conn shown;

	if (!engine->sink.step || conn->minisock_state == ST_FIN_WAIT2)
		return; /* with a FIN_WAIT2 minisock nothing changed but who keeps it */
	if (conn->minisock_state == ST_NONE) {
		steps_tell_close(engine, conn);
		return;
	}
	if (engine->options.whole)
		return; /* told when TIME_WAIT is entered in the record itself */
	shown = *conn;
	conn_enter(&shown, ST_TIME_WAIT, conn->closed_ns);
	steps_tell(engine, &shown);
}

void life_on_close(struct engine *engine, const struct ev_close *event)
{
	struct conn *conn = find_live(engine, &event->hdr);

	if (!conn) {
		engine->counts.unknown_sock++;
		return;
	}
	check_gap(engine, conn, event->sock.old_state);
	refresh(engine, conn, &event->hdr, &event->sock, &event->owner, event->lport);
	conn->stats = event->stats;
	conn->has_stats = true;
	conn->closed_ns = event->hdr.ts_ns;
	conn->closed_from = event->sock.old_state;
	conn->close_flags = event->sock.flags;
	conn->close_shutdown = event->sock.shutdown;
	conn->error = event->sock.error;
	conn->minisock_state = event->minisock ? event->minisock_state : ST_NONE;
	if (conn->story)
		story_close(conn->story, event->sock.old_state, event->sock.flags, &event->stats,
			    conn->minisock_state, event->hdr.ts_ns);
	if (!wanted_decide(engine, conn, !event->minisock || !engine->options.whole))
		return;
	close_step(engine, conn);
	if (event->minisock && engine->options.whole)
		remains_begin(engine, conn, event);
	else if (verdict_can_change(conn))
		conn_move(&engine->pool, conn, CONN_HELD);
	else
		engine_report(engine, conn);
}

/* Only after a loss is this told: if the connection is still there, its EV_CLOSE was lost. */
void life_on_destroy(struct engine *engine, const struct ev_hdr *hdr)
{
	struct conn *conn = engine_find(engine, hdr->sock);

	if (conn && conn->phase == CONN_LIVE)
		engine_give_up(engine, conn);
}

/* RFC 9293 3.5.2: before it is synchronized, an RST that answers a stray segment is all there is. */
static bool is_stray_reply(const struct ev_reset *event)
{
	return event->is_reply && (event->state == ST_SYN_SENT || event->state == ST_SYN_RECV);
}

void life_on_reset_sent(struct engine *engine, const struct ev_reset *event)
{
	struct conn *conn = engine_find(engine, event->hdr.sock);

	if (!conn || !life_is_same_socket(conn, &event->hdr))
		return;
	conn->seen_ns = event->hdr.ts_ns;
	if (conn->story)
		story_reset_sent(conn->story, event->is_reply, event->hdr.ts_ns);
	if (is_stray_reply(event))
		return;
	conn->reset_sent_ns = event->hdr.ts_ns;
	conn->reset_reason = (int16_t)event->reason;
	conn->reset_was_reply = event->is_reply;
	if (conn->phase == CONN_HELD)
		engine_report(engine, conn);
	else if (conn->phase == CONN_CANCELLED)
		remains_reset(engine, conn);
}

void life_on_reset_received(struct engine *engine, const struct ev_reset *event)
{
	struct conn *conn = find_live(engine, &event->hdr);

	if (!conn)
		return;
	conn->reset_received = true;
	if (conn->story)
		conn->story->reset_received_ns = event->hdr.ts_ns;
}

/* Its story, where that has to tell what was sent again. */
static struct story *note_again(struct engine *engine, const struct ev_retransmit *event)
{
	struct conn *conn = find_live(engine, &event->hdr);
	bool is_fin = event->tcp_flags & TCP_FLAG_FIN;

	if (!conn)
		return NULL;
	conn->seen_ns = event->hdr.ts_ns;
	if (!conn->tuple.lport)
		conn->tuple.lport = event->lport;
	ends_note(engine, conn);
	if (event->error)
		return NULL;
	if (is_fin && conn->fin_retrans < UINT16_MAX)
		conn->fin_retrans++;
	return conn->story;
}

void life_on_retransmit(struct engine *engine, const struct ev_retransmit *event)
{
	struct story *story = note_again(engine, event);

	if (story)
		story_retransmit(story, event);
}

void life_on_sent_again(struct engine *engine, const struct ev_sent_again *event)
{
	struct story *story = note_again(engine, &event->segment);

	if (story)
		story_sent_again(story, event);
}

void life_on_numbers(struct engine *engine, const struct ev_numbers *event)
{
	struct conn *conn = find_live(engine, &event->hdr);

	if (!conn || !conn->story)
		return;
	story_numbers(conn->story, event, conn->role);
	ends_note(engine, conn);
}

void life_on_reader(struct engine *engine, const struct ev_reader *event)
{
	struct conn *conn = find_live(engine, &event->hdr);

	if (!conn)
		return;
	conn->seen_ns = event->hdr.ts_ns;
	life_take_owner(conn, &event->owner, OWNER_READ);
}

void life_on_flags(struct engine *engine, const struct ev_flags *event)
{
	struct conn *conn = find_live(engine, &event->hdr);

	if (conn && conn->story)
		story_flags(conn->story, event);
}

void life_on_segment(struct engine *engine, const struct ev_segment *event)
{
	struct conn *conn = ends_find(engine, &event->tuple);
	uint8_t flags =
		event->tcp_flags & (TCP_FLAG_FIN | TCP_FLAG_SYN | TCP_FLAG_RST | TCP_FLAG_ACK);
	bool opens = (flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_SYN;

	engine->counts.segments++;
	/* a SYN for ends whose socket is gone is another connection's */
	if (conn && conn->story && !(opens && conn->phase != CONN_LIVE)) {
		story_segment(conn->story, event);
		if (flags == (TCP_FLAG_FIN | TCP_FLAG_ACK))
			remains_fin(engine, conn, event);
	} else if (engine->strangers) {
		strangers_segment(engine, event);
	}
}

void life_on_synack_retransmit(struct engine *engine, const struct ev_synack_retransmit *event)
{
	halfopens_note(&engine->halfopens, event);
	if (engine->strangers)
		strangers_synack(engine, event);
	if (engine->options.whole && event->first_synack_ns)
		remains_reborn(engine, &event->tuple, decode_time(event->first_synack_ns));
}
