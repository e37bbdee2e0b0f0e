/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames for the tests of the parser: a line of the table describes one and says
 * what the parser must answer, the builder writes it byte by byte. Shared by the
 * unit tests, the fuzz target and the kernel tests, so it knows none of them.
 */
#ifndef CONNLIFE_TEST_FRAMES_H
#define CONNLIFE_TEST_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <linux/types.h>

#include "base/array.h"
#include "parse.h"

#define FRAME_MAX 2048
#define FRAME_SPORT 40001
#define FRAME_DPORT 443
#define FRAME_SEQ 0x01020304u
#define FRAME_ACK 0xa1a2a3a4u
#define FRAME_WINDOW 0x7201

#define FRAME_MF 0x2000 /* of IPv4 */
#define FRAME_MF6 0x0001

enum frame_protocol {
	HOP_BY_HOP = 0,
	ICMP = 1,
	TCP = 6,
	UDP = 17,
	ROUTING = 43,
	FRAGMENT = 44,
	ESP = 50,
	AUTHENTICATION = 51,
	ICMP6 = 58,
	NO_NEXT = 59,
	DESTINATION = 60,
};

struct frame_extension {
	__u8 kind;
	__u16 len; /* bytes; 0 ends the list */
	__u16 fragment; /* offset and flags of a fragment header */
};

enum frame_base {
	NOWHERE = 0, /* ends the list */
	AT_IP = 1,
	AT_TCP = 2,
};

struct frame_patch {
	enum frame_base base;
	__u8 offset;
	__u8 value;
};

struct frame_spec {
	const char *name;
	enum parse_answer must;
	bool ether_only; /* what is special about it is in the Ethernet header */
	bool is_big; /* the IP header says length 0 */
	__u8 family;
	__u8 protocol; /* 0: TCP */
	__u8 flags;
	__u8 options; /* bytes of IPv4 options */
	__u8 tcp_options; /* bytes */
	__u16 tags[4]; /* types of VLAN tags, outermost first; 0 ends the list */
	__u16 type; /* 0: as the family says */
	__u16 fragment; /* IPv4 flags and offset */
	__u16 payload; /* bytes */
	__u16 padding; /* bytes behind the packet */
	__u16 cut; /* bytes that are missing at the end of the packet */
	__s32 lie; /* the IP header says so many bytes more */
	struct frame_extension extensions[10];
	struct frame_patch patches[2];
};

struct frame {
	__u8 bytes[FRAME_MAX];
	size_t len;
	size_t ip; /* where the IP header begins */
	size_t tcp; /* where the TCP header begins, or ought to */
	size_t tcp_len;
	__u32 payload; /* what the parser must find behind the TCP header */
	const struct frame_spec *spec;
};

static const __u8 frame_addrs4[2][4] = { { 192, 0, 2, 33 }, { 198, 51, 100, 7 } };
static const __u8 frame_addrs6[2][16] = {
	{ 0x20, 0x01, 0x0d, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 },
	{ 0x20, 0x01, 0x0d, 0xb8, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb,
	  0xfc },
};

#define Q 0x8100 /* 802.1Q */
#define AD 0x88a8 /* 802.1ad */
#define PSH_ACK (TCP_FLAG_PSH | TCP_FLAG_ACK)
#define FRAME4 .family = 4, .flags = PSH_ACK
#define FRAME6 .family = 6, .flags = PSH_ACK
#define IS_TCP .must = PARSE_TCP
#define IS_OTHER .must = PARSE_OTHER
#define IS_SHORT .must = PARSE_SHORT
#define D8 DESTINATION, 8, 0
#define R8 ROUTING, 8, 0

