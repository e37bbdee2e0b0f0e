// SPDX-License-Identifier: GPL-2.0-only
/* Lines of life: columns, unknown values, hostile names, CSV. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "views/life.h"
#include "viewed.h"

static const struct view_columns plain;
static const struct view_columns wide = { .wide = true };
static const struct view_columns csv = { .csv = true };
static const struct view_columns extended = { .extended = true };
static const struct view_columns all_csv = {
	.time = true,
	.seconds = true,
	.extended = true,
	.csv = true,
};

static int setup(void **state)
{
	text_clear(&text);
	return 0;
}

static void set_tuple(struct ev_tuple *tuple, const char *laddr, const char *raddr)
{
	assert_int_equal(inet_pton(AF_INET6, laddr, tuple->laddr), 1);
	assert_int_equal(inet_pton(AF_INET6, raddr, tuple->raddr), 1);
	tuple->family = strncmp(laddr, "::ffff:", 7) ? 6 : 4;
}

static const struct report_conn known = {
	.tuple = { .lport = 45678, .rport = 443, .netns_inum = 4026531840 },
	.cgroup = "/system.slice/a.service",
	.pid = 12345,
	.uid = 1000,
	.comm = "curl",
	.pid_source = OWNER_CONNECT,
	.role = ROLE_CLIENT,
	.opened = OPENED_HANDSHAKE,
	.closed = CLOSED_FIN,
	.closed_first = FIRST_LOCAL,
	.remains = REMAINS_TIME_WAIT,
	.reset_reason = -1,
	.states = { { ST_SYN_SENT, 1 }, { ST_ESTABLISHED, 2 }, { ST_CLOSE, UNKNOWN_NS } },
	.states_len = 3,
	.start_ns = 1500000000,
	.end_ns = 2500000000,
	.duration_ns = 1000004999,
	.handshake_ns = 234567,
	.half_close_ns = 1000000,
	.time_wait_ns = UNKNOWN_NS,
	.tx_bytes = 1536,
	.rx_bytes = 0,
	.retrans = 3,
	.srtt_us = 12345,
};

static struct report_conn known_conn(void)
{
	struct report_conn conn = known;

	set_tuple(&conn.tuple, "::ffff:192.0.2.1", "::ffff:198.51.100.20");
	return conn;
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
};

/* These words, with as many spaces between them as it likes. */
static void assert_words(const char *expected)
{
	size_t to = 0;

	for (size_t from = 0; from < text.len; from++)
		if (text.data[from] != ' ' || (to && text.data[to - 1] != ' '))
			text.data[to++] = text.data[from];
	text.len = to;
	text_char(&text, '\0');
	assert_non_null(strstr(text.data, expected));
	text_clear(&text);
}

static void test_plain(void **state)
{
	struct report_conn conn = known_conn();

	life_header(&text, &plain);
	life_line(&text, &plain, &known_clock, &conn);
	assert_text("PID     COMM             LADDR           LPORT RADDR           RPORT "
		    "TX_KB  RX_KB  MS       OPENED       FIRST  CLOSED       REMAINS\n"
		    "12345   curl             192.0.2.1       45678 198.51.100.20   443   "
		    "1.50   0.00   1000.00  handshake    local  fin          time_wait\n");
}

static void test_times(void **state)
{
	const struct view_columns columns = { .time = true, .seconds = true };
	struct report_conn conn = known_conn();

	life_header(&text, &columns);
	assert_memory_equal(text.data, "TIME     TIME(s)   PID     COMM", 31);
	text_clear(&text);
	life_line(&text, &columns, &known_clock, &conn);
	assert_memory_equal(text.data, "17:58:22 1.500000  12345   curl ", 32);
	text_clear(&text);
	life_line(&text, &columns, &unknown_clock, &conn);
	assert_memory_equal(text.data, "-        -         12345   curl ", 32);
	text_clear(&text);
	conn.end_ns = 999999000;
	life_line(&text, &columns, &known_clock, &conn);
	assert_memory_equal(text.data, "17:58:20 -0.000001 12345   curl ", 32);
}

static void test_wide_ipv6(void **state)
{
	struct report_conn conn = known_conn();

	set_tuple(&conn.tuple, "2001:db8:1111:2222:3333:4444:5555:6666", "::1");
	life_header(&text, &wide);
	life_line(&text, &wide, &known_clock, &conn);
	assert_text("PID     COMM             IP LADDR                                   LPORT "
		    "RADDR                                   RPORT TX_KB  RX_KB  MS       "
		    "OPENED       FIRST  CLOSED       REMAINS\n"
		    "12345   curl             6  2001:db8:1111:2222:3333:4444:5555:6666  45678 "
		    "::1                                     443   1.50   0.00   1000.00  "
		    "handshake    local  fin          time_wait\n");
}

