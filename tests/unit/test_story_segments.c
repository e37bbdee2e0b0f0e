// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a story makes of single segments: sent again, resets, seen before the step
 * that they cause; more of them than are kept.
 */
#include "stories.h"

#define SOCK 1

static struct bench b;

static int setup(void **ctx)
{
	bench_calm(&b);
	return 0;
}

/* ---- sent again ---- */

static void end_repeats(struct end *end, uint8_t tcp_flags, uint32_t seq, uint32_t len, int error)
{
	struct ev_retransmit again = { .hdr = make_hdr(EV_RETRANSMIT, sizeof(again), end->sock),
				       .seq = end->isn_local + seq,
				       .end_seq = end->isn_local + seq + len,
				       .tcp_flags = tcp_flags,
				       .state = end->state,
				       .lport = end->tuple.lport,
				       .error = error };

	give(end->b, again);
}

/* syn_retransmit_ok: what could not be sent is not told. */
static void test_syn_again(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	struct ev_state state = make_state(SOCK, ST_SYN_SENT, ST_ESTABLISHED);
	const struct report_conn *conn;

	start_story(&b, true, false);
	end_connects(&end, false);
	for (int i = 0; i < 3; i++)
		end_repeats(&end, TCP_SYN, 0, 1, i == 1 ? -ENOBUFS : 0);
	end_takes_syn(&end, true);
	end_tells_numbers(&end);
	state.retrans = 3;
	give(&b, state);
	end.state = ST_ESTABLISHED;
	end_closes(&end, ETIMEDOUT, 0);
	conn = told(&b);
	assert_story(conn, &end, "SYN_SENT >S(0) >S(0)+ >S(0)+ <SA(0,1) ESTABLISHED >A(1,1) CLOSE");
	assert_int_equal(conn->handshake, HANDSHAKE_SYN_AGAIN);
	bench_end(&b);
}

/* Sent again, it tells the port: the SYN+ACK that comes then is seen. */
static void test_syn_again_then_seen(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	start_story(&b, true, false);
	end_connects(&end, false);
	end_repeats(&end, TCP_SYN, 0, 1, 0);
	end_meets(&end, TCP_SYN | TCP_ACK, 0, 1);
	end_connected(&end);
	end_closes(&end, ETIMEDOUT, 0);
	assert_story(told(&b), &end, "SYN_SENT >S(0) >S(0)+ <SA(0,1)! ESTABLISHED >A(1,1) CLOSE");
	bench_end(&b);
}

/* The FIN may go with the last data; its number is that of what it goes with. */
static void test_fin_again(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	start_story(&b, true, false);
	end_opens(&end);
	end_talks(&end);
	end_steps(&end, ST_FIN_WAIT1);
	end_repeats(&end, TCP_FIN | TCP_ACK, 6, 1, 0);
	end_repeats(&end, TCP_FIN | TCP_ACK | TCP_PSH, 1, 6, 0);
	end_closes(&end, ETIMEDOUT, EVF_DEAD);
	assert_story(told(&b), &end,
		     CLIENT_OPENS "[5/6] FIN_WAIT1 >FA(6,7) >FA(6,-)+ >FA(1,-)+:5 CLOSE");
	assert_int_equal(b.conns[0].fin_retrans, 2);
	bench_end(&b);
}

/* It acknowledges all that came until then, of which no step has told. */
static void test_fin_again_after_data(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_story *story;

	start_story(&b, true, false);
	end_opens(&end);
	end_steps(&end, ST_FIN_WAIT1);
	end_receives(&end, 9, 1);
	end_repeats(&end, TCP_FIN | TCP_ACK, 1, 1, 0);
	end_closes(&end, ETIMEDOUT, EVF_DEAD);
	story = told(&b)->story;
	for (unsigned int i = 0; i < story->len; i++)
		if (story->items[i].again && story->items[i].has_ack)
			assert_int_equal(story->items[i].ack, ISN_REMOTE + 10);
	bench_end(&b);
}

