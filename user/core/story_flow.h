/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sequence spaces of a story: where they start, how much payload passed, and
 * the item that tells it. Knows no transition.
 */
#ifndef CONNLIFE_STORY_FLOW_H
#define CONNLIFE_STORY_FLOW_H

#include "core/story.h"

/* Initial sequence numbers by what was acknowledged and received since (SCENARIOS R11). */
void flow_learn_isns(struct story *story, enum conn_role role);

/* SYNs were told before anyone knew where they start. */
void flow_number_syns(struct story *story);

/* The numbers of the socket's end or of a socket that was found, for those of the story. */
void flow_take_stats(struct story *story, const struct ev_stats *stats);

/* Payload that the application gave to the socket, sent or not; that arrived. In bytes. */
uint64_t flow_written(const struct story *story);
uint64_t flow_arrived(const struct story *story);

/* What flowed since the last time, in one item. by_segment: the latest segment is not data. */
void flow_tell(struct story *story, bool by_segment);

/* What was sent and received before a repetition; of what waits to be sent nothing is told yet. */
void flow_tell_before(struct story *story, const struct ev_sent_again *event);

#endif
