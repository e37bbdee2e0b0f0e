// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is there now: iter/tcp walks the sockets, requests and minisocks of
 * one network namespace, iter/task_file the descriptors of every process on
 * the host. Both write events to the iterator's file. A socket is shown under
 * its lock, so the time of its event stands in order with those of the hooks.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "event.h"
#include "filter.h"
#include "emit.bpf.h"
#include "compat.bpf.h"
#include "sock.bpf.h"
#include "owner.bpf.h"
#include "listener.bpf.h"
#include "wanted.bpf.h"
#include "found.bpf.h"
#include "waiting.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define SOCK_STREAM 1

/* One reader at a time; not on the stack, where the verifier tracks pointers. */
struct ev_found found;
struct ev_holder holder;
struct ev_waiting waiting;
struct ev_listener listener;

static __always_inline void fill_found_minisock(const struct inet_timewait_sock *tw)
{
	const struct sock_common *common = &tw->__tw_common;
	const struct net *net = common->skc_net.net;

	__builtin_memset(&found, 0, sizeof(found));
	fill_hdr(&found.hdr, EV_FOUND, sizeof(found), tw, minisock_cookie(common));
	found.sock.new_state = tw->tw_substate;
	fill_addresses(&found.tuple, common);
	found.tuple.netns_cookie = netns_cookie(net);
	found.tuple.netns_inum = net->ns.inum;
	found.tuple.lport = bpf_ntohs(tw->tw_sport);
	found.tuple.rport = bpf_ntohs(common->skc_dport);
	found.owner.uid = ~0U;
	found.is_minisock = 1;
}

static __always_inline void write_listener(struct seq_file *seq, struct sock_common *common)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(common);
	struct ev_sock sock;
	struct sock *sk;

	if (!tell_waiting || !tp)
		return;
	sk = (struct sock *)&tp->inet_conn.icsk_inet.sk;
	__builtin_memset(&listener, 0, sizeof(listener));
	fill_hdr(&listener.hdr, EV_LISTENER, sizeof(listener), sk, sock_cookie(sk));
	fill_tuple(&listener.tuple, sk, tp, ST_LISTEN);
	if (filter_tuple(&filter, &listener.tuple) == FILTER_NO && filter.active)
		return;
	fill_sock(&sock, sk, ST_NONE, ST_LISTEN);
	fill_owner(sk, NULL, OWNER_UNKNOWN, &sock, &listener.owner);
	owner_from_listener(listener_note(sk), &sock, &listener.owner);
	listener.owner_source = sock.owner_source;
	listener.queue = sk->sk_ack_backlog;
	listener.backlog = sk->sk_max_ack_backlog;
	listener.drops = sk->sk_drops.counter;
	listener.requests = tp->inet_conn.icsk_accept_queue.qlen.counter;
	bpf_seq_write(seq, &listener, sizeof(listener));
}

SEC("iter/tcp")
int scan_sockets(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct inet_timewait_sock *tw;
	struct sock_note *note;
	struct tcp_sock *tp;
	struct sock *sk;
	__u8 state;

	if (!common)
		return 0;
	state = common->skc_state;
	if (state == ST_LISTEN) {
		write_listener(ctx->meta->seq, common);
		return 0;
	}
	if (state == ST_CLOSE || state >= ST_NEW_SYN_RECV)
		return 0;
	if (state == ST_TIME_WAIT) {
		tw = (void *)bpf_skc_to_tcp_timewait_sock(common);
		if (!tw)
			return 0;
		fill_found_minisock(tw);
		bpf_seq_write(ctx->meta->seq, &found, sizeof(found));
		if (tell_waiting) {
			fill_waiting_minisock(&waiting, tw);
			bpf_seq_write(ctx->meta->seq, &waiting, sizeof(waiting));
		}
		return 0;
	}
	tp = bpf_skc_to_tcp_sock(common);
	if (!tp)
		return 0;
	sk = (struct sock *)&tp->inet_conn.icsk_inet.sk;
	note = note_of(sk);
	draw_cookie(sk);
	fill_found(&found, sk, tp, note, state);
	if (!decide(sk, note, &found.tuple, &found.sock, &found.owner))
		return 0;
	bpf_seq_write(ctx->meta->seq, &found, sizeof(found));
	if (tell_waiting) {
		fill_waiting(&waiting, sk, tp, state);
		bpf_seq_write(ctx->meta->seq, &waiting, sizeof(waiting));
	}
	return 0;
}

