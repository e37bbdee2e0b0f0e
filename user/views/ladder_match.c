// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which segments of two stories are the same: what one end sent and the other
 * received. Knows nothing of rows.
 */
#include "views/ladder_rows.h"

/* Up to here a time that was inferred may be wrong; shorter than any first retransmission. */
#define SLACK_NS INT64_C(100000000)

struct sequence {
	const struct report_story *story;
	unsigned int *partner;
};

static bool is_same_number(bool has_one, uint32_t one, bool has_other, uint32_t other)
{
	return !has_one || !has_other || one == other;
}

/* An inferred segment knows neither PSH nor, if it is a reset, whether ACK was set. */
static bool is_same(const struct story_item *sent, const struct story_item *received)
{
	uint8_t differs = sent->tcp_flags ^ received->tcp_flags;

	if (sent->tx_segs) /* many in one line */
		return false;
	if (differs & (SYN | FIN | RST))
		return false;
	if (sent->tcp_flags & RST)
		return true;
	if (differs & ACK)
		return false;
	if (sent->tcp_flags & FIN) /* the number of the FIN itself */
		return is_same_number(sent->has_seq, sent->seq + sent->payload, received->has_seq,
				      received->seq + received->payload);
	if (sent->tcp_flags & SYN)
		return is_same_number(sent->has_seq, sent->seq, received->has_seq, received->seq);
	if (sent->payload)
		return sent->payload == received->payload &&
		       is_same_number(sent->has_seq, sent->seq, received->has_seq, received->seq);
	/* for a mere ACK it is ack that counts: seq is often that of a later moment */
	return !received->payload &&
	       is_same_number(sent->has_ack, sent->ack, received->has_ack, received->ack);
}

static bool is_later(const struct story_item *sent, const struct story_item *received,
		     int64_t slack)
{
	int64_t by;

	if (sent->ts_ns == UNKNOWN_NS || received->ts_ns == UNKNOWN_NS)
		return false;
	return __builtin_sub_overflow(sent->ts_ns, received->ts_ns, &by) ? sent->ts_ns > 0
									 : by > slack;
}

/*
 * Of repetitions the latest that was sent before this was received, as earlier
 * ones were lost or have a partner; where times are not known, the first.
 */
static unsigned int sent_as(const struct sequence *sender, unsigned int from,
			    const struct story_item *received)
{
	unsigned int best = LADDER_NOWHERE;

	for (unsigned int i = from; i < sender->story->len; i++) {
		const struct story_item *sent = &sender->story->items[i];

		if (sent->kind != STORY_SEGMENT || sent->way != STORY_OUT ||
		    !is_same(sent, received))
			continue;
		if (best == LADDER_NOWHERE) {
			if (!is_later(sent, received, SLACK_NS))
				best = i;
		} else if (sent->ts_ns != UNKNOWN_NS && received->ts_ns != UNKNOWN_NS &&
			   !is_later(sent, received, 0)) {
			best = i;
		}
	}
	return best;
}

static void match_one_way(const struct sequence *sender, const struct sequence *receiver)
{
	unsigned int from = 0;

	for (unsigned int i = 0; i < receiver->story->len; i++) {
		const struct story_item *item = &receiver->story->items[i];
		unsigned int sent;

		if (item->kind != STORY_SEGMENT || item->way != STORY_IN)
			continue;
		sent = sent_as(sender, from, item);
		if (sent == LADDER_NOWHERE)
			continue;
		sender->partner[sent] = i;
		receiver->partner[i] = sent;
		from = sent + 1;
	}
}

void ladder_match(const struct report_story *left, unsigned int *of_left,
		  const struct report_story *right, unsigned int *of_right)
{
	const struct sequence one = { left, of_left }, other = { right, of_right };

	for (unsigned int i = 0; i < left->len; i++)
		of_left[i] = LADDER_NOWHERE;
	for (unsigned int i = 0; i < right->len; i++)
		of_right[i] = LADDER_NOWHERE;
	match_one_way(&one, &other);
	match_one_way(&other, &one);
}
