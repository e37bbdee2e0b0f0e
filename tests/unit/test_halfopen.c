// SPDX-License-Identifier: GPL-2.0-only
/* Requests that sent their SYN+ACK again: found by cookie, bounded, forgotten in time. */
#include "events.h"
#include "core/halfopen.h"

static struct halfopens halfopens;

static int setup(void **state)
{
	memset(&halfopens, 0, sizeof(halfopens));
	return halfopens_init(&halfopens, 77);
}

static int teardown(void **state)
{
	halfopens_free(&halfopens);
	return 0;
}

static void note(uint64_t cookie, uint64_t first_ns, uint64_t ts_ns)
{
	struct ev_synack_retransmit event = {
		.hdr = make_hdr(EV_SYNACK_RETRANSMIT, sizeof(event), 1),
		.first_synack_ns = first_ns,
	};

	event.hdr.cookie = cookie;
	event.hdr.ts_ns = ts_ns;
	halfopens_note(&halfopens, &event);
}

static void test_taken_once(void **state)
{
	note(5, 1000, 2000);
	note(6, 1100, 2100);
	assert_int_equal(halfopens.by_cookie.len, 2);
	assert_int_equal(halfopens_take(&halfopens, 5), 1000);
	assert_int_equal(halfopens_take(&halfopens, 5), 0);
	assert_int_equal(halfopens_take(&halfopens, 7), 0);
	assert_int_equal(halfopens_take(&halfopens, 6), 1100);
	assert_int_equal(halfopens.by_cookie.len, 0);
}

/* Sent for the third time: one request, and the first time stays. */
static void test_noted_again(void **state)
{
	note(5, 1000, 2000);
	note(5, 1000, 4000);
	note(5, 1000, 8000);
	assert_int_equal(halfopens.by_cookie.len, 1);
	halfopens_expire(&halfopens, 8000); /* seen at that time, not before */
	assert_int_equal(halfopens_take(&halfopens, 5), 1000);
}

static void test_without_cookie(void **state)
{
	note(0, 1000, 2000);
	assert_int_equal(halfopens.by_cookie.len, 0);
	assert_int_equal(halfopens_take(&halfopens, 0), 0);
}

static void test_unknown_time(void **state)
{
	note(5, 0, 2000);
	assert_int_equal(halfopens.by_cookie.len, 1);
	assert_int_equal(halfopens_take(&halfopens, 5), 0);
	assert_int_equal(halfopens.by_cookie.len, 0);
}

static void test_expire(void **state)
{
	for (uint64_t cookie = 1; cookie <= 10; cookie++)
		note(cookie, cookie, 1000 * cookie);
	note(1, 1, 20000); /* still alive */
	halfopens_expire(&halfopens, 5000);
	assert_int_equal(halfopens.by_cookie.len, 7);
	assert_int_equal(halfopens_take(&halfopens, 4), 0);
	assert_int_equal(halfopens_take(&halfopens, 5), 5);
	assert_int_equal(halfopens_take(&halfopens, 1), 1);
	halfopens_expire(&halfopens, UINT64_MAX);
	assert_int_equal(halfopens.by_cookie.len, 0);
	assert_int_equal(halfopens.forgotten, 0); /* the kernel gave them up itself */
}

/* A flood: the latest are known, whatever number came before. */
static void test_flood(void **state)
{
	uint64_t last = 3 * HALFOPEN_MAX + 7;

	for (uint64_t cookie = 1; cookie <= last; cookie++) {
		note(cookie, 10 * cookie, 20 * cookie);
		assert_true(halfopens.by_cookie.len <= HALFOPEN_MAX);
		note(cookie, 10 * cookie, 20 * cookie); /* again: takes no other place */
	}
	assert_int_equal(halfopens.by_cookie.len, HALFOPEN_MAX);
	assert_int_equal(halfopens.forgotten, last - HALFOPEN_MAX);
	assert_int_equal(halfopens_take(&halfopens, last - HALFOPEN_MAX), 0);
	for (uint64_t cookie = last - HALFOPEN_MAX + 1; cookie <= last; cookie++)
		assert_int_equal(halfopens_take(&halfopens, cookie), 10 * cookie);
	assert_int_equal(halfopens.by_cookie.len, 0);
}

/* Places that were taken out in between are used again, and nothing is lost by it. */
static void test_mixed(void **state)
{
	for (uint64_t cookie = 1; cookie <= 5 * HALFOPEN_MAX; cookie++) {
		note(cookie, cookie, cookie);
		if (cookie > 100)
			assert_int_equal(halfopens_take(&halfopens, cookie - 100), cookie - 100);
	}
	assert_int_equal(halfopens.by_cookie.len, 100);
	assert_int_equal(halfopens.forgotten, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_taken_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_noted_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_cookie, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_expire, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mixed, setup, teardown),
	};

	return cmocka_run_group_tests_name("halfopen", tests, NULL, NULL);
}
