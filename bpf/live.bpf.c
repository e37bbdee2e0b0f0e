// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hooks: what happens to TCP sockets, as it happens. Each one filters,
 * reserves, fills and submits; what it means is the engine's matter.
 *
 * A child of a listener passes LISTEN > SYN_RECV > ESTABLISHED in one go, at
 * the segment that completes the handshake (with Fast Open the first step
 * comes earlier). The first step only notes its time and the second tells
 * both: one event fewer, and up to 6.12 the peer's address and the cookie
 * are not there before.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "event.h"
#include "filter.h"
#include "implied.h"
#include "parse.h"
#include "emit.bpf.h"
#include "compat.bpf.h"
#include "sock.bpf.h"
#include "owner.bpf.h"
#include "listener.bpf.h"
#include "wanted.bpf.h"
#include "reader.bpf.h"
#include "found.bpf.h"
#include "minisock.bpf.h"
#include "segment.bpf.h"
#include "steps.bpf.h"
#include "story.bpf.h"
#include "untold.bpf.h"

char LICENSE[] SEC("license") = "GPL";

__u64 nested_told; /* transitions that nested_set_state told */

static __always_inline void send_found(const struct sock *sk, const struct tcp_sock *tp,
				       struct sock_note *note, __u8 state)
{
	struct ev_found *found = reserve_event(sizeof(*found));

	if (!found)
		return;
	fill_found(found, sk, tp, note, state);
	if (decide(sk, note, &found->tuple, &found->sock, &found->owner))
		submit_event(found);
	else
		discard_event(found);
}

static __always_inline void send_open(const struct sock *sk, const struct tcp_sock *tp,
				      struct sock_note *note, int old, int new)
{
	struct ev_open *open;
	__u64 cookie;

	if (note && old == ST_CLOSE) {
		note->user.pid = 0; /* another life of the same socket */
		note->user_source = OWNER_UNKNOWN;
		note->syn_recv_ns = 0;
	}
	if (!may_be_wanted(sk, tp, old, new)) {
		if (note)
			note->wanted = WANTED_NO;
		return;
	}
	/* also without room: its end must not pass for that of one that had its memory before */
	cookie = draw_cookie(sk);
	open = reserve_event(sizeof(*open));
	if (!open)
		return;
	fill_hdr(&open->hdr, EV_OPEN, sizeof(*open), sk, cookie);
	begin_reading(cookie, old == ST_CLOSE);
	fill_sock(&open->sock, sk, old, new);
	fill_owner(sk, note, step_owner(sk, old, new), &open->sock, &open->owner);
	if (old == ST_SYN_RECV && !open->owner.pid)
		owner_from_birth(sk, &open->sock, &open->owner);
	fill_tuple(&open->tuple, sk, tp, new);
	open->syn_recv_ns = note ? note->syn_recv_ns : 0;
	open->srtt_us = tp->srtt_us >> 3;
	open->retrans = tp->total_retrans;
	if (!decide(sk, note, &open->tuple, &open->sock, &open->owner)) {
		discard_event(open);
		return;
	}
	submit_and_wake(open);
	send_numbers(sk, tp);
}

static __always_inline void send_state(const struct sock *sk, const struct tcp_sock *tp,
				       struct sock_note *note, int old, int new)
{
	struct ev_state *state;

	send_numbers(sk, tp);
	await_fin_ack(sk, tp, new);
	state = reserve_event(sizeof(*state));
	if (!state)
		return;
	fill_hdr(&state->hdr, EV_STATE, sizeof(*state), sk, sock_cookie(sk));
	fill_sock(&state->sock, sk, old, new);
	fill_owner(sk, note, step_owner(sk, old, new), &state->sock, &state->owner);
	state->srtt_us = tp->srtt_us >> 3;
	state->retrans = tp->total_retrans;
	state->lport = sock_lport(sk, tp, new);
	state->pad16 = 0;
	state->pad32 = 0;
	submit_event(state);
}

static __always_inline void fill_minisock(struct ev_close *close, const struct sock *sk,
					  const struct tcp_sock *tp, int old)
{
	const struct inet_timewait_sock *tw = NULL;

	close->minisock = 0;
	close->minisock_state = ST_NONE;
	if (old != ST_FIN_WAIT2 && old != ST_CLOSING)
		return;
	tw = find_minisock(sk, tp);
	if (tw) {
		put_identity(&close->minisock, tw);
		close->minisock_state = BPF_CORE_READ(tw, tw_substate);
	} else if (minisocks_are_full(sk)) {
		close->sock.flags |= EVF_TW_FULL;
	}
}

static __always_inline void send_close(const struct sock *sk, const struct tcp_sock *tp,
				       struct sock_note *note, int old)
{
	struct ev_close *close;

	send_flags(sk, tp);
	close = reserve_event(sizeof(*close));
	if (!close)
		return;
	fill_hdr(&close->hdr, EV_CLOSE, sizeof(*close), sk, sock_cookie(sk));
	fill_sock(&close->sock, sk, old, ST_CLOSE);
	close->sock.flags |= tcp_flags_of(tp, close->sock.flags);
	fill_owner(sk, note, step_owner(sk, old, ST_CLOSE), &close->sock, &close->owner);
	fill_stats(&close->stats, tp);
	close->lport = sock_lport(sk, tp, ST_CLOSE);
	__builtin_memset(close->pad, 0, sizeof(close->pad));
	fill_minisock(close, sk, tp, old);
	submit_event(close);
}

/* Now that connect() has chosen its port: keep quiet from here on if it is not a wanted one. */
static __always_inline void forget_unwanted(const struct sock *sk, const struct tcp_sock *tp,
					    struct sock_note *note)
{
	__u16 lport;

