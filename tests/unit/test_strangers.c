// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments that belong to no socket yet, and what becomes of them: refused, reset,
 * given up, taken over by a child of a listener, or forgotten.
 */
#include <malloc.h>

#include "stories.h"

#define SOCK 1
#define REQUEST 77
#define FIRST BENCH_BEGIN /* when the first SYN+ACK of a request left */

static struct bench b;

static int setup(void **ctx)
{
	bench_calm(&b);
	return 0;
}

static struct ev_tuple ends_of(uint16_t rport)
{
	return make_tuple(RPORT, rport);
}

static void meets(uint16_t rport, uint8_t tcp_flags, uint8_t met_state)
{
	struct ev_tuple tuple = ends_of(rport);
	struct ev_segment segment = make_segment(
		&tuple, tcp_flags, ISN_REMOTE + !(tcp_flags & TCP_SYN), ISN_LOCAL + 1, met_state);

	give(&b, segment);
}

static void syn_meets(uint16_t rport, uint8_t met_state)
{
	meets(rport, TCP_SYN, met_state);
}

static void refused(uint16_t rport, uint8_t tcp_flags, bool has_listener, int reason)
{
	struct ev_tuple tuple = ends_of(rport);
	struct ev_refused event = make_refused(&tuple, tcp_flags, has_listener, reason);

	give(&b, event);
}

/* The request, begun at FIRST, sends its SYN+ACK again at this time. */
static void synack_again_at(uint64_t first_ns, uint64_t ts_ns)
{
	struct ev_tuple tuple = ends_of(LPORT);
	struct ev_synack_retransmit again = make_synack(REQUEST, &tuple);

	again.first_synack_ns = first_ns;
	again.hdr.ts_ns = ts_ns;
	if (ts_ns > b.now)
		b.now = ts_ns;
	give(&b, again);
}

/* Any event of anybody: in a recording only these make the time pass. */
static void something_at(uint64_t ts_ns)
{
	struct ev_destroy destroy = { .hdr = make_hdr(EV_DESTROY, sizeof(destroy), 999) };

	b.now = ts_ns;
	destroy.hdr.ts_ns = ts_ns;
	give(&b, destroy);
}

static void something_from_to(uint64_t from_ns, uint64_t to_ns)
{
	for (uint64_t ns = from_ns; ns <= to_ns; ns += 100 * MS)
		something_at(ns);
}

static struct engine_counts count(void)
{
	struct engine_counts counts;

	engine_counts(b.engine, &counts);
	return counts;
}

/* What nobody can know of a connection that never had a socket. */
static void want_no_socket(const struct report_conn *conn)
{
	assert_int_equal(conn->role, ROLE_SERVER);
	assert_int_equal(conn->closed, CLOSED_NONE);
	assert_int_equal(conn->closed_first, FIRST_NONE);
	assert_int_equal(conn->teardown, TEARDOWN_NONE);
	assert_int_equal(conn->remains, REMAINS_NOTHING);
	assert_int_equal(conn->cookie, 0);
	assert_int_equal(conn->pid, 0);
	assert_int_equal(conn->uid, ~0U);
	assert_string_equal(conn->comm, "");
	assert_null(conn->cgroup);
	assert_null(conn->story);
	assert_null(conn->flags_rx);
	assert_null(conn->peer);
	assert_true(conn->handshake_ns == UNKNOWN_NS);
	assert_true(conn->half_close_ns == UNKNOWN_NS);
	assert_true(conn->time_wait_ns == UNKNOWN_NS);
	assert_true(conn->half_close_bytes == UNKNOWN_COUNT);
	assert_true(conn->srtt_us == UNKNOWN_COUNT);
	assert_int_equal(conn->incomplete, 0);
	assert_int_equal(conn->tuple.lport, RPORT);
	assert_int_equal(conn->tuple.rport, LPORT);
	assert_int_equal(conn->tuple.family, 4);
	assert_int_equal(conn->tuple.netns_inum, NETNS_INUM);
	assert_string_equal(conn->history, "");
}

/* ---- refused ---- */

