// SPDX-License-Identifier: GPL-2.0-only
/* Diagrams: every way to open and close, as one end tells it, line by line. */
#include "ladders.h"

/* ---- goldens ---- */

static void test_four_way(void **state)
{
	live_four_way();
	assert_drawn(
		&one, &narrow,
		"10.77.0.1:40001 (pid 12245 curl) -> 10.77.0.2:443\n"
		"opened: handshake 0.083 ms; closed: fin, local first, four_way;\n"
		"    half-close 0.015 ms; time_wait left\n"
		"      ms      client |                                           | server\n"
		"   0.000    SYN_SENT | - - - SYN seq 0 - - - - - - - - - - - - ->| (SYN_RECV)\n"
		"   0.083 ESTABLISHED |<- - - SYN+ACK seq 0 ack 1 - - - - - - - - |\n"
		"   0.083             | - - - ACK seq 1 ack 1 - - - - - - - - - ->| (ESTABLISHED)\n"
		"                     |~~~~~~ 18 bytes -> / <- 5,000 bytes ~~~~~~~|\n"
		" 200.183   FIN_WAIT1 | - - - FIN+ACK seq 19 ack 5001 - - - - - ->| (CLOSE_WAIT)\n"
		" 200.279   FIN_WAIT2 |<- - - ACK seq 5001 ack 20 - - - - - - - - |\n"
		" 200.294   TIME_WAIT |<- - - FIN+ACK seq 5001 ack 20 - - - - - - | (LAST_ACK)\n"
		" 200.294             | - - - ACK seq 20 ack 5002 - - - - - - - ->| (CLOSE)\n"
		"\n");
}

/* With room for it, the time since the row before. */
static void test_four_way_wider(void **state)
{
	live_four_way();
	assert_drawn(
		&one, &usual,
		"10.77.0.1:40001 (pid 12245 curl) -> 10.77.0.2:443\n"
		"opened: handshake 0.083 ms; closed: fin, local first, four_way; half-close 0.015 ms; time_wait left\n"
		"      ms       +ms      client |                                                     | server\n"
		"   0.000              SYN_SENT | - - - SYN seq 0 - - - - - - - - - - - - - - - - - ->| (SYN_RECV)\n"
		"   0.083    +0.083 ESTABLISHED |<- - - SYN+ACK seq 0 ack 1 - - - - - - - - - - - - - |\n"
		"   0.083    +0.000             | - - - ACK seq 1 ack 1 - - - - - - - - - - - - - - ->| (ESTABLISHED)\n"
		"                               |~~ 18 bytes in 3 segments -> / <- 5,000 bytes in 5 ~~|\n"
		" 200.183  +200.100   FIN_WAIT1 | - - - FIN+ACK seq 19 ack 5001 - - - - - - - - - - ->| (CLOSE_WAIT)\n"
		" 200.279    +0.096   FIN_WAIT2 |<- - - ACK seq 5001 ack 20 - - - - - - - - - - - - - |\n"
		" 200.294    +0.015   TIME_WAIT |<- - - FIN+ACK seq 5001 ack 20 - - - - - - - - - - - | (LAST_ACK)\n"
		" 200.294    +0.000             | - - - ACK seq 20 ack 5002 - - - - - - - - - - - - ->| (CLOSE)\n"
		"\n");
}

/* Labels get shorter, never the flags. */
static void test_four_way_narrowest(void **state)
{
	live_four_way();
	assert_drawn(&one, &narrowest,
		     "10.77.0.1:40001 (pid 12245 curl) -> 10.77.0.2:443\n"
		     "opened: handshake 0.083 ms;\n"
		     "    closed: fin, local first, four_way; half-close 0.015 ms;\n"
		     "    time_wait left\n"
		     "      ms      client |                       | server\n"
		     "   0.000    SYN_SENT | - - - SYN seq 0 - - ->| (SYN_RECV)\n"
		     "   0.083 ESTABLISHED |<- - SYN+ACK s=0 a=1 - |\n"
		     "   0.083             | - - ACK seq 1 ack 1 ->| (ESTABLISHED)\n"
		     "                     |~~ 18B -> / <- 5000B ~~|\n"
		     " 200.183   FIN_WAIT1 | - - FIN+ACK seq 19  ->| (CLOSE_WAIT)\n"
		     " 200.279   FIN_WAIT2 |<- - ACK s=5001 a=20 - |\n"
		     " 200.294   TIME_WAIT |<- FIN+ACK seq 5001  - | (LAST_ACK)\n"
		     " 200.294             | - - ACK s=20 a=5002 ->| (CLOSE)\n"
		     "\n");
}

