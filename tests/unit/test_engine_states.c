// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state machine, from RFC 9293, the kernel's rules (SCENARIOS R1 to R12)
 * and what records promise (DESIGN 5): every state combined with every way
 * to CLOSE, with every transition, and with every other event.
 */
#include "lives.h"

#define SOCK 1
#define MINISOCK 2
#define REASON 17

enum told_before { NOTHING_BEFORE, RESET_CAME, RESET_WENT };
enum told_after { NOTHING_AFTER, RESET_ACTIVE, RESET_REPLY };

/* The columns of the table: every state in which a connection can be. */
enum column { SYN_SENT, CHILD, SIMUL, ESTAB, FIN1, FIN2, CLOSEW, LASTACK, CLOSING, COLUMNS };

static const struct {
	uint8_t state;
	enum conn_role roles[3];
} columns[COLUMNS] = {
	[SYN_SENT] = { ST_SYN_SENT, { ROLE_CLIENT } },
	[CHILD] = { ST_SYN_RECV, { ROLE_SERVER } },
	[SIMUL] = { ST_SYN_RECV, { ROLE_BOTH } },
	[ESTAB] = { ST_ESTABLISHED, { ROLE_CLIENT, ROLE_SERVER, ROLE_BOTH } },
	[FIN1] = { ST_FIN_WAIT1, { ROLE_CLIENT, ROLE_SERVER, ROLE_BOTH } },
	[FIN2] = { ST_FIN_WAIT2, { ROLE_CLIENT, ROLE_SERVER, ROLE_BOTH } },
	[CLOSEW] = { ST_CLOSE_WAIT, { ROLE_CLIENT, ROLE_SERVER, ROLE_BOTH } },
	[LASTACK] = { ST_LAST_ACK, { ROLE_CLIENT, ROLE_SERVER, ROLE_BOTH } },
	[CLOSING] = { ST_CLOSING, { ROLE_CLIENT, ROLE_SERVER, ROLE_BOTH } },
};

/*
 * A way to CLOSE, and what the record must say of it for each column: while
 * opening "opened closed closed_first", later "closed closed_first remains
 * remains_end"; NULL where the kernel has no such way, so that only one
 * record and no crash is asked for.
 */
struct closing {
	const char *name;
	enum told_before before;
	uint16_t error; /* in CLOSE_WAIT ECONNRESET is EPIPE, in SYN_SENT ECONNREFUSED */
	uint16_t flags;
	uint8_t minisock_state;
	enum told_after after;
	const char *must[COLUMNS];
};

#define RST_SENT_ROW                                                                               \
	{                                                                                          \
		[CHILD] = "aborted rst_sent local", [SIMUL] = "aborted rst_sent local",            \
		[ESTAB] = "rst_sent local - -", [FIN1] = "rst_sent local - -",                     \
		[FIN2] = "rst_sent local - -", [CLOSEW] = "rst_sent remote - -",                   \
		[LASTACK] = "rst_sent remote - -", [CLOSING] = "rst_sent both - -",                \
	}

#define TIMED_OUT_ROW                                                                              \
	{                                                                                          \
		[SYN_SENT] = "timed_out none none", [CHILD] = "timed_out none none",               \
		[SIMUL] = "timed_out none none", [ESTAB] = "timed_out none - -",                   \
		[FIN1] = "timed_out local - -", [FIN2] = "timed_out local - -",                    \
		[CLOSEW] = "timed_out remote - -", [LASTACK] = "timed_out remote - -",             \
		[CLOSING] = "timed_out both - -",                                                  \
	}

#define KILLED_LATE                                                                                \
	[ESTAB] = "killed local - -", [FIN1] = "killed local - -", [FIN2] = "killed local - -",    \
	[CLOSEW] = "killed remote - -", [LASTACK] = "killed remote - -",                           \
	[CLOSING] = "killed both - -"

