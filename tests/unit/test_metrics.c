// SPDX-License-Identifier: GPL-2.0-only
/* Counters, histograms and gauges of metrics: what counts where, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "core/metrics.h"

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define NOW (1000 * SEC)
#define NETNS 7

static struct metrics *metrics;

static int setup(void **state)
{
	const struct metrics_options options = { .hash_seed = 0x5eed };

	metrics = metrics_new(&options);
	return metrics ? 0 : -1;
}

static int teardown(void **state)
{
	metrics_free(metrics);
	metrics = NULL;
	return 0;
}

static struct report_conn ended(enum conn_role role)
{
	return (struct report_conn){
		.role = role,
		.opened = OPENED_HANDSHAKE,
		.closed = CLOSED_FIN,
		.closed_first = FIRST_LOCAL,
		.reset_reason = -1,
		.states = { { ST_SYN_SENT, 2 * MS }, { ST_ESTABLISHED, 3 * SEC } },
		.states_len = 2,
		.duration_ns = 3 * SEC + 2 * MS,
		.handshake_ns = 2 * MS,
		.tx_bytes = 100,
		.rx_bytes = 7,
		.syn_retrans = 1,
		.synack_retrans = UNKNOWN_COUNT,
		.fin_retrans = 2,
	};
}

static void step(enum conn_role role, uint8_t from, uint8_t to, int64_t in_old_ns)
{
	const struct report_step one = {
		.role = role, .old_state = from, .new_state = to, .in_old_ns = in_old_ns
	};

	metrics_step(metrics, &one);
}

static void test_opened(void **state)
{
	step(ROLE_CLIENT, ST_CLOSE, ST_SYN_SENT, UNKNOWN_NS);
	step(ROLE_CLIENT, ST_SYN_SENT, ST_ESTABLISHED, 250 * 1000);
	step(ROLE_CLIENT, ST_ESTABLISHED, ST_FIN_WAIT1, SEC);
	step(ROLE_CLIENT, ST_SYN_SENT, ST_CLOSE, SEC);
	step(ROLE_SERVER, ST_SYN_RECV, ST_FIN_WAIT1, MS); /* closed before its last ACK came */
	step(ROLE_BOTH, ST_SYN_SENT, ST_SYN_RECV, MS);
	step(ROLE_BOTH, ST_SYN_RECV, ST_ESTABLISHED, MS);
	assert_int_equal(metrics->opened[ROLE_CLIENT], 1);
	assert_int_equal(metrics->opened[ROLE_SERVER], 1);
	assert_int_equal(metrics->opened[ROLE_BOTH], 1);
	assert_int_equal(metrics->opened[ROLE_UNKNOWN], 0);
	assert_int_equal(metrics->handshake[ROLE_CLIENT].count, 1);
	assert_int_equal(metrics->handshake[ROLE_CLIENT].counts[1], 1); /* up to 250 us, both in */
	assert_int_equal(metrics->handshake[ROLE_SERVER].count, 0);
	assert_int_equal(metrics->handshake[ROLE_BOTH].count, 0); /* told at its end, whole */
}

static void test_closed(void **state)
{
	struct report_conn conn = ended(ROLE_CLIENT);

	metrics_conn(metrics, &conn);
	assert_int_equal(metrics->closed[ROLE_CLIENT][FIRST_LOCAL][CLOSED_FIN], 1);
	assert_int_equal(metrics->duration[ROLE_CLIENT].count, 1);
	assert_int_equal(metrics->duration[ROLE_CLIENT].sum_s, 3);
	assert_int_equal(metrics->duration[ROLE_CLIENT].sum_ns, 2 * MS);
	assert_int_equal(metrics->states[METRICS_SYN_SENT].count, 1);
	assert_int_equal(metrics->states[METRICS_ESTABLISHED].sum_s, 3);
	assert_int_equal(metrics->handshake[ROLE_CLIENT].count, 0); /* its step told it */
	assert_int_equal(metrics->sent_bytes, 100);
	assert_int_equal(metrics->received_bytes, 7);
	assert_int_equal(metrics->syn_retrans, 1);
	assert_int_equal(metrics->synack_retrans, 0);
	assert_int_equal(metrics->fin_retrans, 2);
	assert_int_equal(metrics->resets_received, 0);
	conn = ended(ROLE_BOTH);
	metrics_conn(metrics, &conn);
	assert_int_equal(metrics->handshake[ROLE_BOTH].count, 1);
}

