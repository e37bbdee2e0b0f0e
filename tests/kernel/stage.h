/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the tests of the packet programs: they are loaded into the kernel, which
 * runs them over frames of ours (BPF_PROG_TEST_RUN), attached to nothing. The
 * stage keeps what they told through the ring buffer and reads their maps.
 */
#ifndef CONNLIFE_TEST_STAGE_H
#define CONNLIFE_TEST_STAGE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "../unit/frames.h"
#include "event.h"
#include "filter.h"
#include "connlife.skel.h" /* uses the types of event.h and filter.h */

#define RING_BYTES (64 * 1024)
#define RECORD_BYTES (8 + sizeof(struct ev_segment)) /* with the ring's own header */
#define TOLD_MAX (RING_BYTES / RECORD_BYTES)
#define FLAG_SETS 64
#define STAGE_NETNS_COOKIE UINT64_C(0x1122334455667788)
#define STAGE_NETNS_INUM UINT32_C(4026531840)
#define XDP_GOES_ON 2 /* XDP_PASS */
#define TC_GOES_ON ((__u32)-1) /* TC_ACT_UNSPEC */

struct stage {
	struct connlife_bpf *skel;
	struct ring_buffer *ring;
	struct ev_segment told[TOLD_MAX];
	size_t told_len;
	__u32 ifindex; /* that frames of BPF_PROG_TEST_RUN come from */
	int cpus;
	bool is_missing; /* nothing can be tested here, and why was said */
};

/* The three ways into the parser. */
enum entry {
	ENTRY_XDP,
	ENTRY_TC,
	ENTRY_TC_RAW,
	ENTRIES,
};

static inline const char *entry_name(enum entry entry)
{
	static const char *const names[] = { "watch_xdp", "watch_tc", "watch_tc_raw" };

	return names[entry];
}

static inline int entry_fd(const struct stage *stage, enum entry entry)
{
	const struct bpf_program *programs[] = { stage->skel->progs.watch_xdp,
						 stage->skel->progs.watch_tc,
						 stage->skel->progs.watch_tc_raw };

	return bpf_program__fd(programs[entry]);
}

/* Where the data of a frame begins for it. */
static inline size_t entry_start(enum entry entry, const struct frame *frame)
{
	return entry == ENTRY_TC_RAW ? frame->ip : 0;
}

static inline int stage_take(void *ctx, void *data, size_t size)
{
	struct stage *stage = ctx;

	if (size != sizeof(struct ev_segment) || stage->told_len == TOLD_MAX)
		return -EPROTO;
	memcpy(&stage->told[stage->told_len++], data, size);
	return 0;
}

/* What was told since the last call. */
static inline size_t stage_told(struct stage *stage)
{
	stage->told_len = 0;
	assert_true(ring_buffer__consume(stage->ring) >= 0);
	return stage->told_len;
}

static inline __u64 stage_lost(const struct stage *stage, enum ev_lost_why why)
{
	return *(volatile __u64 *)&stage->skel->bss->lost[why];
}

/* Segments counted with these six flags, by all CPUs together. */
static inline __u64 stage_counted(const struct stage *stage, __u32 ifindex, __u32 flags)
{
	int fd = bpf_map__fd(stage->skel->maps.segment_counters);
	__u32 slot = ifindex << 6 | flags;
	__u64 values[stage->cpus], sum = 0;

	assert_int_equal(bpf_map_lookup_elem(fd, &slot, values), 0);
	for (int cpu = 0; cpu < stage->cpus; cpu++)
		sum += values[cpu];
	return sum;
}

static inline __u64 stage_counted_all(const struct stage *stage)
{
	__u64 sum = 0;

	for (__u32 flags = 0; flags < FLAG_SETS; flags++)
		sum += stage_counted(stage, stage->ifindex, flags);
	return sum;
}

/* As bpf/segment.bpf.h has it. */
static inline __u32 awaited_slot_of(__u32 remote, __u16 rport, __u16 lport)
{
	__u16 ports[2] = { htons(rport), htons(lport) };
	__u32 word;

	memcpy(&word, ports, sizeof(word));
	return ((remote ^ word) * 0x9e3779b1) >> 16;
}

