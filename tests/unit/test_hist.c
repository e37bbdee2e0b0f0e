// SPDX-License-Identifier: GPL-2.0-only
/* The view of histograms: what counts where, units, rows and bars, unknown values. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "viewed.h"
#include "views/hist.h"

#define US INT64_C(1000)
#define MS (1000 * US)
#define SEC (1000 * MS)

static const struct hist_style plain = { .width = 80 };
static const struct hist_style blocks = { .width = 80, .blocks = true };
static struct hist *hist;

static int setup(void **state)
{
	text_clear(&text);
	hist_clear(hist);
	return 0;
}

static const struct report_conn unknown = {
	.start_ns = UNKNOWN_NS,
	.end_ns = UNKNOWN_NS,
	.duration_ns = UNKNOWN_NS,
	.handshake_ns = UNKNOWN_NS,
	.half_close_ns = UNKNOWN_NS,
	.time_wait_ns = UNKNOWN_NS,
	.tx_bytes = UNKNOWN_COUNT,
	.rx_bytes = UNKNOWN_COUNT,
	.srtt_us = UNKNOWN_COUNT,
	.min_rtt_us = UNKNOWN_COUNT,
};

static struct report_conn client(int64_t handshake_ns, int64_t duration_ns)
{
	struct report_conn conn = unknown;

	conn.role = ROLE_CLIENT;
	conn.opened = OPENED_HANDSHAKE;
	conn.handshake_ns = handshake_ns;
	conn.duration_ns = duration_ns;
	conn.srtt_us = 40;
	conn.tx_bytes = 0;
	conn.rx_bytes = 1500;
	return conn;
}

static void print(const struct hist_style *style)
{
	hist_print(&text, &known_clock, style, hist, 2500000000, 5 * SEC);
	text_char(&text, '\0');
	assert_false(text.failed);
}

static void assert_has(const char *what)
{
	print(&plain);
	if (!strstr(text.data, what))
		fail_msg("'%s' is not in:\n%s", what, text.data);
	text_clear(&text);
}

static void assert_lacks(const char *what)
{
	print(&plain);
	if (strstr(text.data, what))
		fail_msg("'%s' is in:\n%s", what, text.data);
	text_clear(&text);
}

static void test_nothing(void **state)
{
	print(&plain);
	text.len--;
	assert_text("17:58:22, in 5 s: 0 connections\n\n");
	hist_print(&text, &unknown_clock, &plain, hist, 2500000000, 1500 * MS);
	assert_text("-, in 1.50 s: 0 connections\n\n");
}

static void add_some(void)
{
	struct report_conn conn = client(30 * US, 2 * SEC);

	for (int i = 0; i < 8; i++)
		hist_add(hist, &conn);
	conn = client(1200 * US, 90 * SEC);
	conn.states[0] = (struct report_state){ ST_SYN_SENT, 1200 * US };
	conn.states[1] = (struct report_state){ ST_TIME_WAIT, 60 * SEC };
	conn.states_len = 2;
	hist_add(hist, &conn);
	conn = client(UNKNOWN_NS, UNKNOWN_NS);
	conn.incomplete = INCOMPLETE_PREEXISTING;
	conn.srtt_us = UNKNOWN_COUNT;
	hist_add(hist, &conn);
}

static void test_whole(void **state)
{
	add_some();
	print(&plain);
	text.len--;
	assert_text("17:58:22, in 5 s: 10 connections, 1 incomplete\n"
		    "\n"
		    "handshake as client: count 9, 1 without\n"
		    "  p50 30 us  p90 1.20 ms  p99 1.20 ms  max 1.20 ms\n"
		    "  20 us - 50 us   8 |"
		    "###########################################################\n"
		    "  ...\n"
		    "  1 ms - 2 ms     1 |#######\n"
		    "\n"
		    "handshake as server: count 0\n"
		    "\n"
		    "duration as client: count 9, 1 without\n"
		    "  p50 2 s  p90 1.50 min  p99 1.50 min  max 1.50 min\n"
		    "  2 s - 5 s       8 |"
		    "###########################################################\n"
		    "  ...\n"
		    "  1 min - 2 min   1 |#######\n"
		    "\n"
		    "duration as server: count 0\n"
		    "\n"
		    "time in SYN_SENT: count 1\n"
		    "  p50 1.20 ms  p90 1.20 ms  p99 1.20 ms  max 1.20 ms\n"
		    "  1 ms - 2 ms     1 |"
		    "###########################################################\n"
		    "\n"
		    "time in TIME_WAIT: count 1\n"
		    "  p50 1 min  p90 1 min  p99 1 min  max 1 min\n"
		    "  1 min - 2 min   1 |"
		    "###########################################################\n"
		    "\n"
		    "smoothed round-trip time: count 9, 1 without\n"
		    "  p50 40 us  p90 40 us  p99 40 us  max 40 us\n"
		    "  20 us - 50 us   9 |"
		    "###########################################################\n"
		    "\n"
		    "bytes sent: count 10\n"
		    "  p50 0 B  p90 0 B  p99 0 B  max 0 B\n"
		    "  0 B             10 |"
		    "##########################################################\n"
		    "\n"
		    "bytes received: count 10\n"
		    "  p50 1.46 KB  p90 1.46 KB  p99 1.46 KB  max 1.46 KB\n"
		    "  1 KB - 2 KB     10 |"
		    "##########################################################\n"
		    "\n");
}

/* What was printed and cleared does not count again. */
static void test_clear(void **state)
{
	add_some();
	hist_clear(hist);
	test_nothing(state);
}

