/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What only the story of a connection needs, segment by segment: the socket's
 * side of what this host sends, and what it answers to segments that met no
 * socket. Costs nothing unless watch_segments is set.
 */
#ifndef CONNLIFE_STORY_BPF_H
#define CONNLIFE_STORY_BPF_H

static __always_inline void send_numbers(const struct sock *sk, const struct tcp_sock *tp)
{
	struct ev_numbers *numbers;

	if (!watch_segments)
		return;
	numbers = reserve_event(sizeof(*numbers));
	if (!numbers)
		return;
	fill_hdr(&numbers->hdr, EV_NUMBERS, sizeof(*numbers), sk, sock_cookie(sk));
	numbers->bytes_acked = tp->bytes_acked;
	numbers->bytes_received = tp->bytes_received;
	numbers->snd_una = tp->snd_una;
	numbers->snd_nxt = tp->snd_nxt;
	numbers->write_seq = tp->write_seq;
	numbers->rcv_nxt = tp->rcv_nxt;
	numbers->rcv_wup = tp->rcv_wup;
	numbers->segs_in = tp->segs_in;
	numbers->segs_out = tp->segs_out;
	numbers->pad = 0;
	submit_event(numbers);
}

static __always_inline __u32 fold_v6(const struct in6_addr *addr)
{
	const __u32 *word = addr->in6_u.u6_addr32;

	if (!word[0] && !word[1] && word[2] == bpf_htonl(0xffff))
		return word[3];
	return word[2] ^ word[3];
}

/* The ACK of our FIN is a segment that matters. The FIN is queued after the transition (R11). */
static __always_inline void await_fin_ack(const struct sock *sk, const struct tcp_sock *tp, int new)
{
	const struct sock_common *common = &sk->__sk_common;
	__u32 remote = common->skc_daddr, ports;

	if (!watch_segments || (new != ST_FIN_WAIT1 &&new != ST_LAST_ACK))
		return;
	if (common->skc_family == AF_INET6)
		remote = fold_v6(&common->skc_v6_daddr);
	ports = ports_on_wire(bpf_ntohs(common->skc_dport), sock_lport(sk, tp, new));
	await_ack(awaited_ack(remote, ports), tp->write_seq + 1);
}

/* By the headers of a segment in skb: from the other end to this one. */
static __always_inline bool fill_skb_tuple(struct ev_tuple *tuple, const unsigned char *ip)
{
	__u8 version = 0;
	__be32 v4[2];

	bpf_probe_read_kernel(&version, sizeof(version), ip);
	if (version >> 4 == 4) {
		if (bpf_probe_read_kernel(v4, sizeof(v4), ip + 12))
			return false;
		fill_v4(tuple->raddr, v4[0]);
		fill_v4(tuple->laddr, v4[1]);
		tuple->family = 4;
		return true;
	}
	tuple->family = 6;
	return !bpf_probe_read_kernel(tuple->raddr, 16, ip + 8) &&
	       !bpf_probe_read_kernel(tuple->laddr, 16, ip + 24);
}

static __always_inline bool fill_refused(struct ev_refused *refused, const struct sock *sk,
					 const struct sk_buff *skb)
{
	const unsigned char *head = BPF_CORE_READ(skb, head);
	const unsigned char *tcp = head + BPF_CORE_READ(skb, transport_header);
	struct net *net = sk ? BPF_CORE_READ(sk, __sk_common.skc_net.net)
			     : BPF_CORE_READ(skb, dev, nd_net.net);
	__u8 raw[16];

	if (!net || bpf_probe_read_kernel(raw, sizeof(raw), tcp) ||
	    !fill_skb_tuple(&refused->tuple, head + BPF_CORE_READ(skb, network_header)))
		return false;
	refused->tuple.netns_cookie = probe_netns_cookie(net);
	refused->tuple.netns_inum = BPF_CORE_READ(net, ns.inum);
	refused->tuple.cgroup_id = 0;
	refused->tuple.rport = parse_be16(raw);
	refused->tuple.lport = parse_be16(raw + 2);
	__builtin_memset(refused->tuple.pad, 0, sizeof(refused->tuple.pad));
	refused->seq = parse_be32(raw + 4);
	refused->ack = parse_be32(raw + 8);
	refused->tcp_flags = raw[13];
	return true;
}

/* A port scan must not fill the ring: such events only take the room that states leave. */
static __always_inline void send_refused(const struct sock *sk, const struct sk_buff *skb,
					 int reason)
{
	struct ev_refused refused = {}, *event;

	if (!watch_segments || !skb || !fill_refused(&refused, sk, skb))
		return;
	if (filter.active && filter_tuple(&filter, &refused.tuple) == FILTER_NO)
		return;
	event = reserve_lesser(sizeof(*event));
	if (!event)
		return;
	*event = refused;
	fill_hdr(&event->hdr, EV_REFUSED, sizeof(*event), sk, 0);
	event->reason = reason;
	event->has_listener = sk != NULL;
	submit_and_wake(event);
}

/* What came of each flag until now, if that was counted from its SYN on. */
static __always_inline void send_flags(const struct sock *sk, const struct tcp_sock *tp)
{
	struct flow_key key = {};
	struct flow_flags *counts;
	struct ev_tuple tuple;
	struct ev_flags *flags;
	bool is_whole;

	if (!count_flags || netns_cookie(sk->__sk_common.skc_net.net) != packet_netns_cookie)
		return;
	fill_addresses(&tuple, &sk->__sk_common);
	__builtin_memcpy(key.raddr, tuple.raddr, 16);
	__builtin_memcpy(key.laddr, tuple.laddr, 16);
	key.rport = bpf_ntohs(sk->__sk_common.skc_dport);
	key.lport = sock_lport(sk, tp, ST_CLOSE);
	counts = bpf_map_lookup_elem(&flow_counts, &key);
	if (!counts)
		return;
	is_whole = tp->rcv_nxt - (__u32)tp->bytes_received - 1 == counts->isn;
	flags = is_whole ? reserve_event(sizeof(*flags)) : NULL;
	if (flags) {
		fill_hdr(&flags->hdr, EV_FLAGS, sizeof(*flags), sk, sock_cookie(sk));
		flags->fin = counts->by_bit[0];
		flags->syn = counts->by_bit[1];
		flags->rst = counts->by_bit[2];
		flags->psh = counts->by_bit[3];
		flags->ack = counts->by_bit[4];
		flags->urg = counts->by_bit[5];
		submit_event(flags);
	}
	bpf_map_delete_elem(&flow_counts, &key);
}

#endif
