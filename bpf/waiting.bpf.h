/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * EV_WAITING: what a socket or minisock waits for. Read by the snapshot alone,
 * and only where the answers are asked for (stuck, top, export).
 */
#ifndef CONNLIFE_WAITING_BPF_H
#define CONNLIFE_WAITING_BPF_H

const volatile bool tell_waiting __weak;
const volatile __u64 jiffy_ns __weak = 4000000;

/* icsk_pending, include/net/inet_connection_sock.h */
#define ICSK_TIME_RETRANS 1
#define ICSK_TIME_PROBE0 3
/* A red-black tree of a billion is no deeper than 60; queues are far smaller. */
#define RTX_DEPTH_MAX 40

/* When the 32-bit jiffies stood at then, which lies in the past; 0 for never. */
static __always_inline __u64 time_of_jiffies(__u64 now_ns, __u32 then)
{
	__s32 ago = (__s32)((__u32)bpf_jiffies64() - then);

	return then && ago >= 0 && ago * jiffy_ns < now_ns ? now_ns - ago * jiffy_ns : 0;
}

static __always_inline __u64 later(__u64 one, __u64 other)
{
	return one > other ? one : other;
}

/* A timer is pending while it is in a list. One that is overdue is due now. */
static __always_inline __u64 timer_due(const struct timer_list *timer, __u64 now_ns)
{
	__s64 left;

	if (!BPF_CORE_READ(timer, entry.pprev))
		return 0;
	left = (__s64)(BPF_CORE_READ(timer, expires) - bpf_jiffies64());
	return now_ns + (left > 0 ? left * jiffy_ns : 0);
}

static __always_inline void fill_timer(struct ev_waiting *waiting, const struct sock *sk,
				       const struct inet_connection_sock *icsk)
{
	__u64 now_ns = waiting->hdr.ts_ns;

	waiting->timer = TIMER_NONE;
	waiting->timer_ns = 0;
	if (icsk->icsk_pending) {
		waiting->timer =
			icsk->icsk_pending == ICSK_TIME_PROBE0 ? TIMER_PROBE : TIMER_RETRANSMIT;
		waiting->timer_ns = timer_due(retransmit_timer(sk, icsk), now_ns);
	}
	if (!waiting->timer_ns) {
		waiting->timer_ns = timer_due(keepalive_timer(sk, icsk), now_ns);
		waiting->timer = waiting->timer_ns ? TIMER_SOCKET : TIMER_NONE;
	}
}

/* Milliseconds of the same clock, whose upper bits are cut off; 0 for never. */
static __always_inline __u64 time_of_ms(__u64 now_ns, __u32 then_ms)
{
	__s32 ago_ms = (__s32)((__u32)(now_ns / 1000000) - then_ms);

	return then_ms && ago_ms >= 0 && ago_ms * 1000000ULL < now_ns ? now_ns - ago_ms * 1000000ULL
								      : 0;
}

/* Of the last segment that awaits its ACK: when it went out last. 0: none, or too deep a tree. */
static __always_inline __u64 last_sent_ns(const struct sock *sk)
{
	const struct rb_node *node = BPF_CORE_READ(sk, tcp_rtx_queue.rb_node);
	const struct sk_buff *skb;

	if (!node)
		return 0;
	for (int i = 0; i < RTX_DEPTH_MAX; i++) {
		const struct rb_node *right = BPF_CORE_READ(node, rb_right);

		if (!right) {
			skb = (const void *)((__u64)node -
					     bpf_core_field_offset(struct sk_buff, rbnode));
			return BPF_CORE_READ(skb, skb_mstamp_ns);
		}
		node = right;
	}
	return 0;
}

/* The first time that what is unanswered was sent again; of a SYN, when it was sent first. */
static __always_inline __u64 sent_again_ns(const struct tcp_sock *tp, __u64 now_ns)
{
	/* in microseconds, as may be since 6.7 (614e8316aa4c), it would wrap after an hour */
	if (bpf_core_field_exists(tp->tcp_usec_ts) && BPF_CORE_READ_BITFIELD(tp, tcp_usec_ts))
		return 0;
	return time_of_ms(now_ns, tp->retrans_stamp);
}

/*
 * Of states that the socket entered by a segment of its own. Where the FIN waits
 * behind data that was not sent yet, nothing tells since when.
 */
static __always_inline void fill_since(struct ev_waiting *waiting, const struct sock *sk,
				       const struct tcp_sock *tp, __u8 state)
{
	__u64 now_ns = waiting->hdr.ts_ns;
	__u64 sent_ns, again_ns;

	waiting->since_ns = 0;
	waiting->since_is_exact = 0;
	if (state == ST_SYN_SENT) {
		waiting->since_ns = sent_again_ns(tp, now_ns);
		waiting->since_is_exact = waiting->since_ns != 0;
	}
	if (state != ST_FIN_WAIT1 && state != ST_LAST_ACK)
		return;
	if (tp->snd_nxt != tp->write_seq || tp->snd_una == tp->write_seq)
		return;
	sent_ns = last_sent_ns(sk);
	again_ns = sent_again_ns(tp, now_ns);
	if (tp->write_seq - tp->snd_una == 1 && again_ns && (!sent_ns || again_ns < sent_ns))
		sent_ns = again_ns;
	if (sent_ns < now_ns)
		waiting->since_ns = sent_ns;
}

static __always_inline void fill_waiting(struct ev_waiting *waiting, const struct sock *sk,
					 const struct tcp_sock *tp, __u8 state)
{
	const struct inet_connection_sock *icsk = &tp->inet_conn;
	struct ev_sock sock;
	__u64 now_ns;

	fill_hdr(&waiting->hdr, EV_WAITING, sizeof(*waiting), sk, sock_cookie(sk));
	now_ns = waiting->hdr.ts_ns;
	fill_stats(&waiting->stats, tp);
	fill_sock(&sock, sk, ST_NONE, state);
	waiting->flags = sock.flags | tcp_flags_of(tp, sock.flags);
	waiting->last_segment_ns = later(later(time_of_jiffies(now_ns, tp->lsndtime),
					       time_of_jiffies(now_ns, tp->rcv_tstamp)),
					 time_of_jiffies(now_ns, icsk->icsk_ack.lrcvtime));
	fill_timer(waiting, sk, icsk);
	fill_since(waiting, sk, tp, state);
	waiting->state = state;
	waiting->retransmits = icsk->icsk_retransmits;
	waiting->silent_ns = waiting->retransmits ? sent_again_ns(tp, waiting->hdr.ts_ns) : 0;
	waiting->probes = icsk->icsk_probes_out;
	waiting->is_minisock = 0;
}

static __always_inline void fill_waiting_minisock(struct ev_waiting *waiting,
						  const struct inet_timewait_sock *tw)
{
	__builtin_memset(waiting, 0, sizeof(*waiting));
	fill_hdr(&waiting->hdr, EV_WAITING, sizeof(*waiting), tw,
		 minisock_cookie(&tw->__tw_common));
	waiting->state = tw->tw_substate;
	waiting->is_minisock = 1;
	waiting->timer = TIMER_MINISOCK;
	waiting->timer_ns = timer_due(&tw->tw_timer, waiting->hdr.ts_ns);
	/*
	 * since 6.14 (19ce8cd30465); that of TIME_WAIT is told better by its timer, which every
	 * FIN starts anew
	 */
	if (bpf_core_field_exists(tw->tw_entry_stamp) && waiting->state == ST_FIN_WAIT2)
		waiting->since_ns =
			time_of_ms(waiting->hdr.ts_ns, BPF_CORE_READ(tw, tw_entry_stamp));
}

#endif
