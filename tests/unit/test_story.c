// SPDX-License-Identifier: GPL-2.0-only
/*
 * The story of one connection as items in order: how it opens, with nothing seen
 * but what the socket did, and with segments seen on the way.
 */
#include "stories.h"

#define SOCK 1

static struct bench b;

static int setup(void **ctx)
{
	bench_calm(&b);
	return 0;
}

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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_client_handshake),	   TEST(test_server_handshake),
		TEST(test_server_handshake_seen),  TEST(test_server_handshake_half_seen),
		TEST(test_client_handshake_seen),  TEST(test_simultaneous_open),
		TEST(test_simultaneous_open_seen), TEST(test_found),
		TEST(test_found_role_unknown),
	};

	return cmocka_run_group_tests_name("story", tests, NULL, NULL);
}
