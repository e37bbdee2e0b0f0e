// SPDX-License-Identifier: GPL-2.0-only
/*
 * The story of one connection as items in order: how it is released, up to what a
 * minisock does, with nothing seen but the socket's steps, and with segments seen.
 */
#include "stories.h"

#define SOCK 1

static struct bench b;

static int setup(void **ctx)
{
	bench_calm(&b);
	return 0;
}

/* client_close, the client: four segments; of the rest a minisock takes care. */
static void test_four_way_active(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;

	start_story(&b, true, false);
	end_opens(&end);
	end_talks(&end);
	end_shuts_first(&end);
	end_takes_fin(&end, 1);
	end_sends_ack(&end);
	end_leaves(&end, ST_TIME_WAIT, EVF_HAS_FILE);
	conn = told(&b);
	assert_story(conn, &end,
		     CLIENT_OPENS "[5/6] FIN_WAIT1 >FA(6,7) <A(7,7) FIN_WAIT2 "
				  "<FA(7,7) TIME_WAIT >A(7,8)");
	assert_int_equal(conn->teardown, TEARDOWN_FOUR_WAY);
	assert_int_equal(conn->half_close_bytes, 0);
	assert_string_equal(conn->conn_state, "SF");
	bench_end(&b);
}

/* client_close, the server: the FIN was acknowledged at once and answered later. */
static void test_four_way_passive(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);
	const struct report_conn *conn;

	start_story(&b, true, false);
	end_opens(&end);
	end_talks(&end);
	end_shuts_second(&end);
	conn = told(&b);
	assert_story(conn, &end,
		     SERVER_OPENS "[5/6] <FA(7,6) CLOSE_WAIT >A(6,8) LAST_ACK >FA(6,8) "
				  "<A(8,7) CLOSE");
	assert_int_equal(conn->teardown, TEARDOWN_FOUR_WAY);
	assert_int_equal(conn->half_close_bytes, 0);
	bench_end(&b);
}

/* All four are seen where they come in: nothing of it is inferred again. */
static void test_four_way_seen(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	start_story(&b, true, false);
	end_opens(&end);
	end_steps(&end, ST_FIN_WAIT1);
	end_meets(&end, TCP_ACK, 1, 2);
	end_fin_acked(&end, 1);
	end_steps(&end, ST_FIN_WAIT2);
	end_meets(&end, TCP_FIN | TCP_ACK, 1, 2);
	end_takes_fin(&end, 1);
	end_leaves(&end, ST_TIME_WAIT, EVF_HAS_FILE);
	assert_story(told(&b), &end,
		     CLIENT_OPENS "FIN_WAIT1 >FA(1,1) <A(1,2)! FIN_WAIT2 <FA(1,2)! TIME_WAIT "
				  ">A(2,2)");
	bench_end(&b);
	end = make_end(&b, SOCK, false);
	start_story(&b, true, false);
	end_opens(&end);
	end_meets(&end, TCP_FIN | TCP_ACK, 1, 1);
	end_takes_fin(&end, 1);
	end_steps(&end, ST_CLOSE_WAIT);
	end_sends_ack(&end);
	end_steps(&end, ST_LAST_ACK);
	end_meets(&end, TCP_ACK, 2, 2);
	end_fin_acked(&end, 1);
	end_closes(&end, 0, EVF_DEAD);
	assert_story(told(&b), &end,
		     SERVER_OPENS "<FA(1,1)! CLOSE_WAIT >A(1,2) LAST_ACK >FA(1,2) <A(2,2)! CLOSE");
	bench_end(&b);
}

/* fin_ack_combined, the active end: both steps by one segment. */
static void test_three_segment_active(void **ctx)
{
	static const char *const must[] = {
		CLIENT_OPENS "[5/6] FIN_WAIT1 >FA(6,7) <FA(7,7) FIN_WAIT2 TIME_WAIT >A(7,8)",
		CLIENT_OPENS "[5/6] FIN_WAIT1 >FA(6,7) <FA(7,7)! FIN_WAIT2 TIME_WAIT >A(7,8)",
	};

	for (int is_seen = 0; is_seen < 2; is_seen++) {
		struct end end = make_end(&b, SOCK, true);

		start_story(&b, true, false);
		end_opens(&end);
		end_talks(&end);
		end_steps(&end, ST_FIN_WAIT1);
		if (is_seen)
			end_meets(&end, TCP_FIN | TCP_ACK, 7, 7);
		end_fin_acked(&end, 1);
		end_steps(&end, ST_FIN_WAIT2);
		end_takes_fin(&end, 0);
		end_sends_ack(&end);
		end_leaves(&end, ST_TIME_WAIT, EVF_DEAD);
		assert_story(told(&b), &end, must[is_seen]);
		assert_int_equal(b.conns[0].teardown, TEARDOWN_THREE_SEGMENT);
		assert_int_equal(b.conns[0].half_close_bytes, 0);
		bench_end(&b);
	}
}

