// SPDX-License-Identifier: GPL-2.0-only
/* What is used up: TIME_WAIT by namespace and port, local ports by destination, queues. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/usage.h"
#include "core/usage_ports.h"

#define SEC INT64_C(1000000000)
#define NOW (1000000 * SEC)
#define NETNS 7

static struct usage usage;

static struct ev_tuple make_tuple(const char *laddr, uint16_t lport, const char *raddr,
				  uint16_t rport)
{
	struct ev_tuple tuple = { .netns_cookie = NETNS,
				  .netns_inum = 4026531840,
				  .family = 4,
				  .lport = lport,
				  .rport = rport };

	memcpy(tuple.laddr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	memcpy(tuple.raddr, tuple.laddr, 12);
	assert_int_equal(inet_pton(AF_INET, laddr, tuple.laddr + 12), 1);
	assert_int_equal(inet_pton(AF_INET, raddr, tuple.raddr + 12), 1);
	return tuple;
}

/* In TIME_WAIT since so long. */
static void take_time_wait(const struct ev_tuple *tuple, int64_t age_ns)
{
	struct ev_waiting waiting = { .state = ST_TIME_WAIT,
				      .is_minisock = 1,
				      .timer_ns = (uint64_t)(NOW - age_ns + 60 * SEC) };
	struct report_now now = { .tuple = tuple,
				  .state = ST_TIME_WAIT,
				  .is_minisock = true,
				  .waiting = &waiting,
				  .since_ns = NOW - age_ns };

	usage_take_conn(&usage, &now, NOW);
}

static void take_state(const struct ev_tuple *tuple, uint8_t state, uint16_t flags, int64_t age_ns)
{
	struct ev_waiting waiting = { .state = state, .flags = flags };
	struct report_now now = { .tuple = tuple,
				  .state = state,
				  .waiting = &waiting,
				  .since_ns = age_ns == UNKNOWN_NS ? UNKNOWN_NS : NOW - age_ns };

	usage_take_conn(&usage, &now, NOW);
}

static void take_listener(const char *laddr, uint16_t port, uint32_t queue)
{
	struct ev_tuple tuple = make_tuple(laddr, port, "0.0.0.0", 0);
	struct report_holder holder = { 5, 3, "httpd" };
	struct report_listener listener = { .tuple = &tuple,
					    .queue = queue,
					    .backlog = 128,
					    .holders = &holder,
					    .holders_len = 1 };

	usage_take_listener(&usage, &listener);
}

static void limit(int64_t low, int64_t high, int64_t ports)
{
	struct usage_space *space = usage_space_of(&usage, NETNS);

	assert_non_null(space);
	space->limits.port_low = low;
	space->limits.port_high = high;
	space->limits.ports = ports;
}

static void test_used_up(void **ctx)
{
	static const int64_t soon[] = { NOW + SEC, NOW + 2 * SEC };
	int64_t many[600];

	assert_int_equal(usage_used_up_ns(100, 0, 100, NULL, 0, NOW), 0);
	assert_int_equal(usage_used_up_ns(50, 0, 100, NULL, 0, NOW), UNKNOWN_NS);
	/* 50 left at 1/s, and at 10/s */
	assert_int_equal(usage_used_up_ns(50, 10, 100, NULL, 0, NOW), 50 * SEC);
	assert_int_equal(usage_used_up_ns(50, 100, 100, NULL, 0, NOW), 5 * SEC);
	/* two come back before that */
	assert_int_equal(usage_used_up_ns(50, 100, 100, soon, 2, NOW), 5 * SEC + SEC / 5);
	/* full before the first comes back */
	assert_int_equal(usage_used_up_ns(99, 100, 100, soon, 2, NOW), SEC / 10);
	/* 61 at 1/s: by then what began at the start is over */
	assert_int_equal(usage_used_up_ns(39, 10, 100, NULL, 0, NOW), UNKNOWN_NS);
	/* as many come back as are eaten */
	for (int i = 0; i < 600; i++)
		many[i] = NOW + i * SEC / 10;
	assert_int_equal(usage_used_up_ns(600, 100, 602, many, 600, NOW), UNKNOWN_NS);
}

static void test_destination(void **ctx)
{
	const struct usage_destination *destination = usage.destinations;

	usage_clear(&usage);
	for (uint16_t port = 0; port < 150; port++) {
		struct ev_tuple one = make_tuple("10.0.0.1", 20000 + port, "10.0.0.2", 80);
		struct ev_tuple other = make_tuple("10.0.0.1", 20000 + port, "10.0.0.2", 81);

		take_time_wait(&one, port < 20 ? 5 * SEC : 30 * SEC);
		if (port < 120)
			take_state(&other, ST_ESTABLISHED, EVF_HAS_FILE, SEC);
	}
	for (uint16_t port = 0; port < 50; port++) {
		struct ev_tuple outside = make_tuple("10.0.0.1", 1000 + port, "10.0.0.2", 80);

		take_time_wait(&outside, SEC);
	}
	limit(20000, 20199, 200);
	usage_sum_up(&usage, NOW);
	assert_int_equal(usage.destinations_len, 2);
	assert_int_equal(destination->rport, 80);
	assert_int_equal(destination->ports, 150);
	assert_int_equal(destination->time_waits, 150);
	assert_int_equal(destination->begun, 20);
	/* 50 left at 2/s, and in 25 s none has come back */
	assert_int_equal(destination->used_up_ns, 25 * SEC);
	assert_int_equal(destination[1].rport, 81);
	assert_int_equal(destination[1].ports, 120);
	assert_int_equal(destination[1].used_up_ns, UNKNOWN_NS);
	assert_int_equal(usage_space_of(&usage, NETNS)->time_waits, 200);
}