static void test_blocks(void **state)
{
	add_some();
	print(&blocks);
	/* 59 columns in full; an eighth of that and three eighths of one */
	assert_non_null(strstr(text.data, "1 ms - 2 ms     1 |\u2588\u2588\u2588\u2588\u2588\u2588"
					  "\u2588\u258d\n"));
	assert_null(strchr(text.data, '#'));
	text_clear(&text);
	print(&plain);
	for (size_t i = 0; i < text.len; i++)
		assert_true((unsigned char)text.data[i] < 0x80);
}

static size_t longest_line(void)
{
	size_t longest = 0, len = 0;

	for (const char *c = text.data; *c; c++) {
		len = *c == '\n' ? 0 : len + 1;
		longest = len > longest ? len : longest;
	}
	return longest;
}

static void test_width(void **state)
{
	static const unsigned int widths[] = { 0, 10, 60, 61, 80, 132, 500 };

	add_some();
	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		struct hist_style style = { .width = widths[i] };

		print(&style);
		assert_int_equal(longest_line(), widths[i] < 60 ? 60 : widths[i]);
		text_clear(&text);
	}
}

static void test_roles(void **state)
{
	struct report_conn conn = client(30 * US, SEC);

	conn.role = ROLE_SERVER;
	hist_add(hist, &conn);
	assert_has("\nhandshake as client: count 0\n");
	assert_has("\nhandshake as server: count 1\n");
	assert_has("\nduration as server: count 1\n");
	assert_lacks("role");
	conn.role = ROLE_BOTH;
	hist_add(hist, &conn);
	conn.role = ROLE_UNKNOWN;
	conn.handshake_ns = UNKNOWN_NS;
	hist_add(hist, &conn);
	assert_has("\nhandshake, both or unknown role: count 1, 1 without\n");
	assert_has("\nduration, both or unknown role: count 2\n");
	assert_has("\nhandshake as server: count 1\n");
}

