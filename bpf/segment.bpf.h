/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the socket hooks and the packet programs share: which ACK is waited for,
 * by flow. A slot holds the acknowledgement number that matters, so that data
 * segments are told from it by one look into an array (an LRU map costs six
 * times as much, an array map three). Two flows in one slot only cost an ACK:
 * it is inferred then.
 */
#ifndef CONNLIFE_SEGMENT_BPF_H
#define CONNLIFE_SEGMENT_BPF_H

#define AWAITED_SLOTS 65536
#define AWAITED_NONE 0
#define AWAITED_ANY 1 /* the first ACK, whatever it acknowledges */

__u32 awaited_acks[AWAITED_SLOTS] __weak;

/* Segments are told too: on interfaces, or for a view that draws them. */
const volatile bool watch_segments __weak;

/* Where this source's interfaces are. */
const volatile __u64 packet_netns_cookie __weak;
const volatile __u32 packet_netns_inum __weak;

const volatile bool count_flags __weak; /* of each connection (--flags) */

struct flow_key {
	__u8 raddr[16];
	__u8 laddr[16];
	__u16 rport;
	__u16 lport;
};

/*
 * Received segments by flag: FIN, SYN, RST, PSH, ACK, URG, as RFC 9293 3.1 numbers the bits.
 * A full map forgets the least used: they are the counts of a life only if they
 * begin with the SYN of that life, which is known by its number.
 */
struct flow_flags {
	__u32 by_bit[6];
	__u32 isn;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1); /* more where they are counted */
	__type(key, struct flow_key);
	__type(value, struct flow_flags);
} flow_counts SEC(".maps") __weak;

/* Two ports as they lie at the head of a segment that comes in. */
static __always_inline __u32 ports_on_wire(__u16 rport, __u16 lport)
{
	union {
		__be16 ports[2];
		__u32 word;
	} wire = { { bpf_htons(rport), bpf_htons(lport) } };

	return wire.word;
}

/* The other end's address folded to 32 bits, and ports as they lie in a segment that comes in. */
static __always_inline __u32 *awaited_ack(__u32 remote, __u32 ports)
{
	__u32 mixed = (remote ^ ports) * 0x9e3779b1;

	return &awaited_acks[mixed >> 16 & (AWAITED_SLOTS - 1)];
}

static __always_inline void await_ack(__u32 *awaited, __u32 ack)
{
	*awaited = ack == AWAITED_NONE ? AWAITED_ANY : ack;
}

#endif
