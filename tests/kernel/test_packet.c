// SPDX-License-Identifier: GPL-2.0-only
/*
 * The packet programs in the kernel, over the frames that the parser is tested
 * with: each goes on unchanged, what is told of it is exactly right, the rest is
 * counted. Needs root and BPF; skips without.
 */
#include "stage.h"

#define SYN_ACK (TCP_FLAG_SYN | TCP_FLAG_ACK)
#define FIN_ACK (TCP_FLAG_FIN | TCP_FLAG_ACK)
#define RST_ACK (TCP_FLAG_RST | TCP_FLAG_ACK)
#define URG_ACK (TCP_FLAG_URG | TCP_FLAG_ACK)
#define ECN 0xc0 /* ECE and CWR: no matter for the counters */
#define ALWAYS_TOLD (TCP_FLAG_SYN | TCP_FLAG_FIN | TCP_FLAG_RST | TCP_FLAG_URG)

static void complain(enum entry entry, const struct frame *frame, size_t len, const char *what)
{
	fail_msg("%s: %s, flags %#x, %zu of %zu bytes: %s", entry_name(entry), frame->spec->name,
		 frame->spec->flags, len, frame->len, what);
}

/* Every byte of the event is known beforehand but those of its time. */
static void check_segment(struct stage *stage, enum entry entry, const struct frame *frame,
			  size_t len, __u64 begin_ns)
{
	struct ev_segment must = segment_of(stage, frame);

	if (stage->told[0].hdr.ts_ns < begin_ns || stage->told[0].hdr.ts_ns > monotonic_ns())
		complain(entry, frame, len, "wrong time");
	must.hdr.ts_ns = stage->told[0].hdr.ts_ns;
	if (frame->spec->is_big) {
		__u32 missing = (__u32)(frame->len - len);

		must.payload = frame->payload > missing ? frame->payload - missing : 0;
	}
	if (!memcmp(&stage->told[0], &must, sizeof(must)))
		return;
	print_error("must be, then is:\n");
	for (size_t i = 0; i < sizeof(must); i++)
		print_error("%zu:%02x/%02x%s", i, ((__u8 *)&must)[i], ((__u8 *)stage->told)[i],
			    (i + 1) % 8 ? " " : "\n");
	complain(entry, frame, len, "told wrongly");
}

/* The first len bytes of a frame; nothing is awaited before. */
static void check_run(struct stage *stage, enum entry entry, const struct frame *frame, size_t len,
		      bool is_tcp)
{
	__u32 set = frame->spec->flags & TCP_FLAGS_MASK;
	__u64 counted = stage_counted(stage, stage->ifindex, set), begin_ns = monotonic_ns();
	bool is_told = is_tcp && set & ALWAYS_TOLD;

	stage_set_awaited(stage, frame, 0);
	if (!stage_run(stage, entry, frame, len) && is_tcp)
		complain(entry, frame, len, "the kernel does not run it");
	if (stage_told(stage) != is_told)
		complain(entry, frame, len, is_told ? "not told" : "told");
	if (stage_counted(stage, stage->ifindex, set) != counted + is_tcp)
		complain(entry, frame, len, is_tcp ? "not counted once" : "counted");
	if (is_told)
		check_segment(stage, entry, frame, len, begin_ns);
}

static bool is_for(enum entry entry, const struct frame_spec *spec)
{
	return entry != ENTRY_TC_RAW || !spec->ether_only;
}

/* The whole table with some flags. */
static void check_table(struct stage *stage, __u8 flags)
{
	__u64 before = stage_counted_all(stage), runs = 0;

	for (size_t i = 0; i < FRAME_SPECS; i++) {
		struct frame_spec spec = frame_specs[i];
		struct frame frame;

		spec.flags = flags;
		frame_build(&frame, &spec);
		for (int entry = 0; entry < ENTRIES; entry++) {
			if (!is_for((enum entry)entry, &spec))
				continue;
			check_run(stage, (enum entry)entry, &frame, frame.len,
				  spec.must == PARSE_TCP);
			runs += spec.must == PARSE_TCP;
		}
	}
	assert_int_equal(stage_counted_all(stage), before + runs); /* nothing at other flags */
}