static void test_three_segments(void **state)
{
	live_three_segments();
	assert_drawn(
		&other, &narrow,
		"10.77.0.2:443 (pid 812 nginx) <- 10.77.0.1:40001\n"
		"opened: handshake 0.065 ms; closed: fin, remote first, three_segment\n"
		"      ms      server |                                           | client\n"
		"   0.000    SYN_RECV |<- - - SYN seq 0 - - - - - - - - - - - - - | (SYN_SENT)\n"
		"   0.000             | - - - SYN+ACK seq 0 ack 1 - - - - - - - ->| (ESTABLISHED)\n"
		"   0.065 ESTABLISHED |<- - - ACK seq 1 ack 1 - - - - - - - - - - |\n"
		"   0.870  CLOSE_WAIT |<- - - FIN+ACK seq 1 ack 1 - - - - - - - - | (FIN_WAIT1)\n"
		"   0.970    LAST_ACK | - - - FIN+ACK seq 1 ack 2 - - - - - - - ->| (TIME_WAIT)\n"
		"   1.010       CLOSE |<- - - ACK seq 2 ack 2 - - - - - - - - - - |\n"
		"\n");
}

static void test_half_close(void **state)
{
	live_half_close();
	assert_drawn(
		&one, &narrow,
		"10.77.0.1:40001 (pid 12245 curl) -> 10.77.0.2:443\n"
		"opened: handshake 0.083 ms; closed: fin, local first, half_close;\n"
		"    half-close 3000.000 ms, 1,234,567 bytes; time_wait 60012.346 ms, expired\n"
		"      ms      client |                                           | server\n"
		"   0.000    SYN_SENT | - - - SYN seq 0 - - - - - - - - - - - - ->| (SYN_RECV)\n"
		"   0.083 ESTABLISHED |<- - - SYN+ACK seq 0 ack 1 - - - - - - - - |\n"
		"   0.083             | - - - ACK seq 1 ack 1 - - - - - - - - - ->| (ESTABLISHED)\n"
		"                     |~~~~~~ 100 bytes in 1 segment ~~~~~~~~~~~~>|\n"
		"   0.500   FIN_WAIT1 | - - - FIN+ACK seq 101 ack 1 - - - - - - ->| (CLOSE_WAIT)\n"
		"   0.540   FIN_WAIT2 |<- - - ACK seq 1 ack 102 - - - - - - - - - |\n"
		"                     |<~~~~~ 1,234,567 bytes in 850 segments ~~~~|\n"
		"3000.540   TIME_WAIT |<- - - FIN+ACK seq 1234568 ack 102 - - - - | (LAST_ACK)\n"
		"3000.540             | - - - ACK seq 102 ack 1234569 - - - - - ->| (CLOSE)\n"
		"\n");
}

static void test_reset_received(void **state)
{
	live_reset_received();
	assert_drawn(
		&one, &narrow,
		"10.77.0.1:40001 (pid 12245 curl) -> 10.77.0.2:443\n"
		"opened: handshake 0.083 ms; closed: rst_received, remote first;\n"
		"    error: ECONNRESET\n"
		"      ms      client |                                           | server\n"
		"   0.000    SYN_SENT | - - - SYN seq 0 - - - - - - - - - - - - ->| (SYN_RECV)\n"
		"   0.083 ESTABLISHED |<- - - SYN+ACK seq 0 ack 1 - - - - - - - - |\n"
		"   0.083             | - - - ACK seq 1 ack 1 - - - - - - - - - ->| (ESTABLISHED)\n"
		"                     |<~~~~~ 10 bytes in 1 segment ~~~~~~~~~~~~~~|\n"
		"   0.400       CLOSE |<===== RST+ACK seq 11 ack 1 ===============| (CLOSE)\n"
		"\n");
}

