/* SPDX-License-Identifier: GPL-2.0-only */
/* The items of a story: a bounded list in order, and how one is made. Knows no transition. */
#ifndef CONNLIFE_STORY_ITEMS_H
#define CONNLIFE_STORY_ITEMS_H

#include "core/story.h"

#define FIN 0x01 /* RFC 9293 3.1 */
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

/* 0: not known when. */
int64_t item_time(uint64_t ts_ns);

/* A segment that is inferred from the socket; numbers still to come, or known. */
struct story_item item_segment(uint8_t way, uint8_t tcp_flags, uint64_t ts_ns);
struct story_item item_numbered(uint8_t way, uint8_t tcp_flags, uint64_t ts_ns, uint32_t seq,
				uint32_t ack);

/* Data that this end sent again, and nothing but data. */
bool item_is_data_again(const struct story_item *item);

/* Where items are not kept, these do nothing; where memory is short, they count. */
void items_insert(struct story *story, unsigned int at, struct story_item item);
void items_append(struct story *story, struct story_item item);
void items_enter(struct story *story, uint8_t state, uint64_t ts_ns);

/*
 * In order of time, as far as times are known: a retransmission is traced after
 * it was sent, when its answer may have come already. An item without a time
 * stays where it is.
 */
void items_sort(struct story *story);

/* What the socket proves to have come; not told twice if it was seen. */
void items_received(struct story *story, struct story_item item);

#endif
