// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sound events of a few sockets in any order whatsoever, as after losses: the
 * engine stays whole, and what it tells does too.
 */
#include "stories.h"

#define SOCKS 6
#define EVENTS 60000

static uint64_t seed;

static uint32_t any(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 20) % below;
}

/* Two pairs of ends, both ways round, in two namespaces. */
static struct ev_tuple any_tuple(void)
{
	bool is_client = any(2);
	struct ev_tuple tuple = is_client ? make_tuple(LPORT, RPORT) : make_tuple(RPORT, LPORT);

	if (any(4) == 0)
		tuple.netns_cookie++;
	if (is_client) {
		tuple.lport += (uint16_t)any(2);
	} else {
		tuple.rport += (uint16_t)any(2);
		memcpy(tuple.laddr, make_tuple(1, 1).raddr, 16);
		memcpy(tuple.raddr, make_tuple(1, 1).laddr, 16);
	}
	return tuple;
}

static uint8_t any_state(void)
{
	return (uint8_t)(1 + any(ST_MAX - 1));
}

static uint16_t any_flags(void)
{
	return (uint16_t)(any(2) ? 0 : any(0x4000));
}

static void give_open(struct bench *b, uint64_t sock)
{
	struct ev_open open = any(2) ? make_client(sock) : make_child(sock, any_state());

	open.tuple = any_tuple();
	if (any(3) == 0)
		open.tuple.lport = 0;
	open.retrans = any(3) ? 0 : any(9);
	give(b, open);
}

static void give_step(struct bench *b, uint64_t sock)
{
	static const uint8_t steps[][2] = {
		{ ST_SYN_SENT, ST_ESTABLISHED },   { ST_SYN_SENT, ST_SYN_RECV },
		{ ST_ESTABLISHED, ST_FIN_WAIT1 },  { ST_FIN_WAIT1, ST_FIN_WAIT2 },
		{ ST_ESTABLISHED, ST_CLOSE_WAIT }, { ST_CLOSE_WAIT, ST_LAST_ACK },
		{ ST_FIN_WAIT1, ST_CLOSING },	   { ST_SYN_RECV, ST_FIN_WAIT1 },
	};
	const uint8_t *step = steps[any(ARRAY_SIZE(steps))];
	struct ev_state state = make_state(sock, step[0], step[1]);

	if (any(10) == 0)
		state.sock.new_state = any_state();
	state.sock.flags = any_flags();
	state.lport = LPORT;
	give(b, state);
}

static void give_close(struct bench *b, uint64_t sock)
{
	static const uint16_t errors[] = { 0, 0, ECONNRESET, ETIMEDOUT, EPIPE, ECONNABORTED };
	struct ev_close close = make_close(sock, any_state(), errors[any(6)], any_flags());

	if (any(3) == 0) {
		close.minisock = SOCKS + 1 + any(SOCKS);
		close.minisock_state = any(2) ? ST_TIME_WAIT : ST_FIN_WAIT2;
	}
	close.stats.bytes_acked = any(1000);
	close.stats.bytes_received = any(1000);
	give(b, close);
}

static void give_numbers(struct bench *b, uint64_t sock)
{
	struct ev_numbers numbers = { .hdr = make_hdr(EV_NUMBERS, sizeof(numbers), sock),
				      .bytes_acked = any(100),
				      .bytes_received = any(100),
				      .snd_una = ISN_LOCAL + any(100),
				      .write_seq = ISN_LOCAL + any(200),
				      .rcv_nxt = any(4) ? ISN_REMOTE + any(100) : 0,
				      .rcv_wup = ISN_REMOTE + any(100),
				      .segs_in = any(50),
				      .segs_out = any(50) };

	give(b, numbers);
}

static void give_segment(struct bench *b)
{
	static const uint8_t flags[] = { TCP_SYN,	    TCP_SYN | TCP_ACK, TCP_ACK,
					 TCP_FIN | TCP_ACK, TCP_RST,	       TCP_URG | TCP_ACK };
	struct ev_tuple tuple = any_tuple();
	struct ev_segment segment =
		make_segment(&tuple, flags[any(6)], any(5), any(5), (uint8_t)any(ST_MAX));

	give(b, segment);
}

static void give_request(struct bench *b)
{
	struct ev_tuple tuple = any_tuple();
	struct ev_synack_retransmit again = make_synack(100 + any(4), &tuple);
	struct ev_refused refused = make_refused(&tuple, (uint8_t)any(64), any(2), 1);

	again.first_synack_ns = any(4) ? b->now - any(1000) * MS : 0;
	if (any(2))
		give(b, again);
	else
		give(b, refused);
}

static void give_retransmit(struct bench *b, uint64_t sock)
{
	struct ev_retransmit again = { .hdr = make_hdr(EV_RETRANSMIT, sizeof(again), sock),
				       .seq = ISN_LOCAL + any(9),
				       .end_seq = ISN_LOCAL + any(9),
				       .tcp_flags = (uint8_t)any(64),
				       .state = any_state(),
				       .lport = (uint16_t)(any(2) ? LPORT : 0) };
	struct ev_sent_again numbered = { .segment = again,
					  .bytes_acked = any(100),
					  .bytes_received = any(100),
					  .snd_una = ISN_LOCAL + any(100),
					  .snd_nxt = ISN_LOCAL + any(200),
					  .rcv_nxt = ISN_REMOTE + any(100) };

	numbered.segment.hdr = make_hdr(EV_SENT_AGAIN, sizeof(numbered), sock);
	if (any(2))
		give(b, again);
	else
		give(b, numbered);
}