static const struct frame_spec frame_specs[] = {
	{ "IPv4", IS_TCP, FRAME4, .payload = 17 },
	{ "IPv4 without payload", IS_TCP, FRAME4 },
	{ "IPv4 padded to 60 bytes", IS_TCP, FRAME4, .padding = 6 },
	{ "IPv4 with 4 bytes of options", IS_TCP, FRAME4, .options = 4, .payload = 3 },
	{ "IPv4 with 40 bytes of options", IS_TCP, FRAME4, .options = 40, .payload = 3 },
	{ "IPv4 and TCP with all options", IS_TCP, FRAME4, .options = 40, .tcp_options = 40 },
	{ "IPv4 TCP with options", IS_TCP, FRAME4, .tcp_options = 12, .payload = 5 },
	{ "802.1Q", IS_TCP, FRAME4, .tags = { Q }, .payload = 9 },
	{ "802.1ad alone", IS_TCP, FRAME4, .tags = { AD }, .payload = 9 },
	{ "QinQ", IS_TCP, FRAME4, .tags = { AD, Q }, .payload = 9 },
	{ "QinQ of 802.1Q", IS_TCP, FRAME4, .tags = { Q, Q }, .payload = 9 },
	{ "QinQ, IPv6", IS_TCP, FRAME6, .tags = { AD, Q }, .payload = 9 },
	{ "three tags", IS_OTHER, FRAME4, .tags = { AD, Q, Q }, .ether_only = true },
	{ "three tags, IPv6", IS_OTHER, FRAME6, .tags = { Q, Q, Q }, .ether_only = true },
	{ "two tags, ARP", IS_OTHER, FRAME4, .tags = { Q, Q }, .type = 0x0806, .ether_only = true },
	{ "ARP", IS_OTHER, FRAME4, .type = 0x0806, .ether_only = true },
	{ "802.3 length", IS_OTHER, FRAME4, .type = 0x0040, .ether_only = true },
	{ "MPLS", IS_OTHER, FRAME4, .type = 0x8847, .ether_only = true },
	{ "IPv6 as IPv4", IS_OTHER, FRAME6, .type = 0x0800, .ether_only = true },
	{ "IPv4 as IPv6", IS_OTHER, FRAME4, .type = 0x86dd, .payload = 30, .ether_only = true },
	{ "IPv4 UDP", IS_OTHER, FRAME4, .protocol = UDP, .payload = 9 },
	{ "IPv4 ICMP", IS_OTHER, FRAME4, .protocol = ICMP, .payload = 9 },
	{ "IPv4 ESP", IS_OTHER, FRAME4, .protocol = ESP, .payload = 9 },
	{ "IPv4 first fragment", IS_TCP, FRAME4, .fragment = FRAME_MF, .payload = 64 },
	{ "IPv4 not to be fragmented", IS_TCP, FRAME4, .fragment = 0x4000, .payload = 64 },
	{ "IPv4 reserved flag", IS_TCP, FRAME4, .fragment = 0x8000, .payload = 64 },
	{ "IPv4 second fragment", IS_OTHER, FRAME4, .fragment = FRAME_MF | 1, .payload = 64 },
	{ "IPv4 last fragment", IS_OTHER, FRAME4, .fragment = 0x1fff, .payload = 64 },
	{ "IPv4 fragment far behind", IS_OTHER, FRAME4, .fragment = 0x1000, .payload = 64 },
	/* eight bytes of TCP are all that there is of it, in the packet or in what was caught */
	{ "tiny first fragment", IS_OTHER, FRAME4, .fragment = FRAME_MF, .lie = -12, .cut = 12 },
	{ "the same, padded", IS_OTHER, FRAME4, .fragment = FRAME_MF, .lie = -12, .padding = 6 },
	{ "cut after 8 bytes of TCP", IS_SHORT, FRAME4, .cut = 12 },
	{ "cut in IPv4's options", IS_SHORT, FRAME4, .options = 8, .cut = 24 },
	{ "nothing behind IPv4", IS_OTHER, FRAME4, .protocol = UDP, .lie = -20, .cut = 20 },
	{ "IPv4 cut before its last byte", IS_SHORT, FRAME4, .protocol = UDP, .cut = 21 },
	{ "IPv4 version 5", IS_OTHER, FRAME4, .patches = { { AT_IP, 0, 0x55 } } },
	{ "IPv4 version 0", IS_OTHER, FRAME4, .patches = { { AT_IP, 0, 0x05 } } },
	{ "IPv4 header of 0 bytes", IS_OTHER, FRAME4, .patches = { { AT_IP, 0, 0x40 } } },
	{ "IPv4 header of 16 bytes", IS_OTHER, FRAME4, .patches = { { AT_IP, 0, 0x44 } } },
	{ "IPv4 header over all", IS_OTHER, FRAME4, .patches = { { AT_IP, 0, 0x4f } } },
	{ "IPv4 length up to TCP's 19th byte", IS_OTHER, FRAME4, .payload = 9, .lie = -10 },
	{ "IPv4 length up to TCP's 20th byte", IS_TCP, FRAME4, .payload = 9, .lie = -9 },
	{ "IPv4 length 1", IS_OTHER, FRAME4, .payload = 9, .lie = -48 },
	{ "IPv4 length 20", IS_OTHER, FRAME4, .payload = 9, .lie = -29 },
	{ "IPv4 longer than the frame", IS_TCP, FRAME4, .payload = 9, .lie = 65535 - 49 },
	{ "BIG TCP, IPv4", IS_TCP, FRAME4, .is_big = true, .payload = 100 },
	{ "BIG TCP, IPv4, all options", IS_TCP, FRAME4, .is_big = true, .options = 40,
	  .tcp_options = 40, .payload = 30 },
	{ "BIG TCP, IPv4, tagged", IS_TCP, FRAME4, .is_big = true, .tags = { Q }, .payload = 100 },
	{ "TCP header of 0 bytes", IS_OTHER, FRAME4, .patches = { { AT_TCP, 12, 0x00 } } },
	{ "TCP header of 16 bytes", IS_OTHER, FRAME4, .patches = { { AT_TCP, 12, 0x40 } } },
	{ "TCP header over all", IS_OTHER, FRAME4, .payload = 3,
	  .patches = { { AT_TCP, 12, 0x60 } } },
	{ "TCP header to the last byte", IS_TCP, FRAME4, .tcp_options = 4 },
	{ "TCP header beyond the packet", IS_OTHER, FRAME4, .tcp_options = 8, .lie = -4 },
	{ "IPv6", IS_TCP, FRAME6, .payload = 17 },
	{ "IPv6 without payload", IS_TCP, FRAME6 },
	{ "IPv6 with padding", IS_TCP, FRAME6, .payload = 2, .padding = 11 },
	{ "IPv6 TCP with options", IS_TCP, FRAME6, .tcp_options = 40, .payload = 5 },
	{ "IPv6, 802.1Q", IS_TCP, FRAME6, .tags = { Q }, .payload = 9 },
	{ "IPv6 version 5", IS_OTHER, FRAME6, .patches = { { AT_IP, 0, 0x50 } } },
	{ "IPv6 UDP", IS_OTHER, FRAME6, .protocol = UDP, .payload = 9 },
	{ "IPv6 ICMP", IS_OTHER, FRAME6, .protocol = ICMP6, .payload = 9 },
	{ "IPv6 ESP", IS_OTHER, FRAME6, .protocol = ESP, .payload = 9 },
	{ "IPv6, nothing follows", IS_OTHER, FRAME6, .protocol = NO_NEXT, .payload = 9 },
	{ "IPv6 hop by hop", IS_TCP, FRAME6, .extensions = { { HOP_BY_HOP, 8, 0 } } },
	{ "IPv6 routing", IS_TCP, FRAME6, .extensions = { { ROUTING, 24, 0 } }, .payload = 4 },
	{ "IPv6 destination", IS_TCP, FRAME6, .extensions = { { DESTINATION, 16, 0 } } },
	{ "IPv6 authentication", IS_TCP, FRAME6, .extensions = { { AUTHENTICATION, 24, 0 } } },
	{ "IPv6 shortest authentication", IS_TCP, FRAME6,
	  .extensions = { { AUTHENTICATION, 8, 0 } } },
	{ "IPv6 authentication of 12 bytes", IS_TCP, FRAME6,
	  .extensions = { { AUTHENTICATION, 12, 0 } }, .payload = 1 },
	{ "IPv6 first fragment", IS_TCP, FRAME6, .extensions = { { FRAGMENT, 8, FRAME_MF6 } },
	  .payload = 64 },
	{ "IPv6 only fragment", IS_TCP, FRAME6, .extensions = { { FRAGMENT, 8, 0 } } },
	{ "IPv6 reserved bits of a fragment", IS_TCP, FRAME6,
	  .extensions = { { FRAGMENT, 8, 0x0006 } } },
	{ "IPv6 second fragment", IS_OTHER, FRAME6, .extensions = { { FRAGMENT, 8, 0x0009 } },
	  .payload = 64 },
	{ "IPv6 last fragment", IS_OTHER, FRAME6, .extensions = { { FRAGMENT, 8, 0xfff8 } },
	  .payload = 64 },
	{ "IPv6 first fragment of UDP", IS_OTHER, FRAME6, .protocol = UDP,
	  .extensions = { { FRAGMENT, 8, FRAME_MF6 } }, .payload = 64 },
	{ "IPv6 tiny first fragment", IS_OTHER, FRAME6,
	  .extensions = { { FRAGMENT, 8, FRAME_MF6 } }, .lie = -12, .cut = 12 },
	{ "IPv6 headers of every kind", IS_TCP, FRAME6,
	  .extensions = { { HOP_BY_HOP, 16, 0 },
			  { DESTINATION, 8, 0 },
			  { ROUTING, 24, 0 },
			  { FRAGMENT, 8, FRAME_MF6 },
			  { AUTHENTICATION, 24, 0 },
			  { DESTINATION, 32, 0 } },
	  .payload = 6 },
	{ "IPv6 with 8 headers", IS_TCP, FRAME6,
	  .extensions = { { D8 }, { R8 }, { D8 }, { R8 }, { D8 }, { R8 }, { D8 }, { R8 } },
	  .payload = 2 },
	{ "IPv6 with 9 headers", IS_OTHER, FRAME6,
	  .extensions = { { D8 }, { R8 }, { D8 }, { R8 }, { D8 }, { R8 }, { D8 }, { R8 }, { D8 } },
	  .payload = 2 },
	{ "IPv6 with 8 headers and UDP", IS_OTHER, FRAME6, .protocol = UDP,
	  .extensions = { { D8 }, { R8 }, { D8 }, { R8 }, { D8 }, { R8 }, { D8 }, { R8 } },
	  .payload = 2 },
	{ "IPv6, TCP at byte 1024", IS_TCP, FRAME6, .extensions = { { DESTINATION, 984, 0 } } },
	{ "IPv6, TCP at byte 1032", IS_OTHER, FRAME6, .extensions = { { DESTINATION, 992, 0 } } },
	{ "IPv6, TCP at byte 1024 in steps", IS_TCP, FRAME6,
	  .extensions = { { HOP_BY_HOP, 328, 0 }, { ROUTING, 328, 0 }, { DESTINATION, 328, 0 } } },
	{ "IPv6, TCP beyond byte 1024 in steps", IS_OTHER, FRAME6,
	  .extensions = { { HOP_BY_HOP, 328, 0 }, { ROUTING, 328, 0 }, { DESTINATION, 336, 0 } } },
	{ "IPv6 length up to TCP's 19th byte", IS_OTHER, FRAME6, .payload = 9, .lie = -10 },
	{ "IPv6 length up to TCP's 20th byte", IS_TCP, FRAME6, .payload = 9, .lie = -9 },
	{ "IPv6 length 1", IS_OTHER, FRAME6, .payload = 9, .lie = -28 },
	{ "IPv6 longer than the frame", IS_TCP, FRAME6, .payload = 9, .lie = 65535 - 29 },
	{ "IPv6 length within an extension", IS_OTHER, FRAME6,
	  .extensions = { { DESTINATION, 64, 0 } }, .lie = -40 },
	{ "BIG TCP, IPv6", IS_TCP, FRAME6, .is_big = true, .payload = 100 },
	{ "BIG TCP, IPv6 with its header", IS_TCP, FRAME6, .is_big = true,
	  .extensions = { { HOP_BY_HOP, 8, 0 } }, .tcp_options = 12, .payload = 100 },
	{ "IPv6 TCP header of 16 bytes", IS_OTHER, FRAME6, .patches = { { AT_TCP, 12, 0x40 } } },
	{ "IPv6 TCP header over all", IS_OTHER, FRAME6, .patches = { { AT_TCP, 12, 0xf0 } } },
	{ "IPv6 UDP of 8 bytes", IS_OTHER, FRAME6, .protocol = UDP, .lie = -12, .cut = 12 },
	{ "IPv6 cut before its last byte", IS_SHORT, FRAME6, .protocol = UDP, .cut = 21 },
	{ "IPv6 cut after 8 bytes of TCP", IS_SHORT, FRAME6, .cut = 12 },
	{ "IPv6 cut in an extension", IS_SHORT, FRAME6, .extensions = { { ROUTING, 24, 0 } },
	  .cut = 30 },
};

