// SPDX-License-Identifier: GPL-2.0-only
/* JSON lines: every field in its place, null where unknown, hostile strings. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "views/jsonl.h"
#include "viewed.h"

static int setup(void **state)
{
	text_clear(&text);
	return 0;
}

static void assert_has(const char *expected)
{
	text_char(&text, '\0');
	assert_false(text.failed);
	if (!strstr(text.data, expected))
		fail_msg("no %s in %s", expected, text.data);
	text_clear(&text);
}

static void set_tuple(struct ev_tuple *tuple)
{
	tuple->family = 4;
	tuple->lport = 45678;
	tuple->rport = 443;
	tuple->netns_inum = 4026531840;
	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", tuple->laddr), 1);
	assert_int_equal(inet_pton(AF_INET6, "::ffff:198.51.100.20", tuple->raddr), 1);
}

static const struct report_conn known = {
	.sock = 1,
	.cookie = UINT64_MAX,
	.cgroup = "/system.slice/a.service",
	.pid = 12345,
	.uid = 0,
	.comm = "curl",
	.pid_source = OWNER_CONNECT,
	.role = ROLE_CLIENT,
	.opened = OPENED_HANDSHAKE,
	.closed = CLOSED_RST_SENT,
	.closed_first = FIRST_LOCAL,
	.teardown = TEARDOWN_NONE,
	.remains = REMAINS_TIME_WAIT,
	.remains_end = REMAINS_END_EXPIRED,
	.reset_reason = 8,
	.error = ECONNRESET,
	.states = { { ST_SYN_SENT, 123 }, { ST_ESTABLISHED, UNKNOWN_NS } },
	.states_len = 2,
	.start_ns = 1500000000,
	.end_ns = 2500000001,
	.duration_ns = 1000000001,
	.handshake_ns = 1,
	.half_close_ns = 0,
	.time_wait_ns = 60000000000,
	.tx_bytes = 10,
	.rx_bytes = 11,
	.tx_segs = 12,
	.rx_segs = 13,
	.retrans = 14,
	.syn_retrans = 15,
	.synack_retrans = 16,
	.fin_retrans = 17,
	.srtt_us = 18,
	.min_rtt_us = 19,
	.half_close_bytes = 20,
	.conn_state = "RSTO",
	.history = "ShADdR",
	.reason = "unread_data",
	.peer_cookie = 21,
};

static struct report_conn known_conn(void)
{
	struct report_conn conn = known;

	set_tuple(&conn.tuple);
	return conn;
}

static void test_known(void **state)
{
	struct report_conn conn = known_conn();

	jsonl_conn(&text, &known_clock, &conn);
	assert_text("{\"schema\":1,\"start\":\"2026-07-31T12:13:21.500000000Z\","
		    "\"end\":\"2026-07-31T12:13:22.500000001Z\",\"cookie\":18446744073709551615,"
		    "\"netns\":4026531840,\"family\":4,\"laddr\":\"192.0.2.1\",\"lport\":45678,"
		    "\"raddr\":\"198.51.100.20\",\"rport\":443,\"role\":\"client\",\"pid\":12345,"
		    "\"comm\":\"curl\",\"uid\":0,\"cgroup\":\"/system.slice/a.service\","
		    "\"pid_source\":\"connect\",\"opened\":\"handshake\",\"closed\":\"rst_sent\","
		    "\"closed_first\":\"local\",\"teardown\":\"none\","
		    "\"reset_reason\":\"TCP_ABORT_ON_DATA\",\"error\":\"ECONNRESET\","
		    "\"reason\":\"unread_data\",\"conn_state\":\"RSTO\",\"history\":\"ShADdR\","
		    "\"completeness\":null,\"handshake\":[],\"violations\":[],"
		    "\"states\":[{\"state\":\"SYN_SENT\",\"ns\":123},"
		    "{\"state\":\"ESTABLISHED\",\"ns\":null}],\"remains\":\"time_wait\","
		    "\"remains_end\":\"expired\",\"duration_ns\":1000000001,\"handshake_ns\":1,"
		    "\"half_close_ns\":0,\"time_wait_ns\":60000000000,\"tx_bytes\":10,"
		    "\"rx_bytes\":11,\"tx_segs\":12,\"rx_segs\":13,\"retrans\":14,"
		    "\"syn_retrans\":15,\"synack_retrans\":16,\"fin_retrans\":17,\"srtt_us\":18,"
		    "\"min_rtt_us\":19,\"flags_rx\":null,\"half_close_bytes\":20,"
		    "\"isn_local\":null,\"isn_remote\":null,\"peer_cookie\":21,"
		    "\"complete\":true,\"incomplete_because\":[]}\n");
}

static const struct report_conn unknown = {
	.uid = UINT32_MAX,
	.reset_reason = -1,
	.start_ns = UNKNOWN_NS,
	.end_ns = UNKNOWN_NS,
	.duration_ns = UNKNOWN_NS,
	.handshake_ns = UNKNOWN_NS,
	.half_close_ns = UNKNOWN_NS,
	.time_wait_ns = UNKNOWN_NS,
	.tx_bytes = -1,
	.rx_bytes = -1,
	.tx_segs = -1,
	.rx_segs = -1,
	.retrans = -1,
	.syn_retrans = -1,
	.synack_retrans = -1,
	.fin_retrans = -1,
	.srtt_us = -1,
	.min_rtt_us = -1,
	.half_close_bytes = UNKNOWN_COUNT,
};

static void test_unknown(void **state)
{
	jsonl_conn(&text, &known_clock, &unknown);
	assert_text("{\"schema\":1,\"start\":null,\"end\":null,\"cookie\":null,\"netns\":null,"
		    "\"family\":null,\"laddr\":null,\"lport\":null,\"raddr\":null,\"rport\":null,"
		    "\"role\":\"unknown\",\"pid\":null,\"comm\":null,\"uid\":null,\"cgroup\":null,"
		    "\"pid_source\":\"unknown\",\"opened\":null,\"closed\":null,"
		    "\"closed_first\":null,\"teardown\":null,\"reset_reason\":null,"
		    "\"error\":null,\"reason\":null,\"conn_state\":null,\"history\":null,"
		    "\"completeness\":null,\"handshake\":[],\"violations\":[],\"states\":[],"
		    "\"remains\":null,\"remains_end\":null,\"duration_ns\":null,"
		    "\"handshake_ns\":null,\"half_close_ns\":null,\"time_wait_ns\":null,"
		    "\"tx_bytes\":null,\"rx_bytes\":null,\"tx_segs\":null,\"rx_segs\":null,"
		    "\"retrans\":null,\"syn_retrans\":null,\"synack_retrans\":null,"
		    "\"fin_retrans\":null,\"srtt_us\":null,\"min_rtt_us\":null,\"flags_rx\":null,"
		    "\"half_close_bytes\":null,\"isn_local\":null,\"isn_remote\":null,"
		    "\"peer_cookie\":null,\"complete\":true,\"incomplete_because\":[]}\n");
}

static void test_no_realtime(void **state)
{
	struct report_conn conn = known_conn();

	jsonl_conn(&text, &unknown_clock, &conn);
	assert_has("{\"schema\":1,\"start\":null,\"end\":null,\"cookie\":1844");
	conn.start_ns = INT64_MAX;
	conn.end_ns = INT64_MIN + 1;
	jsonl_conn(&text, &known_clock, &conn);
	assert_has("\"start\":null,\"end\":\"1734-");
}

static void test_incomplete(void **state)
{
	static const struct {
		unsigned int bits;
		const char *expected;
	} cases[] = {
		{ INCOMPLETE_PREEXISTING, "\"incomplete_because\":[\"preexisting\"]}\n" },
		{ INCOMPLETE_LOST_EVENTS, "\"incomplete_because\":[\"lost_events\"]}\n" },
		{ 0x7, "\"complete\":false,\"incomplete_because\":"
		       "[\"preexisting\",\"lost_events\",\"table_full\"]}\n" },
		{ ~0u, "\"complete\":false,\"incomplete_because\":"
		       "[\"preexisting\",\"lost_events\",\"table_full\"]}\n" },
	};
	struct report_conn conn = known_conn();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		conn.incomplete = cases[i].bits;
		jsonl_conn(&text, &known_clock, &conn);
		assert_has(cases[i].expected);
	}
}

static void test_handshake(void **state)
{
	static const struct {
		unsigned int bits;
		const char *expected;
	} cases[] = {
		{ HANDSHAKE_SYN_AGAIN, "\"handshake\":[\"syn_again\"]," },
		{ HANDSHAKE_SYNACK_AGAIN, "\"handshake\":[\"synack_again\"]," },
		{ HANDSHAKE_SYN_IGNORED, "\"handshake\":[\"syn_ignored\"]," },
		{ HANDSHAKE_ACK_IGNORED, "\"handshake\":[\"ack_ignored\"]," },
		{ HANDSHAKE_SYN_COOKIE, "\"handshake\":[\"syn_cookie\"]," },
		{ HANDSHAKE_ACCEPT_QUEUE_FULL, "\"handshake\":[\"accept_queue_full\"]," },
		{ HANDSHAKE_ACK_IGNORED | HANDSHAKE_DEFERRED_ACCEPT,
		  "\"handshake\":[\"ack_ignored\",\"deferred_accept\"]," },
		{ HANDSHAKE_SYN_AGAIN | HANDSHAKE_SYNACK_AGAIN,
		  "\"handshake\":[\"syn_again\",\"synack_again\"],\"violations\":[]," },
		{ ~0u, "\"handshake\":[\"syn_again\",\"synack_again\",\"syn_ignored\","
		       "\"ack_ignored\",\"syn_cookie\",\"accept_queue_full\",\"deferred_accept\"],"
		       "\"violations\":[]," },
	};
	struct report_conn conn = known_conn();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		conn.handshake = cases[i].bits;
		jsonl_conn(&text, &known_clock, &conn);
		assert_has(cases[i].expected);
	}
}

static void test_violations(void **state)
{
	static const struct {
		unsigned int bits;
		const char *expected;
	} cases[] = {
		{ 0, "\"violations\":[],\"states\"" },
		{ VIOLATION_SYNACK_ACK, "\"violations\":[\"synack_ack\"],\"states\"" },
		{ VIOLATION_HANDSHAKE_ACK, "\"violations\":[\"handshake_ack\"],\"states\"" },
		{ VIOLATION_SYNACK_ACK | VIOLATION_HANDSHAKE_ACK,
		  "\"violations\":[\"synack_ack\",\"handshake_ack\"],\"states\"" },
		{ ~0u, "\"violations\":[\"synack_ack\",\"handshake_ack\"],\"states\"" },
	};
	struct report_conn conn = known_conn();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		conn.violations = cases[i].bits;
		jsonl_conn(&text, &known_clock, &conn);
		assert_has(cases[i].expected);
	}
}

/* The numbers may be known of one side only; the items of a story are not of this view. */
static void test_story(void **state)
{
	const struct story_item item = { .kind = STORY_STATE, .state = ST_SYN_SENT };
	struct report_story story = { .items = &item, .len = 1, .isn_local = 5, .isn_remote = 6 };
	struct report_conn conn = known_conn();

	conn.story = &story;
	jsonl_conn(&text, &known_clock, &conn);
	assert_has("\"half_close_bytes\":20,\"isn_local\":null,\"isn_remote\":null,");
	story.has_isn_remote = true;
	jsonl_conn(&text, &known_clock, &conn);
	assert_has("\"isn_local\":null,\"isn_remote\":6,\"peer_cookie\":21,\"complete\"");
	story.has_isn_local = true;
	story.isn_local = UINT32_MAX;
	story.isn_remote = 0;
	jsonl_conn(&text, &known_clock, &conn);
	assert_has("\"isn_local\":4294967295,\"isn_remote\":0,\"peer_cookie\":21,");
	conn.peer_cookie = UINT64_MAX;
	conn.half_close_bytes = 0;
	jsonl_conn(&text, &known_clock, &conn);
	assert_has("\"half_close_bytes\":0,");
	jsonl_conn(&text, &known_clock, &conn);
	assert_has("\"peer_cookie\":18446744073709551615,");
}

