// SPDX-License-Identifier: GPL-2.0-only
/* The words: each value's own, unknown and out of range. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/array.h"
#include "core/names.h"

static void assert_name(const char *name, const char *expected)
{
	if (!expected) {
		assert_null(name);
		return;
	}
	assert_non_null(name);
	assert_string_equal(name, expected);
}

/* The words of an enumeration from 0 on; what follows the last must be unknown. */
#define ASSERT_WORDS(name, type, unknown, ...)                                                     \
	do {                                                                                       \
		static const char *const words[] = { __VA_ARGS__ };                                \
		for (size_t i = 0; i < ARRAY_SIZE(words); i++)                                     \
			assert_name(name((type)i), words[i]);                                      \
		assert_name(name((type)ARRAY_SIZE(words)), unknown);                               \
		assert_name(name((type)200), unknown);                                             \
	} while (0)

static void test_states(void **state)
{
	ASSERT_WORDS(name_state, uint8_t, "UNKNOWN", "UNKNOWN", "ESTABLISHED", "SYN_SENT",
		     "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT",
		     "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV");
	assert_name(name_state(UINT8_MAX), "UNKNOWN");
}

static void test_verdicts(void **state)
{
	ASSERT_WORDS(name_role, enum conn_role, NULL, NULL, "client", "server", "both");
	ASSERT_WORDS(name_opened, enum conn_opened, NULL, NULL, "handshake", "simultaneous",
		     "fastopen", "preexisting", "refused", "timed_out", "unreachable", "reset",
		     "aborted");
	ASSERT_WORDS(name_closed, enum conn_closed, NULL, NULL, "fin", "rst_sent", "rst_received",
		     "timed_out", "aborted", "killed", "none");
	ASSERT_WORDS(name_first, enum conn_first, NULL, NULL, "local", "remote", "both", "none");
	ASSERT_WORDS(name_teardown, enum conn_teardown, NULL, NULL, "four_way", "three_segment",
		     "simultaneous", "half_close", "none");
	ASSERT_WORDS(name_remains, enum conn_remains, NULL, NULL, "time_wait", "fin_wait2");
	ASSERT_WORDS(name_remains_end, enum conn_remains_end, NULL, NULL, "expired", "reset",
		     "reused", "killed", "overflow", "namespace");
	ASSERT_WORDS(name_owner_source, enum ev_owner_source, "unknown", "unknown", "listen",
		     "fd_table", "close", "read", "connect");
}

static void test_reset_reasons(void **state)
{
	static const struct {
		int reason;
		const char *name;
	} cases[] = {
		{ INT_MIN, NULL },
		{ -1, NULL },
		{ 0, "NOT_SPECIFIED" },
		{ 1, "NO_SOCKET" },
		{ 8, "TCP_ABORT_ON_DATA" },
		{ 9, "TCP_TIMEWAIT_SOCKET" },
		{ 15, "TCP_KEEPALIVE_TIMEOUT" },
		{ 16, "TCP_DISCONNECT_WITH_DATA" },
		{ 17, "MPTCP_RST_EUNSPEC" },
		{ 23, "MPTCP_RST_EMIDDLEBOX" },
		{ 24, "ERROR" },
		{ 25, NULL },
		{ INT_MAX, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_name(name_reset_reason(cases[i].reason), cases[i].name);
	for (int reason = 0; name_reset_reason(reason); reason++)
		assert_int_equal(reset_reason_number(name_reset_reason(reason)), reason);
	assert_int_equal(reset_reason_number("MAX"), -1);
	assert_int_equal(reset_reason_number(""), -1);
}

static void test_errnos(void **state)
{
	assert_name(name_errno(0), NULL);
	assert_name(name_errno(ECONNREFUSED), "ECONNREFUSED");
	assert_name(name_errno(ETIMEDOUT), "ETIMEDOUT");
	assert_name(name_errno(EPIPE), "EPIPE");
	assert_name(name_errno(-ECONNREFUSED), NULL);
	assert_name(name_errno(4095), NULL);
	assert_name(name_errno(INT_MAX), NULL);
	assert_name(name_errno(INT_MIN), NULL);
}

static void test_incomplete(void **state)
{
	assert_name(name_incomplete(INCOMPLETE_PREEXISTING), "preexisting");
	assert_name(name_incomplete(INCOMPLETE_LOST_EVENTS), "lost_events");
	assert_name(name_incomplete(INCOMPLETE_TABLE_FULL), "table_full");
	assert_name(name_incomplete(0), NULL);
	assert_name(name_incomplete(0x80000000), NULL);
}

/* A word for each bit, and none for two bits at once or for none. */
static void test_bits(void **state)
{
	static const char *const handshakes[] = { "syn_again",	    "synack_again",
						  "syn_ignored",    "ack_ignored",
						  "syn_cookie",	    "accept_queue_full",
						  "deferred_accept" };
	static const char *const violations[] = { "synack_ack", "handshake_ack" };

	for (unsigned int i = 0; i < 32; i++) {
		unsigned int bit = 1U << i;

		assert_name(name_handshake(bit), i < ARRAY_SIZE(handshakes) ? handshakes[i] : NULL);
		assert_name(name_violation(bit), i < ARRAY_SIZE(violations) ? violations[i] : NULL);
	}
	assert_name(name_handshake(HANDSHAKE_SYN_COOKIE), "syn_cookie");
	assert_name(name_violation(VIOLATION_HANDSHAKE_ACK), "handshake_ack");
	assert_name(name_handshake(0), NULL);
	assert_name(name_violation(0), NULL);
	assert_name(name_handshake(3), NULL);
	assert_name(name_violation(3), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),	      cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_reset_reasons), cmocka_unit_test(test_errnos),
		cmocka_unit_test(test_incomplete),    cmocka_unit_test(test_bits),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
