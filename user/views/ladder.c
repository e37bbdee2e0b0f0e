// SPDX-License-Identifier: GPL-2.0-only
/* The ends, the verdict in words, and the diagram below them. Knows no rows. */
#include "views/ladder.h"

#include <string.h>

#include "core/names.h"
#include "views/cells.h"
#include "views/ladder_draw.h"
#include "views/ladder_rows.h"

#define INDENT 4 /* of a line that goes on */

/* ---- lines that may be too long ---- */

/* As wide as any terminal draws it: what isn't ASCII may take two columns. */
static size_t columns_of(const char *str, size_t len)
{
	return len > 1 || (unsigned char)*str >= 0x80 ? 2 : 1;
}

/* A better place to go on in the next line than any other space. */
static bool ends_something(const char *space)
{
	return space[-1] == ';' || space[-1] == ')';
}

/* Bytes of str for one line of so many columns, up to a space where it must be cut. */
static size_t line_len(const char *str, size_t len, size_t width)
{
	size_t at = 0, columns = 0, space = 0, end = 0;

	while (at < len) {
		size_t bytes = text_utf8_len(str + at, len - at);

		bytes = bytes ? bytes : 1;
		columns += columns_of(str + at, bytes);
		if (at && str[at] == ' ') {
			space = at;
			end = ends_something(str + at) ? at : end;
		}
		if (columns > width)
			break;
		at += bytes;
	}
	if (at == len)
		return len;
	if (end > width / 3)
		return end;
	return space ? space : at;
}

static void write_lines(struct text *out, const struct text *words, size_t width)
{
	const char *str = words->data;
	size_t len = words->len, indent = 0;

	while (len) {
		size_t bytes = line_len(str, len, width - indent), shown = bytes;

		while (shown && str[shown - 1] == ' ')
			shown--;
		if (shown) {
			text_pad(out, out->len, indent);
			text_mem(out, str, shown);
			text_char(out, '\n');
			indent = INDENT;
		}
		while (bytes < len && str[bytes] == ' ')
			bytes++;
		str += bytes;
		len -= bytes;
	}
	out->failed |= words->failed;
}

/* ---- the ends ---- */

static void write_address(struct text *out, const struct ev_tuple *tuple, const uint8_t addr[16],
			  uint16_t port)
{
	if (!tuple->family) {
		text_char(out, '-');
		return;
	}
	if (tuple->family == 6)
		text_char(out, '[');
	text_addr(out, addr);
	if (tuple->family == 6)
		text_char(out, ']');
	text_char(out, ':');
	if (port)
		text_u64(out, port);
	else
		text_char(out, '-');
}

static void write_owner(struct text *out, const struct report_conn *conn)
{
	text_str(out, " (");
	if (conn->pid) {
		text_str(out, "pid ");
		text_u64(out, conn->pid);
	}
	if (conn->pid && *conn->comm)
		text_char(out, ' ');
	text_visible(out, conn->comm, strlen(conn->comm), SIZE_MAX);
	if (!conn->pid && !*conn->comm)
		text_char(out, '-');
	text_char(out, ')');
}

static const char *arrow_of(enum conn_role left)
{
	switch (left) {
	case ROLE_CLIENT:
		return " -> ";
	case ROLE_SERVER:
		return " <- ";
	case ROLE_BOTH:
		return " <-> ";
	default:
		return " -- ";
	}
}

static void write_ends(struct text *out, const struct view_clock *clock,
		       const struct report_conn *left, const struct report_conn *right)
{
	const struct ev_tuple *tuple = &left->tuple;
	int64_t realtime_ns = view_realtime_ns(clock, left->start_ns);

	if (realtime_ns != UNKNOWN_NS) {
		text_clock(out, realtime_ns);
		text_char(out, ' ');
	}
	write_address(out, tuple, tuple->laddr, tuple->lport);
	write_owner(out, left);
	text_str(out, arrow_of(left->role));
	write_address(out, tuple, tuple->raddr, tuple->rport);
	if (right)
		write_owner(out, right);
}

/* ---- the verdict ---- */

struct clauses {
	struct text *out;
	const char *join; /* before the next clause */
};

static void say(struct clauses *clauses, const char *what, const char *word)
{
	if (!word)
		return;
	text_str(clauses->out, clauses->join);
	text_str(clauses->out, what);
	text_str(clauses->out, word);
	clauses->join = "; ";
}

/* What goes on with the clause before. */
static void add(struct clauses *clauses, const char *word, const char *after)
{
	if (!word)
		return;
	text_str(clauses->out, ", ");
	text_str(clauses->out, word);
	text_str(clauses->out, after);
}

static void write_ms(struct text *out, int64_t ns)
{
	struct cell cell = { .out = out };

	cell_ms(&cell, ns, 3);
	text_str(out, " ms");
}

typedef const char *(*name_of_bit)(unsigned int bit);

static unsigned int named_bits(unsigned int bits, name_of_bit name_of)
{
	unsigned int named = 0;

	for (unsigned int bit = 1; bit && bit <= bits; bit <<= 1)
		if (bits & bit && name_of(bit))
			named |= bit;
	return named;
}

static void write_bits(struct text *out, unsigned int bits, name_of_bit name_of)
{
	const char *join = "";

	for (unsigned int bit = 1; bit && bit <= bits; bit <<= 1) {
		if (!(bits & bit))
			continue;
		text_str(out, join);
		text_str(out, name_of(bit));
		join = ", ";
	}
}

static void say_bits(struct clauses *clauses, const char *what, unsigned int bits,
		     name_of_bit name_of)
{
	bits = named_bits(bits, name_of);
	if (!bits)
		return;
	say(clauses, what, "");
	write_bits(clauses->out, bits, name_of);
}

