// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every event but the steps (test_engine_states.c) in every phase of a
 * connection: unknown, each state of a socket, closed but held, only a
 * minisock left, that minisock cancelled. What does no harm must leave the
 * record as it is; what tells of a loss must show in it.
 */
#include "lives.h"

#define SOCK 1
#define MINISOCK 2
#define OTHER_COOKIE 4711

enum phase {
	UNKNOWN_SOCK,
	SYN_SENT,
	CHILD,
	SIMUL,
	ESTAB_CLIENT,
	ESTAB_SERVER,
	FIN1,
	FIN2,
	CLOSEW,
	LASTACK,
	CLOSING,
	HELD,
	LEFT_FIN2,
	LEFT_TIME_WAIT,
	CANCELLED,
	PHASES
};

static const struct {
	const char *name;
	uint8_t state; /* of the socket; ST_NONE where it has gone */
	enum conn_role role;
} phases[PHASES] = {
	[UNKNOWN_SOCK] = { "unknown", ST_NONE, ROLE_UNKNOWN },
	[SYN_SENT] = { "SYN_SENT", ST_SYN_SENT, ROLE_CLIENT },
	[CHILD] = { "SYN_RECV of a child", ST_SYN_RECV, ROLE_SERVER },
	[SIMUL] = { "SYN_RECV of both", ST_SYN_RECV, ROLE_BOTH },
	[ESTAB_CLIENT] = { "ESTABLISHED client", ST_ESTABLISHED, ROLE_CLIENT },
	[ESTAB_SERVER] = { "ESTABLISHED server", ST_ESTABLISHED, ROLE_SERVER },
	[FIN1] = { "FIN_WAIT1", ST_FIN_WAIT1, ROLE_CLIENT },
	[FIN2] = { "FIN_WAIT2", ST_FIN_WAIT2, ROLE_SERVER },
	[CLOSEW] = { "CLOSE_WAIT", ST_CLOSE_WAIT, ROLE_CLIENT },
	[LASTACK] = { "LAST_ACK", ST_LAST_ACK, ROLE_SERVER },
	[CLOSING] = { "CLOSING", ST_CLOSING, ROLE_CLIENT },
	[HELD] = { "held", ST_NONE, ROLE_CLIENT },
	[LEFT_FIN2] = { "minisock in FIN_WAIT2", ST_NONE, ROLE_CLIENT },
	[LEFT_TIME_WAIT] = { "minisock in TIME_WAIT", ST_NONE, ROLE_CLIENT },
	[CANCELLED] = { "cancelled minisock", ST_NONE, ROLE_CLIENT },
};

static void closes_into_minisock(struct bench *b, uint8_t substate)
{
	struct ev_close close = make_close(SOCK, ST_FIN_WAIT2, 0, EVF_DEAD);

	close.stats = stats_at(ROLE_CLIENT, ST_FIN_WAIT2, true);
	close.minisock = MINISOCK;
	close.minisock_state = substate;
	give(b, close);
}

static void cancel(struct bench *b, uint64_t sock)
{
	struct ev_minisock_timer timer = make_timer(sock, MINISOCK_CANCEL, ST_TIME_WAIT, 0);

	timer.hdr.cookie = SOCK + 100000;
	give(b, timer);
}

static void enter_phase(struct bench *b, enum phase phase)
{
	if (phases[phase].state) {
		lead_to(b, SOCK, phases[phase].role, phases[phase].state);
	} else if (phase == HELD) {
		struct ev_close close = make_close(SOCK, ST_ESTABLISHED, 0, EVF_OWNED);

		lead_to(b, SOCK, ROLE_CLIENT, ST_ESTABLISHED);
		close.lport = LPORT;
		give(b, close);
	} else if (phase != UNKNOWN_SOCK) {
		lead_to(b, SOCK, ROLE_CLIENT, ST_FIN_WAIT2);
		closes_into_minisock(b, phase == LEFT_FIN2 ? ST_FIN_WAIT2 : ST_TIME_WAIT);
		if (phase == CANCELLED)
			cancel(b, MINISOCK);
	}
}

