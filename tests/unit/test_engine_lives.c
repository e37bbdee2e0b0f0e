// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whole lives, event by event as the kernel told them (the Observed lists of
 * SCENARIOS.md), and every field of the records that come of them.
 */
#include "lives.h"

#define SOCK 1
#define BEGIN_TO_ESTABLISHED (30 * MS)

static const uint8_t server_address[16] = { [10] = 0xff, 0xff, 10, 9, 0, 2 };

static void give_close(struct bench *b, struct ev_close close, const struct traffic *traffic)
{
	close.stats = make_stats(traffic);
	give(b, close);
}

static const struct report_conn *one(struct bench *b)
{
	bench_settle(b);
	assert_int_equal(b->conns_len, 1);
	return &b->conns[0];
}

/* client_close, the client's end: 5 bytes there, 6 back, FIN after 100 ms. */
static void test_client_close(void **ctx)
{
	static struct bench b;
	const struct traffic traffic = { .active = true, .fin_acked = true, .sent = 5,
					 .received = 6 };
	struct ev_close close = make_close(SOCK, ST_FIN_WAIT2, 0, EVF_DEAD);
	struct ev_state fin = make_state(SOCK, ST_ESTABLISHED, ST_FIN_WAIT1);
	const struct report_conn *conn;

	bench_start(&b, false);
	client_opens(&b, SOCK);
	b.now += BEGIN_TO_ESTABLISHED - MS;
	steps_to(&b, SOCK, ST_SYN_SENT, ST_ESTABLISHED);
	b.now += 99 * MS;
	set_owner(&fin.sock, &fin.owner, OWNER_CONNECT, 100, "client");
	give(&b, fin);
	steps_to(&b, SOCK, ST_FIN_WAIT1, ST_FIN_WAIT2);
	close.minisock = 2;
	close.minisock_state = ST_FIN_WAIT2;
	close.lport = LPORT;
	b.pace = 10 * US;
	give_close(&b, close, &traffic);
	assert_int_equal(b.conns_len, 1); /* nothing could change it: told at once */
	conn = one(&b);
	assert_int_equal(conn->sock, SOCK);
	assert_int_equal(conn->cookie, SOCK + 100000);
	assert_int_equal(conn->role, ROLE_CLIENT);
	assert_int_equal(conn->opened, OPENED_HANDSHAKE);
	assert_int_equal(conn->closed, CLOSED_FIN);
	assert_int_equal(conn->closed_first, FIRST_LOCAL);
	assert_int_equal(conn->remains, REMAINS_FIN_WAIT2);
	assert_int_equal(conn->reset_reason, -1);
	assert_int_equal(conn->error, 0);
	assert_int_equal(conn->incomplete, 0);
	assert_int_equal(conn->pid, 100);
	assert_string_equal(conn->comm, "client");
	assert_int_equal(conn->uid, 1000);
	assert_int_equal(conn->pid_source, OWNER_CONNECT);
	assert_int_equal(conn->tuple.lport, LPORT);
	assert_int_equal(conn->tuple.rport, RPORT);
	assert_memory_equal(conn->tuple.raddr, server_address, 16);
	assert_null(conn->cgroup);
	assert_string_equal(states_text(conn), "SYN_SENT ESTABLISHED FIN_WAIT1 FIN_WAIT2");
	assert_int_equal(state_ns(conn, ST_SYN_SENT), BEGIN_TO_ESTABLISHED);
	assert_int_equal(state_ns(conn, ST_ESTABLISHED), 100 * MS);
	assert_int_equal(state_ns(conn, ST_FIN_WAIT1), MS);
	assert_int_equal(state_ns(conn, ST_FIN_WAIT2), 10 * US);
	assert_int_equal(conn->start_ns, BENCH_BEGIN + MS);
	assert_int_equal(conn->duration_ns, BEGIN_TO_ESTABLISHED + 101 * MS + 10 * US);
	assert_int_equal(conn->end_ns, conn->start_ns + conn->duration_ns);
	assert_int_equal(conn->handshake_ns, BEGIN_TO_ESTABLISHED);
	assert_true(conn->time_wait_ns == UNKNOWN_NS);
	assert_int_equal(conn->tx_bytes, 5);
	assert_int_equal(conn->rx_bytes, 6);
	assert_int_equal(conn->tx_segs, 10);
	assert_int_equal(conn->rx_segs, 9);
	assert_int_equal(conn->retrans, 0);
	assert_int_equal(conn->syn_retrans, 0);
	assert_int_equal(conn->synack_retrans, 0);
	assert_int_equal(conn->fin_retrans, 0);
	assert_int_equal(conn->srtt_us, SRTT_US);
	assert_int_equal(conn->min_rtt_us, 1500);
	bench_end(&b);
}