/* fin_ack_combined, the passive end: it owed the ACK when it closed. */
static void test_three_segment_passive(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);
	const struct report_conn *conn;

	start_story(&b, true, false);
	end_opens(&end);
	end_talks(&end);
	end_takes_fin(&end, 1);
	end_steps(&end, ST_CLOSE_WAIT);
	end_steps(&end, ST_LAST_ACK);
	end_fin_acked(&end, 1);
	end_closes(&end, 0, EVF_DEAD);
	conn = told(&b);
	assert_story(conn, &end,
		     SERVER_OPENS "[5/6] <FA(7,6) CLOSE_WAIT LAST_ACK >FA(6,8) <A(8,7) CLOSE");
	assert_int_equal(conn->teardown, TEARDOWN_THREE_SEGMENT);
	bench_end(&b);
}

/* halfclose_client: 100 bytes still come after our FIN. */
static void test_half_close_active(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;

	start_story(&b, true, false);
	end_opens(&end);
	end_talks(&end);
	end_shuts_first(&end);
	end_receives(&end, 100, 1);
	end_takes_fin(&end, 1);
	end_sends_ack(&end);
	end_leaves(&end, ST_TIME_WAIT, EVF_HAS_FILE);
	conn = told(&b);
	assert_story(conn, &end,
		     CLIENT_OPENS "[5/6] FIN_WAIT1 >FA(6,7) <A(7,7) FIN_WAIT2 "
				  "[0/100] <FA(107,7) TIME_WAIT >A(7,108)");
	assert_int_equal(conn->teardown, TEARDOWN_HALF_CLOSE);
	assert_int_equal(conn->half_close_bytes, 100);
	bench_end(&b);
}

static void test_half_close_passive(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;

	start_story(&b, true, false);
	half_close_passive(&end);
	conn = told(&b);
	assert_int_equal(conn->teardown, TEARDOWN_HALF_CLOSE);
	assert_int_equal(conn->half_close_bytes, 50);
	assert_non_null(strstr(story_text(conn->story, &end), " [50/0] LAST_ACK >FA(56,8) "));
	bench_end(&b);
}

/* The ACK of the peer's FIN left before what was sent after it. */
static void test_half_close_passive_ack(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	start_story(&b, true, false);
	half_close_passive(&end);
	assert_story(told(&b), &end,
		     CLIENT_OPENS "[5/6] <FA(7,6) CLOSE_WAIT >A(6,8) [50/0] LAST_ACK "
				  ">FA(56,8) <A(8,57) CLOSE");
	bench_end(&b);
}

/* simul_close, and an ACK of its own for each FIN. */
static void test_simultaneous_close(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;

	start_story(&b, true, false);
	end_opens(&end);
	end_talks(&end);
	end_steps(&end, ST_FIN_WAIT1);
	end_takes_fin(&end, 1);
	end_steps(&end, ST_CLOSING);
	end_sends_ack(&end);
	end_fin_acked(&end, 1);
	end_leaves(&end, ST_TIME_WAIT, EVF_DEAD);
	conn = told(&b);
	assert_story(conn, &end,
		     CLIENT_OPENS "[5/6] FIN_WAIT1 >FA(6,7) <FA(7,6) CLOSING >A(7,8) "
				  "<A(8,7) TIME_WAIT");
	assert_int_equal(conn->teardown, TEARDOWN_SIMULTANEOUS);
	bench_end(&b);
}

