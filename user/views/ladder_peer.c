// SPDX-License-Identifier: GPL-2.0-only
/*
 * The states of the other end as a text book infers them: from the segments,
 * and from what the left end's states prove to have arrived. A segment that was
 * sent again proves nothing: then the state stands at the peer's answer, or nowhere.
 */
#include "views/ladder_rows.h"

#include <stddef.h>

struct peer {
	struct ladder_rows *rows;
	uint8_t state; /* ST_NONE: not known */
	uint8_t ours; /* the state of the left end, at this row or before */
};

static const struct ladder_row *segment_at(const struct peer *peer, unsigned int i)
{
	const struct ladder_row *row = &peer->rows->list[i];

	return row->kind == LADDER_SEGMENT ? row : NULL;
}

static bool is_from(const struct ladder_row *row, uint8_t way)
{
	return row && row->item.way == way;
}

static void enter(struct peer *peer, unsigned int i, uint8_t state)
{
	if (peer->state == state)
		return;
	peer->state = state;
	peer->rows->list[i].state[LADDER_RIGHT] = state;
}

/*
 * The next segment after i from the peer that has these flags, out of those
 * that are asked for; 0 where none came, or where what i carries was sent again first.
 */
static unsigned int answer_to(const struct peer *peer, unsigned int i, uint8_t asked,
			      uint8_t wanted)
{
	uint8_t kind = peer->rows->list[i].item.tcp_flags & (SYN | FIN);

	for (unsigned int j = i + 1; j < peer->rows->len; j++) {
		const struct ladder_row *row = segment_at(peer, j);

		if (peer->rows->list[j].kind == LADDER_GAP)
			return 0;
		if (is_from(row, STORY_OUT) && kind && (row->item.tcp_flags & (SYN | FIN)) == kind)
			return 0;
		if (is_from(row, STORY_IN) && (row->item.tcp_flags & asked) == wanted)
			return j;
	}
	return 0;
}

/* The row where the left end learns that its FIN of row i arrived; 0 where it never does. */
static unsigned int fin_acked_at(const struct peer *peer, unsigned int i)
{
	uint8_t ours = peer->rows->list[i].state[LADDER_LEFT];

	for (unsigned int j = i + 1; j < peer->rows->len; j++) {
		const struct ladder_row *row = segment_at(peer, j);
		uint8_t state = peer->rows->list[j].state[LADDER_LEFT];

		if (peer->rows->list[j].kind == LADDER_GAP || state == ST_CLOSING ||
		    (is_from(row, STORY_OUT) && row->item.tcp_flags & FIN))
			return 0;
		if (!is_from(row, STORY_IN) || row->item.tcp_flags & RST)
			continue;
		if (state == ST_FIN_WAIT2 || state == ST_TIME_WAIT ||
		    (state == ST_CLOSE && ours == ST_LAST_ACK))
			return j;
	}
	return 0;
}

/* ---- what it received ---- */

static void got_syn(struct peer *peer, unsigned int i, bool is_answer)
{
	unsigned int j;

	if (is_answer) {
		/* in a simultaneous open it sends one too, first or last: that is not known */
		if ((peer->state == ST_SYN_SENT || peer->state == ST_SYN_RECV) &&
		    answer_to(peer, i, SYN | RST, 0) && !answer_to(peer, i, SYN | ACK, SYN | ACK))
			enter(peer, i, ST_ESTABLISHED);
		return;
	}
	j = answer_to(peer, i, SYN, SYN);
	if (j && peer->state == ST_NONE && peer->rows->list[j].item.tcp_flags & ACK)
		enter(peer, i, ST_SYN_RECV);
}

static void got_fin(struct peer *peer, unsigned int i)
{
	uint8_t ours = peer->rows->list[i].state[LADDER_LEFT];

	if (!fin_acked_at(peer, i))
		return;
	if (ours == ST_FIN_WAIT1)
		enter(peer, i, ST_CLOSE_WAIT);
	else if (ours == ST_LAST_ACK)
		enter(peer, i, ST_TIME_WAIT);
}

