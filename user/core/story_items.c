// SPDX-License-Identifier: GPL-2.0-only
#include "core/story_items.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_KEPT (STORY_ITEMS_MAX * 2 / 3)

static bool make_room(struct story *story)
{
	struct story_item *items;
	uint16_t cap;

	if (story->len < story->cap)
		return true;
	if (story->len == STORY_ITEMS_MAX) {
		memmove(&story->items[FIRST_KEPT], &story->items[FIRST_KEPT + 1],
			(STORY_ITEMS_MAX - FIRST_KEPT - 1) * sizeof(*items));
		story->len--;
		story->left_out++;
		if (story->owed_ack_at > FIRST_KEPT)
			story->owed_ack_at--;
		return true;
	}
	cap = story->cap ? story->cap * 2 : 12;
	if (cap > STORY_ITEMS_MAX)
		cap = STORY_ITEMS_MAX;
	items = realloc(story->items, cap * sizeof(*items));
	if (!items) {
		story->left_out++;
		return false;
	}
	story->items = items;
	story->cap = cap;
	return true;
}

void items_insert(struct story *story, unsigned int at, struct story_item item)
{
	uint16_t len = story->len;

	if (!story->keeps_items || !make_room(story))
		return;
	if (story->len < len && at > FIRST_KEPT)
		at--; /* the first of the latest ones has gone */
	if (at > story->len)
		at = story->len;
	memmove(&story->items[at + 1], &story->items[at],
		(story->len - at) * sizeof(*story->items));
	story->items[at] = item;
	story->len++;
}

void items_append(struct story *story, struct story_item item)
{
	items_insert(story, story->len, item);
}

int64_t item_time(uint64_t ts_ns)
{
	return ts_ns ? (int64_t)ts_ns : UNKNOWN_NS;
}

void items_enter(struct story *story, uint8_t state, uint64_t ts_ns)
{
	items_append(story, (struct story_item){ .ts_ns = item_time(ts_ns),
						 .kind = STORY_STATE,
						 .state = state });
}

struct story_item item_segment(uint8_t way, uint8_t tcp_flags, uint64_t ts_ns)
{
	return (struct story_item){
		.ts_ns = item_time(ts_ns), .kind = STORY_SEGMENT, .way = way, .tcp_flags = tcp_flags
	};
}

struct story_item item_numbered(uint8_t way, uint8_t tcp_flags, uint64_t ts_ns, uint32_t seq,
				uint32_t ack)
{
	struct story_item item = item_segment(way, tcp_flags, ts_ns);

	item.has_seq = true;
	item.seq = seq;
	item.has_ack = tcp_flags & ACK;
	item.ack = ack;
	return item;
}

bool item_is_data_again(const struct story_item *item)
{
	return item->kind == STORY_SEGMENT && item->way == STORY_OUT && item->again &&
	       item->payload && !(item->tcp_flags & (SYN | FIN | RST));
}

/* What the socket proves to have come; unless it was seen, then nothing is to be inferred. */
void items_received(struct story *story, struct story_item item)
{
	uint8_t compared = FIN | SYN | RST | (item.tcp_flags & SYN ? ACK : 0);

	for (unsigned int i = story->len; i-- > 0;) {
		const struct story_item *seen = &story->items[i];

		if (seen->kind != STORY_SEGMENT || !seen->seen || seen->way != STORY_IN)
			continue;
		if (item.tcp_flags == ACK && seen->tcp_flags & ACK &&
		    (!item.has_ack || seen->ack == item.ack))
			return; /* a FIN may have taken it along */
		if (item.tcp_flags != ACK && !((seen->tcp_flags ^ item.tcp_flags) & compared))
			return;
	}
	items_append(story, item);
}

/* The last item with a time before at; at itself if there is none. */
static unsigned int timed_before(const struct story *story, unsigned int at)
{
	for (unsigned int i = at; i-- > 0;) {
		if (story->items[i].ts_ns != UNKNOWN_NS)
			return i;
	}
	return at;
}

void items_sort(struct story *story)
{
	for (unsigned int i = 1; i < story->len; i++) {
		struct story_item item = story->items[i];
		unsigned int at = i, before;

		while (item.ts_ns != UNKNOWN_NS && (before = timed_before(story, at)) != at &&
		       story->items[before].ts_ns > item.ts_ns)
			at = before;
		memmove(&story->items[at + 1], &story->items[at], (i - at) * sizeof(*story->items));
		story->items[at] = item;
	}
}