/* client_close: the socket is gone when the peer's FIN is seen. */
static void test_minisock_meets_fin(void **ctx)
{
	for (int whole = 0; whole < 2; whole++) {
		struct end end = make_end(&b, SOCK, true);
		const struct report_conn *conn;
		int64_t fin_ns;

		start_story(&b, true, whole);
		end_opens(&end);
		end_talks(&end);
		end_shuts_first(&end);
		end_leaves(&end, ST_FIN_WAIT2, EVF_DEAD);
		assert_int_equal(b.conns_len, 0);
		b.now += 500 * MS;
		end_meets(&end, TCP_FIN | TCP_ACK, 7, 7);
		fin_ns = (int64_t)b.now;
		assert_int_equal(b.conns_len, !whole);
		conn = told(&b);
		assert_story(conn, &end,
			     CLIENT_OPENS "[5/6] FIN_WAIT1 >FA(6,7) <A(7,7) FIN_WAIT2 "
					  "<FA(7,7)! TIME_WAIT >A(7,8)");
		assert_int_equal(find_state(conn->story, ST_TIME_WAIT)->ts_ns, fin_ns);
		assert_int_equal(conn->teardown, TEARDOWN_FOUR_WAY);
		assert_int_equal(conn->half_close_bytes, 0);
		assert_int_equal(conn->half_close_ns,
				 fin_ns - find_state(conn->story, ST_FIN_WAIT1)->ts_ns);
		assert_string_equal(conn->conn_state, "SF");
		assert_string_equal(states_text(conn),
				    "SYN_SENT ESTABLISHED FIN_WAIT1 FIN_WAIT2 TIME_WAIT");
		bench_end(&b);
	}
}

/* Of the wire's FINs the minisock takes one at rcv_nxt, whatever old data comes along with it. */
static const struct fin {
	const char *name;
	uint8_t tcp_flags;
	uint32_t seq, payload;
	bool is_taken;
} fins[] = {
	{ "alone", TCP_FIN | TCP_ACK, 7, 0, true },
	{ "with data that was there", TCP_FIN | TCP_PSH | TCP_ACK, 3, 4, true },
	{ "with new data", TCP_FIN | TCP_PSH | TCP_ACK, 7, 4, false },
	{ "with both", TCP_FIN | TCP_ACK, 3, 8, false },
	{ "behind data that was reset", TCP_FIN | TCP_ACK, 11, 0, false },
	{ "of before", TCP_FIN | TCP_ACK, 6, 0, false },
	{ "forged", TCP_FIN | TCP_ACK, 70000, 0, false },
	{ "without ACK", TCP_FIN, 7, 0, false },
	{ "with RST", TCP_FIN | TCP_RST | TCP_ACK, 7, 0, false },
	{ "with SYN", TCP_FIN | TCP_SYN | TCP_ACK, 7, 0, false },
};

static void leave_for_fin(struct end *end, bool whole)
{
	start_story(&b, true, whole);
	end_opens(end);
	end_receives(end, 6, 1);
	end_shuts_first(end);
	end_leaves(end, ST_FIN_WAIT2, EVF_DEAD);
	b.now += 500 * MS;
}

static void check_fin(const struct fin *fin, bool whole)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;
	struct ev_segment segment;

	leave_for_fin(&end, whole);
	b.label = fin->name;
	segment = make_segment(&end.tuple, fin->tcp_flags, end.isn_remote + fin->seq,
			       end.isn_local + 2, 0);
	segment.payload = fin->payload;
	give(&b, segment);
	WANT(&b, b.conns_len, fin->is_taken && !whole);
	bench_tick(&b, 3 * SEC);
	conn = told(&b);
	want_text(&b, "states", states_text(conn),
		  fin->is_taken ? "SYN_SENT ESTABLISHED FIN_WAIT1 FIN_WAIT2 TIME_WAIT"
				: "SYN_SENT ESTABLISHED FIN_WAIT1 FIN_WAIT2");
	WANT(&b, conn->teardown, fin->is_taken ? TEARDOWN_FOUR_WAY : TEARDOWN_UNKNOWN);
	want_text(&b, "conn_state", conn->conn_state, fin->is_taken ? "SF" : "S2");
	want_text(&b, "history", conn->history, fin->is_taken ? "ShAdFf" : "ShAdF");
	bench_end(&b);
}

static void test_minisock_takes_fin(void **ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(fins); i++) {
		check_fin(&fins[i], false);
		check_fin(&fins[i], true);
	}
	assert_int_equal(b.complaints, 0);
}

