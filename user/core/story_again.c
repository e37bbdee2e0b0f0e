// SPDX-License-Identifier: GPL-2.0-only
/* What an end sent again, as items of its story. */
#include <stddef.h>

#include "core/story_flow.h"
#include "core/story_items.h"

#define AGAINS_SHOWN 7 /* of data, in one state; the last of them stands for the rest */

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
		flow_tell_before(story, event);
		append_again(story, &item);
	}
	story->told_segs_out++;
}
