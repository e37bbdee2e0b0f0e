// SPDX-License-Identifier: GPL-2.0-only
/* A table that is too small: who makes room, and that it is said. */
#include "lives.h"
#include "core/halfopen.h"

#define SOCK 1

static void end_by_timeout(struct bench *b, uint64_t sock, uint8_t state)
{
	struct ev_close close = make_close(sock, state, ETIMEDOUT, 0);

	close.stats = stats_at(ROLE_CLIENT, state, false);
	give(b, close);
	bench_settle(b);
}

static void start_small(struct bench *b, bool whole, uint32_t max)
{
	const struct engine_options options = { .whole = whole,
						.max_connections = max,
						.hash_seed = 9 };

	bench_start_with(b, &options);
}

/* No room, and all live: the new one is not tracked, and that is counted. */
static void test_table_full_of_live(void **ctx)
{
	static struct bench b;
	struct engine_counts counts;

	start_small(&b, false, 2);
	for (uint64_t sock = 1; sock <= 4; sock++)
		lead_to(&b, sock, ROLE_CLIENT, ST_ESTABLISHED);
	engine_counts(b.engine, &counts);
	assert_int_equal(counts.live, 2);
	assert_int_equal(counts.conns, 2);
	assert_int_equal(counts.table_full, 2);
	for (uint64_t sock = 1; sock <= 4; sock++)
		end_by_timeout(&b, sock, ST_ESTABLISHED);
	assert_int_equal(b.conns_len, 2);
	assert_int_equal(b.conns[0].incomplete, 0);
	assert_int_equal(b.conns[1].sock, 2);
	lead_to(&b, 9, ROLE_CLIENT, ST_ESTABLISHED); /* there is room again */
	end_by_timeout(&b, 9, ST_ESTABLISHED);
	assert_int_equal(b.conns_len, 3);
	bench_end(&b);
}

/* Its socket goes, and a minisock of another number takes over. */
static void leave_minisock(struct bench *b, uint64_t sock)
{
	struct ev_close close = make_close(sock, ST_FIN_WAIT2, 0, EVF_DEAD);

	lead_to(b, sock, ROLE_CLIENT, ST_FIN_WAIT2);
	close.minisock = sock * 10;
	close.minisock_state = ST_TIME_WAIT;
	give(b, close);
}

/* The oldest that has ended makes room and says so. */
static void test_table_full_of_ended(void **ctx)
{
	static struct bench b;
	struct engine_counts counts;

	start_small(&b, true, 3);
	lead_to(&b, 1, ROLE_CLIENT, ST_ESTABLISHED);
	leave_minisock(&b, 2);
	leave_minisock(&b, 3);
	assert_int_equal(b.conns_len, 0);
	lead_to(&b, 4, ROLE_CLIENT, ST_ESTABLISHED);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].sock, 2);
	assert_int_equal(b.conns[0].closed, CLOSED_FIN);
	assert_int_equal(b.conns[0].remains, REMAINS_TIME_WAIT);
	assert_int_equal(b.conns[0].remains_end, REMAINS_END_UNKNOWN);
	assert_int_equal(b.conns[0].incomplete, INCOMPLETE_TABLE_FULL);
	assert_true(b.conns[0].time_wait_ns == UNKNOWN_NS);
	engine_counts(b.engine, &counts);
	assert_int_equal(counts.table_full, 1);
	assert_int_equal(counts.live, 2);
	assert_int_equal(counts.remaining, 1);
	bench_end(&b);
}

static void tell_minisock(struct bench *b, uint64_t sock, uint8_t what)
{
	struct ev_minisock_timer timer = make_timer(sock * 10, what, ST_TIME_WAIT, 0);

	timer.hdr.cookie = make_hdr(EV_CLOSE, 0, sock).cookie;
	give(b, timer);
}

/*
 * A minisock was taken away, perhaps by a SYN that will show, when its connection
 * makes room: that SYN ends nobody who has its place by then.
 */
