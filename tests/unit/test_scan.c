// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections that began before the tracer, snapshots that meet the hooks,
 * losses and their repair.
 */
#include "lives.h"

#define SOCK 1

static void give_found(struct bench *b, struct ev_found found)
{
	give(b, found);
}

static void end_by_timeout(struct bench *b, uint64_t sock, uint8_t state)
{
	struct ev_close close = make_close(sock, state, ETIMEDOUT, 0);

	close.stats = stats_at(ROLE_CLIENT, state, false);
	give(b, close);
	bench_settle(b);
}

static const struct {
	const char *name;
	uint8_t state;
	uint32_t fin_acked, in_flight, unsent; /* in flight: with the FIN */
	bool active;
	uint32_t sent, retrans; /* bytes_sent counts those sent again */
	uint16_t flags;
	int role;
} openers[] = {
	{ "idle client", ST_ESTABLISHED, 0, 0, 0, true, 0, 0, 0, ROLE_CLIENT },
	{ "idle server", ST_ESTABLISHED, 0, 0, 0, false, 0, 0, 0, ROLE_SERVER },
	{ "client that sent", ST_ESTABLISHED, 0, 0, 0, true, 900, 0, 0, ROLE_CLIENT },
	{ "server that sent", ST_ESTABLISHED, 0, 0, 0, false, 900, 0, 0, ROLE_SERVER },
	{ "client, data in flight", ST_ESTABLISHED, 0, 700, 0, true, 900, 0, 0, ROLE_CLIENT },
	{ "server, sent again", ST_ESTABLISHED, 0, 700, 0, false, 900, 1400, 0, ROLE_SERVER },
	{ "client, sent again", ST_CLOSE_WAIT, 0, 700, 50, true, 900, 1400, 0, ROLE_CLIENT },
	{ "server in CLOSE_WAIT", ST_CLOSE_WAIT, 0, 0, 0, false, 12, 0, 0, ROLE_SERVER },
	{ "client in FIN_WAIT1", ST_FIN_WAIT1, 0, 1, 0, true, 5, 0, 0, ROLE_CLIENT },
	{ "server in FIN_WAIT1", ST_FIN_WAIT1, 0, 1, 0, false, 5, 0, 0, ROLE_SERVER },
	{ "client in FIN_WAIT2", ST_FIN_WAIT2, 1, 0, 0, true, 5, 0, 0, ROLE_CLIENT },
	{ "server in FIN_WAIT2", ST_FIN_WAIT2, 1, 0, 0, false, 5, 0, 0, ROLE_SERVER },
	{ "client in LAST_ACK", ST_LAST_ACK, 0, 1, 0, true, 5, 0, 0, ROLE_CLIENT },
	{ "server in LAST_ACK", ST_LAST_ACK, 0, 1, 0, false, 5, 0, 0, ROLE_SERVER },
	{ "server in CLOSING", ST_CLOSING, 0, 1, 0, false, 5, 0, 0, ROLE_SERVER },
	{ "SYN_SENT", ST_SYN_SENT, 0, 1, 0, false, 0, 0, 0, ROLE_CLIENT },
	/* the FIN waits behind data that the peer's window has no room for */
	{ "client, FIN not sent yet", ST_FIN_WAIT1, 0, 700, 300, true, 900, 0, 0, ROLE_CLIENT },
	{ "server, FIN not sent yet", ST_LAST_ACK, 0, 700, 300, false, 900, 0, 0, ROLE_SERVER },
	{ "restored", ST_ESTABLISHED, 0, 0, 0, false, 0, 0, EVF_REPAIR, ROLE_UNKNOWN },
};

