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
		waiting->timer_ns = timer_due(&icsk->icsk_retransmit_timer, now_ns);
	}
	if (!waiting->timer_ns) {
		waiting->timer_ns = timer_due(&sk->sk_timer, now_ns);
		waiting->timer = waiting->timer_ns ? TIMER_SOCKET : TIMER_NONE;
	}
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
	waiting->state = state;
	waiting->retransmits = icsk->icsk_retransmits;
	waiting->probes = icsk->icsk_probes_out;
	waiting->is_minisock = 0;
	waiting->pad = 0;
}

static __always_inline void fill_waiting_minisock(struct ev_waiting *waiting,
						  const struct inet_timewait_sock *tw)
{
	__builtin_memset(waiting, 0, sizeof(*waiting));
	fill_hdr(&waiting->hdr, EV_WAITING, sizeof(*waiting), tw,
		 tw->__tw_common.skc_cookie.counter);
	waiting->state = tw->tw_substate;
	waiting->is_minisock = 1;
	waiting->timer = TIMER_MINISOCK;
	waiting->timer_ns = timer_due(&tw->tw_timer, waiting->hdr.ts_ns);
}

#endif
