// SPDX-License-Identifier: GPL-2.0-only
#include "core/decode.h"

#include <string.h>

#include "base/array.h"

static const unsigned short sizes[] = {
	[EV_OPEN] = sizeof(struct ev_open),
	[EV_STATE] = sizeof(struct ev_state),
	[EV_CLOSE] = sizeof(struct ev_close),
	[EV_DESTROY] = sizeof(struct ev_destroy),
	[EV_RESET_SENT] = sizeof(struct ev_reset),
	[EV_RESET_RECEIVED] = sizeof(struct ev_reset),
	[EV_RETRANSMIT] = sizeof(struct ev_retransmit),
	[EV_SYNACK_RETRANSMIT] = sizeof(struct ev_synack_retransmit),
	[EV_MINISOCK_TIMER] = sizeof(struct ev_minisock_timer),
	[EV_SEGMENT] = sizeof(struct ev_segment),
	[EV_NUMBERS] = sizeof(struct ev_numbers),
	[EV_REFUSED] = sizeof(struct ev_refused),
	[EV_FLAGS] = sizeof(struct ev_flags),
	[EV_READER] = sizeof(struct ev_reader),
	[EV_SENT_AGAIN] = sizeof(struct ev_sent_again),
	[EV_SCAN_BEGIN] = sizeof(struct ev_scan),
	[EV_FOUND] = sizeof(struct ev_found),
	[EV_HOLDER] = sizeof(struct ev_holder),
	[EV_SCAN_END] = sizeof(struct ev_scan),
	[EV_LISTENER] = sizeof(struct ev_listener),
	[EV_WAITING] = sizeof(struct ev_waiting),
	[EV_CLOCK] = sizeof(struct ev_clock),
	[EV_CGROUP] = sizeof(struct ev_cgroup),
	[EV_LOST] = sizeof(struct ev_lost),
	[EV_END] = sizeof(struct ev_end),
};

size_t decode_size(unsigned int kind)
{
	return kind < ARRAY_SIZE(sizes) ? sizes[kind] : 0;
}

static bool is_sock(const struct ev_sock *sock)
{
	return sock->old_state < ST_MAX && sock->new_state > ST_NONE && sock->new_state < ST_MAX &&
	       sock->owner_source <= OWNER_CONNECT;
}

/* Of a transition: only what was found has no state before. */
static bool is_step(const struct ev_sock *sock)
{
	return is_sock(sock) && sock->old_state > ST_NONE;
}

static bool is_family(const struct ev_tuple *tuple)
{
	return tuple->family == 4 || tuple->family == 6;
}

static bool are_bytes(uint64_t one, uint64_t other)
{
	return (one | other) <= DECODE_BYTES_MAX; /* all ones */
}

static bool are_stats(const struct ev_stats *stats)
{
	return are_bytes(stats->bytes_acked, stats->bytes_received);
}

static bool is_open(const struct ev_open *open)
{
	return is_step(&open->sock) && is_family(&open->tuple);
}

static bool is_close(const struct ev_close *close)
{
	return is_step(&close->sock) && close->sock.new_state == ST_CLOSE &&
	       are_stats(&close->stats) &&
	       (!close->minisock || close->minisock_state == ST_TIME_WAIT ||
		close->minisock_state == ST_FIN_WAIT2);
}

static bool is_found(const struct ev_found *found)
{
	return is_sock(&found->sock) && is_family(&found->tuple) && are_stats(&found->stats) &&
	       are_bytes(found->bytes_sent, found->bytes_retrans);
}

static bool is_minisock_timer(const struct ev_minisock_timer *timer)
{
	return timer->what >= MINISOCK_CANCEL && timer->what <= MINISOCK_RESTART;
}

static bool is_waiting(const struct ev_waiting *waiting)
{
	return waiting->state > ST_NONE && waiting->state < ST_MAX &&
	       waiting->timer <= TIMER_MINISOCK && are_stats(&waiting->stats);
}

static bool are_numbers(const struct ev_numbers *numbers)
{
	return are_bytes(numbers->bytes_acked, numbers->bytes_received);
}

static bool is_sent_again(const struct ev_sent_again *again)
{
	return are_bytes(again->bytes_acked, again->bytes_received);
}

static bool is_listener(const struct ev_listener *listener)
{
	return is_family(&listener->tuple) && listener->owner_source <= OWNER_CONNECT;
}

bool decode_is_event(const void *data, size_t size)
{
	const struct ev_hdr *hdr = data;

	if (size < sizeof(*hdr) || hdr->version != EV_VERSION || hdr->size > size ||
	    hdr->size != decode_size(hdr->kind) || !hdr->size || hdr->ts_ns > DECODE_TIME_MAX_NS)
		return false;
	switch (hdr->kind) {
	case EV_OPEN:
		return is_open(data);
	case EV_STATE:
		return is_step(&((const struct ev_state *)data)->sock);
	case EV_CLOSE:
		return is_close(data);
	case EV_FOUND:
		return is_found(data);
	case EV_WAITING:
		return is_waiting(data);
	case EV_LISTENER:
		return is_listener(data);
	case EV_SEGMENT:
		return is_family(&((const struct ev_segment *)data)->tuple) &&
		       ((const struct ev_segment *)data)->met_state < ST_MAX;
	case EV_REFUSED:
		return is_family(&((const struct ev_refused *)data)->tuple);
	case EV_SYNACK_RETRANSMIT:
		return is_family(&((const struct ev_synack_retransmit *)data)->tuple);
	case EV_NUMBERS:
		return are_numbers(data);
	case EV_SENT_AGAIN:
		return is_sent_again(data);
	case EV_MINISOCK_TIMER:
		return is_minisock_timer(data);
	case EV_CGROUP:
		return memchr(((const struct ev_cgroup *)data)->path, '\0', EV_PATH_LEN);
	case EV_LOST:
		return ((const struct ev_lost *)data)->why < LOST_MAX;
	default:
		return true;
	}
}