/* SCENARIOS R12, on the counters as the kernel keeps them. */
static void test_roles(void **ctx)
{
	static struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(openers); i++) {
		struct ev_found found = make_found(SOCK, openers[i].state);
		bool fin_sent = openers[i].unsent == 0 &&
				(openers[i].state == ST_FIN_WAIT1 ||
				 openers[i].state == ST_LAST_ACK || openers[i].state == ST_CLOSING);
		uint32_t data_in_flight = openers[i].in_flight - (fin_sent ? 1 : 0);

		if (openers[i].state == ST_SYN_SENT)
			data_in_flight = 0;
		bench_start(&b, false);
		b.label = openers[i].name;
		found.stats =
			make_stats(&(struct traffic){ .active = openers[i].active,
						      .fin_acked = openers[i].fin_acked,
						      .sent = openers[i].sent - data_in_flight,
						      .unacked = openers[i].in_flight });
		found.stats.write_seq += openers[i].unsent;
		found.bytes_sent = openers[i].sent + openers[i].retrans;
		found.bytes_retrans = openers[i].retrans;
		found.sock.flags = openers[i].flags;
		give(&b, found);
		end_by_timeout(&b, SOCK, openers[i].state);
		if (only_record(&b))
			WANT(&b, b.conns[0].role, openers[i].role);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* Counters that fit neither opener name nobody. */
static void test_role_unknown(void **ctx)
{
	static const int64_t offsets[] = { -2, -1, 2, 3, 1000 };
	static struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct ev_found found = make_found(SOCK, ST_ESTABLISHED);

		bench_start(&b, false);
		found.stats.bytes_acked = 5000;
		found.bytes_sent = (uint64_t)(5000 - offsets[i]);
		give(&b, found);
		end_by_timeout(&b, SOCK, ST_ESTABLISHED);
		assert_int_equal(b.conns_len, 1);
		assert_int_equal(b.conns[0].role, ROLE_UNKNOWN);
		bench_end(&b);
	}
}

static const struct {
	uint8_t state;
	enum conn_first first;
	const char *states;
} midlives[] = {
	{ ST_ESTABLISHED, FIRST_LOCAL, "ESTABLISHED FIN_WAIT1 FIN_WAIT2" },
	{ ST_FIN_WAIT1, FIRST_LOCAL, "FIN_WAIT1 FIN_WAIT2" },
	{ ST_FIN_WAIT2, FIRST_LOCAL, "FIN_WAIT2" },
	{ ST_CLOSE_WAIT, FIRST_REMOTE, "CLOSE_WAIT LAST_ACK" },
	{ ST_LAST_ACK, FIRST_REMOTE, "LAST_ACK" },
	{ ST_CLOSING, FIRST_BOTH, "CLOSING" },
};

/* midlife: found in each state, then the orderly end. */
static void want_midlife(struct bench *b, const struct report_conn *conn, size_t i)
{
	WANT(b, conn->opened, OPENED_PREEXISTING);
	WANT(b, conn->incomplete, INCOMPLETE_PREEXISTING);
	WANT(b, conn->role, ROLE_CLIENT);
	WANT(b, conn->closed, CLOSED_FIN);
	WANT(b, conn->closed_first, midlives[i].first);
	want_text(b, "states", states_text(conn), midlives[i].states);
	WANT(b, conn->states[0].ns, UNKNOWN_NS);
	WANT(b, conn->start_ns, UNKNOWN_NS);
	WANT(b, conn->duration_ns, UNKNOWN_NS);
	WANT(b, conn->handshake_ns, UNKNOWN_NS);
	WANT(b, conn->end_ns, b->now - HOLD_MAX - 1);
	WANT(b, conn->tx_bytes, 5);
	WANT(b, conn->rx_bytes, 6);
	WANT(b, conn->tx_segs, 10);
	WANT(b, conn->syn_retrans, UNKNOWN_COUNT);
	WANT(b, conn->synack_retrans, UNKNOWN_COUNT);
	WANT(b, conn->tuple.lport, LPORT);
	WANT(b, conn->fin_retrans,
	     midlives[i].state == ST_ESTABLISHED || midlives[i].state == ST_CLOSE_WAIT
		     ? 0
		     : UNKNOWN_COUNT);
}

