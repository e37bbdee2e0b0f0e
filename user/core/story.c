// SPDX-License-Identifier: GPL-2.0-only
#include "core/story.h"

#include <stdlib.h>

#include "base/fetch.h"
#include "core/story_items.h"

#define SYNACKS_SHOWN 6 /* net.ipv4.tcp_synack_retries and one */
#define AGAINS_SHOWN 7 /* of data, in one state; the last of them stands for the rest */

struct story *story_new(bool keeps_items)
{
	struct story *story = calloc(1, sizeof(*story));

	if (!story)
		return NULL;
	story->keeps_items = keeps_items;
	story->half_close_bytes = UNKNOWN_COUNT;
	return story;
}

void story_fetch(const struct story *story)
{
	fetch(story, sizeof(*story));
}

void story_free(struct story *story)
{
	if (!story)
		return;
	free(story->items);
	free(story);
}

/* ---- sequence numbers ---- */

/* SYNs were told before anyone knew where they start. */
static void number_syns(struct story *story)
{
	for (unsigned int i = 0; story->has_isn_local && i < story->len; i++) {
		struct story_item *item = &story->items[i];
		bool is_out = item->way == STORY_OUT;

		if (item->kind != STORY_SEGMENT || !(item->tcp_flags & SYN) || item->seen)
			continue;
		item->has_seq = true;
		item->seq = is_out ? story->isn_local : story->isn_remote;
		item->has_ack = item->tcp_flags & ACK;
		item->ack = (is_out ? story->isn_remote : story->isn_local) + 1;
	}
}

/* RFC 9293 3.5: what answers a SYN acknowledges its number and one. */
static void check_handshake(struct story *story)
{
	if (story->synack_seen && story->synack_ack != story->isn_local + 1)
		story->violations |= VIOLATION_SYNACK_ACK;
	if (story->ack_seen && story->first_ack != story->isn_local + 1)
		story->violations |= VIOLATION_HANDSHAKE_ACK;
}

/* Initial sequence numbers by what was acknowledged and received since (SCENARIOS R11). */
static void learn_isns(struct story *story, enum conn_role role)
{
	const struct ev_numbers *numbers = &story->numbers;

	/* an opener's are only there when its SYN is acknowledged */
	if (story->has_isn_local || role == ROLE_UNKNOWN ||
	    (role != ROLE_SERVER && !numbers->bytes_acked))
		return;
	story->is_active = role != ROLE_SERVER;
	story->isn_local = numbers->snd_una - (uint32_t)numbers->bytes_acked - !story->is_active;
	story->isn_remote = numbers->rcv_nxt - (uint32_t)numbers->bytes_received - 1;
	story->has_isn_local = true;
	story->has_isn_remote = true;
	number_syns(story);
	check_handshake(story);
}

/* How much payload there is up to a number of this end. */
static uint64_t payload_until(const struct story *story, uint32_t seq, uint32_t snd_una,
			      uint64_t bytes_acked)
{
	uint64_t all = bytes_acked + (uint32_t)(seq - snd_una);
	uint64_t flags = (uint64_t)story->is_active + story->fin_sent;

	return all > flags ? all - flags : 0;
}

static uint64_t payload_received(const struct story *story, uint64_t bytes)
{
	return bytes - (story->fin_received && bytes);
}

/* Payload that the application gave to the socket, sent or not. */
static uint64_t written(const struct story *story)
{
	const struct ev_numbers *numbers = &story->numbers;

	return payload_until(story, numbers->write_seq, numbers->snd_una, numbers->bytes_acked);
}

static uint64_t arrived(const struct story *story)
{
	return payload_received(story, story->numbers.bytes_received);
}

void story_numbers(struct story *story, const struct ev_numbers *event, enum conn_role role)
{
	story->numbers = *event;
	learn_isns(story, role);
	if (!story->has_numbers && story->has_isn_local) {
		story->told_segs_in = event->segs_in;
		story->told_segs_out = event->segs_out;
	}
	story->has_numbers |= story->has_isn_local;
}

