// SPDX-License-Identifier: GPL-2.0-only
/*
 * --whole: what the kernel keeps of a closed connection, and how that ends
 * (SCENARIOS R3 and R4; "TIME_WAIT and FIN_WAIT2 minisocks").
 */
#include "lives.h"

#define SOCK 1
#define MINISOCK 2
#define COOKIE (SOCK + 100000)
#define CANCEL MINISOCK_CANCEL
#define EXPIRE MINISOCK_EXPIRE
#define RESTART MINISOCK_RESTART
#define LONG_AGO (30 * SEC) /* by then every verdict is told */

#define UP_TO_FIN2 "SYN_SENT ESTABLISHED FIN_WAIT1 FIN_WAIT2"
#define UP_TO_TIME_WAIT UP_TO_FIN2 " TIME_WAIT"

/* A client whose socket goes and leaves a minisock, 4 ms after it entered FIN_WAIT2. */
static void leave_minisock(struct bench *b, uint8_t substate)
{
	struct ev_close close = make_close(SOCK, ST_FIN_WAIT2, 0, EVF_DEAD);

	lead_to(b, SOCK, ROLE_CLIENT, ST_FIN_WAIT2);
	b->now += 3 * MS;
	close.stats = stats_at(ROLE_CLIENT, ST_FIN_WAIT2, true);
	close.minisock = MINISOCK;
	close.minisock_state = substate;
	if (substate == ST_TIME_WAIT)
		close.sock.flags |= EVF_DONE;
	give(b, close);
}

/* One timer event, at a time after the minisock was made. */
struct timer_step {
	uint64_t after_ns;
	uint8_t what;
	uint8_t substate;
	uint32_t pid;
	uint64_t time_wait_after_ns; /* what the deadline tells; 0: unknown */
	bool netns_dying;
};

static void tell_timer(struct bench *b, uint64_t made_ns, const struct timer_step *step)
{
	struct ev_minisock_timer timer =
		make_timer(MINISOCK, step->what, step->substate, step->pid);

	timer.hdr.cookie = COOKIE;
	timer.hdr.ts_ns = made_ns + step->after_ns;
	timer.time_wait_ns = step->time_wait_after_ns ? made_ns + step->time_wait_after_ns : 0;
	timer.netns_dying = step->netns_dying;
	b->now = timer.hdr.ts_ns;
	give(b, timer);
}

#define UNKNOWN UNKNOWN_NS