#define FRAME_SPECS ARRAY_SIZE(frame_specs)

static inline void frame_put(struct frame *frame, __u32 value, unsigned int bytes)
{
	while (bytes--)
		frame->bytes[frame->len++] = (__u8)(value >> 8 * bytes);
}

static inline void frame_fill(struct frame *frame, __u8 value, size_t bytes)
{
	memset(frame->bytes + frame->len, value, bytes);
	frame->len += bytes;
}

static inline void frame_copy(struct frame *frame, const void *from, size_t bytes)
{
	memcpy(frame->bytes + frame->len, from, bytes);
	frame->len += bytes;
}

static inline void frame_put_ether(struct frame *frame, const struct frame_spec *spec)
{
	frame_fill(frame, 0x02, 6);
	frame_fill(frame, 0x06, 6);
	for (int i = 0; spec->tags[i]; i++) {
		frame_put(frame, spec->tags[i], 2);
		frame_put(frame, 0x6123, 2);
	}
	frame_put(frame, spec->type ? spec->type : spec->family == 4 ? 0x0800 : 0x86dd, 2);
}

static inline __u8 frame_protocol(const struct frame_spec *spec)
{
	return spec->protocol ? spec->protocol : TCP;
}

static inline __u32 frame_tcp_len(const struct frame_spec *spec)
{
	return PARSE_TCP_LEN + spec->tcp_options + spec->payload;
}

