// SPDX-License-Identifier: GPL-2.0-only
#include "core/verdict.h"

#include "core/reason.h"
#include "core/zeek.h"

#include <errno.h>
#include <string.h>

/* A reset belongs to the end of a connection only if it came this close to it. */
#define RESET_NEAR_NS (10 * 1000 * 1000)
/*
 * The answer to data for a closed socket is sent in the same softirq, within 20 us (R8); where
 * the CPU is taken away meanwhile (1.4 ms in QEMU) later, but no longer than is waited for it.
 */
#define REPLY_NEAR_NS (100 * 1000 * 1000)

bool verdict_fin_was_sent(uint8_t state)
{
	return state == ST_FIN_WAIT1 || state == ST_FIN_WAIT2 || state == ST_CLOSING ||
	       state == ST_LAST_ACK || state == ST_TIME_WAIT;
}

/*
 * What was acknowledged and is on its way, less the payload that was sent: 1
 * for the SYN of an active opener, 1 more once the FIN went out.
 */
enum conn_role verdict_role_found(const struct ev_found *found)
{
	const struct ev_stats *stats = &found->stats;
	uint64_t payload = found->bytes_sent - found->bytes_retrans;
	int64_t extra;

	if (found->sock.new_state == ST_SYN_SENT)
		return ROLE_CLIENT;
	if (found->is_minisock || (found->sock.flags & EVF_REPAIR))
		return ROLE_UNKNOWN;
	extra = (int64_t)(stats->bytes_acked + (stats->snd_nxt - stats->snd_una) - payload);
	/* a FIN that waits behind unsent data is not counted yet */
	extra -= verdict_fin_was_sent(found->sock.new_state) && stats->snd_nxt == stats->write_seq;
	if (extra == 1)
		return ROLE_CLIENT;
	return extra == 0 ? ROLE_SERVER : ROLE_UNKNOWN;
}

/* A reset that this host sent at the end of the connection, not some time before. */
static bool reset_was_sent(const struct conn *conn)
{
	return conn->reset_sent_ns && conn->closed_from != ST_SYN_SENT &&
	       conn->reset_sent_ns + RESET_NEAR_NS >= conn->closed_ns;
}

/* A reset of our own accord is told after the transition (R9), unless there is an error. */
static bool reset_ended_it(const struct conn *conn)
{
	return reset_was_sent(conn) && conn->reset_sent_ns >= conn->closed_ns;
}

/* Whether the flags say that a minisock was due (R2), wherever it is. */
static bool minisock_was_due(const struct conn *conn)
{
	if (conn->close_flags & (EVF_DONE | EVF_REPAIR))
		return !(conn->close_flags & EVF_REPAIR);
	return conn->closed_from == ST_FIN_WAIT2 && (conn->close_flags & EVF_DEAD) &&
	       !(conn->close_flags & EVF_LINGER2_NEG);
}

/* All that was sent was acknowledged, the FIN too. */
static bool all_was_acked(const struct conn *conn)
{
	return conn->stats.snd_una == conn->stats.write_seq;
}

static bool is_released(const struct conn *conn)
{
	if (conn->minisock_state != ST_NONE)
		return true;
	if (reset_ended_it(conn) || conn->reset_received || conn->error == ECONNABORTED)
		return false;
	switch (conn->closed_from) {
	case ST_LAST_ACK:
		/* an error that nobody took off the socket is not how it ended */
		return !conn->error || (conn->error != ETIMEDOUT && all_was_acked(conn));
	case ST_FIN_WAIT2:
	case ST_CLOSING:
		return !conn->error && minisock_was_due(conn);
	default:
		return false;
	}
}