/* Whether the peer sends after row i what it would not, had that arrived. */
static bool is_repeated_after(const struct peer *peer, unsigned int i, uint8_t flag)
{
	for (unsigned int j = i + 1; j < peer->rows->len; j++) {
		const struct ladder_row *row = segment_at(peer, j);

		if (is_from(row, STORY_IN) && row->item.tcp_flags & flag)
			return true;
	}
	return false;
}

static void got_ack(struct peer *peer, unsigned int i)
{
	switch (peer->state) {
	case ST_SYN_RECV:
		if (!is_repeated_after(peer, i, SYN))
			enter(peer, i, ST_ESTABLISHED);
		break;
	case ST_FIN_WAIT1: /* CLOSING: both FINs are under way, and which ACK is first is not known */
		if (peer->ours == ST_CLOSE_WAIT && !is_repeated_after(peer, i, FIN))
			enter(peer, i, ST_FIN_WAIT2);
		break;
	case ST_LAST_ACK:
		if (!is_repeated_after(peer, i, FIN))
			enter(peer, i, ST_CLOSE);
		break;
	}
}

/* ---- what it sent ---- */

static void sent_fin(struct peer *peer, unsigned int i)
{
	uint8_t ours = peer->rows->list[i].state[LADDER_LEFT];

	if (peer->state == ST_CLOSE_WAIT || ours == ST_TIME_WAIT)
		enter(peer, i, ST_LAST_ACK);
	else if (peer->state == ST_NONE || peer->state == ST_ESTABLISHED ||
		 peer->state == ST_SYN_RECV)
		enter(peer, i, ST_FIN_WAIT1);
}

/* An ACK of our FIN, as our own state shows. */
static void sent_ack(struct peer *peer, unsigned int i)
{
	switch (peer->rows->list[i].state[LADDER_LEFT]) {
	case ST_FIN_WAIT2:
		enter(peer, i, ST_CLOSE_WAIT);
		break;
	case ST_TIME_WAIT:
		enter(peer, i, ST_CLOSING);
		break;
	case ST_CLOSE:
		enter(peer, i, ST_TIME_WAIT);
		break;
	default:
		if (peer->state == ST_SYN_SENT || peer->state == ST_SYN_RECV)
			enter(peer, i, ST_ESTABLISHED);
	}
}

/* ---- every row ---- */

static void peer_sent(struct peer *peer, unsigned int i, const struct story_item *item)
{
	if (item->tcp_flags & RST) {
		/* one that the left end didn't take may be anyone's */
		if (peer->state != ST_NONE && peer->rows->list[i].state[LADDER_LEFT] == ST_CLOSE)
			enter(peer, i, ST_CLOSE);
	} else if (item->tcp_flags & SYN) {
		if (peer->state == ST_NONE && !(item->tcp_flags & ACK))
			enter(peer, i, ST_SYN_SENT);
		else if (item->tcp_flags & ACK &&
			 (peer->state == ST_NONE || peer->state == ST_SYN_SENT))
			enter(peer, i, ST_SYN_RECV);
	} else if (item->tcp_flags & FIN) {
		sent_fin(peer, i);
	} else if (item->tcp_flags & ACK) {
		sent_ack(peer, i);
	}
}

static void peer_received(struct peer *peer, unsigned int i, const struct story_item *item)
{
	if (item->tcp_flags & RST) {
		if (peer->state != ST_NONE)
			enter(peer, i, ST_CLOSE);
	} else if (item->tcp_flags & SYN) {
		got_syn(peer, i, item->tcp_flags & ACK);
	} else if (item->tcp_flags & FIN) {
		got_fin(peer, i);
	} else if (item->tcp_flags & ACK && !item->again) {
		got_ack(peer, i);
	}
}

void ladder_infer_right(struct ladder_rows *rows)
{
	struct peer peer = { .rows = rows };

	rows->is_inferred = true;
	for (unsigned int i = 0; i < rows->len; i++) {
		const struct ladder_row *row = &rows->list[i];

		if (row->state[LADDER_LEFT] != ST_NONE)
			peer.ours = row->state[LADDER_LEFT];
		if (row->kind == LADDER_GAP)
			peer.state = ST_NONE;
		else if (is_from(segment_at(&peer, i), STORY_IN))
			peer_sent(&peer, i, &row->item);
		else if (is_from(segment_at(&peer, i), STORY_OUT))
			peer_received(&peer, i, &row->item);
	}
}
