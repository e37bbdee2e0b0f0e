// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ring buffer is read on a timer, not on a wake-up per event: with those
 * the same storm of connections keeps 55 % of its rate, without 88 to 92 %.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "sources/live.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/array.h"
#include "base/log.h"
#include "core/cgroups.h"
#include "sources/ahead.h"
#include "sources/duties.h"
#include "sources/kernel.h"
#include "sources/keeper.h"
#include "sources/kernelbtf.h"
#include "sources/proctext.h"
#include "sources/ringpos.h"
#include "sources/scanner.h"
#include "sources/variants.h"
#include "sources/watching.h"
#include "connlife.skel.h" /* uses the types of event.h and filter.h */

#define MS (1000ULL * 1000)
#define SEC (1000 * MS)

#define IDLE_WAIT_MS 100
#define BUSY_WAIT_MS 20
#define REPAIR_PAUSE_NS SEC
#define REPAIR_SHARE 10 /* repairs take at most a tenth of the time */
/*
 * Looking again without a loss: Linux can be built to run no tracing program in
 * some contexts (seen: in softirqs that interrupt pid 1), and counts no miss then.
 */
#define AUDIT_PAUSE_NS (60 * SEC)
#define AUDIT_SHARE 1000
#define DRAIN_TRIES 1000 /* of a millisecond */
#define CLOCK_DRIFT_NS ((int64_t)MS)
#define FILL_MARK_SHARE 4 /* wake at a quarter */

struct live {
	struct kernel_btf btf;
	struct connlife_bpf *skel;
	struct ring_buffer *ring;
	struct ringpos ringpos;
	struct ahead ahead; /* its ring is mapped when it is asked for, once */
	unsigned int look_ahead;
	unsigned long written_at_scan; /* position of the ring when the last scan was over */
	struct bpf_link *sockets_link, *files_link;
	struct scanner scanner;
	struct variants variants;
	struct duties duties;
	struct cgroups_told cgroups_told;
	uint64_t last_cgroup;
	uint64_t lost_told[LOST_MAX];
	uint64_t next_repair_ns, next_audit_ns, next_round_ns;
	int64_t clock_offset_ns;
	int wake_fd;
	bool looked_ahead, clock_told, scanned, repair_due, holders_due, was_busy;
	event_taker take, expect; /* of the poll under way */
	void *ctx;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * SEC + (uint64_t)now.tv_nsec;
}

static struct ev_hdr own_hdr(enum ev_kind kind, size_t size)
{
	return (struct ev_hdr){ .ts_ns = clock_ns(CLOCK_MONOTONIC),
				.size = (__u16)size,
				.kind = (__u8)kind,
				.version = EV_VERSION };
}

/* The wall clock, at the start and when it was set. */
static void tell_clock(struct live *live)
{
	struct ev_clock event = { .hdr = own_hdr(EV_CLOCK, sizeof(event)) };
	int64_t offset;

	event.realtime_ns = clock_ns(CLOCK_REALTIME);
	offset = (int64_t)(event.realtime_ns - event.hdr.ts_ns);
	if (live->clock_told && llabs(offset - live->clock_offset_ns) < CLOCK_DRIFT_NS)
		return;
	live->clock_told = true;
	live->clock_offset_ns = offset;
	live->take(live->ctx, &event, sizeof(event));
}

static void tell_lost(struct live *live, enum ev_lost_why why)
{
	uint64_t lost = *(volatile __u64 *)&live->skel->bss->lost[why];
	struct ev_lost event;

	if (lost == live->lost_told[why])
		return;
	event = (struct ev_lost){ .hdr = own_hdr(EV_LOST, sizeof(event)),
				  .count = lost - live->lost_told[why],
				  .why = why };
	live->lost_told[why] = lost;
	live->repair_due |= why == LOST_RING_FULL || why == LOST_NESTED;
	live->take(live->ctx, &event, sizeof(event));
}

static void tell_cgroup(struct live *live, uint64_t id)
{
	struct keeper_call call = { .values = { id }, .fd = -1 };
	struct ev_cgroup event;

	if (id == live->last_cgroup || !id)
		return;
	live->last_cgroup = id;
	if (!cgroups_must_tell(&live->cgroups_told, id))
		return;
	event = (struct ev_cgroup){ .hdr = own_hdr(EV_CGROUP, sizeof(event)), .id = id };
	if (keeper_ask(KEEPER_CGROUP, &call))
		return;
	proctext_copy_cut((char *)event.path, sizeof(event.path), call.text);
	live->take(live->ctx, &event, sizeof(event));
}