static void test_extended(void **state)
{
	struct report_conn conn = known_conn();

	conn.error = ECONNRESET;
	conn.reset_reason = 8;
	conn.remains_end = REMAINS_END_EXPIRED;
	conn.teardown = TEARDOWN_THREE_SEGMENT;
	conn.incomplete = INCOMPLETE_PREEXISTING | INCOMPLETE_TABLE_FULL;
	conn.handshake = HANDSHAKE_SYN_AGAIN | HANDSHAKE_SYN_IGNORED;
	conn.violations = VIOLATION_HANDSHAKE_ACK;
	strcpy(conn.conn_state, "RSTO");
	life_line(&text, &extended, &known_clock, &conn);
	assert_text(
		"12345   curl             192.0.2.1       45678 198.51.100.20   443   "
		"1.50   0.00   1000.00  handshake    local  fin          time_wait "
		"client connect  1000  4026531840 0.235    1.000    three_segment -         expired   3    "
		"12.345   ECONNRESET   TCP_ABORT_ON_DATA        "
		"syn_again,syn_ignored  handshake_ack RSTO       "
		"SYN_SENT>ESTABLISHED>CLOSE                              "
		"preexisting+table_full /system.slice/a.service\n");
}

/* The kernel's own reason goes before what the socket shows. */
static void test_reason(void **state)
{
	struct report_conn conn = known_conn();

	conn.reason = "unread_data";
	life_line(&text, &all_csv, &known_clock, &conn);
	assert_non_null(strstr(text.data, ",unread_data,,,,SYN_SENT"));
	text_clear(&text);
	conn.reset_reason = 8;
	life_line(&text, &all_csv, &known_clock, &conn);
	assert_non_null(strstr(text.data, ",TCP_ABORT_ON_DATA,,,,SYN_SENT"));
	text_clear(&text);
}

/* A field of CSV with a comma in it stands in quotes; a single word needs none. */
static void test_words(void **state)
{
	static const struct {
		unsigned int handshake, violations;
		const char *conn_state, *table, *csv;
	} cases[] = {
		{ 0, 0, "", "- - - SYN_SENT>", ",,,,SYN_SENT>" },
		{ 0, 0, "SF", "- - SF SYN_SENT>", ",,,SF,SYN_SENT>" },
		{ HANDSHAKE_SYN_COOKIE, 0, "OTH", "- syn_cookie - OTH SYN_SENT>",
		  ",syn_cookie,,OTH,SYN_SENT>" },
		{ 0, VIOLATION_SYNACK_ACK | VIOLATION_HANDSHAKE_ACK, "RSTOS0",
		  "- synack_ack,handshake_ack RSTOS0 SYN_SENT>",
		  ",,\"synack_ack,handshake_ack\",RSTOS0,SYN_SENT>" },
		{ HANDSHAKE_SYN_AGAIN | HANDSHAKE_SYN_IGNORED | HANDSHAKE_ACCEPT_QUEUE_FULL, 0,
		  "SF", "syn_again,syn_ignored,accept_queue_full - SF SYN_SENT>",
		  ",\"syn_again,syn_ignored,accept_queue_full\",,SF,SYN_SENT>" },
		{ HANDSHAKE_ACK_IGNORED | HANDSHAKE_DEFERRED_ACCEPT, 0, "SF",
		  "ack_ignored,deferred_accept - SF SYN_SENT>",
		  ",\"ack_ignored,deferred_accept\",,SF,SYN_SENT>" },
		{ ~0u, ~0u, "SF",
		  "syn_again,synack_again,syn_ignored,ack_ignored,syn_cookie,accept_queue_full,"
		  "deferred_accept synack_ack,handshake_ack SF SYN_SENT>",
		  ",\"syn_again,synack_again,syn_ignored,ack_ignored,syn_cookie,"
		  "accept_queue_full,deferred_accept\",\"synack_ack,handshake_ack\",SF,SYN_SENT>" },
		{ 0x80000000, 0x80000000, "SF", "- - SF SYN_SENT>", ",,,SF,SYN_SENT>" },
	};
	struct report_conn conn = known_conn();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		conn.handshake = cases[i].handshake;
		conn.violations = cases[i].violations;
		strcpy(conn.conn_state, cases[i].conn_state);
		life_line(&text, &extended, &known_clock, &conn);
		assert_words(cases[i].table);
		life_line(&text, &all_csv, &known_clock, &conn);
		text_char(&text, '\0');
		assert_non_null(strstr(text.data, cases[i].csv));
		text_clear(&text);
	}
}

