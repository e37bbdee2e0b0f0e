// SPDX-License-Identifier: GPL-2.0-only
/* A clause for what happened, by state; and one for who could go on, by state and hands. */
#include "core/stuck_words.h"

#include <string.h>

#define MS INT64_C(1000000)
#define SEC (1000 * MS)
#define NAMED_MAX 3 /* processes in a sentence; the others are counted */

#define ORPHAN "orphan: # has closed it or is gone; "
#define NO_ONE "who holds it now is not known%"
#define RETRIES "~"

/*
 * @ stands for who holds it, # for whose it was, % for whose it was last seen to
 * be, ^ for how much longer, ~ for what the kernel does meanwhile.
 */
static const char *const who_clauses[ST_MAX][HOLD_KINDS] = {
	[ST_SYN_SENT] = {
		[HOLD_UNKNOWN] = NO_ONE "; " RETRIES,
		[HOLD_ONE] = "@ waits; " RETRIES,
		[HOLD_SHARED] = "@ share it and wait; " RETRIES,
		[HOLD_ORPHAN] = ORPHAN RETRIES,
		[HOLD_QUEUED] = "no process has a descriptor of it; " RETRIES,
	},
	[ST_SYN_RECV] = {
		[HOLD_UNKNOWN] = NO_ONE "; " RETRIES,
		[HOLD_ONE] = "@ holds it; " RETRIES,
		[HOLD_SHARED] = "@ share it; " RETRIES,
		[HOLD_ORPHAN] = ORPHAN RETRIES,
		[HOLD_QUEUED] = "nobody has accepted it; " RETRIES,
	},
	[ST_FIN_WAIT1] = {
		[HOLD_UNKNOWN] = NO_ONE "; " RETRIES,
		[HOLD_ONE] = "@ still holds it after shutdown; " RETRIES,
		[HOLD_SHARED] = "@ still hold it after shutdown; " RETRIES,
		[HOLD_ORPHAN] = ORPHAN RETRIES,
		[HOLD_QUEUED] = "nobody has accepted it; " RETRIES,
	},
	[ST_FIN_WAIT2] = {
		[HOLD_UNKNOWN] = NO_ONE "; only the peer's FIN or a close here ends it",
		[HOLD_ONE] = "@ has shut down its sending side and not called close",
		[HOLD_SHARED] = "@ share it after shutdown; the last of them has not called close",
		[HOLD_ORPHAN] = ORPHAN "the kernel waits^ for its FIN",
		[HOLD_QUEUED] = "nobody has accepted it; only the peer's FIN ends it",
	},
	[ST_CLOSE_WAIT] = {
		[HOLD_UNKNOWN] = "nobody has called close; " NO_ONE,
		[HOLD_ONE] = "@ has not called close",
		[HOLD_SHARED] = "@ share it; the last of them has not called close",
		[HOLD_ORPHAN] = ORPHAN "the kernel has not sent its FIN yet",
		[HOLD_QUEUED] = "it waits in the accept queue: nobody has accepted it",
	},
	[ST_CLOSING] = {
		[HOLD_UNKNOWN] = NO_ONE "; " RETRIES,
		[HOLD_ONE] = "@ still holds it after shutdown; " RETRIES,
		[HOLD_SHARED] = "@ still hold it after shutdown; " RETRIES,
		[HOLD_ORPHAN] = ORPHAN RETRIES,
		[HOLD_QUEUED] = "nobody has accepted it; " RETRIES,
	},
	[ST_LAST_ACK] = {
		[HOLD_UNKNOWN] = NO_ONE "; " RETRIES,
		[HOLD_ONE] = "@ still holds it after shutdown; " RETRIES,
		[HOLD_SHARED] = "@ still hold it after shutdown; " RETRIES,
		[HOLD_ORPHAN] = ORPHAN RETRIES,
		[HOLD_QUEUED] = "nobody has accepted it; " RETRIES,
	},
};

