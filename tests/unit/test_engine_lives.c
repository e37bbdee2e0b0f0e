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

static void want_client_verdict(const struct report_conn *conn)
{
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
}

static void want_client_times(const struct report_conn *conn)
{
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
}

static void want_client_counters(const struct report_conn *conn)
{
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
}

/* client_close, the client's end: 5 bytes there, 6 back, FIN after 100 ms. */
static void test_client_close(void **ctx)
{
	static struct bench b;
	const struct traffic traffic = {
		.active = true, .fin_acked = true, .sent = 5, .received = 6
	};
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
	want_client_verdict(conn);
	want_client_times(conn);
	want_client_counters(conn);
	bench_end(&b);
}

/* client_close, the server's end: its SYN's time comes from the RTT (R11). */
static void test_server_end(void **ctx)
{
	static struct bench b;
	const struct traffic traffic = {
		.fin_acked = true, .fin_received = true, .sent = 6, .received = 5
	};
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

static void give_reader(struct bench *b, uint64_t sock, uint32_t pid, const char *comm)
{
	struct ev_reader reader = { .hdr = make_hdr(EV_READER, sizeof(reader), sock),
				    .owner = make_owner(pid, comm) };

	give(b, reader);
}

/* The first reader owns a child; who reads later, or who connected, does not change. */
static void test_reader(void **ctx)
{
	static struct bench b;
	struct ev_close close = make_close(SOCK, ST_LAST_ACK, 0, EVF_DEAD | EVF_DONE);
	const struct traffic traffic = { .fin_acked = true, .fin_received = true };

	for (int is_child = 0; is_child < 2; is_child++) {
		bench_start(&b, false);
		if (is_child)
			child_opens(&b, SOCK, ST_ESTABLISHED);
		else
			client_opens(&b, SOCK);
		if (!is_child)
			steps_to(&b, SOCK, ST_SYN_SENT, ST_ESTABLISHED);
		give_reader(&b, SOCK + 1, 209, "stranger");
		give_reader(&b, SOCK, 210, "worker");
		give_reader(&b, SOCK, 211, "other");
		steps_to(&b, SOCK, ST_ESTABLISHED, ST_CLOSE_WAIT);
		steps_to(&b, SOCK, ST_CLOSE_WAIT, ST_LAST_ACK);
		give_close(&b, close, &traffic);
		assert_int_equal(b.conns_len, 1);
		assert_int_equal(b.conns[0].pid, is_child ? 210 : 100);
		assert_string_equal(b.conns[0].comm, is_child ? "worker" : "client");
		assert_int_equal(b.conns[0].pid_source, is_child ? OWNER_READ : OWNER_CONNECT);
		assert_int_equal(b.conns[0].incomplete, 0);
		bench_end(&b);
	}
}

static const struct {
	const char *name;
	uint32_t srtt_us, retrans;
	uint64_t syn_recv_ago; /* 0: not noted */
	uint64_t synack_ago; /* 0: no repeated SYN+ACK was told */
	uint16_t flags;
	int64_t handshake_ns, synack_retrans;
	enum conn_opened opened;
} syn_times[] = {
	{ "by its RTT", 31400, 0, 9 * US, 0, 0, 31400 * US, 0, OPENED_HANDSHAKE },
	{ "SYN+ACK sent again", 500, 2, 9 * US, 3 * SEC, 0, 3 * SEC, 2, OPENED_HANDSHAKE },
	{ "sent again, request not seen", 0, 2, 9 * US, 0, 0, UNKNOWN_NS, 2, OPENED_HANDSHAKE },
	{ "SYN cookie", 0, 0, 9 * US, 0, 0, UNKNOWN_NS, 0, OPENED_HANDSHAKE },
	{ "Fast Open", 2000, 0, 25 * MS, 0, EVF_SYN_DATA, 25 * MS, 0, OPENED_FASTOPEN },
	{ "Fast Open, sent again", 0, 2, 3 * SEC, 0, EVF_SYN_DATA, 3 * SEC, 2, OPENED_FASTOPEN },
};

/* How an opening child's SYN time is known, and how long the handshake took by it. */
static void test_syn_time_of_a_server(void **ctx)
{
	static struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(syn_times); i++) {
		struct ev_open open = make_child(SOCK, ST_ESTABLISHED);
		struct ev_close close =
			make_close(SOCK, ST_ESTABLISHED, ETIMEDOUT, syn_times[i].flags);
		struct ev_synack_retransmit again = { .hdr = make_hdr(EV_SYNACK_RETRANSMIT,
								      sizeof(again), 77),
						      .tuple = make_tuple(RPORT, LPORT) };
		const struct report_conn *conn;

		bench_start(&b, false);
		b.label = syn_times[i].name;
		b.now += 10 * SEC;
		open.srtt_us = syn_times[i].srtt_us;
		open.retrans = syn_times[i].retrans;
		open.sock.flags |= syn_times[i].flags;
		if (syn_times[i].syn_recv_ago)
			open.syn_recv_ns = b.now + 2 * MS - syn_times[i].syn_recv_ago;
		again.hdr.cookie = open.hdr.cookie;
		again.first_synack_ns = b.now + 2 * MS - syn_times[i].synack_ago;
		if (syn_times[i].synack_ago)
			give(&b, again);
		else
			b.now += MS;
		give(&b, open);
		close.stats = make_stats(&(struct traffic){ .sent = 1 });
		close.stats.retrans = syn_times[i].retrans + 4;
		give(&b, close);
		conn = one(&b);
		WANT(&b, conn->handshake_ns, syn_times[i].handshake_ns);
		WANT(&b, conn->synack_retrans, syn_times[i].synack_retrans);
		WANT(&b, conn->syn_retrans, 0);
		WANT(&b, conn->retrans, syn_times[i].retrans + 4);
		WANT(&b, conn->opened, syn_times[i].opened);
		WANT(&b, state_ns(conn, ST_SYN_RECV), syn_times[i].handshake_ns);
		WANT(&b, conn->incomplete, 0);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* simul_close: 1 ms in CLOSING, both first. */
static void test_simultaneous_close(void **ctx)
{
	static struct bench b;
	const struct traffic traffic = {
		.active = true, .fin_acked = true, .fin_received = true, .sent = 2
	};
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
	const struct traffic traffic = {
		.active = true, .fin_acked = true, .fin_received = true, .sent = 2, .received = 2
	};
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
	assert_string_equal(states_text(conn), "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT1 CLOSING");
	assert_int_equal(conn->tx_bytes, 2);
	assert_int_equal(conn->rx_bytes, 2);
	bench_end(&b);
}

/* halfclose_client: the server sends on for 200 ms after the client's FIN. */
static void test_half_close(void **ctx)
{
	static struct bench b;
	const struct traffic traffic = {
		.active = true, .fin_acked = true, .fin_received = true, .sent = 5, .received = 100
	};
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

/* How often a SYN went, its step to ESTABLISHED tells: where that was lost nobody knows. */
static void test_syn_retransmitted_unseen(void **ctx)
{
	enum { END, STEP, SNAPSHOT };
	static struct bench b;

	for (int next = END; next <= SNAPSHOT; next++) {
		struct ev_found found = make_found(SOCK, ST_ESTABLISHED);
		struct ev_close close =
			make_close(SOCK, next == STEP ? ST_CLOSE_WAIT : ST_ESTABLISHED, ETIMEDOUT,
				   EVF_HAS_FILE);

		bench_start(&b, false);
		client_opens(&b, SOCK);
		for (int i = 0; i < 3; i++)
			retransmitted(&b, SOCK, ST_SYN_SENT, 0x02);
		if (next == STEP)
			steps_to(&b, SOCK, ST_ESTABLISHED, ST_CLOSE_WAIT);
		if (next == SNAPSHOT)
			give(&b, found);
		close.stats = stats_at(ROLE_CLIENT, close.sock.old_state, false);
		close.stats.retrans = 8;
		give(&b, close);
		assert_int_equal(one(&b)->syn_retrans, UNKNOWN_COUNT);
		assert_int_equal(b.conns[0].synack_retrans, 0);
		assert_int_equal(b.conns[0].retrans, 8);
		assert_int_equal(b.conns[0].incomplete, INCOMPLETE_LOST_EVENTS);
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
	struct ev_retransmit refused = { .hdr = make_hdr(EV_RETRANSMIT, sizeof(refused), SOCK),
					 .tcp_flags = 0x11,
					 .state = ST_FIN_WAIT1 };
	const struct report_conn *conn;

	bench_start(&b, false);
	lead_to(&b, SOCK, ROLE_CLIENT, ST_FIN_WAIT1);
	for (int i = 0; i < 4; i++) {
		refused.error = i % 2 ? -EPERM : 1;
		give(&b, refused); /* did not leave */
		retransmitted(&b, SOCK, ST_FIN_WAIT1, 0x11);
	}
	give_close(&b, make_close(SOCK, ST_FIN_WAIT1, ETIMEDOUT, EVF_DEAD), &traffic);
	conn = one(&b);
	assert_int_equal(conn->fin_retrans, 4);
	assert_int_equal(conn->syn_retrans, 0);
	assert_int_equal(conn->closed, CLOSED_TIMED_OUT);
	assert_int_equal(conn->closed_first, FIRST_LOCAL);
	assert_int_equal(conn->tx_bytes, 7);
	bench_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_close),
		cmocka_unit_test(test_server_end),
		cmocka_unit_test(test_reader),
		cmocka_unit_test(test_syn_time_of_a_server),
		cmocka_unit_test(test_simultaneous_close),
		cmocka_unit_test(test_self_connect),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_syn_retransmitted),
		cmocka_unit_test(test_syn_retransmitted_unseen),
		cmocka_unit_test(test_no_port_left),
		cmocka_unit_test(test_fin_retransmitted),
	};

	return cmocka_run_group_tests_name("engine: lives", tests, NULL, NULL);
}
