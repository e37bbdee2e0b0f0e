/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is remembered with a socket while it lives: who owns it, and whether
 * the filter wants it. The task that happens to be on the CPU is nobody's
 * owner; current counts only where it holds the socket's lock itself.
 */
#ifndef CONNLIFE_OWNER_BPF_H
#define CONNLIFE_OWNER_BPF_H

#define PF_KTHREAD 0x00200000
#define ECONNABORTED 103

enum owner_scan {
	SCAN_NONE = 0,
	SCAN_HELD = 1, /* one process was seen to hold it */
	SCAN_SHARED = 2, /* several do: no guess among them, pid is 0 */
};

struct owner_note {
	__u32 pid; /* 0: unknown */
	__u32 scan; /* enum owner_scan */
	__u8 comm[EV_COMM_LEN];
};

enum note_wanted {
	WANTED_UNDECIDED = 0,
	WANTED_YES = 1,
	WANTED_NO = 2,
};

const volatile bool watch_minisocks __weak; /* their ends are asked for (--whole) */

bool scanning __weak; /* set by the user half for the time of a scan */

struct sock_note {
	struct owner_note listener; /* only of a child that waits in SYN_RECV (Fast Open) */
	struct owner_note user;
	__u64 syn_recv_ns;
	__u8 user_source; /* enum ev_owner_source */
	__u8 wanted; /* enum note_wanted; only where a filter is set */
	__u8 told; /* its beginning was told; kept only while a scan is under way */
	__u8 pad[5];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct sock_note);
} notes SEC(".maps") __weak;

/*
 * After 6.18 and in 7.2 socket storage is allocated by kmalloc_nolock() (5063e7758899),
 * which gives none on a CPU without cmpxchg16b; tried by user space before loading. Drop
 * when such CPUs are no longer supported, and with it old_notes if 5.10 isn't either.
 */
const volatile bool storage_fails __weak;

#define notes_lie_with_socket() (kernel_has_sock_storage() && !storage_fails)

/*
 * Where notes can't lie with the socket: beside it, deleted at tcp_destroy_sock. Made only
 * where needed.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, OLD_SOCKETS_MAX);
	__type(key, __u64);
	__type(value, struct sock_note);
} old_notes SEC(".maps") __weak;

#define GONE_MAX 4096

/* By the same key: those that the filter wanted and that are gone, for what may still follow. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, GONE_MAX);
	__type(key, __u64);
	__type(value, __u8);
} old_gone SEC(".maps") __weak;

/*
 * By the cookie, for the hook at the end of a socket may be left out by the kernel, and
 * another socket gets the address; without cookies (5.10) it never is.
 */
static __always_inline __u64 old_note_key(const struct sock *sk)
{
	return kernel_has_sock_cookie() ? sock_cookie(sk) : (__u64)sk;
}

static __always_inline struct sock_note *old_note_of(const struct sock *sk)
{
	__u64 key = old_note_key(sk);

	return bpf_map_lookup_elem(&old_notes, &key);
}

static __always_inline struct sock_note *make_old_note(const struct sock *sk)
{
	__u64 key = kernel_has_sock_cookie() ? draw_cookie(sk) : (__u64)sk;
	struct sock_note none = {};

	bpf_map_update_elem(&old_notes, &key, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&old_notes, &key);
}

static __always_inline void forget_old_note(const struct sock *sk)
{
	const struct sock_note *note = old_note_of(sk);
	__u64 key = old_note_key(sk);
	__u8 yes = 1;

	if (note && note->wanted == WANTED_YES)
		bpf_map_update_elem(&old_gone, &key, &yes, BPF_ANY);
	else /* without cookies it has the address of one before it, maybe */
		bpf_map_delete_elem(&old_gone, &key);
	bpf_map_delete_elem(&old_notes, &key);
}

static __always_inline void forget_sock(const struct sock *sk)
{
	__u64 address = (__u64)sk;

	if (!notes_lie_with_socket())
		forget_old_note(sk);
	if (!kernel_has_sock_cookie())
		bpf_map_delete_elem(&old_cookies, &address);
}

static __always_inline struct sock_note *note_of(const struct sock *sk)
{
	if (!notes_lie_with_socket())
		return old_note_of(sk);
	if (!sk->sk_bpf_storage) /* of most sockets, and cheaper */
		return NULL;
	return bpf_sk_storage_get(&notes, (void *)sk, 0, 0);
}

static __always_inline struct sock_note *make_note(const struct sock *sk)
{
	struct sock_note *note;

	if (notes_lie_with_socket())
		note = bpf_sk_storage_get(&notes, (void *)sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	else
		note = make_old_note(sk);
	if (!note)
		count_lost(LOST_STORAGE);
	return note;
}

/* Whether current is the caller that holds sk, and no worker of the kernel. */
static __always_inline bool current_is_caller(const struct sock *sk)
{
	return sk->sk_lock.owned == 1 && !(current_flags() & PF_KTHREAD);
}

/* The surest owner that is noted, into an event. */
static __always_inline void owner_from_note(const struct sock_note *note, struct ev_sock *sock,
					    struct ev_owner *owner)
{
	if (note->user.pid) {
		owner->pid = note->user.pid;
		sock->owner_source = note->user_source;
		__builtin_memcpy(owner->comm, note->user.comm, EV_COMM_LEN);
	} else if (note->listener.pid) {
		owner->pid = note->listener.pid;
		sock->owner_source = OWNER_LISTEN;
		__builtin_memcpy(owner->comm, note->listener.comm, EV_COMM_LEN);
	}
}

/*
 * source is what current would be, were it the caller: OWNER_CONNECT,
 * OWNER_CLOSE, or OWNER_UNKNOWN where the step says nothing of its owner.
 */
static __always_inline void fill_owner(const struct sock *sk, struct sock_note *note,
				       enum ev_owner_source source, struct ev_sock *sock,
				       struct ev_owner *owner)
{
	bool caller = source != OWNER_UNKNOWN && current_is_caller(sk);

	owner->uid = sk->sk_uid.val;
	owner->pid = 0;
	__builtin_memset(owner->comm, 0, EV_COMM_LEN);
	if (caller && (!note || note->user_source < source)) {
		current_process(&owner->pid, owner->comm);
		sock->owner_source = source;
		if (note) {
			note->user.pid = owner->pid;
			note->user_source = source;
			__builtin_memcpy(note->user.comm, owner->comm, EV_COMM_LEN);
		}
	} else if (note) {
		owner_from_note(note, sock, owner);
	}
}

/* Which owner a step names if its caller makes it. `ss -K` is nobody's close. */
static __always_inline enum ev_owner_source step_owner(const struct sock *sk, int old, int new)
{
	if (old == ST_CLOSE && new == ST_SYN_SENT)
		return OWNER_CONNECT;
	if (new == ST_FIN_WAIT1 || (old == ST_CLOSE_WAIT && new == ST_LAST_ACK))
		return OWNER_CLOSE;
	if (new == ST_CLOSE && sk->sk_err != ECONNABORTED)
		return OWNER_CLOSE;
	return OWNER_UNKNOWN;
}

#endif
