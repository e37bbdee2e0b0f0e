// SPDX-License-Identifier: GPL-2.0-only
/* Diagrams of two ends: what each tells becomes one, in the order of time. */
#include "ladders.h"

/* ---- both ends ---- */

static void test_pair(void **state)
{
	live_pair();
	assert_drawn(
		&one, &narrow,
		"10.77.0.1:40001 (pid 12245 curl) -> 10.77.0.2:443 (pid 812 nginx)\n"
		"client  opened: handshake 0.083 ms; closed: fin, local first, four_way;\n"
		"    half-close 0.015 ms; time_wait left\n"
		"server  opened: handshake 0.065 ms; closed: fin, remote first, four_way\n"
		"      ms      client |                                           | server\n"
		"   0.000    SYN_SENT | - - - SYN seq 0 - - - - - - - - - - - - ->| SYN_RECV\n"
		"   0.030 ESTABLISHED |<- - - SYN+ACK seq 0 ack 1 - - - - - - - - |\n"
		"   0.083             | - - - ACK seq 1 ack 1 - - - - - - - - - ->| ESTABLISHED\n"
		"                     |~~~~~~ 18 bytes -> / <- 5,000 bytes ~~~~~~~|\n"
		" 200.183   FIN_WAIT1 |------ FIN+ACK seq 19 ack 5001 ----------->| CLOSE_WAIT\n"
		" 200.279   FIN_WAIT2 |<- - - ACK seq 5001 ack 20 - - - - - - - - |\n"
		" 200.280   TIME_WAIT |<- - - FIN+ACK seq 5001 ack 20 - - - - - - | LAST_ACK\n"
		" 200.294             | - - - ACK seq 20 ack 5002 - - - - - - - ->| CLOSE\n"
		"\n");
}

/* Whichever is told, the client stands at the left. */
static void test_pair_turned(void **state)
{
	struct text first = TEXT_INIT;

	live_pair();
	ladder_conn(&first, &unknown_clock, &usual, &one.conn);
	text_char(&first, '\0');
	assert_drawn(&other, &usual, first.data);
	text_free(&first);
}

/* What was lost on the way arrived the second time. */
static void test_pair_lost_syn(void **state)
{
	live_lost_syn();
	live_lost_syn_back();
	pair();
	assert_drawn(
		&one, &narrow,
		"10.77.0.1:40001 (pid 12245 curl) -> 10.77.0.2:443 (pid 812 nginx)\n"
		"client  opened: handshake 1031.254 ms (syn_again); incomplete: lost_events\n"
		"server  opened: handshake; closed: fin\n"
		"      ms      client |                                           | server\n"
		"   0.000    SYN_SENT | - - - SYN seq 0 - - - - - - - - - - - - ->|\n"
		"1031.204             |------ SYN seq 0 again ------------------->| SYN_RECV\n"
		"1031.231 ESTABLISHED |<----- SYN+ACK seq 0 ack 1 ----------------|\n"
		"1031.254             | - - - ACK seq 1 ack 1 - - - - - - - - - ->| ESTABLISHED\n"
		"\n");
}

static void test_pair_reset(void **state)
{
	live_reset_sent();
	live_reset_sent_back();
	pair();
	assert_drawn(
		&one, &narrow,
		"10.77.0.1:40001 (pid 12245 curl) -> 10.77.0.2:443 (pid 812 nginx)\n"
		"client  opened: handshake 0.083 ms; closed: rst_sent, local first;\n"
		"    reason: unread_data, TCP_ABORT_ON_CLOSE\n"
		"server  opened: handshake 0.065 ms; closed: rst_received, remote first;\n"
		"    error: ECONNRESET\n"
		"      ms      client |                                           | server\n"
		"   0.000    SYN_SENT | - - - SYN seq 0 - - - - - - - - - - - - ->| SYN_RECV\n"
		"   0.030 ESTABLISHED |<- - - SYN+ACK seq 0 ack 1 - - - - - - - - |\n"
		"   0.083             | - - - ACK seq 1 ack 1 - - - - - - - - - ->| ESTABLISHED\n"
		"                     |<~~~~~ 10 bytes in 1 segment ~~~~~~~~~~~~~~|\n"
		"   0.131       CLOSE | = = = RST+ACK seq 1 ack 11  = = = = = = =>| CLOSE\n"
		"\n");
}

