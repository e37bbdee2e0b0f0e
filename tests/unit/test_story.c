// SPDX-License-Identifier: GPL-2.0-only
/*
 * The story of one connection as items in order: openings and releases, with
 * nothing seen but what the socket did, and with segments seen on the way.
 */
#include "stories.h"

#define SOCK 1

static struct bench b;

static int setup(void **ctx)
{
	bench_calm(&b);
	return 0;
}

/* ---- openings ---- */

static const struct report_conn *end_killed(struct end *end)
{
	end_closes(end, ETIMEDOUT, 0);
	return told(end->b);
}

/* client_close: SYN, SYN+ACK and ACK by the two steps of the socket alone. */
static void test_client_handshake(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;
	uint64_t opened;

	start_story(&b, true, false);
	end_connects(&end, false);
	opened = b.now;
	b.now += 30 * MS;
	end_connected(&end);
	conn = end_killed(&end);
	assert_story(conn, &end, CLIENT_OPENS "CLOSE");
	assert_int_equal(conn->story->items[0].ts_ns, opened);
	assert_int_equal(conn->story->items[1].ts_ns, opened);
	for (int i = 2; i < 5; i++)
		assert_int_equal(conn->story->items[i].ts_ns, opened + 31 * MS);
	assert_true(conn->story->has_isn_local && conn->story->has_isn_remote);
	assert_int_equal(conn->story->isn_local, ISN_LOCAL);
	assert_int_equal(conn->story->isn_remote, ISN_REMOTE);
	assert_int_equal(conn->story->left_out, 0);
	assert_int_equal(conn->handshake, 0);
	assert_int_equal(conn->violations, 0);
	bench_end(&b);
}

/* The other end: its SYN came one RTT before the last ACK. */
static void test_server_handshake(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);
	const struct report_conn *conn;
	int64_t syn_ns, established;

	start_story(&b, true, false);
	b.now += SEC;
	end_accepted(&end, 0);
	established = (int64_t)b.now;
	syn_ns = established - SRTT_US * (int64_t)US;
	conn = end_killed(&end);
	assert_story(conn, &end, SERVER_OPENS "CLOSE");
	for (int i = 0; i < 3; i++)
		assert_int_equal(conn->story->items[i].ts_ns, syn_ns);
	for (int i = 3; i < 5; i++)
		assert_int_equal(conn->story->items[i].ts_ns, established);
	assert_int_equal(conn->story->isn_local, ISN_LOCAL);
	assert_int_equal(conn->story->isn_remote, ISN_REMOTE);
	assert_int_equal(conn->handshake_ns, SRTT_US * US);
	assert_int_equal(conn->handshake, 0);
	bench_end(&b);
}

/* SYN and last ACK are seen before there is a socket: told at their times, and once. */
static void test_server_handshake_seen(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);
	const struct report_conn *conn;
	int64_t syn_ns, ack_ns;

	start_story(&b, true, false);
	end_meets(&end, TCP_SYN, 0, 0);
	syn_ns = (int64_t)b.now;
	b.now += 40 * MS;
	end_meets(&end, TCP_ACK, 1, 1);
	ack_ns = (int64_t)b.now;
	b.pace = 10 * US;
	end_accepted(&end, 0);
	conn = end_killed(&end);
	assert_story(conn, &end, "<S(0)! SYN_RECV >SA(0,1) <A(1,1)! ESTABLISHED CLOSE");
	assert_int_equal(conn->story->items[0].ts_ns, syn_ns);
	assert_int_equal(conn->story->items[1].ts_ns, syn_ns);
	assert_int_equal(conn->story->items[3].ts_ns, ack_ns);
	assert_int_equal(conn->story->items[4].ts_ns, ack_ns + 10 * (int64_t)US);
	assert_int_equal(conn->start_ns, syn_ns);
	assert_int_equal(conn->handshake_ns, ack_ns + 10 * (int64_t)US - syn_ns);
	assert_int_equal(state_ns(conn, ST_SYN_RECV), conn->handshake_ns);
	assert_int_equal(conn->violations, 0);
	assert_int_equal(conn->handshake, 0);
	bench_end(&b);
}

