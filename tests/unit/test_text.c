// SPDX-License-Identifier: GPL-2.0-only
/* Growing text: formats at their extremes, hostile bytes, short memory. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "base/array.h"
#include "base/text.h"

#define assert_text(text, expected)                                                                \
	do {                                                                                       \
		text_char(text, '\0');                                                             \
		assert_false((text)->failed);                                                      \
		assert_string_equal((text)->data, expected);                                       \
		text_clear(text);                                                                  \
	} while (0)

static int setup(void **state)
{
	static struct text text;

	text_init(&text);
	*state = &text;
	return 0;
}

static int teardown(void **state)
{
	text_free(*state);
	return 0;
}

/* NULL is for a failure only, also where nothing shall be written yet. */
static void test_no_bytes(void **state)
{
	struct text empty = TEXT_INIT;

	assert_non_null(text_room(&empty, 0));
	text_mem(&empty, "", 0);
	assert_false(empty.failed);
	assert_int_equal(empty.len, 0);
	text_free(&empty);
}

static void test_integers(void **state)
{
	static const uint64_t values[] = {
		0,
		1,
		9,
		10,
		99,
		100,
		101,
		999,
		1000,
		12345,
		4294967295,
		4294967296,
		999999999999999999,
		1000000000000000000,
		INT64_MAX,
		1ULL << 63,
		UINT64_MAX,
	};
	struct text *text = *state;
	char expected[32];

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		snprintf(expected, sizeof(expected), "%llu", (unsigned long long)values[i]);
		text_u64(text, values[i]);
		assert_text(text, expected);
		snprintf(expected, sizeof(expected), "%lld", (long long)values[i]);
		text_i64(text, (int64_t)values[i]);
		assert_text(text, expected);
		snprintf(expected, sizeof(expected), "%llx", (unsigned long long)values[i]);
		text_hex(text, values[i]);
		assert_text(text, expected);
	}
}

static void test_fixed(void **state)
{
	static const struct {
		int64_t value;
		unsigned int decimals;
		const char *expected;
	} cases[] = {
		{ 0, 0, "0" },
		{ 0, 2, "0.00" },
		{ 5, 2, "0.05" },
		{ 12345, 2, "123.45" },
		{ 100, 2, "1.00" },
		{ -5, 2, "-0.05" },
		{ -12345, 3, "-12.345" },
		{ 7, 9, "0.000000007" },
		{ 1, 18, "0.000000000000000001" },
		{ 42, 0, "42" },
		{ INT64_MAX, 6, "9223372036854.775807" },
		{ INT64_MIN, 6, "-9223372036854.775808" },
		{ INT64_MIN, 18, "-9.223372036854775808" },
		{ 1, 19, "0.000000000000000001" },
	};
	struct text *text = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		text_fixed(text, cases[i].value, cases[i].decimals);
		assert_text(text, cases[i].expected);
	}
}

static void test_pad(void **state)
{
	struct text *text = *state;
	size_t from;

	text_str(text, "before ");
	from = text->len;
	text_str(text, "ab");
	text_pad(text, from, 4);
	text_char(text, '|');
	text_pad(text, text->len, 0);
	from = text->len;
	text_str(text, "longer");
	text_pad(text, from, 3);
	text_char(text, '|');
	text_pad(text, text->len, 2);
	assert_text(text, "before ab  |longer|  ");
}

static void test_addresses(void **state)
{
	static const struct {
		const char *given, *expected;
	} cases[] = {
		{ "::ffff:0.0.0.0", "0.0.0.0" },
		{ "::ffff:255.255.255.255", "255.255.255.255" },
		{ "::ffff:1.20.100.9", "1.20.100.9" },
		{ "::ffff:127.0.0.1", "127.0.0.1" },
		{ "::ffff:10.99.101.200", "10.99.101.200" },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "2001:db8:85a3:1:2:8a2e:370:7334", "2001:db8:85a3:1:2:8a2e:370:7334" },
		{ "fe80::1", "fe80::1" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "::fffe:1.2.3.4", "::fffe:102:304" },
	};
	struct text *text = *state;
	uint8_t addr[16];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(inet_pton(AF_INET6, cases[i].given, addr), 1);
		text_addr(text, addr);
		assert_text(text, cases[i].expected);
	}
}

