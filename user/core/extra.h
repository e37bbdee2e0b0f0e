/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a snapshot tells of a socket besides that it is there: what it waits
 * for, and who holds it. Kept only where somebody asks what is there now.
 */
#ifndef CONNLIFE_EXTRA_H
#define CONNLIFE_EXTRA_H

#include <stdbool.h>
#include <stdint.h>

#include "core/report.h"

/* More descriptors than these are counted, not named. */
#define EXTRA_HOLDERS_MAX 8

struct extra {
	struct ev_waiting waiting;
	bool has_waiting;
	uint32_t scan; /* that the holders are from */
	unsigned int holders_len, holders_left_out;
	struct report_holder holders[EXTRA_HOLDERS_MAX];
};

/* Adds a holder; those of an earlier scan are forgotten first. */
void extra_hold(struct extra *extra, const struct ev_holder *event, uint32_t scan);

#endif