/* An attempt that failed has no handshake, and no bytes to tell of; its states it has. */
static void test_failed_attempts(void **state)
{
	static const enum conn_opened words[] = { OPENED_REFUSED, OPENED_TIMED_OUT,
						  OPENED_UNREACHABLE, OPENED_RESET,
						  OPENED_ABORTED };
	struct report_conn conn = client(UNKNOWN_NS, SEC);

	conn.states[0] = (struct report_state){ ST_SYN_SENT, SEC };
	conn.states_len = 1;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		conn.opened = words[i];
		hist_add(hist, &conn);
	}
	assert_has(": 0 connections, 5 failed attempts\n");
	assert_has("\ntime in SYN_SENT: count 5\n");
	assert_lacks("duration");
	assert_lacks("bytes");
	assert_lacks("without");
	conn.opened = OPENED_UNKNOWN;
	hist_add(hist, &conn);
	assert_has(": 1 connection, 5 failed attempts\n");
	assert_has("\nduration as client: count 1\n");
}

/* Let go of while its FIN_WAIT2 went on: that time and the duration are not known. */
static void test_fin_wait2_goes_on(void **state)
{
	struct report_conn conn = client(30 * US, SEC);

	conn.states[0] = (struct report_state){ ST_FIN_WAIT1, MS };
	conn.states[1] = (struct report_state){ ST_FIN_WAIT2, 2 * MS };
	conn.states_len = 2;
	conn.remains = REMAINS_FIN_WAIT2;
	hist_add(hist, &conn);
	assert_has("\nduration as client: count 0, 1 without\n");
	assert_has("\ntime in FIN_WAIT1: count 1\n");
	assert_has("\ntime in FIN_WAIT2: count 0, 1 without\n");
	conn.remains_end = REMAINS_END_EXPIRED;
	hist_add(hist, &conn);
	conn.remains_end = REMAINS_END_UNKNOWN;
	conn.states[2] = (struct report_state){ ST_TIME_WAIT, UNKNOWN_NS };
	conn.states_len = 3;
	hist_add(hist, &conn);
	assert_has("\nduration as client: count 2, 1 without\n");
	assert_has("\ntime in FIN_WAIT2: count 2, 1 without\n");
	assert_has("\ntime in TIME_WAIT: count 0, 1 without\n");
}

static void test_all_unknown(void **state)
{
	struct report_conn conn = unknown;

	conn.states[0] = (struct report_state){ ST_ESTABLISHED, UNKNOWN_NS };
	conn.states[1] = (struct report_state){ 255, SEC };
	conn.states_len = 2;
	hist_add(hist, &conn);
	assert_has("\nhandshake, both or unknown role: count 0, 1 without\n");
	assert_has("\ntime in ESTABLISHED: count 0, 1 without\n");
	assert_has("\nsmoothed round-trip time: count 0, 1 without\n");
	assert_has("\nbytes sent: count 0, 1 without\n");
	assert_has("\nbytes received: count 0, 1 without\n");
	assert_lacks("p50");
	assert_lacks("UNKNOWN");
}

