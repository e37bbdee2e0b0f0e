/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine: events and "now" in, reports out. It has no clock, does no I/O
 * and knows no source; the same events give the same reports on any machine.
 */
#ifndef CONNLIFE_ENGINE_H
#define CONNLIFE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

#include "core/report.h"
#include "filter.h"

struct engine;

struct engine_options {
	/*
	 * Hold a record until what the kernel keeps of the connection
	 * (TIME_WAIT, FIN_WAIT2 without a socket) is over too.
	 */
	bool whole;
	bool story; /* tell what segments prove: releases, handshakes, the other end */
	bool only_ends; /* the source leaves out what implied.h implies: no loss */
	bool draw; /* keep every segment, and tell both ends of one host at once */
	bool census; /* keep what snapshots tell of queues, timers and holders; see census.h */
	bool strangers; /* also tell attempts that never had a socket */
	uint32_t max_connections; /* tracked at once; must be above 0 */
	uint64_t hash_seed; /* any; addresses and ports can come from an enemy */
	const struct filter *filter; /* copied; NULL for none */
	const char *cgroup; /* copied; only this path and below; NULL for any */
};

struct engine_counts {
	uint64_t events;
	uint64_t conns; /* connections ever tracked */
	uint64_t preexisting; /* of these, begun before the tracer */
	uint64_t reported;
	uint64_t unwanted; /* of these, left out by the filter */
	uint64_t live; /* tracked now, socket still there */
	uint64_t remaining; /* tracked now, only a minisock left */
	uint64_t half_open; /* requests known by a repeated SYN+ACK, now */
	uint64_t table_full; /* not tracked, or ended early, for want of room */
	uint64_t unknown_sock; /* events of a socket never seen to open */
	uint64_t segments; /* told by watched interfaces */
	uint64_t strangers; /* attempts that never had a socket: refused, reset, timed out */
	uint64_t stray_resets; /* RSTs that met no connection */
	uint64_t stray_segments; /* others that did, and were answered with an RST */
	uint64_t lost[LOST_MAX]; /* told by EV_LOST, or found here */
};

/* NULL if memory is short. */
struct engine *engine_new(const struct engine_options *options, const struct report_sink *sink);
void engine_free(struct engine *engine);

/*
 * One event, whole and aligned to 8 bytes; size is what the source says it
 * holds. Returns 0, or -EBADMSG for one that can't be an event (wrong size,
 * kind or version); it is counted as lost, and every connection that is tracked
 * then may have missed something.
 * Events of one socket must come in the order in which they happened.
 */
int engine_event(struct engine *engine, const void *event, size_t size);

/*
 * Whether so many connections are tracked that announcing pays: memory is fetched
 * while earlier events are at work then. Asking is cheap, the answer changes slowly.
 */
bool engine_expects(const struct engine *engine);

/* How many events ahead an event is best announced. */
#define ENGINE_EXPECT_AHEAD 8

/*
 * Announces an event that will come soon, in the order in which they come. Nothing
 * but time depends on it: it may be left out, never come, or be no event at all.
 * Only its header is read, now and not later.
 */
void engine_expect(struct engine *engine, const void *event, size_t size);

/*
 * Tells the engine that it is now_ns of CLOCK_MONOTONIC and that every event
 * before it was given; lets go of verdicts that waited for a late event.
 */
void engine_tick(struct engine *engine, uint64_t now_ns);

/* Lets go of all that waits; connections that still live are not reported. */
void engine_finish(struct engine *engine);

/* The wall clock at a monotonic time by the last EV_CLOCK; UNKNOWN_NS before one came. */
int64_t engine_realtime_ns(const struct engine *engine, int64_t monotonic_ns);

void engine_counts(const struct engine *engine, struct engine_counts *counts);

#endif
