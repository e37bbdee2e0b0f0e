// SPDX-License-Identifier: GPL-2.0-only
/*
 * After a loss the kernel may have given the memory of a socket, and with it its
 * identity, to another one of which nothing was told yet. The cookie tells them
 * apart: what the new one does ends the record of the old one, and is not in it.
 */
#include "lives.h"

#define SOCK 1
#define OTHER_COOKIE 4711

static void close_other(struct bench *b)
{
	struct ev_close close = make_close(SOCK, ST_ESTABLISHED, ECONNRESET, EVF_OWNED);

	close.hdr.cookie = OTHER_COOKIE;
	close.stats.bytes_acked = 777;
	give(b, close);
}

static void step_other(struct bench *b)
{
	struct ev_state state = make_state(SOCK, ST_ESTABLISHED, ST_CLOSE_WAIT);

	state.hdr.cookie = OTHER_COOKIE;
	give(b, state);
}

static void reset_other(struct bench *b)
{
	struct ev_reset reset = make_reset(EV_RESET_RECEIVED, SOCK, ST_ESTABLISHED, false, -1);

	reset.hdr.cookie = OTHER_COOKIE;
	give(b, reset);
}

static void read_other(struct bench *b)
{
	struct ev_reader reader = { .hdr = make_hdr(EV_READER, sizeof(reader), SOCK),
				    .owner = make_owner(999, "other") };

	reader.hdr.cookie = OTHER_COOKIE;
	give(b, reader);
}

static void retransmit_other(struct bench *b)
{
	struct ev_retransmit again = { .hdr = make_hdr(EV_RETRANSMIT, sizeof(again), SOCK),
				       .tcp_flags = 0x11,
				       .state = ST_FIN_WAIT1 };

	again.hdr.cookie = OTHER_COOKIE;
	give(b, again);
}

static const struct {
	const char *name;
	void (*tell)(struct bench *b);
} acts[] = {
	{ "close", close_other },	   { "step", step_other },
	{ "RST received", reset_other },   { "reader", read_other },
	{ "FIN again", retransmit_other },
};

static void want_old_one(struct bench *b, enum conn_role role, uint8_t state)
{
	const struct report_conn *conn = only_record(b);

	if (!conn)
		return;
	WANT(b, conn->cookie, SOCK + 100000);
	WANT(b, conn->incomplete, INCOMPLETE_LOST_EVENTS);
	WANT(b, conn->closed, CLOSED_UNKNOWN);
	WANT(b, conn->error, 0);
	WANT(b, conn->fin_retrans == 0 || conn->fin_retrans == UNKNOWN_COUNT, true);
	WANT(b, conn->pid == 999, false);
	if (!b->only_ends)
		want_text(b, "states", states_text(conn), led_text(role, state));
}

static const struct {
	enum conn_role role;
	uint8_t state;
} stages[] = {
	{ ROLE_CLIENT, ST_SYN_SENT },	 { ROLE_SERVER, ST_SYN_RECV },
	{ ROLE_CLIENT, ST_ESTABLISHED }, { ROLE_SERVER, ST_ESTABLISHED },
	{ ROLE_CLIENT, ST_FIN_WAIT1 },	 { ROLE_SERVER, ST_FIN_WAIT2 },
	{ ROLE_CLIENT, ST_CLOSE_WAIT },	 { ROLE_SERVER, ST_LAST_ACK },
};

static void start(struct bench *b, size_t stage, bool only_ends, const char *name)
{
	static char label[64];

	b->only_ends = only_ends;
	bench_start(b, false);
	snprintf(label, sizeof(label), "%s, stage %zu, %s", name, stage,
		 only_ends ? "ends only" : "every step");
	b->label = label;
	lead_to(b, SOCK, stages[stage].role, stages[stage].state);
}

/* Each act of another socket, where one was tracked. */
static void test_acts_of_another(void **ctx)
{
	static struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
		for (size_t stage = 0; stage < 2 * ARRAY_SIZE(stages); stage++) {
			struct engine_counts counts;
			size_t at = stage / 2;

			start(&b, at, stage & 1, acts[i].name);
			acts[i].tell(&b);
			bench_settle(&b);
			want_old_one(&b, stages[at].role, stages[at].state);
			engine_counts(b.engine, &counts);
			WANT(&b, counts.unknown_sock, i < 2 ? 1 : 0);
			WANT(&b, counts.lost[LOST_UNSEEN], 1); /* nobody else has counted it */
			bench_end(&b);
		}
	}
	assert_int_equal(b.complaints, 0);
}

/* A snapshot shows the other one: it is tracked from here on, the old one is over. */
static void test_another_found(void **ctx)
{
	static struct bench b;

	for (size_t stage = 0; stage < 2 * ARRAY_SIZE(stages); stage++) {
		struct ev_found found = make_found(SOCK, ST_ESTABLISHED);
		size_t at = stage / 2;

		start(&b, at, stage & 1, "found");
		found.hdr.cookie = OTHER_COOKIE;
		found.tuple = make_tuple(LPORT + 1, RPORT);
		scan_told(&b, EV_SCAN_BEGIN, true, false);
		give(&b, found);
		scan_told(&b, EV_SCAN_END, true, true);
		want_old_one(&b, stages[at].role, stages[at].state);
		close_other(&b);
		bench_settle(&b);
		WANT(&b, b.conns_len, 2);
		WANT(&b, b.conns[1].cookie, OTHER_COOKIE);
		WANT(&b, b.conns[1].tuple.lport, LPORT + 1);
		WANT(&b, b.conns[1].error, ECONNRESET);
		WANT(&b, b.conns[1].incomplete, INCOMPLETE_LOST_EVENTS);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* Where no cookie is known, of either, nothing speaks against it. */
static void test_no_cookie(void **ctx)
{
	static struct bench b;

	for (size_t stage = 0; stage < ARRAY_SIZE(stages); stage++) {
		struct ev_close close = make_close(SOCK, stages[stage].state, ETIMEDOUT, 0);

		start(&b, stage, false, "no cookie");
		close.hdr.cookie = 0;
		close.stats = stats_at(stages[stage].role, stages[stage].state, false);
		give(&b, close);
		bench_settle(&b);
		if (only_record(&b)) {
			WANT(&b, b.conns[0].incomplete, 0);
			WANT(&b, b.conns[0].error, ETIMEDOUT);
		}
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_acts_of_another),
		cmocka_unit_test(test_another_found),
		cmocka_unit_test(test_no_cookie),
	};

	return cmocka_run_group_tests_name("engine: same socket", tests, NULL, NULL);
}