/* An end that neither side's FIN brought, told by what the socket shows. */
static enum conn_closed closed_by_force(const struct conn *conn)
{
	switch (conn->error) {
	case ECONNABORTED:
		return conn->close_flags & EVF_REPAIR ? CLOSED_ABORTED : CLOSED_KILLED;
	case 0:
		return reset_ended_it(conn) ? CLOSED_RST_SENT : CLOSED_ABORTED;
	case ECONNRESET:
	case EPIPE:
		/*
		 * Data for a closed socket makes the kernel run tcp_reset() on
		 * itself and answer with an RST; none was received (R8).
		 */
		if (reset_ended_it(conn) && conn->reset_was_reply &&
		    conn->reset_sent_ns < conn->closed_ns + REPLY_NEAR_NS)
			return CLOSED_RST_SENT;
		return conn->reset_received ? CLOSED_RST_RECEIVED : CLOSED_UNKNOWN;
	default:
		/* ETIMEDOUT, or the ICMP error that came while it was retransmitting */
		return CLOSED_TIMED_OUT;
	}
}

/* What never was a connection was not closed, but a child in SYN_RECV may be reset by us. */
static enum conn_closed never_closed(const struct conn *conn)
{
	if (conn->error == ECONNABORTED)
		return CLOSED_KILLED;
	return !conn->error && reset_ended_it(conn) ? CLOSED_RST_SENT : CLOSED_NONE;
}

static enum conn_closed closed_word(const struct conn *conn)
{
	if (conn->closed_from == ST_NONE)
		return CLOSED_UNKNOWN;
	if (!conn->established)
		return never_closed(conn);
	return is_released(conn) ? CLOSED_FIN : closed_by_force(conn);
}

/* Why no connection came of it. */
static enum conn_opened failed_word(const struct conn *conn)
{
	switch (conn->error) {
	case ECONNREFUSED:
		/* without an RST it was an ICMP message that refused */
		return conn->reset_received ? OPENED_REFUSED : OPENED_UNREACHABLE;
	case ECONNRESET:
		return OPENED_RESET;
	case ETIMEDOUT:
		return OPENED_TIMED_OUT;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case ENOPROTOOPT:
	case EACCES:
	case EPERM:
	case EMSGSIZE:
	case EPROTO:
		return OPENED_UNREACHABLE;
	default:
		return OPENED_ABORTED;
	}
}

static enum conn_opened opened_word(const struct conn *conn)
{
	if (conn->established) {
		if (conn->preexisting)
			return OPENED_PREEXISTING;
		if (conn->opening_unseen)
			return OPENED_UNKNOWN;
		if (conn->syn_data)
			return OPENED_FASTOPEN;
		return conn->role == ROLE_BOTH ? OPENED_SIMULTANEOUS : OPENED_HANDSHAKE;
	}
	return conn->closed_from == ST_NONE ? OPENED_UNKNOWN : failed_word(conn);
}

static enum conn_first first_word(const struct conn *conn, enum conn_closed closed)
{
	for (int i = 0; i < conn->states_len; i++) {
		switch (conn->states[i]) {
		case ST_FIN_WAIT1:
			return conn_passed(conn, ST_CLOSING) ? FIRST_BOTH : FIRST_LOCAL;
		case ST_FIN_WAIT2:
			return FIRST_LOCAL;
		case ST_CLOSING:
			return FIRST_BOTH;
		case ST_CLOSE_WAIT:
		case ST_LAST_ACK:
			return FIRST_REMOTE;
		case ST_TIME_WAIT:
			return FIRST_UNKNOWN; /* found there: one side or both */
		default:
			break;
		}
	}
	switch (closed) {
	case CLOSED_RST_SENT:
	case CLOSED_ABORTED:
	case CLOSED_KILLED:
		return FIRST_LOCAL;
	case CLOSED_RST_RECEIVED:
		return FIRST_REMOTE;
	case CLOSED_UNKNOWN:
		return FIRST_UNKNOWN;
	default:
		return FIRST_NONE;
	}
}