/* Only one of the two is seen; the other one is still inferred. */
static void test_server_handshake_half_seen(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);

	start_story(&b, true, false);
	end_meets(&end, TCP_SYN, 0, 0);
	end_accepted(&end, 0);
	assert_story(end_killed(&end), &end, "<S(0)! SYN_RECV >SA(0,1) <A(-,-) ESTABLISHED CLOSE");
	bench_end(&b);
	end = make_end(&b, SOCK, false);
	start_story(&b, true, false);
	end_meets(&end, TCP_ACK, 1, 1); /* belongs to nobody: not kept */
	end_accepted(&end, 0);
	assert_story(end_killed(&end), &end, SERVER_OPENS "CLOSE");
	bench_end(&b);
}

/* A client whose port is known from the start: its SYN+ACK is seen, and not drawn twice. */
static void test_client_handshake_seen(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	start_story(&b, true, false);
	end_connects(&end, true);
	end_meets(&end, TCP_SYN | TCP_ACK, 0, 1);
	end_connected(&end);
	assert_story(end_killed(&end), &end, "SYN_SENT >S(0) <SA(0,1)! ESTABLISHED >A(1,1) CLOSE");
	assert_int_equal(b.conns[0].violations, 0);
	bench_end(&b);
}

/* simul_open, until the last segment of it. */
static void open_both(struct end *end, bool is_seen)
{
	struct ev_open open = make_child(end->sock, ST_ESTABLISHED);

	end_connects(end, true);
	if (is_seen)
		end_meets(end, TCP_SYN, 0, 0);
	end->numbers.segs_in++;
	end_steps(end, ST_SYN_RECV); /* rcv_nxt reads 0 in this event */
	end_takes_syn(end, true);
	if (is_seen)
		end_meets(end, TCP_SYN | TCP_ACK, 0, 1);
	open.tuple = end->tuple;
	open.sock.flags = EVF_HAS_FILE;
	give(end->b, open);
	end_tells_numbers(end);
	end->state = ST_ESTABLISHED;
}

static void test_simultaneous_open(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;

	start_story(&b, true, false);
	open_both(&end, false);
	conn = end_killed(&end);
	assert_int_equal(conn->role, ROLE_BOTH);
	assert_int_equal(conn->opened, OPENED_SIMULTANEOUS);
	assert_int_equal(conn->story->isn_local, ISN_LOCAL);
	assert_int_equal(conn->story->isn_remote, ISN_REMOTE);
	assert_memory_equal(story_text(conn->story, &end),
			    "SYN_SENT >S(0) <S(0) SYN_RECV >SA(0,1) <", 39);
	assert_non_null(find_state(conn->story, ST_ESTABLISHED));
	assert_string_equal(conn->conn_state, "");
	assert_string_equal(conn->history, "");
	bench_end(&b);
}

/* What acknowledged our SYN was the other end's SYN+ACK (RFC 9293 3.5, figure 7). */
static void test_simultaneous_open_seen(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	start_story(&b, true, false);
	open_both(&end, true);
	assert_story(end_killed(&end), &end,
		     "SYN_SENT >S(0) <S(0)! SYN_RECV >SA(0,1) <SA(0,1)! ESTABLISHED CLOSE");
	bench_end(&b);
}

/* Found in mid-life: only what comes is told, and nothing about how it opened. */
static void test_found(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	struct ev_found found = make_found(SOCK, ST_ESTABLISHED);
	const struct report_conn *conn;

	start_story(&b, true, false);
	found.stats = make_stats(&(struct traffic){ .active = true, .sent = 1000, .received = 70 });
	found.bytes_sent = 1000;
	give(&b, found);
	end.state = ST_ESTABLISHED;
	end_takes_syn(&end, true);
	end.numbers.snd_nxt = end.numbers.write_seq = end.numbers.snd_una;
	end_sends(&end, 1000, 1);
	end_receives(&end, 70, 1);
	end.numbers.segs_out = found.stats.segs_out;
	end.numbers.segs_in = found.stats.segs_in;
	end_talks(&end);
	end_shuts_first(&end);
	end_leaves(&end, ST_FIN_WAIT2, EVF_DEAD);
	conn = told(&b);
	assert_story(conn, &end, "ESTABLISHED [5/6] FIN_WAIT1 >FA(1006,77) <A(77,1007) FIN_WAIT2");
	assert_true(conn->story->items[0].ts_ns == UNKNOWN_NS);
	assert_int_equal(conn->story->isn_local, ISN_LOCAL);
	assert_int_equal(conn->story->isn_remote, ISN_REMOTE);
	bench_end(&b);
}