/* The end that follows if the event changed nothing: a timeout, or the minisock's time is over. */
static void end_as_before(struct bench *b, enum phase phase)
{
	if (phases[phase].state) {
		struct ev_close close = make_close(SOCK, phases[phase].state, ETIMEDOUT, 0);

		close.stats = stats_at(phases[phase].role, phases[phase].state, false);
		give(b, close);
	}
	if (phase == LEFT_FIN2 || phase == LEFT_TIME_WAIT)
		cancel(b, MINISOCK);
	if (phase == LEFT_FIN2 || phase == LEFT_TIME_WAIT || phase == CANCELLED) {
		struct ev_minisock_timer timer =
			make_timer(MINISOCK, MINISOCK_EXPIRE, ST_TIME_WAIT, 0);

		timer.hdr.cookie = SOCK + 100000;
		b->pace = US;
		give(b, timer);
		b->pace = MS;
	}
	bench_settle(b);
}

static void want_undisturbed(struct bench *b, enum phase phase, unsigned int incomplete)
{
	const struct report_conn *conn;

	if (phase == UNKNOWN_SOCK) {
		WANT(b, b->conns_len, 0);
		return;
	}
	conn = only_record(b);
	if (!conn)
		return;
	WANT(b, conn->incomplete, incomplete);
	WANT(b, conn->role, phases[phase].role);
	if (phases[phase].state) {
		want_text(b, "states", states_text(conn),
			  led_text(phases[phase].role, phases[phase].state));
		WANT(b, conn->error, ETIMEDOUT);
	} else if (phase == HELD) {
		WANT(b, conn->closed, CLOSED_ABORTED);
		want_text(b, "states", states_text(conn), "SYN_SENT ESTABLISHED");
	} else {
		WANT(b, conn->closed, CLOSED_FIN);
		WANT(b, conn->remains_end, REMAINS_END_EXPIRED);
		want_text(b, "states", states_text(conn),
			  "SYN_SENT ESTABLISHED FIN_WAIT1 FIN_WAIT2 TIME_WAIT");
	}
}

static void tell_reset_active(struct bench *b)
{
	reset_told(b, EV_RESET_SENT, SOCK, ST_ESTABLISHED, false, 3);
	bench_tick(b, 5 * SEC);
}

static void tell_reset_reply(struct bench *b)
{
	reset_told(b, EV_RESET_SENT, SOCK, ST_ESTABLISHED, true, 3);
}

static void tell_syn_again(struct bench *b)
{
	retransmitted(b, SOCK, ST_SYN_SENT, 0x02);
}

static void tell_fin_again(struct bench *b)
{
	retransmitted(b, SOCK, ST_FIN_WAIT1, 0x11);
}

static void tell_synack_again(struct bench *b)
{
	struct ev_synack_retransmit again = { .hdr = make_hdr(EV_SYNACK_RETRANSMIT, sizeof(again),
							      99),
					      .tuple = make_tuple(81, LPORT),
					      .first_synack_ns = b->now - MS };

	give(b, again);
}

static void tell_strange_timers(struct bench *b)
{
	for (uint8_t what = MINISOCK_CANCEL; what <= MINISOCK_RESTART; what++) {
		timer_told(b, SOCK, what, ST_TIME_WAIT, 0);
		timer_told(b, 77, what, ST_FIN_WAIT2, 100);
	}
}

static void tell_holder(struct bench *b)
{
	held_by(b, SOCK, 300, "holder");
}

static void tell_first_scan(struct bench *b)
{
	scan_told(b, EV_SCAN_BEGIN, false, false);
	scan_told(b, EV_SCAN_END, false, true);
}

static void tell_foreign_scan(struct bench *b)
{
	struct ev_scan scan = make_scan(EV_SCAN_BEGIN, true, false);

	scan.netns_cookie = NETNS_COOKIE + 1;
	give(b, scan);
	scan = make_scan(EV_SCAN_END, true, true);
	scan.netns_cookie = NETNS_COOKIE + 1;
	give(b, scan);
}

static void tell_broken_scan(struct bench *b)
{
	scan_told(b, EV_SCAN_BEGIN, true, false);
	scan_told(b, EV_SCAN_END, true, false);
}

static void tell_clock_and_cgroup(struct bench *b)
{
	struct ev_clock clock = { .hdr = make_hdr(EV_CLOCK, sizeof(clock), 0),
				  .realtime_ns = 1700000000 * SEC };
	struct ev_cgroup cgroup = { .hdr = make_hdr(EV_CGROUP, sizeof(cgroup), 0),
				    .id = CGROUP_ID,
				    .path = "/a" };
	struct ev_end end = { .hdr = make_hdr(EV_END, sizeof(end), 0) };

	give(b, clock);
	give(b, cgroup);
	give(b, end);
}