static const struct ending {
	const char *name;
	uint8_t substate;
	struct timer_step steps[4];
	enum conn_remains_end end;
	const char *states;
	int64_t fin2_ns, time_wait_ns;
} endings[] = {
	{ "TIME_WAIT expires",
	  ST_TIME_WAIT,
	  { { 60 * SEC - US, CANCEL, ST_TIME_WAIT, 0, 1, false },
	    { 60 * SEC, EXPIRE, ST_TIME_WAIT, 0, 1, false } },
	  REMAINS_END_EXPIRED,
	  UP_TO_TIME_WAIT,
	  4 * MS,
	  60 * SEC },
	{ "FIN_WAIT2 expires",
	  ST_FIN_WAIT2,
	  { { 60 * SEC - US, CANCEL, ST_FIN_WAIT2, 0, 0, false },
	    { 60 * SEC, EXPIRE, ST_FIN_WAIT2, 0, 0, false } },
	  REMAINS_END_EXPIRED,
	  UP_TO_FIN2,
	  60 * SEC + 4 * MS,
	  UNKNOWN },
	{ "FIN comes, then it expires",
	  ST_FIN_WAIT2,
	  { { SEC - US, CANCEL, ST_TIME_WAIT, 0, 0, false },
	    { SEC, RESTART, ST_TIME_WAIT, 0, SEC, false },
	    { 61 * SEC - US, CANCEL, ST_TIME_WAIT, 0, SEC, false },
	    { 61 * SEC, EXPIRE, ST_TIME_WAIT, 0, SEC, false } },
	  REMAINS_END_EXPIRED,
	  UP_TO_TIME_WAIT,
	  SEC + 4 * MS,
	  60 * SEC },
	/* the cancelled timer's deadline was FIN_WAIT2's: its time is not TIME_WAIT's */
	{ "FIN comes, old deadline, then it expires",
	  ST_FIN_WAIT2,
	  { { SEC - US, CANCEL, ST_TIME_WAIT, 0, 1, false },
	    { SEC, RESTART, ST_TIME_WAIT, 0, SEC, false },
	    { 61 * SEC - US, CANCEL, ST_TIME_WAIT, 0, SEC, false },
	    { 61 * SEC, EXPIRE, ST_TIME_WAIT, 0, SEC, false } },
	  REMAINS_END_EXPIRED,
	  UP_TO_TIME_WAIT,
	  SEC + 4 * MS,
	  60 * SEC },
	{ "FIN seen only at the expiry",
	  ST_FIN_WAIT2,
	  { { 61 * SEC - US, CANCEL, ST_TIME_WAIT, 0, SEC, false },
	    { 61 * SEC, EXPIRE, ST_TIME_WAIT, 0, SEC, false } },
	  REMAINS_END_EXPIRED,
	  UP_TO_TIME_WAIT,
	  SEC + 4 * MS,
	  60 * SEC },
	{ "FIN seen only at the expiry, time unknown",
	  ST_FIN_WAIT2,
	  { { 61 * SEC - US, CANCEL, ST_TIME_WAIT, 0, 0, false },
	    { 61 * SEC, EXPIRE, ST_TIME_WAIT, 0, 0, false } },
	  REMAINS_END_EXPIRED,
	  UP_TO_TIME_WAIT,
	  UNKNOWN,
	  UNKNOWN },
	{ "RST in TIME_WAIT",
	  ST_TIME_WAIT,
	  { { 2 * SEC, CANCEL, ST_TIME_WAIT, 0, 0, false } },
	  REMAINS_END_RESET,
	  UP_TO_TIME_WAIT,
	  4 * MS,
	  2 * SEC },
	{ "RST in FIN_WAIT2",
	  ST_FIN_WAIT2,
	  { { 2 * SEC, CANCEL, ST_FIN_WAIT2, 0, 0, false } },
	  REMAINS_END_RESET,
	  UP_TO_FIN2,
	  2 * SEC + 4 * MS,
	  UNKNOWN },
	{ "FIN, then RST",
	  ST_FIN_WAIT2,
	  { { SEC - US, CANCEL, ST_TIME_WAIT, 0, 0, false },
	    { SEC, RESTART, ST_TIME_WAIT, 0, SEC, false },
	    { 3 * SEC, CANCEL, ST_TIME_WAIT, 0, SEC, false } },
	  REMAINS_END_RESET,
	  UP_TO_TIME_WAIT,
	  SEC + 4 * MS,
	  2 * SEC },
	{ "ss -K",
	  ST_TIME_WAIT,
	  { { 2 * SEC, CANCEL, ST_TIME_WAIT, 300, 0, false } },
	  REMAINS_END_KILLED,
	  UP_TO_TIME_WAIT,
	  4 * MS,
	  2 * SEC },
	{ "ss -K in FIN_WAIT2",
	  ST_FIN_WAIT2,
	  { { 2 * SEC, CANCEL, ST_FIN_WAIT2, 300, 0, false } },
	  REMAINS_END_KILLED,
	  UP_TO_FIN2,
	  2 * SEC + 4 * MS,
	  UNKNOWN },
	{ "namespace goes",
	  ST_TIME_WAIT,
	  { { 2 * SEC, CANCEL, ST_TIME_WAIT, 0, 0, true } },
	  REMAINS_END_NAMESPACE,
	  UP_TO_TIME_WAIT,
	  4 * MS,
	  2 * SEC },
	{ "namespace goes in FIN_WAIT2",
	  ST_FIN_WAIT2,
	  { { 2 * SEC, CANCEL, ST_FIN_WAIT2, 0, 0, true } },
	  REMAINS_END_NAMESPACE,
	  UP_TO_FIN2,
	  2 * SEC + 4 * MS,
	  UNKNOWN },
};

