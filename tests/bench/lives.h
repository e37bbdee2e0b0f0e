/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Synthetic whole lives, half of them clients and half servers: a fixed number is
 * live at any time, each at another point, and their events come in an order that
 * no cache foresees. The same from run to run. Knows no engine.
 */
#ifndef CONNLIFE_BENCH_LIVES_H
#define CONNLIFE_BENCH_LIVES_H

#include <stdbool.h>
#include <stdint.h>

#include "batch.h"

struct slot {
	uint64_t cookie; /* of the life that is under way */
	uint32_t life; /* how many were before */
	uint8_t at; /* the next step of its script */
};

struct lives {
	struct slot *slots;
	uint32_t count; /* live at once */
	uint32_t order; /* the slot whose event came last */
	uint32_t mask;
	uint64_t now_ns, cookies;
	bool numbers; /* with EV_NUMBERS, as where stories are told */
	bool stay; /* a life has ended, the next one begins in its slot */
};

void lives_init(struct lives *lives, uint32_t count, bool numbers);
void lives_free(struct lives *lives);

/* A slot's life from its beginning to somewhere in it: each slot, once, before lives_next(). */
void lives_begin(struct lives *lives, uint32_t slot, struct batch *to);

/* One event of some life. */
void lives_next(struct lives *lives, struct batch *to);

/* The identity of a slot's socket, in every second one of its lives. */
uint64_t lives_key(uint32_t slot);

#endif
