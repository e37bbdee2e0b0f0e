// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory is short, once or from some moment on, whichever allocation it is: a
 * connection or its story may be missing then, and nothing else breaks.
 */
#include <malloc.h>
#include <stdlib.h>

#include "stories.h"

/* More than the smallest table of the map has room for. */
#define CLIENTS 520

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static bool is_short; /* the allocations of the engine are counted */
static bool for_ever;
static size_t allocations, first_failed;
static size_t too_large = SIZE_MAX; /* for malloc(), which the tables ask */

static bool fails(void)
{
	size_t i = allocations;

	if (!is_short)
		return false;
	allocations++;
	return for_ever ? i >= first_failed : i == first_failed;
}

void *malloc(size_t size)
{
	return fails() || (is_short && size >= too_large) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
	return fails() ? NULL : __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return fails() ? NULL : __libc_memalign(alignment, size);
}

static void meet(struct bench *b, uint16_t lport)
{
	struct ev_tuple tuple = make_tuple(RPORT, lport);
	struct ev_segment segment = make_segment(&tuple, TCP_SYN, 1, 0, ST_LISTEN);
	struct ev_synack_retransmit again = make_synack(lport, &tuple);

	give(b, segment);
	give(b, again);
}

static void live_many_lives(struct bench *b)
{
	for (uint64_t sock = 1; sock <= CLIENTS; sock++) {
		struct end end = make_end(b, sock, true);

		end.tuple.lport = (uint16_t)(1000 + sock);
		end_connects(&end, true);
		if (sock % 64)
			continue;
		meet(b, (uint16_t)sock);
		end_connected(&end);
		end_steps(&end, ST_FIN_WAIT1);
		end_fin_acked(&end, 1);
		end_steps(&end, ST_FIN_WAIT2);
		end_leaves(&end, ST_FIN_WAIT2, EVF_DEAD);
	}
}

/* Whether all went well because there was memory enough. */
static bool run_short(struct bench *b, const struct engine_options *options)
{
	const struct report_sink sink = { 0 };

	allocations = 0;
	b->now = BENCH_BEGIN;
	b->pace = MS;
	is_short = true;
	b->engine = engine_new(options, &sink);
	if (b->engine) {
		live_many_lives(b);
		engine_finish(b->engine);
		engine_free(b->engine);
	}
	is_short = false;
	return allocations <= first_failed;
}

static const struct engine_options options = { .whole = true,
					       .story = true,
					       .draw = true,
					       .strangers = true,
					       .max_connections = 4 * CLIENTS,
					       .hash_seed = 1 };

static void test_any_allocation(void **ctx)
{
	static struct bench b;

	mallopt(M_PERTURB, 0x5a); /* what is freed does not look as it did */
	for (int ever = 0; ever < 2; ever++) {
		for_ever = ever;
		first_failed = 0;
		while (!run_short(&b, &options))
			first_failed++;
		assert_true(first_failed > CLIENTS);
	}
}

/* A table can't grow: who has no place in it is not tracked, and the rest goes on. */
static void test_tables_full(void **ctx)
{
	static struct bench b;
	const struct report_sink sink = { 0 };
	struct engine_counts counts;

	mallopt(M_PERTURB, 0x5a);
	b.now = BENCH_BEGIN;
	b.pace = MS;
	b.engine = engine_new(&options, &sink);
	assert_non_null(b.engine);
	first_failed = SIZE_MAX;
	too_large = 16 * 1024;
	is_short = true;
	live_many_lives(&b);
	is_short = false;
	too_large = SIZE_MAX;
	engine_counts(b.engine, &counts);
	assert_true(counts.table_full > 0);
	assert_int_equal(counts.conns + counts.table_full, CLIENTS);
	engine_free(b.engine);
}

#else

static void test_tables_full(void **ctx)
{
	skip();
}

static void test_any_allocation(void **ctx)
{
	skip(); /* the allocators are not ours to replace */
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_allocation),
		cmocka_unit_test(test_tables_full),
	};

	return cmocka_run_group_tests_name("no memory", tests, NULL, NULL);
}
