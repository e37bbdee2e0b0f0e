// SPDX-License-Identifier: GPL-2.0-only
/* Lines of states: tcpstates' columns, unknown values, hostile names, CSV. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "views/states.h"
#include "viewed.h"

static const struct view_columns plain;
static const struct view_columns wide = { .wide = true };
static const struct view_columns csv = { .csv = true };
static const struct view_columns times = { .time = true, .seconds = true };

static struct ev_tuple tuple;

static int setup(void **state)
{
	text_clear(&text);
	memset(&tuple, 0, sizeof(tuple));
	tuple.family = 4;
	tuple.lport = 45678;
	tuple.rport = 443;
	if (inet_pton(AF_INET6, "::ffff:192.0.2.1", tuple.laddr) != 1 ||
	    inet_pton(AF_INET6, "::ffff:198.51.100.20", tuple.raddr) != 1)
		return -1;
	return 0;
}

static struct report_step known_step(void)
{
	return (struct report_step){
		.sock = 0xffff888012345678,
		.tuple = &tuple,
		.pid = 12345,
		.comm = "curl",
		.old_state = ST_ESTABLISHED,
		.new_state = ST_FIN_WAIT1,
		.ts_ns = 2500000000,
		.in_old_ns = 1234567,
	};
}

static void test_plain(void **state)
{
	struct report_step step = known_step();

	states_header(&text, &plain);
	states_line(&text, &plain, &known_clock, &step);
	assert_text("SKADDR           C-PID   C-COMM     LADDR           LPORT RADDR           "
		    "RPORT OLDSTATE    -> NEWSTATE    MS\n"
		    "ffff888012345678 12345   curl       192.0.2.1       45678 198.51.100.20   "
		    "443   ESTABLISHED -> FIN_WAIT1   1.235\n");
}

static void test_times(void **state)
{
	struct report_step step = known_step();

	states_header(&text, &times);
	assert_memory_equal(text.data, "TIME     TIME(s)   SKADDR  ", 27);
	text_clear(&text);
	states_line(&text, &times, &known_clock, &step);
	assert_memory_equal(text.data, "17:58:22 1.500000  ffff888012345678 ", 36);
	text_clear(&text);
	states_line(&text, &times, &unknown_clock, &step);
	assert_memory_equal(text.data, "-        -         ffff888012345678 ", 36);
}

static void test_wide(void **state)
{
	struct report_step step = known_step();

	states_header(&text, &wide);
	states_line(&text, &wide, &known_clock, &step);
	assert_text(
		"SKADDR           C-PID   C-COMM           IP "
		"LADDR                                   LPORT "
		"RADDR                                   RPORT OLDSTATE    -> NEWSTATE    MS\n"
		"ffff888012345678 12345   curl             4  "
		"192.0.2.1                               45678 "
		"198.51.100.20                           443   ESTABLISHED -> FIN_WAIT1   1.235\n");
}

static void test_csv(void **state)
{
	struct report_step step = known_step();

	states_header(&text, &csv);
	states_line(&text, &csv, &known_clock, &step);
	assert_text("SKADDR,C-PID,C-COMM,IP,LADDR,LPORT,RADDR,RPORT,OLDSTATE,NEWSTATE,MS\n"
		    "ffff888012345678,12345,curl,4,192.0.2.1,45678,198.51.100.20,443,"
		    "ESTABLISHED,FIN_WAIT1,1.235\n");
}

static void test_unknown(void **state)
{
	struct report_step step = { .tuple = &tuple, .ts_ns = UNKNOWN_NS, .in_old_ns = UNKNOWN_NS };

	memset(&tuple, 0, sizeof(tuple));
	states_line(&text, &plain, &unknown_clock, &step);
	assert_text("0                -       -          -               -     -               "
		    "-     UNKNOWN     -> UNKNOWN     -\n");
	states_line(&text, &csv, &unknown_clock, &step);
	assert_text("0,,,,,,,,UNKNOWN,UNKNOWN,\n");
}

static void test_port_not_chosen(void **state)
{
	struct report_step step = known_step();

	tuple.lport = 0;
	states_line(&text, &csv, &known_clock, &step);
	assert_text("ffff888012345678,12345,curl,4,192.0.2.1,0,198.51.100.20,443,"
		    "ESTABLISHED,FIN_WAIT1,1.235\n");
}

static void test_hostile_comm(void **state)
{
	static const struct {
		const char *comm, *table, *csv;
	} cases[] = {
		{ "0123456789abcdef", "0123456789", "0123456789abcdef" },
		{ "01234567\n", "01234567  ", "01234567\\x0a" },
		{ "a\n1,2", "a\\x0a1,2  ", "\"a\\x0a1,2\"" },
		{ "\xe2\x82\xac\xe2\x82", "\xe2\x82\xac\\xe2\\x82 ", "\xe2\x82\xac\\xe2\\x82" },
	};
	struct report_step step = known_step();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].table);

		memset(step.comm, 0, sizeof(step.comm));
		memcpy(step.comm, cases[i].comm, strlen(cases[i].comm));
		states_line(&text, &plain, &known_clock, &step);
		assert_memory_equal(text.data + 25, cases[i].table, len);
		assert_memory_equal(text.data + 25 + len, " 192.0.2.1 ", 11);
		text_clear(&text);

		len = strlen(cases[i].csv);
		states_line(&text, &csv, &known_clock, &step);
		assert_memory_equal(text.data + 23, cases[i].csv, len);
		assert_memory_equal(text.data + 23 + len, ",4,", 3);
		text_clear(&text);
	}
}

static void test_extremes(void **state)
{
	static const struct {
		int64_t ns;
		const char *ms;
	} cases[] = {
		{ INT64_MAX, "9223372036854.776" },
		{ INT64_MIN + 1, "-9223372036854.776" },
		{ 0, "0.000" },
		{ 499, "0.000" },
		{ 500, "0.001" },
		{ -500, "-0.001" },
	};
	struct report_step step = known_step();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *cell;

		step.ts_ns = step.in_old_ns = cases[i].ns;
		states_line(&text, &times, &known_clock, &step);
		text_char(&text, '\0');
		assert_false(text.failed);
		cell = strrchr(text.data, ' ');
		assert_non_null(cell);
		assert_memory_equal(cell + 1, cases[i].ms, strlen(cases[i].ms));
		assert_string_equal(cell + 1 + strlen(cases[i].ms), "\n");
		text_clear(&text);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_plain),	 TEST(test_times),    TEST(test_wide),
		TEST(test_csv),		 TEST(test_unknown),  TEST(test_port_not_chosen),
		TEST(test_hostile_comm), TEST(test_extremes),
	};

	/* Not a whole number of hours from UTC, so that a mix-up shows. */
	setenv("TZ", "NPT-5:45", 1);
	tzset();
	return cmocka_run_group_tests_name("states", tests, NULL, free_text);
}
