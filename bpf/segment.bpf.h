/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the socket hooks and the packet programs share: which ACK is waited for,
 * by flow. A slot holds the acknowledgement number that matters, so that data
 * segments are told from it by one look into an array (an LRU map costs six
 * times as much). Two flows in one slot only cost an ACK: it is inferred then.
 */
#ifndef CONNLIFE_SEGMENT_BPF_H
#define CONNLIFE_SEGMENT_BPF_H

#define AWAITED_SLOTS 65536
#define AWAITED_NONE 0
#define AWAITED_ANY 1 /* the first ACK, whatever it acknowledges */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, AWAITED_SLOTS);
	__type(key, __u32);
	__type(value, __u32);
} awaited_acks SEC(".maps") __weak;

/* Segments are told too: on interfaces, or for a view that draws them. */
const volatile bool watch_segments __weak;

const volatile bool count_flags __weak; /* of each connection (--flags) */

struct flow_key {
	__u8 raddr[16];
	__u8 laddr[16];
	__u16 rport;
	__u16 lport;
};

/* Received segments by flag: FIN, SYN, RST, PSH, ACK, URG, as RFC 9293 3.1 numbers the bits. */
struct flow_flags {
	__u32 by_bit[6];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1); /* more where they are counted */
	__type(key, struct flow_key);
	__type(value, struct flow_flags);
} flow_counts SEC(".maps") __weak;

/* Addresses folded to 32 bits, in network order, ports in host order. */
static __always_inline __u32 awaited_slot(__u32 remote, __u32 local, __u16 rport, __u16 lport)
{
	__u32 mixed = remote * 0x9e3779b1 ^ local ^ ((__u32)rport << 16 | lport);

	return mixed * 0x85ebca6b >> 16;
}

static __always_inline void await_ack(__u32 slot, __u32 ack)
{
	__u32 *awaited = bpf_map_lookup_elem(&awaited_acks, &slot);

	if (awaited)
		*awaited = ack == AWAITED_NONE ? AWAITED_ANY : ack;
}

#endif