/* Segments that cross: a state whose segment is further above has a row of its own. */
static void test_pair_simultaneous(void **state)
{
	live_simultaneous(&one, 0);
	live_simultaneous(&other, 10);
	pair();
	assert_drawn(
		&one, &narrow,
		"10.77.0.1:40001 (pid 12245 curl) <-> 10.77.0.2:443 (pid 812 nginx)\n"
		"left  opened: simultaneous; closed: fin, both at once, simultaneous;\n"
		"    time_wait left\n"
		"right  opened: simultaneous; closed: fin, both at once, simultaneous;\n"
		"    time_wait left\n"
		"      ms        left |                                           | right\n"
		"   0.000    SYN_SENT | - - - SYN seq 0 - - - - - - - - - - - - ->|\n"
		"   0.010    SYN_RECV |<- - - SYN seq 0 - - - - - - - - - - - - - | SYN_SENT\n"
		"   0.050             | - - - SYN+ACK seq 0 ack 1 - - - - - - - ->|\n"
		"   0.060 ESTABLISHED |<- - - SYN+ACK seq 0 ack 1 - - - - - - - - | SYN_RECV\n"
		"   0.110             |                                           | ESTABLISHED\n"
		"   1.000   FIN_WAIT1 | - - - FIN+ACK seq 1 ack 1 - - - - - - - ->|\n"
		"   1.010     CLOSING |<- - - FIN+ACK seq 1 ack 1 - - - - - - - - | FIN_WAIT1\n"
		"   1.050             | - - - ACK seq 2 ack 2 - - - - - - - - - ->|\n"
		"   1.060   TIME_WAIT |<- - - ACK seq 2 ack 2 - - - - - - - - - - | CLOSING\n"
		"   1.110             |                                           | TIME_WAIT\n"
		"\n");
}

/* What the right end sent again goes to the left; a segment of a fold is not matched with it. */
static void test_pair_data_again(void **state)
{
	struct story_item *item;

	shake_hands(&one);
	item = in(&one, 400300, ACK | URG, 1, 1);
	item->seen = true;
	item->payload = 100;
	shake_hands_back(&other);
	data(&other, 300, 3, 0, 1);
	for (unsigned int i = 0; i < 2; i++) {
		item = out(&other, 200300 * (i + 1), ACK, 1, 1);
		item->again = true;
		item->payload = 100;
	}
	item = out(&other, 700300, ACK, 101, 1);
	item->again = true;
	item->payload = 100;
	item->tx_segs = 12;
	item->tx_bytes = 1200;
	pair();
	ladder_conn(&text, &unknown_clock, &narrow, &one.conn);
	text_char(&text, '\0');
	assert_non_null(strstr(text.data, "|<- - - ACK seq 1 ack 1 len 100 again"));
	assert_non_null(strstr(text.data, "|<----- URG+ACK seq 1 ack 1 len 100 again"));
	assert_non_null(strstr(text.data, "|<- - - 1,200 bytes again in 12 segments"));
	assert_int_equal(count(" again"), 3);
	text_clear(&text);
}

static void repeat_between_data(struct life *life, int64_t us)
{
	struct story_item *item;

	data(life, 13, 2, 4, 2);
	item = out(life, us, ACK, 4, 5);
	item->again = true;
	item->payload = 10;
	data(life, 0, 1, 20, 1);
	enter(life, us + 1000, ST_CLOSE);
}

static void want_order(const char *first, const char *second, const char *third)
{
	const char *at = strstr(text.data, first);

	assert_non_null(at);
	at = strstr(at, second);
	assert_non_null(at);
	assert_non_null(strstr(at, third));
}

/* Who sends again knows what came before and after it; the other end knows the sum only. */
static void test_pair_data_around_again(void **state)
{
	shake_hands(&one);
	shake_hands_back(&other);
	repeat_between_data(&one, 200000);
	data(&other, 24, 3, 13, 3);
	enter(&other, 201500, ST_CLOSE);
	pair();
	ladder_conn(&text, &unknown_clock, &usual, &one.conn);
	text_char(&text, '\0');
	want_order("13 bytes in 2 segments -> / <- 4 bytes in 2 ", "len 10 again",
		   "20 bytes in 1 segment");
	assert_null(strstr(text.data, "24 bytes"));
	text_clear(&text);
}

static void test_pair_data_around_again_from_right(void **state)
{
	shake_hands(&one);
	shake_hands_back(&other);
	data(&one, 24, 3, 13, 3);
	enter(&one, 201500, ST_CLOSE);
	repeat_between_data(&other, 200000);
	pair();
	ladder_conn(&text, &unknown_clock, &usual, &one.conn);
	text_char(&text, '\0');
	want_order("4 bytes in 2 segments -> / <- 13 bytes in 2 ",
		   "|<- - - ACK seq 4 ack 5 len 10 again ", "20 bytes in 1 segment");
	assert_null(strstr(text.data, "24 bytes"));
	text_clear(&text);
}

