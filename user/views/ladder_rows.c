// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two stories become the rows of one diagram: each end's items stay in their
 * order, a segment is received after it was sent, and beyond that times decide.
 * A story alone takes the same way, with nothing on the other side.
 */
#include "views/ladder_rows.h"

#include <stdlib.h>
#include <string.h>

/* A state that comes later than this after a segment was not entered because of it. */
#define AT_ONCE_NS INT64_C(1000000)

struct end {
	const struct report_story *story;
	unsigned int *partner; /* an item for an item, or LADDER_NOWHERE */
	unsigned int *row; /* where an item is drawn, or LADDER_NOWHERE */
	unsigned int at;
	unsigned int below; /* the row after the last that this end had a part in */
	unsigned int received; /* row of the latest segment, if its state may stand there */
	int64_t received_ns;
	int64_t now_ns;
	uint8_t state;
	uint8_t pending; /* state that goes with the next segment */
};

struct merge {
	struct ladder_rows *rows;
	struct end ends[2];
	uint8_t teller[2]; /* who tells what was sent: by way */
};

static const struct report_story no_story;

static const struct story_item *head(const struct end *end)
{
	return end->at < end->story->len ? &end->story->items[end->at] : NULL;
}

static bool is_segment(const struct story_item *item, uint8_t way)
{
	return item && item->kind == STORY_SEGMENT && item->way == way;
}

static struct ladder_row *last_row(const struct merge *merge)
{
	return merge->rows->len ? &merge->rows->list[merge->rows->len - 1] : NULL;
}

static struct ladder_row *add_row(struct merge *merge, enum ladder_kind kind, int64_t ts_ns)
{
	struct ladder_row *row = &merge->rows->list[merge->rows->len++];

	*row = (struct ladder_row){ .kind = kind, .item = { .ts_ns = ts_ns } };
	return row;
}

/* As the left end tells it. */
static struct story_item seen_from_left(const struct story_item *item, int side)
{
	struct story_item mirrored = *item;

	if (side == LADDER_LEFT)
		return mirrored;
	mirrored.way = item->way == STORY_OUT ? STORY_IN : STORY_OUT;
	mirrored.tx_bytes = item->rx_bytes;
	mirrored.rx_bytes = item->tx_bytes;
	mirrored.tx_segs = item->rx_segs;
	mirrored.rx_segs = item->tx_segs;
	return mirrored;
}

/* ---- segments ---- */

static void receive(struct end *end, unsigned int row, int64_t ts_ns)
{
	/* crossed by something that this end has done since: its state stands further below */
	end->received = row + 1 >= end->below ? row : LADDER_NOWHERE;
	end->received_ns = ts_ns;
	if (end->below <= row)
		end->below = row + 1;
}

static void draw_segment(struct merge *merge, int side, const struct story_item *item)
{
	struct end *end = &merge->ends[side];
	unsigned int index = merge->rows->len;
	struct ladder_row *row = add_row(merge, LADDER_SEGMENT, item->ts_ns);

	row->item = seen_from_left(item, side);
	end->row[end->at] = index;
	if (item->way == STORY_IN) {
		receive(end, index, item->ts_ns);
		return;
	}
	row->state[side] = end->pending;
	end->pending = ST_NONE;
	end->below = index + 1;
	end->received = LADDER_NOWHERE;
}

/* What one end knows of a segment that the other has told already. */
static void add_knowledge(struct story_item *told, const struct story_item *item)
{
	bool is_better = item->seen && !told->seen;

	told->tcp_flags =
		is_better ? item->tcp_flags : told->tcp_flags | (told->seen ? 0 : item->tcp_flags);
	if (item->has_seq && (is_better || !told->has_seq)) {
		told->has_seq = true;
		told->seq = item->seq;
		told->payload = item->payload;
	}
	if (item->has_ack && (is_better || !told->has_ack)) {
		told->has_ack = true;
		told->ack = item->ack;
	}
	told->seen |= item->seen;
	told->again |= item->again;
	if (told->ts_ns == UNKNOWN_NS)
		told->ts_ns = item->ts_ns;
}

