/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers that look random and are the same in every run: Marsaglia's xorshift64. */
#ifndef CONNLIFE_TEST_RANDOM_H
#define CONNLIFE_TEST_RANDOM_H

#include <stdint.h>

static uint64_t random_state = 0x9e3779b97f4a7c15;

static inline uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

#endif