/* Only one of the two has a story: the other's states are not made up. */
static void test_pair_one_story(void **state)
{
	live_four_way_back();
	pair();
	one.conn.story = NULL;
	ladder_conn(&text, &unknown_clock, &usual, &other.conn);
	text_char(&text, '\0');
	assert_non_null(strstr(text.data, "| SYN_RECV\n"));
	assert_non_null(strstr(text.data, "| LAST_ACK\n"));
	assert_null(strstr(text.data, "SYN_SENT"));
	assert_null(strstr(text.data, "FIN_WAIT"));
	text_clear(&text);
}

/* What arrived twice but was sent once is two arrows, what was lost one. */
static void test_pair_unequal(void **state)
{
	out(&one, 0, FIN | ACK, 5, 1);
	in(&other, 20, FIN | ACK, 5, 1)->seen = true;
	in(&other, 40, FIN | ACK, 5, 1)->again = true;
	out(&one, 300000, FIN | ACK, 6, 1);
	pair();
	ladder_conn(&text, &unknown_clock, &usual, &one.conn);
	text_char(&text, '\0');
	assert_int_equal(count("FIN+ACK seq 5 ack 1"), 2);
	assert_int_equal(count("FIN+ACK seq 6 ack 1"), 1);
	text_clear(&text);
}

/* Stories that contradict each other are drawn too, each segment as often as it is told. */
static void test_pair_knot(void **state)
{
	in(&one, 0, RST, UNKNOWN, UNKNOWN);
	out(&one, NO_TIME, FIN | ACK, 5, 1);
	in(&other, 0, FIN | ACK, 5, 1);
	out(&other, NO_TIME, RST, UNKNOWN, UNKNOWN);
	pair();
	ladder_conn(&text, &unknown_clock, &usual, &one.conn);
	text_char(&text, '\0');
	assert_int_equal(count("FIN+ACK seq 5 ack 1"), 1);
	assert_int_equal(count("RST seq ?"), 2);
	text_clear(&text);
}

/* ---- the order ---- */

/* A segment that came long before has not led to the state. */
static void test_late_state(void **state)
{
	in(&other, 0, ACK, 1, 1)->seen = true;
	enter(&other, 2000, ST_ESTABLISHED);
	ladder_conn(&text, &unknown_clock, &usual, &other.conn);
	text_char(&text, '\0');
	assert_non_null(strstr(text.data, "   2.000    +2.000 ESTABLISHED |      "));
	text_clear(&text);
}

/* What was sent again is traced late, and a guessed time may be too early. */
static void test_never_backwards(void **state)
{
	out(&one, 100, FIN | ACK, 5, 1);
	in(&one, 300, ACK, 1, 6);
	out(&one, 250, FIN | ACK, 5, 1)->again = true;
	in(&one, 200, ACK, 1, 6);
	ladder_conn(&text, &unknown_clock, &narrow, &one.conn);
	text_char(&text, '\0');
	assert_non_null(strstr(
		text.data, "   0.000             | - - - FIN+ACK seq 5 ack 1 - - - - - - - ->|\n"
			   "   0.150             | - - - FIN+ACK seq 5 ack 1 again - - - - ->|\n"
			   "   0.200             |<- - - ACK seq 1 ack 6 - - - - - - - - - - |\n"
			   "                     |<- - - ACK seq 1 ack 6 - - - - - - - - - - |\n"));
	text_clear(&text);
}

/* A server's SYN+ACK is timed by the round trip, and so too late rather than too early. */
static void test_sent_before_received(void **state)
{
	out(&one, 0, SYN, 0, UNKNOWN);
	in(&one, 20, SYN | ACK, 0, 1)->seen = true;
	out(&one, 30, ACK, 1, 1);
	in(&other, 40, SYN, 0, UNKNOWN);
	out(&other, 40, SYN | ACK, 0, 1);
	in(&other, 50, ACK, 1, 1);
	pair();
	ladder_conn(&text, &unknown_clock, &narrow, &one.conn);
	text_char(&text, '\0');
	assert_non_null(strstr(
		text.data, "   0.000             | - - - SYN seq 0 - - - - - - - - - - - - ->|\n"
			   "   0.020             |<----- SYN+ACK seq 0 ack 1 ----------------|\n"
			   "   0.030             | - - - ACK seq 1 ack 1 - - - - - - - - - ->|\n"));
	text_clear(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pair),
		TEST(test_pair_turned),
		TEST(test_pair_lost_syn),
		TEST(test_pair_reset),
		TEST(test_pair_simultaneous),
		TEST(test_pair_data_around_again),
		TEST(test_pair_data_around_again_from_right),
		TEST(test_pair_data_again),
		TEST(test_pair_one_story),
		TEST(test_pair_unequal),
		TEST(test_pair_knot),
		TEST(test_late_state),
		TEST(test_never_backwards),
		TEST(test_sent_before_received),
	};

	return cmocka_run_group_tests_name("ladder pair", tests, far_from_utc, free_text);
}