static const struct closing closings[] = {
	{ "no error, no reset",
	  .must = { "aborted none none", "aborted none none", "aborted none none",
		    "aborted local - -", "aborted local - -", "aborted local - -",
		    "aborted remote - -", "fin remote - -", "aborted both - -" } },
	{ "close() in time", .flags = EVF_OWNED | EVF_HAS_FILE,
	  .must = { "aborted none none", "aborted none none", "aborted none none",
		    "aborted local - -", "aborted local - -", "aborted local - -",
		    "aborted remote - -", "fin remote - -", "aborted both - -" } },
	{ "no SYN was built", .flags = EVF_OWNED | EVF_UNSENT_SYN,
	  .must = { [SYN_SENT] = "aborted none none" } },
	{ "RST came", RESET_CAME, ECONNRESET,
	  .must = { "refused none none", "reset none none", "reset none none",
		    "rst_received remote - -", "rst_received local - -", "rst_received local - -",
		    "rst_received remote - -", "rst_received remote - -",
		    "rst_received both - -" } },
	{ "data after close(), R8", RESET_CAME, ECONNRESET, EVF_DEAD, .after = RESET_REPLY,
	  .must = { [ESTAB] = "rst_sent local - -",
		    [FIN1] = "rst_sent local - -",
		    [FIN2] = "rst_sent local - -",
		    [CLOSEW] = "rst_sent remote - -",
		    [LASTACK] = "rst_sent remote - -",
		    [CLOSING] = "rst_sent both - -" } },
	{ "unread data", NOTHING_BEFORE, 0, EVF_OWNED | EVF_HAS_FILE | EVF_UNREAD,
	  .after = RESET_ACTIVE, .must = RST_SENT_ROW },
	{ "linger 0", NOTHING_BEFORE, 0, EVF_OWNED | EVF_HAS_FILE | EVF_LINGER0,
	  .after = RESET_ACTIVE, .must = RST_SENT_ROW },
	{ "connect(AF_UNSPEC)", NOTHING_BEFORE, 0, EVF_OWNED | EVF_HAS_FILE, .after = RESET_ACTIVE,
	  .must = RST_SENT_ROW },
	{ "listener closed", .after = RESET_ACTIVE,
	  .must = { [CHILD] = "aborted rst_sent local",
		    [ESTAB] = "rst_sent local - -",
		    [CLOSEW] = "rst_sent remote - -" } },
	{ "linger 0, minisocks full", NOTHING_BEFORE, 0, EVF_OWNED | EVF_LINGER0 | EVF_TW_FULL,
	  .after = RESET_ACTIVE,
	  .must = { [FIN2] = "rst_sent local - -", [CLOSING] = "rst_sent both - -" } },
	{ "RST came, minisocks full", RESET_CAME, ECONNRESET, EVF_TW_FULL,
	  .must = { [FIN2] = "rst_received local - -", [CLOSING] = "rst_received both - -" } },
	{ "linger2 below 0", NOTHING_BEFORE, 0, EVF_DEAD | EVF_LINGER2_NEG, .after = RESET_REPLY,
	  .must = { [FIN2] = "rst_sent local - -" } },
	{ "timeout", NOTHING_BEFORE, ETIMEDOUT, .must = TIMED_OUT_ROW },
	{ "keepalive timeout", RESET_WENT, ETIMEDOUT, EVF_HAS_FILE,
	  .must = { [ESTAB] = "timed_out none - -",
		    [FIN1] = "timed_out local - -",
		    [FIN2] = "timed_out local - -",
		    [CLOSEW] = "timed_out remote - -",
		    [LASTACK] = "timed_out remote - -",
		    [CLOSING] = "timed_out both - -" } },
	{ "ss -K with RST", RESET_WENT, ECONNABORTED, EVF_OWNED | EVF_HAS_FILE,
	  .must = { [CHILD] = "aborted killed *", [SIMUL] = "aborted killed *", KILLED_LATE } },
	{ "ss -K without RST", NOTHING_BEFORE, ECONNABORTED, EVF_OWNED | EVF_HAS_FILE,
	  .must = { [SYN_SENT] = "aborted killed *", KILLED_LATE } },
	{ "ICMP host unreachable", NOTHING_BEFORE, EHOSTUNREACH, EVF_HAS_FILE,
	  .must = { [SYN_SENT] = "unreachable none none" } },
	{ "ICMP port unreachable", NOTHING_BEFORE, ECONNREFUSED, EVF_HAS_FILE,
	  .must = { [SYN_SENT] = "unreachable none none" } },
	{ "no route", NOTHING_BEFORE, ENETUNREACH, EVF_OWNED | EVF_HAS_FILE,
	  .must = { [SYN_SENT] = "unreachable none none" } },
	{ "TIME_WAIT takes over", .flags = EVF_DEAD | EVF_DONE, .minisock_state = ST_TIME_WAIT,
	  .must = { [FIN2] = "fin local time_wait -", [CLOSING] = "fin both time_wait -" } },
	{ "FIN_WAIT2 takes over", .flags = EVF_DEAD, .minisock_state = ST_FIN_WAIT2,
	  .must = { [FIN2] = "fin local fin_wait2 -" } },
	/* one was due by the flags (R2), and where it is nobody knows */
	{ "TIME_WAIT not found", .flags = EVF_DEAD | EVF_DONE,
	  .must = { [FIN2] = "fin local - -", [CLOSING] = "fin both - -" } },
	{ "FIN_WAIT2 not found", .flags = EVF_DEAD, .must = { [FIN2] = "fin local - -" } },
	{ "linger2 below 0, RST not seen", .flags = EVF_DEAD | EVF_LINGER2_NEG,
	  .must = { [FIN2] = "aborted local - -" } },
	{ "minisocks full", .flags = EVF_DEAD | EVF_DONE | EVF_TW_FULL,
	  .must = { [FIN2] = "fin local - overflow", [CLOSING] = "fin both - overflow" } },
};

