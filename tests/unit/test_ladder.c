// SPDX-License-Identifier: GPL-2.0-only
/* Diagrams: every way to open and close, one end and two, every width. */
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

#include "views/ladder.h"
#include "viewed.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10
#define URG 0x20

#define START_NS INT64_C(1000000000)
#define ISN_LEFT 4294967290u /* goes around early */
#define ISN_RIGHT 70000u
#define NO_TIME (-1)
#define UNKNOWN (-1) /* a number */

static const struct ladder_style narrowest = { .width = 60 };
static const struct ladder_style narrow = { .width = 80 };
static const struct ladder_style usual = { .width = 100 };

/* One end: its record, and its story as it is told. */
struct life {
	struct report_conn conn;
	struct report_story story;
	struct story_item items[64];
	bool is_right; /* its own numbers are those of the other end */
};

static struct life one, other;

static struct story_item *tell(struct life *life, int64_t us, enum story_kind kind)
{
	struct story_item *item = &life->items[life->story.len++];

	assert_true(life->story.len <= ARRAY_SIZE(life->items));
	*item = (struct story_item){ .ts_ns = us < 0 ? UNKNOWN_NS : START_NS + us * 1000,
				     .kind = kind };
	return item;
}

static void enter(struct life *life, int64_t us, uint8_t state)
{
	tell(life, us, STORY_STATE)->state = state;
}

/* seq and ack are relative. */
static struct story_item *segment(struct life *life, int64_t us, uint8_t way, uint8_t tcp_flags,
				  int64_t seq, int64_t ack)
{
	struct story_item *item = tell(life, us, STORY_SEGMENT);
	bool is_from_left = life->is_right == (way == STORY_IN);

	item->way = way;
	item->tcp_flags = tcp_flags;
	item->has_seq = seq >= 0;
	item->seq = (is_from_left ? ISN_LEFT : ISN_RIGHT) + (uint32_t)seq;
	item->has_ack = ack >= 0 && tcp_flags & ACK;
	item->ack = (is_from_left ? ISN_RIGHT : ISN_LEFT) + (uint32_t)ack;
	return item;
}

static struct story_item *out(struct life *life, int64_t us, uint8_t tcp_flags, int64_t seq,
			      int64_t ack)
{
	return segment(life, us, STORY_OUT, tcp_flags, seq, ack);
}

static struct story_item *in(struct life *life, int64_t us, uint8_t tcp_flags, int64_t seq,
			     int64_t ack)
{
	return segment(life, us, STORY_IN, tcp_flags, seq, ack);
}

static void data(struct life *life, int64_t tx, int64_t tx_segs, int64_t rx, int64_t rx_segs)
{
	struct story_item *item = tell(life, NO_TIME, STORY_DATA);

	item->tx_bytes = tx;
	item->tx_segs = tx_segs;
	item->rx_bytes = rx;
	item->rx_segs = rx_segs;
}

static struct report_conn unknown_conn(void)
{
	return (struct report_conn){ .uid = UINT32_MAX,
				     .reset_reason = -1,
				     .start_ns = UNKNOWN_NS,
				     .end_ns = UNKNOWN_NS,
				     .duration_ns = UNKNOWN_NS,
				     .handshake_ns = UNKNOWN_NS,
				     .half_close_ns = UNKNOWN_NS,
				     .time_wait_ns = UNKNOWN_NS,
				     .half_close_bytes = UNKNOWN_COUNT };
}

static void begin(struct life *life, enum conn_role role)
{
	struct ev_tuple *tuple = &life->conn.tuple;
	bool is_right = life == &other;

	memset(life, 0, sizeof(*life));
	life->is_right = is_right;
	life->conn = unknown_conn();
	life->conn.role = role;
	life->conn.opened = OPENED_HANDSHAKE;
	life->conn.closed = CLOSED_FIN;
	life->conn.pid = is_right ? 812 : 12245;
	strcpy(life->conn.comm, is_right ? "nginx" : "curl");
	tuple->family = 4;
	inet_pton(AF_INET6, "::ffff:10.77.0.1", is_right ? tuple->raddr : tuple->laddr);
	inet_pton(AF_INET6, "::ffff:10.77.0.2", is_right ? tuple->laddr : tuple->raddr);
	tuple->lport = is_right ? 443 : 40001;
	tuple->rport = is_right ? 40001 : 443;
	life->conn.story = &life->story;
	life->story.items = life->items;
	life->story.has_isn_local = life->story.has_isn_remote = true;
	life->story.isn_local = is_right ? ISN_RIGHT : ISN_LEFT;
	life->story.isn_remote = is_right ? ISN_LEFT : ISN_RIGHT;
}