/* A FIN or RST that is there before the step that it causes: data came before it. */
static unsigned int before_end(const struct story *story)
{
	unsigned int at = story->len;

	while (at && story->items[at - 1].kind == STORY_SEGMENT &&
	       (story->items[at - 1].tcp_flags & RST ||
		(story->items[at - 1].seen && story->items[at - 1].way == STORY_IN &&
		 story->items[at - 1].tcp_flags & FIN)))
		at--;
	return at;
}

/* All that flowed until a moment. */
struct flow {
	uint64_t tx, rx; /* payload */
	uint32_t segs_out, segs_in;
	bool by_segment; /* the latest segment is not data */
};

/* What flowed since the last time, in one item. */
static void tell_flow(struct story *story, const struct flow *flow)
{
	uint32_t segs_out = flow->segs_out - story->told_segs_out;
	uint32_t segs_in = flow->segs_in - story->told_segs_in;
	uint64_t tx = flow->tx - story->told_tx, rx = flow->rx - story->told_rx;
	bool is_first = !story->told_tx && !story->told_rx;

	story->told_tx = flow->tx;
	story->told_rx = flow->rx;
	story->told_segs_out = flow->segs_out;
	story->told_segs_in = flow->segs_in;
	if (!tx && !rx)
		return;
	if (flow->by_segment && segs_in > (rx != 0))
		segs_in--;
	if ((int32_t)segs_out < (tx != 0))
		segs_out = tx != 0;
	story->data_out_first |= is_first && tx && !rx;
	story->data_in_first |= is_first && rx && !tx;
	items_insert(story, before_end(story),
		     (struct story_item){ .ts_ns = UNKNOWN_NS,
					  .kind = STORY_DATA,
					  .tx_bytes = (int64_t)tx,
					  .rx_bytes = (int64_t)rx,
					  .tx_segs = segs_out,
					  .rx_segs = segs_in });
}

static void tell_data(struct story *story, bool by_segment)
{
	const struct flow flow = { .tx = written(story),
				   .rx = arrived(story),
				   .segs_out = story->numbers.segs_out,
				   .segs_in = story->numbers.segs_in,
				   .by_segment = by_segment };

	if (story->has_isn_local)
		tell_flow(story, &flow);
}

static void take_stats(struct story *story, const struct ev_stats *stats)
{
	struct ev_numbers *numbers = &story->numbers;

	numbers->bytes_acked = stats->bytes_acked;
	numbers->bytes_received = stats->bytes_received;
	numbers->snd_una = stats->snd_una;
	numbers->snd_nxt = stats->snd_nxt;
	numbers->write_seq = stats->write_seq;
	numbers->rcv_nxt = stats->rcv_nxt;
	numbers->segs_in = stats->segs_in;
	numbers->segs_out = stats->segs_out;
}

void story_found(struct story *story, const struct ev_found *event, enum conn_role role)
{
	uint8_t state = event->sock.new_state;

	story->fin_received = event->sock.flags & EVF_DONE;
	story->fin_sent = state == ST_FIN_WAIT1 || state == ST_FIN_WAIT2 || state == ST_CLOSING ||
			  state == ST_LAST_ACK;
	take_stats(story, &event->stats);
	items_enter(story, state, 0);
	if (role != ROLE_CLIENT && role != ROLE_SERVER)
		return;
	learn_isns(story, role);
	story->has_numbers = story->has_isn_local;
	story->told_tx = written(story);
	story->told_rx = arrived(story);
	story->told_segs_in = event->stats.segs_in;
	story->told_segs_out = event->stats.segs_out;
}

/* ---- opening ---- */

void story_client_opened(struct story *story, uint64_t ts_ns)
{
	items_enter(story, ST_SYN_SENT, ts_ns);
	items_append(story, item_segment(STORY_OUT, SYN, ts_ns));
}

static void established(struct story *story, uint8_t old_state, uint64_t ts_ns)
{
	uint32_t local = story->isn_local + 1, remote = story->isn_remote + 1;
	bool is_numbered = story->has_isn_local;

	if (old_state == ST_SYN_SENT) {
		items_received(story, item_segment(STORY_IN, SYN | ACK, ts_ns));
		items_enter(story, ST_ESTABLISHED, ts_ns);
		story->told_segs_out++;
		items_append(story, is_numbered
					    ? item_numbered(STORY_OUT, ACK, ts_ns, local, remote)
					    : item_segment(STORY_OUT, ACK, ts_ns));
	} else if (story->is_simultaneous) {
		items_received(story, item_segment(STORY_IN, SYN | ACK, ts_ns));
		items_enter(story, ST_ESTABLISHED, ts_ns);
	} else {
		items_received(story, is_numbered
					      ? item_numbered(STORY_IN, ACK, ts_ns, remote, local)
					      : item_segment(STORY_IN, ACK, ts_ns));
		items_enter(story, ST_ESTABLISHED, ts_ns);
	}
	number_syns(story);
}