static void test_midlife(void **ctx)
{
	static const uint8_t next[ST_MAX] = { [ST_ESTABLISHED] = ST_FIN_WAIT1,
					      [ST_FIN_WAIT1] = ST_FIN_WAIT2,
					      [ST_CLOSE_WAIT] = ST_LAST_ACK };
	static struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(midlives); i++) {
		struct ev_found found = make_found(SOCK, midlives[i].state);
		const struct report_conn *conn;
		uint8_t state = midlives[i].state;
		struct ev_close close;

		bench_start(&b, false);
		b.label = name_state(state);
		found.stats = stats_at(ROLE_CLIENT, state, false);
		found.bytes_sent = 5;
		give(&b, found);
		for (; next[state]; state = next[state])
			steps_to(&b, SOCK, state, next[state]);
		close = make_close(SOCK, state, 0, EVF_DEAD | EVF_DONE);
		close.stats = stats_at(ROLE_CLIENT, state, true);
		close.stats.bytes_received += state == ST_FIN_WAIT2;
		close.minisock = state == ST_LAST_ACK ? 0 : 2;
		close.minisock_state = state == ST_LAST_ACK ? ST_NONE : ST_TIME_WAIT;
		give(&b, close);
		bench_settle(&b);
		conn = only_record(&b);
		if (!conn)
			continue;
		want_midlife(&b, conn, i);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

static const struct {
	uint32_t pids[3];
	uint8_t source; /* of what EV_FOUND knew */
	uint32_t pid;
	enum ev_owner_source pid_source;
} holdings[] = {
	{ { 300 }, OWNER_UNKNOWN, 300, OWNER_FD_TABLE },
	{ { 300, 300 }, OWNER_UNKNOWN, 300, OWNER_FD_TABLE },
	{ { 300, 301 }, OWNER_UNKNOWN, 0, OWNER_UNKNOWN },
	{ { 300, 301, 300 }, OWNER_UNKNOWN, 0, OWNER_UNKNOWN },
	{ { 300, 301, 302 }, OWNER_UNKNOWN, 0, OWNER_UNKNOWN },
	{ { 300 }, OWNER_LISTEN, 300, OWNER_FD_TABLE },
	{ { 300, 301 }, OWNER_LISTEN, 20, OWNER_LISTEN },
	{ { 300 }, OWNER_READ, 20, OWNER_READ },
	{ { 300, 301 }, OWNER_READ, 20, OWNER_READ },
	{ { 0 }, OWNER_UNKNOWN, 0, OWNER_UNKNOWN },
};

/* Whoever held it when looked: one process, or nobody where several do. */
static void test_holders(void **ctx)
{
	static struct bench b;
	char label[32];

	for (size_t i = 0; i < ARRAY_SIZE(holdings); i++) {
		struct ev_found found = make_found(SOCK, ST_ESTABLISHED);
		struct ev_close close = make_close(SOCK, ST_ESTABLISHED, ETIMEDOUT, 0);

		bench_start(&b, false);
		snprintf(label, sizeof(label), "holders %zu", i);
		b.label = label;
		if (holdings[i].source)
			set_owner(&found.sock, &found.owner, holdings[i].source, 20, "twenty");
		scan_told(&b, EV_SCAN_BEGIN, false, false);
		give(&b, found);
		for (int j = 0; j < 3 && holdings[i].pids[j]; j++)
			held_by(&b, SOCK, holdings[i].pids[j], "holder");
		scan_told(&b, EV_SCAN_END, false, true);
		if (holdings[i].source) /* the hooks tell what they know again at each step */
			set_owner(&close.sock, &close.owner, holdings[i].source, 20, "twenty");
		give(&b, close);
		bench_settle(&b);
		if (only_record(&b)) {
			WANT(&b, b.conns[0].pid, holdings[i].pid);
			WANT(&b, b.conns[0].pid_source, holdings[i].pid_source);
			want_text(&b, "comm", b.conns[0].comm,
				  !holdings[i].pid	   ? ""
				  : holdings[i].pid == 300 ? "holder"
							   : "twenty");
			WANT(&b, b.conns[0].uid, 1000);
		}
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* Several hold it, and then one of them reads: that one is sure. */
static void test_shared_then_read(void **ctx)
{
	static struct bench b;
	struct ev_state state = make_state(SOCK, ST_ESTABLISHED, ST_CLOSE_WAIT);

	bench_start(&b, false);
	give_found(&b, make_found(SOCK, ST_ESTABLISHED));
	held_by(&b, SOCK, 300, "one");
	held_by(&b, SOCK, 301, "two");
	set_owner(&state.sock, &state.owner, OWNER_READ, 301, "two");
	give(&b, state);
	end_by_timeout(&b, SOCK, ST_CLOSE_WAIT);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].pid, 301);
	assert_int_equal(b.conns[0].pid_source, OWNER_READ);
	bench_end(&b);
}

/* Found by a hook while the scan is under way, and then by the scan too. */
static void test_found_twice(void **ctx)
{
	static struct bench b;
	struct engine_counts counts;

	bench_start(&b, false);
	scan_told(&b, EV_SCAN_BEGIN, false, false);
	give_found(&b, make_found(SOCK, ST_ESTABLISHED));
	steps_to(&b, SOCK, ST_ESTABLISHED, ST_CLOSE_WAIT);
	give_found(&b, make_found(SOCK, ST_CLOSE_WAIT));
	scan_told(&b, EV_SCAN_END, false, true);
	engine_counts(b.engine, &counts);
	assert_int_equal(counts.conns, 1);
	assert_int_equal(counts.preexisting, 1);
	assert_int_equal(counts.live, 1);
	end_by_timeout(&b, SOCK, ST_CLOSE_WAIT);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].incomplete, INCOMPLETE_PREEXISTING);
	assert_string_equal(states_text(&b.conns[0]), "ESTABLISHED CLOSE_WAIT");
	bench_end(&b);
}