/* With where the sequence spaces are; it is among the segments that were sent. */
static void end_sends_again(struct end *end, uint8_t tcp_flags, uint32_t seq, uint32_t len,
			    int error)
{
	struct ev_sent_again again = { .segment = { .seq = end->isn_local + seq,
						    .end_seq = end->isn_local + seq + len,
						    .tcp_flags = tcp_flags,
						    .state = end->state,
						    .lport = end->tuple.lport,
						    .error = error },
				       .bytes_acked = end->numbers.bytes_acked,
				       .bytes_received = end->numbers.bytes_received,
				       .snd_una = end->numbers.snd_una,
				       .snd_nxt = end->numbers.snd_nxt,
				       .rcv_nxt = end->numbers.rcv_nxt,
				       .segs_in = end->numbers.segs_in };

	again.segment.hdr = make_hdr(EV_SENT_AGAIN, sizeof(again), end->sock);
	again.segs_out = ++end->numbers.segs_out;
	give(end->b, again);
}

/* Nothing of it is acknowledged; all of it is written, some waits for a window. */
static void end_sends_in_vain(struct end *end, uint32_t sent, uint32_t waiting)
{
	end->numbers.write_seq = end->numbers.snd_nxt + sent + waiting;
	end->numbers.snd_nxt += sent;
	end->numbers.segs_out++;
}

static void end_is_acked(struct end *end)
{
	end->numbers.bytes_acked += end->numbers.snd_nxt - end->numbers.snd_una;
	end->numbers.snd_una = end->numbers.snd_nxt;
	end->numbers.segs_in++;
}

/* What was sent first stands before its repetition, what waits after it. */
static void test_data_again(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;

	start_story(&b, true, false);
	end_opens(&end);
	end_sends_in_vain(&end, 5, 3);
	end_sends_again(&end, TCP_ACK | TCP_PSH, 1, 5, 0);
	end_sends_again(&end, TCP_ACK | TCP_PSH, 1, 5, -ENOBUFS);
	end_sends_again(&end, TCP_ACK | TCP_PSH, 1, 5, 0);
	end_closes(&end, ETIMEDOUT, 0);
	conn = told(&b);
	assert_story(conn, &end, CLIENT_OPENS "[5/0] >A(1,1)+:5 >A(1,1)+:5 [3/0] CLOSE");
	assert_int_equal(conn->story->items[5].tx_segs, 1);
	assert_int_equal(conn->fin_retrans, 0);
	bench_end(&b);
}

/* Between two losses all went well; each repetition acknowledges what had come by then. */
static void test_data_again_later(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);
	const struct report_conn *conn;

	start_story(&b, true, false);
	end_opens(&end);
	end_receives(&end, 9, 1);
	end_sends_in_vain(&end, 5, 0);
	end_sends_again(&end, TCP_ACK, 1, 5, 0);
	end_is_acked(&end);
	end_talks(&end);
	end_sends_in_vain(&end, 7, 0);
	end_sends_again(&end, TCP_ACK, 11, 7, 0);
	end_is_acked(&end);
	end_sends(&end, 2, 1);
	end_closes(&end, ETIMEDOUT, 0);
	conn = told(&b);
	assert_story(conn, &end, SERVER_OPENS "[5/9] >A(1,10)+:5 [12/6] >A(11,16)+:7 [2/0] CLOSE");
	bench_end(&b);
}

/* A hole that takes several segments to fill is one repetition. */
static void test_data_again_in_a_row(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	start_story(&b, true, false);
	end_opens(&end);
	end_sends_in_vain(&end, 9000, 0);
	for (uint32_t seq = 1001; seq < 4001; seq += 1000)
		end_sends_again(&end, TCP_ACK, seq, 1000, 0);
	end_sends_again(&end, TCP_ACK, 6001, 1000, 0);
	end_closes(&end, ETIMEDOUT, 0);
	assert_story(told(&b), &end,
		     CLIENT_OPENS "[9000/0] >A(1001,1)+:3000 >A(6001,1)+:1000 CLOSE");
	bench_end(&b);
}

