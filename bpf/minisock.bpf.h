/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds the minisock (struct inet_timewait_sock) that takes over when a
 * socket goes. tcp_time_wait() has hashed it before tcp_done() fires the
 * transition to CLOSE, so looking is exact where flags would be a guess
 * (net.ipv4.tcp_max_tw_buckets reached: same flags, no minisock).
 */
#ifndef CONNLIFE_MINISOCK_BPF_H
#define CONNLIFE_MINISOCK_BPF_H

#define MINISOCK_WALK_MAX 32

static __always_inline bool is_minisock_of(const struct sock_common *common, const struct sock *sk,
					   __be16 sport)
{
	const struct inet_timewait_sock *tw = (const void *)common;
	__u64 cookie = sk->__sk_common.skc_cookie.counter;

	if (BPF_CORE_READ(common, skc_hash) != sk->__sk_common.skc_hash ||
	    BPF_CORE_READ(common, skc_state) != ST_TIME_WAIT)
		return false;
	if (cookie)
		return (__u64)BPF_CORE_READ(common, skc_cookie.counter) == cookie;
	/* no cookie was ever drawn: then the 4-tuple decides, by hash and ports */
	return BPF_CORE_READ(tw, tw_sport) == sport &&
	       BPF_CORE_READ(common, skc_dport) == sk->__sk_common.skc_dport &&
	       BPF_CORE_READ(common, skc_net.net) == sk->__sk_common.skc_net.net;
}

/* NULL where no minisock took over. */
static __always_inline const struct inet_timewait_sock *find_minisock(const struct sock *sk,
								      const struct tcp_sock *tp)
{
	const struct net *net = sk->__sk_common.skc_net.net;
	const struct inet_hashinfo *hashinfo = death_row_of(net)->hashinfo;
	__u64 index = sk->__sk_common.skc_hash & hashinfo->ehash_mask;
	const struct inet_ehash_bucket *bucket;
	struct hlist_nulls_node *node;

	bucket = (const void *)(ehash_of(hashinfo) +
				index * bpf_core_type_size(struct inet_ehash_bucket));
	node = BPF_CORE_READ(bucket, chain.first);
	for (int i = 0; i < MINISOCK_WALK_MAX; i++) {
		const struct sock_common *common;

		if ((__u64)node & 1 || !node)
			return NULL;
		common = (const void *)((__u64)node -
					bpf_core_field_offset(struct sock_common, skc_nulls_node));
		if (is_minisock_of(common, sk, tp->inet_conn.icsk_inet.inet_sport))
			return (const void *)common;
		node = BPF_CORE_READ(node, next);
	}
	count_lost(LOST_WALK);
	return NULL;
}

/* Whether this namespace may have been out of minisocks (tcp_max_tw_buckets). */
static __always_inline bool minisocks_are_full(const struct sock *sk)
{
	const struct net *net = sk->__sk_common.skc_net.net;
	const struct inet_timewait_death_row *row = death_row_of(net);

	return minisocks_in(row) >= row->sysctl_max_tw_buckets;
}

#endif
