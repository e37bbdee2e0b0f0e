/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the live source needs privileges for once it has begun, as duties of the keeper:
 * which has a copy of all this, as it was when the keeper was born.
 */
#ifndef CONNLIFE_DUTIES_H
#define CONNLIFE_DUTIES_H

#include <stdbool.h>

#include "sources/live.h"

struct connlife_bpf;
struct bpf_link;
struct cgroupfs;
struct scanner;
struct variants;
struct watching;

struct duties {
	struct live_options options; /* its filter is not looked at */
	struct connlife_bpf *skel;
	const struct variants *variants;
	struct scanner *scanner;
	/* by the one who does the duties: */
	struct cgroupfs *cgroupfs;
	struct watching *watching; /* NULL where no interface is watched */
	struct bpf_link *destroy_link; /* from the first loss on */
};

/* What it points to must live as long. */
void duties_take_on(struct duties *duties);

/* After keeper_end(). All zeros are allowed. */
void duties_free(struct duties *duties);

#endif