static void check_ending(struct bench *b, const struct ending *e)
{
	const struct report_conn *conn;
	uint64_t made_ns;
	int64_t fin2_end_ns;

	bench_start(b, true);
	b->label = e->name;
	leave_minisock(b, e->substate);
	made_ns = b->now;
	bench_settle(b);
	WANT(b, b->conns_len, 0);
	for (int i = 0; i < 4 && e->steps[i].what; i++)
		tell_timer(b, made_ns, &e->steps[i]);
	bench_tick(b, LONG_AGO);
	conn = only_record(b);
	if (conn) {
		fin2_end_ns = e->fin2_ns == UNKNOWN
				      ? UNKNOWN
				      : (int64_t)made_ns - (int64_t)(4 * MS) + e->fin2_ns;
		WANT(b, conn->remains_end, e->end);
		WANT(b, conn->closed, CLOSED_FIN);
		WANT(b, conn->closed_first, FIRST_LOCAL);
		WANT(b, conn->remains,
		     e->substate == ST_TIME_WAIT ? REMAINS_TIME_WAIT : REMAINS_FIN_WAIT2);
		want_text(b, "states", states_text(conn), e->states);
		WANT(b, state_ns(conn, ST_FIN_WAIT2), e->fin2_ns);
		WANT(b, state_ns(conn, ST_TIME_WAIT), e->time_wait_ns);
		WANT(b, conn->time_wait_ns, e->time_wait_ns);
		WANT(b, conn->end_ns, fin2_end_ns);
		WANT(b, conn->incomplete, 0);
		WANT(b, conn->sock, SOCK);
		WANT(b, conn->cookie, COOKIE);
		WANT(b, conn->pid, 100);
	}
	engine_finish(b->engine);
	only_record(b);
	bench_end(b);
}

static void test_endings(void **ctx)
{
	static struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		check_ending(&b, &endings[i]);
	assert_int_equal(b.complaints, 0);
}

static void cancel_by(struct bench *b, uint32_t pid)
{
	const struct timer_step step = { MS, CANCEL, ST_TIME_WAIT, pid, 0, false };

	tell_timer(b, b->now, &step);
}

static void want_end(struct bench *b, size_t conns, enum conn_remains_end end,
		     uint64_t time_wait_ns)
{
	bench_tick(b, LONG_AGO);
	assert_int_equal(b->conns_len, conns);
	assert_int_equal(b->conns[0].remains_end, end);
	assert_int_equal(b->conns[0].time_wait_ns, time_wait_ns);
	bench_end(b);
}

/* net.ipv4.tcp_tw_reuse: connect() takes the minisock away in its own process. */
static void test_reused_by_connect(void **ctx)
{
	static struct bench b;

	bench_start(&b, true);
	leave_minisock(&b, ST_TIME_WAIT);
	bench_tick(&b, 2 * SEC - 2 * MS);
	client_opens(&b, 10);
	cancel_by(&b, 100);
	steps_to(&b, 10, ST_SYN_SENT, ST_ESTABLISHED);
	want_end(&b, 1, REMAINS_END_REUSED, 2 * SEC);
}

/* Another connect() of the same process, to or from elsewhere, has nothing to do with it. */
static void test_not_reused_by_another_connect(void **ctx)
{
	static struct bench b;

	for (int other = 0; other < 4; other++) {
		struct ev_open open = make_client(10);

		bench_start(&b, true);
		leave_minisock(&b, ST_TIME_WAIT);
		bench_tick(&b, 2 * SEC - 2 * MS);
		open.tuple.rport += other == 0;
		open.tuple.lport = other == 1 ? LPORT + 1 : 0;
		open.tuple.raddr[15] += other == 2;
		open.tuple.netns_cookie += other == 3;
		give(&b, open);
		cancel_by(&b, 100);
		want_end(&b, 1, REMAINS_END_KILLED, 2 * SEC);
	}
}

/* The connect() of another process, neither. */
static void test_not_reused_by_another_process(void **ctx)
{
	static struct bench b;

	bench_start(&b, true);
	leave_minisock(&b, ST_TIME_WAIT);
	bench_tick(&b, 2 * SEC - 2 * MS);
	client_opens(&b, 10);
	cancel_by(&b, 300);
	want_end(&b, 1, REMAINS_END_KILLED, 2 * SEC);
}

