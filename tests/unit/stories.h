/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the tests of stories: one end of a connection whose counters move as the
 * kernel moves them (SCENARIOS R11), with the events that the hooks and the
 * interfaces tell of it; and a story in one line of text.
 */
#ifndef CONNLIFE_TEST_STORIES_H
#define CONNLIFE_TEST_STORIES_H

#include "lives.h"

struct end {
	struct bench *b;
	uint64_t sock;
	struct ev_tuple tuple;
	uint32_t isn_local, isn_remote;
	uint8_t state;
	bool is_active;
	uint16_t flags; /* EVF_*, as they come with every step */
	struct ev_numbers numbers;
};

static inline struct end make_end(struct bench *b, uint64_t sock, bool is_active)
{
	return (struct end){
		.b = b,
		.sock = sock,
		.tuple = is_active ? make_tuple(LPORT, RPORT) : make_tuple(RPORT, LPORT),
		.isn_local = ISN_LOCAL,
		.isn_remote = ISN_REMOTE,
		.is_active = is_active,
		.numbers = { .hdr = make_hdr(EV_NUMBERS, sizeof(struct ev_numbers), sock) },
	};
}

static inline void end_tells_numbers(struct end *end)
{
	struct ev_numbers numbers = end->numbers;

	numbers.hdr.ts_ns = end->b->now;
	give(end->b, numbers);
}

/* An interface receives a segment for this end. */
static inline void end_meets(struct end *end, uint8_t tcp_flags, uint32_t seq, uint32_t ack)
{
	struct ev_segment segment = make_segment(&end->tuple, tcp_flags, end->isn_remote + seq,
						 tcp_flags & TCP_ACK ? end->isn_local + ack : 0,
						 end->state	       ? end->state
						 : tcp_flags & TCP_SYN ? ST_LISTEN
								       : ST_NEW_SYN_RECV);

	give(end->b, segment);
}

/* ---- opening ---- */

/* connect(): its port is not chosen yet, unless it was bound before. */
static inline void end_connects(struct end *end, bool is_bound)
{
	struct ev_open open = make_client(end->sock);

	open.tuple = end->tuple;
	if (!is_bound)
		open.tuple.lport = 0;
	give(end->b, open);
	end_tells_numbers(end);
	end->state = ST_SYN_SENT;
	end->numbers.snd_una = end->isn_local;
	end->numbers.snd_nxt = end->isn_local + 1;
	end->numbers.write_seq = end->isn_local + 1;
	end->numbers.segs_out = 1;
}

/* The peer's SYN, and what it acknowledges of ours. */
static inline void end_takes_syn(struct end *end, bool is_acked)
{
	end->numbers.rcv_nxt = end->isn_remote + 1;
	end->numbers.rcv_wup = end->isn_remote + 1;
	end->numbers.snd_una = end->isn_local + is_acked;
	end->numbers.bytes_acked = is_acked;
	end->numbers.segs_in++;
}

static inline void end_tells_step(struct end *end, uint8_t new_state)
{
	struct ev_state state = make_state(end->sock, end->state, new_state);

	state.sock.flags = end->flags;
	state.lport = end->tuple.lport;
	give(end->b, state);
	end->state = new_state;
}

/* The SYN+ACK came: SYN_SENT > ESTABLISHED. */
static inline void end_connected(struct end *end)
{
	end_takes_syn(end, true);
	end_tells_numbers(end);
	end_tells_step(end, ST_ESTABLISHED);
	end->numbers.segs_out++;
}

/* The last ACK of a handshake: a child of a listener is there, established. */
static inline void end_accepted(struct end *end, uint32_t synack_retrans)
{
	struct ev_open open = make_child(end->sock, ST_ESTABLISHED);

	open.tuple = end->tuple;
	open.retrans = synack_retrans;
	open.srtt_us = synack_retrans ? 0 : SRTT_US;
	open.syn_recv_ns = end->b->now + end->b->pace - 10 * US;
	open.sock.flags = end->flags;
	give(end->b, open);
	end->numbers.snd_una = end->isn_local + 1;
	end->numbers.snd_nxt = end->isn_local + 1;
	end->numbers.write_seq = end->isn_local + 1;
	end->numbers.rcv_nxt = end->isn_remote + 1;
	end->numbers.rcv_wup = end->isn_remote + 1;
	end->numbers.segs_in = 1;
	end->numbers.segs_out = 1;
	end_tells_numbers(end);
	end->state = ST_ESTABLISHED;
}

/* Opens in its role with nothing seen on the way. */
static inline void end_opens(struct end *end)
{
	if (!end->is_active) {
		end_accepted(end, 0);
		return;
	}
	end_connects(end, false);
	end_connected(end);
}

/* ---- data ---- */