/* Found, and who opened it is not known (R12): then neither are the numbers. */
static void test_found_role_unknown(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	struct ev_found found = make_found(SOCK, ST_ESTABLISHED);
	const struct report_conn *conn;

	start_story(&b, true, false);
	found.sock.flags = EVF_REPAIR;
	give(&b, found);
	end.state = ST_ESTABLISHED;
	end_takes_syn(&end, true);
	end.numbers.snd_nxt = end.numbers.write_seq = end.numbers.snd_una;
	end_shuts_first(&end);
	conn = end_killed(&end);
	assert_int_equal(conn->role, ROLE_UNKNOWN);
	assert_false(conn->story->has_isn_local);
	assert_string_equal(conn->history, "");
	bench_end(&b);
}

/* ---- releases ---- */

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

/* halfclose_server: 50 bytes still leave after the peer's FIN. */
static void half_close_passive(struct end *end)
{
	end_opens(end);
	end_talks(end);
	end_takes_fin(end, 1);
	end_steps(end, ST_CLOSE_WAIT);
	end_sends_ack(end);
	end_sends(end, 50, 1);
	end_steps(end, ST_LAST_ACK);
	end_fin_acked(end, 1);
	end_closes(end, 0, EVF_DEAD);
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

/* ---- data ---- */

static void want_segments(const struct report_conn *conn, int64_t tx_segs, int64_t rx_segs)
{
	const struct story_item *data = NULL;

	for (unsigned int i = 0; i < conn->story->len; i++)
		if (conn->story->items[i].kind == STORY_DATA)
			data = &conn->story->items[i];
	assert_non_null(data);
	assert_int_equal(data->tx_segs, tx_segs);
	assert_int_equal(data->rx_segs, rx_segs);
	assert_true(data->ts_ns == UNKNOWN_NS);
}

/* What flowed between two steps is one item: payload and segments of both ways. */
static void test_data(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);

	start_story(&b, true, false);
	end_opens(&end);
	end_receives(&end, 5000, 4);
	end_sends(&end, 100000, 70);
	end_receives(&end, 1, 1);
	end_shuts_second(&end);
	assert_story(told(&b), &end,
		     SERVER_OPENS "[100000/5001] <FA(5002,100001) CLOSE_WAIT "
				  ">A(100001,5003) LAST_ACK >FA(100001,5003) "
				  "<A(5003,100002) CLOSE");
	want_segments(&b.conns[0], 72, 6);
	bench_end(&b);
}

/* The ACK that ends the handshake is drawn by itself. */
static void test_data_of_client(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	start_story(&b, true, false);
	end_opens(&end);
	end_talks(&end);
	end_steps(&end, ST_FIN_WAIT1);
	end_closes(&end, ETIMEDOUT, EVF_DEAD);
	want_segments(told(&b), 2, 2);
	bench_end(&b);
}

/* So are both FINs and their ACKs: of the half-closed time one segment and its ACK. */
static void test_data_of_half_close(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);

	start_story(&b, true, false);
	end_opens(&end);
	end_shuts_first(&end);
	end_receives(&end, 100, 1);
	end_takes_fin(&end, 1);
	end_sends_ack(&end);
	end_leaves(&end, ST_TIME_WAIT, EVF_HAS_FILE);
	want_segments(told(&b), 1, 1);
	bench_end(&b);
}

static void test_data_of_half_close_passive(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);

	start_story(&b, true, false);
	half_close_passive(&end);
	want_segments(told(&b), 1, 1);
	bench_end(&b);
}

/* One segment with the last byte and the FIN is a segment of data. */
static void test_data_with_fin(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);

	start_story(&b, true, false);
	end_opens(&end);
	end_receives(&end, 7, 1);
	end_takes_fin(&end, 0);
	end_steps(&end, ST_CLOSE_WAIT);
	end_closes(&end, ETIMEDOUT, 0);
	assert_story(told(&b), &end, SERVER_OPENS "[0/7] <FA(8,1) CLOSE_WAIT CLOSE");
	want_segments(&b.conns[0], 1, 1);
	bench_end(&b);
}