static uint16_t error_in(uint16_t error, uint8_t state)
{
	if (error != ECONNRESET)
		return error;
	if (state == ST_SYN_SENT)
		return ECONNREFUSED;
	return state == ST_CLOSE_WAIT ? EPIPE : ECONNRESET;
}

static void tell_closing(struct bench *b, const struct closing *c, enum conn_role role,
			 uint8_t state)
{
	struct ev_close close = make_close(SOCK, state, error_in(c->error, state), c->flags);
	bool orderly = !c->error && c->after == NOTHING_AFTER;

	if (c->before == RESET_CAME)
		reset_told(b, EV_RESET_RECEIVED, SOCK, state, false, -1);
	if (c->before == RESET_WENT)
		reset_told(b, EV_RESET_SENT, SOCK, state, false, REASON);
	close.stats = stats_at(role, state, orderly);
	close.lport = role == ROLE_SERVER ? RPORT : LPORT;
	close.minisock_state = c->minisock_state;
	close.minisock = c->minisock_state ? MINISOCK : 0;
	b->pace = 5 * US;
	give(b, close);
	if (c->after != NOTHING_AFTER)
		reset_told(b, EV_RESET_SENT, SOCK, ST_CLOSE, c->after == RESET_REPLY, REASON);
	b->pace = MS;
}

/* A "*" in the last word stands for any. */
static void want_words(struct bench *b, const char *is, const char *must)
{
	size_t len = strlen(must);

	if (len && must[len - 1] == '*' ? strncmp(is, must, len - 1) : strcmp(is, must))
		complain(b, "says \"%s\", must say \"%s\"", is, must);
}

static void check_words(struct bench *b, const struct report_conn *conn, uint8_t state,
			const char *must)
{
	char is[128];

	if (state == ST_SYN_SENT || state == ST_SYN_RECV)
		snprintf(is, sizeof(is), "%s %s %s", or_dash(name_opened(conn->opened)),
			 or_dash(name_closed(conn->closed)),
			 or_dash(name_first(conn->closed_first)));
	else
		snprintf(is, sizeof(is), "%s %s %s %s", or_dash(name_closed(conn->closed)),
			 or_dash(name_first(conn->closed_first)),
			 or_dash(name_remains(conn->remains)),
			 or_dash(name_remains_end(conn->remains_end)));
	want_words(b, is, must);
}

