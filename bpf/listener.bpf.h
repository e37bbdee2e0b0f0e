/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who called listen(), for the children of a listener. A child inherits no note:
 * to clone and free one costs a connection more than all its events. It finds its
 * listener where the kernel has copied it from: at LISTEN > SYN_RECV an empty list
 * of the child still points to its listener's, which is itself.
 */
#ifndef CONNLIFE_LISTENER_BPF_H
#define CONNLIFE_LISTENER_BPF_H

#define LISTENERS_MAX 65536

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, LISTENERS_MAX);
	__type(key, __u64); /* address of the socket */
	__type(value, struct owner_note);
} listeners SEC(".maps") __weak;

/* From LISTEN > SYN_RECV to the next step of the same child, in the same softirq. */
struct newborn {
	__u64 child;
	__u64 listener;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct newborn);
} newborns SEC(".maps") __weak;

static __always_inline struct newborn *this_cpu_newborn(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&newborns, &zero);
}

static __always_inline struct owner_note *listener_note(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	return bpf_map_lookup_elem(&listeners, &key);
}

/* Empty, or as it is if there is one already. NULL is counted. */
static __always_inline struct owner_note *make_listener_note(const struct sock *sk)
{
	struct owner_note *note, none = {};
	__u64 key = (__u64)sk;

	bpf_map_update_elem(&listeners, &key, &none, BPF_NOEXIST);
	note = bpf_map_lookup_elem(&listeners, &key);
	if (!note)
		count_lost(LOST_STORAGE);
	return note;
}

static __always_inline void note_listener(const struct sock *sk)
{
	struct owner_note *note = make_listener_note(sk);

	if (!note)
		return;
	note->pid = 0;
	note->scan = SCAN_NONE;
	if (current_is_caller(sk))
		current_process(&note->pid, note->comm);
}

static __always_inline void forget_listener(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	bpf_map_delete_elem(&listeners, &key);
}

/* Only at LISTEN > SYN_RECV. */
static __always_inline __u64 listener_of_newborn(const struct tcp_sock *tp)
{
	__u64 address;

	*(volatile __u64 *)&address = (__u64)tp->tsorted_sent_queue.next;
	return address - bpf_core_field_offset(struct tcp_sock, tsorted_sent_queue);
}

/* Its children may then wait in SYN_RECV. Of the child itself this is wiped already. */
static __always_inline bool takes_fast_open(__u64 listener)
{
	const struct inet_connection_sock *icsk = (const void *)listener;

	return BPF_CORE_READ(icsk, icsk_accept_queue.fastopenq.max_qlen) > 0;
}

/*
 * The child first: where another one comes between these two lines, it is not this
 * child any more, and its listener stays unknown rather than wrong.
 */
static __always_inline void keep_newborn(const struct sock *sk, __u64 listener)
{
	volatile struct newborn *newborn = this_cpu_newborn();

	if (!newborn)
		return;
	newborn->child = (__u64)sk;
	newborn->listener = listener;
}

static __always_inline void owner_from_listener(const struct owner_note *listener,
						struct ev_sock *sock, struct ev_owner *owner)
{
	if (!listener || !listener->pid)
		return;
	owner->pid = listener->pid;
	sock->owner_source = OWNER_LISTEN;
	__builtin_memcpy(owner->comm, listener->comm, EV_COMM_LEN);
}

/* At the first step out of SYN_RECV. */
static __always_inline void owner_from_birth(const struct sock *sk, struct ev_sock *sock,
					     struct ev_owner *owner)
{
	struct newborn *newborn = this_cpu_newborn();
	__u64 key, child = (__u64)sk;

	if (!newborn || newborn->child != *(volatile __u64 *)&child)
		return;
	newborn->child = 0;
	key = newborn->listener;
	owner_from_listener(bpf_map_lookup_elem(&listeners, &key), sock, owner);
}

/* A child of Fast Open waits in SYN_RECV, while others come into the world. */
static __always_inline void note_waiting_child(const struct sock *sk, __u64 parent)
{
	struct owner_note *listener = bpf_map_lookup_elem(&listeners, &parent);
	struct sock_note *note = make_note(sk);

	if (!note)
		return;
	note->syn_recv_ns = bpf_ktime_get_ns();
	if (listener)
		note->listener = *listener;
}

static __always_inline void note_child(const struct sock *sk)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);
	__u64 parent;

	if (!tp)
		return;
	parent = listener_of_newborn(tp);
	keep_newborn(sk, parent);
	if (takes_fast_open(parent))
		note_waiting_child(sk, parent);
}

#endif