/* Only what the states prove; how many segments it took is for who sees them. */
static enum conn_teardown teardown_word(const struct conn *conn, enum conn_closed closed)
{
	if (closed == CLOSED_UNKNOWN)
		return TEARDOWN_UNKNOWN;
	if (closed != CLOSED_FIN)
		return TEARDOWN_NONE;
	if (conn_passed(conn, ST_CLOSING))
		return TEARDOWN_SIMULTANEOUS;
	if (!conn->story || !conn->story->fin_received)
		return TEARDOWN_UNKNOWN;
	if (conn->story->half_close_bytes > 0)
		return TEARDOWN_HALF_CLOSE;
	if (conn->story->fin_acked_along)
		return TEARDOWN_THREE_SEGMENT;
	return conn->story->fin_acked_apart ? TEARDOWN_FOUR_WAY : TEARDOWN_UNKNOWN;
}

static enum conn_remains remains_word(const struct conn *conn)
{
	switch (conn->minisock_state) {
	case ST_TIME_WAIT:
		return REMAINS_TIME_WAIT;
	case ST_FIN_WAIT2:
		return REMAINS_FIN_WAIT2;
	default:
		return REMAINS_NOTHING;
	}
}

/* No minisock where one was due: tcp_max_tw_buckets was reached. */
static bool is_overflow(const struct conn *conn, enum conn_closed closed)
{
	return closed == CLOSED_FIN && conn->minisock_state == ST_NONE &&
	       (conn->closed_from == ST_FIN_WAIT2 || conn->closed_from == ST_CLOSING) &&
	       (conn->close_flags & EVF_TW_FULL);
}

static int64_t known(uint64_t at_ns)
{
	return at_ns ? (int64_t)at_ns : UNKNOWN_NS;
}

static int64_t between(uint64_t from_ns, uint64_t to_ns)
{
	return from_ns && to_ns >= from_ns ? (int64_t)(to_ns - from_ns) : UNKNOWN_NS;
}

/* From the first FIN to the second, where both were seen. */
static int64_t half_close_ns(const struct conn *conn)
{
	uint64_t local = conn_entered(conn, ST_FIN_WAIT1);
	uint64_t remote = conn_entered(conn, ST_CLOSE_WAIT);

	if (local && conn_passed(conn, ST_CLOSING))
		return between(local, conn_entered(conn, ST_CLOSING));
	if (local && conn_passed(conn, ST_TIME_WAIT))
		return between(local, conn_entered(conn, ST_TIME_WAIT));
	if (local && conn->minisock_state == ST_TIME_WAIT)
		return between(local, conn->closed_ns);
	return between(remote, conn_entered(conn, ST_LAST_ACK));
}

static void fill_times(const struct conn *conn, struct report_conn *report)
{
	uint64_t start = conn->states_len && !conn->opening_unseen ? conn->entered_ns[0] : 0;
	uint64_t time_wait = conn_entered(conn, ST_TIME_WAIT);
	uint64_t end = conn->closed_ns;
	uint8_t last = conn_state(conn);

	/* a FIN_WAIT2 that went on without a socket belongs to the life, TIME_WAIT does not */
	if (conn_passed(conn, ST_TIME_WAIT))
		end = time_wait;
	else if (conn->ended_ns && last == ST_FIN_WAIT2)
		end = conn->ended_ns;
	report->start_ns = known(start);
	report->end_ns = known(end);
	report->duration_ns = between(start, end);
	report->handshake_ns = UNKNOWN_NS;
	if (conn->start_known && conn->established && !conn->opening_unseen)
		report->handshake_ns = between(start, conn_entered(conn, ST_ESTABLISHED));
	report->half_close_ns = half_close_ns(conn);
	report->time_wait_ns = between(time_wait, conn->ended_ns);
}

static void fill_states(const struct conn *conn, struct report_conn *report)
{
	uint64_t end = conn->ended_ns ? conn->ended_ns : conn->closed_ns;

	report->states_len = conn->states_len;
	for (unsigned int i = 0; i < conn->states_len; i++) {
		bool last = i + 1 == conn->states_len;
		uint64_t until = last ? end : conn->entered_ns[i + 1];

		if (last && conn->states[i] == ST_TIME_WAIT)
			until = conn->ended_ns;
		report->states[i].state = conn->states[i];
		report->states[i].ns = between(conn->entered_ns[i], until);
		if (i == 0 && conn->states_len > 1 && !conn->start_known)
			report->states[i].ns = UNKNOWN_NS;
	}
}