static void test_told(void **ctx)
{
	static const __u8 told[] = { TCP_FLAG_SYN,	SYN_ACK, TCP_FLAG_SYN | ECN, TCP_FLAG_FIN,
				     FIN_ACK,		RST_ACK, TCP_FLAG_RST,	     URG_ACK,
				     URG_ACK | PSH_ACK, 0xff,	 SYN_ACK | 0x40,     TCP_FLAG_URG };
	struct stage *stage = stage_or_skip(ctx);

	for (size_t i = 0; i < sizeof(told); i++)
		check_table(stage, told[i]);
}

static void test_data_is_counted(void **ctx)
{
	static const __u8 data[] = { 0, TCP_FLAG_PSH, TCP_FLAG_ACK, PSH_ACK, PSH_ACK | ECN };
	struct stage *stage = stage_or_skip(ctx);

	for (size_t i = 0; i < sizeof(data); i++)
		check_table(stage, data[i]);
}

/* What the parser says in user space, where its own tests judge it. */
static bool is_tcp_in_user_space(enum entry entry, const struct frame *frame, size_t len)
{
	const __u8 *begin = frame->bytes + entry_start(entry, frame);
	const __u8 *end = frame->bytes + len;
	struct parse_found found;

	return (entry == ENTRY_TC_RAW ? parse_ip(begin, end, &found)
				      : parse_ether(begin, end, &found)) == PARSE_TCP;
}

/* All that can be cut off, down to nothing. */
static void check_cuts(struct stage *stage, enum entry entry, const struct frame *frame)
{
	for (size_t len = entry_start(entry, frame) + 1; len < frame->len; len++)
		check_run(stage, entry, frame, len, is_tcp_in_user_space(entry, frame, len));
}

static void check_cuts_of(struct stage *stage, struct frame_spec spec, __u8 tcp_flags)
{
	struct frame frame;

	spec.flags = tcp_flags;
	frame_build(&frame, &spec);
	for (int entry = 0; entry < ENTRIES; entry++) {
		if (is_for((enum entry)entry, &spec))
			check_cuts(stage, (enum entry)entry, &frame);
	}
}

/* Of one that is told, and of one that the quick look takes. */
static void test_every_cut(void **ctx)
{
	struct stage *stage = stage_or_skip(ctx);
	__u64 lost = stage_lost(stage, LOST_SEGMENTS);

	for (size_t i = 0; i < FRAME_SPECS; i++) {
		check_cuts_of(stage, frame_specs[i], FIN_ACK);
		check_cuts_of(stage, frame_specs[i], PSH_ACK);
	}
	assert_int_equal(stage_lost(stage, LOST_SEGMENTS), lost);
}

/* How much is told of one frame that goes through an entry. */
static size_t told_of(struct stage *stage, enum entry entry, const struct frame_spec *spec)
{
	struct frame frame;

	frame_build(&frame, spec);
	assert_true(stage_run(stage, entry, &frame, frame.len));
	return stage_told(stage);
}

/* With the given numbers in place of those that frames have. */
static size_t told_of_ack(struct stage *stage, const struct frame_spec *spec, __u16 sport,
			  __u32 ack)
{
	struct frame frame;
	__u8 *tcp;

	frame_build(&frame, spec);
	tcp = frame.bytes + frame.tcp;
	tcp[0] = (__u8)(sport >> 8);
	tcp[1] = (__u8)sport;
	for (int i = 0; i < 4; i++)
		tcp[8 + i] = (__u8)(ack >> (24 - 8 * i));
	assert_true(stage_run(stage, ENTRY_XDP, &frame, frame.len));
	return stage_told(stage);
}

static const struct frame_spec flows[] = {
	{ .name = "IPv4", .family = 4, .payload = 20 },
	{ .name = "IPv6", .family = 6, .payload = 20 },
};