static void test_reset_sent(void **state)
{
	live_reset_sent();
	assert_drawn(
		&one, &narrow,
		"10.77.0.1:40001 (pid 12245 curl) -> 10.77.0.2:443\n"
		"opened: handshake 0.083 ms; closed: rst_sent, local first;\n"
		"    reason: unread_data, TCP_ABORT_ON_CLOSE\n"
		"      ms      client |                                           | server\n"
		"   0.000    SYN_SENT | - - - SYN seq 0 - - - - - - - - - - - - ->| (SYN_RECV)\n"
		"   0.083 ESTABLISHED |<- - - SYN+ACK seq 0 ack 1 - - - - - - - - |\n"
		"   0.083             | - - - ACK seq 1 ack 1 - - - - - - - - - ->| (ESTABLISHED)\n"
		"                     |<~~~~~ 10 bytes in 1 segment ~~~~~~~~~~~~~~|\n"
		"   0.131       CLOSE | = = = RST+ACK seq 1 ack 11  = = = = = = =>| (CLOSE)\n"
		"\n");
}

static void test_refused(void **state)
{
	live_refused();
	assert_drawn(&one, &narrow,
		     "10.77.0.1:40001 (pid 12245 curl) -> 10.77.0.2:443\n"
		     "opened: refused; closed: none; error: ECONNREFUSED\n"
		     "      ms      client |                                           | server\n"
		     "   0.000    SYN_SENT | - - - SYN seq 0 - - - - - - - - - - - - ->|\n"
		     "   0.052       CLOSE |<===== RST+ACK seq ? ack ? ================|\n"
		     "\n");
}

static void test_port_not_chosen(void **state)
{
	live_refused();
	one.conn.tuple.lport = 0;
	one.story.len = 0;
	assert_drawn(&one, &narrow,
		     "10.77.0.1:- (pid 12245 curl) -> 10.77.0.2:443\n"
		     "opened: refused; closed: none; error: ECONNREFUSED\n"
		     "nothing of its segments is known\n"
		     "\n");
}

static void test_lost_syn(void **state)
{
	live_lost_syn();
	assert_drawn(
		&one, &narrow,
		"10.77.0.1:40001 (pid 12245 curl) -> 10.77.0.2:443\n"
		"opened: handshake 1031.254 ms (syn_again); incomplete: lost_events\n"
		"      ms      client |                                           | server\n"
		"   0.000    SYN_SENT | - - - SYN seq 0 - - - - - - - - - - - - ->|\n"
		"1031.204             | - - - SYN seq 0 again - - - - - - - - - ->| (SYN_RECV)\n"
		"1031.250 ESTABLISHED |<----- SYN+ACK seq 0 ack 1 ----------------|\n"
		"1031.254             | - - - ACK seq 1 ack 1 - - - - - - - - - ->| (ESTABLISHED)\n"
		"\n");
}

/* In what order the other end went through its states is not told where it isn't known. */
static void test_simultaneous(void **state)
{
	live_simultaneous(&one, 0);
	assert_drawn(
		&one, &narrow,
		"10.77.0.1:40001 (pid 12245 curl) <-> 10.77.0.2:443\n"
		"opened: simultaneous; closed: fin, both at once, simultaneous; time_wait left\n"
		"      ms       local |                                           | remote\n"
		"   0.000    SYN_SENT | - - - SYN seq 0 - - - - - - - - - - - - ->|\n"
		"   0.050    SYN_RECV |<- - - SYN seq 0 - - - - - - - - - - - - - | (SYN_SENT)\n"
		"   0.050             | - - - SYN+ACK seq 0 ack 1 - - - - - - - ->|\n"
		"   0.100 ESTABLISHED |<- - - SYN+ACK seq 0 ack 1 - - - - - - - - | (SYN_RECV)\n"
		"   1.000   FIN_WAIT1 | - - - FIN+ACK seq 1 ack 1 - - - - - - - ->|\n"
		"   1.050     CLOSING |<- - - FIN+ACK seq 1 ack 1 - - - - - - - - | (FIN_WAIT1)\n"
		"   1.050             | - - - ACK seq 2 ack 2 - - - - - - - - - ->|\n"
		"   1.100   TIME_WAIT |<- - - ACK seq 2 ack 2 - - - - - - - - - - | (CLOSING)\n"
		"\n");
}