static void tell_old_destroy(struct bench *b)
{
	destroyed(b, SOCK);
}

static void tell_ring_full(struct bench *b)
{
	lost_told(b, LOST_RING_FULL, 3);
}

static void tell_undecodable(struct bench *b)
{
	struct ev_destroy broken = { .hdr = make_hdr(EV_DESTROY, sizeof(broken), SOCK) };

	broken.hdr.version = EV_VERSION + 1;
	assert_int_equal(bench_try(b, &broken, sizeof(broken)), -EBADMSG);
}

#define P(phase) (1U << (phase))
#define GONE (P(HELD) | P(LEFT_FIN2) | P(LEFT_TIME_WAIT) | P(CANCELLED))
#define LIVE (P(PHASES) - 1 - GONE - P(UNKNOWN_SOCK))

static const struct {
	const char *name;
	void (*tell)(struct bench *b);
	unsigned int but; /* phases in which it means something: other tests */
} harmless[] = {
	{ "active RST", tell_reset_active, P(HELD) | P(CANCELLED) },
	{ "RST as a reply", tell_reset_reply, P(HELD) },
	{ "SYN again", tell_syn_again, 0 },
	{ "FIN again", tell_fin_again, 0 },
	{ "SYN+ACK again of another", tell_synack_again, 0 },
	{ "timers of others", tell_strange_timers, 0 },
	{ "a holder", tell_holder, 0 },
	{ "an empty first scan", tell_first_scan, 0 },
	{ "a repair of another namespace", tell_foreign_scan, 0 },
	{ "a repair that saw not all", tell_broken_scan, 0 },
	{ "clock, cgroup, end", tell_clock_and_cgroup, 0 },
	{ "destroyed", tell_old_destroy, LIVE },
};

static void test_harmless(void **ctx)
{
	static struct bench b;
	char label[128];

	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++) {
		for (enum phase phase = 0; phase < PHASES; phase++) {
			if (harmless[i].but & P(phase))
				continue;
			bench_start(&b, P(phase) & GONE && phase != HELD);
			snprintf(label, sizeof(label), "%s in %s", harmless[i].name,
				 phases[phase].name);
			b.label = label;
			enter_phase(&b, phase);
			harmless[i].tell(&b);
			end_as_before(&b, phase);
			want_undisturbed(&b, phase, 0);
			bench_end(&b);
		}
	}
	assert_int_equal(b.complaints, 0);
}

/* Whoever was tracked when events were lost may miss one of them. */
static void test_losses(void **ctx)
{
	static void (*const tells[])(struct bench * b) = { tell_ring_full, tell_undecodable };
	static struct bench b;
	char label[128];

	for (size_t i = 0; i < ARRAY_SIZE(tells); i++) {
		for (enum phase phase = SYN_SENT; phase < HELD; phase++) {
			bench_start(&b, false);
			snprintf(label, sizeof(label), "loss %zu in %s", i, phases[phase].name);
			b.label = label;
			enter_phase(&b, phase);
			tells[i](&b);
			end_as_before(&b, phase);
			want_undisturbed(&b, phase, INCOMPLETE_LOST_EVENTS);
			bench_end(&b);
		}
	}
	assert_int_equal(b.complaints, 0);
}