/* After some, the rest of a state is one item; the story stays short, the next state tells anew. */
static void test_data_again_and_again(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;

	start_story(&b, true, false);
	end_opens(&end);
	end_sends_in_vain(&end, 5, 0);
	for (int i = 0; i < 1000; i++)
		end_sends_again(&end, TCP_ACK, 1, 5, 0);
	end_steps(&end, ST_FIN_WAIT1);
	end_sends_again(&end, TCP_ACK, 1, 5, 0);
	end_closes(&end, ETIMEDOUT, EVF_DEAD);
	conn = told(&b);
	assert_story(conn, &end,
		     CLIENT_OPENS "[5/0] >A(1,1)+:5 >A(1,1)+:5 >A(1,1)+:5 >A(1,1)+:5 >A(1,1)+:5 "
				  ">A(1,1)+:5 >A(1,1)+:994x4970 "
				  "FIN_WAIT1 >FA(6,1) >A(1,1)+:5 CLOSE");
	assert_int_equal(conn->story->left_out, 0);
	bench_end(&b);
}

/* What had waited behind the lost FIN was told at its step already. */
static void test_data_again_after_fin(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	start_story(&b, true, false);
	end_opens(&end);
	end_sends_in_vain(&end, 5, 4);
	end_steps(&end, ST_FIN_WAIT1);
	end_receives(&end, 9, 1);
	end_sends_again(&end, TCP_ACK, 1, 5, 0);
	end_sends_again(&end, TCP_FIN | TCP_ACK, 10, 1, 0);
	end_closes(&end, ETIMEDOUT, EVF_DEAD);
	assert_story(told(&b), &end,
		     CLIENT_OPENS "[9/0] FIN_WAIT1 >FA(10,1) [0/9] >A(1,10)+:5 >FA(10,10)+ CLOSE");
	assert_int_equal(b.conns[0].fin_retrans, 1);
	bench_end(&b);
}

/* A SYN's acknowledges nothing; where no numbers are known, no data is made up. */
static void test_sent_again_unnumbered(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	start_story(&b, true, false);
	end_connects(&end, false);
	end_sends_again(&end, TCP_SYN, 0, 1, 0);
	end.numbers.rcv_nxt = ISN_REMOTE + 1;
	end_sends_again(&end, TCP_ACK, 1, 5, 0);
	end_closes(&end, ETIMEDOUT, 0);
	assert_story(told(&b), &end, "SYN_SENT >S(-) >S(0)+ >A(1,1)+:5 CLOSE");
	bench_end(&b);
}

/* Not drawn, the same is known. */
static void test_data_again_not_drawn(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	start_story(&b, false, false);
	end_opens(&end);
	end_sends_in_vain(&end, 5, 0);
	for (int i = 0; i < 20; i++)
		end_sends_again(&end, TCP_ACK, 1, 5, 0);
	end_is_acked(&end);
	end_receives(&end, 6, 1);
	end_sends_again(&end, TCP_FIN | TCP_ACK, 6, 1, 0);
	end_closes(&end, ETIMEDOUT, 0);
	assert_int_equal(told(&b)->story->len, 0);
	assert_int_equal(b.conns[0].fin_retrans, 1);
	bench_end(&b);
}