static void test_unknown_isns(void **state)
{
	live_preexisting();
	assert_drawn(
		&one, &narrow,
		"10.77.0.1:40001 (-) -- 10.77.0.2:443\n"
		"opened: preexisting; closed: fin, remote first;\n"
		"    incomplete: preexisting, table_full\n"
		"      ms       local |                                           | remote\n"
		"         ESTABLISHED |                                           |\n"
		"   0.000  CLOSE_WAIT |<- - - FIN+ACK seq ? ack ? - - - - - - - - | (FIN_WAIT1)\n"
		"                     | - - - ACK seq ? ack ? - - - - - - - - - ->| (FIN_WAIT2)\n"
		"   0.700    LAST_ACK | - - - FIN+ACK seq ? ack ? - - - - - - - ->|\n"
		"   0.900             | - - - FIN+ACK seq ? ack ? again - - - - ->|\n"
		"   0.930       CLOSE |<- - - ACK seq ? ack ? - - - - - - - - - - | (TIME_WAIT)\n"
		"\n");
}

/* The same, with numbers where any are known. */
static void test_absolute(void **state)
{
	const struct ladder_style absolute = { .width = 80, .absolute = true };

	live_preexisting();
	assert_drawn(
		&one, &absolute,
		"10.77.0.1:40001 (-) -- 10.77.0.2:443\n"
		"opened: preexisting; closed: fin, remote first;\n"
		"    incomplete: preexisting, table_full\n"
		"      ms       local |                                           | remote\n"
		"         ESTABLISHED |                                           |\n"
		"   0.000  CLOSE_WAIT |<- - - FIN+ACK seq ? ack ? - - - - - - - - | (FIN_WAIT1)\n"
		"                     | - - - ACK seq ? ack ? - - - - - - - - - ->| (FIN_WAIT2)\n"
		"   0.700    LAST_ACK | - - - FIN+ACK seq 4294967295 ack 70009  ->|\n"
		"   0.900             | - - FIN+ACK s=4294967295 a=70009 again  ->|\n"
		"   0.930       CLOSE |<- - - ACK seq 70009 ack 0 - - - - - - - - | (TIME_WAIT)\n"
		"\n");
}

static void test_left_out(void **state)
{
	live_four_way();
	one.story.left_out = 1234;
	assert_drawn(
		&one, &narrow,
		"10.77.0.1:40001 (pid 12245 curl) -> 10.77.0.2:443\n"
		"opened: handshake 0.083 ms; closed: fin, local first, four_way;\n"
		"    half-close 0.015 ms; time_wait left\n"
		"      ms      client |                                           | server\n"
		"   0.000    SYN_SENT | - - - SYN seq 0 - - - - - - - - - - - - ->| (SYN_RECV)\n"
		"   0.083 ESTABLISHED |<- - - SYN+ACK seq 0 ack 1 - - - - - - - - |\n"
		"   0.083             | - - - ACK seq 1 ack 1 - - - - - - - - - ->| (ESTABLISHED)\n"
		"                     |~~~~~~ 18 bytes -> / <- 5,000 bytes ~~~~~~~|\n"
		" 200.183   FIN_WAIT1 | - - - FIN+ACK seq 19 ack 5001 - - - - - ->|\n"
		"                     |       ... 1,234 more ...                  |\n"
		" 200.279   FIN_WAIT2 |<- - - ACK seq 5001 ack 20 - - - - - - - - | (CLOSE_WAIT)\n"
		" 200.294   TIME_WAIT |<- - - FIN+ACK seq 5001 ack 20 - - - - - - | (LAST_ACK)\n"
		" 200.294             | - - - ACK seq 20 ack 5002 - - - - - - - ->| (CLOSE)\n"
		"\n");
}

