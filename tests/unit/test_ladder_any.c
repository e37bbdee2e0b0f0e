// SPDX-License-Identifier: GPL-2.0-only
/* Diagrams of anything: details, every width, items that make no sense, no memory. */
#include "ladders.h"

/* ---- details ---- */

static void test_flags_and_payload(void **state)
{
	in(&one, 0, FIN | SYN | RST | PSH | ACK | URG, 7, 1)->seen = true;
	in(&one, 0, PSH | ACK, 8, 1)->payload = 1448;
	in(&one, 0, 0, 9, 1);
	ladder_conn(&text, &unknown_clock, &usual, &one.conn);
	text_char(&text, '\0');
	assert_non_null(strstr(text.data, "|<===== SYN+FIN+RST+PSH+URG+ACK seq 7 ack 1 ==="));
	assert_non_null(strstr(text.data, "|<- - - PSH+ACK seq 8 ack 1 len 1448  - -"));
	assert_non_null(strstr(text.data, "|<- - - no flags seq 9  - -"));
	text_clear(&text);
}

static void test_data(void **state)
{
	data(&one, 1, 1, 0, 5);
	out(&one, 0, ACK, 1, 1);
	data(&one, UNKNOWN_COUNT, UNKNOWN_COUNT, 1234567, 1000);
	ladder_conn(&text, &unknown_clock, &usual, &one.conn);
	text_char(&text, '\0');
	assert_non_null(strstr(text.data, "|~~~~~~ 1 byte in 1 segment ~~~"));
	assert_non_null(strstr(text.data, " ? bytes -> / <- 1,234,567 bytes in 1,000 ~"));
	text_clear(&text);
}

static void test_no_story(void **state)
{
	static const char expected[] = "10.77.0.1:40001 (pid 12245 curl) -> 10.77.0.2:443\n"
				       "opened: handshake; closed: fin\n"
				       "nothing of its segments is known\n"
				       "\n";

	assert_drawn(&one, &usual, expected);
	one.conn.story = NULL;
	assert_drawn(&one, &usual, expected);
	pair();
	other.conn.story = NULL;
	ladder_conn(&text, &unknown_clock, &usual, &one.conn);
	text_char(&text, '\0');
	assert_non_null(strstr(text.data, "\nnothing of its segments is known\n\n"));
	text_clear(&text);
}

static void test_nothing_known(void **state)
{
	one.conn = unknown_conn();
	assert_drawn(&one, &usual, "- (-) -- -\nnothing of its segments is known\n\n");
}

static void test_clock_and_ipv6(void **state)
{
	one.conn.start_ns = START_NS;
	one.conn.tuple.family = 6;
	inet_pton(AF_INET6, "2001:db8::1", one.conn.tuple.laddr);
	ladder_conn(&text, &known_clock, &usual, &one.conn);
	text_char(&text, '\0');
	assert_memory_equal(text.data, "17:58:21 [2001:db8::1]:40001 (pid", 33);
	text_clear(&text);
}

static void test_hostile_comm(void **state)
{
	static const struct {
		const char *comm, *shown;
	} cases[] = {
		{ "a\"b'c", "(pid 12245 a\"b'c)" },
		{ "a\nb", "(pid 12245 a\\x0ab)" },
		{ "\x1b[2J\x1b]0;x\a", "(pid 12245 \\x1b[2J\\x1b]0;x\\x07)" },
		{ "\\x0a", "(pid 12245 \\x5cx0a)" },
		{ "\r \t", "(pid 12245 \\x0d \\x09)" },
		{ "\xff\xc2\x9b", "(pid 12245 \\xff\\xc2\\x9b)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		setup(NULL);
		strcpy(one.conn.comm, cases[i].comm);
		ladder_conn(&text, &unknown_clock, &usual, &one.conn);
		text_char(&text, '\0');
		assert_non_null(strstr(text.data, cases[i].shown));
		assert_int_equal(count("\n"), 4);
	}
}

/* ---- every width ---- */

static void live_simultaneous_one(void)
{
	live_simultaneous(&one, 0);
}

static void live_resets(void)
{
	live_reset_sent();
	live_reset_sent_back();
	pair();
}

static void (*const lives[])(void) = {
	live_four_way, live_half_close, live_reset_received,   live_reset_sent,
	live_refused,  live_lost_syn,	live_crowded,	       live_preexisting,
	live_pair,     live_resets,	live_simultaneous_one,
};

/* Takes the colours out of what was written; every line must end without them and blanks. */
static void strip(void)
{
	size_t to = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\x1b')
			while (text.data[i] != 'm')
				i++;
		else
			text.data[to++] = text.data[i];
	}
	text.len = to;
}