static void test_every_byte_of_ipv4(void **state)
{
	struct text *text = *state;
	uint8_t addr[16] = { [10] = 0xff, [11] = 0xff };
	char expected[INET_ADDRSTRLEN];

	for (int i = 0; i < 256; i++) {
		memset(addr + 12, i, 4);
		inet_ntop(AF_INET, addr + 12, expected, sizeof(expected));
		text_addr(text, addr);
		assert_text(text, expected);
	}
}

static void expect_rfc3339(struct text *text, int64_t ns)
{
	int64_t sec = ns / 1000000000, rest = ns % 1000000000;
	char date[32], expected[64];
	struct tm tm;
	time_t time;

	if (rest < 0) {
		rest += 1000000000;
		sec--;
	}
	time = sec;
	gmtime_r(&time, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(expected, sizeof(expected), "%s.%09dZ", date, (int)rest);
	text_rfc3339(text, ns);
	assert_text(text, expected);
}

static void test_rfc3339(void **state)
{
	/* Among them the days around the end of February of 2000 and of 2100. */
	static const int64_t values[] = {
		0,
		1,
		-1,
		999999999,
		1000000000,
		-1000000000,
		INT64_MAX,
		INT64_MIN,
		951782399999999999,
		951782400000000000,
		951868800000000000,
		4107542400000000000,
		1785500000123456789,
	};
	struct text *text = *state;
	uint64_t random = 42;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		expect_rfc3339(text, values[i]);
	/* Every day of 40 years, which have leap days in them, then any time at all. */
	for (int64_t day = 0; day < 40 * 366; day++)
		expect_rfc3339(text, day * 86400 * 1000000000 + day);
	for (int i = 0; i < 20000; i++) {
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		expect_rfc3339(text, (int64_t)random);
	}
	text_rfc3339(text, 1785501296123456789);
	assert_text(text, "2026-07-31T12:34:56.123456789Z");
}

static void test_clock(void **state)
{
	struct text *text = *state;

	text_clock(text, 0);
	assert_text(text, "05:45:00");
	text_clock(text, 999999999);
	assert_text(text, "05:45:00");
	text_clock(text, 1000000000);
	assert_text(text, "05:45:01");
	text_clock(text, -1);
	assert_text(text, "05:44:59");
	text_clock(text, INT64_C(86399) * 1000000000);
	assert_text(text, "05:44:59");
}

static void test_visible(void **state)
{
	static const struct {
		const char *given, *expected;
		size_t max, columns;
	} cases[] = {
		{ "plain name", "plain name", 16, 10 },
		{ "", "", 16, 0 },
		{ "a\nb", "a\\x0ab", 16, 6 },
		{ "\x1b[2J", "\\x1b[2J", 16, 7 },
		{ "\x7f", "\\x7f", 16, 4 },
		{ "a\\x0a", "a\\x5cx0a", 16, 8 },
		{ "caf\xc3\xa9", "caf\xc3\xa9", 16, 4 },
		{ "\xc2\x9bm", "\\xc2\\x9bm", 16, 9 },
		{ "\xc2\xa0", "\xc2\xa0", 16, 1 },
		{ "cut\xe2\x82", "cut\\xe2\\x82", 16, 11 },
		{ "\xff\xfe", "\\xff\\xfe", 16, 8 },
		{ "abcdef", "abc", 3, 3 },
		{ "ab\n", "ab", 5, 2 },
		{ "ab\n", "ab\\x0a", 6, 6 },
		{ "\xf0\x9f\x90\xa7\xf0\x9f\x90\xa7", "\xf0\x9f\x90\xa7", 1, 1 },
		{ "abc", "", 0, 0 },
	};
	struct text *text = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t columns =
			text_visible(text, cases[i].given, strlen(cases[i].given), cases[i].max);

		assert_int_equal(columns, cases[i].columns);
		assert_text(text, cases[i].expected);
	}
}

