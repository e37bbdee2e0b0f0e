// SPDX-License-Identifier: GPL-2.0-only
/* What is there now: ages and their bounds, holders, minisocks, listeners, the filter. */
#include "lives.h"

#include "core/census.h"
#include "core/engine.h"

#define SOCK 1
#define MAX 8

static struct bench b;
static struct report_now seen[MAX];
static struct report_listener listeners[MAX];
static struct report_holder held[MAX][8];
static size_t seen_len, listeners_len;

static void see(void *ctx, const struct report_now *now)
{
	assert_true(seen_len < MAX);
	seen[seen_len] = *now;
	for (unsigned int i = 0; i < now->holders_len; i++)
		held[seen_len][i] = now->holders[i];
	seen_len++;
}

static void see_listener(void *ctx, const struct report_listener *listener)
{
	assert_true(listeners_len < MAX);
	listeners[listeners_len++] = *listener;
}

static void look(void)
{
	seen_len = listeners_len = 0;
	census_conns(b.engine, see, NULL);
	census_listeners(b.engine, see_listener, NULL);
}

/* The only connection. */
static const struct report_now *only(void)
{
	look();
	assert_int_equal(seen_len, 1);
	return &seen[0];
}

static void begin(bool whole, const struct filter *filter)
{
	const struct engine_options options = { .whole = whole,
						.census = true,
						.filter = filter,
						.max_connections = 64,
						.hash_seed = 1 };

	bench_calm(&b);
	bench_start_with(&b, &options);
}

static void scan_mark(enum ev_kind kind, bool is_repair)
{
	struct ev_scan scan = { .hdr = make_hdr(kind, sizeof(scan), 0),
				.netns_cookie = NETNS_COOKIE,
				.is_repair = is_repair,
				.is_complete = 1 };

	give(&b, scan);
}

static struct ev_waiting make_waiting(uint64_t sock, uint8_t state)
{
	return (struct ev_waiting){ .hdr = make_hdr(EV_WAITING, sizeof(struct ev_waiting), sock),
				    .state = state };
}

static void holder_told(uint64_t sock, uint8_t state, uint32_t pid, uint32_t fd)
{
	struct ev_holder holder = { .hdr = make_hdr(EV_HOLDER, sizeof(holder), sock),
				    .owner = make_owner(pid, "holder"),
				    .fd = fd,
				    .state = state };

	give(&b, holder);
}

/* Found in a state, with what it waits for. */
static void found(uint8_t state, uint64_t last_segment_ns, uint64_t since_ns, bool is_exact)
{
	struct ev_found event = make_found(SOCK, state);
	struct ev_waiting waiting = make_waiting(SOCK, state);

	waiting.last_segment_ns = last_segment_ns;
	waiting.since_ns = since_ns;
	waiting.since_is_exact = is_exact;
	scan_mark(EV_SCAN_BEGIN, false);
	give(&b, event);
	give(&b, waiting);
	scan_mark(EV_SCAN_END, false);
}

static const struct {
	const char *name;
	uint8_t state;
	uint64_t last_ns, since_ns;
	bool is_exact;
	int64_t expected_ns;
	bool is_bound;
} ages[] = {
	{ "a FIN came then, or before", ST_CLOSE_WAIT, 5 * SEC, 0, 0, 5 * SEC, 1 },
	{ "no segment known", ST_CLOSE_WAIT, 0, 0, 0, UNKNOWN_NS, 1 },
	{ "its ACK came then, or before", ST_FIN_WAIT2, 5 * SEC, 0, 0, 5 * SEC, 1 },
	{ "the peer's FIN", ST_CLOSING, 5 * SEC, 0, 0, 5 * SEC, 1 },
	{ "idle before its FIN", ST_FIN_WAIT1, 5 * SEC, 0, 0, UNKNOWN_NS, 1 },
	{ "its FIN was out", ST_FIN_WAIT1, 5 * SEC, 9 * SEC, 0, 9 * SEC, 1 },
	{ "idle before the last FIN", ST_LAST_ACK, 5 * SEC, 0, 0, UNKNOWN_NS, 1 },
	{ "the last FIN was out", ST_LAST_ACK, 5 * SEC, 9 * SEC, 0, 9 * SEC, 1 },
	{ "its SYN", ST_SYN_SENT, 0, 9 * SEC, 1, 9 * SEC, 0 },
	{ "a SYN of an unknown time", ST_SYN_SENT, 5 * SEC, 0, 0, UNKNOWN_NS, 1 },
};