/* synack_dropped: how often is known, when is not. */
static void test_synack_again(void **ctx)
{
	static const struct {
		uint32_t retrans;
		const char *must;
	} cases[] = {
		{ 2, "<S(0) SYN_RECV >SA(0,1) >SA(0,1)+ >SA(0,1)+ <A(-,-) ESTABLISHED CLOSE" },
		{ UINT32_MAX, "<S(0) SYN_RECV >SA(0,1) >SA(0,1)+ >SA(0,1)+ >SA(0,1)+ >SA(0,1)+ "
			      ">SA(0,1)+ >SA(0,1)+ <A(-,-) ESTABLISHED CLOSE" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct end end = make_end(&b, SOCK, false);
		const struct report_conn *conn;

		start_story(&b, true, false);
		end_accepted(&end, cases[i].retrans);
		end_closes(&end, ETIMEDOUT, 0);
		conn = told(&b);
		assert_story(conn, &end, cases[i].must);
		assert_int_equal(conn->handshake, HANDSHAKE_SYNACK_AGAIN);
		for (int at = 0; at < 5; at++)
			assert_true(conn->story->items[at].ts_ns == UNKNOWN_NS);
		bench_end(&b);
	}
}

/* synack_dropped: the peer's SYN and FIN are seen twice; the first SYN was answered. */
static void test_peer_repeats(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);
	struct ev_synack_retransmit synack = make_synack(77, &end.tuple);
	const struct report_conn *conn;

	start_story(&b, true, false);
	end_meets(&end, TCP_SYN, 0, 0);
	synack.first_synack_ns = b.now + 10 * US;
	end_meets(&end, TCP_SYN, 0, 0);
	give(&b, synack);
	end_meets(&end, TCP_ACK, 1, 1);
	b.pace = 10 * US;
	end_accepted(&end, 1);
	end_meets(&end, TCP_FIN | TCP_ACK, 1, 1);
	end_takes_fin(&end, 1);
	end_steps(&end, ST_CLOSE_WAIT);
	end_sends_ack(&end);
	end_meets(&end, TCP_FIN | TCP_ACK, 1, 1);
	end_closes(&end, ETIMEDOUT, EVF_DEAD);
	conn = told(&b);
	assert_story(conn, &end,
		     "<S(0)! SYN_RECV >SA(0,1) <S(0)!+ >SA(0,1)+ <A(1,1)! ESTABLISHED "
		     "<FA(1,1)! CLOSE_WAIT <FA(1,1)!+ CLOSE");
	assert_int_equal(conn->handshake, HANDSHAKE_SYN_AGAIN | HANDSHAKE_SYNACK_AGAIN);
	assert_int_equal(conn->start_ns, BENCH_BEGIN + MS);
	bench_end(&b);
}

/* ---- resets ---- */

static void open_and_talk(struct end *end)
{
	start_story(&b, true, false);
	end_opens(end);
	end_talks(end);
}

/* close_unread: told after the step to CLOSE (R9). */
static void test_reset_sent(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;

	open_and_talk(&end);
	end_closes(&end, 0, EVF_OWNED | EVF_HAS_FILE | EVF_UNREAD);
	b.pace = 10 * US;
	reset_told(&b, EV_RESET_SENT, SOCK, ST_CLOSE, false, 8);
	conn = told(&b);
	assert_int_equal(conn->closed, CLOSED_RST_SENT);
	assert_story(conn, &end, CLIENT_OPENS "[5/6] CLOSE >RA(6,7)");
	bench_end(&b);
}

/* keepalive_timeout, `ss -K`: told before it (R9), and after the data. */
static void test_reset_sent_before(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct story_item *rst;

	open_and_talk(&end);
	reset_told(&b, EV_RESET_SENT, SOCK, ST_ESTABLISHED, false, 15);
	end_closes(&end, ECONNABORTED, EVF_HAS_FILE);
	assert_int_equal(told(&b)->closed, CLOSED_KILLED);
	rst = find_segment(b.conns[0].story, STORY_OUT, TCP_RST | TCP_ACK);
	assert_non_null(rst);
	WANT(&b, rst->has_seq ? rst->seq : ISN_LOCAL + 6, ISN_LOCAL + 6);
	WANT(&b, rst->has_ack ? rst->ack : ISN_REMOTE + 7, ISN_REMOTE + 7);
	WANT(&b, rst[-1].kind, STORY_DATA);
	assert_int_equal(b.complaints, 0);
	bench_end(&b);
}