void words_span(struct text *text, int64_t ns)
{
	static const struct {
		int64_t below, unit;
		const char *name;
	} units[] = { { 120 * SEC, SEC, " s" },
		      { 120 * 60 * SEC, 60 * SEC, " min" },
		      { 48 * 3600 * SEC, 3600 * SEC, " h" },
		      { INT64_MAX, 86400 * SEC, " d" } };
	unsigned int i = 0;

	if (ns < 10 * SEC) {
		text_fixed(text, ns / (100 * MS), 1);
		text_str(text, " s");
		return;
	}
	while (ns >= units[i].below && units[i].below != INT64_MAX)
		i++;
	text_i64(text, ns / units[i].unit);
	text_str(text, units[i].name);
}

/* " 3 h ago", " at least 3 h ago"; nothing where it is not known. */
static void ago(struct text *text, const struct stuck_row *row)
{
	if (row->age_ns == UNKNOWN_NS)
		return;
	text_str(text, row->age_is_bound ? " at least " : " ");
	words_span(text, row->age_ns);
	text_str(text, " ago");
}

/* Only where it says more than the age, which may be that of the last segment. */
static void silence_words(struct text *text, const struct stuck_row *row)
{
	if (row->silent_ns == UNKNOWN_NS || !row->age_is_bound || row->silent_ns <= row->age_ns)
		return;
	text_str(text, " (peer silent for ");
	words_span(text, row->silent_ns);
	text_char(text, ')');
}

static void fin_words(struct text *text, const struct stuck_row *row)
{
	if (!row->has_waiting) {
		text_str(text, ", the FIN is not acknowledged");
	} else if (row->fin_unsent) {
		text_str(text, ", the FIN waits behind ");
		text_i64(text, row->unsent);
		text_str(text, " bytes that the peer has not acknowledged");
	} else {
		text_str(text, ", the FIN is not acknowledged");
		if (row->unsent > 0) {
			text_str(text, ", nor are ");
			text_i64(text, row->unsent);
			text_str(text, " bytes before it");
		}
	}
	silence_words(text, row);
}

static void what_words(struct text *text, const struct stuck_row *row)
{
	static const char *const begins[ST_MAX] = {
		[ST_SYN_SENT] = "SYN sent",
		[ST_SYN_RECV] = "SYN received",
		[ST_FIN_WAIT1] = "closed here first",
		[ST_FIN_WAIT2] = "peer acknowledged our FIN",
		[ST_CLOSE_WAIT] = "peer closed",
		[ST_CLOSING] = "both closed at once, the peer's FIN came",
		[ST_LAST_ACK] = "closed here after the peer",
	};

	text_str(text, begins[row->state] ? begins[row->state] : "");
	ago(text, row);
	switch (row->state) {
	case ST_SYN_SENT:
		text_str(text, ", not answered");
		break;
	case ST_SYN_RECV:
		text_str(text, ", the last ACK of the handshake has not come");
		break;
	case ST_FIN_WAIT2:
		text_str(text, ", has not closed");
		break;
	case ST_FIN_WAIT1:
	case ST_CLOSING:
	case ST_LAST_ACK:
		fin_words(text, row);
		break;
	}
}

static void one_process(struct text *text, const struct report_holder *holder)
{
	text_str(text, holder->comm[0] ? holder->comm : "pid");
	text_char(text, '[');
	text_u64(text, holder->pid);
	text_str(text, "] fd ");
	text_u64(text, holder->fd);
}

/* Whether a descriptor before this one is of the same process. */
static bool is_named(const struct stuck_row *row, unsigned int index)
{
	for (unsigned int i = 0; i < index; i++) {
		if (row->holders[i].pid == row->holders[index].pid)
			return true;
	}
	return false;
}

/* More descriptors of a process that was named with one. */
static void more_fds(struct text *text, const struct stuck_row *row, unsigned int index)
{
	for (unsigned int i = index + 1; i < row->holders_len; i++) {
		if (row->holders[i].pid != row->holders[index].pid)
			continue;
		text_char(text, ',');
		text_u64(text, row->holders[i].fd);
	}
}