/* A server whose socket left TIME_WAIT; the tuple as a child of RPORT has it. */
static void leave_server_minisock(struct bench *b)
{
	struct ev_close close = make_close(SOCK, ST_FIN_WAIT2, 0, EVF_DEAD | EVF_DONE);

	lead_to(b, SOCK, ROLE_SERVER, ST_FIN_WAIT2);
	close.stats = stats_at(ROLE_SERVER, ST_FIN_WAIT2, true);
	close.minisock = MINISOCK;
	close.minisock_state = ST_TIME_WAIT;
	give(b, close);
}

/* The child whose SYN came when the minisock went tells that it made room. */
static void test_reused_by_syn(void **ctx)
{
	static const uint64_t rtts[] = { 100 * US, 30 * MS, 400 * MS };
	static struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(rtts); i++) {
		struct ev_open open = make_child(10, ST_ESTABLISHED);

		bench_start(&b, true);
		leave_server_minisock(&b);
		bench_tick(&b, SEC - MS);
		cancel_by(&b, 0);
		b.now += rtts[i] - MS;
		open.srtt_us = (uint32_t)(rtts[i] / US);
		open.syn_recv_ns = b.now + MS - 10 * US;
		bench_tick(&b, 0);
		assert_int_equal(b.conns_len, 0);
		give(&b, open);
		want_end(&b, 1, REMAINS_END_REUSED, SEC);
	}
}

/* A SYN that came later found nothing there: an RST had ended it. */
static void test_syn_after_the_end(void **ctx)
{
	static struct bench b;
	struct ev_open open = make_child(10, ST_ESTABLISHED);

	bench_start(&b, true);
	leave_server_minisock(&b);
	bench_tick(&b, SEC - MS);
	cancel_by(&b, 0);
	b.now += 800 * MS;
	open.srtt_us = 2000;
	open.syn_recv_ns = b.now;
	give(&b, open);
	want_end(&b, 1, REMAINS_END_RESET, SEC);
}

/* One whose SYN came long before can't have taken it away either. */
static void test_syn_before_the_end(void **ctx)
{
	static struct bench b;
	struct ev_open open = make_child(10, ST_ESTABLISHED);

	bench_start(&b, true);
	leave_server_minisock(&b);
	bench_tick(&b, SEC - MS);
	cancel_by(&b, 0);
	open.srtt_us = 300000;
	open.syn_recv_ns = b.now;
	give(&b, open);
	want_end(&b, 1, REMAINS_END_RESET, SEC);
}

/* A child of another tuple tells nothing. */
static void test_other_child(void **ctx)
{
	static struct bench b;
	struct ev_open open = make_child(10, ST_ESTABLISHED);

	bench_start(&b, true);
	leave_server_minisock(&b);
	bench_tick(&b, SEC - MS);
	cancel_by(&b, 0);
	open.tuple.rport = LPORT + 1;
	open.srtt_us = 1000;
	open.syn_recv_ns = b.now;
	give(&b, open);
	want_end(&b, 1, REMAINS_END_RESET, SEC);
}

/* The SYN+ACK was lost: the request tells when the SYN came. */
static void test_reused_by_request(void **ctx)
{
	static struct bench b;
	struct ev_synack_retransmit again = { .hdr = make_hdr(EV_SYNACK_RETRANSMIT, sizeof(again),
							      9),
					      .tuple = make_tuple(RPORT, LPORT) };

	bench_start(&b, true);
	leave_server_minisock(&b);
	bench_tick(&b, SEC - MS);
	cancel_by(&b, 0);
	again.first_synack_ns = b.now + 20 * US;
	b.now += SEC;
	give(&b, again);
	want_end(&b, 1, REMAINS_END_REUSED, SEC);
}