/* finwait2_orphan_long_data, R8: no RST came, ours answers data. */
static void test_local_abort(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;

	start_story(&b, true, false);
	end_opens(&end);
	end_shuts_first(&end);
	b.pace = 4 * US;
	reset_told(&b, EV_RESET_RECEIVED, SOCK, ST_FIN_WAIT2, false, -1);
	end_closes(&end, ECONNRESET, EVF_DEAD);
	reset_told(&b, EV_RESET_SENT, SOCK, ST_CLOSE, true, 8);
	conn = told(&b);
	assert_int_equal(conn->closed, CLOSED_RST_SENT);
	assert_story(conn, &end, CLIENT_OPENS "FIN_WAIT1 >FA(1,1) <A(1,2) FIN_WAIT2 CLOSE >R(-)");
	bench_end(&b);
}

/* The hook says that one came, nobody saw it: before the step that it caused. */
static void test_reset_received(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;
	int64_t reset_ns;

	open_and_talk(&end);
	reset_told(&b, EV_RESET_RECEIVED, SOCK, ST_ESTABLISHED, false, -1);
	reset_ns = (int64_t)b.now;
	end_closes(&end, ECONNRESET, EVF_HAS_FILE);
	conn = told(&b);
	assert_int_equal(conn->closed, CLOSED_RST_RECEIVED);
	assert_story(conn, &end, CLIENT_OPENS "[5/6] <R(-) CLOSE");
	assert_int_equal(find_segment(conn->story, STORY_IN, TCP_RST)->ts_ns, reset_ns);
	bench_end(&b);
}

/* Seen, it is not told again by what the socket did. */
static void test_reset_seen(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;

	start_story(&b, true, false);
	end_opens(&end);
	end_meets(&end, TCP_RST | TCP_ACK, 1, 1);
	reset_told(&b, EV_RESET_RECEIVED, SOCK, ST_ESTABLISHED, false, -1);
	end_closes(&end, ECONNRESET, EVF_HAS_FILE);
	conn = told(&b);
	assert_int_equal(conn->closed, CLOSED_RST_RECEIVED);
	assert_story(conn, &end, CLIENT_OPENS "<RA(1,1)! CLOSE");
	bench_end(&b);
}

/* closed_port: the numbers of what never was answered are not made up. */
static void test_refused(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_conn *conn;

	start_story(&b, true, false);
	end_connects(&end, false);
	reset_told(&b, EV_RESET_RECEIVED, SOCK, ST_SYN_SENT, false, -1);
	end_closes(&end, ECONNREFUSED, EVF_OWNED);
	conn = told(&b);
	assert_int_equal(conn->opened, OPENED_REFUSED);
	assert_story(conn, &end, "SYN_SENT >S(-) <R(-) CLOSE");
	assert_false(conn->story->has_isn_remote);
	bench_end(&b);
}

/* Data came before the FIN or RST that ends it, whatever tells of it first. */
static void test_data_before_the_end_seen(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	open_and_talk(&end);
	end_meets(&end, TCP_FIN | TCP_ACK, 7, 6);
	end_shuts_second(&end);
	want_text(&b, "FIN", story_text(told(&b)->story, &end),
		  CLIENT_OPENS
		  "[5/6] <FA(7,6)! CLOSE_WAIT >A(6,8) LAST_ACK >FA(6,8) <A(8,7) CLOSE");
	bench_end(&b);
	end = make_end(&b, SOCK, true);
	open_and_talk(&end);
	end_meets(&end, TCP_RST, 7, 0);
	reset_told(&b, EV_RESET_RECEIVED, SOCK, ST_ESTABLISHED, false, -1);
	end_closes(&end, ECONNRESET, EVF_HAS_FILE);
	want_text(&b, "RST", story_text(told(&b)->story, &end), CLIENT_OPENS "[5/6] <R(7)! CLOSE");
	bench_end(&b);
	end = make_end(&b, SOCK, true);
	start_story(&b, true, false);
	end_opens(&end);
	end_shuts_first(&end);
	end_receives(&end, 100, 1);
	end_meets(&end, TCP_FIN | TCP_ACK, 101, 2);
	end_takes_fin(&end, 1);
	end_leaves(&end, ST_TIME_WAIT, EVF_HAS_FILE);
	want_text(&b, "FIN after half-close", story_text(told(&b)->story, &end),
		  CLIENT_OPENS "FIN_WAIT1 >FA(1,1) <A(1,2) FIN_WAIT2 [0/100] <FA(101,2)! "
			       "TIME_WAIT >A(2,102)");
	bench_end(&b);
	assert_int_equal(b.complaints, 0);
}