static void holders_words(struct text *text, const struct stuck_row *row)
{
	unsigned int named = 0, others = 0;

	for (unsigned int i = 0; i < row->holders_len; i++) {
		if (is_named(row, i))
			continue;
		if (named == NAMED_MAX) {
			others++;
			continue;
		}
		if (named++)
			text_str(text, ", ");
		one_process(text, &row->holders[i]);
		more_fds(text, row, i);
	}
	if (row->holders_left_out) {
		text_str(text, " and others");
	} else if (others) {
		text_str(text, " and ");
		text_u64(text, others);
		text_str(text, " more");
	}
}

static void owner_words(struct text *text, const struct stuck_row *row)
{
	text_str(text, row->comm);
	text_char(text, '[');
	text_u64(text, row->pid);
	text_char(text, ']');
}

/* Who called listen() need not be who accepted it. */
static bool is_owner_sure(const struct stuck_row *row)
{
	return row->pid && row->pid_source > OWNER_LISTEN;
}

static void former_owner(struct text *text, const struct stuck_row *row)
{
	if (is_owner_sure(row))
		owner_words(text, row);
	else
		text_str(text, "its process");
}

static void last_owner(struct text *text, const struct stuck_row *row)
{
	if (row->flags & EVF_MPTCP)
		text_str(text, ": it is part of an MPTCP connection");
	if (!is_owner_sure(row))
		return;
	text_str(text, " (last seen: ");
	owner_words(text, row);
	text_char(text, ')');
}

/* One that has a socket still may wait a minute more without it (tcp_fin_timeout). */
static void time_left(struct text *text, const struct stuck_row *row)
{
	if (row->timer_ns == UNKNOWN_NS)
		return;
	text_str(text, row->is_minisock ? " " : " at least ");
	words_span(text, row->timer_ns);
	text_str(text, " more");
}

static void retry_words(struct text *text, const struct stuck_row *row)
{
	if (row->has_waiting && row->timer == TIMER_PROBE) {
		text_str(text, "the kernel probes the peer's closed window");
		/* for a process it does so for as long as the peer answers */
		text_str(text, row->hold == HOLD_ORPHAN ? " and gives up in the end" : "");
	} else if (row->has_waiting && row->timer != TIMER_RETRANSMIT) {
		text_str(text, "nothing is about to be sent again");
	} else {
		text_str(text, "the kernel sends again and gives up in the end");
	}
}

static void who_words(struct text *text, const struct stuck_row *row)
{
	const char *clause = who_clauses[row->state][row->hold];

	for (; clause && *clause; clause++) {
		if (*clause == '@')
			holders_words(text, row);
		else if (*clause == '#')
			former_owner(text, row);
		else if (*clause == '%')
			last_owner(text, row);
		else if (*clause == '~')
			retry_words(text, row);
		else if (*clause == '^')
			time_left(text, row);
		else
			text_char(text, *clause);
	}
}

void stuck_words(struct text *text, const struct stuck_row *row)
{
	if (row->state >= ST_MAX || row->hold >= HOLD_KINDS)
		return;
	what_words(text, row);
	text_str(text, "; ");
	who_words(text, row);
}

static bool is_orphan_in_fin_wait2(const struct stuck_row *row)
{
	return row->state == ST_FIN_WAIT2 && row->hold == HOLD_ORPHAN;
}

const char *stuck_timer_name(const struct stuck_row *row)
{
	if (!row->has_waiting)
		return NULL;
	switch (row->timer) {
	case TIMER_NONE:
		return "none";
	case TIMER_RETRANSMIT:
		return "retransmit";
	case TIMER_PROBE:
		return "probe";
	case TIMER_SOCKET:
		return is_orphan_in_fin_wait2(row) ? "fin_wait2" : "keepalive";
	case TIMER_MINISOCK:
		return "fin_wait2";
	}
	return NULL;
}

void stuck_timer_words(struct text *text, const struct stuck_row *row)
{
	const char *name = stuck_timer_name(row);

	if (!name)
		return;
	text_str(text, !strcmp(name, "fin_wait2") ? "FIN_WAIT2 timeout" : name);
	if (row->timer_ns == UNKNOWN_NS)
		return;
	text_str(text, is_orphan_in_fin_wait2(row) && !row->is_minisock ? " in >=" : " in ");
	words_span(text, row->timer_ns);
}