/* client_close, the server's end: its SYN's time comes from the RTT (R11). */
static void test_server_end(void **ctx)
{
	static struct bench b;
	const struct traffic traffic = { .fin_acked = true, .fin_received = true, .sent = 6,
					 .received = 5 };
	struct ev_open open = make_child(SOCK, ST_ESTABLISHED);
	struct ev_state fin = make_state(SOCK, ST_CLOSE_WAIT, ST_LAST_ACK);
	struct ev_close close = make_close(SOCK, ST_LAST_ACK, 0, EVF_DEAD | EVF_DONE);
	const struct report_conn *conn;

	bench_start(&b, false);
	open.syn_recv_ns = b.now + MS - 7 * US;
	give(&b, open);
	b.now += 59 * MS;
	steps_to(&b, SOCK, ST_ESTABLISHED, ST_CLOSE_WAIT);
	b.now += 39 * MS;
	set_owner(&fin.sock, &fin.owner, OWNER_READ, 210, "worker");
	give(&b, fin);
	give_close(&b, close, &traffic);
	assert_int_equal(b.conns_len, 1);
	conn = one(&b);
	assert_int_equal(conn->role, ROLE_SERVER);
	assert_int_equal(conn->opened, OPENED_HANDSHAKE);
	assert_int_equal(conn->closed, CLOSED_FIN);
	assert_int_equal(conn->closed_first, FIRST_REMOTE);
	assert_int_equal(conn->remains, REMAINS_NOTHING);
	assert_int_equal(conn->pid, 210);
	assert_string_equal(conn->comm, "worker");
	assert_int_equal(conn->pid_source, OWNER_READ);
	assert_string_equal(states_text(conn), "SYN_RECV ESTABLISHED CLOSE_WAIT LAST_ACK");
	assert_int_equal(conn->start_ns, BENCH_BEGIN + MS - SRTT_US * US);
	assert_int_equal(conn->handshake_ns, SRTT_US * US);
	assert_int_equal(state_ns(conn, ST_SYN_RECV), SRTT_US * US);
	assert_int_equal(state_ns(conn, ST_ESTABLISHED), 60 * MS);
	assert_int_equal(state_ns(conn, ST_CLOSE_WAIT), 40 * MS);
	assert_int_equal(conn->half_close_ns, 40 * MS);
	assert_int_equal(conn->duration_ns, SRTT_US * US + 101 * MS);
	assert_int_equal(conn->tx_bytes, 6);
	assert_int_equal(conn->rx_bytes, 5);
	bench_end(&b);
}