void story_server_opened(struct story *story, uint64_t syn_ns, uint32_t synack_retrans)
{
	struct story_item again = item_segment(STORY_OUT, SYN | ACK, 0);
	unsigned int at = 0;

	items_received(story, item_segment(STORY_IN, SYN, syn_ns));
	/* the last ACK was seen before this: it stays behind the answer to the SYN */
	while (at < story->len && story->items[at].tcp_flags & SYN)
		at++;
	items_insert(story, at++,
		     (struct story_item){ .ts_ns = item_time(syn_ns),
					  .kind = STORY_STATE,
					  .state = ST_SYN_RECV });
	items_insert(story, at++, item_segment(STORY_OUT, SYN | ACK, syn_ns));
	again.again = true;
	for (uint32_t i = 0; i < synack_retrans && i < SYNACKS_SHOWN; i++)
		items_insert(story, at++, again);
}

/* ---- release ---- */

static void send_fin(struct story *story, uint64_t ts_ns)
{
	const struct ev_numbers *numbers = &story->numbers;

	if (story->has_numbers)
		items_append(story, item_numbered(STORY_OUT, FIN | ACK, ts_ns, numbers->write_seq,
						  numbers->rcv_nxt));
	else
		items_append(story, item_segment(STORY_OUT, FIN | ACK, ts_ns));
	story->fin_sent = true;
	story->told_segs_out++;
	if (story->has_numbers)
		story->numbers.write_seq++;
}

/* The peer's FIN was taken: rcv_nxt counts it already. */
static void take_fin(struct story *story, uint64_t ts_ns)
{
	const struct ev_numbers *numbers = &story->numbers;

	if (story->has_numbers)
		items_received(story, item_numbered(STORY_IN, FIN | ACK, ts_ns,
						    numbers->rcv_nxt - 1, numbers->snd_una));
	else
		items_received(story, item_segment(STORY_IN, FIN | ACK, ts_ns));
}

static struct story_item own_ack(const struct story *story, uint64_t ts_ns)
{
	const struct ev_numbers *numbers = &story->numbers;

	if (!story->has_numbers)
		return item_segment(STORY_OUT, ACK, ts_ns);
	return item_numbered(STORY_OUT, ACK, ts_ns, numbers->write_seq, numbers->rcv_nxt);
}

static void take_ack_of_fin(struct story *story, uint64_t ts_ns)
{
	const struct ev_numbers *numbers = &story->numbers;

	if (story->has_numbers)
		items_received(story, item_numbered(STORY_IN, ACK, ts_ns, numbers->rcv_nxt,
						    numbers->write_seq));
	else
		items_received(story, item_segment(STORY_IN, ACK, ts_ns));
}

static void mark_close(struct story *story, uint64_t payload)
{
	story->has_close_mark = story->has_numbers;
	story->close_mark = payload;
}

static void settle_half_close(struct story *story, uint64_t payload)
{
	int64_t since;

	if (story->has_close_mark && !__builtin_sub_overflow(payload, story->close_mark, &since) &&
	    since >= 0)
		story->half_close_bytes = since;
}

/* Our FIN answers theirs: with an ACK of its own before, or in one segment. */
static void close_after_peer(struct story *story, uint64_t ts_ns)
{
	bool along = story->has_numbers && story->numbers.rcv_wup != story->numbers.rcv_nxt;

	if (story->has_numbers) {
		story->fin_acked_along = along;
		story->fin_acked_apart = !along;
	}
	if (!along && story->owed_ack_at) {
		struct story_item ack = own_ack(story, 0);

		ack.seq = story->owed_ack_seq;
		story->told_segs_out++;
		items_insert(story, story->owed_ack_at, ack);
	}
	story->owed_ack_at = 0;
	tell_data(story, false);
	settle_half_close(story, written(story));
	items_enter(story, ST_LAST_ACK, ts_ns);
	send_fin(story, ts_ns);
}