static void take_segment(struct merge *merge, int side, const struct story_item *item)
{
	struct end *end = &merge->ends[side], *other = &merge->ends[!side];
	unsigned int partner = end->partner[end->at];
	struct story_item *told;

	if (item->way == STORY_OUT || partner == LADDER_NOWHERE) {
		draw_segment(merge, side, item);
		return;
	}
	told = &merge->rows->list[other->row[partner]].item;
	add_knowledge(told, item);
	/* nothing is sent after it is received: the sender's time was a guess, or traced late */
	if (item->ts_ns != UNKNOWN_NS && told->ts_ns > item->ts_ns)
		told->ts_ns = item->ts_ns;
	receive(end, other->row[partner], item->ts_ns);
}

/* ---- states ---- */

static bool is_own_doing(uint8_t state)
{
	return state == ST_SYN_SENT || state == ST_FIN_WAIT1 || state == ST_LAST_ACK;
}

/* Whether a segment with these flags leads from a state to another. */
static bool leads_to(uint8_t tcp_flags, uint8_t old_state, uint8_t new_state)
{
	switch (new_state) {
	case ST_SYN_RECV:
		return tcp_flags & SYN;
	case ST_CLOSE_WAIT:
	case ST_CLOSING:
		return tcp_flags & FIN;
	case ST_ESTABLISHED:
	case ST_FIN_WAIT2:
	case ST_TIME_WAIT:
		return tcp_flags & (ACK | FIN) && !(tcp_flags & RST);
	case ST_CLOSE:
		return tcp_flags & RST || (tcp_flags & ACK && old_state == ST_LAST_ACK);
	default:
		return false;
	}
}

static bool is_at_once(int64_t received_ns, int64_t entered_ns)
{
	int64_t after;

	if (received_ns == UNKNOWN_NS || entered_ns == UNKNOWN_NS)
		return true;
	return !__builtin_sub_overflow(entered_ns, received_ns, &after) && after <= AT_ONCE_NS;
}

static struct ladder_row *row_for_state(struct merge *merge, int side,
					const struct story_item *item)
{
	struct end *end = &merge->ends[side];
	struct ladder_row *row;

	if (end->received != LADDER_NOWHERE && !is_own_doing(item->state)) {
		row = &merge->rows->list[end->received];
		if (row->state[side] == ST_NONE &&
		    leads_to(row->item.tcp_flags, end->state, item->state) &&
		    is_at_once(end->received_ns, item->ts_ns))
			return row;
	}
	row = end->below ? &merge->rows->list[end->below - 1] : NULL;
	/* a reset that was sent ends it */
	if (item->state == ST_CLOSE && row && row->kind == LADDER_SEGMENT &&
	    end->received == LADDER_NOWHERE && row->item.tcp_flags & RST &&
	    row->state[side] == ST_NONE && is_at_once(row->item.ts_ns, item->ts_ns))
		return row;
	return NULL;
}

static void take_state(struct merge *merge, int side, const struct story_item *item)
{
	struct end *end = &merge->ends[side];
	struct ladder_row *row = row_for_state(merge, side, item);
	bool has_next = end->at + 1 < end->story->len;

	end->state = item->state;
	if (!row && has_next && is_segment(item + 1, STORY_OUT) &&
	    is_at_once(item->ts_ns, item[1].ts_ns)) {
		end->pending = item->state;
		return;
	}
	if (!row) {
		row = add_row(merge, LADDER_STATE, item->ts_ns);
		end->below = merge->rows->len;
		end->received = LADDER_NOWHERE;
	}
	row->state[side] = item->state;
}

/* ---- payload ---- */

static int64_t sum(int64_t one, int64_t other)
{
	int64_t both;

	if (one < 0 || other < 0 || __builtin_add_overflow(one, other, &both))
		return UNKNOWN_COUNT;
	return both;
}