/* closed_port, on the side that refuses: the time of a SYN that met no socket is that of the RST. */
static void test_refused(void **ctx)
{
	const struct report_conn *conn = &b.conns[0];

	start_story(&b, false, false);
	syn_meets(LPORT, ST_NONE);
	b.pace = 10 * US;
	refused(LPORT, TCP_SYN, false, 1);
	assert_int_equal(b.conns_len, 1);
	want_no_socket(conn);
	assert_int_equal(conn->opened, OPENED_REFUSED);
	assert_int_equal(conn->reset_reason, 1);
	assert_int_equal(conn->end_ns, BENCH_BEGIN + MS + 10 * US);
	assert_true(conn->start_ns <= conn->end_ns);
	assert_int_equal(conn->duration_ns, conn->end_ns - conn->start_ns);
	assert_int_equal(conn->states_len, 0);
	assert_string_equal(conn->conn_state, "REJ");
	assert_int_equal(count().strangers, 1);
	assert_int_equal(count().stray_segments, 0);
	bench_end(&b);
}

/* A listener refuses it later: it began at the SYN that was seen. */
static void test_refused_by_listener(void **ctx)
{
	start_story(&b, false, false);
	syn_meets(LPORT, ST_LISTEN);
	b.now += 30 * MS;
	refused(LPORT, TCP_SYN, true, -1);
	assert_int_equal(b.conns_len, 1);
	want_no_socket(&b.conns[0]);
	assert_int_equal(b.conns[0].start_ns, BENCH_BEGIN + MS);
	assert_int_equal(b.conns[0].duration_ns, 31 * MS);
	assert_int_equal(b.conns[0].reset_reason, -1);
	b.now += 5 * SEC;
	refused(LPORT, TCP_SYN, true, -1); /* the SYN of before is not this one's */
	assert_int_equal(b.conns_len, 2);
	assert_int_equal(b.conns[1].start_ns, b.now);
	assert_int_equal(b.conns[1].duration_ns, 0);
	bench_end(&b);
}

/* last_ack_never: what is no SYN opens nothing; it is only counted. */
static void test_stray_segments(void **ctx)
{
	start_story(&b, false, false);
	refused(LPORT, TCP_ACK | TCP_PSH, true, 6);
	refused(LPORT, TCP_FIN | TCP_ACK, false, 1);
	refused(LPORT, TCP_SYN | TCP_ACK, false, 1);
	assert_int_equal(b.conns_len, 0);
	assert_int_equal(count().stray_segments, 3);
	assert_int_equal(count().strangers, 0);
	bench_end(&b);
}

/* ---- reset ---- */

static void test_request_reset(void **ctx)
{
	const struct report_conn *conn = &b.conns[0];

	start_story(&b, false, false);
	syn_meets(LPORT, ST_LISTEN);
	b.now += 200 * MS;
	meets(LPORT, TCP_RST, ST_NEW_SYN_RECV);
	assert_int_equal(b.conns_len, 1);
	want_no_socket(conn);
	assert_int_equal(conn->opened, OPENED_RESET);
	assert_int_equal(conn->start_ns, BENCH_BEGIN + MS);
	assert_int_equal(conn->duration_ns, 201 * MS);
	assert_string_equal(states_text(conn), "SYN_RECV");
	assert_int_equal(conn->states[0].ns, 201 * MS);
	assert_int_equal(count().strangers, 1);
	assert_int_equal(count().stray_resets, 0);
	something_from_to(b.now, b.now + 140 * SEC);
	assert_int_equal(b.conns_len, 1);
	bench_end(&b);
}

/* A blind one, outside of its window, leaves the request as it is (RFC 9293 3.10.7.4). */
static void test_blind_reset(void **ctx)
{
	struct ev_tuple tuple = ends_of(LPORT);
	struct ev_segment far =
		make_segment(&tuple, TCP_RST, ISN_REMOTE + 100000, 0, ST_NEW_SYN_RECV);

	start_story(&b, false, false);
	syn_meets(LPORT, ST_LISTEN);
	give(&b, far);
	assert_int_equal(b.conns_len, 0);
	meets(LPORT, TCP_RST, ST_NEW_SYN_RECV);
	assert_int_equal(b.conns_len, 1);
	bench_end(&b);
}

/* Its SYN was not seen: known by a repeated SYN+ACK, or not at all. */
static void test_unseen_request_reset(void **ctx)
{
	start_story(&b, false, false);
	synack_again_at(FIRST, FIRST + SEC);
	meets(LPORT, TCP_RST | TCP_ACK, ST_NEW_SYN_RECV);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].start_ns, FIRST);
	meets(LPORT, TCP_RST, ST_NEW_SYN_RECV); /* whether its number is right, nobody can say */
	assert_int_equal(b.conns_len, 1);
	bench_end(&b);
}

