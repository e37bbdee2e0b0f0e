// SPDX-License-Identifier: GPL-2.0-only
/* Why it was reset, timed out or killed, by what the socket showed at its end (SCENARIOS R7). */
#include "stories.h"

#define SOCK 1

enum when { NEVER, BEFORE, AFTER };

static struct bench b;

static int setup(void **ctx)
{
	bench_calm(&b);
	return 0;
}

struct line {
	const char *name;
	uint8_t state; /* that goes to CLOSE */
	uint16_t error, flags;
	uint8_t shutdown;
	uint32_t unacked;
	enum when reset; /* that this end sent */
	bool is_reply;
	int reset_reason; /* 0: the kernel gives none */
	const char *closed, *reason;
};

static const struct line lines[] = {
	/* our own resets */
	{ "unread data", ST_ESTABLISHED, 0, EVF_OWNED | EVF_UNREAD, 3, 0, AFTER, false, 0,
	  "rst_sent", "unread_data" },
	{ "unread data, half-closed", ST_CLOSE_WAIT, 0, EVF_OWNED | EVF_HAS_FILE | EVF_UNREAD, 3, 0,
	  AFTER, false, 11, "rst_sent", "unread_data" },
	{ "unread data and linger 0", ST_ESTABLISHED, 0, EVF_OWNED | EVF_UNREAD | EVF_LINGER0, 3, 0,
	  AFTER, false, 0, "rst_sent", "unread_data" },
	{ "linger 0", ST_ESTABLISHED, 0, EVF_OWNED | EVF_HAS_FILE | EVF_LINGER0, 3, 0, AFTER, false,
	  12, "rst_sent", "linger0" },
	{ "linger 0, data unacked", ST_ESTABLISHED, 0, EVF_OWNED | EVF_HAS_FILE | EVF_LINGER0, 3,
	  77, AFTER, false, 0, "rst_sent", "linger0" },
	{ "linger2 below 0", ST_FIN_WAIT2, 0, EVF_OWNED | EVF_DEAD | EVF_LINGER2_NEG, 3, 0, AFTER,
	  false, 0, "rst_sent", "linger2" },
	{ "linger2 has no say yet", ST_ESTABLISHED, 0,
	  EVF_OWNED | EVF_HAS_FILE | EVF_LINGER2_NEG | EVF_LINGER0, 3, 0, AFTER, false, 0,
	  "rst_sent", "linger0" },
	{ "connect() to AF_UNSPEC", ST_ESTABLISHED, 0, EVF_OWNED | EVF_HAS_FILE, 0, 0, AFTER, false,
	  0, "rst_sent", "disconnect" },
	{ "listener closed", ST_ESTABLISHED, 0, 0, 0, 0, AFTER, false, 0, "rst_sent",
	  "listener_closed" },
	{ "out of memory", ST_ESTABLISHED, 0, EVF_OWNED | EVF_DEAD, 3, 0, AFTER, false, 13,
	  "rst_sent", "out_of_memory" },
	{ "no sign of why", ST_FIN_WAIT1, 0, EVF_DEAD, 3, 1, AFTER, false, 0, "rst_sent", "-" },

	/* data for one that is closed: the kernel resets itself (R8) */
	{ "data after close", ST_FIN_WAIT2, ECONNRESET, EVF_DEAD, 3, 0, AFTER, true, 8, "rst_sent",
	  "data_after_close" },
	{ "data after close, older kernel", ST_FIN_WAIT1, ECONNRESET, EVF_DEAD, 3, 1, AFTER, true,
	  0, "rst_sent", "data_after_close" },
	{ "data after shutdown", ST_FIN_WAIT2, ECONNRESET, EVF_HAS_FILE, 3, 0, AFTER, true, 0,
	  "rst_sent", "data_after_close" },

	/* time out */
	{ "retransmissions", ST_ESTABLISHED, ETIMEDOUT, EVF_HAS_FILE, 0, 5, NEVER, false, 0,
	  "timed_out", "retransmissions" },
	{ "retransmissions, keepalive is on", ST_ESTABLISHED, ETIMEDOUT,
	  EVF_HAS_FILE | EVF_KEEPALIVE, 0, 5, NEVER, false, 0, "timed_out", "retransmissions" },
	{ "the FIN, orphaned", ST_FIN_WAIT1, ETIMEDOUT, EVF_DEAD, 3, 1, NEVER, false, 0,
	  "timed_out", "retransmissions" },
	{ "user timeout", ST_ESTABLISHED, ETIMEDOUT, EVF_HAS_FILE | EVF_USER_TIMEOUT, 0, 5, NEVER,
	  false, 0, "timed_out", "user_timeout" },
	{ "keepalive", ST_ESTABLISHED, ETIMEDOUT, EVF_HAS_FILE | EVF_KEEPALIVE, 0, 0, BEFORE, false,
	  15, "timed_out", "keepalive" },
	{ "keepalive, older kernel", ST_CLOSE_WAIT, ETIMEDOUT, EVF_HAS_FILE | EVF_KEEPALIVE, 1, 0,
	  BEFORE, false, 0, "timed_out", "keepalive" },
	{ "nothing unacked, no keepalive", ST_ESTABLISHED, ETIMEDOUT, EVF_HAS_FILE, 0, 0, NEVER,
	  false, 0, "timed_out", "-" },
	{ "ICMP while it retransmits", ST_ESTABLISHED, EHOSTUNREACH, EVF_HAS_FILE, 0, 5, NEVER,
	  false, 0, "timed_out", "icmp" },
	{ "ICMP, user timeout is on", ST_ESTABLISHED, ENETUNREACH, EVF_HAS_FILE | EVF_USER_TIMEOUT,
	  0, 5, NEVER, false, 0, "timed_out", "icmp" },

	/* killed, and ends that need no reason */
	{ "ss -K", ST_ESTABLISHED, ECONNABORTED, EVF_HAS_FILE, 0, 0, BEFORE, false, 0, "killed",
	  "killed" },
	{ "ss -K of one that connects", ST_SYN_SENT, ECONNABORTED, EVF_HAS_FILE, 0, 0, NEVER, false,
	  0, "killed", "killed" },
	{ "reset by the peer", ST_ESTABLISHED, ECONNRESET, EVF_HAS_FILE, 0, 0, NEVER, false, 0,
	  "rst_received", "-" },
	{ "released", ST_LAST_ACK, 0, EVF_DEAD | EVF_DONE, 3, 0, NEVER, false, 0, "fin", "-" },
	{ "repair", ST_ESTABLISHED, 0, EVF_OWNED | EVF_HAS_FILE | EVF_REPAIR, 3, 0, NEVER, false, 0,
	  "aborted", "-" },
	{ "connect() timed out", ST_SYN_SENT, ETIMEDOUT, EVF_HAS_FILE, 0, 1, NEVER, false, 0,
	  "none", "-" },
	{ "connect() given up", ST_SYN_SENT, 0, EVF_OWNED, 3, 1, NEVER, false, 0, "none", "-" },
};