/* Whoever held it when looked; where several do, nobody is named. */
static __always_inline void note_holder(struct owner_note *note, struct task_struct *task)
{
	if (note->scan == SCAN_NONE && !note->pid) {
		note->pid = task->tgid;
		note->scan = SCAN_HELD;
		bpf_probe_read_kernel(note->comm, EV_COMM_LEN, &task->group_leader->comm);
	} else if (note->scan == SCAN_HELD && note->pid != (__u32)task->tgid) {
		note->pid = 0;
		note->scan = SCAN_SHARED;
	}
}

static __always_inline void remember_holder(struct sock *sk, __u8 state, struct task_struct *task)
{
	struct owner_note *owner;
	struct sock_note *note;

	if (state == ST_LISTEN) {
		owner = make_listener_note(sk);
		if (owner)
			note_holder(owner, task);
		return;
	}
	note = make_note(sk);
	if (note && note->user_source <= OWNER_FD_TABLE) {
		note_holder(&note->user, task);
		note->user_source = OWNER_FD_TABLE;
	}
}

/*
 * Also the socket itself: it may live in a network namespace that only its
 * descriptor keeps alive, which no scan enters.
 */
static __always_inline void write_glimpse(struct seq_file *seq, struct sock *sk,
					  struct tcp_sock *tp, __u8 state)
{
	struct sock_note *note = note_of(sk);

	fill_found(&found, sk, tp, note, state);
	found.is_glimpse = 1;
	if (decide(sk, note, &found.tuple, &found.sock, &found.owner))
		bpf_seq_write(seq, &found, sizeof(found));
}

static __always_inline void write_holder(struct seq_file *seq, struct sock *sk, __u8 state,
					 struct task_struct *task, __u32 fd)
{
	fill_hdr(&holder.hdr, EV_HOLDER, sizeof(holder), sk, sock_cookie(sk));
	holder.owner.pid = task->tgid;
	holder.owner.uid = BPF_CORE_READ(sk, sk_uid.val);
	bpf_probe_read_kernel(holder.owner.comm, EV_COMM_LEN, &task->group_leader->comm);
	holder.fd = fd;
	holder.state = state;
	__builtin_memset(holder.pad, 0, sizeof(holder.pad));
	bpf_seq_write(seq, &holder, sizeof(holder));
}

/*
 * Up to 5.10 nothing gives the socket of a file as one that may be read directly
 * (bpf_sock_from_file() since 5.11, 4f19cab76136): all is read by probe, and sockets of
 * namespaces without a name are not told. Drop when 5.10 is no longer supported.
 */
const volatile __u64 socket_file_ops; /* its address: files that are sockets */

SEC("iter/task_file")
int scan_files_plain(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct sock *sk;
	__u16 family;
	__u8 state;

	if (!task || !file || !socket_file_ops || (__u64)file->f_op != socket_file_ops)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	if (!sk || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP ||
	    BPF_CORE_READ(sk, sk_type) != SOCK_STREAM)
		return 0;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if ((family != AF_INET && family != AF_INET6) || state == ST_CLOSE ||
	    state >= ST_NEW_SYN_RECV)
		return 0;
	remember_holder(sk, state, task);
	if (state != ST_LISTEN || tell_waiting)
		write_holder(ctx->meta->seq, sk, state, task, ctx->fd);
	return 0;
}

SEC("iter/task_file")
int scan_files(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct tcp_sock *tp;
	struct sock *sk;
	__u8 state;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!sk || sk->sk_protocol != IPPROTO_TCP || sk->sk_type != SOCK_STREAM)
		return 0;
	if (sk->__sk_common.skc_family != AF_INET && sk->__sk_common.skc_family != AF_INET6)
		return 0;
	state = sk->__sk_common.skc_state;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || state == ST_CLOSE || state >= ST_NEW_SYN_RECV)
		return 0;
	remember_holder(sk, state, task);
	if (state == ST_LISTEN && !tell_waiting)
		return 0;
	if (state != ST_LISTEN)
		write_glimpse(ctx->meta->seq, sk, tp, state);
	write_holder(ctx->meta->seq, sk, state, task, ctx->fd);
	return 0;
}
