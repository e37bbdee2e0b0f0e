// SPDX-License-Identifier: GPL-2.0-only
/*
 * conn_state and history in the words of Zeek's conn.log, for lives of both
 * roles: S0, S1, SF, REJ, S2, S3, RSTO, RSTR, OTH; upper case is the originator's.
 */
#include "stories.h"

#define SOCK 1

static struct bench b;

static int setup(void **ctx)
{
	bench_calm(&b);
	return 0;
}

/* ---- lives ---- */

static void ends_in_time_wait(struct end *end)
{
	end_takes_fin(end, 1);
	end_leaves(end, ST_TIME_WAIT, EVF_HAS_FILE);
}

static void closes_first(struct end *end)
{
	end_opens(end);
	end_shuts_first(end);
	ends_in_time_wait(end);
}

static void closes_second(struct end *end)
{
	end_opens(end);
	end_shuts_second(end);
}

static void sends_and_closes_first(struct end *end)
{
	end_opens(end);
	end_sends(end, 5, 1);
	end_shuts_first(end);
	ends_in_time_wait(end);
}

static void receives_and_closes_second(struct end *end)
{
	end_opens(end);
	end_receives(end, 5, 1);
	end_shuts_second(end);
}

/* Both ways, and no step between: which was first is not known. */
static void talks_and_closes_second(struct end *end)
{
	end_opens(end);
	end_talks(end);
	end_shuts_second(end);
}

static void closes_simultaneously(struct end *end)
{
	end_opens(end);
	end_steps(end, ST_FIN_WAIT1);
	end_takes_fin(end, 1);
	end_steps(end, ST_CLOSING);
	end_fin_acked(end, 1);
	end_leaves(end, ST_TIME_WAIT, EVF_DEAD);
}

static void leaves_minisock(struct end *end)
{
	end_opens(end);
	end_shuts_first(end);
	end_leaves(end, ST_FIN_WAIT2, EVF_DEAD);
}

static void leaves_minisock_that_meets_fin(struct end *end)
{
	leaves_minisock(end);
	end_meets(end, TCP_FIN | TCP_ACK, 1, 2);
}

static void sends_reset(struct end *end)
{
	end_opens(end);
	end_closes(end, 0, EVF_OWNED | EVF_UNREAD);
	end->b->pace = 10 * US;
	reset_told(end->b, EV_RESET_SENT, SOCK, ST_CLOSE, false, -1);
}

static void receives_reset(struct end *end)
{
	end_opens(end);
	reset_told(end->b, EV_RESET_RECEIVED, SOCK, ST_ESTABLISHED, false, -1);
	end_closes(end, ECONNRESET, EVF_HAS_FILE);
}

static void receives_reset_after_fin(struct end *end)
{
	end_opens(end);
	end_steps(end, ST_FIN_WAIT1);
	reset_told(end->b, EV_RESET_RECEIVED, SOCK, ST_FIN_WAIT1, false, -1);
	end_closes(end, ECONNRESET, EVF_DEAD);
}

static void sends_reset_after_fin(struct end *end)
{
	end_opens(end);
	end_takes_fin(end, 1);
	end_steps(end, ST_CLOSE_WAIT);
	end_closes(end, 0, EVF_OWNED | EVF_UNREAD);
	end->b->pace = 10 * US;
	reset_told(end->b, EV_RESET_SENT, SOCK, ST_CLOSE, false, -1);
}

static void times_out(struct end *end)
{
	end_opens(end);
	end_closes(end, ETIMEDOUT, EVF_HAS_FILE);
}

static void times_out_after_own_fin(struct end *end)
{
	end_opens(end);
	end_steps(end, ST_FIN_WAIT1);
	end_closes(end, ETIMEDOUT, EVF_DEAD);
}

static void times_out_after_peers_fin(struct end *end)
{
	end_opens(end);
	end_takes_fin(end, 1);
	end_steps(end, ST_CLOSE_WAIT);
	end_closes(end, ETIMEDOUT, EVF_HAS_FILE);
}

static void times_out_after_both_fins(struct end *end)
{
	end_opens(end);
	end_takes_fin(end, 1);
	end_steps(end, ST_CLOSE_WAIT);
	end_steps(end, ST_LAST_ACK);
	end_closes(end, ETIMEDOUT, EVF_DEAD);
}

static void connect_fails(struct end *end, uint16_t error, bool is_reset)
{
	end_connects(end, false);
	if (is_reset)
		reset_told(end->b, EV_RESET_RECEIVED, SOCK, ST_SYN_SENT, false, -1);
	end_closes(end, error, error ? 0 : EVF_OWNED);
}

static void is_refused(struct end *end)
{
	connect_fails(end, ECONNREFUSED, true);
}

static void is_not_answered(struct end *end)
{
	connect_fails(end, ETIMEDOUT, false);
}

static void is_unreachable(struct end *end)
{
	connect_fails(end, EHOSTUNREACH, false);
}