/* How an opening child's SYN time is known, and how long the handshake took by it. */
static void test_syn_time_of_a_server(void **ctx)
{
	static const struct {
		const char *name;
		uint32_t srtt_us, retrans;
		uint64_t syn_recv_ago; /* 0: not noted */
		uint64_t synack_ago; /* 0: no repeated SYN+ACK was told */
		uint16_t flags;
		int64_t handshake_ns, synack_retrans;
		enum conn_opened opened;
	} cases[] = {
		{ "by its RTT", 31400, 0, 9 * US, 0, 0, 31400 * US, 0, OPENED_HANDSHAKE },
		{ "SYN+ACK sent again", 500, 2, 9 * US, 3 * SEC, 0, 3 * SEC, 2, OPENED_HANDSHAKE },
		{ "sent again, request not seen", 0, 2, 9 * US, 0, 0, UNKNOWN_NS, 2,
		  OPENED_HANDSHAKE },
		{ "SYN cookie", 0, 0, 9 * US, 0, 0, UNKNOWN_NS, 0, OPENED_HANDSHAKE },
		{ "Fast Open", 2000, 0, 25 * MS, 0, EVF_SYN_DATA, 25 * MS, 0, OPENED_FASTOPEN },
	};
	static struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ev_open open = make_child(SOCK, ST_ESTABLISHED);
		struct ev_close close = make_close(SOCK, ST_ESTABLISHED, ETIMEDOUT, cases[i].flags);
		struct ev_synack_retransmit again = {
			.hdr = make_hdr(EV_SYNACK_RETRANSMIT, sizeof(again), 77),
			.tuple = make_tuple(RPORT, LPORT) };
		const struct report_conn *conn;

		bench_start(&b, false);
		b.label = cases[i].name;
		b.now += 10 * SEC;
		open.srtt_us = cases[i].srtt_us;
		open.retrans = cases[i].retrans;
		open.sock.flags |= cases[i].flags;
		if (cases[i].syn_recv_ago)
			open.syn_recv_ns = b.now + 2 * MS - cases[i].syn_recv_ago;
		again.hdr.cookie = open.hdr.cookie;
		again.first_synack_ns = b.now + 2 * MS - cases[i].synack_ago;
		if (cases[i].synack_ago)
			give(&b, again);
		else
			b.now += MS;
		give(&b, open);
		close.stats = make_stats(&(struct traffic){ .sent = 1 });
		close.stats.retrans = cases[i].retrans + 4;
		give(&b, close);
		conn = one(&b);
		WANT(&b, conn->handshake_ns, cases[i].handshake_ns);
		WANT(&b, conn->synack_retrans, cases[i].synack_retrans);
		WANT(&b, conn->syn_retrans, 0);
		WANT(&b, conn->retrans, cases[i].retrans + 4);
		WANT(&b, conn->opened, cases[i].opened);
		WANT(&b, state_ns(conn, ST_SYN_RECV), cases[i].handshake_ns);
		WANT(&b, conn->incomplete, 0);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* simul_close: 1 ms in CLOSING, both first. */
static void test_simultaneous_close(void **ctx)
{
	static struct bench b;
	const struct traffic traffic = { .active = true, .fin_acked = true, .fin_received = true,
					 .sent = 2 };
	struct ev_close close = make_close(SOCK, ST_CLOSING, 0, EVF_DEAD | EVF_DONE);
	const struct report_conn *conn;

	bench_start(&b, false);
	lead_to(&b, SOCK, ROLE_CLIENT, ST_CLOSING);
	close.minisock = 2;
	close.minisock_state = ST_TIME_WAIT;
	give_close(&b, close, &traffic);
	conn = one(&b);
	assert_int_equal(conn->closed, CLOSED_FIN);
	assert_int_equal(conn->closed_first, FIRST_BOTH);
	assert_int_equal(conn->teardown, TEARDOWN_SIMULTANEOUS);
	assert_int_equal(conn->remains, REMAINS_TIME_WAIT);
	assert_int_equal(conn->tx_bytes, 2);
	assert_int_equal(conn->rx_bytes, 0);
	bench_end(&b);
}

/* self_connect: one socket, one record, ports the same on both sides. */
static void test_self_connect(void **ctx)
{
	static struct bench b;
	const struct traffic traffic = { .active = true, .fin_acked = true, .fin_received = true,
					 .sent = 2, .received = 2 };
	struct ev_open open = make_client(SOCK);
	struct ev_close close = make_close(SOCK, ST_CLOSING, 0, EVF_OWNED | EVF_DEAD | EVF_DONE);
	const struct report_conn *conn;

	bench_start(&b, false);
	open.tuple = make_tuple(5001, 5001);
	memcpy(open.tuple.raddr, open.tuple.laddr, 16);
	give(&b, open);
	steps_to(&b, SOCK, ST_SYN_SENT, ST_SYN_RECV);
	open.hdr.ts_ns = 0;
	open.sock.old_state = ST_SYN_RECV;
	open.sock.new_state = ST_ESTABLISHED;
	give(&b, open);
	steps_to(&b, SOCK, ST_ESTABLISHED, ST_FIN_WAIT1);
	steps_to(&b, SOCK, ST_FIN_WAIT1, ST_CLOSING);
	close.minisock = 2;
	close.minisock_state = ST_TIME_WAIT;
	give_close(&b, close, &traffic);
	conn = one(&b);
	assert_int_equal(conn->role, ROLE_BOTH);
	assert_int_equal(conn->opened, OPENED_SIMULTANEOUS);
	assert_int_equal(conn->pid_source, OWNER_CONNECT);
	assert_int_equal(conn->handshake_ns, 2 * MS);
	assert_string_equal(states_text(conn),
			    "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT1 CLOSING");
	assert_int_equal(conn->tx_bytes, 2);
	assert_int_equal(conn->rx_bytes, 2);
	bench_end(&b);
}

/* halfclose_client: the server sends on for 200 ms after the client's FIN. */
static void test_half_close(void **ctx)
{
	static struct bench b;
	const struct traffic traffic = { .active = true, .fin_acked = true, .fin_received = true,
					 .sent = 5, .received = 100 };
	struct ev_close close = make_close(SOCK, ST_FIN_WAIT2, 0, EVF_HAS_FILE | EVF_DONE);
	const struct report_conn *conn;

	bench_start(&b, false);
	lead_to(&b, SOCK, ROLE_CLIENT, ST_FIN_WAIT2);
	b.now += 200 * MS - MS;
	close.sock.shutdown = 3;
	close.minisock = 2;
	close.minisock_state = ST_TIME_WAIT;
	give_close(&b, close, &traffic);
	conn = one(&b);
	assert_int_equal(conn->closed, CLOSED_FIN);
	assert_int_equal(conn->teardown, TEARDOWN_UNKNOWN); /* takes the segments to know */
	assert_int_equal(conn->remains, REMAINS_TIME_WAIT);
	assert_int_equal(conn->half_close_ns, 201 * MS);
	assert_int_equal(conn->tx_bytes, 5);
	assert_int_equal(conn->rx_bytes, 100);
	bench_end(&b);
}

/* connect_timeout and syn_retransmit_ok: SYNs sent again. */
static void test_syn_retransmitted(void **ctx)
{
	static struct bench b;

	for (int answered = 0; answered < 2; answered++) {
		struct ev_state established = make_state(SOCK, ST_SYN_SENT, ST_ESTABLISHED);
		struct ev_close close = make_close(SOCK, answered ? ST_ESTABLISHED : ST_SYN_SENT,
						   ETIMEDOUT, EVF_HAS_FILE);
		const struct report_conn *conn;

		bench_start(&b, false);
		client_opens(&b, SOCK);
		for (int i = 0; i < 3; i++)
			retransmitted(&b, SOCK, ST_SYN_SENT, 0x02);
		established.retrans = 3;
		established.lport = LPORT;
		if (answered)
			give(&b, established);
		close.stats = stats_at(ROLE_CLIENT, close.sock.old_state, false);
		close.stats.retrans = answered ? 8 : 3;
		close.lport = LPORT;
		give(&b, close);
		conn = one(&b);
		assert_int_equal(conn->syn_retrans, 3);
		assert_int_equal(conn->retrans, answered ? 8 : 3);
		assert_int_equal(conn->opened, answered ? OPENED_HANDSHAKE : OPENED_TIMED_OUT);
		assert_int_equal(conn->closed, answered ? CLOSED_TIMED_OUT : CLOSED_NONE);
		assert_int_equal(conn->error, ETIMEDOUT);
		assert_int_equal(conn->tx_bytes, answered ? 5 : 0);
		assert_int_equal(conn->rx_bytes, answered ? 6 : 0);
		if (!answered) {
			assert_true(conn->handshake_ns == UNKNOWN_NS);
			assert_true(conn->srtt_us == UNKNOWN_COUNT);
			assert_true(conn->min_rtt_us == UNKNOWN_COUNT);
		}
		bench_end(&b);
	}
}

/* connect_eaddrnotavail: no port, no segment, and none is made up. */
static void test_no_port_left(void **ctx)
{
	static struct bench b;
	struct ev_close close = make_close(SOCK, ST_SYN_SENT, 0, EVF_OWNED | EVF_UNSENT_SYN);
	const struct report_conn *conn;

	bench_start(&b, false);
	client_opens(&b, SOCK);
	close.stats = (struct ev_stats){ .min_rtt_us = ~0U };
	give(&b, close);
	conn = one(&b);
	assert_int_equal(conn->opened, OPENED_ABORTED);
	assert_int_equal(conn->closed, CLOSED_NONE);
	assert_int_equal(conn->closed_first, FIRST_NONE);
	assert_int_equal(conn->tuple.lport, 0);
	assert_int_equal(conn->tx_segs, 0);
	assert_int_equal(conn->tx_bytes, 0);
	bench_end(&b);
}

/* fin_retransmitted, with bytes that were never acknowledged (user_timeout). */
static void test_fin_retransmitted(void **ctx)
{
	static struct bench b;
	const struct traffic traffic = { .active = true, .sent = 7, .unacked = 5 };
	const struct report_conn *conn;

	bench_start(&b, false);
	lead_to(&b, SOCK, ROLE_CLIENT, ST_FIN_WAIT1);
	for (int i = 0; i < 4; i++)
		retransmitted(&b, SOCK, ST_FIN_WAIT1, 0x11);
	give_close(&b, make_close(SOCK, ST_FIN_WAIT1, ETIMEDOUT, EVF_DEAD), &traffic);
	conn = one(&b);
	assert_int_equal(conn->fin_retrans, 4);
	assert_int_equal(conn->syn_retrans, 0);
	assert_int_equal(conn->closed, CLOSED_TIMED_OUT);
	assert_int_equal(conn->closed_first, FIRST_LOCAL);
	assert_int_equal(conn->tx_bytes, 7);
	bench_end(&b);
}

/* refused_then_retry: the same socket and cookie live twice. */
static void test_two_lives(void **ctx)
{
	static struct bench b;
	struct ev_close refused = make_close(SOCK, ST_SYN_SENT, ECONNREFUSED, EVF_OWNED);
	struct ev_open again = make_client(SOCK);

	bench_start(&b, false);
	client_opens(&b, SOCK);
	reset_told(&b, EV_RESET_RECEIVED, SOCK, ST_SYN_SENT, false, -1);
	refused.stats = stats_at(ROLE_CLIENT, ST_SYN_SENT, false);
	refused.lport = 40001;
	give(&b, refused);
	again.sock.error = ECONNREFUSED; /* still there from the first life */
	give(&b, again);
	steps_to(&b, SOCK, ST_SYN_SENT, ST_ESTABLISHED);
	steps_to(&b, SOCK, ST_ESTABLISHED, ST_CLOSE_WAIT);
	steps_to(&b, SOCK, ST_CLOSE_WAIT, ST_LAST_ACK);
	give_close(&b, make_close(SOCK, ST_LAST_ACK, 0, EVF_DONE),
		   &(struct traffic){ .active = true, .fin_acked = true, .fin_received = true,
				      .sent = 3 });
	bench_settle(&b);
	assert_int_equal(b.conns_len, 2);
	assert_int_equal(b.conns[0].opened, OPENED_REFUSED);
	assert_int_equal(b.conns[0].closed, CLOSED_NONE);
	assert_int_equal(b.conns[0].error, ECONNREFUSED);
	assert_int_equal(b.conns[0].tuple.lport, 40001);
	assert_int_equal(b.conns[1].opened, OPENED_HANDSHAKE);
	assert_int_equal(b.conns[1].closed, CLOSED_FIN);
	assert_int_equal(b.conns[1].error, 0);
	assert_int_equal(b.conns[1].tuple.lport, LPORT);
	assert_int_equal(b.conns[1].tx_bytes, 3);
	assert_int_equal(b.conns[1].incomplete, 0);
	assert_true(b.conns[1].start_ns >= b.conns[0].end_ns);
	bench_end(&b);
}

/* af_unspec_reuse: the RST of the first life is told after its CLOSE, before the second. */
static void test_disconnect_and_connect(void **ctx)
{
	static struct bench b;

	bench_start(&b, false);
	lead_to(&b, SOCK, ROLE_CLIENT, ST_ESTABLISHED);
	give_close(&b, make_close(SOCK, ST_ESTABLISHED, 0, EVF_OWNED | EVF_HAS_FILE),
		   &(struct traffic){ .active = true, .sent = 3 });
	assert_int_equal(b.conns_len, 0);
	b.pace = 10 * US;
	reset_told(&b, EV_RESET_SENT, SOCK, ST_CLOSE, false, 4);
	client_opens(&b, SOCK);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].closed, CLOSED_RST_SENT);
	assert_int_equal(b.conns[0].closed_first, FIRST_LOCAL);
	assert_int_equal(b.conns[0].reset_reason, 4);
	assert_int_equal(b.conns[0].tx_bytes, 3);
	assert_int_equal(b.conns[0].rx_bytes, 0);
	bench_end(&b);
}

