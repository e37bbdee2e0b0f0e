/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Segments that belong to no connection yet: openings that a socket may take
 * over, and what becomes of those that none does. Bounded, the oldest make
 * room: a flood of SYNs costs no memory and no honest connection its record.
 */
#ifndef CONNLIFE_STRANGERS_H
#define CONNLIFE_STRANGERS_H

#include "core/story.h"

struct engine;
struct strangers;

/* NULL if memory is short. */
struct strangers *strangers_new(uint64_t seed);
void strangers_free(struct strangers *strangers);

/* A segment that no connection has the ends of. */
void strangers_segment(struct engine *engine, const struct ev_segment *event);

/* A request, still without a socket, sent its SYN+ACK again. */
void strangers_synack(struct engine *engine, const struct ev_synack_retransmit *event);

/* A segment was answered with a reset: of a SYN, a record. */
void strangers_refused(struct engine *engine, const struct ev_refused *event);

/*
 * A socket has these ends now: gives what was seen of them to its story (NULL:
 * only takes it away). When the SYN was seen, 0 if it was not.
 */
uint64_t strangers_adopt(struct engine *engine, const struct ev_tuple *tuple, struct story *story);

/* Writes the records of requests that the kernel has given up, by now_ns of the engine. */
void strangers_release(struct engine *engine);

#endif
