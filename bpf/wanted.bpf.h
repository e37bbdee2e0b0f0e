/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The filter in the kernel half. It is asked once a connection, where its
 * facts are known, and the answer is kept with the socket, so that a life is
 * told whole or not at all. It errs towards telling: what the kernel can't
 * know yet (who will read from an accepted socket) the user half decides.
 */
#ifndef CONNLIFE_WANTED_BPF_H
#define CONNLIFE_WANTED_BPF_H

const volatile struct filter filter __weak;

static __always_inline bool is_below_cgroup(const struct sock *sk)
{
	const struct cgroup *cgroup = sock_cgroup(sk);

	if (!cgroup || BPF_CORE_READ(cgroup, level) < filter.cgroup_level)
		return false;
	return cgroup_ancestor_id(cgroup, filter.cgroup_level) == filter.cgroup_id;
}

static __always_inline bool is_wanted(const struct sock *sk, const struct ev_tuple *tuple,
				      const struct ev_sock *sock, const struct ev_owner *owner)
{
	if (filter_tuple(&filter, tuple) == FILTER_NO)
		return false;
	if (filter.cgroup_id && !is_below_cgroup(sk))
		return false;
	return !(filter.pid && sock->owner_source == OWNER_CONNECT && owner->pid != filter.pid);
}

/* Before any room is taken in the ring: storms of others must not fill it. */
static __always_inline bool may_be_wanted(const struct sock *sk, const struct tcp_sock *tp, int old,
					  int new)
{
	struct ev_tuple tuple;

	if (!filter.active)
		return true;
	fill_tuple(&tuple, sk, tp, new);
	if (filter_tuple(&filter, &tuple) == FILTER_NO)
		return false;
	return !filter.cgroup_id || is_below_cgroup(sk);
}

/*
 * Read by probe: a minisock is reached through its timer. Its process is not known, nor is its
 * control group.
 */
static __always_inline bool minisock_may_be_wanted(const struct inet_timewait_sock *tw)
{
	const struct sock_common *common = &tw->__tw_common;
	struct ev_tuple tuple = {};

	if (!filter.active)
		return true;
	if (BPF_CORE_READ(common, skc_family) == AF_INET6) {
		tuple.family = 6;
		BPF_CORE_READ_INTO(&tuple.laddr, common, skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&tuple.raddr, common, skc_v6_daddr);
		if (is_v4_mapped(tuple.raddr))
			tuple.family = 4;
	} else {
		tuple.family = 4;
		fill_v4(tuple.laddr, BPF_CORE_READ(common, skc_rcv_saddr));
		fill_v4(tuple.raddr, BPF_CORE_READ(common, skc_daddr));
	}
	tuple.netns_cookie = probe_netns_cookie(BPF_CORE_READ(common, skc_net.net));
	tuple.netns_inum = BPF_CORE_READ(common, skc_net.net, ns.inum);
	tuple.lport = bpf_ntohs(BPF_CORE_READ(tw, tw_sport));
	tuple.rport = bpf_ntohs(BPF_CORE_READ(common, skc_dport));
	return filter_tuple(&filter, &tuple) != FILTER_NO;
}

/* Asks, and remembers the answer with the socket. */
static __always_inline bool decide(const struct sock *sk, struct sock_note *note,
				   const struct ev_tuple *tuple, const struct ev_sock *sock,
				   const struct ev_owner *owner)
{
	bool wanted;

	if (scanning && !note)
		note = make_note(sk);
	if (note)
		note->told = scanning;
	if (!filter.active)
		return true;
	wanted = is_wanted(sk, tuple, sock, owner);
	if (wanted && !note)
		note = make_note(sk);
	if (note)
		note->wanted = wanted ? WANTED_YES : WANTED_NO;
	return wanted && note;
}

static __always_inline bool was_wanted(const struct sock_note *note)
{
	return !filter.active || (note && note->wanted == WANTED_YES);
}

/* Also of one that is gone: a note beside the socket ends at tcp_destroy_sock. */
static __always_inline bool was_ever_wanted(const struct sock *sk)
{
	const struct sock_note *note = note_of(sk);
	__u64 key = old_note_key(sk);

	if (notes_lie_with_socket() || note)
		return was_wanted(note);
	return !filter.active || bpf_map_lookup_elem(&old_gone, &key);
}

#endif