/* icmp_error_then_fin: an error that nobody took off the socket is not how it ended. */
static void test_stale_error(void **ctx)
{
	static const struct {
		uint32_t unacked;
		enum conn_closed closed;
	} cases[] = { { 0, CLOSED_FIN }, { 1, CLOSED_TIMED_OUT } };
	static struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bench_start(&b, false);
		lead_to(&b, SOCK, ROLE_CLIENT, ST_LAST_ACK);
		give_close(&b, make_close(SOCK, ST_LAST_ACK, EHOSTUNREACH, EVF_DEAD | EVF_DONE),
			   &(struct traffic){ .active = true, .fin_received = true,
					      .fin_acked = !cases[i].unacked,
					      .unacked = cases[i].unacked, .sent = 1 });
		assert_int_equal(one(&b)->closed, cases[i].closed);
		assert_int_equal(b.conns[0].tx_bytes, 1);
		bench_end(&b);
	}
}

static void want_owner(struct bench *b, uint32_t pid, const char *comm, int source)
{
	struct ev_close close = make_close(SOCK, ST_LAST_ACK, 0, EVF_DEAD);
	const struct report_conn *conn;

	give(b, close);
	conn = one(b);
	WANT(b, conn->pid, pid);
	want_text(b, "comm", conn->comm, comm);
	WANT(b, conn->pid_source, source);
	bench_end(b);
}