/* A reset that meets no connection, of all that it may meet. */
static void test_stray_resets(void **ctx)
{
	start_story(&b, false, false);
	for (uint8_t state = ST_NONE; state < ST_MAX; state++)
		if (state != ST_NEW_SYN_RECV)
			meets(LPORT, TCP_RST | TCP_ACK, state);
	assert_int_equal(count().stray_resets, 2); /* nothing, and a listener */
	assert_int_equal(count().segments, ST_MAX - 1);
	assert_int_equal(count().strangers, 0);
	assert_int_equal(b.conns_len, 0);
	bench_end(&b);
}

/* ---- given up ---- */

/* synack_never: 1, 3, 7, 15, 31 s; by 63 s the kernel would have repeated it, or gives up. */
static void repeat_until_given_up(void)
{
	static const uint64_t times[] = { 1, 3, 7, 15, 31 };

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		something_from_to(b.now, FIRST + times[i] * SEC);
		synack_again_at(FIRST, FIRST + times[i] * SEC);
		assert_int_equal(b.conns_len, 0);
	}
}

static void test_given_up(void **ctx)
{
	const struct report_conn *conn = &b.conns[0];

	start_story(&b, false, false);
	syn_meets(LPORT, ST_LISTEN);
	repeat_until_given_up();
	something_from_to(FIRST + 31 * SEC, FIRST + 63 * SEC);
	assert_int_equal(b.conns_len, 0);
	something_from_to(FIRST + 63 * SEC, FIRST + 66 * SEC);
	assert_int_equal(b.conns_len, 1);
	want_no_socket(conn);
	assert_int_equal(conn->opened, OPENED_TIMED_OUT);
	assert_int_equal(conn->start_ns, BENCH_BEGIN + MS);
	assert_int_equal(conn->duration_ns, conn->end_ns - conn->start_ns);
	assert_string_equal(states_text(conn), "SYN_RECV");
	assert_int_equal(conn->states[0].ns, conn->duration_ns);
	something_from_to(b.now, b.now + 300 * SEC);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(count().strangers, 1);
	bench_end(&b);
}

/* It ended when the kernel gave it up, not when that was sure. */
static void test_given_up_when(void **ctx)
{
	start_story(&b, false, false);
	repeat_until_given_up();
	something_from_to(FIRST + 31 * SEC, FIRST + 66 * SEC);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].start_ns, FIRST);
	assert_int_equal(b.conns[0].end_ns, FIRST + 63 * SEC);
	bench_end(&b);
}

/* The same by the clock of a tracer to which nothing else happens. */
static void test_given_up_by_ticks(void **ctx)
{
	start_story(&b, false, false);
	syn_meets(LPORT, ST_LISTEN);
	repeat_until_given_up();
	for (int i = 0; i < 320; i++)
		bench_tick(&b, 100 * MS);
	assert_int_equal(b.conns_len, 0);
	for (int i = 0; i < 30; i++)
		bench_tick(&b, 100 * MS);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].opened, OPENED_TIMED_OUT);
	bench_end(&b);
}

/* When its first SYN+ACK left is not known: no reason to wait for ever. */
static void test_given_up_begin_unknown(void **ctx)
{
	start_story(&b, false, false);
	synack_again_at(0, FIRST + SEC);
	synack_again_at(0, FIRST + 3 * SEC);
	something_from_to(FIRST + 3 * SEC, FIRST + 300 * SEC);
	assert_int_equal(b.conns_len, 1);
	assert_true(b.conns[0].start_ns == UNKNOWN_NS);
	bench_end(&b);
}

/* synack_dropped: it is sent again for a repeated SYN, too, soon after that of the timer. */
static void test_not_given_up(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);

	start_story(&b, false, false);
	syn_meets(LPORT, ST_LISTEN);
	synack_again_at(FIRST, FIRST + SEC);
	something_at(FIRST + SEC + 20 * MS);
	syn_meets(LPORT, ST_NEW_SYN_RECV);
	synack_again_at(FIRST, b.now + 10 * US);
	something_from_to(FIRST + SEC + 100 * MS, FIRST + 3 * SEC);
	synack_again_at(FIRST, FIRST + 3 * SEC + 40 * MS);
	something_at(FIRST + 3 * SEC + 100 * MS);
	end_accepted(&end, 3);
	assert_int_equal(b.conns_len, 0);
	assert_int_equal(count().strangers, 0);
	end_closes(&end, ETIMEDOUT, 0);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].start_ns, BENCH_BEGIN + MS);
	bench_end(&b);
}

