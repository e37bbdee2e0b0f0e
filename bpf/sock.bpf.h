/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every read of a kernel structure that describes a socket. Fills the blocks
 * of an event and decides nothing.
 */
#ifndef CONNLIFE_SOCK_BPF_H
#define CONNLIFE_SOCK_BPF_H

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6

static __always_inline const struct inet_sock *inet_of(const struct tcp_sock *tp)
{
	return &tp->inet_conn.icsk_inet;
}

/* The port it is bound to; 0 while connect() has not chosen one. */
static __always_inline __u16 sock_lport(const struct sock *sk, const struct tcp_sock *tp,
					__u8 new_state)
{
	__u16 port = sk->__sk_common.skc_num;

	/*
	 * skc_num is 0 already at >CLOSE, where inet_sport still holds; at
	 * CLOSE>SYN_SENT inet_sport may hold the port of a former life.
	 */
	if (!port && new_state != ST_SYN_SENT)
		port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	return port;
}

static __always_inline bool is_v4_mapped(const __u8 *addr)
{
	const __u32 *word = (const void *)addr;

	return !word[0] && !word[1] && word[2] == bpf_htonl(0xffff);
}

static __always_inline void fill_v4(__u8 *addr, __be32 v4)
{
	__u32 *word = (void *)addr;

	word[0] = 0;
	word[1] = 0;
	word[2] = bpf_htonl(0xffff);
	word[3] = v4;
}

static __always_inline void fill_v6(__u8 *addr, const struct in6_addr *v6)
{
	__u32 *word = (void *)addr;

	word[0] = v6->in6_u.u6_addr32[0];
	word[1] = v6->in6_u.u6_addr32[1];
	word[2] = v6->in6_u.u6_addr32[2];
	word[3] = v6->in6_u.u6_addr32[3];
}

static __always_inline void fill_addresses(struct ev_tuple *tuple, const struct sock_common *common)
{
	/* of an AF_INET6 socket the IPv4 fields hold junk: the family decides */
	if (common->skc_family == AF_INET6) {
		fill_v6(tuple->laddr, &common->skc_v6_rcv_saddr);
		fill_v6(tuple->raddr, &common->skc_v6_daddr);
		tuple->family = is_v4_mapped(tuple->raddr) ? 4 : 6;
	} else {
		fill_v4(tuple->laddr, common->skc_rcv_saddr);
		fill_v4(tuple->raddr, common->skc_daddr);
		tuple->family = 4;
	}
}

static __always_inline void fill_tuple(struct ev_tuple *tuple, const struct sock *sk,
				       const struct tcp_sock *tp, __u8 new_state)
{
	const struct net *net = sk->__sk_common.skc_net.net;

	fill_addresses(tuple, &sk->__sk_common);
	tuple->netns_cookie = netns_cookie(net);
	tuple->netns_inum = net->ns.inum;
	tuple->cgroup_id = sock_cgroup_id(sk);
	tuple->lport = sock_lport(sk, tp, new_state);
	tuple->rport = bpf_ntohs(sk->__sk_common.skc_dport);
	__builtin_memset(tuple->pad, 0, sizeof(tuple->pad));
}

static __always_inline __u16 sock_flags(const struct sock *sk)
{
	unsigned long bits = sk->__sk_common.skc_flags;
	__u16 flags = 0;

	if (sk->sk_lock.owned == 1)
		flags |= EVF_OWNED;
	if (sk->sk_socket)
		flags |= EVF_HAS_FILE;
	if (bits & (1UL << SOCK_DEAD))
		flags |= EVF_DEAD;
	if (bits & (1UL << SOCK_DONE))
		flags |= EVF_DONE;
	if ((bits & (1UL << SOCK_LINGER)) && !sk->sk_lingertime)
		flags |= EVF_LINGER0;
	return flags;
}

/* Those that only the end needs: they lie in ten cache lines of their own. */
static __always_inline __u16 tcp_flags_of(const struct tcp_sock *tp, __u16 flags)
{
	__u16 more = 0;

	if (tp->linger2 < 0)
		more |= EVF_LINGER2_NEG;
	if (BPF_CORE_READ_BITFIELD(tp, repair))
		more |= EVF_REPAIR;
	if (BPF_CORE_READ_BITFIELD(tp, syn_data_acked))
		more |= EVF_SYN_DATA;
	if (tp->rcv_nxt - tp->copied_seq > ((flags & EVF_DONE) ? 1 : 0))
		more |= EVF_UNREAD;
	if (!tp->write_seq)
		more |= EVF_UNSENT_SYN;
	if (tcp_is_mptcp(tp))
		more |= EVF_MPTCP;
	if (tp->inet_conn.icsk_user_timeout)
		more |= EVF_USER_TIMEOUT;
	if (tp->inet_conn.icsk_inet.sk.__sk_common.skc_flags & (1UL << SOCK_KEEPOPEN))
		more |= EVF_KEEPALIVE;
	return more;
}

static __always_inline void fill_sock(struct ev_sock *out, const struct sock *sk, __u8 old_state,
				      __u8 new_state)
{
	out->old_state = old_state;
	out->new_state = new_state;
	out->shutdown = sk->sk_shutdown;
	out->owner_source = OWNER_UNKNOWN;
	out->error = sk->sk_err;
	out->flags = sock_flags(sk);
}

static __always_inline void fill_stats(struct ev_stats *stats, const struct tcp_sock *tp)
{
	stats->bytes_acked = tp->bytes_acked;
	stats->bytes_received = tp->bytes_received;
	stats->segs_out = tp->segs_out;
	stats->segs_in = tp->segs_in;
	stats->retrans = tp->total_retrans;
	stats->srtt_us = tp->srtt_us >> 3;
	stats->min_rtt_us = tp->rtt_min.s[0].v;
	stats->snd_una = tp->snd_una;
	stats->snd_nxt = tp->snd_nxt;
	stats->write_seq = tp->write_seq;
	stats->rcv_nxt = tp->rcv_nxt;
	stats->copied_seq = tp->copied_seq;
}

#endif