/* connect > read > close > fd_table > listen, in whatever order they are learnt. */
static void test_owner_ranking(void **ctx)
{
	static const char *const comms[] = { "", "l", "f", "c", "r", "connect-16-chars" };
	static struct bench b;

	for (uint8_t first = OWNER_UNKNOWN; first <= OWNER_CONNECT; first++) {
		for (uint8_t second = OWNER_UNKNOWN; second <= OWNER_CONNECT; second++) {
			struct ev_open open = make_child(SOCK, ST_ESTABLISHED);
			struct ev_state state = make_state(SOCK, ST_ESTABLISHED, ST_CLOSE_WAIT);
			uint8_t best = first > second ? first : second;
			char label[64];

			bench_start(&b, false);
			snprintf(label, sizeof(label), "owner %u, then %u", first, second);
			b.label = label;
			set_owner(&open.sock, &open.owner, first, first ? 10 + first : 0,
				  comms[first]);
			give(&b, open);
			set_owner(&state.sock, &state.owner, second, second ? 10 + second : 0,
				  comms[second]);
			give(&b, state);
			steps_to(&b, SOCK, ST_CLOSE_WAIT, ST_LAST_ACK);
			want_owner(&b, best ? 10 + best : 0, comms[best], best);
		}
	}
	assert_int_equal(b.complaints, 0);
}