static void gives_up(struct end *end)
{
	connect_fails(end, 0, false);
}

static const struct {
	const char *name;
	void (*live)(struct end *end);
	const char *states[2], *histories[2]; /* client's, server's; NULL: it has no such life */
} lives[] = {
	{ "closes first", closes_first, { "SF", "SF" }, { "ShAFf", "ShAfF" } },
	{ "closes second", closes_second, { "SF", "SF" }, { "ShAfF", "ShAFf" } },
	{ "sends, closes first", sends_and_closes_first, { "SF", "SF" }, { "ShADFf", "ShAdfF" } },
	{ "receives, closes second",
	  receives_and_closes_second,
	  { "SF", "SF" },
	  { "ShAdfF", "ShADFf" } },
	{ "talks", talks_and_closes_second, { "SF", "SF" }, { "", "" } },
	{ "closes at once", closes_simultaneously, { "SF", "SF" }, { "ShAFf", "ShAfF" } },
	{ "FIN_WAIT2", leaves_minisock, { "S2", "S3" }, { "ShAF", "ShAf" } },
	{ "FIN_WAIT2, FIN", leaves_minisock_that_meets_fin, { "SF", "SF" }, { "ShAFf", "ShAfF" } },
	{ "RST sent", sends_reset, { "RSTO", "RSTR" }, { "ShAR", "ShAr" } },
	{ "RST received", receives_reset, { "RSTR", "RSTO" }, { "ShAr", "ShAR" } },
	{ "FIN, RST received", receives_reset_after_fin, { "RSTR", "RSTO" }, { "ShAFr", "ShAfR" } },
	{ "FIN received, RST sent",
	  sends_reset_after_fin,
	  { "RSTO", "RSTR" },
	  { "ShAfR", "ShAFr" } },
	{ "timed out", times_out, { "S1", "S1" }, { "ShA", "ShA" } },
	{ "timed out, FIN sent", times_out_after_own_fin, { "S2", "S3" }, { "ShAF", "ShAf" } },
	{ "timed out, FIN received",
	  times_out_after_peers_fin,
	  { "S3", "S2" },
	  { "ShAf", "ShAF" } },
	{ "timed out, both", times_out_after_both_fins, { "SF", "SF" }, { "ShAfF", "ShAFf" } },
	{ "refused", is_refused, { "REJ" }, { "Sr" } },
	{ "not answered", is_not_answered, { "S0" }, { "S" } },
	{ "unreachable", is_unreachable, { "S0" }, { "S" } },
	{ "given up", gives_up, { "S0" }, { "S" } },
};

static void want_zeek(const struct report_conn *conn, const char *state, const char *history)
{
	want_text(&b, "conn_state", conn->conn_state, state);
	want_text(&b, "history", conn->history, history);
}