static void check_teardown(struct bench *b, const struct report_conn *conn)
{
	if (conn->closed != CLOSED_FIN)
		WANT(b, conn->teardown, TEARDOWN_NONE);
	else if (conn->closed_first == FIRST_BOTH)
		WANT(b, conn->teardown, TEARDOWN_SIMULTANEOUS);
	else if (conn->teardown == TEARDOWN_NONE || conn->teardown == TEARDOWN_SIMULTANEOUS)
		complain(b, "teardown is %s", or_dash(name_teardown(conn->teardown)));
}

static void check_record(struct bench *b, const struct closing *c, enum conn_role role,
			 uint8_t state, const char *must)
{
	static const enum conn_opened opened[] = { [ROLE_CLIENT] = OPENED_HANDSHAKE,
						   [ROLE_SERVER] = OPENED_HANDSHAKE,
						   [ROLE_BOTH] = OPENED_SIMULTANEOUS };
	const struct report_conn *conn = only_record(b);
	bool has_reset = c->before == RESET_WENT || c->after != NOTHING_AFTER;

	if (!conn)
		return;
	check_words(b, conn, state, must);
	check_teardown(b, conn);
	want_text(b, "states", states_text(conn), led_text(role, state));
	WANT(b, conn->role, role);
	WANT(b, conn->incomplete, 0);
	WANT(b, conn->error, error_in(c->error, state));
	WANT(b, conn->reset_reason, has_reset ? REASON : -1);
	WANT(b, conn->duration_ns, conn->end_ns - conn->start_ns);
	if (state != ST_SYN_SENT && state != ST_SYN_RECV)
		WANT(b, conn->opened, opened[role]);
	if (conn->tuple.lport != (role == ROLE_SERVER ? RPORT : LPORT))
		complain(b, "lport is %u", conn->tuple.lport);
}

static void check_closing(struct bench *b, const struct closing *c, enum column column,
			  enum conn_role role)
{
	uint8_t state = columns[column].state;
	char label[128];

	bench_start(b, false);
	snprintf(label, sizeof(label), "%s in %s as %s", c->name, name_state(state),
		 name_role(role));
	b->label = label;
	lead_to(b, SOCK, role, state);
	WANT(b, b->conns_len, 0);
	tell_closing(b, c, role, state);
	bench_settle(b);
	if (c->must[column])
		check_record(b, c, role, state, c->must[column]);
	else
		only_record(b);
	engine_finish(b->engine);
	only_record(b);
	bench_end(b);
}

static void test_every_way_to_close(void **ctx)
{
	static struct bench b;

	bench_calm(&b);
	for (size_t i = 0; i < ARRAY_SIZE(closings); i++)
		for (int column = 0; column < COLUMNS; column++)
			for (int r = 0; r < 3 && columns[column].roles[r]; r++)
				check_closing(&b, &closings[i], column, columns[column].roles[r]);
	assert_int_equal(b.complaints, 0);
}

/* The same words of the same lives, where the source tells only beginnings and ends. */
static void test_every_way_to_close_by_its_ends(void **ctx)
{
	static struct bench b;

	bench_calm(&b);
	b.only_ends = true;
	for (size_t i = 0; i < ARRAY_SIZE(closings); i++)
		for (int column = 0; column < COLUMNS; column++)
			for (int r = 0; r < 3 && columns[column].roles[r]; r++)
				check_closing(&b, &closings[i], column, columns[column].roles[r]);
	assert_int_equal(b.complaints, 0);
}