static bool fin_was_acked(const struct conn *conn, enum conn_closed closed)
{
	return conn_passed(conn, ST_FIN_WAIT2) || conn->closed_from == ST_FIN_WAIT2 ||
	       (closed == CLOSED_FIN &&
		(conn->closed_from == ST_LAST_ACK || conn->closed_from == ST_CLOSING));
}

/* The applications' bytes: SYN and FIN each count for one in the kernel's (R11). */
static void fill_bytes(const struct conn *conn, struct report_conn *report)
{
	int64_t tx = (int64_t)conn->stats.bytes_acked;
	int64_t rx = (int64_t)conn->stats.bytes_received;

	if (report->role == ROLE_UNKNOWN && tx) {
		report->tx_bytes = UNKNOWN_COUNT;
	} else {
		tx -= (report->role == ROLE_CLIENT || report->role == ROLE_BOTH);
		tx -= fin_was_acked(conn, report->closed);
		report->tx_bytes = tx > 0 ? tx : 0;
	}
	rx -= !!(conn->close_flags & EVF_DONE);
	report->rx_bytes = rx > 0 ? rx : 0;
}

/* A client's come with its step to ESTABLISHED; before that they are all that it sent again. */
static int64_t opening_retransmissions(const struct conn *conn)
{
	if (!conn->established)
		return conn->stats.retrans;
	if (conn->role == ROLE_CLIENT && !conn_entered(conn, ST_ESTABLISHED))
		return UNKNOWN_COUNT;
	return conn->open_retrans;
}

static void fill_retransmissions(const struct conn *conn, struct report_conn *report)
{
	int64_t open_retrans = opening_retransmissions(conn);

	report->retrans = conn->stats.retrans;
	report->fin_retrans = conn->role_by_fin ? UNKNOWN_COUNT : conn->fin_retrans;
	if (conn->opening_unseen || report->role == ROLE_BOTH || report->role == ROLE_UNKNOWN)
		return;
	report->syn_retrans = report->role == ROLE_CLIENT ? open_retrans : 0;
	report->synack_retrans = report->role == ROLE_SERVER ? open_retrans : 0;
}

static void fill_stats(const struct conn *conn, struct report_conn *report)
{
	report->tx_bytes = report->rx_bytes = UNKNOWN_COUNT;
	report->tx_segs = report->rx_segs = UNKNOWN_COUNT;
	report->retrans = report->syn_retrans = report->synack_retrans = UNKNOWN_COUNT;
	report->fin_retrans = UNKNOWN_COUNT;
	report->srtt_us = report->min_rtt_us = UNKNOWN_COUNT;
	if (!conn->has_stats)
		return;
	fill_bytes(conn, report);
	fill_retransmissions(conn, report);
	report->tx_segs = conn->stats.segs_out;
	report->rx_segs = conn->stats.segs_in;
	if (conn->stats.srtt_us)
		report->srtt_us = conn->stats.srtt_us;
	if (conn->stats.srtt_us && conn->stats.min_rtt_us != UINT32_MAX)
		report->min_rtt_us = conn->stats.min_rtt_us;
}

static void fill_identity(const struct conn *conn, struct report_conn *report)
{
	report->sock = conn->first_sock;
	report->cookie = conn->cookie;
	report->tuple = conn->tuple;
	report->cgroup = NULL;
	report->pid = conn->owner.pid;
	report->uid = conn->owner.uid;
	report->pid_source = conn->owner_source;
	memcpy(report->comm, conn->owner.comm, EV_COMM_LEN);
	report->comm[EV_COMM_LEN] = '\0';
}

/* An ACK that completes the handshake does so within its softirq. */
#define ACK_NEAR_NS (1000 * 1000)

