// SPDX-License-Identifier: GPL-2.0-only
/* The paths of control groups, and which of them lie below another. */
#include "lives.h"
#include "core/cgroups.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_longest_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_is_below, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_a_record, setup, teardown),
	};

	return cmocka_run_group_tests_name("cgroups", tests, NULL, NULL);
}