static void give_found(struct bench *b, uint64_t sock)
{
	struct ev_found found =
		any(4) ? make_found(sock, any_state()) : make_found_minisock(sock, ST_FIN_WAIT2);

	found.tuple = any_tuple();
	found.bytes_sent = any(100);
	give(b, found);
}

static void give_flags(struct bench *b, uint64_t sock)
{
	struct ev_flags flags = { .hdr = make_hdr(EV_FLAGS, sizeof(flags), sock), .syn = 1 };

	give(b, flags);
}

static void give_any(struct bench *b)
{
	uint64_t sock = 1 + any(SOCKS);

	b->pace = any(100) ? MS : any(4) * SEC;
	switch (any(12)) {
	case 0:
		give_open(b, sock);
		break;
	case 1:
		give_close(b, sock);
		break;
	case 2:
		give_numbers(b, sock);
		break;
	case 3:
		give_request(b);
		break;
	case 4:
		give_retransmit(b, sock);
		break;
	case 5:
		give_found(b, sock);
		break;
	case 6:
		give_flags(b, sock);
		break;
	case 7:
		reset_told(b, any(2) ? EV_RESET_SENT : EV_RESET_RECEIVED, sock, any_state(), any(2),
			   (int)any(20) - 1);
		break;
	case 8:
		timer_told(b, SOCKS + 1 + any(SOCKS), (uint8_t)(1 + any(3)),
			   any(2) ? ST_TIME_WAIT : ST_FIN_WAIT2, any(2) * 100);
		break;
	case 9:
		give_step(b, sock);
		break;
	default:
		give_segment(b);
		break;
	}
}

/* ---- what must hold whatever came ---- */

static void want_item(const struct story_item *item)
{
	assert_true(item->kind <= STORY_DATA);
	assert_true(item->ts_ns == UNKNOWN_NS || item->ts_ns > 0);
	if (item->kind == STORY_SEGMENT) {
		assert_true(item->way == STORY_OUT || item->way == STORY_IN);
		assert_true(item->way == STORY_IN || !item->seen);
		assert_true(!item->tx_segs || (item->again && item->way == STORY_OUT));
		assert_true(item->tcp_flags & TCP_ACK || !item->has_ack);
	} else if (item->kind == STORY_STATE) {
		assert_true(item->state > ST_NONE && item->state < ST_MAX);
	}
}

static void want_record(const struct report_conn *conn)
{
	size_t letters = strnlen(conn->history, sizeof(conn->history));

	assert_true(letters < sizeof(conn->history));
	assert_true(strnlen(conn->conn_state, sizeof(conn->conn_state)) < sizeof(conn->conn_state));
	assert_true(conn->half_close_bytes >= UNKNOWN_COUNT);
	if (!conn->story)
		return;
	assert_true(conn->story->len <= STORY_ITEMS_MAX);
	for (unsigned int i = 0; i < conn->story->len; i++)
		want_item(&conn->story->items[i]);
}

static void take_conn(void *ctx, const struct report_conn *conn)
{
	uint64_t *told = ctx;

	want_record(conn);
	*told += 1;
	if (!conn->peer)
		return;
	*told += 1;
	want_record(conn->peer);
	assert_int_equal(conn->peer->cookie, conn->peer_cookie);
	assert_int_equal(conn->peer->peer_cookie, conn->cookie);
	assert_null(conn->peer->peer);
}

static void live_anyhow(const struct engine_options *options)
{
	static struct bench b;
	uint64_t told = 0;
	const struct report_sink sink = { .conn = take_conn, .ctx = &told };
	struct engine_counts counts;

	bench_start_with(&b, options);
	engine_free(b.engine);
	b.engine = engine_new(options, &sink);
	assert_non_null(b.engine);
	for (int i = 0; i < EVENTS; i++)
		give_any(&b);
	bench_tick(&b, 1000 * SEC);
	engine_finish(b.engine);
	engine_counts(b.engine, &counts);
	assert_int_equal(counts.remaining, 0);
	assert_true(told >= counts.reported);
	/* of a stranger whose other end is drawn nothing is told */
	if (options->draw)
		assert_true(told <= counts.reported + counts.strangers);
	else
		assert_int_equal(told, counts.reported + counts.strangers);
	bench_end(&b);
}

/* With every choice that the engine has, and in a table that is always full. */
static void test_any_order(void **ctx)
{
	for (unsigned int choice = 0; choice < 32; choice++) {
		const struct engine_options options = { .whole = choice & 1,
							.story = choice & 2,
							.draw = choice & 4,
							.strangers = choice & 8,
							.max_connections = choice & 16 ? 3 : 1024,
							.hash_seed = choice };

		seed = 88172645463325252 + choice;
		live_anyhow(&options);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_order),
	};

	return cmocka_run_group_tests_name("story: any order", tests, NULL, NULL);
}