/* The kernel asks in this order; an ACK of another number is no business of the listener's. */
static unsigned int why_ack_ignored(const struct story *story)
{
	if (story->violations & VIOLATION_HANDSHAKE_ACK)
		return 0;
	if (story->ack_met & MET_DEFERS)
		return HANDSHAKE_DEFERRED_ACCEPT;
	return story->ack_met & MET_FULL_QUEUE ? HANDSHAKE_ACCEPT_QUEUE_FULL : 0;
}

static unsigned int handshake_bits(const struct conn *conn)
{
	const struct story *story = conn->story;
	uint64_t established = conn_entered(conn, ST_ESTABLISHED);
	bool is_server = conn->role == ROLE_SERVER;
	unsigned int bits = 0;

	if (!conn->established || conn->opening_unseen)
		return 0;
	if (is_server ? story->syns_seen > 1 : conn->open_retrans > 0)
		bits |= HANDSHAKE_SYN_AGAIN;
	if (!is_server)
		return bits;
	if (conn->open_retrans)
		bits |= HANDSHAKE_SYNACK_AGAIN;
	else if (story->syns_seen > 1 && !story->cookie_open) /* a cookie is sent once for each */
		bits |= HANDSHAKE_SYN_IGNORED |
			(story->syn_met_full ? HANDSHAKE_ACCEPT_QUEUE_FULL : 0);
	if (story->ack_seen_ns && established > story->ack_seen_ns + ACK_NEAR_NS)
		bits |= HANDSHAKE_ACK_IGNORED | why_ack_ignored(story);
	if (story->cookie_open && !conn->syn_data)
		bits |= HANDSHAKE_SYN_COOKIE;
	return bits;
}

static void fill_story(const struct conn *conn, struct report_conn *report)
{
	struct story *story = conn->story;

	report->peer_cookie = conn->peer_cookie;
	report->peer = NULL;
	report->half_close_bytes = UNKNOWN_COUNT;
	report->violations = 0;
	report->handshake = 0;
	report->flags_rx = NULL;
	report->story = NULL;
	if (!story)
		return;
	if (story->reset_received_ns && report->closed != CLOSED_RST_SENT)
		story_reset_received(story);
	report->half_close_bytes = story->half_close_bytes;
	/* with Fast Open, data is acknowledged beside the SYN (RFC 7413) */
	report->violations = conn->syn_data ? 0 : story->violations;
	report->handshake = handshake_bits(conn);
	report->flags_rx = story->has_flags ? &story->flags : NULL;
	report->story = story_shown(story);
}

void verdict_fill(const struct conn *conn, struct report_conn *report)
{
	fill_identity(conn, report);
	report->role = conn->role;
	report->opened = opened_word(conn);
	report->closed = closed_word(conn);
	report->closed_first = first_word(conn, report->closed);
	report->teardown = teardown_word(conn, report->closed);
	report->remains = remains_word(conn);
	report->remains_end = conn->remains_end;
	if (is_overflow(conn, report->closed))
		report->remains_end = REMAINS_END_OVERFLOW;
	report->reset_reason = -1;
	if (reset_was_sent(conn) && report->closed != CLOSED_RST_RECEIVED)
		report->reset_reason = conn->reset_reason;
	report->error = conn->error;
	report->incomplete = conn->incomplete;
	report->interim = false;
	fill_times(conn, report);
	fill_states(conn, report);
	fill_stats(conn, report);
	report->reason = reason_word(conn, report->closed);
	fill_story(conn, report);
	zeek_fill(conn, report);
}

bool verdict_can_change(const struct conn *conn)
{
	if (conn->minisock_state != ST_NONE || conn->closed_from == ST_SYN_SENT)
		return false;
	switch (conn->error) {
	case 0:
		/* LAST_ACK with its file: either the last ACK came, or it is closed with RST */
		return conn->closed_from != ST_LAST_ACK || !(conn->close_flags & EVF_DEAD);
	case ECONNRESET:
	case EPIPE:
		return true;
	default:
		return false;
	}
}