/* What opened under the tracer's eyes is not preexisting because a scan sees it. */
static void test_opened_then_found(void **ctx)
{
	static struct bench b;
	struct engine_counts counts;

	bench_start(&b, false);
	scan_told(&b, EV_SCAN_BEGIN, false, false);
	lead_to(&b, SOCK, ROLE_SERVER, ST_ESTABLISHED);
	give_found(&b, make_found(SOCK, ST_ESTABLISHED));
	scan_told(&b, EV_SCAN_END, false, true);
	engine_counts(b.engine, &counts);
	assert_int_equal(counts.preexisting, 0);
	end_by_timeout(&b, SOCK, ST_ESTABLISHED);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].incomplete, 0);
	assert_int_equal(b.conns[0].opened, OPENED_HANDSHAKE);
	assert_int_equal(b.conns[0].role, ROLE_SERVER);
	bench_end(&b);
}

/* A loss marks who was there, a repair finds who is left. */
static void test_repair(void **ctx)
{
	static struct bench b;
	struct ev_open foreign = make_client(4);
	struct engine_counts counts;

	bench_start(&b, false);
	lead_to(&b, 1, ROLE_CLIENT, ST_ESTABLISHED); /* unchanged */
	lead_to(&b, 2, ROLE_CLIENT, ST_ESTABLISHED); /* goes unseen */
	lead_to(&b, 3, ROLE_CLIENT, ST_ESTABLISHED); /* changes unseen */
	foreign.tuple.netns_cookie = NETNS_COOKIE + 1;
	give(&b, foreign);
	lost_told(&b, LOST_RING_FULL, 12);
	b.now += SEC;
	scan_told(&b, EV_SCAN_BEGIN, true, false);
	give_found(&b, make_found(1, ST_ESTABLISHED));
	lead_to(&b, 6, ROLE_CLIENT, ST_ESTABLISHED); /* opens meanwhile */
	give_found(&b, make_found(3, ST_CLOSE_WAIT));
	give_found(&b, make_found(5, ST_ESTABLISHED)); /* opened unseen */
	scan_told(&b, EV_SCAN_END, true, true);
	bench_settle(&b);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].sock, 2);
	assert_int_equal(b.conns[0].closed, CLOSED_UNKNOWN);
	assert_int_equal(b.conns[0].incomplete, INCOMPLETE_LOST_EVENTS);
	assert_true(b.conns[0].end_ns == UNKNOWN_NS);
	assert_true(b.conns[0].duration_ns == UNKNOWN_NS);
	assert_true(state_ns(&b.conns[0], ST_ESTABLISHED) == UNKNOWN_NS);
	engine_counts(b.engine, &counts);
	assert_int_equal(counts.lost[LOST_RING_FULL], 12);
	assert_int_equal(counts.live, 5);
	end_by_timeout(&b, 1, ST_ESTABLISHED);
	end_by_timeout(&b, 3, ST_CLOSE_WAIT);
	end_by_timeout(&b, 5, ST_ESTABLISHED);
	end_by_timeout(&b, 6, ST_ESTABLISHED);
	assert_int_equal(b.conns_len, 5);
	assert_int_equal(b.conns[1].incomplete, INCOMPLETE_LOST_EVENTS);
	assert_int_equal(b.conns[2].incomplete, INCOMPLETE_LOST_EVENTS);
	assert_string_equal(states_text(&b.conns[2]), "SYN_SENT ESTABLISHED CLOSE_WAIT");
	assert_true(state_ns(&b.conns[2], ST_ESTABLISHED) == UNKNOWN_NS);
	assert_true(state_ns(&b.conns[2], ST_CLOSE_WAIT) == UNKNOWN_NS);
	assert_true(b.conns[3].incomplete & INCOMPLETE_LOST_EVENTS);
	assert_true(b.conns[3].start_ns == UNKNOWN_NS);
	assert_int_equal(b.conns[4].incomplete, 0);
	bench_end(&b);
}