static void test_unknown_adds_nothing(void **state)
{
	struct report_conn conn = ended(ROLE_UNKNOWN);

	conn.duration_ns = conn.states[0].ns = conn.states[1].ns = UNKNOWN_NS;
	conn.tx_bytes = conn.rx_bytes = UNKNOWN_COUNT;
	conn.syn_retrans = conn.fin_retrans = UNKNOWN_COUNT;
	conn.closed = CLOSED_UNKNOWN;
	conn.closed_first = FIRST_UNKNOWN;
	conn.incomplete = INCOMPLETE_PREEXISTING | INCOMPLETE_TABLE_FULL;
	metrics_conn(metrics, &conn);
	assert_int_equal(metrics->closed[ROLE_UNKNOWN][FIRST_UNKNOWN][CLOSED_UNKNOWN], 1);
	assert_int_equal(metrics->duration[ROLE_UNKNOWN].count, 0);
	assert_int_equal(metrics->states[METRICS_SYN_SENT].count, 0);
	assert_int_equal(metrics->sent_bytes + metrics->received_bytes, 0);
	assert_int_equal(metrics->syn_retrans + metrics->fin_retrans, 0);
	assert_int_equal(metrics->incomplete[0], 1);
	assert_int_equal(metrics->incomplete[1], 0);
	assert_int_equal(metrics->incomplete[2], 1);
}

static void test_failed(void **state)
{
	static const enum conn_opened words[] = { OPENED_REFUSED, OPENED_TIMED_OUT,
						  OPENED_UNREACHABLE, OPENED_RESET,
						  OPENED_ABORTED };

	for (unsigned int i = 0; i < 5; i++) {
		struct report_conn conn = ended(ROLE_CLIENT);

		conn.opened = words[i];
		conn.closed = CLOSED_NONE;
		conn.closed_first = FIRST_NONE;
		conn.states_len = 1;
		metrics_conn(metrics, &conn);
		assert_int_equal(metrics->failed[ROLE_CLIENT][i], 1);
	}
	assert_int_equal(metrics->closed[ROLE_CLIENT][FIRST_NONE][CLOSED_NONE], 0);
	assert_int_equal(metrics->duration[ROLE_CLIENT].count, 0);
	assert_int_equal(metrics->states[METRICS_SYN_SENT].count, 5);
}

static void reset_for(const char *word, int kernel)
{
	struct report_conn conn = ended(ROLE_SERVER);

	conn.closed = CLOSED_RST_SENT;
	conn.reason = word;
	conn.reset_reason = kernel;
	metrics_conn(metrics, &conn);
}

static uint64_t resets_for(const char *word)
{
	for (unsigned int i = 0; i < METRICS_REASONS; i++) {
		if (!strcmp(metrics_reason_name(i), word))
			return metrics->resets_sent[i];
	}
	fail_msg("no such reason: %s", word);
	return 0;
}

static void test_resets(void **state)
{
	struct report_conn conn = ended(ROLE_CLIENT);

	reset_for("linger0", 12);
	reset_for(NULL, 14); /* TCP_STATE */
	reset_for(NULL, -1);
	reset_for(NULL, 17); /* of MPTCP */
	reset_for(NULL, 9999);
	conn.closed = CLOSED_RST_RECEIVED;
	metrics_conn(metrics, &conn);
	assert_int_equal(resets_for("linger0"), 1);
	assert_int_equal(resets_for("TCP_ABORT_ON_LINGER"), 0);
	assert_int_equal(resets_for("TCP_STATE"), 1);
	assert_int_equal(resets_for("unknown"), 1);
	assert_int_equal(resets_for("other"), 2);
	assert_int_equal(metrics->resets_received, 1);
}