void story_step(struct story *story, uint8_t old_state, uint8_t new_state, uint16_t flags,
		uint64_t ts_ns)
{
	story->fin_received |= !!(flags & EVF_DONE);
	switch (new_state) {
	case ST_SYN_RECV: /* a simultaneous open */
		story->is_simultaneous = true;
		items_received(story, item_segment(STORY_IN, SYN, ts_ns));
		items_enter(story, ST_SYN_RECV, ts_ns);
		items_append(story, item_segment(STORY_OUT, SYN | ACK, ts_ns));
		break;
	case ST_ESTABLISHED:
		established(story, old_state, ts_ns);
		break;
	case ST_FIN_WAIT1:
		tell_data(story, false);
		items_enter(story, ST_FIN_WAIT1, ts_ns);
		send_fin(story, ts_ns);
		break;
	case ST_FIN_WAIT2:
		tell_data(story, true);
		take_ack_of_fin(story, ts_ns);
		items_enter(story, ST_FIN_WAIT2, ts_ns);
		story->segs_in_mark = story->numbers.segs_in;
		mark_close(story, arrived(story));
		break;
	case ST_CLOSE_WAIT:
		tell_data(story, true);
		take_fin(story, ts_ns);
		items_enter(story, ST_CLOSE_WAIT, ts_ns);
		story->owed_ack_at = story->len;
		story->owed_ack_seq = story->numbers.snd_nxt;
		mark_close(story, written(story));
		break;
	case ST_LAST_ACK:
		close_after_peer(story, ts_ns);
		break;
	case ST_CLOSING:
		story->told_segs_out++; /* tcp_fin() acknowledges first */
		tell_data(story, true);
		take_fin(story, ts_ns);
		items_enter(story, ST_CLOSING, ts_ns);
		items_append(story, own_ack(story, ts_ns));
		break;
	default:
		items_enter(story, new_state, ts_ns);
		break;
	}
}

/* The last segment took the ACK of our FIN along, or that had come before. */
static void meet_fin(struct story *story, uint64_t ts_ns)
{
	bool along = story->numbers.segs_in == story->segs_in_mark;

	story->fin_acked_along = along;
	story->fin_acked_apart = !along;
	story->told_segs_out++; /* tcp_fin() acknowledges first */
	tell_data(story, true);
	settle_half_close(story, arrived(story));
	if (along) {
		/* the ACK told at FIN_WAIT2 was this FIN's, unless that was seen */
		for (unsigned int i = story->len; i-- > 0;) {
			struct story_item *item = &story->items[i];

			if (item->kind == STORY_STATE && item->state == ST_FIN_WAIT1)
				break;
			if (item->kind != STORY_SEGMENT || item->way != STORY_IN || item->seen ||
			    item->tcp_flags != ACK)
				continue;
			item->tcp_flags = FIN | ACK;
			if (story->has_numbers)
				item->seq = story->numbers.rcv_nxt - 1;
			return;
		}
	}
	take_fin(story, ts_ns);
}

/* A reset that goes before the step to CLOSE was told with the numbers of an older step. */
static void number_reset(struct story *story)
{
	for (unsigned int i = story->len; story->reset_unnumbered && i-- > 0;) {
		struct story_item *item = &story->items[i];

		if (item->kind != STORY_SEGMENT || item->way != STORY_OUT ||
		    !(item->tcp_flags & RST))
			continue;
		item->has_seq = story->has_numbers;
		item->has_ack = story->has_numbers && item->tcp_flags & ACK;
		item->seq = story->numbers.snd_nxt;
		item->ack = story->numbers.rcv_nxt;
		story->reset_unnumbered = false;
	}
	story->closed = true;
}