/* EV_CLOSE was lost, the socket is gone. */
static void test_destroy_without_close(void **ctx)
{
	static struct bench b;
	struct engine_counts counts;

	for (enum phase phase = SYN_SENT; phase < HELD; phase++) {
		bench_start(&b, false);
		b.label = phases[phase].name;
		enter_phase(&b, phase);
		destroyed(&b, SOCK);
		bench_settle(&b);
		if (only_record(&b)) {
			WANT(&b, b.conns[0].incomplete, INCOMPLETE_LOST_EVENTS);
			WANT(&b, b.conns[0].closed, CLOSED_UNKNOWN);
			want_text(&b, "states", states_text(&b.conns[0]),
				  led_text(phases[phase].role, phases[phase].state));
		}
		end_as_before(&b, phase); /* of a socket that nobody knows now */
		WANT(&b, b.conns_len, 1);
		engine_counts(b.engine, &counts);
		WANT(&b, counts.lost[LOST_UNSEEN], 1);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* connect() on a socket that is tracked: its former life is over. */
static void test_second_life(void **ctx)
{
	static struct bench b;

	for (enum phase phase = SYN_SENT; phase < PHASES; phase++) {
		size_t before = phase < LEFT_FIN2 ? 1 : 0;

		bench_start(&b, phase > HELD);
		b.label = phases[phase].name;
		enter_phase(&b, phase);
		client_opens(&b, SOCK);
		WANT(&b, b.conns_len, before);
		if (before && phase == HELD)
			WANT(&b, b.conns[0].closed, CLOSED_ABORTED);
		if (before)
			WANT(&b, b.conns[0].incomplete, phase == HELD ? 0 : INCOMPLETE_LOST_EVENTS);
		end_as_before(&b, SYN_SENT);
		if (phase < LEFT_FIN2 && b.conns_len == 2) {
			WANT(&b, b.conns[1].opened, OPENED_TIMED_OUT);
			WANT(&b, b.conns[1].incomplete, 0);
			want_text(&b, "states", states_text(&b.conns[1]), "SYN_SENT");
		} else if (phase < LEFT_FIN2) {
			complain(&b, "%zu records, must be 2", b.conns_len);
		}
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* The kernel gave the same memory to another socket: the cookie tells. */
static void test_child_in_a_reused_place(void **ctx)
{
	static struct bench b;

	for (enum phase phase = SYN_SENT; phase < LEFT_FIN2; phase++) {
		struct ev_open open = make_child(SOCK, ST_ESTABLISHED);
		struct ev_close close = make_close(SOCK, ST_ESTABLISHED, ETIMEDOUT, 0);

		bench_start(&b, false);
		b.label = phases[phase].name;
		enter_phase(&b, phase);
		open.hdr.cookie = OTHER_COOKIE;
		give(&b, open);
		close.hdr.cookie = OTHER_COOKIE;
		close.stats = stats_at(ROLE_SERVER, ST_ESTABLISHED, false);
		give(&b, close);
		bench_settle(&b);
		WANT(&b, b.conns_len, 2);
		WANT(&b, b.conns[0].incomplete, phase == HELD ? 0 : INCOMPLETE_LOST_EVENTS);
		WANT(&b, b.conns[0].cookie, SOCK + 100000);
		WANT(&b, b.conns[1].cookie, OTHER_COOKIE);
		WANT(&b, b.conns[1].incomplete, 0);
		WANT(&b, b.conns[1].role, ROLE_SERVER);
		want_text(&b, "states", states_text(&b.conns[1]), "SYN_RECV ESTABLISHED");
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* A step out of SYN_RECV of the same socket where another state was tracked. */
static void test_child_step_after_a_loss(void **ctx)
{
	static struct bench b;

	for (enum phase phase = SYN_SENT; phase < HELD; phase++) {
		bool is_step = phases[phase].state == ST_SYN_RECV;

		bench_start(&b, false);
		b.label = phases[phase].name;
		enter_phase(&b, phase);
		child_opens(&b, SOCK, ST_ESTABLISHED);
		end_as_before(&b, ESTAB_SERVER);
		if (!b.conns_len)
			complain(&b, "no record");
		else
			WANT(&b, b.conns[0].incomplete, is_step ? 0 : INCOMPLETE_LOST_EVENTS);
		if (is_step)
			only_record(&b);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* A scan that finds what is tracked: nothing new, or what was missed. */
static void test_found(void **ctx)
{
	static struct bench b;
	char label[128];

	for (enum phase phase = SYN_SENT; phase < HELD; phase++) {
		for (enum phase as = SYN_SENT; as < HELD; as++) {
			struct ev_found found = make_found(SOCK, phases[as].state);
			bool same = phases[as].state == phases[phase].state;

			bench_start(&b, false);
			snprintf(label, sizeof(label), "%s found as %s", phases[phase].name,
				 phases[as].name);
			b.label = label;
			enter_phase(&b, phase);
			found.tuple = phases[phase].role == ROLE_SERVER ? make_tuple(RPORT, LPORT)
									: make_tuple(LPORT, RPORT);
			give(&b, found);
			WANT(&b, b.conns_len, 0);
			end_as_before(&b, same ? phase : as);
			if (same)
				want_undisturbed(&b, phase, 0);
			else if (only_record(&b))
				WANT(&b, b.conns[0].incomplete & INCOMPLETE_LOST_EVENTS,
				     INCOMPLETE_LOST_EVENTS);
			bench_end(&b);
		}
	}
	assert_int_equal(b.complaints, 0);
}

/* Of a held verdict only an RST that went out changes anything. */
static void test_reset_changes_held(void **ctx)
{
	static struct bench b;

	for (int is_reply = 0; is_reply < 2; is_reply++) {
		bench_start(&b, false);
		enter_phase(&b, HELD);
		assert_int_equal(b.conns_len, 0);
		reset_told(&b, EV_RESET_SENT, SOCK, ST_CLOSE, is_reply, 9);
		bench_settle(&b);
		assert_int_equal(b.conns_len, 1);
		assert_int_equal(b.conns[0].closed, CLOSED_RST_SENT);
		assert_int_equal(b.conns[0].closed_first, FIRST_LOCAL);
		assert_int_equal(b.conns[0].reset_reason, 9);
		bench_end(&b);
	}
}

/* A reset that comes when nobody waits for it any more belongs to nobody. */
static void test_reset_too_late(void **ctx)
{
	static struct bench b;

	bench_start(&b, false);
	enter_phase(&b, HELD);
	bench_tick(&b, HOLD_MAX + MS);
	assert_int_equal(b.conns_len, 1);
	reset_told(&b, EV_RESET_SENT, SOCK, ST_CLOSE, false, 9);
	bench_settle(&b);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].closed, CLOSED_ABORTED);
	bench_end(&b);
}

/* Events let go of what waits as well as ticks do. */
static void test_event_time_releases(void **ctx)
{
	static struct bench b;

	bench_start(&b, false);
	enter_phase(&b, HELD);
	assert_int_equal(b.conns_len, 0);
	b.now += HOLD_MAX;
	client_opens(&b, 50);
	client_opens(&b, 51);
	assert_int_equal(b.conns_len, 1);
	bench_end(&b);
}

/*
 * A source stamps what it says itself when it reads, which is later than the
 * events that it reads next: a reset among them still belongs to the close.
 */
static void test_source_time_does_not_release(void **ctx)
{
	static const enum ev_kind kinds[] = { EV_CGROUP, EV_CLOCK };
	static struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct ev_cgroup cgroup = { .hdr = make_hdr(EV_CGROUP, sizeof(cgroup), 0) };
		struct ev_clock clock = { .hdr = make_hdr(EV_CLOCK, sizeof(clock), 0) };
		struct ev_close close =
			make_close(SOCK, ST_ESTABLISHED, 0, EVF_OWNED | EVF_HAS_FILE);
		uint64_t late;

		bench_start(&b, false);
		late = b.now + 2 * HOLD_MAX;
		cgroup.hdr.ts_ns = clock.hdr.ts_ns = late;
		if (kinds[i] == EV_CGROUP)
			assert_int_equal(engine_event(b.engine, &cgroup, sizeof(cgroup)), 0);
		else
			assert_int_equal(engine_event(b.engine, &clock, sizeof(clock)), 0);
		lead_to(&b, SOCK, ROLE_CLIENT, ST_ESTABLISHED);
		give(&b, close);
		client_opens(&b, 50);
		b.pace = 10 * US;
		reset_told(&b, EV_RESET_SENT, SOCK, ST_CLOSE, false, 14);
		assert_int_equal(b.conns_len, 1);
		assert_int_equal(b.conns[0].closed, CLOSED_RST_SENT);
		bench_end(&b);
	}
}

static void test_unknown_is_counted(void **ctx)
{
	static struct bench b;
	struct engine_counts counts;
	struct ev_close close = make_close(SOCK, ST_ESTABLISHED, 0, 0);

	bench_start(&b, false);
	steps_to(&b, SOCK, ST_SYN_SENT, ST_ESTABLISHED);
	give(&b, close);
	bench_settle(&b);
	engine_finish(b.engine);
	engine_counts(b.engine, &counts);
	assert_int_equal(b.conns_len, 0);
	assert_int_equal(b.steps_len, 0);
	assert_int_equal(counts.unknown_sock, 2);
	assert_int_equal(counts.events, 2);
	assert_int_equal(counts.conns, 0);
	bench_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_harmless),
		cmocka_unit_test(test_losses),
		cmocka_unit_test(test_destroy_without_close),
		cmocka_unit_test(test_second_life),
		cmocka_unit_test(test_child_in_a_reused_place),
		cmocka_unit_test(test_child_step_after_a_loss),
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_reset_changes_held),
		cmocka_unit_test(test_reset_too_late),
		cmocka_unit_test(test_event_time_releases),
		cmocka_unit_test(test_source_time_does_not_release),
		cmocka_unit_test(test_unknown_is_counted),
	};

	return cmocka_run_group_tests_name("engine: events", tests, NULL, NULL);
}
