// SPDX-License-Identifier: GPL-2.0-only
/*
 * What interfaces receive: an XDP entry and two of tc around one parser. Every
 * frame goes on as it came. Data segments are only counted by their flags; a
 * segment is told if it opens, ends or acknowledges an opening or an end.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "event.h"
#include "filter.h"
#include "parse.h"
#include "emit.bpf.h"
#include "compat.bpf.h"
#include "segment.bpf.h"
#include "met.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define TC_ACT_UNSPEC (-1)
#define PULL_BYTES 256 /* more headers than this are not TCP's business */

const volatile struct filter filter __weak;

/*
 * By interface and by all six flags together: one addition a segment, and the
 * user half adds up. Interfaces of a higher index share those of index 0.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SEGMENT_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} segment_counters SEC(".maps");

static __always_inline void count_segment(__u32 ifindex, __u8 tcp_flags)
{
	__u32 slot =
		(ifindex < SEGMENT_INTERFACES ? ifindex : 0) << 6 | (tcp_flags & TCP_FLAGS_MASK);
	__u64 *counter = bpf_map_lookup_elem(&segment_counters, &slot);

	if (counter)
		*counter += 1;
}

/* Of the other end, as awaited_ack() wants it. */
static __always_inline __u32 fold_remote(const struct parse_found *found)
{
	return found->family == 4 ? parse_raw32(found->saddr) : parse_fold_v6(found->saddr);
}

/* Whether it acknowledges what is waited for; then nothing is waited for any more. */
static __always_inline bool is_awaited(const struct parse_found *found, __u8 tcp_flags)
{
	__u32 *awaited = awaited_ack(fold_remote(found), parse_raw32(found->tcp));

	if ((tcp_flags & (TCP_FLAG_SYN | TCP_FLAG_ACK)) == TCP_FLAG_SYN) {
		*awaited = AWAITED_ANY; /* the ACK that completes the handshake */
		return true;
	}
	if (*awaited == AWAITED_NONE || !(tcp_flags & TCP_FLAG_ACK))
		return false;
	if (*awaited != AWAITED_ANY && *awaited != parse_be32(found->tcp + 8))
		return false;
	*awaited = AWAITED_NONE;
	return true;
}

static __always_inline void fill_address(__u8 *out, const struct parse_found *found,
					 const __u8 *address)
{
	__u32 *word = (void *)out;

	if (found->family == 4) {
		word[0] = 0;
		word[1] = 0;
		word[2] = bpf_htonl(0xffff);
		word[3] = parse_raw32(address);
		return;
	}
	for (int i = 0; i < 4; i++)
		word[i] = parse_raw32(address + 4 * i);
}

static __always_inline void fill_segment_tuple(struct ev_tuple *tuple,
					       const struct parse_found *found)
{
	fill_address(tuple->laddr, found, found->daddr);
	fill_address(tuple->raddr, found, found->saddr);
	tuple->netns_cookie = packet_netns_cookie;
	tuple->cgroup_id = 0;
	tuple->netns_inum = packet_netns_inum;
	tuple->lport = parse_be16(found->tcp + 2);
	tuple->rport = parse_be16(found->tcp);
	tuple->family = (__u8)found->family;
	__builtin_memset(tuple->pad, 0, sizeof(tuple->pad));
}

static __always_inline void fill_segment(struct ev_segment *segment,
					 const struct parse_found *found, __u32 ifindex)
{
	segment->hdr.ts_ns = bpf_ktime_get_ns();
	segment->hdr.sock = 0;
	segment->hdr.cookie = 0;
	segment->hdr.size = sizeof(*segment);
	segment->hdr.kind = EV_SEGMENT;
	segment->hdr.version = EV_VERSION;
	segment->hdr.pad = 0;
	fill_segment_tuple(&segment->tuple, found);
	segment->seq = parse_be32(found->tcp + 4);
	segment->ack = parse_be32(found->tcp + 8);
	segment->ifindex = ifindex;
	segment->window = parse_be16(found->tcp + 14);
	segment->tcp_flags = found->tcp[13];
	segment->met_state = ST_NONE;
	segment->met_flags = 0;
	__builtin_memset(segment->pad, 0, sizeof(segment->pad));
}

static __always_inline void add_flags(struct flow_flags *counts, __u8 tcp_flags)
{
	for (int i = 0; i < 6; i++) {
		if (tcp_flags >> i & 1)
			__sync_fetch_and_add(&counts->by_bit[i], 1);
	}
}

static __always_inline void count_for_flow(const struct parse_found *found, __u8 tcp_flags)
{
	struct flow_flags none = { .isn = parse_be32(found->tcp + 4) };
	struct flow_flags *counts;
	struct flow_key key = {};

	fill_address(key.raddr, found, found->saddr);
	fill_address(key.laddr, found, found->daddr);
	key.rport = parse_be16(found->tcp);
	key.lport = parse_be16(found->tcp + 2);
	counts = bpf_map_lookup_elem(&flow_counts, &key);
	/* only a SYN begins a life; one with another number another life of the same ends */
	if (tcp_flags & TCP_FLAG_SYN && (!counts || counts->isn != none.isn)) {
		bpf_map_update_elem(&flow_counts, &key, &none, BPF_ANY);
		counts = bpf_map_lookup_elem(&flow_counts, &key);
	}
	if (counts)
		add_flags(counts, tcp_flags);
}