static int setup(void **state)
{
	text_clear(&text);
	begin(&one, ROLE_CLIENT);
	begin(&other, ROLE_SERVER);
	return 0;
}

/* ---- lives ---- */

static void shake_hands(struct life *life)
{
	enter(life, 0, ST_SYN_SENT);
	out(life, 0, SYN, 0, UNKNOWN);
	in(life, 83, SYN | ACK, 0, 1);
	enter(life, 83, ST_ESTABLISHED);
	out(life, 83, ACK, 1, 1);
	life->conn.handshake_ns = 83000;
}

static void shake_hands_back(struct life *life)
{
	in(life, 30, SYN, 0, UNKNOWN);
	enter(life, 30, ST_SYN_RECV);
	out(life, 30, SYN | ACK, 0, 1);
	in(life, 95, ACK, 1, 1);
	enter(life, 95, ST_ESTABLISHED);
	life->conn.handshake_ns = 65000;
}

static void live_four_way(void)
{
	shake_hands(&one);
	data(&one, 18, 3, 5000, 5);
	enter(&one, 200183, ST_FIN_WAIT1);
	out(&one, 200183, FIN | ACK, 19, 5001);
	in(&one, 200279, ACK, 5001, 20);
	enter(&one, 200279, ST_FIN_WAIT2);
	in(&one, 200294, FIN | ACK, 5001, 20);
	enter(&one, 200294, ST_TIME_WAIT);
	out(&one, 200294, ACK, 20, 5002);
	one.conn.closed_first = FIRST_LOCAL;
	one.conn.teardown = TEARDOWN_FOUR_WAY;
	one.conn.remains = REMAINS_TIME_WAIT;
	one.conn.half_close_ns = 15000;
	one.conn.half_close_bytes = 0;
}

static void live_four_way_back(void)
{
	shake_hands_back(&other);
	data(&other, 5000, 5, 18, 3);
	in(&other, 200220, FIN | ACK, 19, 5001)->seen = true;
	enter(&other, 200221, ST_CLOSE_WAIT);
	out(&other, NO_TIME, ACK, 5001, 20);
	enter(&other, 200280, ST_LAST_ACK);
	out(&other, 200280, FIN | ACK, 5001, 20);
	in(&other, 200310, ACK, 20, 5002);
	enter(&other, 200310, ST_CLOSE);
	other.conn.closed_first = FIRST_REMOTE;
	other.conn.teardown = TEARDOWN_FOUR_WAY;
}

static void live_three_segments(void)
{
	shake_hands_back(&other);
	in(&other, 900, FIN | ACK, 1, 1);
	enter(&other, 900, ST_CLOSE_WAIT);
	enter(&other, 1000, ST_LAST_ACK);
	out(&other, 1000, FIN | ACK, 1, 2);
	in(&other, 1040, ACK, 2, 2);
	enter(&other, 1040, ST_CLOSE);
	other.conn.closed_first = FIRST_REMOTE;
	other.conn.teardown = TEARDOWN_THREE_SEGMENT;
}

static void live_half_close(void)
{
	shake_hands(&one);
	data(&one, 100, 1, 0, 1);
	enter(&one, 500, ST_FIN_WAIT1);
	out(&one, 500, FIN | ACK, 101, 1);
	in(&one, 540, ACK, 1, 102);
	enter(&one, 540, ST_FIN_WAIT2);
	data(&one, 0, 400, 1234567, 850);
	in(&one, 3000540, FIN | ACK, 1234568, 102);
	enter(&one, 3000540, ST_TIME_WAIT);
	out(&one, 3000540, ACK, 102, 1234569);
	one.conn.closed_first = FIRST_LOCAL;
	one.conn.teardown = TEARDOWN_HALF_CLOSE;
	one.conn.half_close_ns = 3000000000;
	one.conn.half_close_bytes = 1234567;
	one.conn.time_wait_ns = INT64_C(60012345678);
	one.conn.remains_end = REMAINS_END_EXPIRED;
}