/* One that came about is not given up later. */
static void test_established_in_time(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);

	start_story(&b, false, false);
	synack_again_at(FIRST, FIRST + SEC);
	end_accepted(&end, 1);
	something_from_to(b.now, FIRST + 200 * SEC);
	assert_int_equal(b.conns_len, 0);
	bench_end(&b);
}

/* A SYN that came to nothing, and of which no request is known, is no attempt of ours. */
static void test_syn_alone(void **ctx)
{
	start_story(&b, false, false);
	syn_meets(LPORT, ST_LISTEN);
	something_from_to(b.now, b.now + 300 * SEC);
	engine_finish(b.engine);
	assert_int_equal(b.conns_len, 0);
	assert_int_equal(count().strangers, 0);
	bench_end(&b);
}

/* ---- taken over ---- */

static int64_t start_of(struct end *end)
{
	end_accepted(end, 0);
	end_closes(end, ETIMEDOUT, 0);
	bench_settle(&b);
	return b.conns[b.conns_len - 1].start_ns;
}

/* No SYN is known of it: the last ACK less one RTT. */
static void want_start_by_rtt(struct end *end)
{
	int64_t start_ns = start_of(end);

	assert_int_equal(start_ns, b.now - HOLD_MAX - 1 - MS - SRTT_US * US);
}

/* The SYN is the child's, once; also where no story is asked for. */
static void test_adopted(void **ctx)
{
	const struct engine_options options = { .strangers = true, .max_connections = 16 };

	for (int has_story = 0; has_story < 2; has_story++) {
		struct end end = make_end(&b, SOCK, false), again = make_end(&b, 5, false);
		int64_t syn_ns;

		if (has_story)
			start_story(&b, true, false);
		else
			bench_start_with(&b, &options);
		syn_meets(LPORT, ST_LISTEN);
		syn_ns = (int64_t)b.now;
		b.now += 3 * SEC;
		assert_int_equal(start_of(&end), syn_ns);
		b.now += 3 * SEC;
		want_start_by_rtt(&again);
		bench_end(&b);
	}
}

/* tw_reuse_server: the SYN that takes a TIME_WAIT over begins another life. */
static void test_adopted_after_time_wait(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);
	int64_t syn_ns;

	start_story(&b, true, false);
	syn_meets(LPORT, ST_LISTEN);
	b.now += 20 * SEC;
	syn_meets(LPORT, ST_TIME_WAIT);
	syn_ns = (int64_t)b.now;
	b.now += 3 * MS;
	assert_int_equal(start_of(&end), syn_ns);
	assert_story(&b.conns[0], &end, "<S(0)! SYN_RECV >SA(0,1) <A(-,-) ESTABLISHED CLOSE");
	bench_end(&b);
}

/* A SYN of another number is another attempt: the one before came to nothing. */
static void test_another_syn(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);
	int64_t syn_ns;

	start_story(&b, true, false);
	syn_meets(LPORT, ST_LISTEN);
	b.now += 20 * SEC;
	end.isn_remote = ISN_REMOTE + 777777;
	end_meets(&end, TCP_SYN, 0, 0);
	syn_ns = (int64_t)b.now;
	b.now += 3 * MS;
	assert_int_equal(start_of(&end), syn_ns);
	bench_end(&b);
}

static const struct {
	const char *name;
	uint64_t synack_ms; /* since the first SYN; 0: sent once only */
	int must; /* the number of the SYN that was answered */
} answers[] = {
	{ "the last, for what came before was ignored", 0, 2 },
	{ "the first", 1, 0 },
	{ "the second, the SYN+ACK was lost", 3001, 1 },
};