/* With two ends one counts what went a way: the same bytes stand in the other's items. */
static void take_data(struct merge *merge, int side, const struct story_item *item)
{
	struct story_item told = seen_from_left(item, side);
	struct ladder_row *row = last_row(merge);

	if (merge->teller[STORY_OUT] != side)
		told.tx_bytes = told.tx_segs = 0;
	if (merge->teller[STORY_IN] != side)
		told.rx_bytes = told.rx_segs = 0;
	if (!told.tx_bytes && !told.rx_bytes)
		return;
	if (!row || row->kind != LADDER_DATA) {
		add_row(merge, LADDER_DATA, told.ts_ns)->item = told;
		return;
	}
	row->item.tx_bytes = sum(row->item.tx_bytes, told.tx_bytes);
	row->item.rx_bytes = sum(row->item.rx_bytes, told.rx_bytes);
	row->item.tx_segs = sum(row->item.tx_segs, told.tx_segs);
	row->item.rx_segs = sum(row->item.rx_segs, told.rx_segs);
}

static bool has_data(const struct report_story *story)
{
	for (unsigned int i = 0; i < story->len; i++)
		if (story->items[i].kind == STORY_DATA)
			return true;
	return false;
}

/* Whether its data is told in parts, with what it sent again between them. */
static bool tells_again(const struct report_story *story)
{
	for (unsigned int i = 0; i < story->len; i++) {
		const struct story_item *item = &story->items[i];

		if (is_segment(item, STORY_OUT) && item->again && item->payload &&
		    !(item->tcp_flags & (SYN | FIN)))
			return true;
	}
	return false;
}

/* Each end tells what it sent, but one that knows more of the order tells both ways. */
static void choose_tellers(struct merge *merge)
{
	const struct report_story *left = merge->ends[LADDER_LEFT].story;
	const struct report_story *right = merge->ends[LADDER_RIGHT].story;
	bool left_tells = tells_again(left), right_tells = tells_again(right);

	merge->teller[STORY_OUT] =
		has_data(right) && (!has_data(left) || (right_tells && !left_tells));
	merge->teller[STORY_IN] = has_data(right) && !(left_tells && !right_tells);
}

/* ---- the order ---- */

/* Where more happened than is kept, the first two thirds of the items come before it. */
static void tell_gap(struct merge *merge, int side)
{
	struct end *end = &merge->ends[side];
	unsigned int left_out = end->story->left_out;
	struct ladder_row *row = last_row(merge);

	if (!left_out || end->at != end->story->len * UINT64_C(2) / 3)
		return;
	if (!row || row->kind != LADDER_GAP)
		row = add_row(merge, LADDER_GAP, UNKNOWN_NS);
	if (row->left_out < left_out)
		row->left_out = left_out;
	end->below = merge->rows->len;
	end->received = LADDER_NOWHERE;
}

static void take(struct merge *merge, int side)
{
	struct end *end = &merge->ends[side];
	const struct story_item *item = head(end);

	tell_gap(merge, side);
	if (item->ts_ns != UNKNOWN_NS)
		end->now_ns = item->ts_ns;
	if (item->kind == STORY_STATE)
		take_state(merge, side, item);
	else if (item->kind == STORY_SEGMENT)
		take_segment(merge, side, item);
	else
		take_data(merge, side, item);
	end->at++;
}

/* Nothing is received before it is drawn as sent. */
static bool is_ready(const struct merge *merge, int side)
{
	const struct end *end = &merge->ends[side];
	const struct story_item *item = head(end);

	if (!item)
		return false;
	return !is_segment(item, STORY_IN) || end->partner[end->at] == LADDER_NOWHERE ||
	       merge->ends[!side].row[end->partner[end->at]] != LADDER_NOWHERE;
}

static int64_t head_ns(const struct end *end)
{
	int64_t ts_ns = head(end)->ts_ns;

	return ts_ns == UNKNOWN_NS ? end->now_ns : ts_ns;
}

/* Each waits for what the other sends later: they can't both be right, so these are two. */
static int untie(struct merge *merge)
{
	int side = head(&merge->ends[LADDER_LEFT]) ? LADDER_LEFT : LADDER_RIGHT;
	struct end *end = &merge->ends[side];
	unsigned int *partner = &end->partner[end->at];

	merge->ends[!side].partner[*partner] = LADDER_NOWHERE;
	*partner = LADDER_NOWHERE;
	return side;
}

