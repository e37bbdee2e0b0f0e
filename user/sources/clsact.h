/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BPF filters of the clsact qdisc, for kernels without tcx links (before 6.6).
 * Such a filter outlives its process; so a small child, the janitor, waits for
 * our end, however it comes, and removes what is left of ours. Who kills it too leaves
 * a filter to the next connlife on that interface.
 */
#ifndef CONNLIFE_CLSACT_H
#define CONNLIFE_CLSACT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct clsact {
	pid_t janitor;
	int janitor_fd; /* -1: not needed so far */
};

struct clsact_filter {
	unsigned int ifindex;
	uint32_t prog_id; /* 0: no filter */
	bool made_qdisc; /* clsact was not there before */
};

void clsact_init(struct clsact *clsact);

/* After clsact_detach() of all filters. Waits for the janitor. */
void clsact_close(struct clsact *clsact);

/*
 * Takes off what a connlife left that was killed with its janitor, and clsact, if that one
 * made it and no other filter is in it. How many filters. Needs CAP_SYS_ADMIN.
 */
unsigned int clsact_remove_left_over(unsigned int ifindex);

/*
 * On ingress, before other filters where that can be. Forks the janitor the
 * first time. 0 or a negative errno; then nothing of it is left.
 */
int clsact_attach(struct clsact *clsact, unsigned int ifindex, int prog_fd,
		  struct clsact_filter *filter);

/* Removes the filter and, if we made it and no other filter is in it, clsact. */
void clsact_detach(struct clsact *clsact, struct clsact_filter *filter);

#endif