static void say_opened(struct clauses *clauses, const struct report_conn *conn)
{
	unsigned int unusual = named_bits(conn->handshake, name_handshake);

	if (conn->opened == OPENED_UNKNOWN)
		return;
	say(clauses, "opened: ", name_opened(conn->opened));
	if (conn->handshake_ns != UNKNOWN_NS) {
		text_char(clauses->out, ' ');
		write_ms(clauses->out, conn->handshake_ns);
	}
	if (unusual) {
		text_str(clauses->out, " (");
		write_bits(clauses->out, unusual, name_handshake);
		text_char(clauses->out, ')');
	}
}

static void say_closed(struct clauses *clauses, const struct report_conn *conn)
{
	if (conn->closed == CLOSED_UNKNOWN)
		return;
	say(clauses, "closed: ", name_closed(conn->closed));
	if (conn->closed_first != FIRST_NONE)
		add(clauses, name_first(conn->closed_first),
		    conn->closed_first == FIRST_BOTH ? " at once" : " first");
	if (conn->teardown != TEARDOWN_NONE)
		add(clauses, name_teardown(conn->teardown), "");
}

static void say_half_close(struct clauses *clauses, const struct report_conn *conn)
{
	if (conn->half_close_ns == UNKNOWN_NS)
		return;
	say(clauses, "half-close ", "");
	write_ms(clauses->out, conn->half_close_ns);
	if (conn->half_close_bytes <= 0)
		return;
	text_str(clauses->out, ", ");
	ladder_grouped(clauses->out, conn->half_close_bytes);
	text_str(clauses->out, conn->half_close_bytes == 1 ? " byte" : " bytes");
}

static void say_why(struct clauses *clauses, const struct report_conn *conn)
{
	const char *kernels = name_reset_reason(conn->reset_reason);

	if (conn->reason && kernels) {
		say(clauses, "reason: ", conn->reason);
		add(clauses, kernels, "");
	} else {
		say(clauses, "reason: ", kernels ? kernels : conn->reason);
	}
	say(clauses, "error: ", name_errno(conn->error));
}

static void say_remains(struct clauses *clauses, const struct report_conn *conn)
{
	const char *word = name_remains(conn->remains);

	if (conn->time_wait_ns != UNKNOWN_NS) {
		say(clauses, "time_wait ", "");
		write_ms(clauses->out, conn->time_wait_ns);
		add(clauses, name_remains_end(conn->remains_end), "");
		return;
	}
	if (!word)
		return;
	say(clauses, "", word);
	if (conn->remains_end == REMAINS_END_UNKNOWN)
		text_str(clauses->out, " left");
	add(clauses, name_remains_end(conn->remains_end), "");
}

/* whose: NULL where it is clear. */
static void write_verdict(struct text *out, const struct report_conn *conn, const char *whose)
{
	struct clauses clauses = { .out = out, .join = whose ? "  " : "" };

	if (whose)
		text_str(out, whose);
	say_opened(&clauses, conn);
	say_closed(&clauses, conn);
	say_half_close(&clauses, conn);
	say_why(&clauses, conn);
	say_remains(&clauses, conn);
	say_bits(&clauses, "violation: ", conn->violations, name_violation);
	say_bits(&clauses, "incomplete: ", conn->incomplete, name_incomplete);
}

static void write_heading(struct text *out, const struct view_clock *clock, size_t width,
			  const struct report_conn *const ends[2], const char *const names[2])
{
	struct text words = TEXT_INIT;

	write_ends(&words, clock, ends[0], ends[1]);
	write_lines(out, &words, width);
	for (int i = 0; i < 2 && ends[i]; i++) {
		text_clear(&words);
		write_verdict(&words, ends[i], ends[1] ? names[i] : NULL);
		write_lines(out, &words, width);
	}
	text_free(&words);
}

/* ---- the diagram ---- */

static bool has_story(const struct report_conn *conn)
{
	return conn && conn->story && conn->story->len;
}

static void name_ends(const struct report_conn *const ends[2], const char *names[2])
{
	bool is_client = ends[0]->role == ROLE_CLIENT;

	if (is_client || ends[0]->role == ROLE_SERVER) {
		names[0] = name_role(is_client ? ROLE_CLIENT : ROLE_SERVER);
		names[1] = name_role(is_client ? ROLE_SERVER : ROLE_CLIENT);
	} else {
		names[0] = ends[1] ? "left" : "local";
		names[1] = ends[1] ? "right" : "remote";
	}
}

static void draw(struct text *out, const struct ladder_style *style,
		 const struct report_conn *const ends[2], const char *const names[2])
{
	struct ladder_rows rows;

	if (!ladder_rows_make(&rows, ends[0]->story, ends[1] ? ends[1]->story : NULL))
		out->failed = true;
	else if (!ends[1])
		ladder_infer_right(&rows);
	if (!out->failed)
		ladder_draw(out, style, &rows, names);
	ladder_rows_free(&rows);
}

void ladder_conn(struct text *out, const struct view_clock *clock, const struct ladder_style *style,
		 const struct report_conn *conn)
{
	const struct report_conn *peer = conn->peer;
	bool is_turned = peer && conn->role == ROLE_SERVER && peer->role == ROLE_CLIENT;
	const struct report_conn *ends[2] = { is_turned ? peer : conn, is_turned ? conn : peer };
	const char *names[2];

	name_ends(ends, names);
	write_heading(out, clock, ladder_width(style), ends, names);
	if (has_story(ends[0]) || has_story(ends[1]))
		draw(out, style, ends, names);
	else
		text_str(out, "nothing of its segments is known\n");
	text_char(out, '\n');
}