	if (!filter.active || !filter.has_lports || !note)
		return;
	lport = sock_lport(sk, tp, ST_ESTABLISHED);
	if (lport && !filter_has_port(filter.lports, lport))
		note->wanted = WANTED_NO;
}

/*
 * A child that lost a race for its place in the hash table was never a connection; one of Fast
 * Open that is reset before accept() has lost its request already, and has an error.
 */
static __always_inline bool is_stillborn(const struct sock *sk, const struct tcp_sock *tp)
{
	return !sk->sk_socket && !tp->fastopen_rsk && !sk->sk_err;
}

static __always_inline void on_transition(const struct sock *sk, const struct tcp_sock *tp, int old,
					  int new)
{
	struct sock_note *note = kernel_has_sock_storage() ? note_of(sk) : make_note(sk);

	if (old == ST_CLOSE || old == ST_SYN_RECV) {
		if (old == ST_SYN_RECV && new == ST_CLOSE && is_stillborn(sk, tp))
			return;
		send_open(sk, tp, note, old, new == ST_CLOSE ? ST_SYN_RECV : new);
		if (new != ST_CLOSE)
			return;
		if (filter.active)
			note = note_of(sk);
	} else if (scanning && !(note && note->told)) {
		send_found(sk, tp, note, old);
		if (filter.active)
			note = note_of(sk);
	}
	if (!was_wanted(note) || names_no_new_owner(sk, note, old, new))
		return;
	if (new == ST_CLOSE)
		send_close(sk, tp, note, old);
	else
		send_state(sk, tp, note, old, new);
	if (old == ST_SYN_SENT)
		forget_unwanted(sk, tp, note);
}

static __always_inline void on_set_state(const struct sock *sk, int old, int new)
{
	const struct tcp_sock *tp;

	if (goes_untold(old, new))
		return;
	/* the same state again is a repeated close(); 262 is MPTCP's own socket, not TCP */
	if (old == new || sk->sk_protocol != IPPROTO_TCP)
		return;
	if (new == ST_LISTEN) {
		note_listener(sk);
		return;
	}
	if (old == ST_LISTEN) {
		if (new == ST_SYN_RECV)
			note_child(sk);
		else
			forget_listener(sk);
		return;
	}
	tp = bpf_skc_to_tcp_sock((void *)sk);
	if (tp)
		on_transition(sk, tp, old, new);
}

static __always_inline int set_state_of_task(const struct sock *sk, int old, int new)
{
	struct task_step *last = this_task_step();

	if (!last)
		return 0;
	*(volatile __u64 *)&last->sock = (__u64)sk;
	last->states = states_of(old, new);
	on_set_state(sk, old, new);
	return 0;
}

static __always_inline int nested_state_of_task(const struct sock *sk, int old, int new)
{
	struct task_step *last = this_task_step();
	volatile __u64 sock = (__u64)sk;

	if (!last)
		return 0;
	if (last->states == states_of(old, new) && last->sock == sock) {
		last->states = 0;
		return 0;
	}
	__sync_fetch_and_add(&nested_told, 1);
	on_set_state(sk, old, new);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(inet_sock_set_state, const struct sock *sk, const int old, const int new)
{
	struct last_step *last = this_cpu_step();
	int is_task = sk->sk_lock.owned == 1;

	if (hooks_may_be_preempted() && is_task)
		return set_state_of_task(sk, old, new);
	if (!last)
		return 0;
	*(volatile __u64 *)&last->sock[is_task] = (__u64)sk;
	last->states[is_task] = states_of(old, new);
	on_set_state(sk, old, new);
	return 0;
}

/*
 * The kernel does not run a program inside itself: a transition in a softirq
 * that interrupts the program above on this CPU would be lost. This second one
 * is there for it and for nothing else: it runs after the one above, and tells
 * the step if that one did not take it. To hold interrupts meanwhile (kfuncs of
 * 6.14) costs less, but they must be let go inside the program: what waited then
 * interrupts it there, and more is lost.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(nested_set_state, const struct sock *sk, const int old, const int new)
{
	struct last_step *last = this_cpu_step();
	int is_task = sk->sk_lock.owned == 1;
	volatile __u64 sock = (__u64)sk;

	if (hooks_may_be_preempted() && is_task)
		return nested_state_of_task(sk, old, new);
	if (!last)
		return 0;
	if (last->states[is_task] == states_of(old, new) && last->sock[is_task] == sock) {
		last->states[is_task] = 0;
		return 0;
	}
	__sync_fetch_and_add(&nested_told, 1);
	on_set_state(sk, old, new);
	return 0;
}

static __always_inline void send_destroy(const struct sock *sk)
{
	struct ev_destroy *destroy = reserve_event(sizeof(*destroy));

	if (!destroy)
		return;
	fill_hdr(&destroy->hdr, EV_DESTROY, sizeof(*destroy), sk, sock_cookie(sk));
	submit_event(destroy);
}

/*
 * Every end is told by EV_CLOSE already. Only after a loss this is news, since
 * the EV_CLOSE may have been among what was lost: it is attached at the first.
 * Where what is known of sockets is kept beside them, from the start.
 */
SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(tcp_destroy_sock, const struct sock *sk)
{
	if (was_wanted(note_of(sk)))
		send_destroy(sk);
	forget_sock(sk);
	forget_listener(sk); /* where LISTEN > CLOSE was missed */
	return 0;
}

/* For the owner only: the first task that reads from an accepted socket. */
SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(tcp_rcv_space_adjust, const struct sock *sk)
{
	struct sock_note *note = note_of(sk);

	if (!note) {
		on_read_without_note(sk);
	} else if (note->user_source < OWNER_READ && current_is_caller(sk)) {
		current_process(&note->user.pid, note->user.comm);
		note->user_source = OWNER_READ;
	}
	return 0;
}
