/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which connections are wanted, decided by one function that both halves
 * compile: the kernel half to keep quiet about the others, the user half for
 * recordings and for what the kernel could not know yet. Knows addresses,
 * ports and namespaces; process and cgroup are the caller's matter.
 */
#ifndef CONNLIFE_FILTER_H
#define CONNLIFE_FILTER_H

#define FILTER_NETS_MAX 8
#define FILTER_PORT_BYTES 8192

struct filter_net {
	__u8 addr[16]; /* as in struct ev_tuple */
	__u8 bits; /* 0 to 128; IPv4 prefixes count from 96 */
	__u8 pad[7];
};

struct filter {
	__u8 active; /* 0: everything is wanted, the rest is not read */
	__u8 family; /* 4, 6, or 0 for both */
	__u8 has_lports;
	__u8 has_rports;
	__u32 pid; /* 0 for any */
	__u64 netns_cookie; /* 0 for any */
	__u32 netns_inum; /* for recordings: the inode that people know; 0 for any */
	__u32 pad;
	__u64 cgroup_id; /* this one and all below it; 0 for any */
	__s32 cgroup_level; /* depth of cgroup_id, the root is 0 */
	__u32 nets_len; /* 0 for any address */
	struct filter_net nets[FILTER_NETS_MAX]; /* wanted where one holds either address */
	__u8 lports[FILTER_PORT_BYTES]; /* a bit a port */
	__u8 rports[FILTER_PORT_BYTES];
};

enum filter_answer {
	FILTER_NO = 0,
	FILTER_YES = 1,
	FILTER_MAYBE = 2, /* a fact is missing; ask again when it is there */
};

static inline __attribute__((always_inline)) int filter_has_port(const volatile __u8 *ports,
								 __u16 port)
{
	__u64 byte = port >> 3;

	/*
	 * 5.10's verifier forgets how small a number is whose bytes were swapped, and the
	 * compiler leaves out a mask that changes nothing, as far as it can see.
	 */
	asm volatile("" : "+r"(byte));
	return ports[byte & (FILTER_PORT_BYTES - 1)] >> (port & 7) & 1;
}

static inline __attribute__((always_inline)) int
filter_in_net(const volatile struct filter_net *net, const __u8 *addr)
{
	int bits = net->bits;

	for (int i = 0; i < 16; i++) {
		__u8 mask;

		if (bits <= 0)
			return 1;
		mask = bits >= 8 ? 0xff : (__u8)(0xff00 >> bits);
		if ((net->addr[i] ^ addr[i]) & mask)
			return 0;
		bits -= 8;
	}
	return 1;
}

/* lport 0 in the tuple means not chosen yet. */
static inline __attribute__((always_inline)) enum filter_answer
filter_tuple(const volatile struct filter *f, const struct ev_tuple *t)
{
	int wanted = 0;

	if (f->family && f->family != t->family)
		return FILTER_NO;
	if (f->netns_cookie && f->netns_cookie != t->netns_cookie)
		return FILTER_NO;
	if (f->netns_inum && f->netns_inum != t->netns_inum)
		return FILTER_NO;
	if (f->has_rports && !filter_has_port(f->rports, t->rport))
		return FILTER_NO;
	for (int i = 0; i < FILTER_NETS_MAX && !wanted; i++) {
		if ((__u32)i >= f->nets_len)
			break;
		wanted = filter_in_net(&f->nets[i], t->laddr) ||
			 filter_in_net(&f->nets[i], t->raddr);
	}
	if (f->nets_len && !wanted)
		return FILTER_NO;
	if (f->has_lports && !t->lport)
		return FILTER_MAYBE;
	if (f->has_lports && !filter_has_port(f->lports, t->lport))
		return FILTER_NO;
	return FILTER_YES;
}

#endif
