// SPDX-License-Identifier: GPL-2.0-only
#include "core/story.h"

#include <stdlib.h>

#include "base/fetch.h"
#include "core/story_flow.h"
#include "core/story_items.h"

#define SYNACKS_SHOWN 6 /* net.ipv4.tcp_synack_retries and one */

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

void story_found(struct story *story, const struct ev_found *event, enum conn_role role)
{
	uint8_t state = event->sock.new_state;

	story->fin_received = event->sock.flags & EVF_DONE;
	story->fin_sent = state == ST_FIN_WAIT1 || state == ST_FIN_WAIT2 || state == ST_CLOSING ||
			  state == ST_LAST_ACK;
	flow_take_stats(story, &event->stats);
	items_enter(story, state, 0);
	if (role != ROLE_CLIENT && role != ROLE_SERVER)
		return;
	flow_learn_isns(story, role);
	story->has_numbers = story->has_isn_local;
	story->told_tx = flow_written(story);
	story->told_rx = flow_arrived(story);
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
	flow_number_syns(story);
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
	flow_tell(story, false);
	settle_half_close(story, flow_written(story));
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
		flow_tell(story, false);
		items_enter(story, ST_FIN_WAIT1, ts_ns);
		send_fin(story, ts_ns);
		break;
	case ST_FIN_WAIT2:
		flow_tell(story, true);
		take_ack_of_fin(story, ts_ns);
		items_enter(story, ST_FIN_WAIT2, ts_ns);
		story->segs_in_mark = story->numbers.segs_in;
		mark_close(story, flow_arrived(story));
		break;
	case ST_CLOSE_WAIT:
		flow_tell(story, true);
		take_fin(story, ts_ns);
		items_enter(story, ST_CLOSE_WAIT, ts_ns);
		story->owed_ack_at = story->len;
		story->owed_ack_seq = story->numbers.snd_nxt;
		mark_close(story, flow_written(story));
		break;
	case ST_LAST_ACK:
		close_after_peer(story, ts_ns);
		break;
	case ST_CLOSING:
		story->told_segs_out++; /* tcp_fin() acknowledges first */
		flow_tell(story, true);
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
	flow_tell(story, true);
	settle_half_close(story, flow_arrived(story));
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
	flow_take_stats(story, stats);
	story->fin_received |= !!(flags & EVF_DONE);
	number_reset(story);
	if (minisock_state == ST_FIN_WAIT2) {
		flow_tell(story, false);
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
	flow_tell(story, false);
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

/* ---- resets, and what is seen ---- */

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