/* The owner that the last event tells counts too; so does the uid (uid_cgroup). */
static void test_owner_at_close(void **ctx)
{
	static struct bench b;
	struct ev_close close = make_close(SOCK, ST_LAST_ACK, 0, EVF_OWNED | EVF_DEAD);
	struct ev_state state = make_state(SOCK, ST_ESTABLISHED, ST_CLOSE_WAIT);

	bench_start(&b, false);
	child_opens(&b, SOCK, ST_ESTABLISHED);
	state.owner.uid = 1234;
	give(&b, state);
	steps_to(&b, SOCK, ST_CLOSE_WAIT, ST_LAST_ACK);
	set_owner(&close.sock, &close.owner, OWNER_CLOSE, 230, "closer");
	close.owner.uid = 1234;
	give(&b, close);
	assert_int_equal(one(&b)->pid, 230);
	assert_int_equal(b.conns[0].pid_source, OWNER_CLOSE);
	assert_string_equal(b.conns[0].comm, "closer");
	assert_int_equal(b.conns[0].uid, 1234);
	bench_end(&b);
}

/* A verdict that may change waits, one that can't is told at once; never over 20 ms. */
static void test_holding(void **ctx)
{
	static const struct {
		uint8_t state;
		uint16_t error, flags;
		bool may_wait;
	} cases[] = {
		{ ST_LAST_ACK, 0, EVF_DEAD | EVF_DONE, false },
		{ ST_ESTABLISHED, 0, EVF_OWNED | EVF_UNREAD, true },
		{ ST_ESTABLISHED, 0, EVF_OWNED | EVF_LINGER0, true },
		{ ST_FIN_WAIT1, ECONNRESET, EVF_DEAD, true },
		{ ST_SYN_SENT, ETIMEDOUT, 0, false },
	};
	static struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ev_close close = make_close(SOCK, cases[i].state, cases[i].error,
						   cases[i].flags);

		bench_start(&b, false);
		lead_to(&b, SOCK, ROLE_CLIENT, cases[i].state);
		if (cases[i].error == ECONNRESET)
			reset_told(&b, EV_RESET_RECEIVED, SOCK, cases[i].state, false, -1);
		close.stats = stats_at(ROLE_CLIENT, cases[i].state, true);
		give(&b, close);
		assert_int_equal(b.conns_len, cases[i].may_wait ? 0 : 1);
		bench_tick(&b, HOLD_MAX);
		bench_tick(&b, 1);
		assert_int_equal(b.conns_len, 1);
		bench_end(&b);
	}
}

