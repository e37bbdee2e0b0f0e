// SPDX-License-Identifier: GPL-2.0-only
/*
 * What of a record counts where; then the figures and the bars. A row is
 * counted when the value comes, so that it is exact: the buckets of
 * base/histogram have other edges.
 */
#include "views/hist.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/histogram.h"
#include "core/names.h"
#include "views/hist_scale.h"

#define WIDTH_LEAST 60
#define LABEL_WIDTH 16
#define EMPTY_ROWS_SHOWN 2 /* in a row; more of them become one line */

/* ---- what is counted ---- */

enum by_role { AS_CLIENT, AS_SERVER, AS_OTHER, ROLES };

enum {
	HANDSHAKE,
	DURATION = HANDSHAKE + ROLES,
	IN_STATE = DURATION + ROLES,
	RTT = IN_STATE + ST_MAX,
	SENT,
	RECEIVED,
	SERIES,
};

struct series {
	struct histogram values;
	uint64_t without; /* have one, but nobody knows it */
	uint64_t rows[SCALE_ROWS_MAX];
};

struct hist {
	uint64_t conns, incomplete, failed;
	struct series series[SERIES];
};

struct hist *hist_new(void)
{
	return calloc(1, sizeof(struct hist));
}

void hist_free(struct hist *hist)
{
	free(hist);
}

void hist_clear(struct hist *hist)
{
	memset(hist, 0, sizeof(*hist));
}

static const struct scale *scale_of(unsigned int series)
{
	return series == SENT || series == RECEIVED ? &scale_bytes : &scale_times;
}

/* Below 0 is unknown, whether of a time or of a count. */
static void take(struct hist *hist, unsigned int series, int64_t value)
{
	struct series *to = &hist->series[series];

	if (value < 0) {
		to->without++;
		return;
	}
	histogram_add(&to->values, (uint64_t)value);
	to->rows[scale_row(scale_of(series), (uint64_t)value)]++;
}

static enum by_role by_role(enum conn_role role)
{
	switch (role) {
	case ROLE_CLIENT:
		return AS_CLIENT;
	case ROLE_SERVER:
		return AS_SERVER;
	default:
		return AS_OTHER;
	}
}

static bool came_about(enum conn_opened opened)
{
	switch (opened) {
	case OPENED_REFUSED:
	case OPENED_TIMED_OUT:
	case OPENED_UNREACHABLE:
	case OPENED_RESET:
	case OPENED_ABORTED:
		return false;
	default:
		return true;
	}
}

/* FIN_WAIT2 went on without a socket, and nobody saw its end: what is told of it is too short. */
static bool goes_on(const struct report_conn *conn)
{
	return conn->remains == REMAINS_FIN_WAIT2 && conn->remains_end == REMAINS_END_UNKNOWN &&
	       conn->states_len && conn->states[conn->states_len - 1].state == ST_FIN_WAIT2;
}

static void take_states(struct hist *hist, const struct report_conn *conn, bool open_end)
{
	for (unsigned int i = 0; i < conn->states_len; i++) {
		bool unknown = open_end && i + 1 == conn->states_len;

		if (conn->states[i].state < ST_MAX)
			take(hist, IN_STATE + conn->states[i].state,
			     unknown ? UNKNOWN_NS : conn->states[i].ns);
	}
}

static int64_t us_to_ns(int64_t us)
{
	int64_t ns;

	return __builtin_mul_overflow(us, 1000, &ns) ? INT64_MAX : ns;
}

void hist_add(struct hist *hist, const struct report_conn *conn)
{
	enum by_role role = by_role(conn->role);
	bool open_end = goes_on(conn);

	take_states(hist, conn, open_end);
	if (!came_about(conn->opened)) {
		hist->failed++;
		return;
	}
	hist->conns++;
	hist->incomplete += conn->incomplete != 0;
	take(hist, HANDSHAKE + role, conn->handshake_ns);
	take(hist, DURATION + role, open_end ? UNKNOWN_NS : conn->duration_ns);
	take(hist, RTT, conn->srtt_us < 0 ? UNKNOWN_NS : us_to_ns(conn->srtt_us));
	take(hist, SENT, conn->tx_bytes);
	take(hist, RECEIVED, conn->rx_bytes);
}

/* ---- how it looks ---- */

static unsigned int digits_of(uint64_t value)
{
	unsigned int digits = 1;

	while (value /= 10)
		digits++;
	return digits;
}

/* Never nothing for something. */
static void write_bar(struct text *out, const struct hist_style *style, unsigned int width,
		      uint64_t count, uint64_t most)
{
	static const char *const parts[] = { "",       "\u258f", "\u258e", "\u258d",
					     "\u258c", "\u258b", "\u258a", "\u2589" };
	unsigned int steps = style->blocks ? 8 : 1;
	double exact = (double)count / (double)most * width * steps;
	unsigned int len = (unsigned int)(exact + 0.5);

	if (!len && count)
		len = 1;
	for (unsigned int i = 0; i < len / steps; i++)
		text_str(out, style->blocks ? "\u2588" : "#");
	text_str(out, parts[len % steps]);
}

static void write_row(struct text *out, const struct hist_style *style, const struct scale *scale,
		      unsigned int row, uint64_t count, uint64_t most)
{
	unsigned int columns = style->width > WIDTH_LEAST ? style->width : WIDTH_LEAST;
	unsigned int most_digits = digits_of(most);
	unsigned int before = 2 + LABEL_WIDTH + most_digits + 2;
	size_t from = out->len;

	text_str(out, "  ");
	scale_label(out, scale, row);
	text_pad(out, from, 2 + LABEL_WIDTH + most_digits - digits_of(count));
	text_u64(out, count);
	text_str(out, " |");
	write_bar(out, style, columns - before, count, most);
	text_char(out, '\n');
}