static void test_csv(void **state)
{
	struct report_conn conn = known_conn();

	life_header(&text, &all_csv);
	life_line(&text, &all_csv, &known_clock, &conn);
	assert_text(
		"TIME,TIME(s),PID,COMM,IP,LADDR,LPORT,RADDR,RPORT,TX_KB,RX_KB,MS,OPENED,FIRST,"
		"CLOSED,REMAINS,ROLE,SRC,UID,NETNS,HS_MS,HALF_MS,TEARDOWN,TW_MS,REM_END,RETR,SRTT_MS,"
		"ERROR,REASON,HANDSHAKE,VIOLATIONS,CONN_STATE,STATES,INCOMPLETE,CGROUP\n"
		"17:58:22,1.500000,12345,curl,4,192.0.2.1,45678,198.51.100.20,443,1.50,0.00,"
		"1000.00,handshake,local,fin,time_wait,client,connect,1000,4026531840,0.235,"
		"1.000,,,,3,12.345,,,,,,SYN_SENT>ESTABLISHED>CLOSE,,/system.slice/a.service\n");
}

static void test_all_unknown(void **state)
{
	struct report_conn conn = unknown;

	life_line(&text, &extended, &unknown_clock, &conn);
	assert_text("-       -                -               -     -               -     "
		    "-      -      -        -            -      -            -         "
		    "-      -        -     -          -        -        -             -         "
		    "-         -    "
		    "-        -            -                        "
		    "-                      -             -          "
		    "-                                                       -           -\n");
	life_line(&text, &all_csv, &unknown_clock, &conn);
	assert_text(",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n");
}

/* What is known to be none is not called unknown, nor the other way round. */
static void test_zero_is_known(void **state)
{
	struct report_conn conn = unknown;

	set_tuple(&conn.tuple, "::", "::");
	conn.tuple.lport = 1;
	conn.tx_bytes = 0;
	conn.duration_ns = 0;
	conn.uid = 0;
	conn.closed = CLOSED_NONE;
	conn.closed_first = FIRST_NONE;
	life_line(&text, &csv, &unknown_clock, &conn);
	assert_text(",,6,::,1,::,0,0.00,,0.00,,none,none,\n");
}

static void test_port_not_chosen(void **state)
{
	struct report_conn conn = known_conn();

	conn.tuple.lport = 0;
	life_line(&text, &plain, &unknown_clock, &conn);
	assert_text("12345   curl             192.0.2.1       -     198.51.100.20   443   "
		    "1.50   0.00   1000.00  handshake    local  fin          time_wait\n");
}

static void test_hostile_comm(void **state)
{
	static const struct {
		const char *comm, *table, *csv;
	} cases[] = {
		{ "a b", "a b             ", "a b" },
		{ "a\nb", "a\\x0ab          ", "a\\x0ab" },
		{ "a,b", "a,b             ", "\"a,b\"" },
		{ "a\"b", "a\"b             ", "\"a\"\"b\"" },
		{ "\"\"", "\"\"              ", "\"\"\"\"\"\"" },
		{ " ", "                ", "\" \"" },
		{ "x\\", "x\\x5c           ", "x\\x5c" },
		{ "\x1b[2J", "\\x1b[2J         ", "\\x1b[2J" },
		{ "\r\n", "\\x0d\\x0a        ", "\\x0d\\x0a" },
		{ "\xff", "\\xff            ", "\\xff" },
		{ "caf\xc3\xa9", "caf\xc3\xa9            ", "caf\xc3\xa9" },
		{ "0123456789abcdef", "0123456789abcdef", "0123456789abcdef" },
		{ "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n", "\\x0a\\x0a\\x0a\\x0a",
		  "\\x0a\\x0a\\x0a\\x0a\\x0a\\x0a\\x0a\\x0a"
		  "\\x0a\\x0a\\x0a\\x0a\\x0a\\x0a\\x0a\\x0a" },
	};
	struct report_conn conn = known_conn();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].table);

		memset(conn.comm, 0, sizeof(conn.comm));
		memcpy(conn.comm, cases[i].comm, strlen(cases[i].comm));
		life_line(&text, &plain, &known_clock, &conn);
		assert_memory_equal(text.data, "12345   ", 8);
		assert_memory_equal(text.data + 8, cases[i].table, len);
		assert_memory_equal(text.data + 8 + len, " 192.0.2.1 ", 11);
		text_clear(&text);

		len = strlen(cases[i].csv);
		life_line(&text, &csv, &known_clock, &conn);
		assert_memory_equal(text.data + 6, cases[i].csv, len);
		assert_memory_equal(text.data + 6 + len, ",4,192.0.2.1,", 13);
		text_clear(&text);
	}
}

