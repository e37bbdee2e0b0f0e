// SPDX-License-Identifier: GPL-2.0-only
/* The paths of control groups, and which of them lie below another. */
#include "lives.h"
#include "core/census.h"
#include "core/cgroups.h"
#include "core/engine_priv.h"
#include "random.h"

#define MANY 1000000
#define MANY_FIRST 1000 /* the least of so many ids */
#define CGROUPS_MAX (2 * CGROUPS_TOLD_MAX) /* besides those that are shown */

static struct cgroups cgroups;

static int setup(void **state)
{
	return cgroups_init(&cgroups, 3);
}

static int teardown(void **state)
{
	cgroups_free(&cgroups);
	return 0;
}

static void note(uint64_t id, const char *path)
{
	struct ev_cgroup event = { .hdr = make_hdr(EV_CGROUP, sizeof(event), 0), .id = id };

	memcpy(event.path, path, strnlen(path, EV_PATH_LEN - 1));
	cgroups_note(&cgroups, &event);
}

static void test_paths(void **state)
{
	assert_null(cgroups_path(&cgroups, 1));
	note(1, "/");
	note(2, "/system.slice/nginx.service");
	note(0, "");
	assert_string_equal(cgroups_path(&cgroups, 1), "/");
	assert_string_equal(cgroups_path(&cgroups, 2), "/system.slice/nginx.service");
	assert_string_equal(cgroups_path(&cgroups, 0), "");
	assert_null(cgroups_path(&cgroups, 3));
	note(2, "/renamed");
	assert_string_equal(cgroups_path(&cgroups, 2), "/renamed");
	assert_string_equal(cgroups_path(&cgroups, 1), "/");
}

static void test_longest_path(void **state)
{
	char path[EV_PATH_LEN];

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[EV_PATH_LEN - 1] = '\0';
	note(9, path);
	assert_string_equal(cgroups_path(&cgroups, 9), path);
}

static void test_many(void **state)
{
	char path[32];

	for (int round = 0; round < 2; round++) {
		for (uint64_t id = 0; id < 5000; id++) {
			snprintf(path, sizeof(path), "/%d/%u", round, (unsigned int)id);
			note(id * 4096, path);
		}
	}
	for (uint64_t id = 0; id < 5000; id++) {
		snprintf(path, sizeof(path), "/1/%u", (unsigned int)id);
		assert_string_equal(cgroups_path(&cgroups, id * 4096), path);
	}
	assert_int_equal(cgroups.len, 5000);
}

