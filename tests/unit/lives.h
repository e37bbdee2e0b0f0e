/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the tests of the engine: single events that are given at once, and the
 * way into every state that RFC 9293 knows.
 */
#ifndef CONNLIFE_TEST_LIVES_H
#define CONNLIFE_TEST_LIVES_H

#include "events.h"

static inline void client_opens(struct bench *b, uint64_t sock)
{
	struct ev_open open = make_client(sock);

	give(b, open);
}

static inline void child_opens(struct bench *b, uint64_t sock, uint8_t new_state)
{
	struct ev_open open = make_child(sock, new_state);

	open.syn_recv_ns = b->now + b->pace - 10 * US;
	give(b, open);
}

/* What a source of beginnings and ends only is silent about. */
static inline bool is_left_out(uint8_t old_state, uint8_t new_state)
{
	return (old_state == ST_SYN_SENT && new_state == ST_ESTABLISHED) ||
	       (old_state == ST_ESTABLISHED && new_state == ST_FIN_WAIT1) ||
	       (old_state == ST_FIN_WAIT1 && new_state == ST_FIN_WAIT2) ||
	       (old_state == ST_ESTABLISHED && new_state == ST_CLOSE_WAIT) ||
	       (old_state == ST_CLOSE_WAIT && new_state == ST_LAST_ACK);
}

static inline void steps_to(struct bench *b, uint64_t sock, uint8_t old_state, uint8_t new_state)
{
	struct ev_state state = make_state(sock, old_state, new_state);

	if (b->only_ends && is_left_out(old_state, new_state))
		return;
	if (old_state == ST_SYN_SENT)
		state.lport = LPORT;
	give(b, state);
}

static inline void reset_told(struct bench *b, enum ev_kind kind, uint64_t sock, uint8_t state,
			      bool is_reply, int reason)
{
	struct ev_reset reset = make_reset(kind, sock, state, is_reply, reason);

	give(b, reset);
}

static inline void timer_told(struct bench *b, uint64_t sock, uint8_t what, uint8_t substate,
			      uint32_t pid)
{
	struct ev_minisock_timer timer = make_timer(sock, what, substate, pid);

	give(b, timer);
}

static inline void destroyed(struct bench *b, uint64_t sock)
{
	struct ev_destroy destroy = { .hdr = make_hdr(EV_DESTROY, sizeof(destroy), sock) };

	give(b, destroy);
}

static inline void lost_told(struct bench *b, enum ev_lost_why why, uint64_t count)
{
	struct ev_lost lost = { .hdr = make_hdr(EV_LOST, sizeof(lost), 0),
				.count = count,
				.why = why };

	give(b, lost);
}

static inline void scan_told(struct bench *b, enum ev_kind kind, bool is_repair, bool is_complete)
{
	struct ev_scan scan = make_scan(kind, is_repair, is_complete);

	give(b, scan);
}

/* The end of a walk through all namespaces. */
static inline void walk_told(struct bench *b, bool is_complete, bool has_files)
{
	struct ev_scan end = make_scan(EV_SCAN_END, true, is_complete);

	end.netns_cookie = 0;
	end.is_of_all = 1;
	end.has_files = has_files;
	give(b, end);
}

static inline void retransmitted(struct bench *b, uint64_t sock, uint8_t state, uint8_t tcp_flags)
{
	struct ev_retransmit again = { .hdr = make_hdr(EV_RETRANSMIT, sizeof(again), sock),
				       .tcp_flags = tcp_flags,
				       .state = state };

	give(b, again);
}

static inline void held_by(struct bench *b, uint64_t sock, uint32_t pid, const char *comm)
{
	struct ev_holder holder = { .hdr = make_hdr(EV_HOLDER, sizeof(holder), sock),
				    .owner = make_owner(pid, comm),
				    .fd = 3,
				    .state = ST_ESTABLISHED };

	give(b, holder);
}

/* What the hooks tell at the last ACK of a simultaneous open, too: a step out of SYN_RECV. */
static inline void simultaneous_established(struct bench *b, uint64_t sock)
{
	struct ev_open open = make_child(sock, ST_ESTABLISHED);

	open.tuple = make_tuple(LPORT, RPORT);
	open.sock.flags = EVF_HAS_FILE;
	set_owner(&open.sock, &open.owner, OWNER_CONNECT, 100, "client");
	give(b, open);
}