/* ---- more than are kept ---- */

/* The first two thirds and the latest, and how many there were between. */
static void test_too_many(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_story *story;

	start_story(&b, true, false);
	end_connects(&end, false);
	for (uint32_t i = 0; i < 1000; i++)
		end_repeats(&end, TCP_SYN, 0, 1, 0);
	end_connected(&end);
	end_closes(&end, ETIMEDOUT, 0);
	story = told(&b)->story;
	assert_int_equal(story->len, STORY_ITEMS_MAX);
	assert_int_equal(story->left_out, 2 + 1000 + 4 - STORY_ITEMS_MAX);
	assert_int_equal(story->items[0].state, ST_SYN_SENT);
	for (unsigned int i = 2; i < STORY_ITEMS_MAX * 2 / 3; i++)
		assert_int_equal(story->items[i].ts_ns, story->items[1].ts_ns + (i - 1) * MS);
	for (unsigned int i = STORY_ITEMS_MAX * 2 / 3; i < STORY_ITEMS_MAX - 4; i++)
		assert_int_equal(story->items[i].ts_ns,
				 story->items[1].ts_ns +
					 (int64_t)((1000 - (STORY_ITEMS_MAX - 5 - i)) * MS));
	assert_int_equal(story->items[STORY_ITEMS_MAX - 4].tcp_flags, TCP_SYN | TCP_ACK);
	assert_int_equal(story->items[STORY_ITEMS_MAX - 3].state, ST_ESTABLISHED);
	assert_int_equal(story->items[STORY_ITEMS_MAX - 1].state, ST_CLOSE);
	bench_end(&b);
}

/* One more than there is room for, and just as many. */
static void test_just_full(void **ctx)
{
	for (unsigned int more = 0; more < 2; more++) {
		struct end end = make_end(&b, SOCK, true);

		start_story(&b, true, false);
		end_connects(&end, false);
		for (uint32_t i = 0; i < STORY_ITEMS_MAX - 3 + more; i++)
			end_repeats(&end, TCP_SYN, 0, 1, 0);
		end_closes(&end, ETIMEDOUT, 0);
		assert_int_equal(told(&b)->story->len, STORY_ITEMS_MAX);
		assert_int_equal(b.conns[0].story->left_out, more);
		assert_non_null(find_state(b.conns[0].story, ST_CLOSE));
		bench_end(&b);
	}
}

/* What is put in between goes where it belongs in a full story, too. */
static void test_full_then_reset(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct report_story *story;

	start_story(&b, true, false);
	end_opens(&end);
	end_meets(&end, TCP_URG | TCP_ACK, 1, 1);
	for (int i = 0; i < 200; i++)
		end_meets(&end, TCP_URG | TCP_ACK, 1, 1);
	reset_told(&b, EV_RESET_RECEIVED, SOCK, ST_ESTABLISHED, false, -1);
	end_closes(&end, ECONNRESET, EVF_HAS_FILE);
	story = told(&b)->story;
	assert_int_equal(story->len, STORY_ITEMS_MAX);
	assert_int_equal(story->items[STORY_ITEMS_MAX - 2].tcp_flags, TCP_RST);
	assert_int_equal(story->items[STORY_ITEMS_MAX - 1].state, ST_CLOSE);
	bench_end(&b);
}