static void test_is_below(void **state)
{
	static const struct {
		const char *path, *parent;
		bool is_below;
	} cases[] = {
		{ "/a", "/a", true },
		{ "/a/b", "/a", true },
		{ "/a/b/c", "/a", true },
		{ "/a/b/c", "/a/b", true },
		{ "/ab", "/a", false },
		{ "/a", "/a/b", false },
		{ "/b/a", "/a", false },
		{ "/", "/a", false },
		{ "/a", "/", true },
		{ "/", "/", true },
		{ "/a", "/a/", true },
		{ "/a/b", "/a/", true },
		{ "/ab", "/a/", false },
		{ NULL, "/a", false },
		{ NULL, "/", false },
		{ "/a.slice", "/a", false },
		{ "/a-b.slice/c", "/a", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (cgroup_is_below(cases[i].path, cases[i].parent) != cases[i].is_below)
			fail_msg("%s below %s", or_dash(cases[i].path), cases[i].parent);
}

/* A record names the path that its id has when it is told. */
static void test_in_a_record(void **state)
{
	static struct bench b;
	struct ev_cgroup cgroup = { .hdr = make_hdr(EV_CGROUP, sizeof(cgroup), 0),
				    .id = CGROUP_ID,
				    .path = "/late" };
	struct ev_close close = make_close(1, ST_SYN_SENT, ETIMEDOUT, 0);

	bench_start(&b, false);
	client_opens(&b, 1);
	give(&b, cgroup);
	give(&b, close);
	bench_settle(&b);
	assert_int_equal(b.conns_len, 1);
	assert_string_equal(b.conns[0].cgroup, "/late");
	bench_end(&b);
}

static void tell(struct bench *b, uint64_t id, const char *path)
{
	struct ev_cgroup event = { .hdr = make_hdr(EV_CGROUP, sizeof(event), 0), .id = id };

	memcpy(event.path, path, strnlen(path, EV_PATH_LEN - 1));
	give(b, event);
}

static void listens_in(struct bench *b, uint64_t id)
{
	struct ev_listener listener = { .hdr = make_hdr(EV_LISTENER, sizeof(listener), 5),
					.tuple = make_tuple(RPORT, 0) };

	listener.tuple.cgroup_id = id;
	scan_told(b, EV_SCAN_BEGIN, false, false);
	give(b, listener);
	scan_told(b, EV_SCAN_END, false, true);
}

static void see_conn(void *ctx, const struct report_now *now)
{
	assert_string_equal(now->cgroup, "/of a connection");
	++*(int *)ctx;
}

static void see_listener(void *ctx, const struct report_listener *listener)
{
	assert_string_equal(listener->cgroup, "/of a listener");
	++*(int *)ctx;
}

/* On a host that makes control groups all the time: those that are shown stay, the others don't. */
static void test_bounded(void **state)
{
	const struct engine_options options = { .max_connections = 8, .census = true };
	static struct bench b;
	struct ev_close close = make_close(1, ST_SYN_SENT, ETIMEDOUT, 0);
	int seen = 0;

	bench_start_with(&b, &options);
	b.pace = 0;
	tell(&b, CGROUP_ID, "/of a connection");
	client_opens(&b, 1);
	tell(&b, 56, "/of a listener");
	listens_in(&b, 56);
	for (uint64_t id = MANY_FIRST; id < MANY_FIRST + MANY; id++) {
		char path[32];

		snprintf(path, sizeof(path), "/%u", (unsigned int)id);
		tell(&b, id, path);
		assert_string_equal(cgroups_path(&b.engine->cgroups, id), path);
		assert_true(b.engine->cgroups.len <= CGROUPS_MAX + 2);
	}
	assert_int_equal(b.engine->cgroups.by_id.len, b.engine->cgroups.len);
	assert_string_equal(cgroups_path(&b.engine->cgroups, MANY_FIRST + MANY - 100), "/1000900");
	assert_null(cgroups_path(&b.engine->cgroups, MANY_FIRST));
	census_conns(b.engine, see_conn, &seen);
	census_listeners(b.engine, see_listener, &seen);
	assert_int_equal(seen, 2);
	give(&b, close);
	bench_settle(&b);
	assert_int_equal(b.conns_len, 1);
	assert_string_equal(b.conns[0].cgroup, "/of a connection");
	bench_end(&b);
}

static uint64_t any_of_many(uint64_t i)
{
	return next_random() % (3 * CGROUPS_TOLD_MAX);
}

static uint64_t in_turn(uint64_t i)
{
	return i % (CGROUPS_TOLD_MAX + 1);
}

static uint64_t new_ones_and_an_old_one(uint64_t i)
{
	return i % 1000 ? i : 1;
}

static uint64_t new_ones_and_older(uint64_t i)
{
	return i % 3 ? i : next_random() % (i + 1);
}

static bool is_gone(uint64_t id)
{
	return id % 97 == 0;
}

/* Whatever connections come, the source has told again what was forgotten. */
static void test_told_again(void **state)
{
	static uint64_t (*const next_ids[])(
		uint64_t i) = { any_of_many, in_turn, new_ones_and_an_old_one, new_ones_and_older };
	static struct bench b;
	struct cgroups_told told;

	for (size_t i = 0; i < ARRAY_SIZE(next_ids); i++) {
		assert_int_equal(cgroups_told_init(&told), 0);
		bench_start(&b, false);
		for (uint64_t at = 0; at < MANY / 4; at++) {
			uint64_t id = next_ids[i](at);

			if (cgroups_must_tell(&told, id) && !is_gone(id))
				tell(&b, id, "/");
			assert_true(is_gone(id) || cgroups_path(&b.engine->cgroups, id));
			assert_true(told.ids.len <= CGROUPS_TOLD_MAX);
			assert_true(b.engine->cgroups.len <= CGROUPS_MAX);
		}
		cgroups_told_free(&told);
		bench_end(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_longest_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_is_below, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_a_record, setup, teardown),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_told_again),
	};

	return cmocka_run_group_tests_name("cgroups", tests, NULL, NULL);
}
