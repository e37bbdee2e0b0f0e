/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the fuzz targets: bytes made into what may be an event, with few ends and few
 * identities, so that events meet. Knows nothing of what becomes of them.
 */
#ifndef CONNLIFE_FUZZ_EVENTS_H
#define CONNLIFE_FUZZ_EVENTS_H

#include <linux/types.h>

#include "core/decode.h"
#include "feed.h"

/* Where a tuple stands in an event of this kind; 0: nowhere. */
static inline size_t tuple_offset(unsigned int kind)
{
	switch (kind) {
	case EV_OPEN:
		return offsetof(struct ev_open, tuple);
	case EV_FOUND:
		return offsetof(struct ev_found, tuple);
	case EV_SEGMENT:
		return offsetof(struct ev_segment, tuple);
	case EV_REFUSED:
		return offsetof(struct ev_refused, tuple);
	case EV_SYNACK_RETRANSMIT:
		return offsetof(struct ev_synack_retransmit, tuple);
	case EV_LISTENER:
		return offsetof(struct ev_listener, tuple);
	}
	return 0;
}

static inline void narrow_tuple(struct ev_tuple *tuple, uint8_t with)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	memset(tuple, 0, sizeof(*tuple));
	memcpy(tuple->laddr, mapped, sizeof(mapped));
	memcpy(tuple->raddr, mapped, sizeof(mapped));
	tuple->laddr[15] = 1 + (with & 1);
	tuple->raddr[15] = 1 + (with >> 1 & 1);
	tuple->family = 4;
	tuple->lport = with >> 2 & 3;
	tuple->rport = with >> 4 & 3;
	tuple->netns_cookie = with >> 6 & 1;
	tuple->cgroup_id = with >> 7;
}

/* So that most are taken for events: what must be in range is. */
static inline void narrow_sock(uint8_t *event, uint8_t kind)
{
	struct ev_sock *sock = (struct ev_sock *)(event + sizeof(struct ev_hdr));

	if (kind != EV_OPEN && kind != EV_STATE && kind != EV_CLOSE && kind != EV_FOUND)
		return;
	sock->old_state %= ST_MAX;
	sock->new_state = kind == EV_CLOSE ? ST_CLOSE : sock->new_state % ST_MAX;
	sock->owner_source %= OWNER_CONNECT + 1;
}

static inline void narrow_stats(struct ev_stats *stats)
{
	stats->bytes_acked &= DECODE_BYTES_MAX;
	stats->bytes_received &= DECODE_BYTES_MAX;
}

/* Their states are rows of the kernel's, or any. */
static inline void narrow_rest(uint8_t *event, uint8_t kind)
{
	struct ev_close *close = (struct ev_close *)event;
	struct ev_waiting *waiting = (struct ev_waiting *)event;
	struct ev_minisock_timer *timer = (struct ev_minisock_timer *)event;
	struct ev_numbers *numbers = (struct ev_numbers *)event;
	struct ev_found *found = (struct ev_found *)event;
	struct ev_sent_again *again = (struct ev_sent_again *)event;

	if (kind == EV_CLOSE) {
		narrow_stats(&close->stats);
		close->minisock &= 7;
		close->minisock_state = close->minisock_state & 1 ? ST_TIME_WAIT : ST_FIN_WAIT2;
	} else if (kind == EV_FOUND) {
		narrow_stats(&found->stats);
		found->bytes_sent &= DECODE_BYTES_MAX;
		found->bytes_retrans &= DECODE_BYTES_MAX;
	} else if (kind == EV_NUMBERS) {
		numbers->bytes_acked &= DECODE_BYTES_MAX;
		numbers->bytes_received &= DECODE_BYTES_MAX;
	} else if (kind == EV_SENT_AGAIN) {
		again->bytes_acked &= DECODE_BYTES_MAX;
		again->bytes_received &= DECODE_BYTES_MAX;
	} else if (kind == EV_WAITING) {
		narrow_stats(&waiting->stats);
		waiting->state %= ST_MAX;
		waiting->timer %= TIMER_MINISOCK + 1;
	} else if (kind == EV_MINISOCK_TIMER) {
		timer->what = 1 + timer->what % 3;
	} else if (kind == EV_LISTENER) {
		((struct ev_listener *)event)->owner_source %= OWNER_CONNECT + 1;
	} else if (kind == EV_SEGMENT) {
		((struct ev_segment *)event)->met_state %= ST_MAX;
	} else if (kind == EV_LOST) {
		((struct ev_lost *)event)->why %= LOST_MAX;
	} else if (kind == EV_CGROUP) {
		((struct ev_cgroup *)event)->id &= 1;
		((struct ev_cgroup *)event)->path[EV_PATH_LEN - 1] = '\0';
	} else if (kind == EV_SCAN_BEGIN || kind == EV_SCAN_END) {
		((struct ev_scan *)event)->netns_cookie &= 1;
		((struct ev_scan *)event)->is_of_all &= 1;
	}
}

#endif
