/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds the TCP header of a frame, and nothing more: no checksum, no state, no
 * opinion. Both halves compile this file (user space for the fuzz target), so
 * it includes nothing. The frame may lie at any alignment.
 */
#ifndef CONNLIFE_PARSE_H
#define CONNLIFE_PARSE_H

#define PARSE_INLINE static inline __attribute__((always_inline))

/* RFC 9293 3.1 */
#define TCP_FLAG_FIN 0x01
#define TCP_FLAG_SYN 0x02
#define TCP_FLAG_RST 0x04
#define TCP_FLAG_PSH 0x08
#define TCP_FLAG_ACK 0x10
#define TCP_FLAG_URG 0x20
#define TCP_FLAGS_MASK 0x3f /* those six; ECN's are left out */

#define PARSE_ETHER_LEN 14
#define PARSE_VLAN_LEN 4
#define PARSE_VLANS_MAX 2 /* 802.1ad: an outer and an inner tag */
#define PARSE_IPV4_LEN 20
#define PARSE_IPV6_LEN 40
#define PARSE_TCP_LEN 20
#define PARSE_EXTENSIONS_MAX 8
/* All that may stand before the options of TCP: longer chains are left alone. */
#define PARSE_OFFSET_MAX 1024

/*
 * Keeps the compiler from working this constant out of the frame again, which
 * would hide from the BPF verifier which of the two addresses are there.
 */
#define PARSE_CONSTANT(value) __asm__ volatile("" : "+r"(value))

enum parse_answer {
	PARSE_TCP = 0,
	PARSE_OTHER = 1, /* not TCP, a later fragment, or not well formed */
	PARSE_SHORT = 2, /* the frame, or the part of it that is here, ends too early */
};

struct parse_found {
	const __u8 *saddr; /* 4 or 16 bytes in the frame */
	const __u8 *daddr;
	const __u8 *tcp; /* at least PARSE_TCP_LEN bytes */
	__u32 payload; /* bytes behind the TCP header, as the IP header says */
	__u32 is_big; /* it says nothing (BIG TCP): payload is what is here of it */
	__u32 family; /* 4 or 6 */
};

/*
 * As they lie in the frame. The kernel lets BPF load at any alignment where the
 * machine does (both of ours); a load of each byte costs several ns a segment.
 */
PARSE_INLINE __u16 parse_raw16(const __u8 *at)
{
#ifdef __bpf__
	return *(const __u16 *)at;
#else
	__u16 raw;

	__builtin_memcpy(&raw, at, sizeof(raw));
	return raw;
#endif
}

PARSE_INLINE __u32 parse_raw32(const __u8 *at)
{
#ifdef __bpf__
	return *(const __u32 *)at;
#else
	__u32 raw;

	__builtin_memcpy(&raw, at, sizeof(raw));
	return raw;
#endif
}

