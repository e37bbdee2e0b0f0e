/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One shim for each difference between kernels. Each says what changed, since
 * which kernel, and when it may go.
 */
#ifndef CONNLIFE_COMPAT_BPF_H
#define CONNLIFE_COMPAT_BPF_H

/*
 * Helpers and what they may be called from came together, so the presence of one
 * in enum bpf_func_id tells of others. Written into the code by the loader: the
 * verifier drops the branch that is not taken.
 */
#define kernel_has_helper(id) bpf_core_enum_value_exists(enum bpf_func_id, id)

/*
 * bpf_sk_storage_get() in tracing programs and iterators since 5.11 (8e4597c627fb,
 * a50a85e40c59), as bpf_sock_from_file(). Drop when 5.10 is no longer supported.
 */
#define kernel_has_sock_storage() kernel_has_helper(BPF_FUNC_sock_from_file)

/*
 * bpf_get_socket_cookie() in tracing programs since 5.12 (c5dbb89fc2ac), as
 * bpf_check_mtu(). Drop when 5.11 is no longer supported.
 */
#define kernel_has_sock_cookie() kernel_has_helper(BPF_FUNC_check_mtu)

/*
 * A network namespace tells its cookie to user space since 5.14 (e8b9eab99232), as
 * bpf_sys_bpf() came; up to 5.11 the cookie is not even set before somebody asks.
 * Before, its inode stands in. Drop when 5.13 is no longer supported.
 */
#define kernel_has_netns_cookie() kernel_has_helper(BPF_FUNC_sys_bpf)

#define OLD_SOCKETS_MAX 131072 /* preallocated, and only on kernels that need it */

/* Flavours: the loader matches them by the name before "___". */
struct ns_common___ref {
	refcount_t __ns_ref;
} __attribute__((preserve_access_index));

struct net___count {
	refcount_t count;
} __attribute__((preserve_access_index));

/*
 * The count of a namespace was its own up to 5.10, then ns_common.count (8b8f3e666fc6),
 * and became __ns_ref in 6.18 (024596a4e280). Drop the first when 5.10, the second when
 * 6.17 is no longer supported.
 */
static __always_inline bool netns_is_dying(struct net *net)
{
	struct ns_common___ref *renamed = (void *)&net->ns;
	struct net___count *old = (void *)net;

	if (bpf_core_field_exists(renamed->__ns_ref))
		return BPF_CORE_READ(renamed, __ns_ref.refs.counter) == 0;
	if (bpf_core_field_exists(net->ns.count))
		return BPF_CORE_READ(net, ns.count.refs.counter) == 0;
	if (bpf_core_field_exists(old->count))
		return BPF_CORE_READ(old, count.refs.counter) == 0;
	return false;
}

static __always_inline __u64 netns_cookie(const struct net *net)
{
	return kernel_has_netns_cookie() ? net->net_cookie : net->ns.inum;
}

/* The same where the verifier knows nothing of net. */
static __always_inline __u64 probe_netns_cookie(const struct net *net)
{
	return kernel_has_netns_cookie() ? BPF_CORE_READ(net, net_cookie)
					 : BPF_CORE_READ(net, ns.inum);
}

struct sock_cgroup_data___val {
	__u64 val;
} __attribute__((preserve_access_index));

/*
 * sock_cgroup_data held a pointer or a class id, told apart by bit 0, up to 5.14
 * (8520e224f547). NULL where it is no pointer. Drop when 5.10 is no longer supported.
 */
static __always_inline const struct cgroup *sock_cgroup(const struct sock *sk)
{
	struct sock_cgroup_data___val *old = (void *)&sk->sk_cgrp_data;
	__u64 val;

	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup))
		return sk->sk_cgrp_data.cgroup;
	val = BPF_CORE_READ(old, val);
	return val & 1 ? NULL : (const void *)(val & ~3ULL);
}

static __always_inline __u64 sock_cgroup_id(const struct sock *sk)
{
	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup))
		return sk->sk_cgrp_data.cgroup->kn->id;
	return BPF_CORE_READ(sock_cgroup(sk), kn, id);
}

struct cgroup___ids {
	__u64 ancestor_ids[1];
} __attribute__((preserve_access_index));

/*
 * A cgroup held the ids of those above it, not pointers, up to 6.0 (7f203bc89eb6).
 * Drop when 5.10 is no longer supported. level is not above the cgroup's own.
 */
static __always_inline __u64 cgroup_ancestor_id(const struct cgroup *cgroup, __u32 level)
{
	struct cgroup *ancestor = NULL;
	__u64 id = 0;

	if (bpf_core_field_exists(struct cgroup___ids, ancestor_ids)) {
		bpf_probe_read_kernel(
			&id, sizeof(id),
			(void *)((__u64)cgroup +
				 bpf_core_field_offset(struct cgroup___ids, ancestor_ids) +
				 (__u64)level * sizeof(id)));
		return id;
	}
	bpf_probe_read_kernel(&ancestor, sizeof(ancestor),
			      (void *)((__u64)cgroup +
				       bpf_core_field_offset(struct cgroup, ancestors) +
				       (__u64)level * sizeof(ancestor)));
	return ancestor ? BPF_CORE_READ(ancestor, kn, id) : 0;
}