/* RFC 9293 3.3.2 with the kernel's way: TIME_WAIT and CLOSE are no state of a socket's step. */
static bool is_lawful(uint8_t old_state, uint8_t new_state)
{
	static const uint8_t lawful[][2] = {
		{ ST_SYN_SENT, ST_ESTABLISHED },   { ST_SYN_SENT, ST_SYN_RECV },
		{ ST_SYN_RECV, ST_ESTABLISHED },   { ST_SYN_RECV, ST_FIN_WAIT1 },
		{ ST_SYN_RECV, ST_CLOSE_WAIT },	   { ST_ESTABLISHED, ST_FIN_WAIT1 },
		{ ST_ESTABLISHED, ST_CLOSE_WAIT }, { ST_FIN_WAIT1, ST_FIN_WAIT2 },
		{ ST_FIN_WAIT1, ST_CLOSING },	   { ST_CLOSE_WAIT, ST_LAST_ACK },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lawful); i++)
		if (lawful[i][0] == old_state && lawful[i][1] == new_state)
			return true;
	return false;
}

/* Whether the path to one state leads through the other. */
static bool has_passed(enum conn_role role, uint8_t state, uint8_t passed)
{
	return strstr(led_text(role, state), name_state(passed)) != NULL;
}

/* Ends a life by an RST from the peer, in whatever state it is. */
static void end_by_reset(struct bench *b, enum conn_role role, uint8_t state)
{
	const struct closing reset = { .before = RESET_CAME, .error = ECONNRESET };

	tell_closing(b, &reset, role, state);
	bench_settle(b);
}

static void check_step(struct bench *b, enum column column, enum conn_role role, uint8_t old_state,
		       uint8_t new_state)
{
	uint8_t state = columns[column].state;
	bool is_lost = old_state != state && old_state != new_state;
	const struct report_conn *conn;
	char label[128], must[512];

	bench_start(b, false);
	snprintf(label, sizeof(label), "%s>%s in %s as %s", name_state(old_state),
		 name_state(new_state), name_state(state), name_role(role));
	b->label = label;
	lead_to(b, SOCK, role, state);
	steps_to(b, SOCK, old_state, new_state);
	WANT(b, b->conns_len, 0);
	end_by_reset(b, role, new_state);
	conn = only_record(b);
	if (conn && is_lost && !(conn->incomplete & INCOMPLETE_LOST_EVENTS))
		complain(b, "complete, though a step is missing");
	if (conn && !is_lost && is_lawful(old_state, new_state)) {
		snprintf(must, sizeof(must), "%s %s", led_text(role, state), name_state(new_state));
		want_text(b, "states", states_text(conn), must);
		WANT(b, conn->incomplete, 0);
	}
	/* what the kernel said it left was entered, though nobody knows when */
	if (conn && is_lost && is_lawful(old_state, new_state) && is_lawful(state, old_state) &&
	    !has_passed(role, state, new_state)) {
		snprintf(must, sizeof(must), "%s %s ", led_text(role, state),
			 name_state(old_state));
		strcat(must, name_state(new_state));
		want_text(b, "states", states_text(conn), must);
		WANT(b, state_ns(conn, state), UNKNOWN_NS);
		WANT(b, state_ns(conn, old_state), UNKNOWN_NS);
	}
	bench_end(b);
}

static void test_every_transition(void **ctx)
{
	static struct bench b;

	for (int column = 0; column < COLUMNS; column++)
		for (int r = 0; r < 3 && columns[column].roles[r]; r++)
			for (uint8_t old_state = 1; old_state < ST_MAX; old_state++)
				for (uint8_t new_state = 1; new_state < ST_MAX; new_state++)
					check_step(&b, column, columns[column].roles[r], old_state,
						   new_state);
	assert_int_equal(b.complaints, 0);
}

/* Over steps that a source of beginnings and ends only leaves out. */
static bool may_lead_to(uint8_t state, uint8_t later)
{
	switch (later) {
	case ST_ESTABLISHED:
		return state == ST_SYN_SENT;
	case ST_FIN_WAIT1:
	case ST_CLOSE_WAIT:
		return state == ST_SYN_SENT || state == ST_ESTABLISHED;
	case ST_FIN_WAIT2:
		return state == ST_SYN_SENT || state == ST_ESTABLISHED || state == ST_FIN_WAIT1;
	case ST_LAST_ACK:
		return state == ST_SYN_SENT || state == ST_ESTABLISHED || state == ST_CLOSE_WAIT;
	default:
		return false;
	}
}