static inline void frame_put_ipv4(struct frame *frame, const struct frame_spec *spec)
{
	__u32 header = PARSE_IPV4_LEN + spec->options;
	__s32 total = (__s32)(header + frame_tcp_len(spec)) + spec->lie;

	frame_put(frame, 0x40 | header / 4, 1);
	frame_put(frame, 0x10, 1);
	frame_put(frame, spec->is_big ? 0 : (__u32)total, 2);
	frame_put(frame, 0xabcd, 2);
	frame_put(frame, spec->fragment, 2);
	frame_put(frame, 64, 1);
	frame_put(frame, frame_protocol(spec), 1);
	frame_put(frame, 0, 2); /* nobody looks at the checksum */
	frame_copy(frame, frame_addrs4[0], 4);
	frame_copy(frame, frame_addrs4[1], 4);
	frame_fill(frame, 0x01, spec->options);
}

static inline void frame_put_extension(struct frame *frame, const struct frame_extension *extension,
				       __u8 next)
{
	size_t begin = frame->len;

	frame_put(frame, next, 1);
	if (extension->kind == FRAGMENT) {
		frame_put(frame, 0, 1);
		frame_put(frame, extension->fragment, 2);
	} else if (extension->kind == AUTHENTICATION) {
		frame_put(frame, extension->len / 4 - 2, 1);
	} else {
		frame_put(frame, extension->len / 8 - 1, 1);
	}
	frame_fill(frame, 0xee, begin + extension->len - frame->len);
}