static void test_lives(void **ctx)
{
	for (size_t i = 0; i < 2 * ARRAY_SIZE(lives); i++) {
		bool is_server = i & 1;
		struct end end = make_end(&b, SOCK, !is_server);
		char label[64];

		if (!lives[i / 2].states[is_server])
			continue;
		start_story(&b, true, false);
		snprintf(label, sizeof(label), "%s, %s", lives[i / 2].name,
			 is_server ? "server" : "client");
		b.label = label;
		lives[i / 2].live(&end);
		want_zeek(told(&b), lives[i / 2].states[is_server],
			  lives[i / 2].histories[is_server]);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* Until TIME_WAIT is over the same words. */
static void test_whole_lives(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	start_story(&b, false, true);
	closes_first(&end);
	end_timer_told(&end, MINISOCK_CANCEL, ST_TIME_WAIT);
	end_timer_told(&end, MINISOCK_EXPIRE, ST_TIME_WAIT);
	want_zeek(told(&b), "SF", "ShAFf");
	bench_end(&b);
	end = make_end(&b, SOCK, false);
	start_story(&b, false, true);
	leaves_minisock(&end);
	end_timer_told(&end, MINISOCK_CANCEL, ST_FIN_WAIT2);
	end_timer_told(&end, MINISOCK_RESTART, ST_TIME_WAIT);
	end_timer_told(&end, MINISOCK_CANCEL, ST_TIME_WAIT);
	end_timer_told(&end, MINISOCK_EXPIRE, ST_TIME_WAIT);
	want_zeek(told(&b), "SF", "ShAfF");
	bench_end(&b);
	end = make_end(&b, SOCK, true);
	start_story(&b, false, true);
	leaves_minisock(&end);
	end_timer_told(&end, MINISOCK_CANCEL, ST_FIN_WAIT2);
	end_timer_told(&end, MINISOCK_EXPIRE, ST_FIN_WAIT2);
	want_zeek(told(&b), "S2", "ShAF");
	bench_end(&b);
	assert_int_equal(b.complaints, 0);
}

/* halfclose_client, halfclose_server: what came after a FIN stands after it. */
static void test_half_close(void **ctx)
{
	for (int is_server = 0; is_server < 2; is_server++) {
		struct end end = make_end(&b, SOCK, !is_server);

		start_story(&b, false, false);
		b.label = is_server ? "server, active" : "client, active";
		end_opens(&end);
		end_sends(&end, 5, 1);
		end_shuts_first(&end);
		end_receives(&end, 100, 1);
		ends_in_time_wait(&end);
		want_zeek(told(&b), "SF", is_server ? "ShAdfDF" : "ShADFdf");
		bench_end(&b);
		end = make_end(&b, SOCK, !is_server);
		start_story(&b, false, false);
		b.label = is_server ? "server, passive" : "client, passive";
		end_opens(&end);
		end_receives(&end, 5, 1);
		end_takes_fin(&end, 1);
		end_steps(&end, ST_CLOSE_WAIT);
		end_sends_ack(&end);
		end_sends(&end, 100, 1);
		end_steps(&end, ST_LAST_ACK);
		end_fin_acked(&end, 1);
		end_closes(&end, 0, EVF_DEAD);
		want_zeek(told(&b), "SF", is_server ? "ShADFdf" : "ShAdfDF");
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* `ss -K` and keepalive send an RST, and that is what the wire shows. */
static void test_reset_before_the_end(void **ctx)
{
	static const struct {
		const char *name;
		uint16_t error;
	} cases[] = { { "killed", ECONNABORTED }, { "keepalive", ETIMEDOUT } };

	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		struct end end = make_end(&b, SOCK, i & 1);

		start_story(&b, false, false);
		b.label = cases[i / 2].name;
		end_opens(&end);
		b.pace = 10 * US;
		reset_told(&b, EV_RESET_SENT, SOCK, ST_ESTABLISHED, false, -1);
		end_closes(&end, cases[i / 2].error, EVF_HAS_FILE | EVF_KEEPALIVE);
		want_zeek(told(&b), i & 1 ? "RSTO" : "RSTR", i & 1 ? "ShAR" : "ShAr");
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* RFC 9293 3.5.1: the peer is half-open, an RST makes it forget, and the next SYN succeeds. */
static void test_reset_before_the_beginning(void **ctx)
{
	for (int is_lost = 0; is_lost < 2; is_lost++) {
		struct end end = make_end(&b, SOCK, true);

		start_story(&b, false, false);
		b.label = is_lost ? "a step was lost" : "all was seen";
		end_connects(&end, false);
		reset_told(&b, EV_RESET_SENT, SOCK, ST_SYN_SENT, true, -1);
		end_takes_syn(&end, true);
		if (!is_lost)
			end_tells_step(&end, ST_ESTABLISHED);
		end.state = ST_ESTABLISHED;
		end_closes(&end, ETIMEDOUT, EVF_HAS_FILE);
		want_zeek(told(&b), "S1", is_lost ? "" : "ShA");
		WANT(&b, b.conns[0].reset_reason, -1);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* What was not seen from its beginning, or not whole, has no history. */
static void test_unknown(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	struct ev_found found = make_found(SOCK, ST_ESTABLISHED);

	start_story(&b, false, false);
	b.label = "found";
	give(&b, found);
	end.state = ST_ESTABLISHED;
	end_closes(&end, ETIMEDOUT, 0);
	want_zeek(told(&b), "OTH", "");
	bench_end(&b);
	end = make_end(&b, SOCK, true);
	start_story(&b, false, false);
	b.label = "loss";
	end_opens(&end);
	lost_told(&b, LOST_RING_FULL, 1);
	end_closes(&end, ETIMEDOUT, 0);
	want_text(&b, "history", told(&b)->history, "");
	bench_end(&b);
	start_story(&b, false, false);
	b.label = "end not seen";
	lead_to(&b, SOCK, ROLE_CLIENT, ST_ESTABLISHED);
	destroyed(&b, SOCK);
	want_zeek(told(&b), "", "");
	bench_end(&b);
	end = make_end(&b, SOCK, true);
	bench_start(&b, false);
	b.label = "no story";
	closes_first(&end);
	want_zeek(told(&b), "SF", "");
	bench_end(&b);
	start_story(&b, false, false);
	b.label = "simultaneous open";
	lead_to(&b, SOCK, ROLE_BOTH, ST_ESTABLISHED);
	end.state = ST_ESTABLISHED;
	end_closes(&end, ETIMEDOUT, 0);
	want_zeek(told(&b), "", "");
	bench_end(&b);
	assert_int_equal(b.complaints, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_lives),
		TEST(test_whole_lives),
		TEST(test_half_close),
		TEST(test_reset_before_the_end),
		TEST(test_reset_before_the_beginning),
		TEST(test_unknown),
	};

	return cmocka_run_group_tests_name("zeek", tests, NULL, NULL);
}