/* The ACK that completes a handshake comes first; the same again is data. */
static void check_first_ack(struct stage *stage, enum entry entry, const struct frame_spec *flow)
{
	struct frame_spec spec = *flow;
	struct frame frame;

	frame_build(&frame, &spec);
	stage_set_awaited(stage, &frame, 0);
	spec.flags = TCP_FLAG_SYN;
	assert_int_equal(told_of(stage, entry, &spec), 1);
	spec.flags = TCP_FLAG_PSH; /* acknowledges nothing */
	assert_int_equal(told_of(stage, entry, &spec), 0);
	spec.flags = TCP_FLAG_ACK;
	assert_int_equal(told_of(stage, entry, &spec), 1);
	assert_int_equal(stage->told[0].tcp_flags, TCP_FLAG_ACK);
	assert_int_equal(stage->told[0].payload, spec.payload);
	assert_int_equal(told_of(stage, entry, &spec), 0);
	spec.flags = PSH_ACK;
	assert_int_equal(told_of(stage, entry, &spec), 0);
}

static void test_ack_after_syn(void **ctx)
{
	struct stage *stage = stage_or_skip(ctx);

	for (int entry = 0; entry < ENTRIES; entry++) {
		for (size_t i = 0; i < 2; i++)
			check_first_ack(stage, (enum entry)entry, &flows[i]);
	}
}

/* The answer to our own SYN is no SYN of the peer's: no ACK follows from there. */
static void test_ack_after_syn_ack(void **ctx)
{
	struct stage *stage = stage_or_skip(ctx);
	struct frame_spec spec = flows[0];
	struct frame frame;

	frame_build(&frame, &spec);
	stage_set_awaited(stage, &frame, FRAME_ACK);
	spec.flags = SYN_ACK;
	assert_int_equal(told_of(stage, ENTRY_XDP, &spec), 1);
	assert_int_equal(stage_awaited(stage, &frame), 0); /* that was it */
	spec.flags = TCP_FLAG_ACK;
	assert_int_equal(told_of(stage, ENTRY_XDP, &spec), 0);
}

static void check_awaited_number(struct stage *stage, const struct frame_spec *flow)
{
	const __u32 awaited = 0x80000001;
	struct frame_spec spec = *flow;
	struct frame frame;

	spec.flags = PSH_ACK;
	frame_build(&frame, &spec);
	stage_set_awaited(stage, &frame, awaited);
	assert_int_equal(told_of_ack(stage, &spec, FRAME_SPORT, awaited - 1), 0);
	assert_int_equal(told_of_ack(stage, &spec, FRAME_SPORT, awaited + 1), 0);
	assert_int_equal(told_of_ack(stage, &spec, FRAME_SPORT, 0), 0);
	assert_int_equal(told_of_ack(stage, &spec, FRAME_SPORT + 1, awaited), 0);
	spec.flags = TCP_FLAG_PSH;
	assert_int_equal(told_of_ack(stage, &spec, FRAME_SPORT, awaited), 0);
	assert_true(stage_awaited(stage, &frame) == awaited);
	spec.flags = TCP_FLAG_ACK;
	assert_int_equal(told_of_ack(stage, &spec, FRAME_SPORT, awaited), 1);
	assert_true(stage->told[0].ack == awaited);
	assert_int_equal(stage_awaited(stage, &frame), 0);
	assert_int_equal(told_of_ack(stage, &spec, FRAME_SPORT, awaited), 0);
}

static void test_awaited_ack(void **ctx)
{
	struct stage *stage = stage_or_skip(ctx);

	for (size_t i = 0; i < 2; i++)
		check_awaited_number(stage, &flows[i]);
}