static void live_reset_received(void)
{
	shake_hands(&one);
	data(&one, 0, 1, 10, 1);
	in(&one, 400, RST | ACK, 11, 1)->seen = true;
	enter(&one, 402, ST_CLOSE);
	one.conn.closed = CLOSED_RST_RECEIVED;
	one.conn.closed_first = FIRST_REMOTE;
	one.conn.teardown = TEARDOWN_NONE;
	one.conn.error = ECONNRESET;
}

static void live_reset_sent(void)
{
	shake_hands(&one);
	data(&one, 0, 1, 10, 1);
	enter(&one, 131, ST_CLOSE);
	out(&one, 131, RST | ACK, 1, 11);
	one.conn.closed = CLOSED_RST_SENT;
	one.conn.closed_first = FIRST_LOCAL;
	one.conn.teardown = TEARDOWN_NONE;
	one.conn.reason = "unread_data";
	one.conn.reset_reason = 11;
}

static void live_refused(void)
{
	enter(&one, 0, ST_SYN_SENT);
	out(&one, 0, SYN, UNKNOWN, UNKNOWN);
	in(&one, 52, RST | ACK, 0, 1)->seen = true;
	enter(&one, 53, ST_CLOSE);
	one.story.has_isn_local = one.story.has_isn_remote = false;
	one.conn.opened = OPENED_REFUSED;
	one.conn.closed = CLOSED_NONE;
	one.conn.closed_first = FIRST_NONE;
	one.conn.error = ECONNREFUSED;
}

static void live_lost_syn(void)
{
	enter(&one, 0, ST_SYN_SENT);
	out(&one, 0, SYN, 0, UNKNOWN);
	out(&one, 1031204, SYN, 0, UNKNOWN)->again = true;
	in(&one, 1031250, SYN | ACK, 0, 1)->seen = true;
	enter(&one, 1031254, ST_ESTABLISHED);
	out(&one, 1031254, ACK, 1, 1);
	one.conn.handshake_ns = 1031254000;
	one.conn.handshake = HANDSHAKE_SYN_AGAIN;
	one.conn.closed = CLOSED_UNKNOWN;
	one.conn.incomplete = INCOMPLETE_LOST_EVENTS;
}

static void live_simultaneous(struct life *life, int64_t later)
{
	int64_t us = later;

	enter(life, us, ST_SYN_SENT);
	out(life, us, SYN, 0, UNKNOWN);
	in(life, us + 50, SYN, 0, UNKNOWN);
	enter(life, us + 50, ST_SYN_RECV);
	out(life, us + 50, SYN | ACK, 0, 1);
	in(life, us + 100, SYN | ACK, 0, 1);
	enter(life, us + 100, ST_ESTABLISHED);
	us = 1000 + later;
	enter(life, us, ST_FIN_WAIT1);
	out(life, us, FIN | ACK, 1, 1);
	in(life, us + 50, FIN | ACK, 1, 1);
	enter(life, us + 50, ST_CLOSING);
	out(life, us + 50, ACK, 2, 2);
	in(life, us + 100, ACK, 2, 2);
	enter(life, us + 100, ST_TIME_WAIT);
	life->conn.role = ROLE_BOTH;
	life->conn.opened = OPENED_SIMULTANEOUS;
	life->conn.closed_first = FIRST_BOTH;
	life->conn.teardown = TEARDOWN_SIMULTANEOUS;
	life->conn.remains = REMAINS_TIME_WAIT;
}

/* The right end of the lost SYN and of the reset: what came of them there. */
static void live_lost_syn_back(void)
{
	in(&other, 1031230, SYN, 0, UNKNOWN)->seen = true;
	enter(&other, 1031231, ST_SYN_RECV);
	out(&other, 1031231, SYN | ACK, 0, 1);
	in(&other, 1031290, ACK, 1, 1);
	enter(&other, 1031290, ST_ESTABLISHED);
}

static void live_reset_sent_back(void)
{
	shake_hands_back(&other);
	data(&other, 10, 1, 0, 1);
	in(&other, 160, RST, UNKNOWN, UNKNOWN);
	enter(&other, 161, ST_CLOSE);
	other.conn.closed = CLOSED_RST_RECEIVED;
	other.conn.closed_first = FIRST_REMOTE;
	other.conn.error = ECONNRESET;
}