struct netns_ipv4___pointer {
	struct inet_timewait_death_row *tcp_death_row;
} __attribute__((preserve_access_index));

struct net___pointer {
	struct netns_ipv4___pointer ipv4;
} __attribute__((preserve_access_index));

/*
 * Only from 5.18 (fbb8295248e1) to 6.0 (back in e9bd0cca09d1) it lay outside of
 * struct net. Drop when 6.0 is no longer supported.
 */
static __always_inline const struct inet_timewait_death_row *death_row_of(const struct net *net)
{
	const struct net___pointer *old = (const void *)net;

	if (bpf_core_field_exists(old->ipv4.tcp_death_row))
		return old->ipv4.tcp_death_row;
	return &net->ipv4.tcp_death_row;
}

/*
 * The table of connections, as a number. The verifiers of 5.10 and 6.1 add no index of
 * unknown size to a pointer that they know; which one began to is not known, so the
 * direct read is for kernels as new as a field of 6.14 (19ce8cd30465). Drop when 6.12 is no longer
 * supported.
 */
static __always_inline __u64 ehash_of(const struct inet_hashinfo *hashinfo)
{
	if (bpf_core_field_exists(struct inet_timewait_sock, tw_entry_stamp))
		return (__u64)hashinfo->ehash;
	return (__u64)BPF_CORE_READ(hashinfo, ehash);
}

struct inet_timewait_death_row___count {
	atomic_t tw_count;
} __attribute__((preserve_access_index));

/*
 * tw_count became tw_refcount, one higher, in 5.18 (fbb8295248e1). Drop when 5.10
 * is no longer supported.
 */
static __always_inline int minisocks_in(const struct inet_timewait_death_row *row)
{
	struct inet_timewait_death_row___count *old = (void *)row;

	if (bpf_core_field_exists(row->tw_refcount))
		return row->tw_refcount.refs.counter - 1;
	return BPF_CORE_READ(old, tw_count.counter);
}

/*
 * Up to 5.11 nobody can ask for a cookie here: those that this program draws itself
 * are kept here, by socket, until tcp_destroy_sock. Made only where needed. Drop when
 * 5.11 is no longer supported.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, OLD_SOCKETS_MAX);
	__type(key, __u64);
	__type(value, __u64);
} old_cookies SEC(".maps") __weak;

static __always_inline __u64 old_sock_cookie(const struct sock *sk)
{
	__u64 key = (__u64)sk;
	__u64 *cookie = bpf_map_lookup_elem(&old_cookies, &key);

	return cookie ? *cookie : 0;
}

static __always_inline __u64 draw_old_cookie(const struct sock *sk)
{
	__u64 key = (__u64)sk;
	__u64 cookie = old_sock_cookie(sk);

	if (!cookie) {
		cookie = bpf_ktime_get_ns() << 8 | (bpf_get_smp_processor_id() & 0xff);
		if (bpf_map_update_elem(&old_cookies, &key, &cookie, BPF_ANY))
			count_lost(LOST_STORAGE);
	}
	return cookie;
}

/* 0 where none was drawn. */
static __always_inline __u64 sock_cookie(const struct sock *sk)
{
	if (kernel_has_sock_cookie())
		return sk->__sk_common.skc_cookie.counter;
	return old_sock_cookie(sk);
}

/* Of a minisock, or what may be one. Where the hooks draw their own it has none that fits. */
static __always_inline __u64 minisock_cookie(const struct sock_common *common)
{
	return kernel_has_sock_cookie() ? (__u64)BPF_CORE_READ(common, skc_cookie.counter) : 0;
}

static __always_inline __u64 draw_cookie(const struct sock *sk)
{
	if (kernel_has_sock_cookie())
		return bpf_get_socket_cookie((void *)sk);
	return draw_old_cookie(sk);
}

/* Of a half-open request: the child gets another address, so one of our own joins nothing. */
static __always_inline __u64 draw_request_cookie(const struct request_sock *req)
{
	return kernel_has_sock_cookie() ? bpf_get_socket_cookie((void *)req) : 0;
}

/*
 * The task on the CPU: as a pointer that the verifier knows since 5.11
 * (3ca1032ab7ab). Drop when 5.10 is no longer supported.
 */
static __always_inline __u32 current_flags(void)
{
	struct task_struct *old;

	if (kernel_has_helper(BPF_FUNC_get_current_task_btf))
		return bpf_get_current_task_btf()->flags;
	old = (void *)bpf_get_current_task();
	return BPF_CORE_READ(old, flags);
}