/* An RST took the minisock away: the FIN that comes then meets nothing. */
static void test_fin_after_minisock(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;

	leave_for_fin(&end, true);
	end_timer_told(&end, MINISOCK_CANCEL, ST_FIN_WAIT2);
	end_meets(&end, TCP_FIN | TCP_ACK, 7, 2);
	bench_tick(&b, 4 * SEC);
	conn = told(&b);
	assert_int_equal(conn->remains_end, REMAINS_END_RESET);
	assert_string_equal(states_text(conn), "SYN_SENT ESTABLISHED FIN_WAIT1 FIN_WAIT2");
	assert_string_equal(conn->conn_state, "S2");
	bench_end(&b);
}

/* The timer of the minisock tells of the FIN, which nobody has seen. */
static void test_minisock_restarted(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;

	start_story(&b, true, true);
	end_opens(&end);
	end_shuts_first(&end);
	end_leaves(&end, ST_FIN_WAIT2, EVF_DEAD);
	end_timer_told(&end, MINISOCK_CANCEL, ST_FIN_WAIT2);
	end_timer_told(&end, MINISOCK_RESTART, ST_TIME_WAIT);
	conn = told(&b);
	assert_story(conn, &end,
		     CLIENT_OPENS "FIN_WAIT1 >FA(1,1) <A(1,2) FIN_WAIT2 <FA(1,2) TIME_WAIT "
				  ">A(2,2)");
	assert_int_equal(conn->teardown, TEARDOWN_FOUR_WAY);
	bench_end(&b);
}

/* fw2_close: what came before the socket was closed is of the half-closed time too. */
static void test_minisock_after_half_close(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;

	start_story(&b, true, false);
	end_opens(&end);
	end_shuts_first(&end);
	end_receives(&end, 100, 1);
	end_leaves(&end, ST_FIN_WAIT2, EVF_DEAD);
	end_meets(&end, TCP_FIN | TCP_ACK, 101, 2);
	conn = told(&b);
	assert_int_equal(conn->teardown, TEARDOWN_HALF_CLOSE);
	assert_int_equal(conn->half_close_bytes, 100);
	assert_story(conn, &end,
		     CLIENT_OPENS "FIN_WAIT1 >FA(1,1) <A(1,2) FIN_WAIT2 [0/100] "
				  "<FA(101,2)! TIME_WAIT >A(2,102)");
	bench_end(&b);
}

/* No FIN in two seconds: told as far as it goes, and not called a way of release. */
static void test_minisock_meets_nothing(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	start_story(&b, true, false);
	end_opens(&end);
	end_shuts_first(&end);
	end_leaves(&end, ST_FIN_WAIT2, EVF_DEAD);
	bench_tick(&b, 2 * SEC);
	assert_int_equal(b.conns_len, 0);
	bench_tick(&b, 1);
	assert_int_equal(b.conns_len, 1);
	assert_story(&b.conns[0], &end, CLIENT_OPENS "FIN_WAIT1 >FA(1,1) <A(1,2) FIN_WAIT2");
	assert_int_equal(b.conns[0].teardown, TEARDOWN_UNKNOWN);
	bench_end(&b);
}

/* tw_overflow: there is no TIME_WAIT where the kernel had no room for it. */
static void test_no_minisock(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;

	start_story(&b, true, false);
	end_opens(&end);
	end_shuts_first(&end);
	end_takes_fin(&end, 1);
	end_closes(&end, 0, EVF_DEAD | EVF_TW_FULL);
	conn = told(&b);
	assert_int_equal(conn->remains_end, REMAINS_END_OVERFLOW);
	assert_int_equal(conn->teardown, TEARDOWN_FOUR_WAY);
	assert_null(find_state(conn->story, ST_TIME_WAIT));
	assert_non_null(find_state(conn->story, ST_CLOSE));
	bench_end(&b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_four_way_active),	   TEST(test_four_way_passive),
		TEST(test_four_way_seen),	   TEST(test_three_segment_active),
		TEST(test_three_segment_passive),  TEST(test_half_close_active),
		TEST(test_half_close_passive),	   TEST(test_half_close_passive_ack),
		TEST(test_simultaneous_close),	   TEST(test_minisock_meets_fin),
		TEST(test_minisock_takes_fin),	   TEST(test_fin_after_minisock),
		TEST(test_minisock_restarted),	   TEST(test_minisock_after_half_close),
		TEST(test_minisock_meets_nothing), TEST(test_no_minisock),
	};

	return cmocka_run_group_tests_name("story_release", tests, NULL, NULL);
}
