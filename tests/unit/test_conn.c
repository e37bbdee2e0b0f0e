// SPDX-License-Identifier: GPL-2.0-only
/* One connection's states, and the pool with its lists, against a naive model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/conn.h"

#define MODEL_MAX 64

static void test_states(void **ctx)
{
	static const uint8_t path[] = { ST_SYN_SENT,  ST_SYN_RECV, ST_ESTABLISHED,
					ST_FIN_WAIT1, ST_CLOSING,  ST_TIME_WAIT };
	struct conn conn = { 0 };

	assert_int_equal(conn_state(&conn), ST_NONE);
	assert_int_equal(conn_entered(&conn, ST_SYN_SENT), 0);
	for (unsigned int i = 0; i < sizeof(path); i++) {
		assert_false(conn_passed(&conn, path[i]));
		conn_enter(&conn, path[i], i == 2 ? 0 : 100 + i);
		assert_int_equal(conn_state(&conn), path[i]);
		assert_true(conn_passed(&conn, path[i]));
		assert_int_equal(conn_entered(&conn, path[i]), i == 2 ? 0 : 100 + i);
	}
	assert_int_equal(conn.states_len, sizeof(path));
	assert_memory_equal(conn.states, path, sizeof(path));
	assert_false(conn_passed(&conn, ST_CLOSE_WAIT));
	assert_int_equal(conn.incomplete, 0);
}

/* The first time counts. */
static void test_entered_twice(void **ctx)
{
	struct conn conn = { 0 };

	conn_enter(&conn, ST_ESTABLISHED, 5);
	conn_enter(&conn, ST_CLOSE_WAIT, 6);
	conn_enter(&conn, ST_ESTABLISHED, 7);
	assert_int_equal(conn_entered(&conn, ST_ESTABLISHED), 5);
	assert_int_equal(conn.states_len, 3);
}

/* More states than any lawful life has: the record can't be whole, memory stays whole. */
static void test_overlong_path(void **ctx)
{
	struct {
		struct conn conn;
		uint8_t guard[32];
	} it = { 0 };

	memset(it.guard, 0xa5, sizeof(it.guard));
	for (unsigned int i = 0; i < 1000; i++) {
		conn_enter(&it.conn, (uint8_t)(1 + i % 11), 1 + i);
		assert_int_equal(conn_state(&it.conn), 1 + i % 11);
		assert_true(it.conn.states_len <= CONN_STATES_MAX);
		assert_int_equal(it.conn.incomplete & INCOMPLETE_LOST_EVENTS,
				 i < CONN_STATES_MAX ? 0 : INCOMPLETE_LOST_EVENTS);
	}
	assert_int_equal(it.conn.states[0], 1);
	for (size_t i = 0; i < sizeof(it.guard); i++)
		assert_int_equal(it.guard[i], 0xa5);
}

static void test_new_is_clean(void **ctx)
{
	struct conn_pool pool;
	struct conn *conn;
	uint32_t self;

	conn_pool_init(&pool, 1);
	conn = conn_new(&pool);
	assert_non_null(conn);
	self = conn->self;
	assert_int_equal(conn->phase, CONN_LIVE);
	assert_int_equal(conn->reset_reason, -1);
	assert_ptr_equal(conn_at(&pool, self), conn);
	assert_null(conn_new(&pool));
	conn_enter(conn, ST_SYN_SENT, 9);
	conn->sock = 5;
	conn->established = true;
	conn->owner.pid = 3;
	conn_free(&pool, conn);
	assert_int_equal(conn_at(&pool, self)->phase, CONN_FREE);
	assert_null(conn_oldest(&pool, CONN_LIVE));
	conn = conn_new(&pool);
	assert_non_null(conn);
	assert_int_equal(conn->states_len, 0);
	assert_int_equal(conn->sock, 0);
	assert_int_equal(conn->owner.pid, 0);
	assert_false(conn->established);
	conn_pool_free(&pool);
}