static void test_ages(void **ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(ages); i++) {
		const struct report_now *now;

		begin(false, NULL);
		found(ages[i].state, ages[i].last_ns, ages[i].since_ns, ages[i].is_exact);
		now = only();
		if (now->since_ns != ages[i].expected_ns || now->since_is_bound != ages[i].is_bound)
			fail_msg("%s: %ld, %d", ages[i].name, (long)now->since_ns,
				 now->since_is_bound);
		assert_true(now->preexisting);
		bench_end(&b);
	}
}

/* A step that a hook told is dated, and what the snapshot told of before says nothing of it. */
static void test_step_after_snapshot(void **ctx)
{
	const struct report_now *now;

	begin(false, NULL);
	found(ST_ESTABLISHED, 5 * SEC, 0, false);
	steps_to(&b, SOCK, ST_ESTABLISHED, ST_CLOSE_WAIT);
	now = only();
	assert_int_equal(now->state, ST_CLOSE_WAIT);
	assert_int_equal(now->since_ns, b.now);
	assert_false(now->since_is_bound);
	assert_int_equal(now->waiting->state, ST_ESTABLISHED);
	bench_end(&b);
}

/* A later look at sockets. */
static void found_again(void)
{
	struct ev_found event = make_found(SOCK, ST_CLOSE_WAIT);

	scan_mark(EV_SCAN_BEGIN, true);
	give(&b, event);
	scan_mark(EV_SCAN_END, true);
}

static void test_holders(void **ctx)
{
	const struct report_now *now;

	begin(false, NULL);
	found(ST_CLOSE_WAIT, 5 * SEC, 0, false);
	for (uint32_t fd = 3; fd < 13; fd++)
		holder_told(SOCK, ST_CLOSE_WAIT, 70 + fd % 2, fd);
	now = only();
	assert_int_equal(now->holders_len, 8);
	assert_int_equal(now->holders_left_out, 2);
	assert_int_equal(held[0][0].fd, 3);
	assert_int_equal(held[0][0].pid, 71);
	assert_string_equal(held[0][1].comm, "holder");
	/* a look at sockets alone forgets nobody; one at descriptors does */
	found_again();
	assert_int_equal(only()->holders_len, 8);
	found_again();
	holder_told(SOCK, ST_CLOSE_WAIT, 9, 4);
	assert_int_equal(only()->holders_len, 1);
	assert_int_equal(held[0][0].pid, 9);
	found_again();
	holder_told(99, ST_CLOSE_WAIT, 9, 4); /* of another one */
	assert_int_equal(only()->holders_len, 0);
	bench_end(&b);
}

static void found_minisock(uint8_t substate, bool is_repair, uint64_t timer_ns, uint64_t since_ns)
{
	struct ev_found event = make_found_minisock(SOCK, substate);
	struct ev_waiting waiting = make_waiting(SOCK, substate);

	waiting.is_minisock = 1;
	waiting.timer = TIMER_MINISOCK;
	waiting.timer_ns = timer_ns;
	waiting.since_ns = since_ns;
	scan_mark(EV_SCAN_BEGIN, is_repair);
	give(&b, event);
	give(&b, waiting);
	scan_mark(EV_SCAN_END, is_repair);
}

static void test_minisocks(void **ctx)
{
	const struct report_now *now;

	for (int whole = 0; whole < 2; whole++) {
		begin(whole, NULL);
		found_minisock(ST_TIME_WAIT, false, 1020 * SEC, 0);
		now = only();
		assert_true(now->is_minisock);
		assert_int_equal(now->state, ST_TIME_WAIT);
		assert_int_equal(now->since_ns, 960 * SEC);
		assert_false(now->since_is_bound);
		assert_int_equal(now->pid, 0);
		bench_end(&b);
		begin(whole, NULL);
		found_minisock(ST_FIN_WAIT2, false, 1020 * SEC, 980 * SEC);
		now = only();
		assert_int_equal(now->state, ST_FIN_WAIT2);
		assert_int_equal(now->since_ns, 980 * SEC);
		assert_true(now->since_is_bound);
		bench_end(&b);
		begin(whole, NULL);
		found_minisock(ST_FIN_WAIT2, false, 1020 * SEC, 0);
		assert_int_equal(only()->since_ns, UNKNOWN_NS);
		bench_end(&b);
	}
}