static void look_again(struct bench *b, const struct ev_found *seen, size_t len)
{
	scan_told(b, EV_SCAN_BEGIN, true, false);
	for (size_t i = 0; i < len; i++)
		give_found(b, seen[i]);
	scan_told(b, EV_SCAN_END, true, true);
	bench_settle(b);
}

/* No loss was counted, but the kernel ran no hook: looking again finds it, and counts it. */
static void test_unseen(void **ctx)
{
	static struct bench b;
	struct ev_found seen[] = { make_found(1, ST_ESTABLISHED), make_found(3, ST_CLOSE_WAIT),
				   make_found(4, ST_ESTABLISHED) };
	struct engine_counts counts;

	bench_start(&b, false);
	lead_to(&b, 1, ROLE_CLIENT, ST_ESTABLISHED); /* unchanged */
	lead_to(&b, 2, ROLE_CLIENT, ST_ESTABLISHED); /* ended */
	lead_to(&b, 3, ROLE_CLIENT, ST_ESTABLISHED); /* changed; and 4 was opened */
	look_again(&b, seen, ARRAY_SIZE(seen));
	engine_counts(b.engine, &counts);
	assert_int_equal(counts.lost[LOST_UNSEEN], 3);
	assert_int_equal(counts.live, 3);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].sock, 2);
	assert_int_equal(b.conns[0].incomplete, INCOMPLETE_LOST_EVENTS);
	look_again(&b, seen, ARRAY_SIZE(seen));
	engine_counts(b.engine, &counts);
	assert_int_equal(counts.lost[LOST_UNSEEN], 3);
	bench_end(&b);
}

/* Older than the tracer says why its beginning is not known, not what went by since. */
static void test_unseen_preexisting(void **ctx)
{
	static struct bench b;
	const struct ev_found first[] = { make_found(1, ST_ESTABLISHED),
					  make_found(2, ST_ESTABLISHED),
					  make_found(3, ST_ESTABLISHED),
					  make_found_minisock(4, ST_TIME_WAIT) };
	const struct ev_found later[] = { first[0], make_found(3, ST_CLOSE_WAIT) };
	struct engine_counts counts;

	bench_start(&b, true);
	scan_told(&b, EV_SCAN_BEGIN, false, false);
	for (size_t i = 0; i < ARRAY_SIZE(first); i++)
		give_found(&b, first[i]);
	scan_told(&b, EV_SCAN_END, false, true);
	timer_told(&b, 40, MINISOCK_EXPIRE, ST_TIME_WAIT, 0); /* so their ends are told here */
	bench_tick(&b, SEC);
	for (int i = 0; i < 2; i++) {
		look_again(&b, later, ARRAY_SIZE(later));
		engine_counts(b.engine, &counts);
		assert_int_equal(counts.lost[LOST_UNSEEN], 3);
		assert_int_equal(b.conns_len, 2);
	}
	end_by_timeout(&b, 1, ST_ESTABLISHED);
	end_by_timeout(&b, 3, ST_CLOSE_WAIT);
	assert_int_equal(b.conns_len, 4);
	for (int i = 0; i < 4; i++)
		assert_int_equal(b.conns[i].incomplete,
				 INCOMPLETE_PREEXISTING | (i == 2 ? 0 : INCOMPLETE_LOST_EVENTS));
	bench_end(&b);
}