static void test_no_room_at_all(void **ctx)
{
	struct conn_pool pool;

	conn_pool_init(&pool, 0);
	assert_null(conn_new(&pool));
	conn_pool_free(&pool);
}

/* A connection stays where it is while the pool grows. */
static void test_addresses_stay(void **ctx)
{
	static struct conn *conns[20000];
	struct conn_pool pool;

	conn_pool_init(&pool, 20000);
	for (uint32_t i = 0; i < 20000; i++) {
		conns[i] = conn_new(&pool);
		assert_non_null(conns[i]);
		conns[i]->sock = i;
	}
	assert_null(conn_new(&pool));
	assert_int_equal(pool.used, 20000);
	for (uint32_t i = 0; i < 20000; i++) {
		assert_ptr_equal(conn_at(&pool, conns[i]->self), conns[i]);
		assert_int_equal(conns[i]->sock, i);
	}
	assert_int_equal(pool.phases[CONN_LIVE].len, 20000);
	conn_pool_free(&pool);
}

/* The model: for each phase the connections in it, oldest first. */
static struct {
	struct conn *conns[MODEL_MAX];
	size_t len;
} model[CONN_PHASES];

static void model_remove(struct conn *conn, unsigned int phase)
{
	size_t i = 0;

	while (model[phase].conns[i] != conn)
		i++;
	memmove(&model[phase].conns[i], &model[phase].conns[i + 1],
		(--model[phase].len - i) * sizeof(conn));
}

static void model_append(struct conn *conn, unsigned int phase)
{
	model[phase].conns[model[phase].len++] = conn;
}

static size_t model_size(void)
{
	size_t size = 0;

	for (int phase = CONN_LIVE; phase < CONN_PHASES; phase++)
		size += model[phase].len;
	return size;
}

static void check_lists(const struct conn_pool *pool)
{
	for (int phase = CONN_LIVE; phase < CONN_PHASES; phase++) {
		uint32_t index = pool->phases[phase].first, previous = CONN_NONE;

		assert_int_equal(pool->phases[phase].len, model[phase].len);
		for (size_t i = 0; i < model[phase].len; i++) {
			struct conn *conn = conn_at(pool, index);

			assert_ptr_equal(conn, model[phase].conns[i]);
			assert_int_equal(conn->phase, phase);
			assert_int_equal(conn->prev, previous);
			previous = index;
			index = conn->next;
		}
		assert_int_equal(index, CONN_NONE);
		assert_int_equal(pool->phases[phase].last, previous);
		assert_ptr_equal(conn_oldest(pool, (enum conn_phase)phase),
				 model[phase].len ? model[phase].conns[0] : NULL);
	}
}

static void test_lists(void **ctx)
{
	struct conn_pool pool;
	uint64_t random = 12345;

	memset(model, 0, sizeof(model));
	conn_pool_init(&pool, MODEL_MAX);
	for (int round = 0; round < 50000; round++) {
		unsigned int from, to;
		struct conn *conn;

		random = random * 6364136223846793005 + 1442695040888963407;
		from = CONN_LIVE + (unsigned int)(random >> 33) % (CONN_PHASES - CONN_LIVE);
		to = CONN_LIVE + (unsigned int)(random >> 45) % (CONN_PHASES - CONN_LIVE);
		if (random >> 62 == 0 || !model[from].len) {
			conn = conn_new(&pool);
			assert_int_equal(!conn, model_size() == MODEL_MAX);
			if (conn)
				model_append(conn, CONN_LIVE);
		} else {
			conn = model[from].conns[(random >> 20) % model[from].len];
			model_remove(conn, from);
			if (random >> 62 == 1) {
				conn_free(&pool, conn);
			} else {
				conn_move(&pool, conn, (enum conn_phase)to);
				model_append(conn, to);
			}
		}
		check_lists(&pool);
	}
	conn_pool_free(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),	       cmocka_unit_test(test_entered_twice),
		cmocka_unit_test(test_overlong_path),  cmocka_unit_test(test_new_is_clean),
		cmocka_unit_test(test_no_room_at_all), cmocka_unit_test(test_addresses_stay),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
