// SPDX-License-Identifier: GPL-2.0-only
#include "sources/duties.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "sources/cgroupfs.h"
#include "sources/keeper.h"
#include "sources/ports.h"
#include "sources/scanner.h"
#include "sources/variants.h"
#include "sources/watching.h"
#include "connlife.skel.h" /* uses the types of event.h and filter.h */

#define SEC (1000ULL * 1000 * 1000)

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SEC + (uint64_t)now.tv_nsec;
}

/* The twin has nothing to tell but where its sibling was missed; the other tells owners only. */
static bool misses_matter(const struct duties *duties, const struct bpf_program *program)
{
	return program != duties->skel->progs.nested_set_state &&
	       program != duties->skel->progs.tcp_rcv_space_adjust;
}

static uint64_t misses_of(const struct bpf_program *program)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);

	if (bpf_program__fd(program) < 0 ||
	    bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		return 0;
	return info.recursion_misses;
}

/*
 * Hooks that the kernel left out because they were at work on the same CPU.
 * Those of inet_sock_set_state are told by its twin, unless that was left out
 * too. The misses are read first: never too many.
 */
static void count_misses(struct duties *duties)
{
	volatile __u64 *lost = &duties->skel->bss->lost[LOST_NESTED];
	struct bpf_program *program;
	uint64_t misses = 0, told;

	bpf_object__for_each_program(program, duties->skel->obj) {
		if (misses_matter(duties, program))
			misses += misses_of(program);
	}
	told = *(volatile __u64 *)&duties->skel->bss->nested_told;
	if (misses > told && misses - told > *lost)
		*lost = misses - told;
}

static int serve_watch(void *ctx, struct keeper_call *call)
{
	struct duties *duties = ctx;

	if (duties->watching)
		return -EALREADY;
	return watching_start(&duties->watching, duties->skel, &duties->options);
}

static int serve_round(void *ctx, struct keeper_call *call)
{
	struct duties *duties = ctx;

	watching_follow(duties->watching, monotonic_ns());
	count_misses(duties);
	return 0;
}

static int serve_watch_ends(void *ctx, struct keeper_call *call)
{
	struct duties *duties = ctx;

	if (!duties->destroy_link && !variants_watch_ends(duties->variants))
		duties->destroy_link =
			bpf_program__attach_trace(duties->skel->progs.tcp_destroy_sock);
	return 0;
}

static int serve_tell_segments(void *ctx, struct keeper_call *call)
{
	const struct duties *duties = ctx;

	watching_tell(duties->watching, duties->skel);
	return 0;
}

static int serve_count_segments(void *ctx, struct keeper_call *call)
{
	const struct duties *duties = ctx;

	return watching_count(duties->watching, duties->skel, call->values) ? 0 : -ENOENT;
}

static int serve_cgroup(void *ctx, struct keeper_call *call)
{
	const struct duties *duties = ctx;

	return cgroupfs_path(duties->cgroupfs, call->values[0], call->text, EV_PATH_LEN);
}

static void stop_watching(void *ctx)
{
	struct duties *duties = ctx;

	watching_stop(duties->watching);
	duties->watching = NULL;
}

void duties_take_on(struct duties *duties)
{
	duties->cgroupfs = cgroupfs_open();
	keeper_take_on(KEEPER_SCAN, scanner_serve, duties->scanner);
	keeper_take_on(KEEPER_LIMITS, ports_serve, NULL);
	keeper_take_on(KEEPER_WATCH, serve_watch, duties);
	keeper_take_on(KEEPER_ROUND, serve_round, duties);
	keeper_take_on(KEEPER_WATCH_ENDS, serve_watch_ends, duties);
	keeper_take_on(KEEPER_TELL_SEGMENTS, serve_tell_segments, duties);
	keeper_take_on(KEEPER_COUNT_SEGMENTS, serve_count_segments, duties);
	keeper_take_on(KEEPER_CGROUP, serve_cgroup, duties);
	keeper_at_end(stop_watching, duties);
}

void duties_free(struct duties *duties)
{
	bpf_link__destroy(duties->destroy_link);
	cgroupfs_close(duties->cgroupfs);
}
