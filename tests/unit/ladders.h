/* SPDX-License-Identifier: GPL-2.0-only */
/* For the tests of diagrams: one end and the other, as they are told, and whole lives of both. */
#ifndef CONNLIFE_TEST_LADDERS_H
#define CONNLIFE_TEST_LADDERS_H

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

static inline struct story_item *tell(struct life *life, int64_t us, enum story_kind kind)
{
	struct story_item *item = &life->items[life->story.len++];

	assert_true(life->story.len <= ARRAY_SIZE(life->items));
	*item = (struct story_item){ .ts_ns = us < 0 ? UNKNOWN_NS : START_NS + us * 1000,
				     .kind = kind };
	return item;
}

static inline void enter(struct life *life, int64_t us, uint8_t state)
{
	tell(life, us, STORY_STATE)->state = state;
}

/* seq and ack are relative. */
static inline struct story_item *segment(struct life *life, int64_t us, uint8_t way,
					 uint8_t tcp_flags, int64_t seq, int64_t ack)
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

static inline struct story_item *out(struct life *life, int64_t us, uint8_t tcp_flags, int64_t seq,
				     int64_t ack)
{
	return segment(life, us, STORY_OUT, tcp_flags, seq, ack);
}

static inline struct story_item *in(struct life *life, int64_t us, uint8_t tcp_flags, int64_t seq,
				    int64_t ack)
{
	return segment(life, us, STORY_IN, tcp_flags, seq, ack);
}

static inline void data(struct life *life, int64_t tx, int64_t tx_segs, int64_t rx, int64_t rx_segs)
{
	struct story_item *item = tell(life, NO_TIME, STORY_DATA);

	item->tx_bytes = tx;
	item->tx_segs = tx_segs;
	item->rx_bytes = rx;
	item->rx_segs = rx_segs;
}

static inline struct report_conn unknown_conn(void)
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

static inline void begin(struct life *life, enum conn_role role)
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

static inline int setup(void **state)
{
	text_clear(&text);
	begin(&one, ROLE_CLIENT);
	begin(&other, ROLE_SERVER);
	return 0;
}

/* ---- lives ---- */

static inline void shake_hands(struct life *life)
{
	enter(life, 0, ST_SYN_SENT);
	out(life, 0, SYN, 0, UNKNOWN);
	in(life, 83, SYN | ACK, 0, 1);
	enter(life, 83, ST_ESTABLISHED);
	out(life, 83, ACK, 1, 1);
	life->conn.handshake_ns = 83000;
}

static inline void shake_hands_back(struct life *life)
{
	in(life, 30, SYN, 0, UNKNOWN);
	enter(life, 30, ST_SYN_RECV);
	out(life, 30, SYN | ACK, 0, 1);
	in(life, 95, ACK, 1, 1);
	enter(life, 95, ST_ESTABLISHED);
	life->conn.handshake_ns = 65000;
}

static inline void live_four_way(void)
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

static inline void live_four_way_back(void)
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

static inline void live_three_segments(void)
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

static inline void live_half_close(void)
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

static inline void live_reset_received(void)
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

static inline void live_reset_sent(void)
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

static inline void live_refused(void)
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

static inline void live_lost_syn(void)
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

static inline void live_simultaneous(struct life *life, int64_t later)
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
static inline void live_lost_syn_back(void)
{
	in(&other, 1031230, SYN, 0, UNKNOWN)->seen = true;
	enter(&other, 1031231, ST_SYN_RECV);
	out(&other, 1031231, SYN | ACK, 0, 1);
	in(&other, 1031290, ACK, 1, 1);
	enter(&other, 1031290, ST_ESTABLISHED);
}

static inline void live_reset_sent_back(void)
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
static inline void live_preexisting(void)
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
static inline void live_crowded(void)
{
	static const uint8_t all = FIN | SYN | RST | PSH | ACK | URG;

	shake_hands(&one);
	for (unsigned int i = 0; i < 20; i++) {
		struct story_item *item = segment(&one, INT64_C(9000000000000) * i, i & 1, all,
						  4000000000 + i, 4000000000 - i);

		item->again = i & 2;
		item->seen = i & 4;
		item->payload = UINT32_MAX;
		if (i == 2) /* again, and many of them */
			item->tx_segs = item->tx_bytes = INT64_MAX;
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

static inline void pair(void)
{
	one.conn.peer = &other.conn;
	other.conn.peer = &one.conn;
}

static inline void live_pair(void)
{
	live_four_way();
	live_four_way_back();
	pair();
}

static inline void assert_drawn(const struct life *life, const struct ladder_style *style,
				const char *expected)
{
	ladder_conn(&text, &unknown_clock, style, &life->conn);
	assert_text(expected);
}

static inline size_t count(const char *what)
{
	size_t found = 0;

	for (const char *at = text.data; (at = strstr(at, what)); at++)
		found++;
	return found;
}

/* Not a whole number of hours from UTC, so that a mix-up shows. */
static inline int far_from_utc(void **state)
{
	setenv("TZ", "NPT-5:45", 1);
	tzset();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

#endif
