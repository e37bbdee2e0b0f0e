/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a segment will meet on this host: the state of the socket of its ends, and of
 * a listener whether it takes what comes. For the packet programs, and only for
 * segments that open or end something.
 */
#ifndef CONNLIFE_MET_BPF_H
#define CONNLIFE_MET_BPF_H

#define BPF_F_CURRENT_NETNS (-1L)

struct met {
	__u8 state; /* enum ev_tcp_state; 0: no socket */
	__u8 flags; /* MET_* */
};

/* As the kernel asks before it takes a SYN, and before it makes a child (sk_acceptq_is_full()). */
static __always_inline __u8 queue_flags(const struct sock *listener)
{
	return BPF_CORE_READ(listener, sk_ack_backlog) > BPF_CORE_READ(listener, sk_max_ack_backlog)
		       ? MET_FULL_QUEUE
		       : 0;
}

/* Where a program chooses among several listeners, the kernel may take another than this one. */
static __always_inline __u8 flags_of_listener(struct bpf_sock *met)
{
	const struct sock *listener = (const void *)bpf_skc_to_tcp_sock(met);

	if (!listener || BPF_CORE_READ(listener, sk_reuseport_cb, prog))
		return 0;
	return queue_flags(listener);
}

/* A bare ACK completes nothing as long as the SYN+ACK timed out less often than it defers. */
static __always_inline __u8 flags_of_request(struct bpf_sock *met)
{
	const struct tcp_request_sock *treq = bpf_skc_to_tcp_request_sock(met);
	const struct request_sock *req = (const void *)treq;
	const struct inet_connection_sock *icsk;
	__u8 flags;

	if (!req)
		return 0;
	icsk = (const void *)BPF_CORE_READ(req, __req_common.skc_listener);
	flags = queue_flags((const void *)icsk);
	if (BPF_CORE_READ_BITFIELD_PROBED(req, num_timeout) <
	    BPF_CORE_READ(icsk, icsk_accept_queue.rskq_defer_accept))
		flags |= MET_DEFERS;
	return flags;
}

static __always_inline struct bpf_sock *look_up(void *ctx, const struct ev_tuple *ends)
{
	__be16 sport = bpf_htons(ends->rport), dport = bpf_htons(ends->lport);
	struct bpf_sock_tuple tuple = {};

	if (ends->family == 4) {
		__builtin_memcpy(&tuple.ipv4.saddr, ends->raddr + 12, 4);
		__builtin_memcpy(&tuple.ipv4.daddr, ends->laddr + 12, 4);
		tuple.ipv4.sport = sport;
		tuple.ipv4.dport = dport;
		return bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);
	}
	__builtin_memcpy(tuple.ipv6.saddr, ends->raddr, 16);
	__builtin_memcpy(tuple.ipv6.daddr, ends->laddr, 16);
	tuple.ipv6.sport = sport;
	tuple.ipv6.dport = dport;
	return bpf_skc_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/* A segment of another host, on its way through, meets nothing. */
static __always_inline struct met find_met(void *ctx, const struct ev_tuple *ends)
{
	struct bpf_sock *sock = look_up(ctx, ends);
	struct met met = { ST_NONE, 0 };

	if (!sock)
		return met;
	met.state = (__u8)sock->state;
	if (met.state == ST_LISTEN)
		met.flags = flags_of_listener(sock);
	else if (met.state == ST_NEW_SYN_RECV)
		met.flags = flags_of_request(sock);
	bpf_sk_release(sock);
	return met;
}

#endif