/* What is under way while we look is not lost. */
static void test_seen_in_passing(void **ctx)
{
	static struct bench b;
	struct ev_found child = make_found(2, ST_SYN_RECV);
	struct ev_found grown = make_found(2, ST_ESTABLISHED);
	struct ev_found minisock = make_found_minisock(40, ST_TIME_WAIT);
	struct ev_open client = make_client(3);
	struct engine_counts counts;

	bench_start(&b, true);
	look_again(&b, &minisock, 1); /* hashed; the EV_CLOSE that names it is told next */
	look_again(&b, &child, 1); /* hashed; its opening is told next */
	lead_to(&b, 2, ROLE_SERVER, ST_ESTABLISHED);
	b.now += SEC;
	give(&b, client); /* told; hashed next */
	look_again(&b, &grown, 1);
	engine_counts(b.engine, &counts);
	assert_int_equal(counts.lost[LOST_UNSEEN], 0);
	assert_int_equal(counts.live, 2);
	assert_int_equal(b.conns_len, 0);
	end_by_timeout(&b, 2, ST_ESTABLISHED);
	end_by_timeout(&b, 3, ST_SYN_SENT);
	assert_int_equal(b.conns_len, 2);
	assert_int_equal(b.conns[0].incomplete, 0);
	assert_int_equal(b.conns[1].incomplete, 0);
	bench_end(&b);
}

/* A repair also tells which minisocks are left. */
static void test_repair_of_minisocks(void **ctx)
{
	static struct bench b;
	struct ev_found found = make_found_minisock(20, ST_TIME_WAIT);

	bench_start(&b, true);
	for (uint64_t sock = 1; sock <= 2; sock++) {
		struct ev_close close = make_close(sock, ST_FIN_WAIT2, 0, EVF_DEAD);

		lead_to(&b, sock, ROLE_CLIENT, ST_FIN_WAIT2);
		close.minisock = sock * 10;
		close.minisock_state = ST_FIN_WAIT2;
		give(&b, close);
	}
	lost_told(&b, LOST_RING_FULL, 1);
	scan_told(&b, EV_SCAN_BEGIN, true, false);
	found.hdr.cookie = 100002;
	give(&b, found);
	scan_told(&b, EV_SCAN_END, true, true);
	bench_settle(&b);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].sock, 1);
	assert_int_equal(b.conns[0].closed, CLOSED_FIN);
	assert_int_equal(b.conns[0].remains, REMAINS_FIN_WAIT2);
	assert_int_equal(b.conns[0].remains_end, REMAINS_END_UNKNOWN);
	assert_int_equal(b.conns[0].incomplete, INCOMPLETE_LOST_EVENTS);
	engine_finish(b.engine);
	assert_int_equal(b.conns_len, 2);
	assert_string_equal(states_text(&b.conns[1]),
			    "SYN_SENT ESTABLISHED FIN_WAIT1 FIN_WAIT2 TIME_WAIT");
	bench_end(&b);
}

enum sight { UNSEEN, GLIMPSED, HELD };

/* A walk through all namespaces that does not come to that of SOCK. */
static void walk_elsewhere(struct bench *b, bool is_complete, bool has_files, enum sight sight)
{
	struct ev_scan begin = make_scan(EV_SCAN_BEGIN, true, false);
	struct ev_scan end = make_scan(EV_SCAN_END, true, true);
	struct ev_found found = make_found(SOCK, ST_ESTABLISHED);

	begin.netns_cookie = end.netns_cookie = NETNS_COOKIE + 1;
	found.is_glimpse = 1;
	give(b, begin);
	give(b, end);
	if (sight == GLIMPSED)
		give(b, found);
	if (sight == HELD)
		held_by(b, SOCK, 300, "holder");
	walk_told(b, is_complete, has_files);
	bench_settle(b);
}