/* acceptq_overflow, synack_dropped: of several SYNs the life begins at the one that was answered. */
static void test_answered_syn(void **ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct end end = make_end(&b, SOCK, false);
		int64_t syns[3];

		start_story(&b, true, false);
		b.label = answers[i].name;
		b.pace = 10 * US;
		for (int syn = 0; syn < 3; syn++) {
			syn_meets(LPORT, ST_LISTEN);
			syns[syn] = (int64_t)b.now;
			b.now += 3 * SEC;
		}
		if (answers[i].synack_ms)
			synack_again_at((uint64_t)syns[0] + answers[i].synack_ms * MS, b.now);
		end_accepted(&end, answers[i].synack_ms ? 1 : 0);
		end_closes(&end, ETIMEDOUT, 0);
		assert_int_equal(b.conns_len, 1);
		WANT(&b, b.conns[0].start_ns, syns[answers[i].must]);
		WANT(&b, b.conns[0].handshake & HANDSHAKE_SYN_AGAIN, HANDSHAKE_SYN_AGAIN);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* Of a connection whose socket is gone the ends are free for the next one's SYN. */
static void test_adopted_in_time_wait(void **ctx)
{
	struct end end = make_end(&b, SOCK, false), again = make_end(&b, 5, false);
	int64_t syn_ns;

	start_story(&b, true, true);
	end_opens(&end);
	end_shuts_first(&end);
	end_takes_fin(&end, 1);
	end_leaves(&end, ST_TIME_WAIT, EVF_DEAD);
	end_timer_told(&end, MINISOCK_CANCEL, ST_TIME_WAIT);
	syn_meets(LPORT, ST_TIME_WAIT);
	syn_ns = (int64_t)b.now;
	end_accepted(&again, 0);
	end_closes(&again, ETIMEDOUT, 0);
	bench_settle(&b);
	engine_finish(b.engine);
	assert_int_equal(b.conns_len, 2);
	assert_int_equal(b.conns[0].remains_end, REMAINS_END_REUSED);
	assert_int_equal(b.conns[1].start_ns, syn_ns);
	assert_story(&b.conns[1], &again, "<S(0)! SYN_RECV >SA(0,1) <A(-,-) ESTABLISHED CLOSE");
	bench_end(&b);
}

/* Older than any request lives: forgotten. */
static void test_too_old(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);

	start_story(&b, true, false);
	syn_meets(LPORT, ST_LISTEN);
	something_from_to(b.now, b.now + 140 * SEC);
	want_start_by_rtt(&end);
	bench_end(&b);
}

/* Only the first few segments are kept, and its own SYN is among them. */
static void test_many_segments(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);
	int64_t syn_ns;

	start_story(&b, true, false);
	syn_meets(LPORT, ST_LISTEN);
	syn_ns = (int64_t)b.now;
	for (int i = 0; i < 100; i++)
		end_meets(&end, TCP_URG | TCP_ACK, 1, 1);
	assert_int_equal(start_of(&end), syn_ns);
	assert_true(b.conns[0].story->len < 12);
	bench_end(&b);
}

/* On its way to another host, or to nothing here: leaves no trace. */
static void test_other_host(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);

	start_story(&b, true, false);
	syn_meets(LPORT, ST_NONE);
	meets(LPORT, TCP_ACK, ST_NONE);
	meets(LPORT, TCP_SYN | TCP_ACK, ST_NONE);
	b.now += 3 * SEC;
	want_start_by_rtt(&end);
	assert_story(&b.conns[0], &end, SERVER_OPENS "CLOSE");
	assert_int_equal(count().segments, 3);
	assert_int_equal(count().strangers, 0);
	bench_end(&b);
}

/* Not asked for: nothing of it is told. */
static void test_not_asked_for(void **ctx)
{
	bench_start(&b, false);
	syn_meets(LPORT, ST_LISTEN);
	refused(LPORT, TCP_SYN, true, -1);
	meets(LPORT, TCP_RST, ST_NEW_SYN_RECV);
	synack_again_at(FIRST, FIRST + SEC);
	something_from_to(FIRST + SEC, FIRST + 200 * SEC);
	assert_int_equal(b.conns_len, 0);
	assert_int_equal(count().strangers, 0);
	bench_end(&b);
}

/* ---- drawn ---- */

/* The SYN and the answer that nobody listens; once, whether an interface saw it or not. */
static void test_refused_drawn(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);

	for (uint8_t met = ST_NONE; met <= ST_LISTEN; met += ST_LISTEN) {
		start_story(&b, true, false);
		syn_meets(LPORT, met);
		refused(LPORT, TCP_SYN, met != ST_NONE, 1);
		assert_int_equal(b.conns_len, 1);
		assert_story(&b.conns[0], &end, "<S(0)! >RA(-,1)");
		assert_true(b.conns[0].story->has_isn_remote);
		assert_int_equal(b.conns[0].story->isn_remote, ISN_REMOTE);
		assert_false(b.conns[0].story->has_isn_local);
		bench_end(&b);
	}
}