static void test_flags(void **state)
{
	static const struct report_flags some = { 1, 2, 3, 4, 5, 6 };
	static const struct report_flags most = { UINT32_MAX, UINT32_MAX, UINT32_MAX,
						  UINT32_MAX, UINT32_MAX, UINT32_MAX };
	static const struct report_flags none;
	struct report_conn conn = known_conn();

	conn.flags_rx = &some;
	jsonl_conn(&text, &known_clock, &conn);
	assert_has("\"min_rtt_us\":19,\"flags_rx\":{\"syn\":1,\"ack\":2,\"fin\":3,\"rst\":4,"
		   "\"psh\":5,\"urg\":6},\"half_close_bytes\":20,");
	conn.flags_rx = &most;
	jsonl_conn(&text, &known_clock, &conn);
	assert_has("\"flags_rx\":{\"syn\":4294967295,\"ack\":4294967295,");
	conn.flags_rx = &none;
	jsonl_conn(&text, &known_clock, &conn);
	assert_has("\"flags_rx\":{\"syn\":0,\"ack\":0,\"fin\":0,\"rst\":0,\"psh\":0,\"urg\":0},");
}

static void test_hostile(void **state)
{
	static const struct {
		const char *comm, *expected;
	} cases[] = {
		{ "a\"b", "\"comm\":\"a\\\"b\",\"uid\"" },
		{ "a\nb", "\"comm\":\"a\\nb\",\"uid\"" },
		{ "\\", "\"comm\":\"\\\\\",\"uid\"" },
		{ "\",\"pid\":1,\"", "\"comm\":\"\\\",\\\"pid\\\":1,\\\"\",\"uid\"" },
		{ "\xff\xc3", "\"comm\":\"\xef\xbf\xbd\xef\xbf\xbd\",\"uid\"" },
		{ "0123456789abcdef", "\"comm\":\"0123456789abcdef\",\"uid\"" },
	};
	struct report_conn conn = known_conn();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		memset(conn.comm, 0, sizeof(conn.comm));
		memcpy(conn.comm, cases[i].comm, strlen(cases[i].comm));
		conn.cgroup = cases[i].comm;
		jsonl_conn(&text, &known_clock, &conn);
		assert_ptr_equal(memchr(text.data, '\n', text.len), text.data + text.len - 1);
		assert_has(cases[i].expected);
	}
}