static void give(struct live *live, const void *event, size_t size)
{
	const struct ev_hdr *hdr = event;

	if (hdr->kind == EV_OPEN)
		tell_cgroup(live, ((const struct ev_open *)event)->tuple.cgroup_id);
	else if (hdr->kind == EV_FOUND)
		tell_cgroup(live, ((const struct ev_found *)event)->tuple.cgroup_id);
	else if (hdr->kind == EV_LISTENER)
		tell_cgroup(live, ((const struct ev_listener *)event)->tuple.cgroup_id);
	live->take(live->ctx, event, size);
}

static void give_scanned(struct live *live, uint64_t until_ns)
{
	const void *event;
	size_t size;

	while ((event = scanner_next(&live->scanner, until_ns, &size)))
		give(live, event, size);
}

static void look_ahead(struct live *live)
{
	const void *event;
	size_t size;

	ahead_follow(&live->ahead, ringpos_read(&live->ringpos));
	while ((event = ahead_next(&live->ahead, live->look_ahead, &size)))
		live->expect(live->ctx, event, size);
}

/*
 * What was scanned before this event goes first; and a loss is told before
 * what came after it.
 */
static int on_ring_event(void *ctx, void *data, size_t size)
{
	struct live *live = ctx;

	if (live->expect)
		look_ahead(live);
	if (live->scanner.taken != live->scanner.len)
		give_scanned(live, ((const struct ev_hdr *)data)->ts_ns);
	tell_lost(live, LOST_RING_FULL);
	give(live, data, size);
	return 0;
}

/* What needs no more than that it be done. */
static int ask(enum keeper_task task)
{
	struct keeper_call call = { .fd = -1 };

	return keeper_ask(task, &call);
}

static void scan(struct live *live, enum scan_why why)
{
	static const char *const when[] = { [SCAN_START] = "at the start",
					    [SCAN_REPAIR] = "at the repair after a loss",
					    [SCAN_AUDIT] = "when looked at again",
					    [SCAN_REFRESH] = "when looked at again" };
	int err;

	if (why == SCAN_REPAIR)
		ask(KEEPER_WATCH_ENDS);

	/* later, what ends before it is seen is in the table: no more load for it */
	live->skel->bss->scanning = why == SCAN_START;
	err = scanner_run(&live->scanner, why);
	live->skel->bss->scanning = false;
	if (err)
		log_line("some sockets could not be read %s: %s", when[why], strerror(-err));
}

static void scan_if_due(struct live *live, uint64_t now)
{
	enum scan_why why = SCAN_START;
	uint64_t took;

	if (live->scanned) {
		if (live->repair_due && now >= live->next_repair_ns)
			why = SCAN_REPAIR;
		else if (now >= live->next_audit_ns)
			why = live->holders_due ? SCAN_REFRESH : SCAN_AUDIT;
		else
			return;
	}
	live->repair_due = false;
	live->holders_due = false;
	scan(live, why);
	live->written_at_scan = ringpos_written(&live->ringpos);
	live->scanned = true;
	took = clock_ns(CLOCK_MONOTONIC) - now;
	live->next_repair_ns = now + took * REPAIR_SHARE + REPAIR_PAUSE_NS;
	live->next_audit_ns = now + took * AUDIT_SHARE + AUDIT_PAUSE_NS;
}

void live_look_again(struct live *live, bool with_holders)
{
	live->next_audit_ns = 0;
	live->holders_due = with_holders;
}

/* In a scan: what comes meanwhile must not pile up in the ring. */
static void breathe(void *ctx)
{
	struct live *live = ctx;

	ring_buffer__consume(live->ring);
}

static void wait_for_events(struct live *live)
{
	struct pollfd fds[] = { { .fd = live->wake_fd, .events = POLLIN },
				{ .fd = ring_buffer__epoll_fd(live->ring), .events = POLLIN } };

	/* while events flow, sleep: the ring reads as ready whenever it is not empty */
	if (live->was_busy)
		poll(fds, 1, BUSY_WAIT_MS);
	else
		poll(fds, 2, IDLE_WAIT_MS);
}

/*
 * The end of a scan may only be told when all is told that happened before: else
 * what closed meanwhile were taken for gone without a word. Bounded: a writer
 * that never goes on would be a fault of the kernel.
 */