static void test_request_reset_drawn(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);

	start_story(&b, true, false);
	syn_meets(LPORT, ST_LISTEN);
	end.state = ST_NEW_SYN_RECV;
	end_meets(&end, TCP_RST, 1, 0);
	assert_int_equal(b.conns_len, 1);
	assert_story(&b.conns[0], &end, "<S(0)! SYN_RECV >SA(-,-) <R(1)!");
	bench_end(&b);
}

static void test_given_up_drawn(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);

	start_story(&b, true, false);
	syn_meets(LPORT, ST_LISTEN);
	repeat_until_given_up();
	something_from_to(FIRST + 31 * SEC, FIRST + 66 * SEC);
	assert_int_equal(b.conns_len, 1);
	assert_story(&b.conns[0], &end,
		     "<S(0)! SYN_RECV >SA(-,-) >SA(-,-)+ >SA(-,-)+ >SA(-,-)+ >SA(-,-)+ >SA(-,-)+");
	bench_end(&b);
}

/* closed_port with both ends on this host: the client's diagram has it all. */
static void test_refused_at_home(void **ctx)
{
	struct end client = make_end(&b, SOCK, true);

	for (int draw = 0; draw < 2; draw++) {
		client = make_end(&b, SOCK, true);
		memcpy(client.tuple.laddr, ends_of(LPORT).raddr, 16);
		memcpy(client.tuple.raddr, ends_of(LPORT).laddr, 16);
		start_story(&b, draw, false);
		end_connects(&client, true);
		syn_meets(LPORT, ST_NONE);
		refused(LPORT, TCP_SYN, false, 1);
		reset_told(&b, EV_RESET_RECEIVED, SOCK, ST_SYN_SENT, false, -1);
		end_closes(&client, ECONNREFUSED, EVF_OWNED);
		assert_int_equal(b.conns_len, draw ? 1 : 2);
		assert_int_equal(b.conns[b.conns_len - 1].sock, SOCK);
		assert_int_equal(count().strangers, 1);
		bench_end(&b);
	}
}

/* ---- more than there is room for ---- */

static size_t memory_in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* The n-th SYN of a flood, from an address and a port of its own. */
static struct ev_segment make_flood(uint32_t n)
{
	struct ev_tuple tuple = ends_of((uint16_t)(1024 + n % 50000));
	uint32_t host = htonl(0xc6120000 + n / 50000 + (n % 7) * 256);

	memcpy(tuple.raddr + 12, &host, 4);
	return make_segment(&tuple, TCP_SYN, n, 0, ST_LISTEN);
}

static void flood(uint32_t from, uint32_t to)
{
	for (uint32_t n = from; n < to; n++) {
		struct ev_segment segment = make_flood(n);

		give(&b, segment);
	}
}

/* A million SYNs in five seconds: no memory, and the honest one that is in time keeps its SYN. */
static void test_flood(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);
	size_t before, after;
	int64_t syn_ns;

	start_story(&b, true, false);
	b.pace = 5 * US;
	flood(0, 100000);
	before = memory_in_use();
	flood(100000, 1000000);
	after = memory_in_use();
	assert_true(after < before + 65536);
	syn_meets(LPORT, ST_LISTEN);
	syn_ns = (int64_t)b.now;
	flood(1000000, 1001000);
	assert_int_equal(start_of(&end), syn_ns);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(count().segments, 1001001);
	bench_end(&b);
}

/* Requests that are flooded: their records are bounded, too. */
static void test_flood_of_requests(void **ctx)
{
	static struct report_conn last;
	const struct report_sink sink = { .ctx = &last };
	const struct engine_options options = { .strangers = true, .max_connections = 16 };

	bench_start_with(&b, &options);
	engine_free(b.engine);
	b.engine = engine_new(&options, &sink);
	b.pace = 5 * US;
	for (uint32_t n = 0; n < 200000; n++) {
		struct ev_segment segment = make_flood(n);
		struct ev_synack_retransmit again = make_synack(n + 1, &segment.tuple);

		again.first_synack_ns = b.now - SEC;
		give(&b, again);
	}
	something_from_to(b.now, b.now + 10 * SEC);
	assert_true(count().strangers > 0);
	assert_true(count().strangers <= 65536);
	bench_end(&b);
}

/* ---- the filter ---- */