/* The last state that a source of beginnings and ends only has told of this one. */
static uint8_t told_state(enum conn_role role, uint8_t state)
{
	if (state == ST_SYN_SENT || state == ST_SYN_RECV || state == ST_CLOSING)
		return state;
	return role == ROLE_CLIENT ? ST_SYN_SENT : ST_ESTABLISHED;
}

/* EV_CLOSE from a state that is not the tracked one: a step was lost, or left out. */
static void check_close_from(struct bench *b, enum column column, enum conn_role role,
			     uint8_t old_state)
{
	static const struct closing plain = { .name = "plain" };
	uint8_t state = columns[column].state;
	const struct report_conn *conn;
	char label[128];

	bench_start(b, false);
	snprintf(label, sizeof(label), "%s>CLOSE in %s as %s", name_state(old_state),
		 name_state(columns[column].state), name_role(role));
	b->label = label;
	lead_to(b, SOCK, role, columns[column].state);
	tell_closing(b, &plain, role, old_state);
	bench_settle(b);
	conn = only_record(b);
	if (b->only_ends)
		state = told_state(role, state);
	if (conn && (old_state == state || (b->only_ends && may_lead_to(state, old_state))))
		WANT(b, conn->incomplete, 0);
	else if (conn)
		WANT(b, conn->incomplete, INCOMPLETE_LOST_EVENTS);
	if (conn && old_state == ST_LAST_ACK)
		WANT(b, conn->closed, CLOSED_FIN);
	if (conn && conn->states_len)
		WANT(b, conn->states[conn->states_len - 1].state, old_state);
	bench_end(b);
}

static void close_from_every_state(struct bench *b)
{
	for (int column = 0; column < COLUMNS; column++)
		for (int r = 0; r < 3 && columns[column].roles[r]; r++)
			for (int from = 0; from < COLUMNS; from++)
				check_close_from(b, column, columns[column].roles[r],
						 columns[from].state);
	assert_int_equal(b->complaints, 0);
}

static void test_close_from_every_state(void **ctx)
{
	static struct bench b;

	bench_calm(&b);
	close_from_every_state(&b);
}

static void test_close_by_its_ends(void **ctx)
{
	static struct bench b;

	bench_calm(&b);
	b.only_ends = true;
	close_from_every_state(&b);
}

/* A snapshot shows the state that nobody told, and that is no loss. */
static void test_found_on_the_way(void **ctx)
{
	static struct bench b;
	struct engine_counts counts;
	struct ev_found found;

	for (int only_ends = 0; only_ends < 2; only_ends++) {
		bench_calm(&b);
		b.only_ends = only_ends;
		bench_start(&b, false);
		client_opens(&b, SOCK);
		scan_told(&b, EV_SCAN_BEGIN, true, false);
		found = make_found(SOCK, ST_FIN_WAIT1);
		give(&b, found);
		scan_told(&b, EV_SCAN_END, true, true);
		engine_counts(b.engine, &counts);
		assert_int_equal(counts.lost[LOST_UNSEEN], only_ends ? 0 : 1);
		end_by_reset(&b, ROLE_CLIENT, ST_FIN_WAIT2);
		assert_int_equal(b.conns_len, 1);
		assert_int_equal(b.conns[0].incomplete, only_ends ? 0 : INCOMPLETE_LOST_EVENTS);
		assert_string_equal(states_text(&b.conns[0]),
				    only_ends ? "SYN_SENT ESTABLISHED FIN_WAIT1 FIN_WAIT2"
					      : "SYN_SENT FIN_WAIT1 FIN_WAIT2");
		bench_end(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_way_to_close),
		cmocka_unit_test(test_every_transition),
		cmocka_unit_test(test_close_from_every_state),
		cmocka_unit_test(test_every_way_to_close_by_its_ends),
		cmocka_unit_test(test_close_by_its_ends),
		cmocka_unit_test(test_found_on_the_way),
	};

	return cmocka_run_group_tests_name("engine: states", tests, NULL, NULL);
}