static int consume(struct live *live)
{
	int got = ring_buffer__consume(live->ring);

	for (int i = 0;
	     i < DRAIN_TRIES && got >= 0 && !ringpos_is_read(&live->ringpos, live->written_at_scan);
	     i++) {
		int more;

		poll(NULL, 0, 1);
		more = ring_buffer__consume(live->ring);
		got = more < 0 ? more : got + more;
	}
	return got;
}

/* Without the mapping all goes on, only slower. */
static void start_to_look_ahead(struct live *live)
{
	size_t size = bpf_map__max_entries(live->skel->maps.events);

	live->looked_ahead = true;
	live->ahead.ring = ringpos_map_ring(bpf_map__fd(live->skel->maps.events), size);
	live->ahead.size = size;
	live->ahead.producer = live->ringpos.producer;
}

/* While nothing happens once a second is enough. False: there is no keeper any more. */
static bool keeper_went_round(struct live *live, uint64_t now)
{
	if (!live->was_busy && now < live->next_round_ns)
		return true;
	live->next_round_ns = now + SEC;
	return ask(KEEPER_ROUND) != -EPIPE;
}

uint64_t live_poll(struct live *live, event_taker take, event_taker expect, void *ctx)
{
	uint64_t now;
	int got;

	if (expect && !live->looked_ahead)
		start_to_look_ahead(live);
	live->take = take;
	live->expect = live->ahead.ring ? expect : NULL;
	live->ctx = ctx;
	if (live->clock_told)
		wait_for_events(live);
	now = clock_ns(CLOCK_MONOTONIC);
	tell_clock(live);
	scan_if_due(live, now);
	got = consume(live);
	if (got < 0 && got != -EINTR) {
		log_line("can't read the ring buffer: %s", strerror(-got));
		return 0;
	}
	live->was_busy = got > 0;
	if (!keeper_went_round(live, now)) {
		log_line("its privileged part, connlife-keeper, was ended by somebody else");
		return 0;
	}
	give_scanned(live, UINT64_MAX);
	for (int why = 0; why < LOST_MAX; why++)
		tell_lost(live, (enum ev_lost_why)why);
	return now;
}

static int set_up(struct live *live, const struct live_options *options)
{
	struct connlife_bpf *skel = live->skel;
	struct bpf_program *timers[] = { skel->progs.minisock_timer_start,
					 skel->progs.minisock_timer_cancel,
					 skel->progs.minisock_timer_expire };
	uint64_t handler = options->watch_minisocks ? kernel_symbol("tw_timer_handler") : 0;
	int err = variants_find(&live->variants, live->btf.path);

	if (err) {
		log_line("can't read the kernel's BTF: %s", strerror(-err));
		return err;
	}

	if (options->watch_minisocks && !handler)
		log_line(
			"how TIME_WAIT ends can't be told: tw_timer_handler is not in /proc/kallsyms");
	for (unsigned int i = 0; i < ARRAY_SIZE(timers); i++)
		bpf_program__set_autoload(timers[i], handler != 0);
	/* where sockets can't hold what is known of them, their end says when to forget it */
	bpf_program__set_autoattach(skel->progs.tcp_destroy_sock,
				    variants_watch_ends(&live->variants));
	skel->rodata->watch_minisocks = handler != 0;
	skel->rodata->only_ends = options->only_ends;
	skel->rodata->tell_waiting = options->census;
	skel->rodata->tw_timer_handler = handler;
	skel->rodata->jiffy_ns = kernel_jiffy_ns();
	skel->rodata->ring_wake_mark = options->ring_bytes / FILL_MARK_SHARE;
	if (options->filter)
		skel->rodata->filter = *options->filter;
	if (getrandom((void *)&skel->rodata->sock_mask, sizeof(skel->rodata->sock_mask), 0) < 0)
		return -errno;
	if (watching_set_up(skel, options))
		return -EINVAL;
	variants_apply(&live->variants, skel);
	return bpf_map__set_max_entries(skel->maps.events, options->ring_bytes);
}