/*
 * Where records end with the socket, a snapshot still counts what the kernel
 * keeps; it makes no record of it, and forgets it with the snapshot that misses it.
 */
static void test_minisocks_are_no_records(void **ctx)
{
	struct engine_counts counts;

	begin(false, NULL);
	found_minisock(ST_TIME_WAIT, true, 1020 * SEC, 0);
	assert_int_equal(only()->state, ST_TIME_WAIT);
	bench_tick(&b, SEC);
	scan_mark(EV_SCAN_BEGIN, true);
	scan_mark(EV_SCAN_END, true);
	look();
	assert_int_equal(seen_len, 0);
	assert_int_equal(b.conns_len, 0);
	engine_counts(b.engine, &counts);
	assert_int_equal(counts.conns, 0);
	assert_int_equal(counts.preexisting, 0);
	assert_int_equal(counts.reported, 0);
	found_minisock(ST_TIME_WAIT, true, 1030 * SEC, 0);
	engine_finish(b.engine);
	assert_int_equal(b.conns_len, 0);
	bench_end(&b);
}

static void timer_told_without_cookie(uint64_t sock, uint8_t what, uint8_t substate)
{
	struct ev_minisock_timer timer = make_timer(sock, what, substate, 0);

	timer.hdr.cookie = 0;
	give(&b, timer);
}

/* So many that came and went that the table is mostly empty. */
static void peak(void)
{
	for (uint64_t sock = 10; sock < 18; sock++)
		client_opens(&b, sock);
	for (uint64_t sock = 10; sock < 18; sock++) {
		struct ev_close close = make_close(sock, ST_SYN_SENT, ETIMEDOUT, EVF_DEAD);

		give(&b, close);
	}
}

/* Whether the timer that started again was its own is not sure yet, but something is there. */
static void test_doubtful_restart(void **ctx)
{
	for (int after_peak = 0; after_peak < 2; after_peak++) {
		struct ev_close close = make_close(SOCK, ST_FIN_WAIT2, 0, EVF_DEAD);
		const struct report_now *now;
		int64_t restart_ns;

		begin(true, NULL);
		if (after_peak)
			peak();
		lead_to(&b, SOCK, ROLE_CLIENT, ST_FIN_WAIT2);
		close.minisock = SOCK + 1000;
		close.minisock_state = ST_FIN_WAIT2;
		give(&b, close);
		timer_told_without_cookie(SOCK + 1000, MINISOCK_CANCEL, ST_FIN_WAIT2);
		look();
		assert_int_equal(seen_len, 0);
		timer_told_without_cookie(SOCK + 1000, MINISOCK_RESTART, ST_TIME_WAIT);
		restart_ns = (int64_t)b.now;
		for (int settled = 0; settled < 2; settled++) {
			now = only();
			assert_true(now->is_minisock);
			assert_int_equal(now->state, ST_TIME_WAIT);
			assert_int_equal(now->since_ns, restart_ns);
			bench_tick(&b, 4 * SEC);
		}
		bench_end(&b);
	}
}

static void count_interim(void *ctx, const struct report_conn *conn)
{
	assert_true(conn->interim);
	++*(size_t *)ctx;
}

static size_t interims(void)
{
	size_t count = 0;

	census_interim(b.engine, 0, count_interim, &count);
	return count;
}

/* One that sent an RST is about to be told whole, unless that answered a stray segment. */
static void test_interim_after_reset(void **ctx)
{
	begin(false, NULL);
	client_opens(&b, SOCK);
	reset_told(&b, EV_RESET_SENT, SOCK, ST_SYN_SENT, true, 3);
	assert_int_equal(interims(), 1);
	steps_to(&b, SOCK, ST_SYN_SENT, ST_ESTABLISHED);
	assert_int_equal(interims(), 1);
	reset_told(&b, EV_RESET_SENT, SOCK, ST_ESTABLISHED, true, 3);
	assert_int_equal(interims(), 0);
	bench_end(&b);
	begin(false, NULL);
	child_opens(&b, SOCK, ST_SYN_RECV);
	reset_told(&b, EV_RESET_SENT, SOCK, ST_SYN_RECV, true, 3);
	assert_int_equal(interims(), 1);
	bench_end(&b);
}