/* The thread group of current, and its leader's name. */
static __always_inline void current_process(__u32 *pid, __u8 *comm)
{
	struct task_struct *task, *leader;
	const __u64 *name;

	if (kernel_has_helper(BPF_FUNC_get_current_task_btf)) {
		task = bpf_get_current_task_btf();
		name = (const void *)task->group_leader->comm;
		*pid = task->tgid;
		((__u64 *)comm)[0] = name[0]; /* two loads cost a tenth of a helper */
		((__u64 *)comm)[1] = name[1];
		return;
	}
	task = (void *)bpf_get_current_task();
	*pid = BPF_CORE_READ(task, tgid);
	leader = BPF_CORE_READ(task, group_leader);
	bpf_probe_read_kernel(comm, EV_COMM_LEN, &leader->comm);
}

struct sock___retransmit {
	struct timer_list tcp_retransmit_timer;
} __attribute__((preserve_access_index));

struct inet_connection_sock___keepalive {
	struct timer_list icsk_keepalive_timer;
} __attribute__((preserve_access_index));

/*
 * Between 6.18 and 7.0 the timer of keepalive moved to the connection (08dfe370239e,
 * also in stable kernels before), and that of retransmissions, by another name, to where it
 * had been in the socket (9a5e5334adc0). Drop the old ones when 6.18 is no longer supported.
 */
static __always_inline const struct timer_list *
retransmit_timer(const struct sock *sk, const struct inet_connection_sock *icsk)
{
	const struct sock___retransmit *moved = (const void *)sk;

	if (bpf_core_field_exists(icsk->icsk_retransmit_timer))
		return &icsk->icsk_retransmit_timer;
	return &moved->tcp_retransmit_timer;
}

static __always_inline const struct timer_list *
keepalive_timer(const struct sock *sk, const struct inet_connection_sock *icsk)
{
	const struct inet_connection_sock___keepalive *moved = (const void *)icsk;

	if (bpf_core_field_exists(moved->icsk_keepalive_timer))
		return &moved->icsk_keepalive_timer;
	return &sk->sk_timer;
}

/*
 * Since 7.0 (a46023d5616e) a task may lose its CPU within a hook, and between two
 * programs of it: what is noted by CPU there may be another task's. Told by a field
 * that moved a little earlier: a note by task is right there too, only slower.
 * Drop the other way when 6.18 is no longer supported.
 */
#define hooks_may_be_preempted()                                                                   \
	bpf_core_field_exists(struct inet_connection_sock___keepalive, icsk_keepalive_timer)

/*
 * tcp_skb_cb.tcp_flags grew from u8 to u16 between 6.12 and 6.18 (2c2f08d31d2f). The low byte
 * holds the flags of RFC 9293 on both. Drop when 6.12 is no longer supported.
 */
static __always_inline u8 skb_tcp_flags(const struct sk_buff *skb)
{
	const struct tcp_skb_cb *cb = (const void *)skb->cb;
	u16 flags = 0;

	bpf_core_read(&flags, sizeof(flags), &cb->tcp_flags);
	return flags & 0xff;
}

/*
 * tcp_sock.is_mptcp is absent without CONFIG_MPTCP. Drop never: it is a
 * configuration, not a version.
 */
static __always_inline bool tcp_is_mptcp(const struct tcp_sock *tp)
{
	return bpf_core_field_exists(tp->is_mptcp) && tp->is_mptcp;
}

/*
 * bpf_xdp_get_buff_len() since 5.18 (0165cc817075), with frames in several buffers;
 * before, all lies between data and data_end. Drop when 5.17 is no longer supported.
 */
static __always_inline __u32 xdp_frame_len(struct xdp_md *ctx)
{
	if (kernel_has_helper(BPF_FUNC_xdp_get_buff_len))
		return (__u32)bpf_xdp_get_buff_len(ctx);
	return ctx->data_end - ctx->data;
}

/* The registers that a task brought into the kernel, by architecture. Drop never. */
struct pt_regs___of_x86 {
	unsigned long orig_ax;
} __attribute__((preserve_access_index));

struct pt_regs___of_arm64 {
	__s32 syscallno;
} __attribute__((preserve_access_index));

/*
 * bpf_task_pt_regs() since 5.15 (dd6e10fbd9fb); before, they are at the top of the
 * task's stack on both architectures. Drop when 5.10 is no longer supported.
 */
static __always_inline void *current_regs(__u64 stack_size)
{
	struct task_struct *task;

	if (kernel_has_helper(BPF_FUNC_task_pt_regs))
		return (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	task = (void *)bpf_get_current_task();
	return (void *)((__u64)BPF_CORE_READ(task, stack) + stack_size -
			bpf_core_type_size(struct pt_regs___of_x86));
}

/* Both hold -1 where the task came in by an interrupt. */
static __always_inline bool task_is_in_syscall(__u64 stack_size)
{
	void *regs = current_regs(stack_size);
	struct pt_regs___of_x86 *x86 = regs;
	struct pt_regs___of_arm64 *arm64 = regs;

	if (bpf_core_field_exists(x86->orig_ax))
		return (__s64)BPF_CORE_READ(x86, orig_ax) >= 0;
	if (bpf_core_field_exists(arm64->syscallno))
		return BPF_CORE_READ(arm64, syscallno) >= 0;
	return false;
}

#endif