static void test_extremes(void **state)
{
	struct report_conn conn = known_conn();

	conn.duration_ns = INT64_MAX;
	conn.handshake_ns = INT64_MIN + 1;
	conn.tx_bytes = INT64_MAX;
	conn.uid = UINT32_MAX - 1;
	conn.states_len = REPORT_STATES_MAX;
	conn.states[REPORT_STATES_MAX - 1] = (struct report_state){ UINT8_MAX, INT64_MAX };
	jsonl_conn(&text, &known_clock, &conn);
	assert_has("{\"state\":\"UNKNOWN\",\"ns\":9223372036854775807}],");
	jsonl_conn(&text, &known_clock, &conn);
	assert_has("\"duration_ns\":9223372036854775807,\"handshake_ns\":-9223372036854775807,");
	jsonl_conn(&text, &known_clock, &conn);
	assert_has("\"tx_bytes\":9223372036854775807,");
	jsonl_conn(&text, &known_clock, &conn);
	assert_has("\"uid\":4294967294,");
}

static void test_port_not_chosen(void **state)
{
	struct report_conn conn = known_conn();

	conn.tuple.lport = 0;
	conn.tuple.rport = 0;
	jsonl_conn(&text, &known_clock, &conn);
	assert_has("\"lport\":null,\"raddr\":\"198.51.100.20\",\"rport\":0,");
}