static void test_listeners(void **ctx)
{
	struct ev_listener listener = { .hdr = make_hdr(EV_LISTENER, sizeof(listener), 5),
					.tuple = make_tuple(80, 0),
					.queue = 3,
					.backlog = 2,
					.drops = 7,
					.requests = 4 };

	begin(false, NULL);
	scan_mark(EV_SCAN_BEGIN, false);
	give(&b, listener);
	scan_mark(EV_SCAN_END, false);
	holder_told(5, ST_LISTEN, 9, 4);
	look();
	assert_int_equal(seen_len, 0);
	assert_int_equal(listeners_len, 1);
	assert_int_equal(listeners[0].queue, 3);
	assert_int_equal(listeners[0].backlog, 2);
	assert_int_equal(listeners[0].drops, 7);
	assert_int_equal(listeners[0].requests, 4);
	assert_int_equal(listeners[0].pid, 0);
	assert_int_equal(listeners[0].holders_len, 1);
	scan_mark(EV_SCAN_BEGIN, true);
	scan_mark(EV_SCAN_END, true);
	look();
	assert_int_equal(listeners_len, 0);
	bench_end(&b);
}

/* A look at the sockets of another namespace, and the end of the walk. */
static void walk_elsewhere(bool is_complete)
{
	struct ev_scan begin = make_scan(EV_SCAN_BEGIN, true, false);
	struct ev_scan end = make_scan(EV_SCAN_END, true, true);

	begin.netns_cookie = end.netns_cookie = NETNS_COOKIE + 1;
	b.now += SEC;
	give(&b, begin);
	give(&b, end);
	walk_told(&b, is_complete, false);
	look();
}

/* What a walk through all namespaces has not come to, nothing new is known of. */
static void test_namespace_gone(void **ctx)
{
	struct ev_listener listener = { .hdr = make_hdr(EV_LISTENER, sizeof(listener), 5),
					.tuple = make_tuple(80, 0),
					.requests = 4 };

	begin(false, NULL);
	found_minisock(ST_TIME_WAIT, false, 1020 * SEC, 0);
	scan_mark(EV_SCAN_BEGIN, false);
	give(&b, listener);
	scan_mark(EV_SCAN_END, false);
	walk_told(&b, true, true);
	look();
	assert_int_equal(listeners_len, 1);
	assert_int_equal(seen_len, 1);
	walk_elsewhere(false);
	assert_int_equal(listeners_len, 1);
	assert_int_equal(seen_len, 1);
	walk_elsewhere(true);
	assert_int_equal(listeners_len, 0);
	assert_int_equal(seen_len, 0);
	assert_int_equal(b.conns_len, 0);
	bench_end(&b);
}

/* With -p: whoever shares it may ask for it, others may not, and not for nobody's either. */
static void test_filter(void **ctx)
{
	static const struct {
		uint32_t pid;
		unsigned int holders;
		size_t expected;
	} rows[] = { { 70, 2, 1 }, { 71, 2, 1 }, { 72, 2, 0 }, { 70, 0, 0 }, { 70, 1, 1 } };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct filter filter = { .active = 1, .pid = rows[i].pid };

		begin(false, &filter);
		found(ST_CLOSE_WAIT, 5 * SEC, 0, false);
		for (unsigned int j = 0; j < rows[i].holders; j++)
			holder_told(SOCK, ST_CLOSE_WAIT, 70 + j, 3);
		look();
		assert_int_equal(seen_len, rows[i].expected);
		bench_end(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_step_after_snapshot),
		cmocka_unit_test(test_holders),
		cmocka_unit_test(test_minisocks),
		cmocka_unit_test(test_minisocks_are_no_records),
		cmocka_unit_test(test_doubtful_restart),
		cmocka_unit_test(test_interim_after_reset),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_namespace_gone),
		cmocka_unit_test(test_filter),
	};

	return cmocka_run_group_tests_name("census", tests, NULL, NULL);
}