static void give_line(const struct line *line, enum conn_role role)
{
	struct ev_close close = make_close(SOCK, line->state, line->error, line->flags);
	int reason = line->reset_reason ? line->reset_reason : -1;

	lead_to(&b, SOCK, role, line->state);
	if (line->error == ECONNRESET)
		reset_told(&b, EV_RESET_RECEIVED, SOCK, line->state, false, -1);
	if (line->reset == BEFORE)
		reset_told(&b, EV_RESET_SENT, SOCK, line->state, line->is_reply, reason);
	close.sock.shutdown = line->shutdown;
	close.stats = stats_at(role, line->state, line->error == 0);
	close.stats.snd_una = close.stats.snd_nxt - line->unacked;
	b.pace = 10 * US;
	give(&b, close);
	if (line->reset == AFTER)
		reset_told(&b, EV_RESET_SENT, SOCK, ST_CLOSE, line->is_reply, reason);
}

/* With and without a story: the socket shows it either way. */
static void test_reasons(void **ctx)
{
	for (size_t i = 0; i < 4 * ARRAY_SIZE(lines); i++) {
		const struct line *line = &lines[i / 4];
		enum conn_role role = i & 1 ? ROLE_CLIENT : ROLE_SERVER;
		const struct report_conn *conn;

		if (line->state == ST_SYN_SENT && role == ROLE_SERVER)
			continue;
		if (i & 2)
			start_story(&b, true, false);
		else
			bench_start(&b, false);
		b.label = line->name;
		give_line(line, role);
		conn = told(&b);
		want_text(&b, "closed", or_dash(name_closed(conn->closed)), line->closed);
		want_text(&b, "reason", or_dash(conn->reason), line->reason);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* Keepalive is silent where data waits for a window: its probes are not what went unanswered. */
static void test_zero_window(void **ctx)
{
	struct ev_close close =
		make_close(SOCK, ST_ESTABLISHED, ETIMEDOUT, EVF_HAS_FILE | EVF_KEEPALIVE);

	bench_start(&b, false);
	lead_to(&b, SOCK, ROLE_CLIENT, ST_ESTABLISHED);
	close.stats = stats_at(ROLE_CLIENT, ST_ESTABLISHED, false);
	close.stats.write_seq += 1000;
	give(&b, close);
	assert_int_equal(told(&b)->closed, CLOSED_TIMED_OUT);
	assert_string_not_equal(or_dash(b.conns[0].reason), "keepalive");
	bench_end(&b);
}

/* A child that nobody has accepted, in SYN_RECV (Fast Open) too. */
static void test_listener_closed_early(void **ctx)
{
	struct ev_close close = make_close(SOCK, ST_SYN_RECV, 0, 0);

	bench_start(&b, false);
	child_opens(&b, SOCK, ST_SYN_RECV);
	b.pace = 10 * US;
	give(&b, close);
	reset_told(&b, EV_RESET_SENT, SOCK, ST_CLOSE, false, -1);
	assert_int_equal(told(&b)->closed, CLOSED_RST_SENT);
	assert_string_equal(or_dash(b.conns[0].reason), "listener_closed");
	bench_end(&b);
}

/* How it ended was lost: then so was why. */
static void test_end_not_seen(void **ctx)
{
	bench_start(&b, false);
	lead_to(&b, SOCK, ROLE_CLIENT, ST_ESTABLISHED);
	destroyed(&b, SOCK);
	assert_int_equal(told(&b)->closed, CLOSED_UNKNOWN);
	assert_null(b.conns[0].reason);
	bench_end(&b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_reasons),
		TEST(test_zero_window),
		TEST(test_listener_closed_early),
		TEST(test_end_not_seen),
	};

	return cmocka_run_group_tests_name("reason", tests, NULL, NULL);
}