static void test_step(void **state)
{
	struct ev_tuple tuple = { 0 };
	struct report_step step = {
		.sock = 0xffff888012345678,
		.tuple = &tuple,
		.pid = 12345,
		.comm = "cu\"rl",
		.old_state = ST_ESTABLISHED,
		.new_state = ST_FIN_WAIT1,
		.ts_ns = 2500000000,
		.in_old_ns = 1234567,
	};

	set_tuple(&tuple);
	jsonl_step(&text, &known_clock, &step);
	assert_text("{\"schema\":1,\"step\":{\"ts\":\"2026-07-31T12:13:22.500000000Z\","
		    "\"sock\":\"ffff888012345678\",\"netns\":4026531840,\"family\":4,"
		    "\"laddr\":\"192.0.2.1\",\"lport\":45678,\"raddr\":\"198.51.100.20\","
		    "\"rport\":443,\"old_state\":\"ESTABLISHED\",\"new_state\":\"FIN_WAIT1\","
		    "\"in_old_ns\":1234567,\"pid\":12345,\"comm\":\"cu\\\"rl\"}}\n");
}

static void test_unknown_step(void **state)
{
	struct ev_tuple tuple = { 0 };
	struct report_step step = { .tuple = &tuple, .ts_ns = UNKNOWN_NS, .in_old_ns = UNKNOWN_NS };

	jsonl_step(&text, &known_clock, &step);
	assert_text("{\"schema\":1,\"step\":{\"ts\":null,\"sock\":\"0\",\"netns\":null,"
		    "\"family\":null,\"laddr\":null,\"lport\":null,\"raddr\":null,\"rport\":null,"
		    "\"old_state\":\"UNKNOWN\",\"new_state\":\"UNKNOWN\",\"in_old_ns\":null,"
		    "\"pid\":null,\"comm\":null}}\n");
}

static void test_no_memory(void **state)
{
	struct report_conn conn = known_conn();

	assert_false(text_grow(&text, SIZE_MAX));
	jsonl_conn(&text, &known_clock, &conn);
	assert_true(text.failed);
	assert_int_equal(text.len, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_known),	 TEST(test_unknown),	     TEST(test_no_realtime),
		TEST(test_incomplete),	 TEST(test_handshake),	     TEST(test_violations),
		TEST(test_story),	 TEST(test_flags),	     TEST(test_hostile),
		TEST(test_extremes),	 TEST(test_port_not_chosen), TEST(test_step),
		TEST(test_unknown_step), TEST(test_no_memory),
	};

	return cmocka_run_group_tests_name("jsonl", tests, NULL, free_text);
}