void story_close(struct story *story, uint8_t old_state, uint16_t flags,
		 const struct ev_stats *stats, uint8_t minisock_state, uint64_t ts_ns)
{
	take_stats(story, stats);
	story->fin_received |= !!(flags & EVF_DONE);
	number_reset(story);
	if (minisock_state == ST_FIN_WAIT2) {
		tell_data(story, false);
		return;
	}
	if (old_state == ST_FIN_WAIT2 && flags & EVF_DONE) {
		meet_fin(story, ts_ns);
		items_enter(story, minisock_state == ST_NONE ? ST_CLOSE : ST_TIME_WAIT, ts_ns);
		items_append(story, own_ack(story, ts_ns));
		return;
	}
	if (minisock_state == ST_TIME_WAIT || old_state == ST_LAST_ACK) {
		if (story->numbers.snd_una == story->numbers.write_seq)
			take_ack_of_fin(story, ts_ns);
		items_enter(story, minisock_state == ST_TIME_WAIT ? ST_TIME_WAIT : ST_CLOSE, ts_ns);
		return;
	}
	tell_data(story, false);
	items_enter(story, ST_CLOSE, ts_ns);
}

void story_time_wait(struct story *story, uint64_t ts_ns)
{
	struct story_item ack;

	story->fin_acked_apart = true; /* the socket saw its FIN acknowledged and went */
	story->fin_received = true;
	story->numbers.rcv_nxt++;
	settle_half_close(story, story->numbers.bytes_received);
	take_fin(story, ts_ns);
	items_enter(story, ST_TIME_WAIT, ts_ns);
	ack = own_ack(story, ts_ns);
	items_append(story, ack);
}

/* ---- resets, repetitions, and what is seen ---- */

void story_reset_sent(struct story *story, bool is_reply, uint64_t ts_ns)
{
	/* the answer to a segment takes its number from there (RFC 9293 3.10.7.1) */
	if (!is_reply && !story->closed) {
		story->reset_unnumbered = true;
		items_append(story, item_segment(STORY_OUT, RST | ACK, ts_ns));
	} else if (story->has_numbers && !is_reply)
		items_append(story, item_numbered(STORY_OUT, RST | ACK, ts_ns,
						  story->numbers.snd_nxt, story->numbers.rcv_nxt));
	else
		items_append(story, item_segment(STORY_OUT, RST, ts_ns));
}

void story_reset_received(struct story *story)
{
	unsigned int at = story->len;

	for (unsigned int i = 0; i < story->len; i++) {
		const struct story_item *item = &story->items[i];

		if (item->kind == STORY_SEGMENT && item->seen && item->tcp_flags & RST &&
		    item->way == STORY_IN)
			return;
	}
	/* before the step that it caused */
	while (at && story->items[at - 1].ts_ns != UNKNOWN_NS &&
	       story->items[at - 1].ts_ns >= (int64_t)story->reset_received_ns)
		at--;
	items_insert(story, at, item_segment(STORY_IN, RST, story->reset_received_ns));
}

static struct story_item item_again(const struct ev_retransmit *event)
{
	uint8_t tcp_flags = event->tcp_flags & (FIN | SYN | RST | ACK);
	struct story_item item =
		item_numbered(STORY_OUT, tcp_flags, event->hdr.ts_ns, event->seq, 0);

	item.has_ack = false;
	item.payload = event->end_seq - event->seq - !!(tcp_flags & FIN) - !!(tcp_flags & SYN);
	if (tcp_flags & FIN)
		item.seq = event->end_seq - 1 - item.payload;
	item.again = true;
	return item;
}

void story_retransmit(struct story *story, const struct ev_retransmit *event)
{
	items_append(story, item_again(event));
}

/* What was sent and received before a repetition; of what waits to be sent nothing is told yet. */
static void tell_data_before(struct story *story, const struct ev_sent_again *event)
{
	struct flow flow = { .tx = payload_until(story, event->snd_nxt, event->snd_una,
						 event->bytes_acked),
			     .rx = payload_received(story, event->bytes_received),
			     .segs_out = event->segs_out - 1,
			     .segs_in = event->segs_in };

	if (!story->has_numbers)
		return;
	/* after a FIN all of it has been told */
	if (flow.tx < story->told_tx)
		flow.tx = story->told_tx;
	if (flow.rx < story->told_rx)
		flow.rx = story->told_rx;
	if (flow.tx != story->told_tx || flow.rx != story->told_rx)
		tell_flow(story, &flow);
}