/* Half of the ring is for states; what is left out is counted, and still counted by flags. */
static void test_half_full_ring(void **ctx)
{
	const struct frame_spec spec = { .name = "FIN", .family = 4, .flags = FIN_ACK };
	const size_t half = RING_BYTES / 2 / RECORD_BYTES, too_many = 25;
	struct stage *stage = stage_or_skip(ctx);
	__u64 lost = stage_lost(stage, LOST_SEGMENTS), full = stage_lost(stage, LOST_RING_FULL);
	__u64 counted = stage_counted(stage, stage->ifindex, FIN_ACK);
	struct frame frame;

	frame_build(&frame, &spec);
	for (size_t i = 0; i < half + too_many; i++)
		assert_true(stage_run(stage, (enum entry)(i % 2), &frame, frame.len));
	assert_int_equal(stage_told(stage), half);
	assert_int_equal(stage_lost(stage, LOST_SEGMENTS), lost + too_many);
	assert_int_equal(stage_lost(stage, LOST_RING_FULL), full);
	assert_int_equal(stage_counted(stage, stage->ifindex, FIN_ACK), counted + half + too_many);
	assert_int_equal(told_of(stage, ENTRY_XDP, &spec), 1); /* as soon as there is room */
	assert_int_equal(stage_lost(stage, LOST_SEGMENTS), lost + too_many);
}

#define FLOWS_KEPT 1024

/* Programs that are given a filter and count by connection. */
static struct stage *start_filtered(void)
{
	struct connlife_bpf *skel = stage_open_programs();

	assert_non_null(skel);
	skel->rodata->filter.active = 1;
	skel->rodata->filter.has_rports = 1;
	skel->rodata->filter.rports[FRAME_SPORT / 8] = 1 << FRAME_SPORT % 8;
	skel->rodata->count_flags = true;
	assert_int_equal(bpf_map__set_max_entries(skel->maps.flow_counts, FLOWS_KEPT), 0);
	return stage_start(skel);
}

static void test_filter(void **ctx)
{
	const struct frame_spec spec = { .name = "FIN", .family = 4, .flags = FIN_ACK };
	struct stage *stage;
	__u64 counted;

	stage_or_skip(ctx);
	stage = start_filtered();
	counted = stage_counted(stage, stage->ifindex, FIN_ACK);
	assert_int_equal(told_of_ack(stage, &spec, FRAME_SPORT, FRAME_ACK), 1);
	assert_int_equal(told_of_ack(stage, &spec, FRAME_SPORT + 1, FRAME_ACK), 0);
	assert_int_equal(told_of_ack(stage, &spec, FRAME_SPORT, FRAME_ACK), 1);
	assert_int_equal(stage_counted(stage, stage->ifindex, FIN_ACK), counted + 3);
	assert_int_equal(stage_lost(stage, LOST_SEGMENTS), 0);
	stage_close(stage);
}

/* As struct flow_key and struct flow_flags in bpf/segment.bpf.h. */
struct flow_ends {
	__u8 raddr[16];
	__u8 laddr[16];
	__u16 rport;
	__u16 lport;
};

struct flow_counts {
	__u32 by_bit[6];
	__u32 isn;
};

/* 0, or -ENOENT if nothing is counted for it. */
static int look_at_flow(const struct stage *stage, const struct frame_spec *flow,
			struct flow_counts *counts)
{
	struct flow_ends ends = { .rport = FRAME_SPORT, .lport = FRAME_DPORT };

	if (flow->family == 4) {
		put_mapped(ends.raddr, frame_addrs4[0]);
		put_mapped(ends.laddr, frame_addrs4[1]);
	} else {
		memcpy(ends.raddr, frame_addrs6[0], 16);
		memcpy(ends.laddr, frame_addrs6[1], 16);
	}
	return bpf_map_lookup_elem(bpf_map__fd(stage->skel->maps.flow_counts), &ends, counts);
}

static void check_flow(const struct stage *stage, const struct frame_spec *flow,
		       const __u32 must[6], __u32 isn)
{
	struct flow_counts counts;

	assert_int_equal(look_at_flow(stage, flow, &counts), 0);
	assert_memory_equal(counts.by_bit, must, sizeof(counts.by_bit));
	assert_int_equal(counts.isn, isn);
}

static void run_flags(struct stage *stage, const struct frame_spec *flow, const __u8 *flags,
		      size_t len)
{
	struct frame_spec spec = *flow;

	for (size_t i = 0; i < len; i++) {
		spec.flags = flags[i];
		told_of(stage, (enum entry)(i % 2), &spec);
	}
}