/* Data of every time of a life, and none where there was none. */
static void test_data_until_close(void **ctx)
{
	static const struct {
		uint8_t state;
		const char *must;
	} cases[] = {
		{ ST_ESTABLISHED, CLIENT_OPENS "[0/9] CLOSE" },
		{ ST_FIN_WAIT1, CLIENT_OPENS "FIN_WAIT1 >FA(1,1) [0/9] CLOSE" },
		{ ST_FIN_WAIT2, CLIENT_OPENS "FIN_WAIT1 >FA(1,1) <A(1,2) FIN_WAIT2 [0/9] CLOSE" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct end end = make_end(&b, SOCK, true);

		start_story(&b, true, false);
		b.label = name_state(cases[i].state);
		end_opens(&end);
		if (cases[i].state == ST_FIN_WAIT1)
			end_steps(&end, ST_FIN_WAIT1);
		else if (cases[i].state == ST_FIN_WAIT2)
			end_shuts_first(&end);
		end_receives(&end, 9, 1);
		end_closes(&end, ETIMEDOUT, 0);
		want_text(&b, "story", story_text(told(&b)->story, &end), cases[i].must);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* What crossed our FIN came before it was acknowledged. */
static void test_data_that_crossed(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	start_story(&b, true, false);
	end_opens(&end);
	end_steps(&end, ST_FIN_WAIT1);
	end_receives(&end, 9, 1);
	end_fin_acked(&end, 1);
	end_steps(&end, ST_FIN_WAIT2);
	end_takes_fin(&end, 1);
	end_leaves(&end, ST_TIME_WAIT, EVF_DEAD);
	want_text(&b, "FIN_WAIT2", story_text(told(&b)->story, &end),
		  CLIENT_OPENS "FIN_WAIT1 >FA(1,1) [0/9] <A(10,2) FIN_WAIT2 <FA(10,2) TIME_WAIT "
			       ">A(2,11)");
	WANT(&b, b.conns[0].half_close_bytes, 0);
	bench_end(&b);
	end = make_end(&b, SOCK, true);
	start_story(&b, true, false);
	end_opens(&end);
	end_steps(&end, ST_FIN_WAIT1);
	end_receives(&end, 9, 1);
	end_takes_fin(&end, 1);
	end_steps(&end, ST_CLOSING);
	end_sends_ack(&end);
	end_fin_acked(&end, 1);
	end_leaves(&end, ST_TIME_WAIT, EVF_DEAD);
	want_text(&b, "CLOSING", story_text(told(&b)->story, &end),
		  CLIENT_OPENS "FIN_WAIT1 >FA(1,1) [0/9] <FA(10,1) CLOSING >A(2,11) <A(11,2) "
			       "TIME_WAIT");
	bench_end(&b);
	assert_int_equal(b.complaints, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_client_handshake),
		TEST(test_server_handshake),
		TEST(test_server_handshake_seen),
		TEST(test_server_handshake_half_seen),
		TEST(test_client_handshake_seen),
		TEST(test_simultaneous_open),
		TEST(test_simultaneous_open_seen),
		TEST(test_found),
		TEST(test_found_role_unknown),
		TEST(test_four_way_active),
		TEST(test_four_way_passive),
		TEST(test_four_way_seen),
		TEST(test_three_segment_active),
		TEST(test_three_segment_passive),
		TEST(test_half_close_active),
		TEST(test_half_close_passive),
		TEST(test_half_close_passive_ack),
		TEST(test_simultaneous_close),
		TEST(test_minisock_meets_fin),
		TEST(test_minisock_takes_fin),
		TEST(test_fin_after_minisock),
		TEST(test_minisock_restarted),
		TEST(test_minisock_after_half_close),
		TEST(test_minisock_meets_nothing),
		TEST(test_no_minisock),
		TEST(test_data),
		TEST(test_data_of_client),
		TEST(test_data_of_half_close),
		TEST(test_data_of_half_close_passive),
		TEST(test_data_with_fin),
		TEST(test_data_until_close),
		TEST(test_data_that_crossed),
	};

	return cmocka_run_group_tests_name("story", tests, NULL, NULL);
}