/* Of an address in network order, read as little-endian words. */
static inline __u32 fold_address(const __u8 *address, size_t len)
{
	__u32 folded = 0;

	for (size_t i = 0; i < len; i++)
		folded ^= (__u32)address[i] << 8 * (i % 4);
	return folded;
}

static inline __u32 frame_slot(const struct frame *frame)
{
	bool is_v4 = frame->spec->family == 4;

	return awaited_slot_of(is_v4 ? fold_address(frame_addrs4[0], 4)
				     : fold_address(frame_addrs6[0] + 8, 8),
			       FRAME_SPORT, FRAME_DPORT);
}

static inline void stage_set_awaited(const struct stage *stage, const struct frame *frame,
				     __u32 ack)
{
	*(volatile __u32 *)&stage->skel->bss->awaited_acks[frame_slot(frame)] = ack;
}

static inline __u32 stage_awaited(const struct stage *stage, const struct frame *frame)
{
	return *(volatile __u32 *)&stage->skel->bss->awaited_acks[frame_slot(frame)];
}

/* Below this the kernel may refuse: it wants an Ethernet header, tc also that of IP behind it. */
static inline size_t entry_least(enum entry entry)
{
	return PARSE_ETHER_LEN + (entry == ENTRY_TC ? PARSE_IPV6_LEN : 0);
}

/*
 * Runs the first len bytes of the frame: it must go on as it came. False where
 * the kernel runs nothing over so few bytes.
 */
static inline bool stage_run(const struct stage *stage, enum entry entry, const struct frame *frame,
			     size_t len)
{
	const __u8 *data = frame->bytes + entry_start(entry, frame);
	size_t size = len - entry_start(entry, frame);
	__u8 out[FRAME_MAX * 2];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = (__u32)size,
		    .data_out = out, .data_size_out = sizeof(out));
	int err = bpf_prog_test_run_opts(entry_fd(stage, entry), &opts);

	if (err == -EINVAL && size < entry_least(entry))
		return false;
	if (err)
		fail_msg("%s: %s, %zu bytes: %s", entry_name(entry), frame->spec->name, size,
			 strerror(-err));
	if (opts.retval != (entry == ENTRY_XDP ? XDP_GOES_ON : TC_GOES_ON))
		fail_msg("%s: %s, %zu bytes: answers %d", entry_name(entry), frame->spec->name,
			 size, (int)opts.retval);
	if (opts.data_size_out != size || memcmp(out, data, size))
		fail_msg("%s: %s, %zu bytes: changed", entry_name(entry), frame->spec->name, size);
	return true;
}

static inline void put_mapped(__u8 *out, const __u8 *addr4)
{
	memset(out, 0, 10);
	memset(out + 10, 0xff, 2);
	memcpy(out + 12, addr4, 4);
}

/* What must be told of it, but for the time. */
static inline struct ev_segment segment_of(const struct stage *stage, const struct frame *frame)
{
	struct ev_segment segment = {
		.hdr = { .size = sizeof(segment), .kind = EV_SEGMENT, .version = EV_VERSION },
		.tuple = { .netns_cookie = STAGE_NETNS_COOKIE,
			   .netns_inum = STAGE_NETNS_INUM,
			   .lport = FRAME_DPORT,
			   .rport = FRAME_SPORT,
			   .family = frame->spec->family },
		.seq = FRAME_SEQ,
		.ack = FRAME_ACK,
		.payload = frame->payload,
		.ifindex = stage->ifindex,
		.window = FRAME_WINDOW,
		.tcp_flags = frame->spec->flags,
	};

	if (frame->spec->family == 4) {
		put_mapped(segment.tuple.raddr, frame_addrs4[0]);
		put_mapped(segment.tuple.laddr, frame_addrs4[1]);
	} else {
		memcpy(segment.tuple.raddr, frame_addrs6[0], 16);
		memcpy(segment.tuple.laddr, frame_addrs6[1], 16);
	}
	return segment;
}