/* What no clock shows is not known, whatever the deadline said. */
static void test_impossible_time(void **ctx)
{
	static struct bench b;
	struct ev_minisock_timer timer = make_timer(MINISOCK, EXPIRE, ST_TIME_WAIT, 0);

	bench_start(&b, true);
	leave_minisock(&b, ST_FIN_WAIT2);
	timer.hdr.cookie = COOKIE;
	timer.time_wait_ns = UINT64_MAX;
	give(&b, timer);
	assert_int_equal(b.conns_len, 1);
	assert_true(b.conns[0].time_wait_ns == UNKNOWN_NS);
	for (size_t i = 0; i < b.steps_len; i++)
		assert_true(b.steps[i].step.in_old_ns == UNKNOWN_NS ||
			    b.steps[i].step.in_old_ns >= 0);
	bench_end(&b);
}

/* Late data for FIN_WAIT2 without a socket: an RST goes out, and the minisock goes. */
static void test_reset_sent_by_minisock(void **ctx)
{
	static struct bench b;
	struct ev_reset reset = make_reset(EV_RESET_SENT, MINISOCK, ST_TIME_WAIT, true, 21);
	const struct timer_step step = { US, CANCEL, ST_FIN_WAIT2, 0, 0, false };

	bench_start(&b, true);
	leave_minisock(&b, ST_FIN_WAIT2);
	bench_tick(&b, SEC);
	reset.hdr.cookie = COOKIE;
	give(&b, reset);
	tell_timer(&b, b.now, &step);
	bench_tick(&b, LONG_AGO);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].remains_end, REMAINS_END_RESET);
	assert_int_equal(b.conns[0].reset_reason, 21);
	assert_string_equal(states_text(&b.conns[0]), UP_TO_FIN2);
	bench_end(&b);
}

/*
 * Minisocks have their place from a slab: the next one in it is another connection's. cookie:
 * of its timer's events; the first comes before the EV_CLOSE that tells whose it is.
 */
static void place_is_reused(uint64_t cookie)
{
	static struct bench b;
	struct ev_close close = make_close(10, ST_FIN_WAIT2, 0, EVF_DEAD | EVF_DONE);
	struct ev_minisock_timer timer = make_timer(MINISOCK, RESTART, ST_TIME_WAIT, 0);

	bench_start(&b, true);
	leave_minisock(&b, ST_TIME_WAIT);
	lead_to(&b, 10, ROLE_SERVER, ST_FIN_WAIT2);
	cancel_by(&b, 0);
	timer.hdr.cookie = cookie;
	b.pace = 10 * US;
	give(&b, timer); /* the other one's timer is set for the first time */
	close.minisock = MINISOCK;
	close.minisock_state = ST_TIME_WAIT;
	give(&b, close);
	bench_tick(&b, LONG_AGO);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].sock, SOCK);
	assert_int_equal(b.conns[0].remains_end, REMAINS_END_RESET);
	for (int what = CANCEL; what <= EXPIRE; what++) {
		timer = make_timer(MINISOCK, (uint8_t)what, ST_TIME_WAIT, 0);
		timer.hdr.cookie = cookie;
		give(&b, timer);
	}
	bench_tick(&b, LONG_AGO);
	assert_int_equal(b.conns_len, 2);
	assert_int_equal(b.conns[1].sock, 10);
	assert_int_equal(b.conns[1].remains_end, REMAINS_END_EXPIRED);
	assert_int_equal(b.conns[1].incomplete, 0);
	bench_end(&b);
}

static void test_place_is_reused(void **ctx)
{
	place_is_reused(10 + 100000);
	place_is_reused(0); /* as on 5.10 */
}

/* One that was found has no cookie: a timer with one may be the next minisock's in that place. */
static void test_place_of_found_is_reused(void **ctx)
{
	static struct bench b;
	struct ev_close close = make_close(10, ST_FIN_WAIT2, 0, EVF_DEAD | EVF_DONE);
	struct ev_found found = make_found_minisock(MINISOCK, ST_TIME_WAIT);
	struct ev_minisock_timer timer = make_timer(MINISOCK, CANCEL, ST_TIME_WAIT, 0);

	bench_start(&b, true);
	found.hdr.cookie = timer.hdr.cookie = 0;
	give(&b, found);
	lead_to(&b, 10, ROLE_SERVER, ST_FIN_WAIT2);
	give(&b, timer);
	timer = make_timer(MINISOCK, RESTART, ST_TIME_WAIT, 0);
	timer.hdr.cookie = close.hdr.cookie;
	give(&b, timer);
	close.minisock = MINISOCK;
	close.minisock_state = ST_TIME_WAIT;
	give(&b, close);
	bench_tick(&b, LONG_AGO);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].opened, OPENED_PREEXISTING);
	assert_int_equal(b.conns[0].remains_end, REMAINS_END_RESET);
	assert_int_equal(b.conns[0].incomplete, INCOMPLETE_PREEXISTING);
	bench_end(&b);
}