/* Sent in this many segments and acknowledged in one. */
static inline void end_sends(struct end *end, uint64_t bytes, uint32_t segs)
{
	end->numbers.write_seq += (uint32_t)bytes;
	end->numbers.snd_nxt += (uint32_t)bytes;
	end->numbers.snd_una += (uint32_t)bytes;
	end->numbers.bytes_acked += bytes;
	end->numbers.segs_out += segs;
	end->numbers.segs_in++;
}

/* Received in this many segments, and one ACK sent. */
static inline void end_receives(struct end *end, uint64_t bytes, uint32_t segs)
{
	end->numbers.rcv_nxt += (uint32_t)bytes;
	end->numbers.rcv_wup = end->numbers.rcv_nxt;
	end->numbers.bytes_received += bytes;
	end->numbers.segs_in += segs;
	end->numbers.segs_out++;
}

/* 5 bytes there and 6 back: a segment each, and the ACK of each. */
static inline void end_talks(struct end *end)
{
	end_sends(end, 5, 1);
	end_receives(end, 6, 1);
}

/* ---- release ---- */

static inline void end_steps(struct end *end, uint8_t new_state)
{
	end_tells_numbers(end);
	end_tells_step(end, new_state);
	if (new_state != ST_FIN_WAIT1 && new_state != ST_LAST_ACK)
		return;
	/* the FIN is queued after the transition, and it tells what was received */
	end->numbers.write_seq++;
	end->numbers.snd_nxt++;
	end->numbers.segs_out++;
	end->numbers.rcv_wup = end->numbers.rcv_nxt;
}

/* The ACK of our FIN, in a segment of its own or along with the peer's FIN. */
static inline void end_fin_acked(struct end *end, uint32_t segs)
{
	end->numbers.snd_una++;
	end->numbers.bytes_acked++;
	end->numbers.segs_in += segs;
}

static inline void end_takes_fin(struct end *end, uint32_t segs)
{
	end->numbers.rcv_nxt++;
	end->numbers.bytes_received++;
	end->numbers.segs_in += segs;
	end->flags |= EVF_DONE;
}

static inline void end_sends_ack(struct end *end)
{
	end->numbers.rcv_wup = end->numbers.rcv_nxt;
	end->numbers.segs_out++;
}

static inline struct ev_close end_make_close(struct end *end, uint16_t error, uint16_t flags)
{
	const struct ev_numbers *numbers = &end->numbers;
	struct ev_close close = make_close(end->sock, end->state, error, flags | end->flags);

	close.lport = end->tuple.lport;
	close.stats = (struct ev_stats){ .bytes_acked = numbers->bytes_acked,
					 .bytes_received = numbers->bytes_received,
					 .segs_out = numbers->segs_out,
					 .segs_in = numbers->segs_in,
					 .srtt_us = SRTT_US,
					 .min_rtt_us = 1500,
					 .snd_una = numbers->snd_una,
					 .snd_nxt = numbers->snd_nxt,
					 .write_seq = numbers->write_seq,
					 .rcv_nxt = numbers->rcv_nxt,
					 .copied_seq = numbers->rcv_nxt };
	return close;
}

static inline void end_closes(struct end *end, uint16_t error, uint16_t flags)
{
	struct ev_close close = end_make_close(end, error, flags);

	give(end->b, close);
	end->state = ST_CLOSE;
}

/* The step to CLOSE, where a minisock goes on. */
static inline void end_leaves(struct end *end, uint8_t minisock_state, uint16_t flags)
{
	struct ev_close close = end_make_close(end, 0, flags);

	close.minisock = end->sock + 1000;
	close.minisock_state = minisock_state;
	give(end->b, close);
	end->state = ST_CLOSE;
}

/* The kernel takes up the timer of the minisock that goes on. */
static inline void end_timer_told(struct end *end, uint8_t what, uint8_t substate)
{
	struct ev_minisock_timer timer = make_timer(end->sock + 1000, what, substate, 0);

	timer.hdr.cookie = make_hdr(EV_CLOSE, 0, end->sock).cookie;
	give(end->b, timer);
}

/* close(), the ACK of the FIN: all that the socket sees of it. */
static inline void end_shuts_first(struct end *end)
{
	end_steps(end, ST_FIN_WAIT1);
	end_fin_acked(end, 1);
	end_steps(end, ST_FIN_WAIT2);
}

/* The peer's FIN is acknowledged at once, and answered later. */
static inline void end_shuts_second(struct end *end)
{
	end_takes_fin(end, 1);
	end_steps(end, ST_CLOSE_WAIT);
	end_sends_ack(end);
	end_steps(end, ST_LAST_ACK);
	end_fin_acked(end, 1);
	end_closes(end, 0, EVF_DEAD);
}

/* ---- a bench for stories ---- */

static inline void start_story(struct bench *b, bool draw, bool whole)
{
	const struct engine_options options = { .whole = whole,
						.story = true,
						.draw = draw,
						.strangers = true,
						.max_connections = 1024,
						.hash_seed = 0x5eed };

	bench_start_with(b, &options);
}