/* whole: bytes of the frame, offset: where its TCP header begins. */
static __always_inline __u32 big_payload(const struct parse_found *found, __u32 whole, __u32 offset)
{
	__u32 before = offset + (__u32)(found->tcp[12] >> 4) * 4;

	return whole > before ? whole - before : 0;
}

/* Before any room is taken in the ring. */
static __always_inline bool is_unwanted(const struct parse_found *found)
{
	struct ev_tuple tuple;

	if (!filter.active)
		return false;
	fill_segment_tuple(&tuple, found);
	return filter_tuple(&filter, &tuple) == FILTER_NO;
}

static __always_inline void tell_segment(void *ctx, const struct parse_found *found, __u32 ifindex,
					 __u32 payload)
{
	struct ev_segment *segment;

	if (is_unwanted(found))
		return;
	segment = reserve_lesser(sizeof(*segment));
	if (!segment)
		return;
	fill_segment(segment, found, ifindex);
	segment->payload = payload;
	if (!(segment->tcp_flags &
	      TCP_FLAG_FIN)) { /* the ACK of a handshake, too: see its request */
		struct met met = find_met(ctx, &segment->tuple);

		segment->met_state = met.state;
		segment->met_flags = met.flags;
	}
	submit_and_wake(segment);
}

/* Counts it; whether it is to be told. */
static __always_inline bool note_segment(const struct parse_found *found, __u32 ifindex)
{
	__u8 tcp_flags = found->tcp[13];
	bool awaited = is_awaited(found, tcp_flags);

	count_segment(ifindex, tcp_flags);
	if (count_flags)
		count_for_flow(found, tcp_flags);
	return awaited || tcp_flags & (TCP_FLAG_SYN | TCP_FLAG_FIN | TCP_FLAG_RST | TCP_FLAG_URG);
}

/* Whether it is one of no note, and was counted. */
static __always_inline bool skim_segment(const struct parse_plain *plain, __u32 ifindex)
{
	__u32 awaited = *awaited_ack(plain->remote, parse_raw32(plain->tcp));

	if (awaited != AWAITED_NONE &&
	    (awaited == AWAITED_ANY || awaited == parse_be32(plain->tcp + 8)))
		return false;
	if (ifindex >= SEGMENT_INTERFACES)
		return false;
	count_segment(ifindex, plain->tcp_flags);
	return true;
}

/* Whether a frame of the usual kind was taken care of by counting it. */
static __always_inline bool skim(const __u8 *frame, const __u8 *end, __u32 ifindex)
{
	const __u8 *ip = frame + PARSE_ETHER_LEN;
	struct parse_plain plain;
	__u32 family;

	if (count_flags)
		return false;
	family = parse_plain_family(frame, end);
	if (family == 4)
		return parse_plain_ipv4(ip, &plain) && skim_segment(&plain, ifindex);
	return family == 6 && parse_plain_ipv6(ip, end, &plain) && skim_segment(&plain, ifindex);
}

/* Apart, so that a frame that is skimmed saves no registers for it. */
static __noinline int parse_frame(struct xdp_md *ctx)
{
	const __u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct parse_found found;
	__u32 payload;

	if (parse_ether(data, end, &found) != PARSE_TCP ||
	    !note_segment(&found, ctx->ingress_ifindex))
		return XDP_PASS;
	payload = found.payload;
	if (found.is_big)
		payload = big_payload(&found, xdp_frame_len(ctx), (__u32)(found.tcp - data));
	tell_segment(ctx, &found, ctx->ingress_ifindex, payload);
	return XDP_PASS;
}

static __always_inline int watch_frame(struct xdp_md *ctx)
{
	const __u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (skim(data, end, ctx->ingress_ifindex))
		return XDP_PASS;
	return parse_frame(ctx);
}

SEC("xdp.frags")
int watch_xdp(struct xdp_md *ctx)
{
	return watch_frame(ctx);
}

/* Up to 5.17: see xdp_frame_len(). Drop when 5.17 is no longer supported. */
SEC("xdp")
int watch_xdp_plain(struct xdp_md *ctx)
{
	return watch_frame(ctx);
}

static __always_inline void on_skb(struct __sk_buff *skb, const struct parse_found *found)
{
	__u32 payload = found->payload;

	if (!note_segment(found, skb->ifindex))
		return;
	if (found->is_big)
		payload = big_payload(found, skb->len,
				      (__u32)(found->tcp - (const __u8 *)(long)skb->data));
	tell_segment(skb, found, skb->ifindex, payload);
}

/* The headers may lie in fragments of the buffer: then they are pulled to its front. */
static __always_inline int watch_skb(struct __sk_buff *skb, bool has_ether)
{
	struct parse_found found;

	for (int i = 0; i < 2; i++) {
		const __u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
		enum parse_answer answer =
			has_ether ? parse_ether(data, end, &found) : parse_ip(data, end, &found);

		if (answer == PARSE_TCP)
			on_skb(skb, &found);
		if (answer != PARSE_SHORT || i || skb->len <= (__u32)(end - data))
			break;
		if (bpf_skb_pull_data(skb, skb->len < PULL_BYTES ? skb->len : PULL_BYTES))
			break;
	}
	return TC_ACT_UNSPEC; /* the next filter decides, as if there were none here */
}

SEC("tc")
int watch_tc(struct __sk_buff *skb)
{
	return watch_skb(skb, true);
}

/* Devices without a link-layer header (tun, ppp, WireGuard). */
SEC("tc")
int watch_tc_raw(struct __sk_buff *skb)
{
	return watch_skb(skb, false);
}
