/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * EV_FOUND: a connection that began before anything of it was told. The
 * snapshot fills one for each socket; the hooks fill one while a scan is
 * under way, for a socket that changes before the scan has come to it.
 */
#ifndef CONNLIFE_FOUND_BPF_H
#define CONNLIFE_FOUND_BPF_H

static __always_inline void fill_found(struct ev_found *found, const struct sock *sk,
				       const struct tcp_sock *tp, struct sock_note *note,
				       __u8 state)
{
	fill_hdr(&found->hdr, EV_FOUND, sizeof(*found), sk, sock_cookie(sk));
	fill_sock(&found->sock, sk, ST_NONE, state);
	found->sock.flags |= tcp_flags_of(tp, found->sock.flags);
	fill_owner(sk, note, OWNER_UNKNOWN, &found->sock, &found->owner);
	fill_tuple(&found->tuple, sk, tp, state);
	fill_stats(&found->stats, tp);
	found->bytes_sent = tp->bytes_sent;
	found->bytes_retrans = tp->bytes_retrans;
	found->is_minisock = 0;
	found->is_glimpse = 0;
	__builtin_memset(found->pad, 0, sizeof(found->pad));
}

#endif