static inline void frame_put_ipv6(struct frame *frame, const struct frame_spec *spec)
{
	const struct frame_extension *extensions = spec->extensions;
	__s32 total = (__s32)frame_tcp_len(spec) + spec->lie;

	for (int i = 0; extensions[i].len; i++)
		total += extensions[i].len;
	frame_put(frame, 0x6a012345, 4);
	frame_put(frame, spec->is_big ? 0 : (__u32)total, 2);
	frame_put(frame, extensions[0].len ? extensions[0].kind : frame_protocol(spec), 1);
	frame_put(frame, 64, 1);
	frame_copy(frame, frame_addrs6[0], 16);
	frame_copy(frame, frame_addrs6[1], 16);
	for (int i = 0; extensions[i].len; i++)
		frame_put_extension(frame, &extensions[i],
				    extensions[i + 1].len ? extensions[i + 1].kind
							  : frame_protocol(spec));
}

static inline void frame_put_tcp(struct frame *frame, const struct frame_spec *spec)
{
	frame_put(frame, FRAME_SPORT, 2);
	frame_put(frame, FRAME_DPORT, 2);
	frame_put(frame, FRAME_SEQ, 4);
	frame_put(frame, FRAME_ACK, 4);
	frame_put(frame, (__u32)frame->tcp_len / 4 << 4, 1);
	frame_put(frame, spec->flags, 1);
	frame_put(frame, FRAME_WINDOW, 2);
	frame_put(frame, 0, 4); /* checksum and urgent pointer */
	frame_fill(frame, 0x01, spec->tcp_options);
	frame_fill(frame, 0x50, spec->payload);
}

/* The frame keeps the spec. */
static inline void frame_build(struct frame *frame, const struct frame_spec *spec)
{
	const struct frame_patch *patch;

	frame->spec = spec;
	frame->len = 0;
	frame_put_ether(frame, spec);
	frame->ip = frame->len;
	if (spec->family == 4)
		frame_put_ipv4(frame, spec);
	else
		frame_put_ipv6(frame, spec);
	frame->tcp = frame->len;
	frame->tcp_len = PARSE_TCP_LEN + spec->tcp_options;
	frame_put_tcp(frame, spec);
	frame->len -= spec->cut;
	frame_fill(frame, 0x55, spec->padding);
	for (patch = spec->patches; patch < spec->patches + 2 && patch->base; patch++)
		frame->bytes[(patch->base == AT_IP ? frame->ip : frame->tcp) + patch->offset] =
			patch->value;
	frame->payload = spec->is_big ? (__u32)(frame->len - frame->tcp - frame->tcp_len)
				      : (__u32)(spec->payload + spec->lie);
}

#endif