static inline void lead_to_opening(struct bench *b, uint64_t sock, enum conn_role role,
				   uint8_t state)
{
	if (role == ROLE_SERVER) {
		child_opens(b, sock, state == ST_SYN_RECV ? ST_SYN_RECV : ST_ESTABLISHED);
		return;
	}
	client_opens(b, sock);
	if (state == ST_SYN_SENT)
		return;
	if (role == ROLE_CLIENT) {
		steps_to(b, sock, ST_SYN_SENT, ST_ESTABLISHED);
		return;
	}
	steps_to(b, sock, ST_SYN_SENT, ST_SYN_RECV);
	if (state != ST_SYN_RECV)
		simultaneous_established(b, sock);
}

/* The states from ESTABLISHED to the given one, it included; ST_NONE ends the list. */
static inline const uint8_t *path_from_established(uint8_t state)
{
	static const uint8_t paths[ST_MAX][4] = {
		[ST_ESTABLISHED] = { ST_ESTABLISHED },
		[ST_FIN_WAIT1] = { ST_ESTABLISHED, ST_FIN_WAIT1 },
		[ST_FIN_WAIT2] = { ST_ESTABLISHED, ST_FIN_WAIT1, ST_FIN_WAIT2 },
		[ST_CLOSING] = { ST_ESTABLISHED, ST_FIN_WAIT1, ST_CLOSING },
		[ST_CLOSE_WAIT] = { ST_ESTABLISHED, ST_CLOSE_WAIT },
		[ST_LAST_ACK] = { ST_ESTABLISHED, ST_CLOSE_WAIT, ST_LAST_ACK },
	};

	return paths[state];
}

/* Opens a connection in this role and leads it to a state by the usual way. */
static inline void lead_to(struct bench *b, uint64_t sock, enum conn_role role, uint8_t state)
{
	const uint8_t *path = path_from_established(state);

	lead_to_opening(b, sock, role, state);
	for (int i = 1; i < 4 && path[0] && path[i]; i++)
		steps_to(b, sock, path[i - 1], path[i]);
}

/* What states_text() says of a life that was led to a state. */
static inline const char *led_text(enum conn_role role, uint8_t state)
{
	static const char *const opening[] = { [ROLE_CLIENT] = "SYN_SENT",
					       [ROLE_SERVER] = "SYN_RECV",
					       [ROLE_BOTH] = "SYN_SENT SYN_RECV" };
	const uint8_t *path = path_from_established(state);
	static char text[256];
	int len;

	if (state == ST_SYN_SENT)
		return "SYN_SENT";
	len = snprintf(text, sizeof(text), "%s", opening[role]);
	for (int i = 0; i < 4 && path[i]; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, " %s", name_state(path[i]));
	return text;
}

/* What R11 makes of a socket's counters when it goes to CLOSE from this state. */
static inline struct ev_stats stats_at(enum conn_role role, uint8_t old_state, bool orderly)
{
	const struct traffic traffic = {
		.active = role != ROLE_SERVER,
		.fin_acked = old_state == ST_FIN_WAIT2 ||
			     (orderly && (old_state == ST_LAST_ACK || old_state == ST_CLOSING)),
		.fin_received = old_state == ST_CLOSE_WAIT || old_state == ST_LAST_ACK ||
				old_state == ST_CLOSING,
		.sent = old_state == ST_SYN_SENT || old_state == ST_SYN_RECV ? 0 : 5,
		.received = old_state == ST_SYN_SENT || old_state == ST_SYN_RECV ? 0 : 6,
	};
	struct ev_stats stats = make_stats(&traffic);
	bool fin_unacked = old_state == ST_FIN_WAIT1 ||
			   (!orderly && (old_state == ST_LAST_ACK || old_state == ST_CLOSING));

	if (old_state == ST_SYN_SENT) {
		stats = (struct ev_stats){ .segs_out = 1,
					   .min_rtt_us = ~0U,
					   .snd_una = ISN_LOCAL,
					   .snd_nxt = ISN_LOCAL + 1,
					   .write_seq = ISN_LOCAL + 1 };
	} else if (fin_unacked) {
		stats.snd_nxt++;
		stats.write_seq++;
	}
	return stats;
}

#endif