static void write_rows(struct text *out, const struct hist_style *style, const struct scale *scale,
		       const struct series *series)
{
	unsigned int row = scale_row(scale, series->values.min);
	unsigned int last = scale_row(scale, series->values.max);
	uint64_t most = 1;

	for (unsigned int i = row; i <= last; i++)
		most = series->rows[i] > most ? series->rows[i] : most;
	while (row <= last) {
		unsigned int empty = row;

		while (empty < last && !series->rows[empty])
			empty++;
		if (empty - row > EMPTY_ROWS_SHOWN) {
			text_str(out, "  ...\n");
			row = empty;
		}
		write_row(out, style, scale, row, series->rows[row], most);
		row++;
	}
}

static void write_quantile(struct text *out, const struct scale *scale, const char *name,
			   uint64_t value)
{
	text_str(out, "  ");
	text_str(out, name);
	text_char(out, ' ');
	scale_value(out, scale, value);
}

static void write_series(struct text *out, const struct hist_style *style,
			 const struct scale *scale, const struct series *series)
{
	const struct histogram *values = &series->values;

	text_str(out, values->count_is_low ? ": count at least " : ": count ");
	text_u64(out, values->count);
	if (series->without) {
		text_str(out, ", ");
		text_u64(out, series->without);
		text_str(out, " without");
	}
	text_char(out, '\n');
	if (!values->count)
		return;
	write_quantile(out, scale, "p50", histogram_quantile(values, 0.5));
	write_quantile(out, scale, "p90", histogram_quantile(values, 0.9));
	write_quantile(out, scale, "p99", histogram_quantile(values, 0.99));
	write_quantile(out, scale, "max", values->max);
	text_char(out, '\n');
	write_rows(out, style, scale, series);
}

struct section {
	const char *title;
	uint8_t series;
	uint8_t state; /* its name comes behind the title; ST_NONE */
	bool always; /* also where nothing is known of it */
};

/* States in the order in which connections pass through them. */
static const struct section sections[] = {
	{ "handshake as client", HANDSHAKE + AS_CLIENT, ST_NONE, true },
	{ "handshake as server", HANDSHAKE + AS_SERVER, ST_NONE, true },
	{ "handshake, both or unknown role", HANDSHAKE + AS_OTHER, ST_NONE, false },
	{ "duration as client", DURATION + AS_CLIENT, ST_NONE, true },
	{ "duration as server", DURATION + AS_SERVER, ST_NONE, true },
	{ "duration, both or unknown role", DURATION + AS_OTHER, ST_NONE, false },
	{ "time in ", IN_STATE + ST_SYN_SENT, ST_SYN_SENT, false },
	{ "time in ", IN_STATE + ST_SYN_RECV, ST_SYN_RECV, false },
	{ "time in ", IN_STATE + ST_ESTABLISHED, ST_ESTABLISHED, false },
	{ "time in ", IN_STATE + ST_FIN_WAIT1, ST_FIN_WAIT1, false },
	{ "time in ", IN_STATE + ST_FIN_WAIT2, ST_FIN_WAIT2, false },
	{ "time in ", IN_STATE + ST_CLOSING, ST_CLOSING, false },
	{ "time in ", IN_STATE + ST_TIME_WAIT, ST_TIME_WAIT, false },
	{ "time in ", IN_STATE + ST_CLOSE_WAIT, ST_CLOSE_WAIT, false },
	{ "time in ", IN_STATE + ST_LAST_ACK, ST_LAST_ACK, false },
	{ "smoothed round-trip time", RTT, ST_NONE, true },
	{ "bytes sent", SENT, ST_NONE, true },
	{ "bytes received", RECEIVED, ST_NONE, true },
};

static void write_counts(struct text *out, const struct hist *hist)
{
	text_u64(out, hist->conns);
	text_str(out, hist->conns == 1 ? " connection" : " connections");
	if (hist->incomplete) {
		text_str(out, ", ");
		text_u64(out, hist->incomplete);
		text_str(out, " incomplete");
	}
	if (hist->failed) {
		text_str(out, ", ");
		text_u64(out, hist->failed);
		text_str(out, hist->failed == 1 ? " failed attempt" : " failed attempts");
	}
	text_char(out, '\n');
}

void hist_print(struct text *out, const struct view_clock *clock, const struct hist_style *style,
		const struct hist *hist, int64_t now_ns, uint64_t elapsed_ns)
{
	int64_t realtime_ns = view_realtime_ns(clock, now_ns);

	if (realtime_ns == UNKNOWN_NS)
		text_char(out, '-');
	else
		text_clock(out, realtime_ns);
	text_str(out, ", in ");
	scale_value(out, &scale_times, elapsed_ns);
	text_str(out, ": ");
	write_counts(out, hist);
	for (unsigned int i = 0; i < ARRAY_SIZE(sections); i++) {
		const struct section *section = &sections[i];
		const struct series *series = &hist->series[section->series];

		if (!series->values.count && !series->without && !(section->always && hist->conns))
			continue;
		text_char(out, '\n');
		text_str(out, section->title);
		if (section->state != ST_NONE)
			text_str(out, name_state(section->state));
		write_series(out, style, scale_of(section->series), series);
	}
	text_char(out, '\n');
}