static void test_full_then_owed_ack(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	const struct story_item *item;

	start_story(&b, true, false);
	end_opens(&end);
	for (int i = 0; i < 200; i++)
		end_meets(&end, TCP_URG | TCP_ACK, 1, 1);
	end_takes_fin(&end, 1);
	end_steps(&end, ST_CLOSE_WAIT);
	end_sends_ack(&end);
	for (int i = 0; i < 3; i++)
		end_meets(&end, TCP_URG | TCP_ACK, 1, 1);
	end_steps(&end, ST_LAST_ACK);
	end_closes(&end, ETIMEDOUT, EVF_DEAD);
	item = find_state(told(&b)->story, ST_CLOSE_WAIT);
	assert_non_null(item);
	assert_int_equal(item[1].kind, STORY_SEGMENT);
	assert_int_equal(item[1].way, STORY_OUT);
	assert_int_equal(item[1].tcp_flags, TCP_ACK);
	bench_end(&b);
}

/* ---- the rest ---- */

/* What came of each flag is told just before the end. */
static void test_flags(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	struct ev_flags flags = { .hdr = make_hdr(EV_FLAGS, sizeof(flags), SOCK),
				  .syn = 1,
				  .ack = 22,
				  .fin = 3,
				  .rst = 4,
				  .psh = 5,
				  .urg = 6 };
	const struct report_conn *conn;

	start_story(&b, false, false);
	end_opens(&end);
	give(&b, flags);
	end_closes(&end, ETIMEDOUT, 0);
	conn = told(&b);
	assert_non_null(conn->flags_rx);
	assert_int_equal(conn->flags_rx->syn, 1);
	assert_int_equal(conn->flags_rx->ack, 22);
	assert_int_equal(conn->flags_rx->fin, 3);
	assert_int_equal(conn->flags_rx->rst, 4);
	assert_int_equal(conn->flags_rx->psh, 5);
	assert_int_equal(conn->flags_rx->urg, 6);
	bench_end(&b);
}

/* Segments that had no room cost no connection its completeness: they are inferred. */
static void test_lost_segments(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	struct engine_counts counts;

	start_story(&b, true, false);
	end_opens(&end);
	lost_told(&b, LOST_SEGMENTS, 1000);
	end_closes(&end, ETIMEDOUT, 0);
	assert_int_equal(told(&b)->incomplete, 0);
	assert_null(b.conns[0].flags_rx);
	engine_counts(b.engine, &counts);
	assert_int_equal(counts.lost[LOST_SEGMENTS], 1000);
	assert_int_equal(counts.segments, 0);
	bench_end(&b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_syn_again),
		TEST(test_syn_again_then_seen),
		TEST(test_fin_again),
		TEST(test_fin_again_after_data),
		TEST(test_data_again),
		TEST(test_data_again_later),
		TEST(test_data_again_in_a_row),
		TEST(test_data_again_and_again),
		TEST(test_data_again_after_fin),
		TEST(test_sent_again_unnumbered),
		TEST(test_data_again_not_drawn),
		TEST(test_synack_again),
		TEST(test_peer_repeats),
		TEST(test_reset_sent),
		TEST(test_reset_sent_before),
		TEST(test_local_abort),
		TEST(test_reset_received),
		TEST(test_reset_seen),
		TEST(test_refused),
		TEST(test_data_before_the_end_seen),
		TEST(test_too_many),
		TEST(test_just_full),
		TEST(test_full_then_reset),
		TEST(test_full_then_owed_ack),
		TEST(test_flags),
		TEST(test_lost_segments),
	};

	return cmocka_run_group_tests_name("story: segments", tests, NULL, NULL);
}
