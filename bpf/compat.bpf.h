/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One shim for each difference between kernels. Each says what changed, since
 * which kernel, and when it may go.
 */
#ifndef CONNLIFE_COMPAT_BPF_H
#define CONNLIFE_COMPAT_BPF_H

/* Flavours: the loader matches them by the name before "___". */
struct ns_common___ref {
	refcount_t __ns_ref;
} __attribute__((preserve_access_index));

/*
 * ns_common.count became __ns_ref in 6.18 ("ns: rename to __ns_ref"). Drop
 * when 6.17 is no longer supported.
 */
static __always_inline bool netns_is_dying(struct net *net)
{
	struct ns_common___ref *renamed = (void *)&net->ns;

	if (bpf_core_field_exists(renamed->__ns_ref))
		return BPF_CORE_READ(renamed, __ns_ref.refs.counter) == 0;
	if (bpf_core_field_exists(net->ns.count))
		return BPF_CORE_READ(net, ns.count.refs.counter) == 0;
	return false;
}

/*
 * tcp_skb_cb.tcp_flags grew from u8 to u16 in 6.18 (AccECN). The low byte
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

/* The registers that a task brought into the kernel, by architecture. Drop never. */
struct pt_regs___x86 {
	unsigned long orig_ax;
} __attribute__((preserve_access_index));

struct pt_regs___arm64 {
	__s32 syscallno;
} __attribute__((preserve_access_index));

/* Both hold -1 where the task came in by an interrupt. */
static __always_inline bool task_is_in_syscall(struct task_struct *task)
{
	void *regs = (void *)bpf_task_pt_regs(task);
	struct pt_regs___x86 *x86 = regs;
	struct pt_regs___arm64 *arm64 = regs;

	if (bpf_core_field_exists(x86->orig_ax))
		return (__s64)BPF_CORE_READ(x86, orig_ax) >= 0;
	if (bpf_core_field_exists(arm64->syscallno))
		return BPF_CORE_READ(arm64, syscallno) >= 0;
	return false;
}

#endif