static int next_side(struct merge *merge)
{
	bool left = is_ready(merge, LADDER_LEFT), right = is_ready(merge, LADDER_RIGHT);

	if (!left && !right)
		return untie(merge);
	if (left && right)
		return head_ns(&merge->ends[LADDER_RIGHT]) < head_ns(&merge->ends[LADDER_LEFT]);
	return right;
}

static void merge_all(struct merge *merge)
{
	struct end *left = &merge->ends[LADDER_LEFT], *right = &merge->ends[LADDER_RIGHT];

	choose_tellers(merge);
	ladder_match(left->story, left->partner, right->story, right->partner);
	for (unsigned int i = 0; i < left->story->len; i++)
		left->row[i] = LADDER_NOWHERE;
	for (unsigned int i = 0; i < right->story->len; i++)
		right->row[i] = LADDER_NOWHERE;
	while (head(left) || head(right))
		take(merge, next_side(merge));
}

/* The last row with a time before at; at itself if there is none. */
static unsigned int timed_before(const struct ladder_rows *rows, unsigned int at)
{
	for (unsigned int i = at; i-- > 0;) {
		if (rows->list[i].item.ts_ns != UNKNOWN_NS)
			return i;
	}
	return at;
}

/*
 * A retransmission is traced after it was sent, so that its answer may stand
 * before it. What still goes backwards in time was timed by a guess: then only
 * its place is known.
 */
static void set_in_time(struct ladder_rows *rows)
{
	int64_t latest = UNKNOWN_NS;

	for (unsigned int i = 0; i < rows->len; i++) {
		struct ladder_row row = rows->list[i];
		unsigned int at = i, before;

		while (row.item.again && row.item.ts_ns != UNKNOWN_NS &&
		       (before = timed_before(rows, at)) != at &&
		       rows->list[before].item.ts_ns > row.item.ts_ns)
			at = before;
		memmove(&rows->list[at + 1], &rows->list[at], (i - at) * sizeof(row));
		rows->list[at] = row;
	}
	for (unsigned int i = 0; i < rows->len; i++) {
		int64_t *ts_ns = &rows->list[i].item.ts_ns;

		if (*ts_ns != UNKNOWN_NS && *ts_ns < latest)
			*ts_ns = UNKNOWN_NS;
		else if (*ts_ns != UNKNOWN_NS)
			latest = *ts_ns;
	}
}

static void take_isns(struct ladder_rows *rows, const struct report_story *left,
		      const struct report_story *right)
{
	rows->has_isn[LADDER_LEFT] = left->has_isn_local || right->has_isn_remote;
	rows->isn[LADDER_LEFT] = left->has_isn_local ? left->isn_local : right->isn_remote;
	rows->has_isn[LADDER_RIGHT] = left->has_isn_remote || right->has_isn_local;
	rows->isn[LADDER_RIGHT] = left->has_isn_remote ? left->isn_remote : right->isn_local;
}

static struct end new_end(const struct report_story *story, unsigned int *partner,
			  unsigned int *row)
{
	return (struct end){ .story = story,
			     .partner = partner,
			     .row = row,
			     .received = LADDER_NOWHERE,
			     .now_ns = INT64_MIN };
}

bool ladder_rows_make(struct ladder_rows *rows, const struct report_story *left,
		      const struct report_story *right)
{
	struct merge merge = { .rows = rows };
	unsigned int *indexes;
	size_t len;

	*rows = (struct ladder_rows){ 0 };
	left = left ? left : &no_story;
	right = right ? right : &no_story;
	len = (size_t)left->len + right->len;
	rows->list = calloc(len + 2, sizeof(*rows->list)); /* and the gap of each */
	indexes = calloc(len + 1, 2 * sizeof(*indexes));
	if (rows->list && indexes) {
		merge.ends[LADDER_LEFT] = new_end(left, indexes, indexes + left->len);
		merge.ends[LADDER_RIGHT] =
			new_end(right, indexes + 2 * (size_t)left->len, indexes + left->len + len);
		take_isns(rows, left, right);
		merge_all(&merge);
		set_in_time(rows);
	}
	free(indexes);
	return rows->list && indexes;
}

void ladder_rows_free(struct ladder_rows *rows)
{
	free(rows->list);
	*rows = (struct ladder_rows){ 0 };
}
