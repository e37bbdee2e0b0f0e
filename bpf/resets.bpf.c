// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resets, and what of a handshake or a release had to be sent again; where
 * segments are told, what of the data had to, too. How much of it is in the
 * socket's own counters.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "event.h"
#include "filter.h"
#include "parse.h"
#include "emit.bpf.h"
#include "compat.bpf.h"
#include "sock.bpf.h"
#include "owner.bpf.h"
#include "wanted.bpf.h"
#include "segment.bpf.h"
#include "story.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* From this kernel's numbers of enum sk_rst_reason to those of struct ev_reset. */
const volatile __s32 reset_reasons[EV_RESET_REASONS];

static __always_inline void send_reset(enum ev_kind kind, const struct sock *sk, __u8 state,
				       int reason, bool is_reply)
{
	struct ev_reset *reset = reserve_event(sizeof(*reset));

	if (!reset)
		return;
	fill_hdr(&reset->hdr, kind, sizeof(*reset), sk, minisock_cookie(&sk->__sk_common));
	reset->reason = reason;
	reset->state = state;
	reset->is_reply = is_reply;
	reset->pad[0] = 0;
	reset->pad[1] = 0;
	submit_event(reset);
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(tcp_receive_reset, const struct sock *sk)
{
	if (sk->sk_protocol == IPPROTO_TCP && was_wanted(note_of(sk)))
		send_reset(EV_RESET_RECEIVED, sk, sk->__sk_common.skc_state, -1, false);
	return 0;
}

/*
 * sk is NULL for a closed port, skb is NULL for a reset of our own accord; sk
 * may be a minisock, of which only struct sock_common may be read. On some
 * kernels the verifier believes both to be set, so read by probe only.
 */
static __always_inline int on_send_reset(const struct sock *sk, const struct sk_buff *skb,
					 int reason)
{
	__u8 state = sk ? BPF_CORE_READ(sk, __sk_common.skc_state) : ST_LISTEN;

	if (state == ST_LISTEN || state == ST_NEW_SYN_RECV) {
		send_refused(sk, skb, reason);
		return 0;
	}
	if (state == ST_TIME_WAIT) {
		if (!watch_minisocks || !minisock_may_be_wanted((const void *)sk))
			return 0;
	} else if (BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP || !was_ever_wanted(sk)) {
		return 0;
	}
	send_reset(EV_RESET_SENT, sk, state, reason, skb != NULL);
	return 0;
}

/* The numbers of the first kernels that gave reasons were others. */
static __always_inline int known_reason(int reason)
{
	__u64 nth = (__u32)reason;

	PARSE_CONSTANT(nth); /* what is compared is what is used: the verifier wants it so */
	return nth < EV_RESET_REASONS ? reset_reasons[nth] : -1;
}

/*
 * Since 6.10 (b533fb9cf4f7) with the reason; before, without. The loader is told which one
 * fits. Drop the plain one when 6.9 is no longer supported.
 */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(tcp_send_reset_plain, const struct sock *sk, const struct sk_buff *skb)
{
	return on_send_reset(sk, skb, -1);
}

SEC("tp_btf/tcp_send_reset")
int BPF_PROG(tcp_send_reset, const struct sock *sk, const struct sk_buff *skb, const int reason)
{
	return on_send_reset(sk, skb, known_reason(reason));
}

static __always_inline void fill_retransmit(struct ev_retransmit *again, const struct sock *sk,
					    const struct tcp_sock *tp, const struct sk_buff *skb,
					    int error)
{
	const struct tcp_skb_cb *cb = (const void *)skb->cb;

	bpf_core_read(&again->seq, sizeof(again->seq), &cb->seq);
	bpf_core_read(&again->end_seq, sizeof(again->end_seq), &cb->end_seq);
	again->tcp_flags = skb_tcp_flags(skb);
	again->state = sk->__sk_common.skc_state;
	again->lport = sock_lport(sk, tp, again->state);
	again->error = error;
}

static __always_inline void send_retransmit(const struct sock *sk, const struct tcp_sock *tp,
					    const struct sk_buff *skb, int error)
{
	struct ev_retransmit *again = reserve_event(sizeof(*again));

	if (!again)
		return;
	fill_hdr(&again->hdr, EV_RETRANSMIT, sizeof(*again), sk, sock_cookie(sk));
	fill_retransmit(again, sk, tp, skb, error);
	submit_event(again);
}

/* Lost data is sent again in storms: it only takes the room that states leave. */
static __always_inline void send_sent_again(const struct sock *sk, const struct tcp_sock *tp,
					    const struct sk_buff *skb, bool is_data, int error)
{
	struct ev_sent_again *again;

	if (is_data)
		again = reserve_lesser(sizeof(*again));
	else
		again = reserve_event(sizeof(*again));
	if (!again)
		return;
	fill_hdr(&again->segment.hdr, EV_SENT_AGAIN, sizeof(*again), sk, sock_cookie(sk));
	fill_retransmit(&again->segment, sk, tp, skb, error);
	again->bytes_acked = tp->bytes_acked;
	again->bytes_received = tp->bytes_received;
	again->snd_una = tp->snd_una;
	again->snd_nxt = tp->snd_nxt;
	again->rcv_nxt = tp->rcv_nxt;
	again->segs_in = tp->segs_in;
	again->segs_out = tp->segs_out;
	again->pad = 0;
	submit_and_wake(again);
}

static __always_inline int on_retransmit(const struct sock *sk, const struct sk_buff *skb,
					 int error)
{
	bool is_data = !(skb_tcp_flags(skb) & (TCP_FLAG_SYN | TCP_FLAG_FIN));
	const struct tcp_sock *tp;

	if ((is_data && (!watch_segments || error)) || !was_wanted(note_of(sk)))
		return 0;
	tp = bpf_skc_to_tcp_sock((void *)sk);
	if (!tp)
		return 0;
	if (watch_segments)
		send_sent_again(sk, tp, skb, is_data, error);
	else
		send_retransmit(sk, tp, skb, error);
	return 0;
}

/*
 * Between 6.12 and 6.18 (ad892e912b84) it began to tell of what did not leave, too. The
 * loader is told which one fits. Drop this one when 6.12 is no longer supported.
 */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(tcp_retransmit_skb_plain, const struct sock *sk, const struct sk_buff *skb)
{
	return on_retransmit(sk, skb, 0);
}

/* Since then also what did not leave this host, with why. */
SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(tcp_retransmit_skb, const struct sock *sk, const struct sk_buff *skb, const int err)
{
	return on_retransmit(sk, skb, err);
}

/* sk is the listener; all that is known of the connection stands in the request. */
SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(tcp_retransmit_synack, const struct sock *sk, const struct request_sock *req)
{
	const struct tcp_request_sock *treq = (const void *)req;
	const struct net *net = sk->__sk_common.skc_net.net;
	struct ev_synack_retransmit *again;
	struct ev_tuple tuple = {};

	fill_addresses(&tuple, &req->__req_common);
	tuple.netns_cookie = netns_cookie(net);
	tuple.netns_inum = net->ns.inum;
	tuple.cgroup_id = sock_cgroup_id(sk);
	tuple.lport = req->__req_common.skc_num;
	tuple.rport = bpf_ntohs(req->__req_common.skc_dport);
	/* first: what nobody wants takes no room, and is no loss where there is none */
	if (filter.active && filter_tuple(&filter, &tuple) == FILTER_NO)
		return 0;
	/* a flood repeats many: they only take the room that states leave */
	again = reserve_lesser(sizeof(*again));
	if (!again)
		return 0;
	/* a cookie drawn here becomes the child's */
	fill_hdr(&again->hdr, EV_SYNACK_RETRANSMIT, sizeof(*again), req, draw_request_cookie(req));
	again->tuple = tuple;
	again->first_synack_ns = BPF_CORE_READ(treq, snt_synack) * 1000;
	again->isn_local = BPF_CORE_READ(treq, snt_isn);
	again->isn_remote = BPF_CORE_READ(treq, rcv_isn);
	submit_event(again);
	return 0;
}
