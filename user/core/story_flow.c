// SPDX-License-Identifier: GPL-2.0-only
#include "core/story_flow.h"

#include "core/story_items.h"

void flow_number_syns(struct story *story)
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

void flow_learn_isns(struct story *story, enum conn_role role)
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
	flow_number_syns(story);
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

uint64_t flow_written(const struct story *story)
{
	const struct ev_numbers *numbers = &story->numbers;

	return payload_until(story, numbers->write_seq, numbers->snd_una, numbers->bytes_acked);
}

uint64_t flow_arrived(const struct story *story)
{
	return payload_received(story, story->numbers.bytes_received);
}

void story_numbers(struct story *story, const struct ev_numbers *event, enum conn_role role)
{
	story->numbers = *event;
	flow_learn_isns(story, role);
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

void flow_tell(struct story *story, bool by_segment)
{
	const struct flow flow = { .tx = flow_written(story),
				   .rx = flow_arrived(story),
				   .segs_out = story->numbers.segs_out,
				   .segs_in = story->numbers.segs_in,
				   .by_segment = by_segment };

	if (story->has_isn_local)
		tell_flow(story, &flow);
}

void flow_take_stats(struct story *story, const struct ev_stats *stats)
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

void flow_tell_before(struct story *story, const struct ev_sent_again *event)
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