/* A port counts once for a destination, whoever has it; few of a large range say nothing. */
static void test_few(void **ctx)
{
	struct ev_tuple tuple = make_tuple("10.0.0.1", 20000, "10.0.0.2", 80);

	usage_clear(&usage);
	for (int i = 0; i < 300; i++)
		take_time_wait(&tuple, SEC);
	limit(20000, 29999, 10000);
	usage_sum_up(&usage, NOW);
	assert_int_equal(usage.destinations_len, 0);
	/* one of fifty is more than a hundredth */
	limit(20000, 20049, 50);
	usage_sum_up(&usage, NOW);
	assert_int_equal(usage.destinations_len, 1);
	assert_int_equal(usage.destinations[0].ports, 1);
}

static void test_fullest(void **ctx)
{
	usage_clear(&usage);
	for (uint16_t host = 1; host <= 15; host++) {
		for (uint16_t port = 0; port < 101 + host; port++) {
			struct ev_tuple tuple =
				make_tuple("10.0.0.1", 20000 + port, "10.0.0.2", host);

			take_time_wait(&tuple, SEC);
		}
	}
	usage_sum_up(&usage, NOW);
	assert_int_equal(usage.destinations_len, USAGE_DESTINATIONS);
	for (size_t i = 0; i < USAGE_DESTINATIONS; i++)
		assert_int_equal(usage.destinations[i].rport, 15 - i);
	/* how many there are to be had was not read */
	assert_int_equal(usage.destinations[0].used_up_ns, UNKNOWN_NS);
}

static void test_servers(void **ctx)
{
	usage_clear(&usage);
	take_listener("0.0.0.0", 80, 0);
	take_listener("0.0.0.0", 81, 0);
	for (uint16_t port = 0; port <= USAGE_SERVER_MIN; port++) {
		struct ev_tuple flagged = make_tuple("10.0.0.1", 80, "10.0.0.2", 20000 + port);
		struct ev_tuple fewer = make_tuple("10.0.0.1", 81, "10.0.0.2", 20000 + port);
		struct ev_tuple closed = make_tuple("10.0.0.1", 82, "10.0.0.2", 20000 + port);

		take_time_wait(&flagged, SEC);
		take_time_wait(&closed, SEC);
		if (port)
			take_time_wait(&fewer, SEC);
	}
	usage_sum_up(&usage, NOW);
	assert_int_equal(usage.servers_len, 1);
	assert_int_equal(usage.servers[0].port, 80);
	assert_int_equal(usage.servers[0].time_waits, USAGE_SERVER_MIN + 1);
	assert_ptr_equal(usage.servers[0].space, usage_space_of(&usage, NETNS));
}

static void test_queues(void **ctx)
{
	struct ev_tuple tuple = make_tuple("10.0.0.1", 80, "10.0.0.2", 20000);
	struct ev_tuple other = make_tuple("10.0.0.9", 80, "10.0.0.2", 20000);

	usage_clear(&usage);
	take_listener("0.0.0.0", 80, 1);
	take_listener("10.0.0.1", 80, 2);
	take_state(&tuple, ST_ESTABLISHED, 0, 5 * SEC);
	take_state(&tuple, ST_ESTABLISHED, 0, 3 * SEC);
	take_state(&tuple, ST_ESTABLISHED, 0, UNKNOWN_NS);
	take_state(&tuple, ST_ESTABLISHED, EVF_HAS_FILE, 50 * SEC);
	take_state(&tuple, ST_ESTABLISHED, EVF_DEAD, 50 * SEC);
	take_state(&tuple, ST_FIN_WAIT2, 0, 50 * SEC);
	take_state(&other, ST_CLOSE_WAIT, 0, 7 * SEC);
	assert_int_equal(usage.queues[1].waiting, 3);
	assert_int_equal(usage.queues[1].longest_ns, 5 * SEC);
	assert_false(usage.queues[1].longest_is_bound);
	assert_int_equal(usage.queues[1].pid, 5);
	assert_string_equal(usage.queues[1].comm, "httpd");
	assert_int_equal(usage.queues[0].waiting, 1);
	assert_int_equal(usage.queues[0].longest_ns, 7 * SEC);
	assert_true(usage.queues[0].longest_is_bound);
}

static int free_usage(void **state)
{
	usage_free(&usage);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_used_up), cmocka_unit_test(test_destination),
		cmocka_unit_test(test_few),	cmocka_unit_test(test_fullest),
		cmocka_unit_test(test_servers), cmocka_unit_test(test_queues),
	};

	return cmocka_run_group_tests_name("usage", tests, NULL, free_usage);
}
