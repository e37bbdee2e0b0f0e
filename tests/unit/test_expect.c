// SPDX-License-Identifier: GPL-2.0-only
/*
 * Announced events: an engine that is told of what comes, and of what never comes,
 * reports what one reports that is told nothing. When it wants to be told at all.
 */
#include "lives.h"
#include "random.h"

#define SOCKS 16
#define EVENTS 200
#define MANY 20000

static void start(struct bench *b, bool story)
{
	const struct engine_options options = { .story = story,
						.max_connections = SOCKS / 2,
						.hash_seed = 0x5eed };

	bench_start_with(b, &options);
	b->pace = MS;
}

/* Of sockets that live, that lived, that never did; cut short; and no event at all. */
static void announce_anything(struct bench *b)
{
	union {
		struct ev_hdr hdr;
		uint64_t words[16];
	} any;

	for (uint64_t i = next_random() % 10; i; i--) {
		for (int word = 0; word < 16; word++)
			any.words[word] = next_random();
		if (i % 2)
			any.hdr.sock = next_random() % (SOCKS + 2);
		engine_expect(b->engine, &any, next_random() % (sizeof(any) + 1));
	}
}

/* A life of some sort, the same for both of them. */
static void live(struct bench *b, uint64_t sock, unsigned int sort)
{
	static const uint8_t states[] = { ST_SYN_SENT,	 ST_ESTABLISHED, ST_FIN_WAIT1,
					  ST_CLOSE_WAIT, ST_LAST_ACK,	 ST_FIN_WAIT2 };
	uint8_t state = states[sort % ARRAY_SIZE(states)];
	enum conn_role role = sort & 8 && state != ST_SYN_SENT ? ROLE_SERVER : ROLE_CLIENT;
	struct ev_close close = make_close(sock, state, 0, sort & 16 ? EVF_DEAD : 0);

	close.stats = stats_at(role, state, true);
	lead_to(b, sock, role, state);
	if (sort & 32)
		give(b, close);
}

static void must_tell_the_same(const struct bench *told, const struct bench *untold)
{
	assert_int_equal(told->conns_len, untold->conns_len);
	for (size_t i = 0; i < told->conns_len; i++) {
		const struct report_conn *one = &told->conns[i], *other = &untold->conns[i];

		assert_int_equal(one->sock, other->sock);
		assert_int_equal(one->start_ns, other->start_ns);
		assert_int_equal(one->end_ns, other->end_ns);
		assert_int_equal(one->closed, other->closed);
		assert_int_equal(one->incomplete, other->incomplete);
		assert_int_equal(one->tx_bytes, other->tx_bytes);
		assert_string_equal(one->conn_state, other->conn_state);
		assert_string_equal(one->history, other->history);
		assert_int_equal(one->states_len, other->states_len);
		for (unsigned int j = 0; j < one->states_len; j++) {
			assert_int_equal(one->states[j].state, other->states[j].state);
			assert_int_equal(one->states[j].ns, other->states[j].ns);
		}
	}
}

static void live_announced_and_not(bool story)
{
	static struct bench told, untold;
	struct engine_counts one, other;

	start(&told, story);
	start(&untold, story);
	for (int i = 0; i < EVENTS && told.conns_len < BENCH_CONNS - 2; i++) {
		uint64_t sock = next_random() % SOCKS;
		unsigned int sort = (unsigned int)next_random();

		announce_anything(&told);
		live(&told, sock, sort);
		live(&untold, sock, sort);
	}
	assert_true(told.conns_len > BENCH_CONNS / 2);
	must_tell_the_same(&told, &untold);
	engine_counts(told.engine, &one);
	engine_counts(untold.engine, &other);
	assert_memory_equal(&one, &other, sizeof(one));
	bench_end(&told);
	bench_end(&untold);
}

static void test_changes_nothing(void **ctx)
{
	live_announced_and_not(false);
	live_announced_and_not(true);
}

/* Before anything was tracked, and of more sockets than there are. */
static void test_of_nothing(void **ctx)
{
	static struct bench b;

	start(&b, true);
	for (int i = 0; i < 1000; i++)
		announce_anything(&b);
	assert_int_equal(b.conns_len, 0);
	bench_end(&b);
}

static void ignore_conn(void *ctx, const struct report_conn *conn)
{
}

/* While few connections live it costs more than it gains. */
static void test_wanted_with_many(void **ctx)
{
	const struct engine_options options = { .max_connections = MANY, .hash_seed = 1 };
	const struct report_sink sink = { .conn = ignore_conn };
	static struct bench b;

	bench_start(&b, false);
	bench_end(&b);
	b.engine = engine_new(&options, &sink);
	assert_non_null(b.engine);
	assert_false(engine_expects(b.engine));
	for (uint64_t sock = 1; sock <= MANY; sock++) {
		client_opens(&b, sock);
		if (sock == 1000)
			assert_false(engine_expects(b.engine));
	}
	assert_true(engine_expects(b.engine));
	for (uint64_t sock = 1; sock <= MANY; sock++) {
		struct ev_close close = make_close(sock, ST_SYN_SENT, ETIMEDOUT, 0);

		give(&b, close);
	}
	bench_settle(&b);
	assert_false(engine_expects(b.engine));
	bench_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes_nothing),
		cmocka_unit_test(test_of_nothing),
		cmocka_unit_test(test_wanted_with_many),
	};

	return cmocka_run_group_tests_name("expect", tests, NULL, NULL);
}