static inline __u64 monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (__u64)now.tv_sec * 1000000000 + (__u64)now.tv_nsec;
}

/* Interfaces of BPF_PROG_TEST_RUN are numbered as the kernel likes: see where it counts. */
static inline void stage_find_ifindex(struct stage *stage)
{
	static const struct frame_spec spec = { .name = "no flags", .family = 4 };
	__u64 before[SEGMENT_INTERFACES];
	unsigned int found = 0;
	struct frame frame;

	for (__u32 i = 0; i < SEGMENT_INTERFACES; i++)
		before[i] = stage_counted(stage, i, 0);
	frame_build(&frame, &spec);
	assert_true(stage_run(stage, ENTRY_XDP, &frame, frame.len));
	for (__u32 i = 0; i < SEGMENT_INTERFACES; i++) {
		if (stage_counted(stage, i, 0) == before[i])
			continue;
		assert_int_equal(stage_counted(stage, i, 0), before[i] + 1);
		stage->ifindex = i;
		found++;
	}
	assert_int_equal(found, 1);
}

/* Why nothing can be tested here, or NULL. */
static inline const char *stage_missing_condition(void)
{
	const struct bpf_insn insns[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 2 },
					  { .code = BPF_JMP | BPF_EXIT } };
	int fd;

	if (geteuid())
		return "needs root";
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return "this kernel has no BTF (/sys/kernel/btf/vmlinux)";
	fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "probe", "GPL", insns, 2, NULL);
	if (fd == -EPERM || fd == -ENOSYS)
		return "BPF programs can't be loaded here";
	if (fd >= 0)
		close(fd);
	return NULL;
}

static inline struct connlife_bpf *stage_open_programs(void)
{
	struct connlife_bpf *skel = connlife_bpf__open();
	struct bpf_program *program;

	if (!skel)
		return NULL;
	bpf_object__for_each_program(program, skel->obj)
		bpf_program__set_autoload(program, program == skel->progs.watch_xdp ||
							   program == skel->progs.watch_tc ||
							   program == skel->progs.watch_tc_raw);
	skel->rodata->packet_netns_cookie = STAGE_NETNS_COOKIE;
	skel->rodata->packet_netns_inum = STAGE_NETNS_INUM;
	if (bpf_map__set_max_entries(skel->maps.events, RING_BYTES)) {
		connlife_bpf__destroy(skel);
		return NULL;
	}
	return skel;
}

static inline void stage_close(struct stage *stage)
{
	ring_buffer__free(stage->ring);
	connlife_bpf__destroy(stage->skel);
	free(stage);
}

/* Takes over the skeleton, which may have been given other constants. */
static inline struct stage *stage_start(struct connlife_bpf *skel)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	assert_non_null(stage);
	assert_non_null(skel);
	stage->skel = skel;
	assert_int_equal(connlife_bpf__load(skel), 0);
	stage->ring = ring_buffer__new(bpf_map__fd(skel->maps.events), stage_take, stage, NULL);
	assert_non_null(stage->ring);
	stage->cpus = libbpf_num_possible_cpus();
	assert_true(stage->cpus > 0);
	stage_find_ifindex(stage);
	return stage;
}

/* For cmocka: a stage for a group of tests, each of which begins with stage_or_skip(). */
static inline int stage_set_up(void **ctx)
{
	const char *missing = stage_missing_condition();
	struct stage *stage;

	if (missing) {
		print_message("SKIPPED: %s\n", missing);
		stage = calloc(1, sizeof(*stage));
		if (!stage)
			return -1;
		stage->is_missing = true;
	} else {
		stage = stage_start(stage_open_programs());
	}
	*ctx = stage;
	return 0;
}

static inline int stage_tear_down(void **ctx)
{
	stage_close(*ctx);
	return 0;
}

static inline struct stage *stage_or_skip(void **ctx)
{
	struct stage *stage = *ctx;

	if (stage->is_missing)
		skip();
	stage_told(stage);
	return stage;
}

#endif