static void test_hostile_cgroup(void **state)
{
	static const char tail[] = ",\"/a \"\"b\"\", c\\x0a\"\n";
	struct report_conn conn = known_conn();

	conn.cgroup = "/a \"b\", c\n";
	life_line(&text, &all_csv, &known_clock, &conn);
	assert_true(text.len > strlen(tail));
	assert_memory_equal(text.data + text.len - strlen(tail), tail, strlen(tail));
}

static void test_rounding(void **state)
{
	static const struct {
		int64_t bytes, ns;
		const char *kb, *ms;
	} cases[] = {
		{ 1, 4999, "0.00", "0.00" },
		{ 5, 5000, "0.00", "0.01" },
		{ 6, 14999, "0.01", "0.01" },
		{ 1023, 994999, "1.00", "0.99" },
		{ 1024, 995000, "1.00", "1.00" },
		{ 1048576, -5000, "1024.00", "-0.01" },
		{ INT64_MAX, INT64_MAX, "9007199254740992.00", "9223372036854.78" },
		{ 0, INT64_MIN + 1, "0.00", "-9223372036854.78" },
	};
	struct report_conn conn = unknown;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct text expected = TEXT_INIT;

		conn.tx_bytes = cases[i].bytes;
		conn.duration_ns = cases[i].ns;
		text_str(&expected, ",,,,,,,");
		text_str(&expected, cases[i].kb);
		text_str(&expected, ",,");
		text_str(&expected, cases[i].ms);
		text_str(&expected, ",,,,\n");
		text_char(&expected, '\0');
		life_line(&text, &csv, &unknown_clock, &conn);
		assert_text(expected.data);
		text_free(&expected);
	}
}

/* Extremes must neither overflow nor break the count of columns. */
static void test_extremes(void **state)
{
	static const int64_t extremes[] = { INT64_MIN, INT64_MIN + 1, -2, INT64_MAX };
	struct report_conn conn = known_conn();

	for (size_t i = 0; i < ARRAY_SIZE(extremes); i++) {
		int64_t value = extremes[i];
		size_t commas = 0;

		conn.start_ns = conn.end_ns = conn.duration_ns = conn.handshake_ns = value;
		conn.half_close_ns = conn.time_wait_ns = value;
		conn.tx_bytes = conn.rx_bytes = conn.retrans = conn.srtt_us = value;
		conn.pid = UINT32_MAX;
		conn.incomplete = ~0u;
		life_line(&text, &all_csv, &known_clock, &conn);
		for (size_t j = 0; j < text.len; j++)
			commas += text.data[j] == ',';
		assert_int_equal(commas, 34);
		assert_int_equal(text.data[text.len - 1], '\n');
		text_clear(&text);
	}
}

static void test_all_states(void **state)
{
	struct report_conn conn = unknown;

	conn.states_len = REPORT_STATES_MAX;
	for (unsigned int i = 0; i < REPORT_STATES_MAX; i++)
		conn.states[i] = (struct report_state){ i % 2 ? 255 : ST_LISTEN, 0 };
	life_line(&text, &all_csv, &unknown_clock, &conn);
	assert_text(",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,LISTEN>UNKNOWN>LISTEN>UNKNOWN>LISTEN>UNKNOWN>"
		    "LISTEN>UNKNOWN>LISTEN>UNKNOWN>LISTEN>UNKNOWN,,\n");
}

static void test_no_memory(void **state)
{
	struct report_conn conn = known_conn();

	conn.comm[0] = '"';
	assert_false(text_grow(&text, SIZE_MAX));
	life_header(&text, &extended);
	life_line(&text, &extended, &known_clock, &conn);
	life_line(&text, &all_csv, &known_clock, &conn);
	assert_true(text.failed);
	assert_int_equal(text.len, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_plain),	 TEST(test_times),	     TEST(test_wide_ipv6),
		TEST(test_extended),	 TEST(test_reason),	     TEST(test_csv),
		TEST(test_all_unknown),	 TEST(test_port_not_chosen), TEST(test_zero_is_known),
		TEST(test_hostile_comm), TEST(test_hostile_cgroup),  TEST(test_rounding),
		TEST(test_extremes),	 TEST(test_all_states),	     TEST(test_no_memory),
		TEST(test_words),
	};

	/* Not a whole number of hours from UTC, so that a mix-up shows. */
	setenv("TZ", "NPT-5:45", 1);
	tzset();
	return cmocka_run_group_tests_name("life", tests, NULL, free_text);
}