/* Their connection was over before the exporter began. */
static void test_old_time_wait(void **state)
{
	struct report_conn conn = ended(ROLE_UNKNOWN);

	conn.opened = OPENED_PREEXISTING;
	conn.states[0] = (struct report_state){ ST_TIME_WAIT, UNKNOWN_NS };
	conn.states_len = 1;
	conn.incomplete = INCOMPLETE_PREEXISTING;
	metrics_conn(metrics, &conn);
	assert_int_equal(metrics->closed[ROLE_UNKNOWN][FIRST_LOCAL][CLOSED_FIN], 0);
	assert_int_equal(metrics->incomplete[0], 0);
}

static void test_bounds(void **state)
{
	static const struct {
		const struct metrics_bounds *bounds;
		int64_t first, last;
	} all[] = {
		{ &metrics_handshake_bounds, MS / 10, 60 * SEC },
		{ &metrics_duration_bounds, MS, 86400 * SEC },
		{ &metrics_state_bounds, MS / 10, 86400 * SEC },
	};
	struct report_conn conn = ended(ROLE_CLIENT);

	for (unsigned int i = 0; i < 3; i++) {
		const struct metrics_bounds *bounds = all[i].bounds;

		assert_in_range(bounds->len, 2, METRICS_BOUNDS_MAX);
		assert_true(bounds->ns[0] == all[i].first);
		assert_true(bounds->ns[bounds->len - 1] == all[i].last);
		for (unsigned int j = 1; j < bounds->len; j++)
			assert_true(bounds->ns[j] > bounds->ns[j - 1]);
	}
	conn.duration_ns = 86400 * SEC + 1;
	metrics_conn(metrics, &conn);
	conn.duration_ns = 0;
	metrics_conn(metrics, &conn);
	assert_int_equal(metrics->duration[ROLE_CLIENT].counts[metrics_duration_bounds.len], 1);
	assert_int_equal(metrics->duration[ROLE_CLIENT].counts[0], 1);
}

static void test_sums_do_not_wrap(void **state)
{
	struct report_conn conn = ended(ROLE_CLIENT);

	conn.duration_ns = INT64_MAX;
	for (unsigned int i = 0; i < 4; i++)
		metrics_conn(metrics, &conn);
	assert_true(metrics->duration[ROLE_CLIENT].sum_s == 4 * (uint64_t)(INT64_MAX / SEC) + 3);
	assert_true(metrics->duration[ROLE_CLIENT].sum_ns == 4 * (INT64_MAX % SEC) - 3 * SEC);
}

/* ---- what is there now ---- */

static void see(uint8_t tcp_state, uint16_t lport, int64_t since_ns, const char *comm)
{
	const struct ev_tuple tuple = { .netns_cookie = NETNS, .lport = lport, .rport = 80 };
	struct report_now now = {
		.tuple = &tuple, .role = ROLE_CLIENT, .state = tcp_state, .since_ns = since_ns
	};

	strncpy(now.comm, comm, EV_COMM_LEN);
	metrics_now(metrics, &now);
}

