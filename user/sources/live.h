/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The live source: loads and attaches the kernel half, scans what is there
 * already, and gives its events in order. Repairs a loss by another scan.
 */
#ifndef CONNLIFE_LIVE_H
#define CONNLIFE_LIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/types.h>

#include "event.h"
#include "filter.h"
#include "sources/packets.h"
#include "sources/source.h"

struct live;

struct live_options {
	const struct filter *filter;
	bool watch_minisocks; /* tell how they end; costs a hook on every timer */
	bool watch_segments; /* tell where sequence spaces are; more events */
	bool only_ends; /* leave out the steps that implied.h puts in again; not with a filter */
	bool count_flags; /* of each connection, on the watched interfaces */
	enum packets_mode packets;
	const char *const *interfaces; /* see packets.h */
	unsigned int interfaces_len;
	const char *btf_path; /* see kernel_btf_find(); NULL: where the kernel has it */
	const char *netns; /* where the interfaces are: see netns_find(); NULL: our own */
	int wake_fd; /* live_poll() waits no longer when it is readable; -1: none */
	bool census; /* snapshots also tell of queues, timers and listeners */
	bool verbose; /* let libbpf speak */
	unsigned int look_ahead; /* how many events before its turn one is expected */
	uint32_t ring_bytes; /* a power of two and a multiple of the page size */
};

struct kernel_btf;

/*
 * Loads and attaches, and takes on the keeper's duties. On failure NULL, one line on stderr that says why, and
 * nothing left attached.
 */
struct live *live_open(const struct live_options *options);

/*
 * After keeper_start(), if that is wanted: attaches to interfaces. False after a line on
 * stderr. What the options name must live as long.
 */
bool live_watch(struct live *live);

/* Detaches. NULL is allowed. */
void live_close(struct live *live);

/*
 * The next live_poll() compares the table with the sockets that there are, as it
 * does once a minute: what no hook told is found, and counted as LOST_UNSEEN.
 * with_holders: also at who holds them, which reads every descriptor of the host.
 */
void live_look_again(struct live *live, bool with_holders);

/* Says how many segments each watched interface received, by flag. */
void live_tell_segments(const struct live *live);

/* The same of all of them together, by bit of RFC 9293 3.1. False where none is watched. */
bool live_count_segments(const struct live *live, uint64_t by_flag[6]);

/*
 * Waits at most 0.1 s for events and gives all that came, EV_CLOCK and
 * EV_LOST where they are due. The first one does not wait but scans what is
 * there already. Where expect is not NULL it is shown events of the hooks some
 * events before their turn; not each of them. Returns the monotonic time up to
 * which every event was given, or 0 after an error (said on stderr).
 */
uint64_t live_poll(struct live *live, event_taker take, event_taker expect, void *ctx);

/* The programs of the kernel half by name, for `check`; names[] ends with NULL. */
struct live_program {
	const char *name;
	const char *why; /* what it is for */
	int error; /* 0: loads and attaches; else -errno */
	bool needed; /* without it nothing can be told */
};

/*
 * Tries each program alone. Fills at most max and returns how many there are,
 * or a negative errno if nothing could be tried. Says nothing.
 */
int live_try_programs(const struct kernel_btf *btf, struct live_program *programs, int max);

#endif