/* Its end was lost with its namespace, or it lives on in one that has no name any more. */
static void test_namespace_gone(void **ctx)
{
	static const struct {
		const char *name;
		enum conn_role role;
		uint8_t state;
		uint64_t silent_ns;
		bool is_complete, has_files;
		enum sight sight;
		size_t given_up, later; /* later: by a walk that looks at no descriptor */
	} rows[] = {
		{ "nobody holds it", ROLE_CLIENT, ST_ESTABLISHED, 400 * SEC, true, true, UNSEEN, 1,
		  1 },
		{ "it may be on its way to somebody", ROLE_CLIENT, ST_ESTABLISHED, 100 * SEC, true,
		  true, UNSEEN, 0, 1 },
		{ "somebody holds it", ROLE_CLIENT, ST_ESTABLISHED, 400 * SEC, true, true, GLIMPSED,
		  0, 0 },
		{ "the same on 5.10", ROLE_CLIENT, ST_ESTABLISHED, 400 * SEC, true, true, HELD, 0,
		  0 },
		{ "nobody looked who holds it", ROLE_CLIENT, ST_ESTABLISHED, 400 * SEC, true, false,
		  UNSEEN, 0, 0 },
		{ "a namespace was left out", ROLE_CLIENT, ST_ESTABLISHED, 400 * SEC, false, true,
		  UNSEEN, 0, 0 },
		{ "it waits at its listener", ROLE_SERVER, ST_ESTABLISHED, 400 * SEC, true, true,
		  UNSEEN, 0, 0 },
		{ "an orphan", ROLE_CLIENT, ST_FIN_WAIT1, 400 * SEC, true, true, UNSEEN, 0, 0 },
		{ "an orphan no more", ROLE_CLIENT, ST_FIN_WAIT1, 3700 * SEC, true, true, UNSEEN, 1,
		  1 },
	};
	static struct bench b;
	struct engine_counts counts;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bench_start(&b, false);
		b.label = rows[i].name;
		lead_to(&b, SOCK, rows[i].role, rows[i].state);
		b.now += rows[i].silent_ns;
		walk_elsewhere(&b, rows[i].is_complete, rows[i].has_files, rows[i].sight);
		WANT(&b, b.conns_len, rows[i].given_up);
		b.now += 400 * SEC;
		walk_elsewhere(&b, true, false, UNSEEN);
		WANT(&b, b.conns_len, rows[i].later);
		engine_counts(b.engine, &counts);
		WANT(&b, counts.live, 1 - rows[i].later);
		WANT(&b, counts.lost[LOST_UNSEEN], rows[i].later);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* What opens while the walk is under way need not be seen, however long that takes. */
static void test_opens_in_a_walk(void **ctx)
{
	static struct bench b;

	bench_start(&b, false);
	scan_told(&b, EV_SCAN_BEGIN, true, false);
	scan_told(&b, EV_SCAN_END, true, true);
	lead_to(&b, SOCK, ROLE_CLIENT, ST_ESTABLISHED);
	b.now += 400 * SEC;
	walk_elsewhere(&b, true, true, UNSEEN);
	assert_int_equal(b.conns_len, 0);
	bench_end(&b);
}

/* The reader tells a loss before what was in the ring by then: that is concerned, too. */
static void test_loss_before_the_opening(void **ctx)
{
	static struct bench b;
	uint64_t read_at;

	bench_start(&b, true);
	b.now += 100 * MS;
	lost_told(&b, LOST_RING_FULL, 1);
	read_at = b.now;
	b.now -= 50 * MS;
	for (uint64_t sock = 1; sock <= 2; sock++) {
		struct ev_close close = make_close(sock, ST_SYN_SENT, ETIMEDOUT, 0);

		client_opens(&b, sock);
		give(&b, close);
		b.now = read_at + MS;
	}
	bench_settle(&b);
	assert_int_equal(b.conns_len, 2);
	assert_int_equal(b.conns[0].incomplete, INCOMPLETE_LOST_EVENTS);
	assert_int_equal(b.conns[1].incomplete, 0);
	bench_end(&b);
}

/* Every reason of a loss is counted by itself. */
static void test_losses_are_counted(void **ctx)
{
	static struct bench b;
	struct engine_counts counts;

	bench_start(&b, false);
	for (int why = 0; why < LOST_MAX; why++) {
		lost_told(&b, why, 10 + (uint64_t)why);
		lost_told(&b, why, 100);
	}
	engine_counts(b.engine, &counts);
	for (int why = 0; why < LOST_MAX; why++)
		assert_int_equal(counts.lost[why], 110 + why);
	bench_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles),
		cmocka_unit_test(test_role_unknown),
		cmocka_unit_test(test_midlife),
		cmocka_unit_test(test_holders),
		cmocka_unit_test(test_shared_then_read),
		cmocka_unit_test(test_found_twice),
		cmocka_unit_test(test_opened_then_found),
		cmocka_unit_test(test_repair),
		cmocka_unit_test(test_repair_of_minisocks),
		cmocka_unit_test(test_unseen),
		cmocka_unit_test(test_unseen_preexisting),
		cmocka_unit_test(test_seen_in_passing),
		cmocka_unit_test(test_namespace_gone),
		cmocka_unit_test(test_opens_in_a_walk),
		cmocka_unit_test(test_loss_before_the_opening),
		cmocka_unit_test(test_losses_are_counted),
	};

	return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
