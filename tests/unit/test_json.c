// SPDX-License-Identifier: GPL-2.0-only
/* The JSON writer: commas, escapes, hostile strings, extremes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/array.h"
#include "base/json.h"

struct fixture {
	struct text text;
	struct json json;
};

static int setup(void **state)
{
	static struct fixture fixture;

	text_init(&fixture.text);
	json_init(&fixture.json, &fixture.text);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	text_free(&fixture->text);
	return 0;
}

static void assert_json(struct fixture *fixture, const char *expected)
{
	text_char(&fixture->text, '\0');
	assert_false(fixture->text.failed);
	assert_string_equal(fixture->text.data, expected);
	text_clear(&fixture->text);
	json_init(&fixture->json, &fixture->text);
}

static void test_nesting(void **state)
{
	struct fixture *fixture = *state;
	struct json *json = &fixture->json;

	json_open_object(json);
	json_key(json, "a");
	json_open_array(json);
	json_close_array(json);
	json_key(json, "b");
	json_open_array(json);
	json_u64(json, 1);
	json_open_object(json);
	json_close_object(json);
	json_open_array(json);
	json_null(json);
	json_bool(json, true);
	json_close_array(json);
	json_bool(json, false);
	json_close_array(json);
	json_key(json, "c");
	json_string(json, "d");
	json_close_object(json);
	assert_json(fixture, "{\"a\":[],\"b\":[1,{},[null,true],false],\"c\":\"d\"}");
}

static void test_strings(void **state)
{
	static const struct {
		const char *given, *expected;
	} cases[] = {
		{ NULL, "null" },
		{ "", "\"\"" },
		{ "plain", "\"plain\"" },
		{ "a\"b", "\"a\\\"b\"" },
		{ "a\\b", "\"a\\\\b\"" },
		{ "a/b", "\"a/b\"" },
		{ "\b\t\n\f\r", "\"\\b\\t\\n\\f\\r\"" },
		{ "\x01\x0b\x0e\x1b\x1f", "\"\\u0001\\u000b\\u000e\\u001b\\u001f\"" },
		{ "\x7f", "\"\\u007f\"" },
		{ "\xc2\x80 \xc2\x9b", "\"\\u0080 \\u009b\"" }, /* to a terminal, CSI */
		{ "\xc2\x9f\xc2\xa0", "\"\\u009f\xc2\xa0\"" },
		{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7",
		  "\"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\xa7\"" },
		{ "\xff", "\"\xef\xbf\xbd\"" },
		{ "a\xe2\x82", "\"a\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
		{ "\xed\xa0\x80z", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"" },
		{ "\xc3\"", "\"\xef\xbf\xbd\\\"\"" },
		{ "\",\"evil\":\"", "\"\\\",\\\"evil\\\":\\\"\"" },
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_string(&fixture->json, cases[i].given);
		assert_json(fixture, cases[i].expected);
	}
	json_bytes(&fixture->json, "a\0b", 3);
	assert_json(fixture, "\"a\\u0000b\"");
}

/* Whatever the byte: one line, and no bare quote or control byte inside. */
static void test_every_byte(void **state)
{
	struct fixture *fixture = *state;
	struct text *text = &fixture->text;

	for (int byte = 0; byte < 256; byte++) {
		char given = byte;

		json_bytes(&fixture->json, &given, 1);
		assert_true(text->len >= 3);
		assert_int_equal(text->data[0], '"');
		assert_int_equal(text->data[text->len - 1], '"');
		for (size_t i = 1; i < text->len - 1; i++) {
			assert_true((uint8_t)text->data[i] >= 0x20);
			if (text->data[i] == '"')
				assert_int_equal(text->data[i - 1], '\\');
		}
		if (byte >= 0x80)
			assert_memory_equal(text->data, "\"\xef\xbf\xbd\"", 5);
		text_clear(text);
		json_init(&fixture->json, text);
	}
}

static void test_numbers(void **state)
{
	struct fixture *fixture = *state;
	struct json *json = &fixture->json;

	json_open_array(json);
	json_i64(json, INT64_MIN);
	json_i64(json, -1);
	json_i64(json, 0);
	json_i64(json, INT64_MAX);
	json_u64(json, UINT64_MAX);
	json_hex(json, 0xffff888012345678);
	json_hex(json, 0);
	json_close_array(json);
	assert_json(fixture, "[-9223372036854775808,-1,0,9223372036854775807,"
			     "18446744073709551615,\"ffff888012345678\",\"0\"]");
}

static void test_formats(void **state)
{
	static const uint8_t ipv4[16] = {
		[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 1
	};
	static const uint8_t ipv6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	struct fixture *fixture = *state;
	struct json *json = &fixture->json;

	json_open_array(json);
	json_addr(json, ipv4);
	json_addr(json, ipv6);
	json_time(json, 1785501296000000001);
	json_close_array(json);
	assert_json(fixture, "[\"192.0.2.1\",\"2001:db8::1\",\"2026-07-31T12:34:56.000000001Z\"]");
}

static void test_no_memory(void **state)
{
	struct fixture *fixture = *state;
	struct json *json = &fixture->json;

	json_open_object(json);
	assert_false(text_grow(&fixture->text, SIZE_MAX));
	json_key(json, "key");
	json_string(json, "a\"\xff\n");
	json_u64(json, 1);
	json_time(json, 0);
	json_close_object(json);
	assert_true(fixture->text.failed);
	assert_int_equal(fixture->text.len, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_nesting), TEST(test_strings), TEST(test_every_byte),
		TEST(test_numbers), TEST(test_formats), TEST(test_no_memory),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
