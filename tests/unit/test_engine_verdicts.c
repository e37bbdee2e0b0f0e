// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verdicts that have to wait, or to be told from look-alikes; several lives of
 * one socket; and which of several owners is named.
 */
#include "lives.h"

#define SOCK 1

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
		   &(struct traffic){
			   .active = true, .fin_acked = true, .fin_received = true, .sent = 3 });
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
			   &(struct traffic){ .active = true,
					      .fin_received = true,
					      .fin_acked = !cases[i].unacked,
					      .unacked = cases[i].unacked,
					      .sent = 1 });
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

/* connect > read > close > fd_table > listen, whatever the order; of equals the first. */
static void test_owner_ranking(void **ctx)
{
	static const char *const comms[] = { "", "l", "f", "c", "r", "connect-16-chars" };
	static struct bench b;

	for (uint8_t first = OWNER_UNKNOWN; first <= OWNER_CONNECT; first++) {
		for (uint8_t second = OWNER_UNKNOWN; second <= OWNER_CONNECT; second++) {
			struct ev_open open = make_child(SOCK, ST_ESTABLISHED);
			struct ev_state state = make_state(SOCK, ST_ESTABLISHED, ST_CLOSE_WAIT);
			uint8_t best = first >= second ? first : second;
			uint32_t pid = first >= second ? 10 + first : 20 + second;
			char label[64];

			bench_start(&b, false);
			snprintf(label, sizeof(label), "owner %u, then %u", first, second);
			b.label = label;
			set_owner(&open.sock, &open.owner, first, first ? 10 + first : 0,
				  comms[first]);
			give(&b, open);
			set_owner(&state.sock, &state.owner, second, second ? 20 + second : 0,
				  comms[second]);
			give(&b, state);
			steps_to(&b, SOCK, ST_CLOSE_WAIT, ST_LAST_ACK);
			want_owner(&b, best ? pid : 0, comms[best], best);
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

/* A verdict that may change waits, one that can't is told at once; never over 100 ms. */
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
		{ ST_SYN_SENT, 0, EVF_OWNED, false },
	};
	static struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ev_close close =
			make_close(SOCK, cases[i].state, cases[i].error, cases[i].flags);

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

/*
 * finwait2_orphan_long_data, R8: the RST of the peer was none; ours went out so much later,
 * which is long only where the CPU was taken away.
 */
static void abort_on_data(uint64_t later_ns)
{
	static struct bench b;
	const struct report_conn *conn;

	bench_start(&b, false);
	lead_to(&b, SOCK, ROLE_CLIENT, ST_FIN_WAIT2);
	b.pace = 4 * US;
	reset_told(&b, EV_RESET_RECEIVED, SOCK, ST_FIN_WAIT2, false, -1);
	give_close(&b, make_close(SOCK, ST_FIN_WAIT2, ECONNRESET, EVF_DEAD),
		   &(struct traffic){ .active = true, .fin_acked = true, .sent = 2 });
	b.pace = later_ns;
	reset_told(&b, EV_RESET_SENT, SOCK, ST_CLOSE, true, 11);
	conn = one(&b);
	assert_int_equal(conn->closed, CLOSED_RST_SENT);
	assert_int_equal(conn->closed_first, FIRST_LOCAL);
	assert_int_equal(conn->reset_reason, 11);
	assert_int_equal(conn->error, ECONNRESET);
	assert_int_equal(conn->tx_bytes, 2);
	bench_end(&b);
}

static void test_abort_on_data(void **ctx)
{
	abort_on_data(4 * US);
	abort_on_data(1400 * US);
	abort_on_data(90 * MS);
}

/* An RST that answers a stray segment in SYN_SENT is not how the attempt ended. */
static void test_stray_reply_in_syn_sent(void **ctx)
{
	static struct bench b;
	struct ev_close close = make_close(SOCK, ST_SYN_SENT, 0, EVF_OWNED);

	bench_start(&b, false);
	client_opens(&b, SOCK);
	reset_told(&b, EV_RESET_SENT, SOCK, ST_SYN_SENT, true, 3);
	close.stats = stats_at(ROLE_CLIENT, ST_SYN_SENT, false);
	give(&b, close);
	assert_int_equal(one(&b)->closed, CLOSED_NONE);
	assert_int_equal(b.conns[0].opened, OPENED_ABORTED);
	assert_int_equal(b.conns[0].reset_reason, -1);
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
		cmocka_unit_test(test_two_lives),
		cmocka_unit_test(test_disconnect_and_connect),
		cmocka_unit_test(test_stale_error),
		cmocka_unit_test(test_owner_ranking),
		cmocka_unit_test(test_owner_at_close),
		cmocka_unit_test(test_holding),
		cmocka_unit_test(test_abort_on_data),
		cmocka_unit_test(test_stray_reply_in_syn_sent),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests_name("engine: verdicts", tests, NULL, NULL);
}