static void test_utf8(void **state)
{
	static const struct {
		const char *given;
		size_t len;
	} cases[] = {
		{ "a", 1 },
		{ "\xc2\x80", 2 },
		{ "\xdf\xbf", 2 },
		{ "\xe0\xa0\x80", 3 },
		{ "\xed\x9f\xbf", 3 },
		{ "\xef\xbf\xbf", 3 },
		{ "\xf0\x90\x80\x80", 4 },
		{ "\xf4\x8f\xbf\xbf", 4 },
		/* continuation alone, overlong, surrogate, above U+10FFFF, cut off */
		{ "\x80", 0 },
		{ "\xbf", 0 },
		{ "\xc0\x80", 0 },
		{ "\xc1\xbf", 0 },
		{ "\xe0\x9f\xbf", 0 },
		{ "\xed\xa0\x80", 0 },
		{ "\xf0\x8f\xbf\xbf", 0 },
		{ "\xf4\x90\x80\x80", 0 },
		{ "\xf5\x80\x80\x80", 0 },
		{ "\xff", 0 },
		{ "\xc2", 0 },
		{ "\xe2\x82", 0 },
		{ "\xf0\x9f\x90", 0 },
		{ "\xc2z", 0 },
		{ "\xe2\x82z", 0 },
		{ "\xf0\x9f\x90z", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(text_utf8_len(cases[i].given, strlen(cases[i].given)),
				 cases[i].len);
	assert_int_equal(text_utf8_len("", 0), 0);
}

static void test_grows(void **state)
{
	struct text *text = *state;

	for (int i = 0; i < 100000; i++)
		text_mem(text, "0123456789", 10);
	assert_false(text->failed);
	assert_int_equal(text->len, 1000000);
	assert_memory_equal(text->data + 999990, "0123456789", 10);
}

static void test_no_memory(void **state)
{
	struct text *text = *state;
	size_t too_much = SIZE_MAX;

	text_str(text, "kept");
	text_mem(text, "", too_much);
	assert_true(text->failed);
	text_str(text, "dropped");
	text_char(text, 'x');
	text_u64(text, 1);
	text_fixed(text, 1, 2);
	text_pad(text, 0, 100);
	text_rfc3339(text, 0);
	text_addr(text, (const uint8_t[16]){ [10] = 0xff, [11] = 0xff });
	text_visible(text, "a\n", 2, 16);
	assert_true(text->failed);
	assert_int_equal(text->len, 4);
	assert_memory_equal(text->data, "kept", 4);

	text_clear(text);
	text_pad(text, 0, too_much / 2);
	assert_true(text->failed);
	text_clear(text);
	text_str(text, "again");
	assert_text(text, "again");
}

static void test_nothing(void **state)
{
	struct text text = TEXT_INIT;

	text_mem(&text, NULL, 0);
	text_str(&text, "");
	text_pad(&text, 0, 0);
	assert_false(text.failed);
	assert_int_equal(text.len, 0);
	text_free(&text);
	text_free(&text);
	assert_null(text.data);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_no_bytes), TEST(test_integers),  TEST(test_fixed),
		TEST(test_pad),	     TEST(test_addresses), TEST(test_every_byte_of_ipv4),
		TEST(test_rfc3339),  TEST(test_clock),	   TEST(test_visible),
		TEST(test_utf8),     TEST(test_grows),	   TEST(test_no_memory),
		TEST(test_nothing),
	};

	/* Not a whole number of hours from UTC, so that a mix-up shows. */
	setenv("TZ", "NPT-5:45", 1);
	tzset();
	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