/* Its own restart is one when nobody else has turned up in its place. */
static void test_found_minisock_restarts(void **ctx)
{
	static const uint8_t order[] = { CANCEL, RESTART, CANCEL, EXPIRE };
	static struct bench b;
	struct ev_found found = make_found_minisock(MINISOCK, ST_FIN_WAIT2);

	bench_start(&b, true);
	found.hdr.cookie = 0;
	give(&b, found);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct ev_minisock_timer timer = make_timer(MINISOCK, order[i], ST_TIME_WAIT, 0);

		timer.hdr.cookie = 0;
		give(&b, timer);
		bench_tick(&b, order[i] == RESTART ? LONG_AGO : 0);
	}
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].remains_end, REMAINS_END_EXPIRED);
	assert_string_equal(states_text(&b.conns[0]), "FIN_WAIT2 TIME_WAIT");
	bench_end(&b);
}

/* The end of the former minisock in that place was lost. */
static void test_place_is_reused_unseen(void **ctx)
{
	static struct bench b;
	struct ev_close close = make_close(10, ST_FIN_WAIT2, 0, EVF_DEAD | EVF_DONE);

	bench_start(&b, true);
	leave_minisock(&b, ST_TIME_WAIT);
	lead_to(&b, 10, ROLE_SERVER, ST_FIN_WAIT2);
	close.minisock = MINISOCK;
	close.minisock_state = ST_TIME_WAIT;
	give(&b, close);
	bench_tick(&b, LONG_AGO);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].sock, SOCK);
	assert_int_equal(b.conns[0].remains_end, REMAINS_END_UNKNOWN);
	assert_int_equal(b.conns[0].incomplete, INCOMPLETE_LOST_EVENTS);
	bench_end(&b);
}

/* No minisock was left to be had: told at once, and nothing is made up. */
static void test_overflow(void **ctx)
{
	static struct bench b;
	struct ev_close close =
		make_close(SOCK, ST_FIN_WAIT2, 0, EVF_DEAD | EVF_DONE | EVF_TW_FULL);

	bench_start(&b, true);
	lead_to(&b, SOCK, ROLE_CLIENT, ST_FIN_WAIT2);
	close.stats = stats_at(ROLE_CLIENT, ST_FIN_WAIT2, true);
	give(&b, close);
	bench_settle(&b);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].remains, REMAINS_NOTHING);
	assert_int_equal(b.conns[0].remains_end, REMAINS_END_OVERFLOW);
	assert_int_equal(b.conns[0].closed, CLOSED_FIN);
	assert_true(b.conns[0].time_wait_ns == UNKNOWN_NS);
	assert_string_equal(states_text(&b.conns[0]), UP_TO_FIN2);
	bench_end(&b);
}

/* Without --whole nobody waits for a minisock. */
static void test_prompt(void **ctx)
{
	static const uint8_t substates[] = { ST_FIN_WAIT2, ST_TIME_WAIT };
	static struct bench b;
	struct engine_counts counts;

	for (size_t i = 0; i < ARRAY_SIZE(substates); i++) {
		bench_start(&b, false);
		leave_minisock(&b, substates[i]);
		assert_int_equal(b.conns_len, 1);
		assert_int_equal(b.conns[0].remains, i ? REMAINS_TIME_WAIT : REMAINS_FIN_WAIT2);
		assert_int_equal(b.conns[0].remains_end, REMAINS_END_UNKNOWN);
		assert_string_equal(states_text(&b.conns[0]), UP_TO_FIN2);
		assert_int_equal(b.conns[0].end_ns, b.now);
		engine_counts(b.engine, &counts);
		assert_int_equal(counts.remaining, 0);
		assert_int_equal(counts.live, 0);
		bench_end(&b);
	}
}