static void check_lines(unsigned int width)
{
	size_t column = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '\n') {
			assert_true(!i || text.data[i - 1] != ' ');
			column = 0;
			continue;
		}
		assert_in_range(c, ' ', '~');
		assert_in_range(++column, 1, width);
	}
	assert_memory_equal(text.data + text.len - 2, "\n\n", 2);
}

static void check_life(void (*live)(void), struct ladder_style style, unsigned int width)
{
	struct text plain = TEXT_INIT;

	setup(NULL);
	live();
	style.color = false;
	ladder_conn(&plain, &unknown_clock, &style, &one.conn);
	style.color = true;
	ladder_conn(&text, &unknown_clock, &style, &one.conn);
	strip();
	assert_int_equal(text.len, plain.len);
	assert_memory_equal(text.data, plain.data, plain.len);
	check_lines(width);
	text_free(&plain);
}

static void test_widths(void **state)
{
	static const struct {
		unsigned int given, used;
	} widths[] = { { 60, 60 }, { 61, 61 },	 { 79, 79 },   { 80, 80 },	{ 100, 100 },
		       { 1, 60 },  { 200, 200 }, { 0, 100 },   { 59, 60 },	{ 90, 90 },
		       { 70, 70 }, { 101, 101 }, { 110, 110 }, { 65536, 65536 } };

	for (size_t i = 0; i < ARRAY_SIZE(lives); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(widths); j++) {
			struct ladder_style style = { .width = widths[j].given };

			check_life(lives[i], style, widths[j].used);
			style.absolute = true;
			check_life(lives[i], style, widths[j].used);
		}
	}
}

/* Any items at all are drawn, within the width, whatever they say. */
static void test_any_items(void **state)
{
	const struct ladder_style style = { .width = 72 };
	uint64_t random = 1;

	for (unsigned int round = 0; round < 2000; round++) {
		setup(NULL);
		for (unsigned int i = 0; i < 24; i++) {
			struct life *life = round % 3 && i & 1 ? &other : &one;
			struct story_item *item;

			random = random * 6364136223846793005u + 1442695040888963407u;
			item = tell(life, (int64_t)(random >> 50) - 2000, random >> 32 & 3 ? 1 : 0);
			item->kind = (random >> 34) % 3;
			item->state = (random >> 36) % (ST_MAX + 1);
			item->way = random >> 40 & 1;
			item->tcp_flags = random >> 41 & (random >> 60 & 1 ? FIN | ACK : 0x3f);
			item->again = random >> 47 & 1;
			item->seen = random >> 48 & 1;
			item->has_seq = item->has_ack = random >> 49 & 1;
			item->seq = random >> 50 & 3;
			item->tx_bytes = random >> 52 & 3;
		}
		one.story.left_out = random >> 56 & 1;
		if (round % 3)
			pair();
		ladder_conn(&text, &unknown_clock, &style, &one.conn);
		check_lines(72);
	}
}

/* Times that have no difference. */
static void test_extreme_times(void **state)
{
	const struct ladder_style style = { .width = 60 };

	out(&one, 0, SYN, 0, UNKNOWN)->ts_ns = INT64_MIN + 1;
	in(&one, 0, SYN | ACK, 0, 1)->ts_ns = INT64_MAX;
	out(&one, 0, ACK, 1, 1)->ts_ns = -1;
	in(&one, 0, FIN | ACK, 1, 1)->ts_ns = 0;
	ladder_conn(&text, &unknown_clock, &style, &one.conn);
	check_lines(60);
	live_four_way_back();
	pair();
	ladder_conn(&text, &unknown_clock, &style, &one.conn);
	check_lines(60);
}

static void test_no_memory(void **state)
{
	live_pair();
	assert_false(text_grow(&text, SIZE_MAX));
	ladder_conn(&text, &unknown_clock, &usual, &one.conn);
	assert_true(text.failed);
	assert_int_equal(text.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_flags_and_payload),
		TEST(test_data),
		TEST(test_no_story),
		TEST(test_nothing_known),
		TEST(test_clock_and_ipv6),
		TEST(test_hostile_comm),
		TEST(test_widths),
		TEST(test_any_items),
		TEST(test_extreme_times),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests_name("ladder any", tests, far_from_utc, free_text);
}