static void test_table_full_of_cancelled(void **ctx)
{
	static struct bench b;
	struct engine_counts counts;

	start_small(&b, true, 2);
	leave_minisock(&b, 1);
	tell_minisock(&b, 1, MINISOCK_CANCEL);
	client_opens(&b, 2);
	assert_int_equal(b.conns_len, 0);
	leave_minisock(&b, 3); /* in the place of the first */
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].sock, 1);
	assert_int_equal(b.conns[0].remains_end, REMAINS_END_UNKNOWN);
	tell_minisock(&b, 3, MINISOCK_EXPIRE);
	assert_int_equal(b.conns_len, 2);
	assert_int_equal(b.conns[1].sock, 3);
	assert_int_equal(b.conns[1].remains_end, REMAINS_END_EXPIRED);
	steps_to(&b, 2, ST_SYN_SENT, ST_ESTABLISHED); /* between the same ends */
	assert_int_equal(b.conns_len, 2);
	engine_counts(b.engine, &counts);
	assert_int_equal(counts.live, 1);
	assert_int_equal(counts.remaining, 0);
	end_by_timeout(&b, 2, ST_ESTABLISHED);
	assert_int_equal(b.conns_len, 3);
	bench_end(&b);
}

/* Its timer went on, perhaps: it makes room as one that goes on, and what it lasted is unknown. */
static void test_table_full_of_restarted(void **ctx)
{
	struct ev_minisock_timer restart = make_timer(10, MINISOCK_RESTART, ST_TIME_WAIT, 0);
	static struct bench b;

	start_small(&b, true, 2);
	leave_minisock(&b, 1);
	tell_minisock(&b, 1, MINISOCK_CANCEL);
	restart.hdr.cookie = 0; /* as on 5.10 */
	give(&b, restart);
	client_opens(&b, 2);
	client_opens(&b, 3);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].sock, 1);
	assert_int_equal(b.conns[0].remains_end, REMAINS_END_UNKNOWN);
	assert_int_equal(b.conns[0].incomplete, INCOMPLETE_TABLE_FULL);
	assert_int_equal(b.conns[0].time_wait_ns, UNKNOWN_NS);
	bench_end(&b);
}

/* A verdict that waits is let go of a little earlier: it is complete all the same. */
static void test_table_full_of_held(void **ctx)
{
	static struct bench b;
	struct ev_close close = make_close(1, ST_ESTABLISHED, 0, EVF_OWNED | EVF_LINGER0);

	start_small(&b, false, 1);
	lead_to(&b, 1, ROLE_CLIENT, ST_ESTABLISHED);
	give(&b, close);
	assert_int_equal(b.conns_len, 0);
	client_opens(&b, 2);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].sock, 1);
	end_by_timeout(&b, 2, ST_SYN_SENT);
	assert_int_equal(b.conns_len, 2);
	bench_end(&b);
}

/* Thousands of lives through a small table: nothing is left behind. */
static void test_turnover(void **ctx)
{
	static struct bench b;
	struct engine_counts counts;

	start_small(&b, false, 8);
	for (uint64_t sock = 1; sock <= 5000; sock++) {
		lead_to(&b, sock, sock % 2 ? ROLE_CLIENT : ROLE_SERVER, ST_ESTABLISHED);
		end_by_timeout(&b, sock, ST_ESTABLISHED);
		assert_int_equal(b.conns_len, 1);
		assert_int_equal(b.conns[0].sock, sock);
		b.conns_len = 0;
		b.steps_len = 0;
	}
	engine_counts(b.engine, &counts);
	assert_int_equal(counts.conns, 5000);
	assert_int_equal(counts.reported, 5000);
	assert_int_equal(counts.live, 0);
	assert_int_equal(counts.table_full, 0);
	assert_int_equal(counts.unknown_sock, 0);
	bench_end(&b);
}

/* More half-open requests than are kept: how many were forgotten is said. */
static void test_too_many_requests(void **ctx)
{
	static struct bench b;
	const struct ev_tuple tuple = make_tuple(RPORT, LPORT);
	struct engine_counts counts;

	start_small(&b, false, 2);
	for (uint64_t request = 1; request <= HALFOPEN_MAX + 3; request++) {
		struct ev_synack_retransmit again = make_synack(request, &tuple);

		give(&b, again);
		engine_counts(b.engine, &counts);
		assert_int_equal(counts.lost[LOST_REQUESTS],
				 request > HALFOPEN_MAX ? request - HALFOPEN_MAX : 0);
	}
	assert_int_equal(counts.half_open, HALFOPEN_MAX);
	bench_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_full_of_live),
		cmocka_unit_test(test_table_full_of_ended),
		cmocka_unit_test(test_table_full_of_cancelled),
		cmocka_unit_test(test_table_full_of_restarted),
		cmocka_unit_test(test_table_full_of_held),
		cmocka_unit_test(test_turnover),
		cmocka_unit_test(test_too_many_requests),
	};

	return cmocka_run_group_tests_name("capacity", tests, NULL, NULL);
}