/* The tracer ends while minisocks remain: they are told, their ends unknown. */
static void test_finish(void **ctx)
{
	static struct bench b;
	struct engine_counts counts;

	bench_start(&b, true);
	leave_minisock(&b, ST_TIME_WAIT);
	engine_counts(b.engine, &counts);
	assert_int_equal(counts.remaining, 1);
	assert_int_equal(counts.live, 0);
	client_opens(&b, 10); /* still lives: not told */
	engine_finish(b.engine);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].remains, REMAINS_TIME_WAIT);
	assert_int_equal(b.conns[0].remains_end, REMAINS_END_UNKNOWN);
	assert_true(b.conns[0].time_wait_ns == UNKNOWN_NS);
	bench_end(&b);
}

/* One that was there before the tracer. */
static void test_found_minisock(void **ctx)
{
	static struct bench b;
	struct ev_found found = make_found_minisock(MINISOCK, ST_TIME_WAIT);
	const struct timer_step steps[] = { { 20 * SEC, CANCEL, ST_TIME_WAIT, 0, 0, false },
					    { 20 * SEC + US, EXPIRE, ST_TIME_WAIT, 0, 0, false } };
	uint64_t found_ns;

	bench_start(&b, true);
	found.hdr.cookie = COOKIE;
	give(&b, found);
	found.hdr.ts_ns = 0;
	give(&b, found); /* a second time: the same one */
	found_ns = b.now;
	tell_timer(&b, found_ns, &steps[0]);
	tell_timer(&b, found_ns, &steps[1]);
	bench_tick(&b, LONG_AGO);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].opened, OPENED_PREEXISTING);
	assert_int_equal(b.conns[0].incomplete, INCOMPLETE_PREEXISTING);
	assert_int_equal(b.conns[0].remains_end, REMAINS_END_EXPIRED);
	assert_int_equal(b.conns[0].role, ROLE_UNKNOWN);
	assert_int_equal(b.conns[0].uid, ~0U);
	assert_int_equal(b.conns[0].pid, 0);
	assert_int_equal(b.conns[0].tx_bytes, UNKNOWN_COUNT);
	assert_int_equal(b.conns[0].retrans, UNKNOWN_COUNT);
	assert_true(b.conns[0].duration_ns == UNKNOWN_NS);
	assert_string_equal(states_text(&b.conns[0]), "TIME_WAIT");
	bench_end(&b);
}

/* Without --whole a found minisock is of no interest. */
static void test_found_minisock_prompt(void **ctx)
{
	static struct bench b;
	struct ev_found found = make_found_minisock(MINISOCK, ST_TIME_WAIT);
	struct engine_counts counts;

	bench_start(&b, false);
	give(&b, found);
	bench_tick(&b, LONG_AGO);
	engine_finish(b.engine);
	engine_counts(b.engine, &counts);
	assert_int_equal(b.conns_len, 0);
	assert_int_equal(counts.remaining, 0);
	bench_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endings),
		cmocka_unit_test(test_reused_by_connect),
		cmocka_unit_test(test_not_reused_by_another_connect),
		cmocka_unit_test(test_not_reused_by_another_process),
		cmocka_unit_test(test_reused_by_syn),
		cmocka_unit_test(test_syn_after_the_end),
		cmocka_unit_test(test_syn_before_the_end),
		cmocka_unit_test(test_other_child),
		cmocka_unit_test(test_reused_by_request),
		cmocka_unit_test(test_impossible_time),
		cmocka_unit_test(test_reset_sent_by_minisock),
		cmocka_unit_test(test_place_is_reused),
		cmocka_unit_test(test_place_of_found_is_reused),
		cmocka_unit_test(test_found_minisock_restarts),
		cmocka_unit_test(test_place_is_reused_unseen),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_prompt),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_found_minisock),
		cmocka_unit_test(test_found_minisock_prompt),
	};

	return cmocka_run_group_tests_name("remains", tests, NULL, NULL);
}