/* Nothing of a preexisting life is known but its end. */
static void live_preexisting(void)
{
	enter(&one, NO_TIME, ST_ESTABLISHED);
	in(&one, 0, FIN | ACK, UNKNOWN, UNKNOWN);
	enter(&one, 0, ST_CLOSE_WAIT);
	out(&one, NO_TIME, ACK, UNKNOWN, UNKNOWN);
	enter(&one, 700, ST_LAST_ACK);
	out(&one, 700, FIN | ACK, 5, 9);
	out(&one, 900, FIN | ACK, 5, 9)->again = true;
	in(&one, 930, ACK, 9, 6);
	enter(&one, 930, ST_CLOSE);
	one.story.has_isn_local = one.story.has_isn_remote = false;
	one.conn.role = ROLE_UNKNOWN;
	one.conn.opened = OPENED_PREEXISTING;
	one.conn.closed_first = FIRST_REMOTE;
	one.conn.pid = 0;
	one.conn.comm[0] = '\0';
	one.conn.incomplete = INCOMPLETE_PREEXISTING | INCOMPLETE_TABLE_FULL;
}

/* All that a diagram can hold at its widest. */
static void live_crowded(void)
{
	static const uint8_t all = FIN | SYN | RST | PSH | ACK | URG;

	shake_hands(&one);
	for (unsigned int i = 0; i < 20; i++) {
		struct story_item *item = segment(&one, INT64_C(9000000000000) * i, i & 1, all,
						  4000000000 + i, 4000000000 - i);

		item->again = i & 2;
		item->seen = i & 4;
		item->payload = UINT32_MAX;
	}
	data(&one, INT64_MAX, INT64_MAX, INT64_MAX - 1, INT64_MAX - 1);
	data(&one, UNKNOWN_COUNT, UNKNOWN_COUNT, UNKNOWN_COUNT, UNKNOWN_COUNT);
	segment(&one, 1, STORY_IN, 0, 0, 0);
	one.story.left_out = UINT32_MAX;
	memset(one.conn.comm, '\n', EV_COMM_LEN);
	one.conn.tuple.family = 6;
	inet_pton(AF_INET6, "2001:db8:1111:2222:3333:4444:5555:6666", one.conn.tuple.laddr);
	inet_pton(AF_INET6, "2001:db8:1111:2222:3333:4444:5555:7777", one.conn.tuple.raddr);
	one.conn.pid = UINT32_MAX;
	one.conn.handshake = one.conn.violations = one.conn.incomplete = ~0u;
	one.conn.reason = "retransmissions";
	one.conn.reset_reason = 16;
	one.conn.error = EPROTONOSUPPORT;
}

static void pair(void)
{
	one.conn.peer = &other.conn;
	other.conn.peer = &one.conn;
}

static void live_pair(void)
{
	live_four_way();
	live_four_way_back();
	pair();
}

/* ---- goldens ---- */

static void assert_drawn(const struct life *life, const struct ladder_style *style,
			 const char *expected)
{
	ladder_conn(&text, &unknown_clock, style, &life->conn);
	assert_text(expected);
}

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

static size_t count(const char *what)
{
	size_t found = 0;

	for (const char *at = text.data; (at = strstr(at, what)); at++)
		found++;
	return found;
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

/* ---- details ---- */

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
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_four_way),
		TEST(test_four_way_wider),
		TEST(test_four_way_narrowest),
		TEST(test_three_segments),
		TEST(test_half_close),
		TEST(test_reset_received),
		TEST(test_reset_sent),
		TEST(test_refused),
		TEST(test_lost_syn),
		TEST(test_simultaneous),
		TEST(test_unknown_isns),
		TEST(test_absolute),
		TEST(test_left_out),
		TEST(test_color),
		TEST(test_pair),
		TEST(test_pair_turned),
		TEST(test_pair_lost_syn),
		TEST(test_pair_reset),
		TEST(test_pair_simultaneous),
		TEST(test_pair_one_story),
		TEST(test_pair_unequal),
		TEST(test_pair_knot),
		TEST(test_late_state),
		TEST(test_never_backwards),
		TEST(test_sent_before_received),
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

	/* Not a whole number of hours from UTC, so that a mix-up shows. */
	setenv("TZ", "NPT-5:45", 1);
	tzset();
	return cmocka_run_group_tests_name("ladder", tests, NULL, free_text);
}