/* The only record, after all that it may wait for. */
static inline const struct report_conn *told(struct bench *b)
{
	bench_settle(b);
	engine_finish(b->engine);
	assert_int_equal(b->conns_len, 1);
	return &b->conns[0];
}

/* ---- text ---- */

struct story_text {
	char text[16384];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static inline void story_put(struct story_text *out,
								   const char *format, ...)
{
	va_list args;

	va_start(args, format);
	out->len +=
		(size_t)vsnprintf(out->text + out->len, sizeof(out->text) - out->len, format, args);
	va_end(args);
	assert_true(out->len < sizeof(out->text));
}

static inline void story_put_number(struct story_text *out, bool is_known, uint32_t number)
{
	if (is_known)
		story_put(out, "%u", number);
	else
		story_put(out, "-");
}

static inline void story_put_segment(struct story_text *out, const struct story_item *item,
				     const struct end *end)
{
	static const struct {
		uint8_t bit;
		char letter;
	} letters[] = {
		{ TCP_SYN, 'S' }, { TCP_FIN, 'F' }, { TCP_RST, 'R' },
		{ TCP_PSH, 'P' }, { TCP_URG, 'U' }, { TCP_ACK, 'A' },
	};
	bool is_out = item->way == STORY_OUT;
	uint32_t seq_base = is_out ? end->isn_local : end->isn_remote;
	uint32_t ack_base = is_out ? end->isn_remote : end->isn_local;

	story_put(out, is_out ? ">" : "<");
	for (size_t i = 0; i < ARRAY_SIZE(letters); i++)
		if (item->tcp_flags & letters[i].bit)
			story_put(out, "%c", letters[i].letter);
	story_put(out, "(");
	story_put_number(out, item->has_seq, item->seq - seq_base);
	if (item->tcp_flags & TCP_ACK) {
		story_put(out, ",");
		story_put_number(out, item->has_ack, item->ack - ack_base);
	} else if (item->has_ack) {
		story_put(out, ",has ack?");
	}
	story_put(out, ")%s%s", item->seen ? "!" : "", item->again ? "+" : "");
	if (item->tx_segs)
		story_put(out, ":%lldx%lld", (long long)item->tx_segs, (long long)item->tx_bytes);
	else if (item->payload)
		story_put(out, ":%u", item->payload);
}

/*
 * ">" sent and "<" received, the flags, (seq,ack) counted from the initial
 * numbers or "-", "!" seen on the wire, "+" again, with ":segments x bytes" where many are
 * one item; payload is [tx/rx].
 */
static inline const char *story_text(const struct report_story *story, const struct end *end)
{
	static struct story_text out;

	out.len = 0;
	out.text[0] = '\0';
	for (unsigned int i = 0; i < story->len; i++) {
		const struct story_item *item = &story->items[i];

		story_put(&out, i ? " " : "");
		if (item->kind == STORY_STATE)
			story_put(&out, "%s", name_state(item->state));
		else if (item->kind == STORY_SEGMENT)
			story_put_segment(&out, item, end);
		else
			story_put(&out, "[%lld/%lld]", (long long)item->tx_bytes,
				  (long long)item->rx_bytes);
	}
	return out.text;
}

static inline void assert_story(const struct report_conn *conn, const struct end *end,
				const char *must)
{
	assert_non_null(conn->story);
	assert_string_equal(story_text(conn->story, end), must);
}

/* NULL where the state is not in it. */
static inline const struct story_item *find_state(const struct report_story *story, uint8_t state)
{
	for (unsigned int i = 0; i < story->len; i++)
		if (story->items[i].kind == STORY_STATE && story->items[i].state == state)
			return &story->items[i];
	return NULL;
}

/* The first segment of this way with these flags. */
static inline const struct story_item *find_segment(const struct report_story *story, uint8_t way,
						    uint8_t tcp_flags)
{
	for (unsigned int i = 0; i < story->len; i++)
		if (story->items[i].kind == STORY_SEGMENT && story->items[i].way == way &&
		    story->items[i].tcp_flags == tcp_flags)
			return &story->items[i];
	return NULL;
}

/* The opening of a client and of a server where nothing was seen. */
#define CLIENT_OPENS "SYN_SENT >S(0) <SA(0,1) ESTABLISHED >A(1,1) "
#define SERVER_OPENS "<S(0) SYN_RECV >SA(0,1) <A(-,-) ESTABLISHED "

/* halfclose_server: 50 bytes still leave after the peer's FIN. */
static inline void half_close_passive(struct end *end)
{
	end_opens(end);
	end_talks(end);
	end_takes_fin(end, 1);
	end_steps(end, ST_CLOSE_WAIT);
	end_sends_ack(end);
	end_sends(end, 50, 1);
	end_steps(end, ST_LAST_ACK);
	end_fin_acked(end, 1);
	end_closes(end, 0, EVF_DEAD);
}

#endif