static void test_gauges(void **state)
{
	static const struct ev_tuple tuple = { .netns_cookie = NETNS };
	const struct report_listener listener = {
		.tuple = &tuple, .queue = 3, .backlog = 4, .requests = 2
	};

	metrics_begin(metrics, NOW);
	see(ST_CLOSE_WAIT, 1, NOW - 61 * SEC, "");
	see(ST_CLOSE_WAIT, 2, NOW - 59 * SEC, "");
	see(ST_ESTABLISHED, 3, NOW - 900 * SEC, "");
	see(ST_TIME_WAIT, 4, UNKNOWN_NS, "");
	metrics_listener(metrics, &listener);
	metrics_end(metrics);
	assert_int_equal(metrics->connections.now[METRICS_CLOSE_WAIT], 2);
	assert_int_equal(metrics->connections.now[METRICS_TIME_WAIT], 1);
	assert_int_equal(metrics->connections.now[METRICS_SYN_RECV], 2);
	assert_int_equal(metrics->stuck.now[METRICS_CLOSE_WAIT], 1);
	assert_int_equal(metrics->stuck.now[METRICS_ESTABLISHED], 0);
	assert_true(metrics->oldest_ns[METRICS_CLOSE_WAIT] == 61 * SEC);
	assert_true(metrics->oldest_ns[METRICS_ESTABLISHED] == 900 * SEC);
	assert_true(metrics->oldest_ns[METRICS_TIME_WAIT] == 0);
	assert_int_equal(metrics->listeners, 1);
	assert_int_equal(metrics->queued, 3);
	assert_true(metrics->queue_ratio == 0.75);
	metrics_begin(metrics, NOW);
	metrics_end(metrics);
	assert_int_equal(metrics->connections.now[METRICS_CLOSE_WAIT], 0);
	assert_int_equal(metrics->listeners, 0);
	assert_true(metrics->queue_ratio == 0);
}

static struct netns_limits limits_of(uint64_t cookie, int64_t overflows)
{
	return (struct netns_limits){ .netns_cookie = cookie,
				      .port_low = 100,
				      .port_high = 109,
				      .ports = 8,
				      .minisocks_max = 10,
				      .listen_overflows = overflows };
}

static void test_ratios(void **state)
{
	const struct netns_limits limits = limits_of(NETNS, 0);

	metrics_begin(metrics, NOW);
	metrics_limits(metrics, &limits);
	for (uint16_t port = 98; port < 104; port++)
		see(ST_TIME_WAIT, port, NOW, "");
	metrics_end(metrics);
	assert_true(metrics->ports_ratio == 4.0 / 8); /* 100 to 103 */
	assert_true(metrics->time_wait_ratio == 0.6);
	metrics_begin(metrics, NOW);
	metrics_limits(metrics, &limits);
	see(ST_ESTABLISHED, 100, NOW, "");
	metrics_end(metrics);
	assert_true(metrics->ports_ratio == 1.0 / 8);
	assert_true(metrics->time_wait_ratio == 0);
}

static void round_with(uint64_t cookie, int64_t overflows, bool is_used)
{
	const struct netns_limits limits = limits_of(cookie, overflows);
	const struct ev_tuple tuple = { .netns_cookie = cookie };
	const struct report_listener listener = { .tuple = &tuple };

	metrics_begin(metrics, NOW);
	metrics_limits(metrics, &limits);
	if (is_used)
		metrics_listener(metrics, &listener);
	metrics_end(metrics);
}

static void test_overflows(void **state)
{
	round_with(NETNS, 40, true);
	assert_int_equal(metrics->overflows, 0); /* before the start */
	round_with(NETNS, 45, true);
	assert_int_equal(metrics->overflows, 5);
	round_with(NETNS, 47, false); /* its listener is gone; it was one of ours */
	assert_int_equal(metrics->overflows, 7);
	round_with(8, 3, true); /* younger than we are; the other is gone */
	assert_int_equal(metrics->overflows, 10);
	round_with(8, 3, true);
	assert_int_equal(metrics->overflows, 10);
	round_with(NETNS, 48, false); /* it was there all the time, but not found */
	assert_int_equal(metrics->overflows, 11);
	round_with(9, 100, false); /* none of ours */
	assert_int_equal(metrics->overflows, 11);
}

static void empty_round(uint64_t now)
{
	metrics_begin(metrics, now);
	metrics_end(metrics);
}

/* Up to 5.13 another one may have its inode, by which they are told apart there. */
static void test_overflows_of_a_successor(void **state)
{
	round_with(NETNS, 40, true);
	empty_round(NOW + 30 * SEC);
	round_with(NETNS, 3, true);
	assert_int_equal(metrics->overflows, 3);
	round_with(NETNS, 2, false);
	round_with(NETNS, 9, false);
	assert_int_equal(metrics->overflows, 3);
}