static void test_units_of_time(void **state)
{
	static const struct {
		int64_t ns;
		const char *value, *row;
	} cases[] = {
		{ 0, "0 ns", "under 1 us" },
		{ 999, "999 ns", "under 1 us" },
		{ 1000, "1 us", "1 us - 2 us" },
		{ 1999, "2.00 us", "1 us - 2 us" },
		{ 12345, "12.3 us", "10 us - 20 us" },
		{ 99949, "99.9 us", "50 us - 100 us" },
		{ 99950, "100 us", "50 us - 100 us" },
		{ 999499, "999 us", "500 us - 1 ms" },
		{ 999500, "1.00 ms", "500 us - 1 ms" },
		{ 1000000, "1 ms", "1 ms - 2 ms" },
		{ 1234567890, "1.23 s", "1 s - 2 s" },
		{ 59949999999, "59.9 s", "30 s - 1 min" },
		{ 59950000000, "1.00 min", "30 s - 1 min" },
		{ 60 * SEC, "1 min", "1 min - 2 min" },
		{ 3599 * SEC, "1.00 h", "30 min - 1 h" },
		{ 5400 * SEC, "1.50 h", "1 h - 2 h" },
		{ 100000 * SEC, "1.16 d", "1 d - 2 d" },
		{ 8640000 * SEC, "100 d", "100 d and more" },
		{ INT64_MAX, "106752 d", "100 d and more" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct report_conn conn = client(cases[i].ns, UNKNOWN_NS);
		char expected[64];

		hist_add(hist, &conn);
		snprintf(expected, sizeof(expected), "  max %s\n  %-16s1 |#", cases[i].value,
			 cases[i].row);
		assert_has(expected);
		hist_clear(hist);
	}
}

static void test_units_of_bytes(void **state)
{
	static const struct {
		int64_t bytes;
		const char *value, *row;
	} cases[] = {
		{ 0, "0 B", "0 B" },
		{ 1, "1 B", "1 B" },
		{ 3, "3 B", "2 B - 4 B" },
		{ 1023, "1023 B", "512 B - 1 KB" },
		{ 1024, "1 KB", "1 KB - 2 KB" },
		{ 1048575, "1.00 MB", "512 KB - 1 MB" },
		{ 1047552, "1023 KB", "512 KB - 1 MB" },
		{ 5000000, "4.77 MB", "4 MB - 8 MB" },
		{ INT64_C(3) << 40, "3 TB", "2 TB - 4 TB" },
		{ INT64_MAX, "8192 PB", "4096 PB and more" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct report_conn conn = client(UNKNOWN_NS, UNKNOWN_NS);
		char expected[64];

		conn.tx_bytes = cases[i].bytes;
		hist_add(hist, &conn);
		snprintf(expected, sizeof(expected), "  max %s\n  %-16s1 |#", cases[i].value,
			 cases[i].row);
		assert_has(expected);
		hist_clear(hist);
	}
}

/* A microsecond that no int64_t of nanoseconds holds stays the longest of all. */
static void test_extremes(void **state)
{
	struct report_conn conn = client(INT64_MIN + 1, -2);

	conn.srtt_us = INT64_MAX;
	conn.tx_bytes = INT64_MIN;
	conn.states_len = REPORT_STATES_MAX;
	for (unsigned int i = 0; i < REPORT_STATES_MAX; i++)
		conn.states[i] = (struct report_state){ ST_CLOSING, INT64_MAX };
	hist_add(hist, &conn);
	assert_has("\nhandshake as client: count 0, 1 without\n");
	assert_has("\nduration as client: count 0, 1 without\n");
	assert_has("\nbytes sent: count 0, 1 without\n");
	assert_has("\ntime in CLOSING: count 12\n");
	assert_has("\nsmoothed round-trip time: count 1\n  p50 106752 d");
}

/* One in a million still has a mark. */
static void test_rare_is_seen(void **state)
{
	struct report_conn conn = client(30 * US, SEC);

	for (int i = 0; i < 100000; i++)
		hist_add(hist, &conn);
	conn.handshake_ns = 60 * US;
	hist_add(hist, &conn);
	assert_has("\n  20 us - 50 us   100000 |####");
	assert_has("\n  50 us - 100 us       1 |#\n");
}

static void test_no_memory(void **state)
{
	add_some();
	assert_false(text_grow(&text, SIZE_MAX));
	hist_print(&text, &known_clock, &plain, hist, 0, 0);
	assert_true(text.failed);
	assert_int_equal(text.len, 0);
}

static int make(void **state)
{
	hist = hist_new();
	return hist ? 0 : -1;
}

static int forget(void **state)
{
	hist_free(hist);
	return free_text(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_nothing),	    TEST(test_whole),
		TEST(test_clear),	    TEST(test_blocks),
		TEST(test_width),	    TEST(test_roles),
		TEST(test_failed_attempts), TEST(test_fin_wait2_goes_on),
		TEST(test_all_unknown),	    TEST(test_units_of_time),
		TEST(test_units_of_bytes),  TEST(test_extremes),
		TEST(test_rare_is_seen),    TEST(test_no_memory),
	};

	/* Not a whole number of hours from UTC, so that a mix-up shows. */
	setenv("TZ", "NPT-5:45", 1);
	tzset();
	return cmocka_run_group_tests_name("hist", tests, make, forget);
}