static void append_again(struct story *story, const struct story_item *item)
{
	struct story_item *last = story->len ? &story->items[story->len - 1] : NULL;
	bool follows = last && item_is_data_again(last) && !last->tx_segs &&
		       last->seq + last->payload == item->seq;
	uint32_t payload;

	if (follows && !__builtin_add_overflow(last->payload, item->payload, &payload))
		last->payload = payload; /* one loss, a segment at a time */
	else
		items_append(story, *item);
}

/* How many repetitions of data there are since the latest state, and the last of them. */
static struct story_item *latest_again(const struct story *story, unsigned int *count)
{
	struct story_item *latest = NULL;

	*count = 0;
	for (unsigned int i = story->len; i-- > 0 && story->items[i].kind != STORY_STATE;) {
		if (!item_is_data_again(&story->items[i]))
			continue;
		latest = latest ? latest : &story->items[i];
		++*count;
	}
	return latest;
}

static void fold_again(struct story_item *folded, uint32_t payload)
{
	if (!folded->tx_segs) {
		folded->tx_segs = 1;
		folded->tx_bytes = folded->payload;
	}
	folded->tx_segs++;
	folded->tx_bytes += payload;
}

void story_sent_again(struct story *story, const struct ev_sent_again *event)
{
	struct story_item item = item_again(&event->segment), *latest;
	unsigned int count;

	item.has_ack = item.tcp_flags & ACK;
	item.ack = event->rcv_nxt;
	if (!item_is_data_again(&item)) {
		items_append(story, item);
		return;
	}
	latest = latest_again(story, &count);
	if (count >= AGAINS_SHOWN) {
		fold_again(latest, item.payload);
	} else {
		tell_data_before(story, event);
		append_again(story, &item);
	}
	story->told_segs_out++;
}

static bool was_seen(const struct story *story, const struct story_item *item)
{
	for (unsigned int i = story->len; i-- > 0;) {
		const struct story_item *before = &story->items[i];

		if (before->kind == STORY_SEGMENT && before->way == STORY_IN &&
		    before->tcp_flags == item->tcp_flags && before->has_seq &&
		    before->seq == item->seq && (item->tcp_flags & (SYN | FIN | RST)))
			return true;
	}
	return false;
}

void story_segment(struct story *story, const struct ev_segment *event)
{
	struct story_item item = item_numbered(STORY_IN, event->tcp_flags & 0x3f, event->hdr.ts_ns,
					       event->seq, event->ack);

	item.seen = true;
	item.payload = event->payload;
	item.again = was_seen(story, &item);
	if ((item.tcp_flags & (SYN | ACK)) == SYN) {
		story->syn_seen = true;
		story->syns_seen++;
		story->syn_met_full |= !!(story->syn_met & MET_FULL_QUEUE);
		story->syn_met = event->met_flags;
	}
	if (item.tcp_flags & SYN && !story->has_isn_remote) {
		story->has_isn_remote = true;
		story->isn_remote = event->seq;
	}
	if ((item.tcp_flags & (SYN | ACK)) == (SYN | ACK) && !story->synack_seen) {
		story->synack_seen = true;
		story->synack_ack = item.ack;
	}
	if (item.tcp_flags == ACK && story->syn_seen && !story->ack_seen && !story->has_isn_local) {
		story->ack_seen = true;
		/* of a cookie there is no request between SYN and ACK */
		story->cookie_open = event->met_state == ST_LISTEN;
		story->ack_seen_ns = event->hdr.ts_ns;
		story->first_ack = item.ack;
		if (item.seq == story->isn_remote + 1 && !item.payload)
			story->ack_met = event->met_flags;
	}
	items_append(story, item);
}

void story_flags(struct story *story, const struct ev_flags *event)
{
	story->has_flags = true;
	story->flags = (struct report_flags){ .syn = event->syn,
					      .ack = event->ack,
					      .fin = event->fin,
					      .rst = event->rst,
					      .psh = event->psh,
					      .urg = event->urg };
}

const struct report_story *story_shown(struct story *story)
{
	items_sort(story);
	story->shown = (struct report_story){ .items = story->items,
					      .len = story->len,
					      .left_out = story->left_out,
					      .has_isn_local = story->has_isn_local,
					      .has_isn_remote = story->has_isn_remote,
					      .isn_local = story->isn_local,
					      .isn_remote = story->isn_remote };
	return &story->shown;
}