static int attach_iterators(struct live *live)
{
	live->sockets_link = bpf_program__attach_iter(live->skel->progs.scan_sockets, NULL);
	if (!live->sockets_link)
		return -errno;
	live->files_link = bpf_program__attach_iter(live->variants.sock_storage
							    ? live->skel->progs.scan_files
							    : live->skel->progs.scan_files_plain,
						    NULL);
	if (!live->files_link)
		return -errno;
	scanner_init(&live->scanner, bpf_link__fd(live->sockets_link),
		     bpf_link__fd(live->files_link),
		     live->variants.sock_storage || live->variants.socket_file_ops, breathe, live);
	return 0;
}

static int start(struct live *live)
{
	int err;

	/* the iterators are attached by hand: the skeleton would attach them a second time */
	bpf_program__set_autoattach(live->skel->progs.scan_sockets, false);
	bpf_program__set_autoattach(live->skel->progs.scan_files, false);
	bpf_program__set_autoattach(live->skel->progs.scan_files_plain, false);
	err = connlife_bpf__load(live->skel);
	if (err) {
		log_line("the kernel refuses to load the BPF programs: %s (see connlife check)",
			 strerror(-err));
		return err;
	}
	live->ring =
		ring_buffer__new(bpf_map__fd(live->skel->maps.events), on_ring_event, live, NULL);
	if (!live->ring)
		return -errno;
	err = ringpos_open(&live->ringpos, bpf_map__fd(live->skel->maps.events));
	if (err)
		return err;
	/* hooks first, scan second: nothing falls between them */
	err = connlife_bpf__attach(live->skel);
	if (!err)
		err = kernel_btf_attach(&live->btf, live->skel->skeleton);
	if (!err)
		err = attach_iterators(live);
	if (err) {
		log_line("can't attach to the kernel's tracepoints: %s (see connlife check)",
			 strerror(-err));
		return err;
	}
	return 0;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

/* Whole: a verifier's log is longer than what a terminal takes at once. */
static int aloud(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text;
	int len = level == LIBBPF_DEBUG ? -1 : vasprintf(&text, format, args);

	if (len < 0)
		return 0;
	log_write(text, (size_t)len);
	free(text);
	return len;
}

struct live *live_open(const struct live_options *options)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct live *live;

	if (!kernel_allows_bpf())
		return NULL;
	libbpf_set_print(options->verbose ? aloud : quiet);
	live = calloc(1, sizeof(*live));
	if (!live || cgroups_told_init(&live->cgroups_told))
		goto no_memory;
	if (kernel_btf_find(&live->btf, options->btf_path)) {
		live_close(live);
		return NULL;
	}
	if (live->btf.doubt) /* that of another kernel would make all answers wrong */
		log_line("BTF: %s: %s", live->btf.from, live->btf.doubt);
	opts.btf_custom_path = live->btf.path;
	live->skel = connlife_bpf__open_opts(&opts);
	if (!live->skel)
		goto no_memory;
	live->wake_fd = options->wake_fd;
	live->look_ahead = options->look_ahead;
	live->duties = (struct duties){ .options = *options,
					.skel = live->skel,
					.variants = &live->variants,
					.scanner = &live->scanner };
	duties_take_on(&live->duties);
	watching_clean(options);
	if (set_up(live, options) || start(live)) {
		live_close(live);
		return NULL;
	}
	return live;
no_memory:
	log_line("can't open the BPF object: %s", strerror(errno));
	live_close(live);
	return NULL;
}

bool live_watch(struct live *live)
{
	struct keeper_call call = { .fd = -1 };

	return !keeper_ask(KEEPER_WATCH, &call);
}

void live_tell_segments(const struct live *live)
{
	ask(KEEPER_TELL_SEGMENTS);
}

bool live_count_segments(const struct live *live, uint64_t by_flag[6])
{
	struct keeper_call call = { .fd = -1 };

	if (keeper_ask(KEEPER_COUNT_SEGMENTS, &call))
		return false;
	memcpy(by_flag, call.values, 6 * sizeof(*by_flag));
	return true;
}

void live_close(struct live *live)
{
	if (!live)
		return;
	keeper_end();
	duties_free(&live->duties);
	ringpos_unmap_ring(live->ahead.ring, live->ahead.size);
	ringpos_close(&live->ringpos);
	ring_buffer__free(live->ring);
	bpf_link__destroy(live->sockets_link);
	bpf_link__destroy(live->files_link);
	connlife_bpf__destroy(live->skel);
	kernel_btf_free(&live->btf);
	scanner_free(&live->scanner);
	cgroups_told_free(&live->cgroups_told);
	free(live);
}