PARSE_INLINE __u64 parse_raw64(const __u8 *at)
{
#ifdef __bpf__
	return *(const __u64 *)at;
#else
	__u64 raw;

	__builtin_memcpy(&raw, at, sizeof(raw));
	return raw;
#endif
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define PARSE_LE16(value) (value)
#define PARSE_NET16(value) __builtin_bswap16(value)
#define PARSE_NET32(value) __builtin_bswap32(value)
#else
#define PARSE_LE16(value) __builtin_bswap16(value)
#define PARSE_NET16(value) (value)
#define PARSE_NET32(value) (value)
#endif

/* The first byte in the lower bits: on most machines as they lie. */
PARSE_INLINE __u16 parse_le16(const __u8 *at)
{
	return PARSE_LE16(parse_raw16(at));
}

PARSE_INLINE __u16 parse_be16(const __u8 *at)
{
	return PARSE_NET16(parse_raw16(at));
}

PARSE_INLINE __u32 parse_be32(const __u8 *at)
{
	return PARSE_NET32(parse_raw32(at));
}

/*
 * tcp is at the header; ip_payload is what the IP header says to follow it and
 * the header itself. Of a super-packet of more than 64 KB it says 0.
 */
PARSE_INLINE enum parse_answer parse_tcp(const __u8 *tcp, const __u8 *end, __u32 ip_payload,
					 struct parse_found *found)
{
	__u32 header;

	if (tcp + PARSE_TCP_LEN > end)
		return PARSE_SHORT;
	header = (__u32)(tcp[12] >> 4) * 4;
	if (found->is_big)
		ip_payload = (__u32)(end - tcp) > header ? (__u32)(end - tcp) : header;
	if (header < PARSE_TCP_LEN || header > ip_payload)
		return PARSE_OTHER;
	found->tcp = tcp;
	found->payload = ip_payload - header;
	return PARSE_TCP;
}

/* RFC 791 3.1 */
PARSE_INLINE enum parse_answer parse_ipv4(const __u8 *ip, const __u8 *end,
					  struct parse_found *found)
{
	__u32 header, total;

	if (ip + PARSE_IPV4_LEN > end)
		return PARSE_SHORT;
	header = (__u32)(ip[0] & 0x0f) * 4;
	if (ip[0] >> 4 != 4 || header < PARSE_IPV4_LEN)
		return PARSE_OTHER;
	if (ip[9] != 6 || parse_be16(ip + 6) & 0x1fff)
		return PARSE_OTHER;
	total = parse_be16(ip + 2);
	found->is_big = !total;
	if (total && total < header + PARSE_TCP_LEN)
		return PARSE_OTHER;
	found->family = 4;
	PARSE_CONSTANT(found->family);
	found->saddr = ip + 12;
	found->daddr = ip + 16;
	return parse_tcp(ip + header, end, total - header, found);
}

/* RFC 8200 4; an authentication header (RFC 4302) counts in words of 4 bytes. */
PARSE_INLINE enum parse_answer parse_ipv6(const __u8 *ip, const __u8 *end,
					  struct parse_found *found)
{
	__u32 offset = PARSE_IPV6_LEN, total;
	__u8 next;

	if (ip + PARSE_IPV6_LEN > end)
		return PARSE_SHORT;
	if (ip[0] >> 4 != 6)
		return PARSE_OTHER;
	next = ip[6];
	total = parse_be16(ip + 4);
	found->is_big = !total; /* or a jumbo payload, RFC 2675 */
	total += PARSE_IPV6_LEN;
	found->family = 6;
	PARSE_CONSTANT(found->family);
	found->saddr = ip + 8;
	found->daddr = ip + 24;
	for (int i = 0; i < PARSE_EXTENSIONS_MAX && next != 6; i++) {
		const __u8 *extension = ip + offset;

		if (extension + 8 > end)
			return PARSE_SHORT;
		switch (next) {
		case 0: /* hop by hop */
		case 43: /* routing */
		case 60: /* destination */
			offset += ((__u32)extension[1] + 1) * 8;
			break;
		case 44: /* fragment */
			if (parse_be16(extension + 2) & 0xfff8)
				return PARSE_OTHER;
			offset += 8;
			break;
		case 51: /* authentication */
			offset += ((__u32)extension[1] + 2) * 4;
			break;
		default:
			return PARSE_OTHER;
		}
		next = extension[0];
		if (offset > PARSE_OFFSET_MAX)
			return PARSE_OTHER;
	}
	if (next != 6 || (!found->is_big && total < offset + PARSE_TCP_LEN))
		return PARSE_OTHER;
	return parse_tcp(ip + offset, end, total - offset, found);
}

PARSE_INLINE enum parse_answer parse_ip(const __u8 *ip, const __u8 *end, struct parse_found *found)
{
	if (ip + 1 > end)
		return PARSE_SHORT;
	return ip[0] >> 4 == 6 ? parse_ipv6(ip, end, found) : parse_ipv4(ip, end, found);
}

/* From the Ethernet header on, with up to two VLAN tags (IEEE 802.1Q, 802.1ad). */
PARSE_INLINE enum parse_answer parse_ether(const __u8 *frame, const __u8 *end,
					   struct parse_found *found)
{
	const __u8 *at = frame + PARSE_ETHER_LEN;
	__u16 type;

	if (at > end)
		return PARSE_SHORT;
	type = parse_be16(frame + 12);
	for (int i = 0; i < PARSE_VLANS_MAX && (type == 0x8100 || type == 0x88a8); i++) {
		if (at + PARSE_VLAN_LEN > end)
			return PARSE_SHORT;
		type = parse_be16(at + 2);
		at += PARSE_VLAN_LEN;
	}
	if (type == 0x0800)
		return parse_ipv4(at, end, found);
	if (type == 0x86dd)
		return parse_ipv6(at, end, found);
	return PARSE_OTHER;
}

/*
 * A quick look at what most frames are: TCP over Ethernet and IP without options, with
 * none of these flags. It finds what parse_ether() would find, in a third of its time;
 * 0 says nothing. In pieces, so that the BPF program has one way for each family.
 */
#define PARSE_PLAIN_NOT (TCP_FLAG_SYN | TCP_FLAG_FIN | TCP_FLAG_RST | TCP_FLAG_URG)
#define PARSE_OFFSET_LEAST (PARSE_TCP_LEN / 4 << 4) /* data offset in the upper half of its byte */
#define PARSE_OFFSET_MASK 0xf0

struct parse_plain {
	const __u8 *tcp;
	__u32 remote; /* the sender's address, see parse_fold_v6() */
	__u8 tcp_flags;
};

/* Of a remote end, to tell flows apart; of IPv4 it is the address as it lies in the frame. */
PARSE_INLINE __u32 parse_fold_v6(const __u8 *saddr)
{
	return parse_raw32(saddr + 8) ^ parse_raw32(saddr + 12);
}

/* Whether the header of TCP ends within what the IP header counts, in two bytes at total. */
PARSE_INLINE int parse_has_header(const __u8 *total, const __u8 *tcp, __u32 before)
{
	/* so many that the longest header fits: then its length need not be looked at */
	return total[0] || (tcp[12] >> 2 & 0x3cU) + before <= total[1];
}

PARSE_INLINE int parse_plain_tcp(const __u8 *tcp, struct parse_plain *plain)
{
	__u32 word = parse_le16(tcp + 12); /* data offset in the lower byte, flags in the upper */

	plain->tcp = tcp;
	plain->tcp_flags = (__u8)(word >> 8);
	/* in one comparison: any of those flags makes it larger than any data offset */
	return (word & (PARSE_PLAIN_NOT << 8 | PARSE_OFFSET_MASK)) - PARSE_OFFSET_LEAST <=
	       PARSE_OFFSET_MASK - PARSE_OFFSET_LEAST;
}

/* Several fields in one look: fragment offset and protocol. */
PARSE_INLINE int parse_plain_ipv4(const __u8 *ip, struct parse_plain *plain)
{
	const __u8 *tcp = ip + PARSE_IPV4_LEN;

	if ((parse_raw32(ip + 6) & PARSE_NET32(0x1fff00ffU)) != PARSE_NET32(6U) ||
	    !parse_has_header(ip + 2, tcp, PARSE_IPV4_LEN) || !parse_plain_tcp(tcp, plain))
		return 0;
	plain->remote = parse_raw32(ip + 12);
	return 1;
}

PARSE_INLINE int parse_plain_ipv6(const __u8 *ip, const __u8 *end, struct parse_plain *plain)
{
	const __u8 *tcp = ip + PARSE_IPV6_LEN;

	if (tcp + PARSE_TCP_LEN > end || ip[6] != 6 || !parse_has_header(ip + 4, tcp, 0) ||
	    !parse_plain_tcp(tcp, plain))
		return 0;
	plain->remote = parse_fold_v6(ip + 8);
	return 1;
}

/* 4 or 6: parse_plain_ipv4() or parse_plain_ipv6() may go on behind the Ethernet header. */
PARSE_INLINE __u32 parse_plain_family(const __u8 *frame, const __u8 *end)
{
	const __u8 *ip = frame + PARSE_ETHER_LEN;
	__u32 head; /* EtherType, and the first two bytes of IP */

	if (ip + PARSE_IPV4_LEN + PARSE_TCP_LEN > end)
		return 0;
	head = parse_raw32(ip - 2);
	if ((head & PARSE_NET32(0xffffff00U)) == PARSE_NET32(0x08004500U))
		return 4;
	return (head & PARSE_NET32(0xfffff000U)) == PARSE_NET32(0x86dd6000U) ? 6 : 0;
}

#endif
