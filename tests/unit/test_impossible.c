// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events that are well-formed and that no kernel tells: what a record says of
 * them is unknown or sound, never a number that can't be.
 */
#include "core/census.h"
#include "core/toplist.h"
#include "lives.h"

static const struct engine_options everything = { .whole = true,
						  .story = true,
						  .draw = true,
						  .census = true,
						  .strangers = true,
						  .max_connections = 64,
						  .hash_seed = 1 };

static void want_spans(const struct report_conn *conn)
{
	const int64_t spans[] = { conn->duration_ns, conn->handshake_ns, conn->half_close_ns,
				  conn->time_wait_ns };

	for (size_t i = 0; i < ARRAY_SIZE(spans); i++)
		assert_true(spans[i] == UNKNOWN_NS || spans[i] >= 0);
	for (unsigned int i = 0; i < conn->states_len; i++)
		assert_true(conn->states[i].ns == UNKNOWN_NS || conn->states[i].ns >= 0);
}

/* Its first SYN+ACK was sent later than the one that repeats it. */
static void test_synack_of_the_future(void **ctx)
{
	static struct bench b;
	struct ev_tuple tuple = make_tuple(RPORT, LPORT);
	struct ev_synack_retransmit synack = make_synack(9, &tuple);

	bench_start_with(&b, &everything);
	synack.first_synack_ns = b.now + 500 * SEC;
	give(&b, synack);
	bench_tick(&b, 400 * SEC);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].opened, OPENED_TIMED_OUT);
	want_spans(&b.conns[0]);
	assert_int_equal(b.conns[0].start_ns, UNKNOWN_NS);
	bench_end(&b);
}

static void keep_waiting(void *ctx, const struct report_now *now)
{
	struct ev_waiting *kept = ctx;

	assert_non_null(now->waiting);
	*kept = *now->waiting;
}

/* Times that no int64_t holds, of a socket in a snapshot: they are not known. */
static void test_waiting_for_ever(void **ctx)
{
	static const uint64_t never[] = { INT64_MAX, INT64_MAX + UINT64_C(2), UINT64_MAX };
	static struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		struct ev_found found = make_found(5, ST_CLOSE_WAIT);
		struct ev_waiting waiting = { .hdr = make_hdr(EV_WAITING, sizeof(waiting), 5),
					      .state = ST_CLOSE_WAIT,
					      .last_segment_ns = never[i],
					      .timer_ns = never[i],
					      .since_ns = never[i],
					      .silent_ns = never[i] };
		struct ev_waiting kept;

		bench_start_with(&b, &everything);
		give(&b, found);
		give(&b, waiting);
		census_conns(b.engine, keep_waiting, &kept);
		assert_int_equal(kept.state, ST_CLOSE_WAIT);
		assert_int_equal(kept.last_segment_ns, 0);
		assert_int_equal(kept.timer_ns, 0);
		assert_int_equal(kept.since_ns, 0);
		assert_int_equal(kept.silent_ns, 0);
		bench_end(&b);
	}
}

/* More bytes than there are, both ways: the sum stays at the end of its type. */
static void test_too_many_bytes(void **ctx)
{
	struct top_row row = {
		.tx_bytes = INT64_MAX - 1, .rx_bytes = 2, .tx_rate = INT64_MAX, .rx_rate = INT64_MAX
	};

	assert_int_equal(top_row_bytes(&row), INT64_MAX);
	assert_int_equal(top_row_rate(&row), INT64_MAX);
	row.rx_bytes = UNKNOWN_COUNT;
	assert_int_equal(top_row_bytes(&row), INT64_MAX - 1);
}

/* A counter beyond all that there can be, less the SYN and the FIN in it. */
static void test_counter_of_the_end(void **ctx)
{
	struct ev_tuple tuple = make_tuple(80, 81);
	struct ev_waiting waiting = { .state = ST_FIN_WAIT2,
				      .flags = EVF_DONE,
				      .stats = { .bytes_acked = UINT64_C(1) << 63,
						 .bytes_received = UINT64_MAX } };
	struct report_now now = { .sock = 1,
				  .tuple = &tuple,
				  .role = ROLE_CLIENT,
				  .state = ST_FIN_WAIT2,
				  .since_ns = UNKNOWN_NS,
				  .start_ns = UNKNOWN_NS,
				  .waiting = &waiting };
	struct toplist list;

	toplist_init(&list);
	toplist_begin(&list);
	toplist_take(&list, &now);
	toplist_end(&list);
	assert_int_equal(list.len, 1);
	assert_true(list.rows[0].tx_bytes == INT64_MAX - 1);
	assert_true(list.rows[0].rx_bytes == INT64_MAX);
	toplist_free(&list);
}

/* All of them within a nanosecond. */
static void test_too_fast(void **ctx)
{
	struct ev_tuple tuple = make_tuple(LPORT, RPORT);
	struct ev_waiting waiting = { .hdr = make_hdr(EV_WAITING, sizeof(waiting), 5),
				      .state = ST_ESTABLISHED };
	struct report_now now = {
		.sock = 5, .tuple = &tuple, .state = ST_ESTABLISHED, .waiting = &waiting
	};
	struct toplist list;

	toplist_init(&list);
	for (uint64_t look = 1; look <= 2; look++) {
		waiting.hdr.ts_ns = look;
		waiting.stats.bytes_received = look == 2 ? INT64_MAX / 2 : 1;
		toplist_begin(&list);
		toplist_take(&list, &now);
		toplist_end(&list);
	}
	assert_int_equal(toplist_row(&list, 5)->rx_rate, INT64_MAX);
	toplist_free(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_synack_of_the_future),
		cmocka_unit_test(test_waiting_for_ever),
		cmocka_unit_test(test_too_many_bytes),
		cmocka_unit_test(test_counter_of_the_end),
		cmocka_unit_test(test_too_fast),
	};

	return cmocka_run_group_tests_name("impossible", tests, NULL, NULL);
}
