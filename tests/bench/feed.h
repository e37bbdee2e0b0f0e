/* SPDX-License-Identifier: GPL-2.0-only */
/* An engine that synthetic lives go through. What is odd about them ends the program. */
#ifndef CONNLIFE_BENCH_FEED_H
#define CONNLIFE_BENCH_FEED_H

#include "core/engine.h"
#include "lives.h"

struct feed {
	struct engine *engine;
	struct lives lives;
	uint64_t records, incomplete;
};

/* With as many connections live as count says, each in mid-life. It must not be moved. */
void feed_init(struct feed *feed, uint32_t count, bool story);
void feed_free(struct feed *feed);

/* Gives all events of a batch to the engine, announced as those of the live source are. */
void feed_batch(struct engine *engine, const struct batch *batch);

/* That every event was taken, every life was told whole, and the number that lives is right. */
void feed_check(const struct feed *feed);

#endif