/* finwait2_orphan_long_data, R8: the RST of the peer was none; ours went out 8 us later. */
static void test_abort_on_data(void **ctx)
{
	static struct bench b;
	const struct report_conn *conn;

	bench_start(&b, false);
	lead_to(&b, SOCK, ROLE_CLIENT, ST_FIN_WAIT2);
	b.pace = 4 * US;
	reset_told(&b, EV_RESET_RECEIVED, SOCK, ST_FIN_WAIT2, false, -1);
	give_close(&b, make_close(SOCK, ST_FIN_WAIT2, ECONNRESET, EVF_DEAD),
		   &(struct traffic){ .active = true, .fin_acked = true, .sent = 2 });
	reset_told(&b, EV_RESET_SENT, SOCK, ST_CLOSE, true, 11);
	conn = one(&b);
	assert_int_equal(conn->closed, CLOSED_RST_SENT);
	assert_int_equal(conn->closed_first, FIRST_LOCAL);
	assert_int_equal(conn->reset_reason, 11);
	assert_int_equal(conn->error, ECONNRESET);
	assert_int_equal(conn->tx_bytes, 2);
	bench_end(&b);
}

/* Times are of the wall clock as it was told last. */
static void test_clock(void **ctx)
{
	static struct bench b;
	struct ev_clock clock = { .hdr = make_hdr(EV_CLOCK, sizeof(clock), 0) };

	bench_start(&b, false);
	assert_true(engine_realtime_ns(b.engine, 5) == UNKNOWN_NS);
	clock.realtime_ns = 1700000000 * SEC;
	give(&b, clock);
	assert_true(engine_realtime_ns(b.engine, (int64_t)(b.now + 7)) ==
		    (int64_t)(1700000000 * SEC + 7));
	clock.hdr.ts_ns = 0;
	clock.realtime_ns = 1600000000 * SEC;
	give(&b, clock);
	assert_true(engine_realtime_ns(b.engine, (int64_t)b.now - 9) ==
		    (int64_t)(1600000000 * SEC - 9));
	bench_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_close),
		cmocka_unit_test(test_server_end),
		cmocka_unit_test(test_syn_time_of_a_server),
		cmocka_unit_test(test_simultaneous_close),
		cmocka_unit_test(test_self_connect),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_syn_retransmitted),
		cmocka_unit_test(test_no_port_left),
		cmocka_unit_test(test_fin_retransmitted),
		cmocka_unit_test(test_two_lives),
		cmocka_unit_test(test_disconnect_and_connect),
		cmocka_unit_test(test_stale_error),
		cmocka_unit_test(test_owner_ranking),
		cmocka_unit_test(test_owner_at_close),
		cmocka_unit_test(test_holding),
		cmocka_unit_test(test_abort_on_data),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests_name("engine: lives", tests, NULL, NULL);
}
