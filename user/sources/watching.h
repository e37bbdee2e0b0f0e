/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packet programs of the skeleton on the interfaces of one network
 * namespace: the one that --netns names, else our own.
 */
#ifndef CONNLIFE_WATCHING_H
#define CONNLIFE_WATCHING_H

#include "sources/live.h"

struct connlife_bpf;
struct watching;

/* Before the object is loaded. 0, or a negative errno after a line on stderr. */
int watching_set_up(struct connlife_bpf *skel, const struct live_options *options);

/* Before it too, with all privileges: takes off what one that was killed left there. */
void watching_clean(const struct live_options *options);

/* After it: attaches. *watching is NULL where nothing is to be watched. Errors as above. */
int watching_start(struct watching **watching, struct connlife_bpf *skel,
		   const struct live_options *options);

/*
 * Takes note of interfaces that came, went or were renamed; once a second also of
 * programs that somebody detached, and of a namespace that was deleted by the name
 * that --netns gave. now_ns is of CLOCK_MONOTONIC. NULL is allowed here and below.
 */
void watching_follow(struct watching *watching, uint64_t now_ns);

/* Says of each interface how many segments came, by flag. */
void watching_tell(const struct watching *watching, const struct connlife_bpf *skel);

/* All of them, by flag, also on interfaces that are gone. False where nothing is watched. */
bool watching_count(const struct watching *watching, const struct connlife_bpf *skel,
		    uint64_t by_flag[6]);

void watching_stop(struct watching *watching);

#endif