static const struct {
	const char *name;
	uint8_t family;
	uint16_t lport, rport; /* 0: any */
	uint32_t pid;
	uint64_t netns_cookie;
	const char *cgroup;
	bool must;
} filters[] = {
	{ "none", .must = true },
	{ "family", .family = 4, .must = true },
	{ "other family", .family = 6 },
	{ "local port", .lport = RPORT, .must = true },
	{ "other local port", .lport = RPORT + 1 },
	{ "remote port", .rport = LPORT, .must = true },
	{ "other remote port", .rport = LPORT + 1 },
	{ "process", .pid = 4711 },
	{ "process and port", .pid = 4711, .lport = RPORT },
	{ "namespace", .netns_cookie = NETNS_COOKIE, .must = true },
	{ "other namespace", .netns_cookie = NETNS_COOKIE + 1 },
	{ "cgroup", .cgroup = "/system.slice" },
};

static void set_filter(struct filter *filter, size_t i)
{
	memset(filter, 0, sizeof(*filter));
	filter->active = i > 0 && !filters[i].cgroup;
	filter->family = filters[i].family;
	filter->pid = filters[i].pid;
	filter->netns_cookie = filters[i].netns_cookie;
	filter->has_lports = filters[i].lport != 0;
	filter->has_rports = filters[i].rport != 0;
	filter->lports[filters[i].lport >> 3] = 1 << (filters[i].lport & 7);
	filter->rports[filters[i].rport >> 3] = 1 << (filters[i].rport & 7);
}

/* What is told of no socket must be wanted as well; whose it is nobody knows. */
static void test_filters(void **ctx)
{
	static struct filter filter;

	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		const struct engine_options options = { .strangers = true,
							.max_connections = 16,
							.filter = &filter,
							.cgroup = filters[i].cgroup };

		set_filter(&filter, i);
		bench_start_with(&b, &options);
		b.label = filters[i].name;
		refused(LPORT, TCP_SYN, false, 1);
		WANT(&b, b.conns_len, filters[i].must ? 1 : 0);
		syn_meets(LPORT, ST_LISTEN);
		meets(LPORT, TCP_RST, ST_NEW_SYN_RECV);
		WANT(&b, b.conns_len, filters[i].must ? 2 : 0);
		synack_again_at(FIRST, FIRST + SEC);
		something_from_to(FIRST + SEC, FIRST + 6 * SEC);
		WANT(&b, b.conns_len, filters[i].must ? 3 : 0);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* IPv6 is no other matter. */
static void test_ipv6(void **ctx)
{
	struct ev_tuple tuple = ends_of(LPORT);
	struct ev_refused event;
	struct ev_segment segment;

	start_story(&b, false, false);
	tuple.family = 6;
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::1", tuple.laddr), 1);
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::2", tuple.raddr), 1);
	segment = make_segment(&tuple, TCP_SYN, 1, 0, ST_LISTEN);
	give(&b, segment);
	b.now += SEC;
	event = make_refused(&tuple, TCP_SYN, true, -1);
	give(&b, event);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].tuple.family, 6);
	assert_int_equal(b.conns[0].start_ns, BENCH_BEGIN + MS);
	bench_end(&b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_refused),
		TEST(test_refused_by_listener),
		TEST(test_stray_segments),
		TEST(test_request_reset),
		TEST(test_blind_reset),
		TEST(test_unseen_request_reset),
		TEST(test_stray_resets),
		TEST(test_given_up),
		TEST(test_given_up_when),
		TEST(test_given_up_by_ticks),
		TEST(test_given_up_begin_unknown),
		TEST(test_not_given_up),
		TEST(test_established_in_time),
		TEST(test_syn_alone),
		TEST(test_adopted),
		TEST(test_adopted_after_time_wait),
		TEST(test_another_syn),
		TEST(test_answered_syn),
		TEST(test_adopted_in_time_wait),
		TEST(test_too_old),
		TEST(test_many_segments),
		TEST(test_other_host),
		TEST(test_not_asked_for),
		TEST(test_refused_drawn),
		TEST(test_request_reset_drawn),
		TEST(test_given_up_drawn),
		TEST(test_refused_at_home),
		TEST(test_flood),
		TEST(test_flood_of_requests),
		TEST(test_filters),
		TEST(test_ipv6),
	};

	return cmocka_run_group_tests_name("strangers", tests, NULL, NULL);
}
