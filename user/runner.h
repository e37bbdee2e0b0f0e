/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a command does with reports and with time. The loop drives one runner,
 * live or from a recording, and knows nothing of what it prints.
 */
#ifndef CONNLIFE_RUNNER_H
#define CONNLIFE_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/engine.h"
#include "options.h"

enum runner_wish {
	RUNNER_GO_ON,
	RUNNER_LOOK_AGAIN, /* a fresh snapshot before the next tick; live only */
	RUNNER_LOOK_AT_SOCKETS, /* the same, but not at who holds them */
	RUNNER_DONE, /* end, exit code 0 */
	RUNNER_FAILED, /* end, exit code 1; the reason was said on stderr */
};

struct runner {
	/* Once, before the first report. start_ns: CLOCK_MONOTONIC of the first event. */
	void (*start)(void *ctx, const struct engine *engine, uint64_t start_ns);
	/*
	 * After every poll (at least ten times a second when live, the first time
	 * after the first snapshot), and once at the end of a recording. All events
	 * before now_ns were given.
	 */
	enum runner_wish (*tick)(void *ctx, uint64_t now_ns);
	/*
	 * Live, with each snapshot that was asked for: the segments that watched
	 * interfaces received so far, by bit of RFC 9293 3.1. May be NULL.
	 */
	void (*segments)(void *ctx, const uint64_t by_flag[6]);
	/* At the end, before the engine lets go of all. May be NULL. */
	void (*ending)(void *ctx);
	/* At the end, when the engine has let go of all. False: exit code 1. */
	bool (*finish)(void *ctx, uint64_t now_ns);
	void (*free)(void *ctx);
	struct report_sink sink; /* of the engine's reports; NULL functions are not called */
	int wake_fd; /* readable: tick now (the keyboard); -1: none */
	bool quiet; /* no word about tracing and counts, but with -v or after a loss */
	void *ctx;
};

/*
 * The runner of options->command. False if memory is short or what the options
 * name can't be had; said on stderr.
 */
bool runner_open(struct runner *runner, const struct options *options);

#endif