/* Nothing that was counted before the start is ours, whenever it is first known. */
static void test_overflows_not_read_at_first(void **state)
{
	empty_round(NOW); /* no namespace could be read */
	round_with(NETNS, UNKNOWN_COUNT, true);
	round_with(NETNS, 40, true);
	assert_int_equal(metrics->overflows, 0);
	round_with(NETNS, 42, true);
	assert_int_equal(metrics->overflows, 2);
}

static void test_netns_is_forgotten(void **state)
{
	round_with(NETNS, 40, true);
	empty_round(NOW + 599 * SEC);
	assert_int_equal(metrics->netns_len, 1);
	empty_round(NOW + 601 * SEC);
	assert_int_equal(metrics->netns_len, 0);
}

static void restart(const struct metrics_options *options)
{
	metrics_free(metrics);
	metrics = metrics_new(options);
	assert_non_null(metrics);
}

static uint64_t named(const char *name)
{
	for (unsigned int i = 0; i < METRICS_NAMES_MAX; i++) {
		const struct metrics_name *one = &metrics->comms->all[i];

		if (one->text && !strcmp(one->text, name))
			return one->by_state.now[METRICS_ESTABLISHED];
	}
	return 0;
}

static void test_names(void **state)
{
	const struct metrics_options options = { .by_comm = true };
	char name[16];

	restart(&options);
	metrics_begin(metrics, NOW);
	see(ST_ESTABLISHED, 1, NOW, "");
	see(ST_ESTABLISHED, 1, NOW, "a\xff");
	see(ST_ESTABLISHED, 1, NOW, "a\xfe"); /* looks the same as the one before */
	see(ST_ESTABLISHED, 1, NOW, "other");
	for (unsigned int i = 0; i < METRICS_NAMES_MAX; i++) {
		snprintf(name, sizeof(name), "name%u", i);
		see(ST_ESTABLISHED, 1, NOW, name);
	}
	metrics_end(metrics);
	assert_int_equal(metrics->comms->unknown.now[METRICS_ESTABLISHED], 1);
	assert_int_equal(named("a\xef\xbf\xbd"), 2);
	assert_int_equal(named("name48"), 1);
	assert_int_equal(named("name49"), 0); /* no place was left */
	assert_int_equal(metrics->comms->other.now[METRICS_ESTABLISHED], 2);
	assert_null(metrics->cgroups);
	/* those that have had no connection for long give their place up */
	metrics_begin(metrics, NOW + 601 * SEC);
	see(ST_ESTABLISHED, 1, NOW, "name49");
	metrics_end(metrics);
	assert_int_equal(named("name49"), 1);
	assert_int_equal(metrics->comms->other.now[METRICS_ESTABLISHED], 0);
}

static void test_ports(void **state)
{
	uint8_t bits[8192] = { 0 };
	const struct metrics_options options = { .by_ports = bits };

	bits[80 >> 3] |= 1 << (80 & 7);
	bits[65535 >> 3] |= 1 << 7;
	restart(&options);
	metrics_begin(metrics, NOW);
	see(ST_ESTABLISHED, 65535, NOW, ""); /* the local one comes first */
	see(ST_ESTABLISHED, 40000, NOW, ""); /* towards 80 */
	see(ST_CLOSE_WAIT, 80, NOW, "");
	metrics_end(metrics);
	assert_int_equal(metrics->by_ports_len, 2);
	assert_int_equal(metrics->by_ports[0], 80);
	assert_int_equal(metrics->ports[0].now[METRICS_ESTABLISHED], 1);
	assert_int_equal(metrics->ports[0].now[METRICS_CLOSE_WAIT], 1);
	assert_int_equal(metrics->ports[1].now[METRICS_ESTABLISHED], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_opened, setup, teardown),
		cmocka_unit_test_setup_teardown(test_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_adds_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_old_time_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sums_do_not_wrap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gauges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ratios, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overflows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overflows_not_read_at_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overflows_of_a_successor, setup, teardown),
		cmocka_unit_test_setup_teardown(test_netns_is_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ports, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