/* Data that was sent again, and more of it in one line. */
static void test_data_again(void **state)
{
	struct story_item *item;

	shake_hands(&one);
	data(&one, 1000000, 700, 0, 350);
	item = out(&one, 1200, ACK, 2897, 1);
	item->again = true;
	item->payload = 1448;
	item = out(&one, 201300, ACK, 5793, 1);
	item->again = true;
	item->payload = 1448;
	item->tx_segs = 1234;
	item->tx_bytes = 1786832;
	enter(&one, 900000, ST_CLOSE);
	one.conn.closed = CLOSED_TIMED_OUT;
	one.conn.error = ETIMEDOUT;
	assert_drawn(
		&one, &narrow,
		"10.77.0.1:40001 (pid 12245 curl) -> 10.77.0.2:443\n"
		"opened: handshake 0.083 ms; closed: timed_out; error: ETIMEDOUT\n"
		"      ms      client |                                           | server\n"
		"   0.000    SYN_SENT | - - - SYN seq 0 - - - - - - - - - - - - ->| (SYN_RECV)\n"
		"   0.083 ESTABLISHED |<- - - SYN+ACK seq 0 ack 1 - - - - - - - - |\n"
		"   0.083             | - - - ACK seq 1 ack 1 - - - - - - - - - ->| (ESTABLISHED)\n"
		"                     |~~~~~~ 1,000,000 bytes in 700 segments ~~~>|\n"
		"   1.200             | - - - ACK seq 2897 ack 1 len 1448 again ->|\n"
		" 201.300             | - - - 1,786,832 bytes again in 1,234  - ->|\n"
		" 900.000       CLOSE |                                           |\n"
		"\n");
}

/* Sent again, it does not prove that the handshake's last ACK arrived. */
static void test_data_again_proves_nothing(void **state)
{
	struct story_item *item;

	enter(&one, 0, ST_SYN_SENT);
	out(&one, 0, SYN, 0, UNKNOWN);
	in(&one, 83, SYN | ACK, 0, 1);
	enter(&one, 83, ST_ESTABLISHED);
	item = out(&one, 200000, ACK, 1, 1);
	item->again = true;
	item->payload = 5;
	ladder_conn(&text, &unknown_clock, &narrow, &one.conn);
	text_char(&text, '\0');
	assert_non_null(strstr(text.data, "ACK seq 1 ack 1 len 5 again - - - ->|\n"));
	text_clear(&text);
}

static void test_color(void **state)
{
	const struct ladder_style color = { .width = 60, .color = true };

	enter(&one, 0, ST_SYN_SENT);
	out(&one, 0, SYN, 0, UNKNOWN)->again = true;
	in(&one, 50, RST | ACK, 0, 1)->seen = true;
	enter(&one, 50, ST_CLOSE);
	one.conn.opened = OPENED_REFUSED;
	one.conn.closed = CLOSED_NONE;
	assert_drawn(&one, &color,
		     "10.77.0.1:40001 (pid 12245 curl) -> 10.77.0.2:443\n"
		     "opened: refused; closed: none\n"
		     "      ms      client |                       | server\n"
		     "   0.000    SYN_SENT |\x1b[33m - - SYN seq 0 again ->\x1b[0m|\n"
		     "   0.050       CLOSE |\x1b[31m<=== RST+ACK s=0 a=1 ==\x1b[0m|\n"
		     "\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_four_way),
		TEST(test_four_way_wider),
		TEST(test_four_way_narrowest),
		TEST(test_three_segments),
		TEST(test_half_close),
		TEST(test_reset_received),
		TEST(test_reset_sent),
		TEST(test_refused),
		TEST(test_port_not_chosen),
		TEST(test_lost_syn),
		TEST(test_simultaneous),
		TEST(test_unknown_isns),
		TEST(test_absolute),
		TEST(test_left_out),
		TEST(test_data_again),
		TEST(test_data_again_proves_nothing),
		TEST(test_color),
	};

	return cmocka_run_group_tests_name("ladder", tests, far_from_utc, free_text);
}