/* FIN, SYN, RST, PSH, ACK, URG; a SYN of another number begins anew, a repeated one does not. */
static void test_flags_of_a_connection(void **ctx)
{
	static const __u8 life[] = { TCP_FLAG_SYN, TCP_FLAG_ACK, PSH_ACK,      PSH_ACK | ECN,
				     URG_ACK,	   FIN_ACK,	 TCP_FLAG_ACK, TCP_FLAG_RST };
	static const __u8 late[] = { TCP_FLAG_SYN };
	static const __u8 next_life[] = { TCP_FLAG_SYN, TCP_FLAG_SYN, TCP_FLAG_ACK };
	static const __u32 must[] = { 1, 1, 1, 2, 6, 1 }, late_must[] = { 1, 2, 1, 2, 6, 1 },
			   next_must[] = { 0, 2, 0, 0, 1, 0 };
	struct stage *stage;

	stage_or_skip(ctx);
	stage = start_filtered();
	for (size_t i = 0; i < 2; i++) {
		run_flags(stage, &flows[i], life, sizeof(life));
		check_flow(stage, &flows[i], must, FRAME_SEQ);
		run_flags(stage, &flows[i], late, sizeof(late));
		check_flow(stage, &flows[i], late_must, FRAME_SEQ);
	}
	for (size_t i = 0; i < 2; i++) {
		struct frame_spec next = flows[i];

		next.patches[0] = (struct frame_patch){ AT_TCP, 7, 0x77 };
		run_flags(stage, &next, next_life, sizeof(next_life));
		check_flow(stage, &flows[i], next_must, (FRAME_SEQ & ~0xffU) | 0x77);
	}
	stage_close(stage);
}

/* What was not counted from a SYN on would be too low: nothing is counted then. */
static void test_flags_without_a_syn(void **ctx)
{
	static const __u8 rest[] = { TCP_FLAG_ACK, PSH_ACK, URG_ACK, FIN_ACK, TCP_FLAG_RST };
	struct flow_counts counts;
	struct stage *stage;

	stage_or_skip(ctx);
	stage = start_filtered();
	for (size_t i = 0; i < 2; i++) {
		run_flags(stage, &flows[i], rest, sizeof(rest));
		assert_int_equal(look_at_flow(stage, &flows[i], &counts), -ENOENT);
	}
	stage_close(stage);
}

/* More connections than the map holds: what goes on after it was forgotten is not counted. */
static void test_flags_forgotten(void **ctx)
{
	static const __u8 syn[] = { TCP_FLAG_SYN }, rest[] = { PSH_ACK, FIN_ACK };
	static const __u32 must[] = { 0, 1, 0, 0, 0, 0 };
	struct frame_spec other = flows[0];
	struct flow_counts counts;
	struct stage *stage;

	stage_or_skip(ctx);
	stage = start_filtered();
	run_flags(stage, &flows[0], syn, sizeof(syn));
	check_flow(stage, &flows[0], must, FRAME_SEQ);
	for (int port = 0; port < 4 * FLOWS_KEPT; port++) {
		other.patches[0] = (struct frame_patch){ AT_TCP, 0, (__u8)(port >> 8) };
		other.patches[1] = (struct frame_patch){ AT_TCP, 1, (__u8)port };
		run_flags(stage, &other, syn, sizeof(syn));
	}
	run_flags(stage, &flows[0], rest, sizeof(rest));
	assert_int_equal(look_at_flow(stage, &flows[0], &counts), -ENOENT);
	stage_close(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_data_is_counted),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_ack_after_syn),
		cmocka_unit_test(test_ack_after_syn_ack),
		cmocka_unit_test(test_awaited_ack),
		cmocka_unit_test(test_half_full_ring),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_flags_of_a_connection),
		cmocka_unit_test(test_flags_without_a_syn),
		cmocka_unit_test(test_flags_forgotten),
	};

	return cmocka_run_group_tests_name("packet", tests, stage_set_up, stage_tear_down);
}
