// SPDX-License-Identifier: GPL-2.0-only
/* The words on an arrow, long or short. Knows no columns but their number. */
#include "base/array.h"
#include "views/ladder_draw.h"

/* How much is said, from the most to the least. */
enum detail {
	DETAIL_ALL,
	DETAIL_SHORT, /* the same with shorter words */
	DETAIL_SOME, /* the half that matters more */
	DETAIL_UNITS, /* of payload only: kB and MB */
	DETAIL_LEAST,
	DETAIL_MAX,
};

struct label {
	struct text *out;
	const struct ladder_rows *rows;
	const struct ladder_row *row;
	bool absolute;
	enum detail detail;
};

void ladder_grouped(struct text *out, uint64_t value)
{
	unsigned int rest = value % 1000;

	if (value < 1000) {
		text_u64(out, value);
		return;
	}
	ladder_grouped(out, value / 1000);
	text_char(out, ',');
	text_char(out, '0' + rest / 100);
	text_char(out, '0' + rest / 10 % 10);
	text_char(out, '0' + rest % 10);
}

/* ---- segments ---- */

static void write_flags(struct text *out, uint8_t tcp_flags)
{
	static const struct {
		uint8_t flag;
		const char *name;
	} flags[] = { { SYN, "SYN" }, { FIN, "FIN" }, { RST, "RST" },
		      { PSH, "PSH" }, { URG, "URG" }, { ACK, "ACK" } };
	bool is_first = true;

	for (unsigned int i = 0; i < ARRAY_SIZE(flags); i++) {
		if (!(tcp_flags & flags[i].flag))
			continue;
		if (!is_first)
			text_char(out, '+');
		text_str(out, flags[i].name);
		is_first = false;
	}
	if (is_first)
		text_str(out, "no flags");
}

static void write_number(const struct label *label, const char *name, bool is_known,
			 uint32_t number, int whose)
{
	const struct ladder_rows *rows = label->rows;

	text_str(label->out, name);
	if (!is_known || (!label->absolute && !rows->has_isn[whose]))
		text_char(label->out, '?');
	else
		text_u64(label->out, label->absolute ? number : number - rows->isn[whose]);
}

static void write_seq(const struct label *label)
{
	const struct story_item *item = &label->row->item;
	const char *name = label->detail == DETAIL_SHORT ? " s=" : " seq ";

	int whose = item->way == STORY_OUT ? LADDER_LEFT : LADDER_RIGHT;

	/* a SYN's is what relative numbers are counted from, known or not */
	if (!label->absolute && item->tcp_flags & SYN &&
	    (!item->has_seq || !label->rows->has_isn[whose])) {
		text_str(label->out, name);
		text_char(label->out, '0');
		return;
	}
	write_number(label, name, item->has_seq, item->seq, whose);
}

static void write_segment(const struct label *label)
{
	const struct story_item *item = &label->row->item;
	bool is_short = label->detail == DETAIL_SHORT;
	bool is_whole = label->detail == DETAIL_ALL || is_short;

	write_flags(label->out, item->tcp_flags);
	if (label->detail <= DETAIL_SOME)
		write_seq(label);
	if (is_whole && item->tcp_flags & ACK)
		write_number(label, is_short ? " a=" : " ack ", item->has_ack, item->ack,
			     item->way == STORY_OUT ? LADDER_RIGHT : LADDER_LEFT);
	if (is_whole && item->payload) {
		text_str(label->out, is_short ? " l=" : " len ");
		text_u64(label->out, item->payload);
	}
	if (item->again && label->detail < DETAIL_LEAST)
		text_str(label->out, " again");
}

/* ---- payload ---- */

static void write_units(struct text *out, uint64_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	unsigned int unit = 0;

	for (; bytes >= 10000; bytes /= 1000)
		unit++;
	text_u64(out, bytes);
	text_str(out, units[unit]);
}

static void write_bytes(const struct label *label, int64_t bytes)
{
	if (bytes < 0)
		text_char(label->out, '?');
	else if (label->detail == DETAIL_UNITS)
		write_units(label->out, bytes);
	else
		ladder_grouped(label->out, bytes);
	if (label->detail != DETAIL_UNITS)
		text_str(label->out, bytes == 1 ? " byte" : " bytes");
}

static void write_segs(const struct label *label, int64_t segs, bool is_first)
{
	if (segs <= 0 || label->detail > DETAIL_SHORT)
		return;
	text_str(label->out, " in ");
	ladder_grouped(label->out, segs);
	if (is_first && label->detail == DETAIL_ALL)
		text_str(label->out, segs == 1 ? " segment" : " segments");
}

/* "5,000 bytes in 4 segments" */
static void write_way(const struct label *label, int64_t bytes, int64_t segs, bool is_first)
{
	write_bytes(label, bytes);
	write_segs(label, segs, is_first);
}

static void write_data(const struct label *label)
{
	const struct story_item *item = &label->row->item;

	if (label->detail == DETAIL_LEAST) {
		text_str(label->out, "data");
		return;
	}
	if (item->tx_bytes)
		write_way(label, item->tx_bytes, item->tx_segs, true);
	if (item->tx_bytes && item->rx_bytes)
		text_str(label->out, " -> / <- ");
	if (item->rx_bytes)
		write_way(label, item->rx_bytes, item->rx_segs,
			  !item->tx_bytes || item->tx_segs <= 0);
}

/* ---- any ---- */

static void write_gap(const struct label *label)
{
	text_str(label->out, "...");
	if (label->detail == DETAIL_LEAST)
		return;
	text_char(label->out, ' ');
	ladder_grouped(label->out, label->row->left_out);
	text_str(label->out, " more ...");
}

/* "14,480 bytes again in 10 segments": data that was sent again, folded. */
static void write_again(const struct label *label, int64_t bytes, int64_t segs)
{
	if (label->detail == DETAIL_LEAST) {
		text_str(label->out, "again");
		return;
	}
	write_bytes(label, bytes);
	text_str(label->out, " again");
	write_segs(label, segs, true);
}

static void write_any_segment(const struct label *label)
{
	const struct story_item *item = &label->row->item;
	bool is_out = item->way == STORY_OUT;

	if (item->tx_segs || item->rx_segs)
		write_again(label, is_out ? item->tx_bytes : item->rx_bytes,
			    is_out ? item->tx_segs : item->rx_segs);
	else
		write_segment(label);
}

static void write_label(const struct label *label)
{
	switch (label->row->kind) {
	case LADDER_SEGMENT:
		write_any_segment(label);
		break;
	case LADDER_DATA:
		write_data(label);
		break;
	case LADDER_GAP:
		write_gap(label);
		break;
	case LADDER_STATE:
		break;
	}
}

size_t ladder_label(struct text *out, const struct ladder_rows *rows, const struct ladder_row *row,
		    bool absolute, size_t room)
{
	struct label label = { .out = out, .rows = rows, .row = row, .absolute = absolute };
	size_t start = out->len;

	for (label.detail = DETAIL_ALL; label.detail < DETAIL_MAX; label.detail++) {
		out->len = start;
		write_label(&label);
		if (out->len - start <= room)
			return out->len - start;
	}
	/* flags alone, more of them than room */
	out->len = start + room;
	return room;
}
